"""Sizes of the study `images`, its learners and its trainings."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

from ctxlearn import lab, learners, training
from ctxlearn.expressiveness.initialization import StartsAsPrototypes
from ctxlearn.references import NearestNeighbor
from ctxlearn.tasks import Pooled, TaskFamily, glyphs

ICL, PIXELS = "InContextTransformer", "NearestNeighbor"
RANDOM = "InContextTransformer (random start)"
CLASSICAL = ("MatchNet", "ProtoNet", "CNP", "MAML")
SHIFTED = (ICL, "ProtoNet")
"""Learners that are also trained on alphabets alone."""
M2, CURRICULUM = "M2", "curriculum over ways"
ALPHABETS, OTHERS = ["alphabet"], ["syllabary", "logograph"]
SHAPE = (1, 28, 28)
MOST_SHOTS = 5


@dataclass(frozen=True)
class Meta:
    """Meta-learning over scripts, and adapting to new ones."""

    steps: int  # of M2, first order
    n_domains: int = 2  # scripts per step
    n_tasks: int = 8  # episodes of a script to adapt to in an inner step, and as many fresh ones
    inner_steps: int = 2  # on the encoder; the blocks, whose scores are distances that no step may upset, stay
    inner_size: float = 0.003  # their step size
    sizes: tuple[int, ...] = (64, 256)  # episodes of a new script to adapt to
    shots: int = 1  # K of the episodes that are adapted to; they have 2 K + 1 images of each character at most
    adaptation_steps: int = 30  # of `fine_tune`, at most
    n_scripts: int = 6  # new scripts
    n_probe: int = 100  # one-shot episodes on which each is measured, of characters that no adaptation saw


@dataclass(frozen=True)
class Sizes:
    """Sizes of one profile."""

    ways: tuple[int, ...]  # N of the episodes; each number has learners of its own
    shots: tuple[int, ...]  # K, at most 5
    steps: dict[int, int]  # optimiser steps of each training, by way; all learners have as many
    tasks_per_step: dict[int, int]  # B, by way
    channels: tuple[int, ...]  # of the encoder's blocks, a Conv-4
    width: int  # of the transformer
    depth: int  # of the transformer
    n_tasks: int  # test episodes of each N and K, per seed
    n_grouped: int  # of these, how many are also answered by a learner of fewer ways, in groups
    every: int  # steps of the curriculum at each number of ways below the last
    meta: Meta  # of M2, and of adapting to new scripts
    learning_rate: float = 2e-3  # AdamW's
    muon_learning_rate: float = 1e-4  # of the matrices in the transformer's blocks, which begin as what they need to be
    random_start: tuple[float, float] = (4e-3, 1e-2)  # AdamW's and Muon's rate from random weights


PROFILES = {
    "smoke": Sizes(
        ways=(2, 3), shots=(1, 2), steps={2: 2, 3: 2}, tasks_per_step={2: 4, 3: 4}, channels=(4, 4, 4, 8), width=20, depth=3,
        n_tasks=20, n_grouped=6, every=1,
        meta=Meta(2, n_tasks=2, inner_steps=1, sizes=(4, 6), adaptation_steps=2, n_scripts=2, n_probe=6),
    ),
    # about 50 minutes of one core: 42 of training, 8 of measuring
    "quick": Sizes(
        ways=(5, 20), shots=(1, 5), steps={5: 2400, 20: 800}, tasks_per_step={5: 8, 20: 4}, channels=(16, 32, 64, 64), width=128,
        depth=3, n_tasks=600, n_grouped=150, every=130, meta=Meta(800),
    ),
    "paper": Sizes(
        ways=(5, 20), shots=(1, 5), steps={5: 60_000, 20: 60_000}, tasks_per_step={5: 64, 20: 16}, channels=(64, 64, 64, 64),
        width=256, depth=4, n_tasks=2000, n_grouped=2000, every=5000, meta=Meta(20_000, 4, 32, n_scripts=16, n_probe=400),
    ),
}  # fmt: skip


@functools.cache
def training_family(way: int, alphabets: bool = False) -> Pooled:
    """What is trained on: scripts of the training split, turned characters being characters of their own."""
    return glyphs("train", way, ALPHABETS if alphabets else None, augment="turn")


def fresh_learner(name: str, sizes: Sizes, way: int, seed: int) -> learners.Learner:
    """An untrained learner by its name, all on the same encoder."""
    encoder = learners.Conv4(1, sizes.channels, seed=seed)
    if name == ICL:
        return StartsAsPrototypes(SHAPE, way, encoder, sizes.width, sizes.depth, hidden=2 * sizes.width, seed=seed)
    if name == RANDOM:
        blocks = [learners.BlockConfig(4, hidden=2 * sizes.width, activation="relu")] * sizes.depth
        return learners.InContextTransformer(SHAPE, way, width=sizes.width, blocks=blocks, encoder=encoder, seed=seed)
    if name == "MAML":  # second order costs twice the time of all others together
        return learners.MAML(
            SHAPE, way, encoder=encoder, steps=3, step_size=0.1, first_order=True, divergence="keep", seed=seed
        )
    if name == PIXELS:
        return NearestNeighbor(None, way)
    if name == "MatchNet":  # shares of cosines, at most 1, are never sure of a class
        return learners.MatchNet(SHAPE, way, encoder=encoder, similarity="dot", seed=seed)
    maker: Callable[..., learners.Learner] = {"ProtoNet": learners.ProtoNet, "CNP": learners.CNP}[name]
    return maker(SHAPE, way, encoder=encoder, seed=seed)


def shifted(name: str) -> str:
    """The name of a learner that was trained on alphabets alone."""
    return f"{name}, alphabets only"


def trainings(sizes: Sizes, seed: int) -> dict[tuple[str, int], lab.Training]:
    """Every training of one seed, by name and ways; all learners of a number of ways have the same steps, tasks and encoder."""
    few, many = sizes.ways[0], sizes.ways[-1]
    found = {}

    def train(key: str, name: str, way: int, source: TaskFamily | training.Source) -> None:
        learner, config = fresh_learner(name, sizes, way, seed), plain_config(sizes, way, seed, name == RANDOM)
        title = f"{key}, {way}-way, seed {seed}"
        found[key, way] = lab.Training(title, learner, source, config, training.RandomShots())

    for way in sizes.ways:
        for name in (ICL, *CLASSICAL):
            train(name, name, way, training_family(way))
    train(RANDOM, RANDOM, few, training_family(few))
    for name in SHIFTED:
        train(shifted(name), name, few, training_family(few, alphabets=True))
    train(CURRICULUM, ICL, many, curriculum(sizes))
    found[M2, few] = m2_training(sizes, few, seed)
    return found


def plain_config(sizes: Sizes, way: int, seed: int, random_start: bool = False) -> training.TrainingConfig:
    """Of every training but M2's."""
    adamw, muon = sizes.random_start if random_start else (sizes.learning_rate, sizes.muon_learning_rate)
    return training.TrainingConfig(
        steps=sizes.steps[way],
        tasks_per_step=sizes.tasks_per_step[way],
        n_points=way * (MOST_SHOTS + 1),
        warmup_steps=50,
        seed=seed,
        learning_rate=adamw,
        muon_learning_rate=muon,
    )


def curriculum(sizes: Sizes) -> training.Curriculum:
    """From the fewest ways to the most, with as many tasks per step throughout, so with fewer images at first."""
    few, many = sizes.ways[0], sizes.ways[-1]
    rounds = MOST_SHOTS + 1
    plans: dict[str, training.Plan] = {
        "domains.n_way": training.Stairs(few, many, few, sizes.every),
        "n_points": training.Stairs(rounds * few, rounds * many, rounds * few, sizes.every),
    }
    return training.Curriculum(training_family(many), sizes.tasks_per_step[many] // 2, rounds * many, plans)


def m2_training(sizes: Sizes, way: int, seed: int) -> lab.Training:
    """M2 over scripts: first order, by inner steps on the encoder. A shard has one script."""
    meta = sizes.meta
    n_points = way * (2 * meta.shots + 1)
    source = training.DomainSource(training_family(way).domains, 1, meta.n_tasks, meta.n_tasks, n_points)
    adaptation = learners.GradientAdaptation(
        meta.inner_steps, meta.inner_size, first_order=True, parameters="encoder.*"
    )
    learner = training.Adaptable(fresh_learner(ICL, sizes, way, seed), adaptation)
    objective = training.MetaAdaptation(inner=training.RandomShots(), outer=training.RandomShots(), divergence="skip")
    tasks = meta.n_domains * meta.n_tasks
    plain = plain_config(sizes, way, seed)
    config = replace(plain, steps=meta.steps, tasks_per_step=tasks, shards=meta.n_domains, n_points=n_points)
    cost = sum(p.numel() for p in learner.parameters()) * tasks * (1 + meta.inner_steps)
    return lab.Training(f"{M2}, {way}-way, seed {seed}", learner, source, config, objective, cost=float(cost))
