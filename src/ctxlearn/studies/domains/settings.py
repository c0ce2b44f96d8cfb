"""Sizes of the study `domains`, its trainings, and the compute that its arms get."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from ctxlearn import lab
from ctxlearn.learners import GradientAdaptation, InContextTransformer
from ctxlearn.tasks import GaussianHalfSpaces, GaussianWeights
from ctxlearn.tasks.domains import Domains
from ctxlearn.training import Adaptable, AllPrefixes, DomainSource, MetaAdaptation, TrainingConfig

M2, ICL = "M2", "ICL"
REGRESSION, CLASSIFICATION = "regression", "classification"

GATE = 0.42
"""M2 counts as converged if its excess error after its own inner steps, on validation domains, is at most this. Regression only."""
GAIN = 0.03
"""Mean gain at the smallest size that the test fixed beforehand asks for, besides a lower bound above 0."""
SAME = 0.02
"""At the largest size the arms must differ by no more than this."""
INNER_PASSES = 5.0
"""What a task in a second-order inner step costs, counted in plain passes (forward and backward) of a task.

Measured with one thread at width 32, 2 blocks, 11 points, side by side in one process: a meta-step of 2 domains (5 inner
steps on 64 tasks, 64 fresh ones) took 22.5 to 26.2 times the processor time of a plain step of 128 tasks. At 5.0 passes it
counts 26, so in-context learning is given at least as much."""


@dataclass(frozen=True)
class Part:
    """One kind of domains, and how the arms are trained, adapted and measured on it."""

    domains: Domains  # the distribution over domains
    n_points: int = 11  # N points per task
    width: int = 32  # of the model, both arms
    depth: int = 2  # of the model, both arms
    heads: int = 2  # of the model, both arms
    meta_steps: int = 2000  # optimiser steps of M2
    n_domains: int = 2  # domains per meta-step
    n_tasks: int = 64  # tasks of a domain to adapt to in an inner step, and as many fresh ones
    inner_steps: int = 5  # of M2
    inner_size: float = 0.02  # their step size at the start; it is learned, for each parameter tensor and step
    batch: int = 128  # tasks per step of in-context learning
    optimizer: str = "adamw"  # of both arms
    learning_rate: float = 2e-3  # of both arms
    sizes: tuple[int, ...] = (64, 256, 1024)  # adaptation tasks per domain at the test
    limits: tuple[int, ...] = (80, 160, 320)  # most adaptation steps, for each size
    adamw_rates: tuple[float, ...] = (3e-4, 1e-3, 3e-3)  # tried on validation domains
    sgd_rates: tuple[float, ...] = (3e-3, 0.01, 0.03)  # tried on validation domains
    n_validation: int = 8  # validation domains for each training seed
    n_test: int = 24  # test domains for each training seed
    n_test_tasks: int = 192  # tasks on which a domain is measured

    @property
    def adaptation(self) -> GradientAdaptation:
        """M2's inner steps."""
        return GradientAdaptation(self.inner_steps, self.inner_size, learned="tensor", per_step=True)

    @property
    def passes_per_meta_step(self) -> float:
        """Compute of a meta-step, in plain passes of a task."""
        return self.n_domains * self.n_tasks * (1 + INNER_PASSES * self.inner_steps)

    @property
    def plain_steps(self) -> int:
        """Steps of in-context learning, whose compute is M2's or a little more."""
        return math.ceil(self.meta_steps * self.passes_per_meta_step / self.batch)

    @property
    def noise(self) -> float:
        """Standard deviation of the label noise; 0 for classification."""
        return self.domains.noise if isinstance(self.domains, GaussianWeights) else 0.0


Sizes = Mapping[str, Part]
"""Of one profile: its kinds of domains by name."""

SMOKE = partial(
    Part,
    width=8,
    depth=1,
    n_tasks=4,
    inner_steps=2,
    batch=8,
    sizes=(4, 8),
    limits=(4, 6),
    adamw_rates=(3e-3,),
    sgd_rates=(0.01,),
    n_validation=2,
    n_test=3,
)
PAPER = partial(Part, width=128, depth=4, heads=4, meta_steps=24_000, n_domains=4, n_test=48)
PROFILES: dict[str, Sizes] = {
    "smoke": {
        REGRESSION: SMOKE(GaussianWeights(2), n_points=5, meta_steps=4, n_test_tasks=6),
        CLASSIFICATION: SMOKE(GaussianHalfSpaces(2), n_points=4, meta_steps=3, n_test_tasks=4),
    },
    "quick": {
        REGRESSION: Part(GaussianWeights()),
        CLASSIFICATION: Part(
            GaussianHalfSpaces(),
            meta_steps=500,
            inner_size=0.1,
            limits=(40, 80, 160),
            adamw_rates=(1e-3, 3e-3),
            sgd_rates=(0.03, 0.1),
            n_test_tasks=64,
        ),
    },
    # ten times the training of a four times wider network, and twice as many test domains
    "paper": {
        REGRESSION: PAPER(GaussianWeights()),
        CLASSIFICATION: PAPER(GaussianHalfSpaces(), inner_size=0.1, sgd_rates=(0.01, 0.03, 0.1)),
    },
}


def fresh_learner(part: Part, seed: int) -> InContextTransformer:
    """The untrained model of both arms."""
    return InContextTransformer(
        part.domains.n_features,
        part.domains.n_classes,
        width=part.width,
        depth=part.depth,
        heads=part.heads,
        mask="causal",
        seed=seed,
    )


def icl_training(name: str, part: Part, seed: int) -> lab.Training:
    """In-context learning: the plain loss on tasks each of a domain of its own."""
    config = TrainingConfig(
        steps=part.plain_steps,
        tasks_per_step=part.batch,
        shards=1,
        n_points=part.n_points,
        optimizer=part.optimizer,
        learning_rate=part.learning_rate,
        averaging=0.99,
        seed=seed,
        checkpoint_every=2000,
    )
    learner = fresh_learner(part, seed)
    return lab.Training(f"{ICL}, {name}, seed {seed}", learner, part.domains.pooled(), config, AllPrefixes())


def m2_training(name: str, part: Part, seed: int) -> lab.Training:
    """M2: a learner with learned inner step sizes, over domains. A shard has one domain."""
    learner = Adaptable(fresh_learner(part, seed), part.adaptation)
    source = DomainSource(part.domains, 1, part.n_tasks, part.n_tasks, part.n_points)
    config = replace(
        icl_training(name, part, seed).config,
        steps=part.meta_steps,
        tasks_per_step=part.n_domains * part.n_tasks,
        shards=part.n_domains,
        checkpoint_every=100,
    )
    cost = sum(p.numel() for p in learner.parameters()) * part.passes_per_meta_step
    objective = MetaAdaptation(divergence="skip")
    return lab.Training(f"{M2}, {name}, seed {seed}", learner, source, config, objective, cost=cost)
