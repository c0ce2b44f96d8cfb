"""What the study of language models trains and compares, and how large its profiles are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from ctxlearn import lab
from ctxlearn.episodes import Parameters
from ctxlearn.language.choosing import CANDIDATES
from ctxlearn.language.loading import CausalLM, LoRA
from ctxlearn.language.meta_training import DEFAULT, what_is_trained
from ctxlearn.language.rounded import Rounded
from ctxlearn.language.text_format import TextFormat
from ctxlearn.learners import Learner
from ctxlearn.references import BayesOptimal, KernelRegression, LogisticRegression, Majority, NearestNeighbor
from ctxlearn.studies.arms import BAYES_FAMILY, BAYES_MIXTURE, FAMILIES, ICL, classical_learner, icl_learner, mixture
from ctxlearn.tasks import Mixture, Radial, TaskFamily
from ctxlearn.tasks.base import normal
from ctxlearn.training import TrainingConfig

BASE, META, DIGITS = "language model", "meta-trained", ", on the digits"
RULES: dict[str, Learner] = {
    "1-NN": NearestNeighbor(2, 2),
    "kernel regression": KernelRegression(n_features=2, n_classes=2),
    "logistic regression": LogisticRegression(2, 2),
}
TRAINED = (ICL, "MatchNet", "ProtoNet")
HELD_OUT = "radial"
SHOWN: dict[str, TaskFamily] = {**FAMILIES, HELD_OUT: Radial()}
SCALE = 3.0
"""Numbers from -3 to 3 fill the digits: one causal pass then answers every prefix of a task."""
FORMATS = {
    name: replace(CANDIDATES[name], scale=SCALE)
    for name in ("lines", "lines, blanks between", "arrow", "input and label", "turns of a chat")
}
VARIED = ("lines", "lines, blanks between", "input and label")
"""Formats that the examples are written in to see what of an answer the format decides."""
WORDS = (("A", "B"), ("B", "A"), ("up", "down"), ("down", "up"))


class Stripes(TaskFamily):
    """Parallel stripes of a hidden direction, width and phase; formats are chosen on these and on `Quadrants`."""

    n_features, n_classes = 2, 2

    def sample_parameters(self, n_tasks: int, *, generator: torch.Generator) -> Parameters:
        return normal((n_tasks, 3), generator)

    def sample_points(
        self, parameters: Parameters, n_points: int, *, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        assert isinstance(parameters, Tensor)
        x = normal((len(parameters), n_points, 2), generator)
        return x, (torch.sin(2 * (x @ parameters[:, :2, None])[..., 0] + parameters[:, 2:]) > 0).long()


class Quadrants(Stripes):
    """Two opposite quadrants about a hidden point are of one class."""

    def sample_points(
        self, parameters: Parameters, n_points: int, *, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        assert isinstance(parameters, Tensor)
        x = normal((len(parameters), n_points, 2), generator)
        sides = ((x - 0.3 * parameters[:, None, :2]) * parameters[:, None, 2:]) > 0
        return x, (sides[..., 0] ^ sides[..., 1] ^ (parameters[:, 2:] > 0)).long()


def validation() -> Mixture:
    """Tasks to choose a format on: of no family that is reported on."""
    return Mixture([Stripes(), Quadrants()])


@dataclass(frozen=True)
class Sizes:
    """Sizes of one profile.

    Attributes:
        source: the language model, as `load_language_model` takes it.
        dtype: see there.
        device_map: see there.
        tolerance: how far scores may move when a query is asked in other company (log-odds), for `identify`.
        format: how tasks are written; chosen beforehand by `choose_format` on `validation` tasks, and tried again there.
        n_points: N points per task.
        n_tasks: test tasks per family and seed.
        steps: of meta-training, of 2 tasks each.
        replicates: further meta-trainings, of other seeds, for `identify`.
        rival_steps: optimiser steps of each model that is trained on the digits, of 128 tasks each.
        lengths: context lengths at which the algorithm is identified.
        n_contexts: probe contexts of each length.
        varied: tasks on which order, words and format vary; they have half the points as context and half as queries.
        orders: orders of their examples.
        chosen_on: validation tasks on which the formats are tried.
    """

    source: str
    format: TextFormat = FORMATS["arrow"]
    dtype: str = "float32"
    device_map: str | None = None
    tolerance: float = 0.01
    n_points: int = 33
    n_tasks: int = 40
    steps: int = 100
    replicates: int = 1
    rival_steps: int = 300
    lengths: tuple[int, ...] = (8,)
    n_contexts: int = 32
    varied: int = 8
    orders: int = 2
    chosen_on: int = 6


PROFILES = {
    "smoke": Sizes("tiny-random", n_points=5, n_tasks=4, steps=2, rival_steps=2, lengths=(2,), varied=2, chosen_on=2),
    "quick": Sizes("smollm2-135m"),
    "paper": Sizes(
        "HuggingFaceTB/SmolLM2-1.7B",
        dtype="bfloat16",
        device_map="auto",
        tolerance=0.2,
        n_points=65,
        n_tasks=300,
        steps=1000,
        replicates=2,
        rival_steps=6000,
        lengths=(4, 8, 16, 32),
        n_contexts=96,
        varied=60,
        orders=5,
        chosen_on=40,
    ),
}


@lru_cache(maxsize=1)
def opened(source: str, dtype: str, device_map: str | None) -> CausalLM:
    """The language model, read once per process."""
    return CausalLM(source, dtype, device_map)


@lru_cache
def meta_training(sizes: Sizes, seed: int) -> lab.Training:
    """The language model with low-rank changes, trained on the mixture."""
    lm = opened(sizes.source, sizes.dtype, sizes.device_map)
    learner, source, objective = what_is_trained(lm, mixture(), sizes.format, LoRA(seed=seed))
    config = replace(DEFAULT, steps=sizes.steps, n_points=sizes.n_points, seed=seed, checkpoint_every=20)
    return lab.Training(f"{META} {sizes.source}, seed {seed}", learner, source, config, objective)


def rival_trainings(sizes: Sizes, seed: int) -> dict[str, lab.Training]:
    """Models trained on the same mixture, whose inputs are the digits that the language model reads."""
    config = TrainingConfig(steps=sizes.rival_steps, tasks_per_step=128, n_points=sizes.n_points, seed=seed)
    made = {name: icl_learner(seed) if name == ICL else classical_learner(name, seed) for name in TRAINED}
    return {
        name + DIGITS: lab.Training(f"{name}{DIGITS}, seed {seed}", Rounded(learner, sizes.format), mixture(), config)
        for name, learner in made.items()
    }


def references(sizes: Sizes, family: TaskFamily) -> dict[str, Learner]:
    """Rules without training, on the numbers and on the digits, and what is optimal."""
    on_digits = {name + DIGITS: Rounded(rule, sizes.format) for name, rule in RULES.items()}
    bayes = {BAYES_FAMILY: BayesOptimal(family), BAYES_MIXTURE: BayesOptimal(mixture())}
    return {"majority": Majority(2, 2), **RULES, **on_digits, **bayes}
