"""How many distinct tasks must be seen before memorising turns into learning?

Refuted by: a model trained on few tasks that answers unseen ones as the prior's Bayes predictor does, or one trained on
many that still answers as if they came from its pool.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
    """Sizes of one profile.

    Attributes:
        n_features: d of the regression tasks.
        n_points: N points per task.
        noise: standard deviation of the label noise.
        exponents: pools of 2^k tasks.
        steps: optimiser steps of each arm.
        tasks_per_step: B.
        width: of the model.
        depth: of the model.
        n_tasks: test tasks, seen and unseen, per seed.
    """

    n_features: int
    n_points: int
    noise: float
    exponents: tuple[int, ...]
    steps: int
    tasks_per_step: int
    width: int
    depth: int
    n_tasks: int


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
    """The page."""
    decided = claims(sizes, numbers)
    error, gap = errors(sizes, numbers), distances(sizes, numbers)
    results = error.frame("learner", "trained_on", "family")
    results["family"] = "linear-regression, " + results["family"]
    return lab.Page(
        title="How many tasks turn memorising into learning?",
        asked="A model trained on few distinct tasks can learn them by heart, and answer a new task as if it were one of them; or it "
        "can learn to learn, and answer new tasks as well as old ones. Which does it do, for pools of "
        f"{', '.join(f'2^{k}' for k in sizes.exponents)} tasks and without limit?",
        found=f"{_turn(sizes, gap)} {lab.tally(decided)}",
        sure=f"{lab.count(sizes.n_tasks, 'test task')} seen and as many unseen per seed. {_about_seeds(numbers.seeds)} "
        "One model size and one training length: with more steps, more is memorised.",
        claims=decided,
        results=results.assign(distance_of_model=gap.frame("learner", "trained_on", "family")["mean"]),
        sections=[_section(sizes, error, gap)],
    )


def _about_seeds(seeds: int) -> str:
    if seeds == 1:
        return "One training seed with one pool of each size: intervals are over test tasks and speak of these models and pools alone."
    return f"{seeds} training seeds, each with pools of its own: intervals are over seeds and pools."


def _turn(sizes: Sizes, gap: lab.Samples) -> str:
    """Where the model's answers to unseen tasks come nearer to the prior's Bayes than to the pool's."""
    for arm in (f"2^{k}" for k in sizes.exponents):
        if gap[PRIOR, arm, "unseen"].mean() < gap[MEMORY, arm, "unseen"].mean():
            return f"From {arm} tasks on the model answers unseen tasks more like the prior's Bayes predictor than like its pool's."
    return "For every pool tried the model answers unseen tasks more like its pool's Bayes predictor than like the prior's."


def _section(sizes: Sizes, error: lab.Samples, gap: lab.Samples) -> lab.Section:
    arms = [*(f"2^{k}" for k in sizes.exponents), UNLIMITED]
    table = lab.interval_rows(error.intervals(), "learner pool kind")
    figure, axes = lab.grid(1, 3, width=10.5, height=3.7)
    for axis, kind in zip(axes[0], KINDS, strict=False):
        lab.draw_lines(axis, table[table["kind"] == kind], x="pool", by="learner", styles=STYLES)
        lab.draw_levels(axis, {"chance": 1 + sizes.noise**2 / sizes.n_features})
        axis.set_title(f"{kind} tasks", loc="left", fontsize=10)
        axis.set_ylabel("squared error / d, mean over n >= 1")
    lab.shared_legend(figure, axes[0][0], 4)
    from_bayes = {
        key: found.interval() for key, found in gap.items() if key[0] != MODEL and key[1:] == (key[1], "unseen")
    }
    table = lab.interval_rows(from_bayes, "learner pool kind")
    lab.draw_lines(axes[0][2], table[table["pool"] != UNLIMITED], x="pool", by="learner", styles=STYLES, spread="none")
    axes[0][2].set_title("the model's distance, unseen tasks", loc="left", fontsize=10)
    axes[0][2].set_ylabel("squared difference / d")
    for axis in axes[0]:
        axis.set_xlabel("distinct training tasks")
        axis.set_yscale("log")
    rows = [
        [
            f"{arm}, {kind}",
            *(f"{error[n, arm, kind].mean():.4f}" if (n, arm, kind) in error else "none" for n in STYLES),
        ]
        for arm in arms
        for kind in KINDS
    ]
    return lab.Section(
        "Memorising against learning",
        [
            f"Tasks are noisy linear regressions, d = {sizes.n_features}, noise {sizes.noise:g}, N = {sizes.n_points}. A pool's Bayes"
            " predictor knows its tasks by heart and weighs them by how well they fit the context; the prior's is ridge"
            " regression with the right penalty. On its own tasks the first is the best possible, on new tasks the second.",
        ],
        [
            lab.Figure(
                "diversity",
                figure,
                "Left and middle: error on tasks of the pool and on new ones; chance: answer 0. Right: which Bayes predictor the model"
                " resembles on new tasks.",
                "Three charts against the number of distinct training tasks; the table below has the numbers.",
            )
        ],
        [lab.Table("Squared error / d, mean over n >= 1", ["trained on, tested on", *STYLES], rows)],
    )


STUDY = lab.Study("diversity", PROFILES, plan, present)
