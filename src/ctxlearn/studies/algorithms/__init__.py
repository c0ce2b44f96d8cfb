"""Which algorithm does a trained in-context model run?

Refuted by: a model trained on one family that decides as the learner made for that family where this differs from the
Bayes predictor; a model of the mixture that decides as the learner made for the family it is shown; or a model of noisy
regression that is nearer to another ridge penalty than to the one its noise asks for.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from ctxlearn.evaluation.curves import answer_prefixes
from ctxlearn.identification import Identification, default_candidates, identify
from ctxlearn.learners import BlockConfig, InContextTransformer, Learner
from ctxlearn.references import BayesOptimal, EffectiveSampleSizeWarning, LogisticRegression, Ridge
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies import optimal
from ctxlearn.studies.algorithms.page import (
    agreement_section,
    identified_section,
    results_table,
    ridge_section,
)
from ctxlearn.studies.arms import BAYES_FAMILY, BAYES_MIXTURE, FAMILIES, ICL, MADE_FOR, MIXTURE, mixture
from ctxlearn.studies.base import Findings, Study, Workload, count
from ctxlearn.studies.claims import Claim, decide, tally
from ctxlearn.studies.store import Training
from ctxlearn.tasks import LinearRegression
from ctxlearn.training import TrainingConfig

NOISES = (0.5, 1.0)
FEATURES = 5
FACTORS = tuple(2.0**k for k in range(-6, 7))
"""Penalties that are tried, in units of the matched one."""


@dataclass(frozen=True)
class Settings:
    """Sizes of one profile.

    Attributes:
        regression_steps: optimiser steps of each model of linear regression.
        n_regression: points of a regression task.
        n_tasks: test tasks per family and seed.
        n_contexts: probe contexts of each length that `identify` uses.
        lengths: context lengths that it looks at.
    """

    regression_steps: int
    n_regression: int
    n_tasks: int
    n_contexts: int
    lengths: tuple[int, ...]


PROFILES = {
    "smoke": Settings(3, 6, 12, 32, (1, 4)),
    "quick": Settings(2000, 20, 300, 96, (2, 4, 8, 16)),
    "paper": Settings(30_000, 40, 2000, 192, (1, 2, 4, 8, 16, 32)),
}


class Algorithms(Study):
    """Identification of the models that the other studies train."""

    def trainings(self, profile: str, seed: int) -> dict[str, Training]:
        settings = PROFILES[profile]
        every = optimal.STUDY.trainings(profile, seed)
        wanted = [f"{ICL} on {place}" for place in (*FAMILIES, MIXTURE)]
        wanted += [f"{learner} on {family}" for family, learner in MADE_FOR.items()]
        found = {name: every[name] for name in wanted}
        for noise in NOISES:
            blocks = [BlockConfig(heads=2, hidden=128, activation="relu")] * 4
            learner = InContextTransformer(FEATURES, None, blocks=blocks, encoder="identity", seed=seed)
            config = TrainingConfig(
                steps=settings.regression_steps,
                tasks_per_step=128,
                n_points=settings.n_regression,
                seed=seed,
                checkpoint_every=100,
            )
            name = regression_name(noise)
            source = LinearRegression(FEATURES, noise=noise)
            found[name] = Training(f"{name}, seed {seed}", learner, source, config)
        return found

    def findings(self, profile: str, learners: Mapping[int, Mapping[str, Learner]], workload: Workload) -> Findings:
        settings = PROFILES[profile]
        n_points = optimal.PROFILES[profile].n_points
        with warnings.catch_warnings():
            # few particles off the own family: approximate curves, said in `sure`
            warnings.simplefilter("ignore", EffectiveSampleSizeWarning)
            agreed = measure_agreement(settings, n_points, learners, workload)
            found = identify_models(settings, learners, workload)
        ridges = measure_ridges(settings, learners, workload)
        claims = decide_claims(agreed, ridges)
        shown = settings.lengths[1]  # with more points scores saturate, with fewer many rules are one
        sides = [c for c in claims if "-runs-bayes-not-" in c.id]
        verdicts = {family: found[f"mixture model, shown {family}"].verdict(shown) for family in FAMILIES}
        accepted = sum(verdict.accepted for verdict in verdicts.values())
        return Findings(
            title="Which learning algorithm does an in-context model run?",
            asked="A model that learns in context runs some learning algorithm on its context. Is it the one that was made for its"
            " kind of task (MatchNet, ProtoNet, CNP), the Bayes-optimal predictor, or something else; and does a model of a"
            " mixture change its algorithm with the kind of task it is shown?",
            found="That the in-context models side with the Bayes predictor where it and the learner made for a family decide otherwise:"
            f" {sum(c.verdict == 'holds' for c in sides)} of {len(sides)} such claims hold. By its scores with"
            f" {count(shown, 'labelled point')} the mixture's model is nearest to "
            + ", ".join(f"{next(iter(verdict.members))} on {family} tasks" for family, verdict in verdicts.items())
            + f"; near enough to say that it runs that algorithm on {accepted} of these {len(verdicts)}"
            + f". In all, {tally(claims)}",
            sure=f"{count(settings.n_tasks, 'new test task')} per family and seed for the claims, {settings.n_contexts} probe contexts of"
            f" each length for the identification, {count(len(learners), 'training seed')}."
            + (
                " Without other seeds as replicates a candidate is accepted by a strict absolute cut; --seeds 2 or more gives"
                " the model's own nuisance as a measure."
                if len(learners) == 1
                else " Other seeds serve as replicates: a candidate is accepted if it explains what the seeds have in common."
            ),
            claims=claims,
            results=results_table(found),
            sections=[
                agreement_section(agreed),
                identified_section(found, settings.lengths),
                ridge_section(found, ridges, NOISES, FACTORS),
            ],
        )


def regression_name(noise: float) -> str:
    """Name of the model of linear regression with this noise."""
    return f"{ICL} on linear regression, noise {noise:g}"


@dataclass(frozen=True)
class Agreement:
    """How often two learners decide alike.

    Attributes:
        values: (family shown, first, second) -> (S, T, N), the share of equal decisions at each context length.
    """

    values: dict[tuple[str, str, str], np.ndarray]

    def per_task(self, family: str, first: str, second: str) -> np.ndarray:
        """(S, T) in %, mean over n >= 1."""
        return np.asarray(100 * self.values[family, first, second][..., 1:].mean(-1))


OWN, MIXED = "single-family model", "mixture model"


def measure_agreement(
    settings: Settings, n_points: int, learners: Mapping[int, Mapping[str, Learner]], workload: Workload
) -> Agreement:
    """Decisions of both models against those of every candidate, on the same new tasks of each family."""
    parts: dict[tuple[str, str, str], list[np.ndarray]] = {}
    for seed, named in learners.items():
        for place, family in FAMILIES.items():
            tasks = family.sample(settings.n_tasks, n_points, generator=generator_for(seed, Stream.TEST))
            models: dict[str, Learner] = {
                OWN: named[f"{ICL} on {place}"],
                MIXED: named[f"{ICL} on {MIXTURE}"],
                BAYES_FAMILY: BayesOptimal(family),
                BAYES_MIXTURE: BayesOptimal(mixture()),
                "LogisticRegression": LogisticRegression(2, 2),
                **{learner: named[f"{learner} on {home}"] for home, learner in MADE_FOR.items()},
            }
            decided = {
                name: answer_prefixes(
                    learner, tasks, name=f"{name} on {place}", threads=workload.threads, progress=workload.progress
                ).argmax(-1)
                for name, learner in models.items()
            }
            for first in (OWN, MIXED):
                for second in models:
                    if second != first:
                        same = (decided[first] == decided[second]).double().numpy()
                        parts.setdefault((place, first, second), []).append(same)
    return Agreement({key: np.stack(part) for key, part in parts.items()})


def identify_models(
    settings: Settings, learners: Mapping[int, Mapping[str, Learner]], workload: Workload
) -> dict[str, Identification]:
    """`identify` for the first seed's models, the other seeds' as replicates, on tasks that the model is shown."""
    first, *others = learners.values()
    found = {}
    for place, family in FAMILIES.items():
        candidates: dict[str, object] = {
            **{f"trained {learner}": first[f"{learner} on {home}"] for home, learner in MADE_FOR.items()},
            BAYES_FAMILY: BayesOptimal(family),
            BAYES_MIXTURE: BayesOptimal(mixture()),
            **default_candidates(2, 2),
        }
        for words, trained_on in ((OWN, place), (MIXED, MIXTURE)):
            key = f"{ICL} on {trained_on}"
            found[f"{words}, shown {place}"] = identify(
                first[key],
                candidates,
                replicates=[named[key] for named in others],
                probes=family,
                lengths=settings.lengths,
                n_contexts=settings.n_contexts,
                threads=workload.threads,
                progress=workload.progress,
            )
    for noise in NOISES:
        key = regression_name(noise)
        family = LinearRegression(FEATURES, noise=noise)
        found[key] = identify(
            first[key],
            replicates=[named[key] for named in others],
            family=family,
            probes=family,
            lengths=[n for n in settings.lengths if n < settings.n_regression],
            n_contexts=settings.n_contexts,
            n_classes=None,
            threads=workload.threads,
            progress=workload.progress,
        )
    return found


def measure_ridges(
    settings: Settings, learners: Mapping[int, Mapping[str, Learner]], workload: Workload
) -> dict[tuple[float, float], np.ndarray]:
    """(noise, factor of the matched penalty) -> (S, T): squared difference of predictions / d, mean over n >= 1."""
    parts: dict[tuple[float, float], list[np.ndarray]] = {}
    for seed, named in learners.items():
        for noise in NOISES:
            family = LinearRegression(FEATURES, noise=noise)
            generator = generator_for(seed, Stream.TEST)
            tasks = family.sample(settings.n_tasks, settings.n_regression, generator=generator)
            answers = {0.0: named[regression_name(noise)]} | {
                factor: Ridge(FEATURES, None, penalty=factor * noise**2, intercept=False) for factor in FACTORS
            }
            given = {
                factor: answer_prefixes(
                    learner, tasks, name=f"ridge, noise {noise:g}", threads=workload.threads, progress=workload.progress
                )
                for factor, learner in answers.items()
            }
            for factor in FACTORS:
                gap = (given[0.0] - given[factor])[:, 1:].double().square().mean(1) / FEATURES
                parts.setdefault((noise, factor), []).append(torch.as_tensor(gap).numpy())
    return {key: np.stack(part) for key, part in parts.items()}


def decide_claims(agreed: Agreement, ridges: Mapping[tuple[float, float], np.ndarray]) -> list[Claim]:
    """Every claim of the study, by group."""
    unit = "points of equal decisions, mean over n >= 1, same tasks"
    claims = []
    for model, oracle, words, group in (
        (OWN, BAYES_FAMILY, "the in-context model trained on them alone", "single-family"),
        (MIXED, BAYES_MIXTURE, "the in-context model trained on the mixture", "mixture"),
    ):
        for family, rival in MADE_FOR.items():
            nearer = agreed.per_task(family, model, oracle) - agreed.per_task(family, model, rival)
            claims.append(
                decide(
                    f"icl-{group}-runs-bayes-not-{rival.lower()}-on-{family}",
                    f"On {family} tasks {words} decides as {oracle} more often than as {rival} trained on them alone",
                    f"agreement with {oracle} minus agreement with {rival}, {unit}",
                    nearer,
                    together=len(MADE_FOR),
                    group=group,
                )
            )
    for family, rival in MADE_FOR.items():
        others = [agreed.per_task(family, MIXED, other) for other in MADE_FOR.values() if other != rival]
        claims.append(
            decide(
                f"icl-mixture-changes-with-{family}",
                f"Shown {family} tasks, the in-context model of the mixture decides as {rival}, made for them, more often than as"
                " the learners made for the other families",
                f"agreement with {rival} minus mean agreement with the other two, {unit}",
                agreed.per_task(family, MIXED, rival) - np.mean(others, axis=0),
                together=len(MADE_FOR),
                group="changes",
            )
        )
    for noise in NOISES:
        for factor in (0.25, 4.0):
            claims.append(
                decide(
                    f"nearest-ridge-is-matched-noise-{noise:g}-against-{factor:g}",
                    f"The in-context model of linear regression with noise {noise:g} is nearer to ridge with the matched penalty"
                    f" {noise**2:g} than to ridge with {factor:g} times that penalty",
                    f"squared difference of predictions / d from the latter minus from the former, mean over n >= 1, d = {FEATURES}",
                    ridges[noise, factor] - ridges[noise, 1.0],
                    together=2 * len(NOISES),
                    group="ridge",
                )
            )
    return claims


STUDY = Algorithms()
