"""How many distinct tasks must be seen before memorising turns into learning?

Refuted by: a model trained on few tasks that answers unseen ones as the prior's Bayes predictor does, or one trained on
many that still answers as if they came from its pool.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ctxlearn.evaluation.curves import answer_prefixes
from ctxlearn.evaluation.statistics import mean_interval
from ctxlearn.learners import BlockConfig, InContextTransformer, Learner
from ctxlearn.references import LinearGaussian, LinearPool
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies.base import Figure, Findings, Section, Study, Table, Workload, count
from ctxlearn.studies.claims import Claim, decide, tally
from ctxlearn.studies.drawing import new_figure, shared_legend
from ctxlearn.studies.store import Training
from ctxlearn.tasks import LinearRegression, Pool, TaskFamily
from ctxlearn.training import TrainingConfig

UNLIMITED = "unlimited"
MODEL, PRIOR, MEMORY = "in-context model", "Bayes of the prior (ridge)", "Bayes of the pool"


@dataclass(frozen=True)
class Settings:
    """Sizes of one profile.

    Attributes:
        n_features: d of the regression tasks.
        n_points: N points a task.
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
    "smoke": Settings(2, 6, 0.5, (2, 4), 4, 16, 16, 1, 40),
    "quick": Settings(4, 12, 0.5, (2, 4, 6, 8, 10), 2500, 128, 64, 4, 2000),
    # Raventos et al. 2023: D = 8, K = 16, noise variance .25; the turn lies between 2^14 and 2^15
    "paper": Settings(8, 16, 0.5, (4, 6, 8, 10, 12, 13, 14, 15, 16, 18, 20), 500_000, 256, 128, 8, 10_000),
}


class Diversity(Study):
    """Memorising against learning (asked by the paper's reviewers)."""

    def trainings(self, profile: str, seed: int) -> dict[str, Training]:
        settings = PROFILES[profile]
        found = {}
        for name, source in sources(settings).items():
            learner = InContextTransformer(
                settings.n_features,
                None,
                width=settings.width,
                blocks=[BlockConfig(heads=2, hidden=2 * settings.width, activation="relu")] * settings.depth,
                encoder="identity",
                seed=seed,
            )
            config = TrainingConfig(
                steps=settings.steps, tasks_per_step=settings.tasks_per_step, n_points=settings.n_points, seed=seed
            )
            found[name] = Training(f"{name} tasks, seed {seed}", learner, source, config)
        return found

    def findings(self, profile: str, learners: Mapping[int, Mapping[str, Learner]], workload: Workload) -> Findings:
        settings = PROFILES[profile]
        measured = measure(settings, learners, workload)
        claims = decide_claims(settings, measured)
        return Findings(
            title="How many tasks turn memorising into learning?",
            asked="A model trained on few distinct tasks can learn them by heart, and answer a new task as if it were one of them; or it "
            "can learn to learn, and answer new tasks as well as old ones. Which does it do, for pools of "
            f"{', '.join(f'2^{k}' for k in settings.exponents)} tasks and without limit?",
            found=f"{_turn(settings, measured)} {tally(claims)}",
            sure=f"{count(settings.n_tasks, 'test task')} seen and as many unseen per seed, {count(len(learners), 'training seed')}; one model "
            "size and one training length: with more steps, more is memorised.",
            claims=claims,
            results=results(measured),
            sections=[_section(settings, measured)],
        )


def family_of(settings: Settings) -> LinearRegression:
    """The prior over tasks."""
    return LinearRegression(settings.n_features, noise=settings.noise)


def sources(settings: Settings) -> dict[str, TaskFamily]:
    """The training distributions: pools of growing size, the small ones inside the large ones, and the prior."""
    family = family_of(settings)
    pools: dict[str, TaskFamily] = {f"2^{k}": Pool(family, 2**k) for k in settings.exponents}
    return {**pools, UNLIMITED: family}


@dataclass(frozen=True)
class Measured:
    """Per arm, "seen" or "unseen" tasks, and predictor: per-task means over n >= 1, (S, T).

    Attributes:
        error: squared error / d, of the model and of each Bayes predictor.
        distance: squared difference / d of the model's predictions from each Bayes predictor's.
    """

    error: dict[tuple[str, str, str], np.ndarray]
    distance: dict[tuple[str, str, str], np.ndarray]


def measure(settings: Settings, learners: Mapping[int, Mapping[str, Learner]], workload: Workload) -> Measured:
    """Errors and distances of every arm on tasks of its pool and on new ones."""
    family, arms = family_of(settings), sources(settings)
    errors: dict[tuple[str, str, str], list[np.ndarray]] = {}
    distances: dict[tuple[str, str, str], list[np.ndarray]] = {}
    for seed, named in learners.items():
        for arm, source in arms.items():
            predictors: dict[str, Learner] = {
                MODEL: named[arm],
                PRIOR: LinearGaussian(0.0, 1.0, settings.noise, settings.n_features),
            }
            if isinstance(source, Pool):
                predictors[MEMORY] = LinearPool(source.parameters["weights"], settings.noise)
            for kind, origin in (("seen", source), ("unseen", family)):
                tasks = origin.sample(settings.n_tasks, settings.n_points, generator=generator_for(seed, Stream.TEST))
                answers = {
                    name: answer_prefixes(
                        learner, tasks, name=f"{name}, {arm}", threads=workload.threads, progress=workload.progress
                    )
                    for name, learner in predictors.items()
                }
                for name, answer in answers.items():
                    error = ((answer - tasks.y).square()[:, 1:].double().mean(1) / settings.n_features).numpy()
                    errors.setdefault((arm, kind, name), []).append(error)
                    gap = ((answer - answers[MODEL]).square()[:, 1:].double().mean(1) / settings.n_features).numpy()
                    distances.setdefault((arm, kind, name), []).append(gap)
    return Measured({k: np.stack(v) for k, v in errors.items()}, {k: np.stack(v) for k, v in distances.items()})


def decide_claims(settings: Settings, measured: Measured) -> list[Claim]:
    """Every claim of the study."""
    few, many = f"2^{settings.exponents[0]}", f"2^{settings.exponents[-1]}"
    unit = "squared error / d, mean over n >= 1"
    gap, error = measured.distance, measured.error
    return [
        decide(
            "few-tasks-are-memorised",
            f"Trained on {few} tasks, the model answers unseen tasks more like the pool's Bayes predictor than like the prior's",
            "squared distance to the prior's Bayes minus to the pool's, over d, mean over n >= 1, unseen tasks",
            gap[few, "unseen", PRIOR] - gap[few, "unseen", MEMORY],
            group="diversity",
            together=4,
        ),
        decide(
            "many-tasks-are-learned",
            f"Trained on {many} tasks, the model answers unseen tasks more like the prior's Bayes predictor than like the pool's",
            "squared distance to the pool's Bayes minus to the prior's, over d, mean over n >= 1, unseen tasks",
            gap[many, "unseen", MEMORY] - gap[many, "unseen", PRIOR],
            group="diversity",
            together=4,
        ),
        decide(
            "memory-helps-on-seen-tasks",
            f"Trained on {few} tasks, the model beats the prior's Bayes predictor on those tasks",
            f"prior's Bayes minus model, {unit}, seen tasks",
            error[few, "seen", PRIOR] - error[few, "seen", MODEL],
            group="diversity",
            together=4,
        ),
        decide(
            "unlimited-tasks-reach-bayes",
            "Trained on tasks without limit, the model's error is within 10 % of the smallest possible one",
            f"model minus 1.1 times the prior's Bayes, {unit}",
            error[UNLIMITED, "unseen", MODEL] - 1.1 * error[UNLIMITED, "unseen", PRIOR],
            better="below",
            group="diversity",
            together=4,
        ),
    ]


def results(measured: Measured) -> pd.DataFrame:
    """One row an arm, kind of task, predictor and seed."""
    rows = []
    for (arm, kind, name), values in measured.error.items():
        for seed, part in enumerate(values):
            interval = mean_interval(part)
            rows.append(
                {
                    "learner": name,
                    "trained_on": arm,
                    "family": f"linear-regression, {kind}",
                    "n_context": -1,
                    "seed": seed,
                    "mean": interval.value,
                    "low": interval.low,
                    "high": interval.high,
                    "n_tasks": interval.n_tasks,
                    "distance_of_model": float(measured.distance[arm, kind, name][seed].mean()),
                }
            )
    return pd.DataFrame(rows)


def _turn(settings: Settings, measured: Measured) -> str:
    """Where the model's answers to unseen tasks come nearer to the prior's Bayes than to the pool's."""
    for k in settings.exponents:
        arm = f"2^{k}"
        if measured.distance[arm, "unseen", PRIOR].mean() < measured.distance[arm, "unseen", MEMORY].mean():
            return f"From 2^{k} tasks on the model answers unseen tasks more like the prior's Bayes predictor than like its pool's."
    return "For every pool tried the model answers unseen tasks more like its pool's Bayes predictor than like the prior's."


def _section(settings: Settings, measured: Measured) -> Section:
    arms = [f"2^{k}" for k in settings.exponents]
    places = np.arange(len(arms) + 1)
    figure, axes = new_figure(1, 3, width=10.5, height=3.7)
    styles = {MODEL: ("#0072B2", "o-"), PRIOR: ("#000000", "--"), MEMORY: ("#D55E00", ":")}
    for axis, kind in zip(axes[0][:2], ("seen", "unseen"), strict=True):
        for name, (colour, style) in styles.items():
            shown = [
                mean_interval(measured.error[arm, kind, name])
                for arm in [*arms, UNLIMITED]
                if (arm, kind, name) in measured.error
            ]
            axis.plot(places[: len(shown)], [i.value for i in shown], style, color=colour, label=name)
            axis.fill_between(
                places[: len(shown)],
                [i.low for i in shown],
                [i.high for i in shown],
                color=colour,
                alpha=0.2,
                linewidth=0,
            )
        axis.axhline(
            1 + settings.noise**2 / settings.n_features,
            color="#999999",
            linestyle=(0, (1, 3)),
            label="chance: answer 0",
        )
        axis.set_title(f"{kind} tasks", loc="left", fontsize=10)
        axis.set_ylabel("squared error / d, mean over n >= 1")
    shared_legend(figure, axes[0][0], 4)
    for name, words in ((PRIOR, "from Bayes of the prior"), (MEMORY, "from Bayes of the pool")):
        shown = [mean_interval(measured.distance[arm, "unseen", name]) for arm in arms]
        axes[0][2].plot(places[:-1], [i.value for i in shown], styles[name][1], color=styles[name][0], label=words)
    axes[0][2].set_title("the model's distance, unseen tasks", loc="left", fontsize=10)
    axes[0][2].set_ylabel("squared difference / d")
    axes[0][2].legend(fontsize=7)
    for axis in axes[0]:
        axis.set_xticks(places, [*(f"$2^{{{k}}}$" for k in settings.exponents), "no\nlimit"])
        axis.set_xlabel("distinct training tasks")
        axis.set_yscale("log")
    rows = [
        [f"{arm}, {kind}"]
        + [
            f"{measured.error[arm, kind, name].mean():.4f}" if (arm, kind, name) in measured.error else "none"
            for name in styles
        ]
        for arm in [*arms, UNLIMITED]
        for kind in ("seen", "unseen")
    ]
    return Section(
        "Memorising against learning",
        [
            f"Tasks are noisy linear regressions, d = {settings.n_features}, noise {settings.noise:g}, N = {settings.n_points}. A pool's Bayes"
            " predictor knows its tasks by heart and weighs them by how well they fit the context; the prior's is ridge"
            " regression with the right penalty. On its own tasks the first is the best possible, on new tasks the second.",
        ],
        [
            Figure(
                "diversity",
                figure,
                "Left and middle: error on tasks of the pool and on new ones. Right: which Bayes predictor the model resembles on new tasks.",
                "Three charts against the number of distinct training tasks; the table below has the numbers.",
            )
        ],
        [Table("Squared error / d, mean over n >= 1", ["trained on, tested on", *styles], rows)],
    )


STUDY = Diversity()
