"""How many distinct tasks must be seen before memorising turns into learning?

Refuted by: a model trained on few tasks that answers unseen ones as the prior's Bayes predictor does, or one trained on
many that still answers as if they came from its pool.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ctxlearn import lab
from ctxlearn.learners import BlockConfig, InContextTransformer
from ctxlearn.references import LinearGaussian, LinearPool
from ctxlearn.tasks import LinearRegression, Pool, TaskFamily
from ctxlearn.training import TrainingConfig

UNLIMITED = "unlimited"
KINDS = ("seen", "unseen")
MODEL, PRIOR, MEMORY = "in-context model", "Bayes of the prior (ridge)", "Bayes of the pool"
STYLES = {MODEL: lab.Style(lab.BLUE, marker="o"), PRIOR: lab.Style(lab.BLACK, "--"), MEMORY: lab.Style(lab.ORANGE, ":")}


@dataclass(frozen=True)
class Sizes:
    """Sizes of one profile."""

    n_features: int  # d of the regression tasks
    n_points: int  # N points per task
    noise: float  # standard deviation of the label noise
    exponents: tuple[int, ...]  # pools of 2^k tasks
    steps: int  # optimiser steps of each arm
    tasks_per_step: int  # B
    width: int  # of the model
    depth: int  # of the model
    n_tasks: int  # test tasks, seen and unseen, per seed


PROFILES = {
    "smoke": Sizes(2, 6, 0.5, (2, 4), 4, 16, 16, 1, 40),
    "quick": Sizes(4, 12, 0.5, (2, 4, 6, 8, 10), 2500, 128, 64, 4, 2000),
    # Raventos et al. 2023: D = 8, K = 16, noise variance .25; the turn lies between 2^14 and 2^15
    "paper": Sizes(8, 16, 0.5, (4, 6, 8, 10, 12, 13, 14, 15, 16, 18, 20), 500_000, 256, 128, 8, 10_000),
}


def sources(sizes: Sizes, seed: int) -> dict[str, TaskFamily]:
    """The training distributions of a seed: its own pools, the small ones inside the large ones, and the prior."""
    prior = LinearRegression(sizes.n_features, noise=sizes.noise)
    pools: dict[str, TaskFamily] = {f"2^{k}": Pool(prior, 2**k, seed) for k in sizes.exponents}
    return {**pools, UNLIMITED: prior}


def training(sizes: Sizes, arm: str, source: TaskFamily, seed: int) -> lab.Training:
    """The model of one arm."""
    blocks = [BlockConfig(heads=2, hidden=2 * sizes.width, activation="relu")] * sizes.depth
    learner = InContextTransformer(
        sizes.n_features, None, width=sizes.width, blocks=blocks, encoder="identity", seed=seed
    )
    config = TrainingConfig(steps=sizes.steps, tasks_per_step=sizes.tasks_per_step, n_points=sizes.n_points, seed=seed)
    return lab.Training(f"{arm} tasks, seed {seed}", learner, source, config)


def memory(pool: Pool, noise: float) -> LinearPool:
    """The Bayes predictor that knows the tasks of a pool by heart."""
    return LinearPool(pool.parameters["weights"], noise)


def plan(sizes: Sizes, seed: int) -> list[lab.Cell]:
    """Every arm with its Bayes predictors, on tasks of its pool and on new ones."""
    arms = sources(sizes, seed)
    cells = []
    for arm, source in arms.items():
        contestants = {
            MODEL: training(sizes, arm, source, seed),
            PRIOR: LinearGaussian(0.0, 1.0, sizes.noise, sizes.n_features),
        }
        if arm != UNLIMITED:
            contestants[MEMORY] = lab.call(memory, source, sizes.noise)
        for kind, family in zip(KINDS, (source, arms[UNLIMITED]), strict=True):
            measures = (lab.score, lab.answer)
            cells.append(
                lab.Cell((arm, kind), family, contestants, seed, sizes.n_tasks, sizes.n_points, measures=measures)
            )
    return cells


def errors(sizes: Sizes, numbers: lab.Numbers) -> lab.Samples:
    """By predictor, arm and kind of task: squared error / d, mean over n >= 1."""
    return numbers["score"].map(lambda found: found.averaged() / sizes.n_features)


def distances(sizes: Sizes, numbers: lab.Numbers) -> lab.Samples:
    """By predictor, arm and kind of task: squared difference / d of its answers from the model's, mean over n >= 1."""
    answers = numbers["answer"]
    gaps = {key: answers[key] - answers[MODEL, *key[1:]] for key in answers}
    return lab.Samples({key: gap.apply(np.square).averaged() / sizes.n_features for key, gap in gaps.items()})


def claims(sizes: Sizes, numbers: lab.Numbers) -> list[lab.Claim]:
    """Every claim of the study."""
    few, many = f"2^{sizes.exponents[0]}", f"2^{sizes.exponents[-1]}"
    error, gap = errors(sizes, numbers), distances(sizes, numbers)
    unit = "mean over n >= 1, each seed with pools of its own"
    return lab.together(
        "diversity",
        [
            lab.Says(
                "few-tasks-are-memorised",
                f"Trained on {few} tasks, the model answers unseen tasks more like the pool's Bayes predictor than like the prior's",
                f"squared distance to the prior's Bayes minus to the pool's, over d, {unit}, unseen tasks",
                gap[PRIOR, few, "unseen"] - gap[MEMORY, few, "unseen"],
            ),
            lab.Says(
                "many-tasks-are-learned",
                f"Trained on {many} tasks, the model answers unseen tasks more like the prior's Bayes predictor than like the pool's",
                f"squared distance to the pool's Bayes minus to the prior's, over d, {unit}, unseen tasks",
                gap[MEMORY, many, "unseen"] - gap[PRIOR, many, "unseen"],
            ),
            lab.Says(
                "memory-helps-on-seen-tasks",
                f"Trained on {few} tasks, the model beats the prior's Bayes predictor on those tasks",
                f"prior's Bayes minus model, squared error / d, {unit}, seen tasks",
                error[PRIOR, few, "seen"] - error[MODEL, few, "seen"],
            ),
            lab.Says(
                "unlimited-tasks-reach-bayes",
                "Trained on tasks without limit, the model's error is within 10 % of the smallest possible one",
                "model minus 1.1 times the prior's Bayes, squared error / d, mean over n >= 1",
                error[MODEL, UNLIMITED, "unseen"] - 1.1 * error[PRIOR, UNLIMITED, "unseen"],
                better="below",
            ),
        ],
    )


def present(sizes: Sizes, numbers: lab.Numbers) -> lab.Page:
    """The page; its words are in `diversity.md`."""
    error, gap = errors(sizes, numbers), distances(sizes, numbers)
    pools = [f"2^{k}" for k in sizes.exponents]
    axes = ("learner", "trained_on", "family")
    results = error.frame(*axes).assign(distance_of_model=gap.frame(*axes)["mean"])
    results["family"] = "linear-regression, " + results["family"]
    return lab.page_from_template(
        Path(__file__).with_suffix(".md"),
        claims(sizes, numbers),
        results,
        figures={"diversity": draw(sizes, error, gap)},
        tables={"errors": [_row(error, arm, kind) for arm in (*pools, UNLIMITED) for kind in KINDS]},
        values={
            "sizes": sizes,
            "seeds": numbers.seeds,
            "pools": pools,
            # where the model's answers to unseen tasks come nearer to the prior's Bayes than to the pool's
            "turn": next((p for p in pools if gap[PRIOR, p, "unseen"].mean() < gap[MEMORY, p, "unseen"].mean()), None),
        },
    )


def _row(error: lab.Samples, arm: str, kind: str) -> dict[str, str]:
    cells = {n: f"{error[n, arm, kind].mean():.4f}" if (n, arm, kind) in error else "none" for n in STYLES}
    return {"trained on, tested on": f"{arm}, {kind}", **cells}


def draw(sizes: Sizes, error: lab.Samples, gap: lab.Samples) -> Figure:
    """Errors on seen and unseen tasks, and which Bayes predictor the model resembles, against the size of the pool."""
    figure, (axes,) = lab.grid(1, 3, width=10.5, height=3.7)
    for axis, kind in zip(axes, KINDS, strict=False):
        table = lab.interval_rows(error.part(None, None, kind), "learner pool")
        lab.draw_lines(axis, table, x="pool", by="learner", styles=STYLES)
        lab.draw_levels(axis, {"chance": 1 + sizes.noise**2 / sizes.n_features})
        axis.set_title(f"{kind} tasks", loc="left", fontsize=10)
        axis.set_ylabel("squared error / d, mean over n >= 1")
    lab.shared_legend(figure, axes[0], 4)
    table = lab.interval_rows(gap.part(None, None, "unseen"), "learner pool")
    table = table[(table["learner"] != MODEL) & (table["pool"] != UNLIMITED)]
    lab.draw_lines(axes[2], table, x="pool", by="learner", styles=STYLES, spread="none")
    axes[2].set_title("the model's distance, unseen tasks", loc="left", fontsize=10)
    axes[2].set_ylabel("squared difference / d")
    for axis in axes:
        axis.set_xlabel("distinct training tasks")
        axis.set_yscale("log")
    return figure


STUDY = lab.Study("diversity", PROFILES, plan, present)
