"""Sizes of the study and what it trains: settings, arms, trainings."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ctxlearn import lab
from ctxlearn.learners import BlockConfig, InContextTransformer
from ctxlearn.tasks import TaskFamily
from ctxlearn.tasks.active import ActivePairwise, UnitRegression
from ctxlearn.training import AllPrefixes, Curriculum, FamilySource, RandomSplit, Source, Stairs, TrainingConfig

FULL, RISING, REVERSED, SHUFFLED = "full", "curriculum", "anti-curriculum", "random order"
ORDERS = {RISING: "rising", REVERSED: "reversed", SHUFFLED: "shuffled"}
INTERLEAVED, CLASSES, SET = "interleaved", "classes", "set"
THRESHOLDS = {INTERLEAVED: 0.4, SET: 0.4, CLASSES: 0.35}
"""Error at the longest context that counts as learned: squared error (the zero predictor has 1), or share of wrong labels."""


@dataclass(frozen=True)
class Setting:
    """A model and its tasks, trained with and without a curriculum."""

    arms: dict[str, int]  # the orders of difficulty that are compared, and trainings of each per seed of the study
    steps: int  # optimiser steps of each: the budget
    keep_every: int  # steps between the weights that are tested


@dataclass(frozen=True)
class Sizes:
    """Sizes of one profile."""

    n_features: int  # d
    n_points: int  # N points per task; the longest context is n = N - 1
    width: int  # of the models
    depth: int  # of the models
    heads: int  # of the models
    tasks_per_step: int  # B
    learning_rate: float  # of AdamW, constant after the warm-up
    rates: tuple[float, ...]  # others at which the two main arms are trained, too
    warmup_steps: int  # in which the rate rises
    start: int  # active inputs at the start of the curriculum
    every: int  # steps for each number of active inputs
    settings: dict[str, Setting]  # by name: "interleaved" (the claim), "set" (its control) and "classes"
    budgets: tuple[int, int]  # steps after which the error is shown against the context length
    long_steps: int  # optimiser steps of the long runs of "interleaved", full and curriculum
    n_long: int  # long runs of each per seed of the study
    n_tasks: int  # test tasks per training seed

    @property
    def curriculum_steps(self) -> int:
        """Steps before full difficulty."""
        return self.every * (self.n_features - self.start)

    @property
    def other_rates(self) -> dict[str, float]:
        """The settings in which the two main arms of "interleaved" are trained at another learning rate."""
        return {f"{INTERLEAVED}, rate {rate:g}": rate for rate in self.rates}

    @property
    def trained(self) -> dict[str, Setting]:
        """All settings, those of other learning rates too."""
        main = self.settings[INTERLEAVED]
        arms = {arm: main.arms[arm] for arm in (FULL, RISING)}
        return self.settings | {name: replace(main, arms=arms) for name in self.other_rates}


PROFILES = {
    "smoke": Sizes(
        n_features=3, n_points=6, width=8, depth=1, heads=1, tasks_per_step=4, learning_rate=1e-3, rates=(3e-4, 3e-3),
        warmup_steps=2, start=1, every=3,
        settings={
            INTERLEAVED: Setting({FULL: 2, RISING: 2, REVERSED: 2, SHUFFLED: 2}, steps=12, keep_every=3),
            SET: Setting({FULL: 2, RISING: 2}, steps=12, keep_every=3),
            CLASSES: Setting({FULL: 2, RISING: 2}, steps=12, keep_every=3),
        },
        budgets=(6, 12), long_steps=24, n_long=1, n_tasks=16,
    ),
    "quick": Sizes(
        n_features=8, n_points=17, width=64, depth=3, heads=2, tasks_per_step=32, learning_rate=1e-3, rates=(3e-4, 3e-3),
        warmup_steps=200, start=2, every=100,
        settings={
            INTERLEAVED: Setting({FULL: 4, RISING: 4, REVERSED: 3, SHUFFLED: 3}, steps=2500, keep_every=100),
            SET: Setting({FULL: 4, RISING: 4}, steps=1200, keep_every=50),
            CLASSES: Setting({FULL: 3, RISING: 3}, steps=2000, keep_every=100),
        },
        budgets=(1500, 2500), long_steps=8000, n_long=1, n_tasks=256,
    ),
    # the network of Garg et al. 2022: 12 layers, 8 heads, width 256, batch 64, 500 k steps; the paper's plan, one more input every
    # 10,000 steps, and its comparison at 200 k and 500 k
    "paper": Sizes(
        n_features=20, n_points=41, width=256, depth=12, heads=8, tasks_per_step=64, learning_rate=1e-4,
        rates=(3e-5, 3e-4), warmup_steps=1000, start=5, every=10_000,
        settings={
            INTERLEAVED: Setting({FULL: 4, RISING: 4, REVERSED: 4, SHUFFLED: 4}, steps=500_000, keep_every=10_000),
            SET: Setting({FULL: 4, RISING: 4}, steps=500_000, keep_every=10_000),
            CLASSES: Setting({FULL: 4, RISING: 4}, steps=500_000, keep_every=10_000),
        },
        budgets=(200_000, 500_000), long_steps=1_000_000, n_long=4, n_tasks=1280,
    ),
}  # fmt: skip
"""What each profile trains and tests."""


def family_of(sizes: Sizes, setting: str) -> TaskFamily:
    """The tasks of full difficulty, on which everything is tested."""
    return (ActivePairwise if setting == CLASSES else UnitRegression)(sizes.n_features)


def training_seeds(sizes: Sizes, setting: str, arm: str, seed: int) -> list[int]:
    """The seeds of the trainings of one arm that belong to one seed of the study: no two seeds of it share one."""
    apart = max(max(s.arms.values()) for s in sizes.settings.values())
    return [apart * seed + k for k in range(sizes.trained[setting].arms[arm])]


def is_long(sizes: Sizes, setting: str, arm: str, k: int) -> bool:
    """Whether the k-th training of an arm goes on to the long budget; up to the short one it is the same."""
    return setting == INTERLEAVED and arm in (FULL, RISING) and k < sizes.n_long


def training(sizes: Sizes, setting: str, arm: str, k: int, own: int) -> lab.Training:
    """The k-th training of an arm, with a seed of its own."""
    one = sizes.trained[setting]
    config = TrainingConfig(
        steps=sizes.long_steps if is_long(sizes, setting, arm, k) else one.steps,
        tasks_per_step=sizes.tasks_per_step,
        n_points=sizes.n_points,
        learning_rate=sizes.other_rates.get(setting, sizes.learning_rate),
        optimizer="adamw",
        schedule="constant",
        warmup_steps=sizes.warmup_steps,
        beta2=0.98,
        shards=1,
        seed=own,
        keep_every=one.keep_every,
    )
    return lab.Training(
        f"{setting}, {arm}, seed {own}",
        learner_of(sizes, setting, own),
        source_of(sizes, setting, arm, own),
        config,
        RandomSplit() if setting == SET else AllPrefixes(),
    )


def learner_of(sizes: Sizes, setting: str, seed: int) -> InContextTransformer:
    """A fresh model: interleaved tokens, causal, with learned positions; or merged tokens that are a set."""
    merged = setting == SET
    return InContextTransformer(
        sizes.n_features,
        2 if setting == CLASSES else None,
        width=sizes.width,
        blocks=[BlockConfig(heads=sizes.heads)] * sizes.depth,
        encoder="identity",
        max_points=sizes.n_points,
        seed=seed,
        tokens="merged" if merged else "interleaved",
        mask="context" if merged else "causal",
        positions="none" if merged else "learned",
    )


def source_of(sizes: Sizes, setting: str, arm: str, seed: int) -> Source:
    """Where an arm's tasks come from. All curricula end at full difficulty after the same tasks in another order."""
    family = family_of(sizes, setting)
    if arm == FULL:
        return FamilySource(family, sizes.tasks_per_step, sizes.n_points)
    plan = Stairs(sizes.start, sizes.n_features, 1, sizes.every, ORDERS[arm], seed)
    return Curriculum(family, sizes.tasks_per_step, sizes.n_points, {"active": plan})
