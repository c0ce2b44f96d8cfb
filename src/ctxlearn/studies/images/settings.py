"""Sizes of the study `images`, its learners and its tasks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ctxlearn.learners import CNP, MAML, Conv4, InContextTransformer, Learner, MatchNet, ProtoNet
from ctxlearn.references import NearestNeighbor
from ctxlearn.tasks import Pooled, glyphs

ICL, PIXELS = "InContextTransformer", "NearestNeighbor"
CLASSICAL = ("MatchNet", "ProtoNet", "CNP", "MAML")
SHAPE = (1, 28, 28)
MOST_SHOTS = 5


@dataclass(frozen=True)
class Settings:
    """Sizes of one profile.

    Attributes:
        ways: N of the episodes; each number has learners of its own.
        shots: K, at most 5.
        steps: optimiser steps of each training, by way.
        tasks_per_step: B, by way.
        channels: of the encoder, a Conv-4.
        width: of the transformer.
        depth: of the transformer.
        n_tasks: test episodes of each N and K, per seed; half from each part in a claim about all.
        learning_rate: AdamW's.
    """

    ways: tuple[int, ...]
    shots: tuple[int, ...]
    steps: dict[int, int]
    tasks_per_step: dict[int, int]
    channels: int
    width: int
    depth: int
    n_tasks: int
    learning_rate: float = 2e-3


PROFILES = {
    "smoke": Settings((3,), (1, 2), {3: 2}, {3: 4}, 4, 16, 1, 20),
    # for about half an hour on 2 cores by arithmetic; not timed yet
    "quick": Settings((5, 20), (1, 5), {5: 900, 20: 250}, {5: 16, 20: 4}, 32, 96, 4, 600),
    "paper": Settings((5, 20), (1, 5), {5: 60_000, 20: 60_000}, {5: 64, 20: 16}, 64, 256, 8, 2000),
}


def training_family(way: int) -> Pooled:
    """What is trained on: scripts of the training split, turned characters being characters of their own."""
    return glyphs("train", way, augment="turn")


def fresh_learner(name: str, settings: Settings, way: int, seed: int) -> Learner:
    """An untrained learner by its name, all on the same encoder."""
    encoder = Conv4(1, settings.channels, seed=seed)
    if name == ICL:
        return InContextTransformer(SHAPE, way, width=settings.width, depth=settings.depth, encoder=encoder, seed=seed)
    if name == "MAML":  # second order costs twice the time of all others together
        return MAML(SHAPE, way, encoder=encoder, steps=3, step_size=0.1, first_order=True, divergence="keep", seed=seed)
    if name == PIXELS:
        return NearestNeighbor(None, way)
    makers: dict[str, Callable[..., Learner]] = {"MatchNet": MatchNet, "ProtoNet": ProtoNet, "CNP": CNP}
    return makers[name](SHAPE, way, encoder=encoder, seed=seed)
