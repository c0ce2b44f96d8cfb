"""Figure 3: is in-context learning a choice among known algorithms?

Refuted by: a selector among the three classical learners, or the bound that no selector can beat, that is as good as the
in-context model on radial tasks, for which none of the three is right; or an in-context model that keeps its accuracy
under shift better than selection does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctxlearn import lab
from ctxlearn.evaluation.hindsight import hindsight
from ctxlearn.learners import Learner
from ctxlearn.references import AlgorithmSelection, BayesOptimal
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
from ctxlearn.studies.selection.claims import BOUND, RADIAL, SELECTORS, decide_claims, found
from ctxlearn.studies.selection.page import accuracy_section, map_measurements, regions_section, shift_section
from ctxlearn.tasks import Amortization, ClassPrototype, PairwiseMetric, Radial, TaskFamily

LENGTHS = (1, 2, 4, 8, 16, 32, 49)
PLACES: dict[str, TaskFamily] = {**FAMILIES, RADIAL: Radial()}
MAKERS: dict[str, Callable[..., TaskFamily]] = {
    "pairwise-metric": PairwiseMetric,
    "class-prototype": ClassPrototype,
    "amortization": Amortization,
}


@dataclass(frozen=True)
class Sizes:
    """Sizes of one profile.

    Attributes:
        trained: the sizes of the study `optimal`, whose models these are.
        n_tasks: test tasks per family and seed.
        shift_tasks: test tasks per family, scale and seed.
        hindsight_queries: queries the hindsight bound chooses by, and as many it is scored on.
        scales: scales of the inputs at test time; training is at 1.
    """

    trained: optimal.Sizes
    n_tasks: int
    shift_tasks: int
    hindsight_queries: int
    scales: tuple[float, ...]

    @property
    def lengths(self) -> list[int]:
        """Context lengths of the hindsight bound."""
        return [n for n in LENGTHS if n < self.trained.n_points]


PROFILES = {
    "smoke": Sizes(optimal.PROFILES["smoke"], 20, 10, 16, (1.0, 3.0)),
    "quick": Sizes(optimal.PROFILES["quick"], 600, 150, 256, (1.0, 2.0, 3.0, 4.0, 5.0)),
    "paper": Sizes(optimal.PROFILES["paper"], 5000, 2000, 256, (1.0, 2.0, 3.0, 4.0, 5.0)),
}


def plan(sizes: Sizes, seed: int) -> list[lab.Planned]:
    """Models, selectors and Bayes on every family and under shift; the bound on any choice; maps of one task."""
    trained = optimal.trainings(sizes.trained, seed)
    members = {family: trained[learner, family] for family, learner in MADE_FOR.items()}
    models = {name: trained[name, MIXTURE] for name in (ICL, CAUSAL, GRADIENT)}
    selectors = {
        name: lab.call(selection, list(members.values()), list(FAMILIES.values()), rule, soft)
        for name, (rule, soft) in zip(
            SELECTORS, (("loo", False), ("loo", True), ("evidence", False), ("evidence", True)), strict=True
        )
    }
    planned: list[lab.Planned] = []
    for place, family in PLACES.items():
        bayes = {BAYES_MIXTURE: BayesOptimal(mixture()), BAYES_FAMILY: BayesOptimal(family)}
        cell = lab.Cell(
            ("", place),
            family,
            {**models, **selectors, **bayes},
            seed,
            sizes.n_tasks,
            sizes.trained.n_points,
            measures=(lab.score, lab.decision),
        )
        planned += [cell, _bound(sizes, members, cell)]
    for place, make in MAKERS.items():
        for scale in sizes.scales:
            family = make(scale=scale)
            contestants = {
                **{name: models[name] for name in (ICL, CAUSAL)},
                SELECTORS[0]: selectors[SELECTORS[0]],
                BAYES_MIXTURE: BayesOptimal(mixture()),
                BAYES_FAMILY: BayesOptimal(family),
            }
            cell = lab.Cell((f"{scale:g}", place), family, contestants, seed, sizes.shift_tasks, sizes.trained.n_points)
            planned.append(cell)
    if seed == 0:
        shown = {
            "in-context transformer": models[ICL],
            "causal in-context transformer": models[CAUSAL],
            **{MADE_FOR[family]: member for family, member in members.items()},
            "selection": selectors[SELECTORS[0]],
            BAYES_MIXTURE: BayesOptimal(mixture()),
            "Bayes of radial": BayesOptimal(Radial()),
        }
        planned += map_measurements(shown, min(24, sizes.trained.n_points - 1))
    return planned


def selection(members: Sequence[Learner], families: Sequence[TaskFamily], rule: str, soft: bool) -> AlgorithmSelection:
    """A choice among classical learners, each trained on its own family."""
    return AlgorithmSelection(members, rule, soft, families if rule == "evidence" else None)


def _bound(sizes: Sizes, members: Mapping[str, lab.Training], cell: lab.Cell) -> lab.Measurement:
    """The hindsight bound on the tasks of a cell."""
    options = {"n_tasks": cell.n_tasks, "n_points": cell.n_points, "lengths": sizes.lengths, "seed": cell.seed}
    asked = lab.call(hindsight_bound, dict(members), cell.family, {**options, "n_queries": sizes.hindsight_queries})
    return lab.Measurement((BOUND, *cell.key), cell.seed, asked, cell.pairing)


def hindsight_bound(
    members: Mapping[str, Learner], family: TaskFamily, options: Mapping[str, Any], threads: int
) -> dict[str, np.ndarray]:
    """Measures "bound": accuracy of the member that is best on a task, mean over context lengths, (T,)."""
    found = hindsight(members, family, **options, per_task=True, threads=threads)
    return {"bound": found.groupby("task")["value"].mean().to_numpy()}


def present(sizes: Sizes, numbers: lab.Numbers) -> lab.Page:
    """The page."""
    measured = found(numbers)
    claims = decide_claims(measured, sizes.lengths, sizes.scales)
    ours = 100 * measured.scores[ICL, "", RADIAL].averaged(sizes.lengths)
    return lab.Page(
        title="Is in-context learning a choice among known algorithms?",
        asked="Does the in-context model, trained on a mixture of three kinds of task, merely pick for each task one of the three "
        "learners made for them? On radial tasks, which nothing here was trained on and for which none of the three is right, "
        "a selector can be no better than the best of the three. And a model fitted to its distribution should lose more than a "
        "selector when the inputs are scaled.",
        found=f"On radial tasks the in-context model has {ours.mean():.1f} % where the best of the three learners, picked with hindsight, has "
        f"{measured.bound[RADIAL].mean():.1f} %. {lab.tally(claims)}",
        sure=f"{lab.count(sizes.n_tasks, 'new test task')} per family and seed ({sizes.shift_tasks} per scale under shift), "
        f"{lab.count(numbers.seeds, 'training seed')}."
        + (" With one seed the claims speak of these trained models only." if numbers.seeds == 1 else "")
        + (
            " Off its distribution the mixture's posterior rests on few particles in places (an effective sample size"
            " below 10): its curves there are approximate."
            if numbers.warned("EffectiveSampleSizeWarning")
            else ""
        ),
        claims=claims,
        results=measured.scores.frame("learner", "trained_on", "family"),
        sections=[accuracy_section(measured), regions_section(numbers), shift_section(measured, sizes.scales)],
        tables={"shift": measured.shifted.frame("learner", "scale", "family")},
    )


STUDY = lab.Study("selection", PROFILES, plan, present)
