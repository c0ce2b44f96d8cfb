"""Sizes of the study `images`, its learners and its trainings."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

from ctxlearn import lab
from ctxlearn.expressiveness.initialization import StartsAsPrototypes
from ctxlearn.learners import (
    CNP,
    MAML,
    BlockConfig,
    Conv4,
    GradientAdaptation,
    InContextTransformer,
    Learner,
    MatchNet,
    ProtoNet,
)
from ctxlearn.references import NearestNeighbor
from ctxlearn.tasks import Pooled, TaskFamily, glyphs
from ctxlearn.training import (
    Adaptable,
    Curriculum,
    DomainSource,
    MetaAdaptation,
    Plan,
    RandomShots,
    Source,
    Stairs,
    TrainingConfig,
)

ICL, PIXELS = "InContextTransformer", "NearestNeighbor"
RANDOM = "InContextTransformer (random start)"
CLASSICAL = ("MatchNet", "ProtoNet", "CNP", "MAML")
SHIFTED = (ICL, "ProtoNet")
"""Learners that are also trained on alphabets alone."""
SHAPE = (1, 28, 28)
MOST_SHOTS = 5
M2 = "M2"
CURRICULUM = "curriculum over ways"
ALPHABETS = ["alphabet"]
OTHERS = ["syllabary", "logograph"]


@dataclass(frozen=True)
class Meta:
    """Meta-learning over scripts, and adapting to new ones.

    Attributes:
        steps: of M2, first order.
        n_domains: scripts per step.
        n_tasks: episodes of a script to adapt to in an inner step, and as many fresh ones.
        inner_steps: on the encoder; the blocks, whose scores are distances that no step may upset, stay.
        inner_size: their step size.
        sizes: episodes of a new script to adapt to.
        shots: K of the episodes that are adapted to; they have 2 K + 1 images of each character at most.
        adaptation_steps: of `adapt_to_domain`, at most.
        n_scripts: new scripts.
        n_probe: one-shot episodes on which each is measured, of characters that no adaptation saw.
    """

    steps: int
    n_domains: int = 2
    n_tasks: int = 8
    inner_steps: int = 2
    inner_size: float = 0.003
    sizes: tuple[int, ...] = (64, 256)
    shots: int = 1
    adaptation_steps: int = 30
    n_scripts: int = 6
    n_probe: int = 100


@dataclass(frozen=True)
class Sizes:
    """Sizes of one profile.

    Attributes:
        ways: N of the episodes; each number has learners of its own.
        shots: K, at most 5.
        steps: optimiser steps of each training, by way; all learners have as many.
        tasks_per_step: B, by way.
        channels: of the encoder's blocks, a Conv-4.
        width: of the transformer.
        depth: of the transformer.
        n_tasks: test episodes of each N and K, per seed.
        n_grouped: of these, how many are also answered by a learner of fewer ways, in groups.
        every: steps of the curriculum at each number of ways below the last.
        meta: see `Meta`.
        learning_rate: AdamW's.
        muon_learning_rate: of the matrices in the transformer's blocks, which begin as what they need to be.
        random_start: AdamW's and Muon's rate where the transformer begins at random weights.
    """

    ways: tuple[int, ...]
    shots: tuple[int, ...]
    steps: dict[int, int]
    tasks_per_step: dict[int, int]
    channels: tuple[int, ...]
    width: int
    depth: int
    n_tasks: int
    n_grouped: int
    every: int
    meta: Meta
    learning_rate: float = 2e-3
    muon_learning_rate: float = 1e-4
    random_start: tuple[float, float] = (4e-3, 1e-2)


PROFILES = {
    "smoke": Sizes(
        (2, 3),
        (1, 2),
        {2: 2, 3: 2},
        {2: 4, 3: 4},
        (4, 4, 4, 8),
        20,
        3,
        20,
        6,
        1,
        Meta(2, 2, 2, 1, 0.003, (4, 6), 1, 2, 2, 6),
    ),
    # about 50 minutes of one core: 42 of training, 8 of measuring
    "quick": Sizes(
        (5, 20), (1, 5), {5: 2400, 20: 800}, {5: 8, 20: 4}, (16, 32, 64, 64), 128, 3, 600, 150, 130, Meta(800)
    ),
    "paper": Sizes(
        (5, 20),
        (1, 5),
        {5: 60_000, 20: 60_000},
        {5: 64, 20: 16},
        (64, 64, 64, 64),
        256,
        4,
        2000,
        2000,
        5000,
        Meta(20_000, 4, 32, n_scripts=16, n_probe=400),
    ),
}


@functools.cache
def training_family(way: int, alphabets: bool = False) -> Pooled:
    """What is trained on: scripts of the training split, turned characters being characters of their own."""
    return glyphs("train", way, ALPHABETS if alphabets else None, augment="turn")


def fresh_learner(name: str, sizes: Sizes, way: int, seed: int) -> Learner:
    """An untrained learner by its name, all on the same encoder."""
    encoder = Conv4(1, sizes.channels, seed=seed)
    if name == ICL:
        return StartsAsPrototypes(SHAPE, way, encoder, sizes.width, sizes.depth, hidden=2 * sizes.width, seed=seed)
    if name == RANDOM:
        blocks = [BlockConfig(4, hidden=2 * sizes.width, activation="relu")] * sizes.depth
        return InContextTransformer(SHAPE, way, width=sizes.width, blocks=blocks, encoder=encoder, seed=seed)
    if name == "MAML":  # second order costs twice the time of all others together
        return MAML(SHAPE, way, encoder=encoder, steps=3, step_size=0.1, first_order=True, divergence="keep", seed=seed)
    if name == PIXELS:
        return NearestNeighbor(None, way)
    makers: dict[str, Callable[..., Learner]] = {
        # shares of cosines, at most 1, are never sure of a class
        "MatchNet": functools.partial(MatchNet, similarity="dot"),
        "ProtoNet": ProtoNet,
        "CNP": CNP,
    }
    return makers[name](SHAPE, way, encoder=encoder, seed=seed)


def shifted(name: str) -> str:
    """The name of a learner that was trained on alphabets alone."""
    return f"{name}, alphabets only"


def trainings(sizes: Sizes, seed: int) -> dict[tuple[str, int], lab.Training]:
    """Every training of one seed, by name and ways; all learners of a number of ways have the same steps, tasks and encoder."""
    few, many = sizes.ways[0], sizes.ways[-1]
    found = {
        (name, way): _training(name, sizes, way, seed, training_family(way))
        for way in sizes.ways
        for name in (ICL, *CLASSICAL)
    }
    found[RANDOM, few] = _training(RANDOM, sizes, few, seed, training_family(few))
    for name in SHIFTED:
        family = training_family(few, alphabets=True)
        found[shifted(name), few] = _training(name, sizes, few, seed, family, " on alphabets")
    found[CURRICULUM, many] = _training(ICL, sizes, many, seed, curriculum(sizes), " by a curriculum")
    found[M2, few] = m2_training(sizes, few, seed)
    return found


def curriculum(sizes: Sizes) -> Curriculum:
    """From the fewest ways to the most, with as many tasks per step throughout, so with fewer images at first."""
    few, many = sizes.ways[0], sizes.ways[-1]
    rounds = MOST_SHOTS + 1
    plans: dict[str, Plan] = {
        "domains.n_way": Stairs(few, many, few, sizes.every),
        "n_points": Stairs(rounds * few, rounds * many, rounds * few, sizes.every),
    }
    return Curriculum(training_family(many), sizes.tasks_per_step[many] // 2, rounds * many, plans)


def _training(
    name: str, sizes: Sizes, way: int, seed: int, source: TaskFamily | Source, words: str = ""
) -> lab.Training:
    adamw, muon = sizes.learning_rate, sizes.muon_learning_rate
    if name == RANDOM:
        adamw, muon = sizes.random_start
    config = TrainingConfig(
        steps=sizes.steps[way],
        tasks_per_step=sizes.tasks_per_step[way],
        n_points=way * (MOST_SHOTS + 1),
        warmup_steps=50,
        seed=seed,
        learning_rate=adamw,
        muon_learning_rate=muon,
    )
    learner = fresh_learner(name, sizes, way, seed)
    return lab.Training(f"{name}, {way}-way{words}, seed {seed}", learner, source, config, RandomShots())


def m2_training(sizes: Sizes, way: int, seed: int) -> lab.Training:
    """M2 over scripts: first order, by inner steps on the encoder. A shard has one script."""
    meta = sizes.meta
    rounds = 2 * meta.shots + 1
    source = DomainSource(training_family(way).domains, 1, meta.n_tasks, meta.n_tasks, rounds * way)
    adaptation = GradientAdaptation(meta.inner_steps, meta.inner_size, first_order=True, parameters="encoder.*")
    config = TrainingConfig(
        steps=meta.steps,
        tasks_per_step=meta.n_domains * meta.n_tasks,
        shards=meta.n_domains,
        n_points=rounds * way,
        learning_rate=sizes.learning_rate,
        muon_learning_rate=sizes.muon_learning_rate,
        warmup_steps=50,
        seed=seed,
    )
    learner = Adaptable(fresh_learner(ICL, sizes, way, seed), adaptation)
    objective = MetaAdaptation(inner=RandomShots(), outer=RandomShots(), divergence="skip")
    cost = sum(p.numel() for p in learner.parameters()) * config.tasks_per_step * (1 + meta.inner_steps)
    return lab.Training(f"{M2}, {way}-way, seed {seed}", learner, source, config, objective, cost=float(cost))
