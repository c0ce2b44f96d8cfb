"""Figure 2: does in-context learning find the algorithm that is right for its training distribution?

Refuted by: an in-context model that is worse than the learner made for a family, trained on that family; or one that
falls behind it when trained on the mixture; or classical learners that lose nothing by the mixture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from ctxlearn.evaluation.curves import score_prefixes
from ctxlearn.learners import Learner
from ctxlearn.references import BayesOptimal, LogisticRegression, NearestNeighbor
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies.arms import (
    BAYES_FAMILY,
    BAYES_MIXTURE,
    CAUSAL,
    FAMILIES,
    GRADIENT,
    HOME,
    ICL,
    MADE_FOR,
    MIXTURE,
    PAPER,
    REGRET,
    causal_learner,
    classical_learner,
    icl_learner,
    mixture,
)
from ctxlearn.studies.base import Findings, Study, Workload, count
from ctxlearn.studies.claims import Claim, decide
from ctxlearn.studies.optimal.page import figure_section, headline, regret_section
from ctxlearn.studies.optimal.real_data import real_data
from ctxlearn.studies.scores import Scores
from ctxlearn.studies.store import Training
from ctxlearn.training import AllPrefixes, TrainingConfig


@dataclass(frozen=True)
class Settings:
    """Sizes of one profile.

    Attributes:
        icl_steps: steps of the in-context model on one family; three times as many on the mixture.
        causal_steps: of the causal in-context model on the mixture, of a quarter as many tasks: each is used at every
            context length.
        classical_steps: as `icl_steps`, of each classical learner.
        n_points: N points a task.
        n_tasks: test tasks per family and seed.
        bayes_tasks: how many of them the Bayes predictors, which are slower, are measured on too.
        draws: draws of each real table.
        everywhere: train every classical learner on every family, not on its own and the mixture only.
    """

    icl_steps: int
    causal_steps: int
    classical_steps: int
    n_points: int
    n_tasks: int
    bayes_tasks: int
    draws: int
    everywhere: bool = False


PROFILES = {
    "smoke": Settings(icl_steps=4, causal_steps=4, classical_steps=4, n_points=12, n_tasks=40, bayes_tasks=8, draws=4),
    "quick": Settings(
        icl_steps=750, causal_steps=2000, classical_steps=750, n_points=50, n_tasks=1000, bayes_tasks=300, draws=250
    ),
    "paper": Settings(
        icl_steps=30_000,
        causal_steps=90_000,
        classical_steps=30_000,
        n_points=50,
        n_tasks=10_000,
        bayes_tasks=2000,
        draws=1000,
        everywhere=True,
    ),
}


def icl_config(settings: Settings, families: int, seed: int) -> TrainingConfig:
    """The in-context model's training: steps in proportion to the families, so that each is seen equally often."""
    return TrainingConfig(
        steps=families * settings.icl_steps,
        tasks_per_step=128,
        n_points=settings.n_points,
        seed=seed,
        checkpoint_every=50,
    )


def causal_config(settings: Settings, seed: int) -> TrainingConfig:
    """The causal model's training, of about as much work as the set model's: fewer tasks, every prefix of each."""
    return TrainingConfig(
        steps=settings.causal_steps, tasks_per_step=32, n_points=settings.n_points, seed=seed, checkpoint_every=50
    )


def classical_config(settings: Settings, families: int, seed: int) -> TrainingConfig:
    """A classical learner's training, of the same number of steps and tasks."""
    return TrainingConfig(
        steps=families * settings.classical_steps,
        tasks_per_step=128,
        n_points=settings.n_points,
        seed=seed,
        checkpoint_every=200,
    )


class Optimal(Study):
    """The paper's central claim."""

    def trainings(self, profile: str, seed: int) -> dict[str, Training]:
        settings = PROFILES[profile]
        sources = {**FAMILIES, MIXTURE: mixture()}
        found = {}
        for place, source in sources.items():
            families = len(FAMILIES) if place == MIXTURE else 1
            for name in (ICL, *HOME, GRADIENT):
                if name != ICL and place not in (HOME.get(name), MIXTURE) and not settings.everywhere:
                    continue
                learner = icl_learner(seed) if name == ICL else classical_learner(name, seed)
                config = (icl_config if name == ICL else classical_config)(settings, families, seed)
                # the longest training takes every job at first, so that the others fill the rest evenly
                threads = config.shards if name == ICL and place == MIXTURE else 1
                title = f"{name} on {place}, seed {seed}"
                found[f"{name} on {place}"] = Training(title, learner, source, config, threads=threads)
        config = causal_config(settings, seed)
        title = f"{CAUSAL} on {MIXTURE}, seed {seed}"
        found[f"{CAUSAL} on {MIXTURE}"] = Training(title, causal_learner(seed), mixture(), config, AllPrefixes())
        return found

    def findings(self, profile: str, learners: Mapping[int, Mapping[str, Learner]], workload: Workload) -> Findings:
        settings = PROFILES[profile]
        scores = measure(settings, learners, workload)
        claims = decide_claims(scores)
        real = real_data(
            {seed: named[f"{ICL} on {MIXTURE}"] for seed, named in learners.items()}, settings.draws, settings.n_points
        )
        return Findings(
            title="Does in-context learning find the right learning algorithm?",
            asked="A transformer reads a few labelled points and answers for new ones; nothing in it is retrained. Is it, "
            "after training on a kind of task, at least as good as the meta-learner designed for that kind? And when it "
            "is trained on a mixture of three kinds, does it stay so, while each classical meta-learner loses?",
            found=headline(claims, scores) + " " + real.headline,
            sure=f"{count(settings.n_tasks, 'new test task')} per family and seed, {count(len(learners), 'training seed')}."
            + (" With one seed every sentence is about these trained models, not about training in general;"
               " --seeds 3 adds that." if len(learners) == 1 else " Bounds include the variation between seeds.")
            + " One model size, two features, two classes.",
            claims=claims,
            results=scores.results(),
            sections=[figure_section(scores), regret_section(scores), real.section],
            tables={"real_data": real.table},
        )  # fmt: skip


def measure(settings: Settings, learners: Mapping[int, Mapping[str, Learner]], workload: Workload) -> Scores:
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
            some = tasks.tasks(torch.arange(settings.bayes_tasks))
            for name, oracle in ((BAYES_MIXTURE, BayesOptimal(mixture())), (BAYES_FAMILY, BayesOptimal(family))):
                scored = score_prefixes(
                    oracle, some, name=f"{name} on {place}", threads=workload.threads, progress=workload.progress
                )
                parts.setdefault((name, "", place), []).append(scored)
    return Scores({key: np.stack(part) for key, part in parts.items()}, len(learners))


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
    for family, rival in MADE_FOR.items():
        claims.append(
            decide(
                f"causal-icl-mixture-at-least-{family}",
                f"The causal in-context model trained on the mixture is at least as good on {family} tasks as {rival} trained on"
                " them alone",
                f"causal in-context model minus {rival}, {unit}",
                scores.per_task(CAUSAL, MIXTURE, family) - scores.per_task(rival, family, family),
                together=len(MADE_FOR),
                group="causal",
            )
        )
    for family in FAMILIES:
        claims.append(
            decide(
                f"icl-mixture-at-least-maml-{family}",
                f"On {family} tasks the in-context model trained on the mixture is at least as good as MAML trained on the mixture",
                f"in-context model minus MAML, {unit}",
                scores.per_task(ICL, MIXTURE, family) - scores.per_task(GRADIENT, MIXTURE, family),
                together=len(FAMILIES),
                group="gradient",
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
    for learner, words, trained_on, name in (
        (ICL, "in-context model", None, BAYES_FAMILY),
        (ICL, "in-context model", MIXTURE, BAYES_MIXTURE),
        (CAUSAL, "causal in-context model", MIXTURE, BAYES_MIXTURE),
    ):
        for family in FAMILIES:
            best = scores.per_task(name, "", family)
            ours = scores.per_task(learner, trained_on or family, family)[:, : best.shape[1]]
            prefix = "" if learner == ICL else "causal-"
            group = f"{prefix}regret-{'mixture' if trained_on else 'single-family'}"
            claims.append(
                decide(
                    f"{prefix}icl-regret-{'mixture' if trained_on else 'single-family'}-{family}",
                    f"On {family} tasks the {words} trained on {trained_on or 'them alone'} is within"
                    f" {REGRET[family]:g} points of the Bayes-optimal predictor of its training distribution",
                    f"{name} minus {words}, {unit}",
                    best - ours,
                    threshold=REGRET[family],
                    better="below",
                    together=len(FAMILIES),
                    group=group,
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


STUDY = Optimal()
