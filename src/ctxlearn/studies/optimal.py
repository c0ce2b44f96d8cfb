"""Figure 2: does in-context learning find the algorithm that is right for its training distribution?

Refuted by: an in-context model that is worse than the learner made for a family, trained on that family; or one that
falls behind it when trained on the mixture; or classical learners that lose nothing by the mixture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ctxlearn.evaluation.curves import score_prefixes, task_interval
from ctxlearn.evaluation.statistics import mean_interval
from ctxlearn.learners import CNP, InContextTransformer, Learner, MatchNet, ProtoNet
from ctxlearn.references import LogisticRegression, NearestNeighbor
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies.base import Figure, Findings, Section, Study, Table, Workload, count, percent
from ctxlearn.studies.claims import Claim, decide
from ctxlearn.studies.drawing import Curve, draw_accuracy, new_figure
from ctxlearn.studies.real_data import real_data
from ctxlearn.studies.store import Training
from ctxlearn.tasks import Amortization, ClassPrototype, Mixture, PairwiseMetric, TaskFamily
from ctxlearn.training import TrainingConfig

ICL = "InContextTransformer"
PAPER = "MatchNet (paper)"
MIXTURE = "mixture"
FAMILIES: dict[str, TaskFamily] = {f.name: f for f in (PairwiseMetric(), ClassPrototype(), Amortization())}
MADE_FOR = {"pairwise-metric": "MatchNet", "class-prototype": "ProtoNet", "amortization": "CNP"}
HOME = {**{learner: family for family, learner in MADE_FOR.items()}, PAPER: "pairwise-metric"}


@dataclass(frozen=True)
class Settings:
    """Sizes of one profile.

    Attributes:
        icl_steps: steps of the in-context model on one family; three times as many on the mixture.
        classical_steps: likewise of each classical learner.
        n_points: N points a task.
        n_tasks: test tasks per family and seed.
        draws: draws of each real table.
        everywhere: train every classical learner on every family, not on its own and the mixture only.
    """

    icl_steps: int
    classical_steps: int
    n_points: int
    n_tasks: int
    draws: int
    everywhere: bool = False


PROFILES = {
    "smoke": Settings(icl_steps=4, classical_steps=4, n_points=12, n_tasks=40, draws=4),
    "quick": Settings(icl_steps=700, classical_steps=700, n_points=50, n_tasks=2000, draws=250),
    "paper": Settings(
        icl_steps=30_000, classical_steps=30_000, n_points=50, n_tasks=10_000, draws=1000, everywhere=True
    ),
}


def icl_config(settings: Settings, families: int, seed: int) -> TrainingConfig:
    """The in-context model's training: steps in proportion to the families, so that each is seen equally often."""
    return TrainingConfig(
        steps=families * settings.icl_steps,
        tasks_per_step=128,
        n_points=settings.n_points,
        optimizer="muon",
        learning_rate=3e-3,
        muon_learning_rate=0.01,
        warmup_steps=min(100, settings.icl_steps),
        seed=seed,
        checkpoint_every=50,
    )


def classical_config(settings: Settings, families: int, seed: int) -> TrainingConfig:
    """A classical learner's training, of the same number of steps and tasks."""
    return TrainingConfig(
        steps=families * settings.classical_steps,
        tasks_per_step=128,
        n_points=settings.n_points,
        learning_rate=3e-3,
        warmup_steps=min(100, settings.classical_steps),
        seed=seed,
        checkpoint_every=200,
    )


def classical_learner(name: str, seed: int) -> Learner:
    """A fresh classical learner by its name in this study."""
    if name == PAPER:
        return MatchNet(2, 2, attention="sum", seed=seed)
    makers: dict[str, Callable[..., Learner]] = {"MatchNet": MatchNet, "ProtoNet": ProtoNet, "CNP": CNP}
    return makers[name](2, 2, seed=seed)


class Optimal(Study):
    """The paper's central claim."""

    def trainings(self, profile: str, seed: int) -> dict[str, Training]:
        settings = PROFILES[profile]
        sources = {**FAMILIES, MIXTURE: Mixture(list(FAMILIES.values()))}
        found = {}
        for place, source in sources.items():
            families = len(FAMILIES) if place == MIXTURE else 1
            for name in (ICL, *HOME):
                if name != ICL and place not in (HOME[name], MIXTURE) and not settings.everywhere:
                    continue
                learner = InContextTransformer(2, 2, seed=seed) if name == ICL else classical_learner(name, seed)
                config = (icl_config if name == ICL else classical_config)(settings, families, seed)
                # the longest training takes every job at first, so that the others fill the rest evenly
                threads = config.shards if name == ICL and place == MIXTURE else 1
                title = f"{name} on {place}, seed {seed}"
                found[f"{name} on {place}"] = Training(title, learner, source, config, threads=threads)
        return found

    def findings(self, profile: str, learners: Mapping[int, Mapping[str, Learner]], workload: Workload) -> Findings:
        settings = PROFILES[profile]
        scores = Scores.measure(settings, learners, workload)
        claims = decide_claims(scores)
        real = real_data(
            {seed: named[f"{ICL} on {MIXTURE}"] for seed, named in learners.items()}, settings.draws, settings.n_points
        )
        return Findings(
            title="Does in-context learning find the right learning algorithm?",
            asked="A transformer reads a few labelled points and answers for new ones; nothing in it is retrained. Is it, "
            "after training on a kind of task, at least as good as the meta-learner designed for that kind? And when it "
            "is trained on a mixture of three kinds, does it stay so, while each classical meta-learner loses?",
            found=_headline(claims, scores) + " " + real.headline,
            sure=f"{count(settings.n_tasks, 'new test task')} per family and seed, {count(len(learners), 'training seed')}."
            + (" With one seed every sentence is about these trained models, not about training in general;"
               " --seeds 3 adds that." if len(learners) == 1 else " Bounds include the variation between seeds.")
            + " One model size, two features, two classes."
            + (" The smoke profile only shows that everything runs: its numbers mean nothing." if profile == "smoke" else ""),
            claims=claims,
            results=scores.results(),
            sections=[_figure_section(scores), real.section],
            tables={"real_data": real.table},
        )  # fmt: skip


@dataclass(frozen=True)
class Scores:
    """Accuracy per task and context length of every learner that was measured.

    Attributes:
        values: (learner, trained on, family) -> (S, T, N); references are trained on "".
        n_seeds: S.
    """

    values: dict[tuple[str, str, str], np.ndarray]
    n_seeds: int

    @classmethod
    def measure(cls, settings: Settings, learners: Mapping[int, Mapping[str, Learner]], workload: Workload) -> Scores:
        """Score each learner where a claim or the figure needs it, on the same tasks for all, other tasks each seed."""
        parts: dict[tuple[str, str, str], list[np.ndarray]] = {}
        for seed, named in learners.items():
            for place, family in FAMILIES.items():
                generator = generator_for(seed, Stream.TEST)
                tasks = family.sample(settings.n_tasks, settings.n_points, generator=generator)
                wanted = {
                    ("NearestNeighbor", ""): NearestNeighbor(2, 2),
                    ("LogisticRegression", ""): LogisticRegression(2, 2),
                }
                for key, learner in named.items():
                    name, trained_on = key.split(" on ")
                    if name != ICL or trained_on in (place, MIXTURE):
                        wanted[name, trained_on] = learner
                for (name, trained_on), learner in wanted.items():
                    title = f"{name} on {place}"
                    scored = score_prefixes(
                        learner, tasks, name=title, threads=workload.threads, progress=workload.progress
                    )
                    parts.setdefault((name, trained_on, place), []).append(scored)
        return cls({key: np.stack(part) for key, part in parts.items()}, len(learners))

    def per_task(self, learner: str, trained_on: str, family: str) -> np.ndarray:
        """(S, T) accuracy in % of each task, averaged over the context lengths 1..N-1."""
        return np.asarray(100 * self.values[learner, trained_on, family][..., 1:].mean(-1))

    def curve(self, learner: str, trained_on: str, family: str) -> Curve:
        """Accuracy at each length: over tasks for one seed, over the seeds' means for several."""
        values = self.values[learner, trained_on, family]
        if self.n_seeds == 1:
            return Curve(values[0].mean(0), *task_interval(values[0], bounded=True))
        low, high = task_interval(values.mean(1), bounded=False)
        return Curve(values.mean((0, 1)), low, high)

    def results(self) -> pd.DataFrame:
        """The tidy table: one row a learner, family, context length and seed."""
        rows = []
        for (learner, trained_on, family), values in self.values.items():
            for seed, part in enumerate(values):
                low, high = task_interval(part, bounded=True)
                columns = {"learner": learner, "trained_on": trained_on, "family": family}
                rows.append(
                    pd.DataFrame(
                        {
                            **columns,
                            "n_context": np.arange(part.shape[1]),
                            "seed": seed,
                            "mean": part.mean(0),
                            "low": low,
                            "high": high,
                            "n_tasks": len(part),
                        }
                    )
                )
        return pd.concat(rows, ignore_index=True)


def decide_claims(scores: Scores) -> list[Claim]:
    """Every claim of the study, by group."""
    unit = "points of accuracy, mean over n >= 1, same tasks"
    claims = []
    rivals = [*MADE_FOR.items(), ("pairwise-metric", PAPER)]
    for group, trained_on, words in (
        ("single-family", None, "trained on the same family alone"),
        ("mixture", MIXTURE, "trained on the mixture"),
    ):
        for family, rival in rivals:
            theirs = scores.per_task(rival, family, family)
            ours = scores.per_task(ICL, trained_on or family, family)
            suffix = "-paper-matchnet" if rival == PAPER else ""
            claims.append(
                decide(
                    f"icl-{group}-at-least-{family}{suffix}",
                    f"The in-context model {words} is at least as good on {family} tasks as {rival} trained on them alone",
                    f"in-context model minus {rival}, {unit}",
                    ours - theirs,
                    together=len(rivals),
                    group=group,
                )
            )
    for rival, family in HOME.items():
        lost = scores.per_task(rival, family, family) - scores.per_task(rival, MIXTURE, family)
        claims.append(
            decide(
                f"{slug(rival)}-loses-by-mixture",
                f"{rival} trained on the mixture is worse on {family} tasks than {rival} trained on them alone",
                f"{rival} trained on the family minus {rival} trained on the mixture, {unit}",
                lost,
                together=len(HOME),
                group="classical-loss",
            )
        )
    for family in FAMILIES:
        lost = scores.per_task(ICL, family, family) - scores.per_task(ICL, MIXTURE, family)
        claims.append(
            decide(
                f"icl-keeps-{family}",
                f"The in-context model loses less than 1 point on {family} tasks by training on the mixture",
                f"in-context model trained on the family minus the one trained on the mixture, {unit}",
                lost,
                threshold=1.0,
                better="below",
                together=len(FAMILIES),
                group="icl-keeps",
            )
        )
    for rival, home in HOME.items():
        away = [family for family in FAMILIES if family != home]
        lost = np.stack([scores.per_task(MADE_FOR[f], f, f) - scores.per_task(rival, home, f) for f in away]).mean(0)
        claims.append(
            decide(
                f"{slug(rival)}-loses-off-family",
                f"{rival} trained on {home} tasks is worse on the other two families than the learners made for them",
                f"learner made for the family minus {rival}, mean over {' and '.join(away)}, {unit}",
                lost,
                together=len(HOME),
                group="off-family",
            )
        )
    return claims


def slug(name: str) -> str:
    """A learner's name for an id."""
    return name.lower().replace(" (paper)", "-paper")


def _headline(claims: list[Claim], scores: Scores) -> str:
    def tally(group: str) -> str:
        part = [c for c in claims if c.group == group]
        held = sum(c.verdict == "holds" for c in part)
        return "all" if held == len(part) else f"{held} of {len(part)}"

    mixed = ", ".join(f"{scores.per_task(ICL, MIXTURE, family).mean():.1f} % on {family}" for family in FAMILIES)
    return (
        f"Trained on one family, it is at least as good as the learner made for it in {tally('single-family')} comparisons;"
        f" trained on the mixture, in {tally('mixture')} ({mixed}, averaged over context lengths)."
        f" Classical learners lose by the mixture in {tally('classical-loss')} cases and away from home in"
        f" {tally('off-family')}."
    )


def _figure_section(scores: Scores) -> Section:
    figures = []
    for family in FAMILIES:
        figure, axes = new_figure(2, 1, width=4.6, height=7.4)
        matched = [name for name, home in HOME.items() if home == family]
        references = {name: scores.curve(name, "", family) for name in ("LogisticRegression", "NearestNeighbor")}
        above = {name: scores.curve(name, family, family) for name in (*matched, ICL)}
        below = {name: scores.curve(name, MIXTURE, family) for name in (*HOME, ICL)}
        for axis, curves, title in (
            (axes[0][0], above, f"{family} tasks\ntrained on this family alone"),
            (axes[1][0], below, f"{family} tasks\ntrained on the mixture of three families"),
        ):
            draw_accuracy(axis, {**references, **curves}, title=title, chance=0.5, bold=(ICL,))
            axis.set_ylim(47, 101)
            axis.legend(loc="lower right", fontsize=8)
        best = percent(float(scores.values[ICL, MIXTURE, family][..., 1:].mean()))
        figures.append(
            Figure(
                f"accuracy-{family}",
                figure,
                f"{family}: above, learners trained on this family alone; below, trained on the mixture. Bands: 95 % intervals.",
                f"Two charts of accuracy against context length on {family} tasks. Trained on the mixture, the in-context"
                f" model averages {best} percent, against chance at 50 percent.",
            )
        )
    columns = ["learner", "trained on", *FAMILIES]
    rows = []
    for learner, trained_on in dict.fromkeys((k[0], k[1]) for k in scores.values):
        row = [learner, trained_on or "nothing (no parameters)"]
        for family in FAMILIES:
            if (learner, trained_on, family) in scores.values:
                interval = mean_interval(scores.per_task(learner, trained_on, family))
                row.append(f"{interval.value:.2f} ({interval.low:.2f} to {interval.high:.2f})")
            else:
                row.append("not measured")
        rows.append(row)
    return Section(
        "Accuracy against the number of labelled points",
        [
            "Every learner predicts point n + 1 of a task from its first n points. The learner made for a family encodes that"
            " family's rule: MatchNet compares with each labelled point, ProtoNet with each class's mean, CNP with one"
            " average of the context. 1-nearest neighbour and logistic regression have no trained parameters.",
            "The paper's variant of MatchNet sums cosine similarities where the textbook one takes a softmax over the points.",
        ],
        figures,
        [Table("Accuracy in %, mean over context lengths from 1 on, with 95 % interval", columns, rows)],
    )


STUDY = Optimal()
