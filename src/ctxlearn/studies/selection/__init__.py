"""Figure 3: is in-context learning a choice among known algorithms?

Refuted by: a selector among the three classical learners, or the bound that no selector can beat, that is as good as the
in-context model on radial tasks, for which none of the three is right; or an in-context model that keeps its accuracy
under shift better than selection does.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from ctxlearn.evaluation.curves import answer_prefixes, score_output, score_prefixes
from ctxlearn.evaluation.hindsight import hindsight
from ctxlearn.learners import Learner
from ctxlearn.references import AlgorithmSelection, BayesOptimal, EffectiveSampleSizeWarning
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies import optimal
from ctxlearn.studies.arms import (
    BAYES_FAMILY,
    BAYES_MIXTURE,
    CAUSAL,
    FAMILIES,
    GRADIENT,
    ICL,
    MADE_FOR,
    MIXTURE,
    mixture,
)
from ctxlearn.studies.base import Findings, Study, Workload, count
from ctxlearn.studies.claims import Claim, decide, tally
from ctxlearn.studies.scores import Scores
from ctxlearn.studies.selection.page import accuracy_section, regions_section, shift_section
from ctxlearn.studies.store import Training
from ctxlearn.tasks import Amortization, ClassPrototype, PairwiseMetric, Radial, TaskFamily
from ctxlearn.threads import one_thread_per_operator

RADIAL = "radial"
SELECTORS = (
    "selection, leave-one-out",
    "selection, soft leave-one-out",
    "selection, evidence",
    "selection, soft evidence",
)
LENGTHS = (1, 2, 4, 8, 16, 32, 49)
PLACES: dict[str, TaskFamily] = {**FAMILIES, RADIAL: Radial()}
MAKERS: dict[str, Callable[..., TaskFamily]] = {
    "pairwise-metric": PairwiseMetric,
    "class-prototype": ClassPrototype,
    "amortization": Amortization,
}


@dataclass(frozen=True)
class Settings:
    """Sizes of one profile.

    Attributes:
        n_tasks: test tasks per family and seed.
        shift_tasks: test tasks per family, scale and seed.
        hindsight_queries: queries the hindsight bound chooses by, and as many it is scored on.
        scales: scales of the inputs at test time; training is at 1.
    """

    n_tasks: int
    shift_tasks: int
    hindsight_queries: int
    scales: tuple[float, ...]


PROFILES = {
    "smoke": Settings(n_tasks=20, shift_tasks=10, hindsight_queries=16, scales=(1.0, 3.0)),
    "quick": Settings(n_tasks=600, shift_tasks=150, hindsight_queries=256, scales=(1.0, 2.0, 3.0, 4.0, 5.0)),
    "paper": Settings(n_tasks=5000, shift_tasks=2000, hindsight_queries=256, scales=(1.0, 2.0, 3.0, 4.0, 5.0)),
}


class Selection(Study):
    """The paper's second claim, with the selection baseline that its release lacks."""

    def trainings(self, profile: str, seed: int) -> dict[str, Training]:
        every = optimal.STUDY.trainings(profile, seed)
        wanted = [
            *(f"{name} on {MIXTURE}" for name in (ICL, CAUSAL, GRADIENT)),
            *(f"{learner} on {family}" for family, learner in MADE_FOR.items()),
        ]
        return {name: every[name] for name in wanted}

    def findings(self, profile: str, learners: Mapping[int, Mapping[str, Learner]], workload: Workload) -> Findings:
        settings, n_points = PROFILES[profile], optimal.PROFILES[profile].n_points
        rivals = {seed: selectors(named) for seed, named in learners.items()}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", EffectiveSampleSizeWarning)
            measured = measure(settings, n_points, learners, rivals, workload)
            shifted = measure_shift(settings, n_points, learners, rivals, workload)
        thin = [w for w in caught if issubclass(w.category, EffectiveSampleSizeWarning)]
        claims = decide_claims(measured, shifted, settings)
        first = min(learners)
        with torch.inference_mode(), one_thread_per_operator(), warnings.catch_warnings():
            warnings.simplefilter("ignore", EffectiveSampleSizeWarning)  # said once, above
            regions = regions_section(
                {
                    "in-context transformer": learners[first][f"{ICL} on {MIXTURE}"],
                    "causal in-context transformer": learners[first][f"{CAUSAL} on {MIXTURE}"],
                    **{MADE_FOR[f]: learners[first][f"{MADE_FOR[f]} on {f}"] for f in FAMILIES},
                    "selection": rivals[first][SELECTORS[0]],
                    BAYES_MIXTURE: BayesOptimal(mixture()),
                    "Bayes of radial": BayesOptimal(Radial()),
                },
                n_context=min(24, n_points - 1),
            )
        ours, bound = measured.at_lengths(ICL, RADIAL).mean(), measured.bound[RADIAL].mean()
        return Findings(
            title="Is in-context learning a choice among known algorithms?",
            asked="Does the in-context model, trained on a mixture of three kinds of task, merely pick for each task one of the three "
            "learners made for them? On radial tasks, which nothing here was trained on and for which none of the three is right, "
            "a selector can be no better than the best of the three. And a model fitted to its distribution should lose more than a "
            "selector when the inputs are scaled.",
            found=f"On radial tasks the in-context model has {ours:.1f} % where the best of the three learners, picked with hindsight, has "
            f"{bound:.1f} %. {tally(claims)}",
            sure=f"{count(settings.n_tasks, 'new test task')} per family and seed ({settings.shift_tasks} per scale under shift), "
            f"{count(len(learners), 'training seed')}."
            + (" With fewer than 3 seeds the claims speak of these trained models only." if len(learners) < 3 else "")
            + (
                " Off its distribution the mixture's posterior rests on few particles in places (an effective sample size"
                " below 32): its curves there are approximate."
                if thin
                else ""
            ),
            claims=claims,
            results=measured.scores.results(),
            sections=[
                accuracy_section(measured.scores, measured.bound, measured.agreement),
                regions,
                shift_section(shifted, settings.scales),
            ],
            tables={"shift": shifted.results().rename(columns={"trained_on": "scale"})},
        )


def selectors(named: Mapping[str, Learner]) -> dict[str, Learner]:
    """Every way of picking among the three classical learners of one seed, each trained on its own family."""
    members = [named[f"{MADE_FOR[family]} on {family}"] for family in FAMILIES]
    families = list(FAMILIES.values())
    return {
        SELECTORS[0]: AlgorithmSelection(members),
        SELECTORS[1]: AlgorithmSelection(members, soft=True),
        SELECTORS[2]: AlgorithmSelection(members, rule="evidence", families=families),
        SELECTORS[3]: AlgorithmSelection(members, rule="evidence", soft=True, families=families),
    }


@dataclass(frozen=True)
class Measured:
    """What was measured on tasks at scale 1.

    Attributes:
        scores: every learner on every family.
        bound: (S, T) per family: accuracy in % of the hindsight bound, mean over `lengths`.
        agreement: (S, T) per family: in % of n >= 1, how often the in-context model decides as the mixture's posterior.
        lengths: context lengths of the bound.
    """

    scores: Scores
    bound: dict[str, np.ndarray]
    agreement: dict[str, np.ndarray]
    lengths: list[int]

    def at_lengths(self, learner: str, family: str) -> np.ndarray:
        """(S, T) accuracy in % of a learner, mean over the bound's lengths."""
        return np.asarray(100 * self.scores.values[learner, "", family][..., self.lengths].mean(-1))


def measure(
    settings: Settings,
    n_points: int,
    learners: Mapping[int, Mapping[str, Learner]],
    rivals: Mapping[int, Mapping[str, Learner]],
    workload: Workload,
) -> Measured:
    """Everything on every family, on the same tasks."""
    lengths = [n for n in LENGTHS if n < n_points]
    parts: dict[tuple[str, str, str], list[np.ndarray]] = {}
    bounds: dict[str, list[np.ndarray]] = {}
    same: dict[str, list[np.ndarray]] = {}
    for seed, named in learners.items():
        for place, family in PLACES.items():
            tasks = family.sample(settings.n_tasks, n_points, generator=generator_for(seed, Stream.TEST))
            candidates = {
                ICL: named[f"{ICL} on {MIXTURE}"],
                CAUSAL: named[f"{CAUSAL} on {MIXTURE}"],
                GRADIENT: named[f"{GRADIENT} on {MIXTURE}"],
                **rivals[seed],
                BAYES_MIXTURE: BayesOptimal(mixture()),
                BAYES_FAMILY: BayesOptimal(family),
            }
            decided = {}
            for name, learner in candidates.items():
                title = f"{name} on {place}"
                answer = answer_prefixes(
                    learner, tasks, name=title, threads=workload.threads, progress=workload.progress
                )
                decided[name] = answer.argmax(-1).numpy()
                parts.setdefault((name, "", place), []).append(score_output(answer, tasks.y, 2).double().numpy())
            same.setdefault(place, []).append(100 * (decided[ICL] == decided[BAYES_MIXTURE])[:, 1:].mean(1))
            bound = hindsight(
                {f: named[f"{MADE_FOR[f]} on {f}"] for f in FAMILIES},
                family,
                n_tasks=settings.n_tasks,
                n_points=n_points,
                lengths=lengths,
                n_queries=settings.hindsight_queries,
                seed=seed,
                per_task=True,
                threads=workload.threads,
            )
            bounds.setdefault(place, []).append(100 * bound.groupby("task")["value"].mean().to_numpy())
    return Measured(
        Scores({key: np.stack(part) for key, part in parts.items()}, len(learners)),
        {place: np.stack(part) for place, part in bounds.items()},
        {place: np.stack(part) for place, part in same.items()},
        lengths,
    )


def measure_shift(
    settings: Settings,
    n_points: int,
    learners: Mapping[int, Mapping[str, Learner]],
    rivals: Mapping[int, Mapping[str, Learner]],
    workload: Workload,
) -> Scores:
    """Accuracy when the inputs are scaled at test time; the scale stands where `trained_on` does."""
    parts: dict[tuple[str, str, str], list[np.ndarray]] = {}
    for seed, named in learners.items():
        for place, make in MAKERS.items():
            for scale in settings.scales:
                family = make(scale=scale)
                tasks = family.sample(settings.shift_tasks, n_points, generator=generator_for(seed, Stream.TEST))
                candidates = {
                    ICL: named[f"{ICL} on {MIXTURE}"],
                    CAUSAL: named[f"{CAUSAL} on {MIXTURE}"],
                    SELECTORS[0]: rivals[seed][SELECTORS[0]],
                    BAYES_MIXTURE: BayesOptimal(mixture()),
                    BAYES_FAMILY: BayesOptimal(family),
                }
                for name, learner in candidates.items():
                    title = f"{name} on {place} at scale {scale:g}"
                    scored = score_prefixes(
                        learner, tasks, name=title, threads=workload.threads, progress=workload.progress
                    )
                    parts.setdefault((name, f"{scale:g}", place), []).append(scored)
    return Scores({key: np.stack(part) for key, part in parts.items()}, len(learners))


def decide_claims(measured: Measured, shifted: Scores, settings: Settings) -> list[Claim]:
    """Every claim of the study, by group."""
    scores, unit = measured.scores, "points of accuracy, mean over n >= 1, same tasks"
    claims = []
    for learner, words, short in ((ICL, "in-context model", "icl"), (CAUSAL, "causal in-context model", "causal-icl")):
        group = "radial" if learner == ICL else "radial-causal"
        claims += [
            decide(
                f"{short}-exceeds-{name.replace(', ', '-').replace(' ', '-')}-on-radial",
                f"On radial tasks, which nothing was trained on, the {words} is better than {name}",
                f"{words} minus {name}, {unit}",
                scores.per_task(learner, "", RADIAL) - scores.per_task(name, "", RADIAL),
                together=len(SELECTORS) + 1,
                group=group,
            )
            for name in SELECTORS
        ]
        claims.append(
            decide(
                f"{short}-exceeds-hindsight-on-radial",
                f"On radial tasks the {words} is better than the best of the three learners picked with hindsight",
                f"{words} minus hindsight bound, points of accuracy, mean over n in {measured.lengths}, same contexts",
                measured.at_lengths(learner, RADIAL) - measured.bound[RADIAL],
                together=len(SELECTORS) + 1,
                group=group,
            )
        )
    first, last = f"{settings.scales[0]:g}", f"{settings.scales[-1]:g}"
    for family in FAMILIES:
        lost = {
            name: shifted.per_task(name, first, family) - shifted.per_task(name, last, family)
            for name in (ICL, SELECTORS[0])
        }
        claims.append(
            decide(
                f"icl-loses-more-under-shift-{family}",
                f"When the inputs of {family} tasks are {last} times as large, the in-context model loses more than selection",
                f"loss of the in-context model minus loss of selection, {unit}",
                lost[ICL] - lost[SELECTORS[0]],
                together=len(FAMILIES),
                group="shift",
            )
        )
    claims.append(
        decide(
            "icl-is-the-mixtures-posterior-on-radial-accuracy",
            "Off its distribution, on radial tasks, the in-context model is within 1 point below the mixture's posterior",
            f"Bayes of the mixture minus in-context model, {unit}",
            scores.per_task(BAYES_MIXTURE, "", RADIAL) - scores.per_task(ICL, "", RADIAL),
            threshold=1.0,
            better="below",
            group="posterior-off-distribution",
        )
    )
    home = np.stack([measured.agreement[family] for family in FAMILIES]).mean(0)
    claims.append(
        decide(
            "icl-follows-the-mixtures-posterior-less-on-radial",
            "On radial tasks the in-context model decides as the mixture's posterior less often than on the families it knows",
            "agreement of decisions with Bayes of the mixture, in points: mean over the three families minus radial, n >= 1",
            home - measured.agreement[RADIAL],
            group="posterior-off-distribution",
        )
    )
    return claims


STUDY = Selection()
