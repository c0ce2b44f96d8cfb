"""Figure 1: can a transformer be each classical learner, and which learner does a trained one become?

Refuted by: a construction that answers otherwise than the learner it was written for; an in-context model trained on the
mixture that decides more like a classical rule than like the mixture's Bayes predictor; or a transformer started at a
learner that trains to no more than the same one started at random.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from ctxlearn.evaluation.statistics import mean_interval
from ctxlearn.learners import Learner
from ctxlearn.studies import optimal
from ctxlearn.studies.arms import FAMILIES, HOME, ICL, MIXTURE
from ctxlearn.studies.base import Findings, Study, Workload, count
from ctxlearn.studies.expressiveness.exactness import STEPS, decide_exactness, measure_causal, measure_exactness
from ctxlearn.studies.expressiveness.neighbours import Decided, Shared, decide_space
from ctxlearn.studies.expressiveness.page import (
    exactness_section,
    exactness_table,
    headline,
    rates_section,
    space_section,
    starts_section,
)
from ctxlearn.studies.expressiveness.ridge_rates import decide_rates, measure_rates
from ctxlearn.studies.expressiveness.space import (
    bayes_predictors,
    decisions,
    distance_matrix,
    in_context_models,
    plain_algorithms,
    trained_algorithms,
)
from ctxlearn.studies.expressiveness.starts import Starts, decide_starts, measure_starts, start_trainings
from ctxlearn.studies.store import Training


@dataclass(frozen=True)
class Settings:
    """Sizes of one profile.

    Attributes:
        exact_tasks: contexts of each family, kind and length that constructions are compared on.
        exact_steps: numbers of gradient steps.
        causal_tasks: tasks on which the causal mask's error is measured.
        ridge_tasks: linear tasks for the rates.
        ridge_steps: numbers of blocks there.
        probe_tasks: probe tasks of each family and seed.
        lengths: context lengths of the probes.
        start_steps: budgets of the trainings from a construction, from random weights, and of the standard model; the
            last one is the standard model's in the study `optimal`.
        n_tasks: test tasks of the mixture per seed.
        bayes_tasks: how many of them the Bayes predictor is measured on too.
    """

    exact_tasks: int
    exact_steps: tuple[int, ...]
    causal_tasks: int
    ridge_tasks: int
    ridge_steps: tuple[int, ...]
    probe_tasks: int
    lengths: tuple[int, ...]
    start_steps: tuple[int, ...]
    n_tasks: int
    bayes_tasks: int


PROFILES = {
    "smoke": Settings(1, (1, 2), 4, 4, (1, 2, 4), 12, (4, 8), (2, 12), 40, 8),
    "quick": Settings(2, STEPS, 250, 100, (1, 2, 4, 8, 16, 32), 150, (4, 8, 16), (75, 225, 750, 2250), 2000, 300),
    "paper": Settings(
        10, STEPS, 1000, 1000, (1, 2, 4, 8, 16, 32, 64), 2000, (4, 8, 16), (900, 9000, 90_000), 20_000, 2000
    ),
}


class Expressiveness(Study):
    """The paper's first claim, as code and as measurements."""

    def trainings(self, profile: str, seed: int) -> dict[str, Training]:
        settings = PROFILES[profile]
        every = optimal.STUDY.trainings(profile, seed)
        wanted = [f"{ICL} on {place}" for place in (*FAMILIES, MIXTURE)]
        wanted += [f"{name} on {place}" for name in HOME for place in (HOME[name], MIXTURE)]
        longest = every[f"{ICL} on {MIXTURE}"]
        configs = {n: replace(longest.config, steps=n) for n in settings.start_steps}
        return {**{name: every[name] for name in wanted}, **start_trainings(configs, longest, seed)}

    def findings(self, profile: str, learners: Mapping[int, Mapping[str, Learner]], workload: Workload) -> Findings:
        settings, n_points = PROFILES[profile], optimal.PROFILES[profile].n_points
        exact = measure_exactness(learners, settings.exact_tasks, settings.exact_steps)
        causal = measure_causal(settings.causal_tasks)
        rates = measure_rates(settings.ridge_tasks, settings.ridge_steps)
        decided, shared = probe(settings, learners)
        starts = measure_starts(
            settings.start_steps,
            learners,
            n_tasks=settings.n_tasks,
            bayes_tasks=settings.bayes_tasks,
            n_points=n_points,
            workload=workload,
        )
        claims = [
            *decide_exactness(exact, len(learners)),
            *decide_rates(rates),
            *decide_space(decided),
            *decide_starts(starts),
        ]
        return Findings(
            title="Can a transformer be each classical learner, and which learner does it become?",
            asked="Is there, for each classical meta-learner (MatchNet, ProtoNet, CNP, gradient descent on a linear head), a transformer that "
            "answers exactly as it does? Which learning algorithm is a trained in-context model nearest to? And does it help to "
            "start training at a transformer written to be one of them?",
            found=headline(claims, decided, starts),
            sure=f"{count(settings.probe_tasks, 'probe task')} of each of four families and {count(settings.n_tasks, 'test task')} of the "
            f"mixture per seed, {count(len(learners), 'training seed')}."
            + (" With one seed every sentence is about these trained models, not about training in general;"
               " --seeds 3 adds that." if len(learners) == 1 else " Bounds include the variation between seeds.")
            + " Constructions were compared on finitely many contexts; why they hold for all is derived in docs/expressiveness.md."
            " One model size, two features, two classes.",
            claims=claims,
            results=results(starts),
            sections=[
                exactness_section(exact, causal),
                rates_section(rates),
                *space_section(decided, shared, settings.lengths),
                starts_section(starts),
            ],
            tables={"exactness": exactness_table(exact), "disagreement": disagreement_table(shared)},
        )  # fmt: skip


def probe(settings: Settings, learners: Mapping[int, Mapping[str, Learner]]) -> tuple[Decided, Shared]:
    """Decisions of every learner of each seed on that seed's probes; and of all of them on the first seed's."""
    plain = {**plain_algorithms(), **bayes_predictors()}
    decided = {
        seed: decisions(
            {**plain, **trained_algorithms(named), **in_context_models(named)},
            settings.probe_tasks,
            settings.lengths,
            seed=seed,
        )
        for seed, named in learners.items()
    }
    first = min(learners)
    others = {
        f"{name}, seed {seed}": model
        for seed, named in learners.items()
        if seed != first
        for name, model in in_context_models(named).items()
    }
    if not others:
        return decided, decided[first]
    more = decisions(others, settings.probe_tasks, settings.lengths, seed=first)
    return decided, {place: {**found, **more[place]} for place, found in decided[first].items()}


def results(starts: Starts) -> pd.DataFrame:
    """One row an arm, number of steps and seed: accuracy on the mixture."""
    rows = []
    for (arm, steps), values in starts.accuracy.items():
        for seed, part in enumerate(values):
            interval = mean_interval(part / 100)
            rows.append(
                {
                    "learner": arm,
                    "trained_on": f"mixture, {steps} steps",
                    "family": MIXTURE,
                    "n_context": -1,
                    "seed": seed,
                    "mean": interval.value,
                    "low": interval.low,
                    "high": interval.high,
                    "n_tasks": interval.n_tasks,
                }
            )
    return pd.DataFrame(rows)


def disagreement_table(shared: Shared) -> pd.DataFrame:
    """One row a family of probes and pair of learners: how often they decide differently, in %."""
    rows = []
    for place, decided in shared.items():
        matrix, names = distance_matrix(decided), list(decided)
        rows += [
            {"family": place, "first": a, "second": b, "disagreement": matrix[i, j]}
            for i, a in enumerate(names)
            for j, b in enumerate(names)
            if i < j
        ]
    return pd.DataFrame(rows)


STUDY = Expressiveness()
