"""Figure 3: is in-context learning a choice among known algorithms?

Refuted by: a selector among the three classical learners, or the bound that no hard choice can beat, that is as good as the
in-context model on radial tasks, for which none of the three is right; or an in-context model that keeps its accuracy
under shift better than selection does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ctxlearn import lab
from ctxlearn.evaluation.hindsight import hindsight
from ctxlearn.learners import Learner
from ctxlearn.references import AlgorithmSelection, BayesOptimal
from ctxlearn.studies import arms, optimal
from ctxlearn.studies.arms import BAYES_FAMILY, BAYES_MIXTURE, CAUSAL, FAMILIES, ICL, MIXTURE, mixture
from ctxlearn.studies.selection import plots
from ctxlearn.studies.selection.claims import BOUND, RADIAL, SELECTOR, SELECTORS, decide_claims, found
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

    @property
    def n_shown(self) -> int:
        """Labelled points of the task that is drawn as a map."""
        return min(24, self.trained.n_points - 1)


PROFILES = {
    "smoke": Sizes(optimal.PROFILES["smoke"], 20, 10, 16, (1.0, 3.0)),
    "quick": Sizes(optimal.PROFILES["quick"], 600, 150, 256, (1.0, 2.0, 3.0, 4.0, 5.0)),
    "paper": Sizes(optimal.PROFILES["paper"], 5000, 2000, 256, (1.0, 2.0, 3.0, 4.0, 5.0)),
}


def plan(sizes: Sizes, seed: int) -> list[lab.Planned]:
    """Models, selectors and Bayes on every family and under shift; the bound on any choice; maps of one task."""
    trained = optimal.trainings(sizes.trained, seed)
    members = {family: trained[learner, family] for family, learner in arms.MADE_FOR.items()}
    models = {name: trained[name, MIXTURE] for name in (ICL, CAUSAL, arms.GRADIENT)}
    selectors = {
        name: lab.call(selection, list(members.values()), list(FAMILIES.values()), rule, soft)
        for name, (rule, soft) in SELECTORS.items()
    }
    selector = {SELECTOR: selectors[SELECTOR]}

    def bayes(family: TaskFamily) -> dict[str, BayesOptimal]:
        return {BAYES_MIXTURE: BayesOptimal(mixture()), BAYES_FAMILY: BayesOptimal(family)}

    planned: list[lab.Planned] = []
    n_points, measures = sizes.trained.n_points, (lab.score, lab.decision)
    for place, family in PLACES.items():
        contestants = {**models, **selectors, **bayes(family)}
        cell = lab.Cell(("", place), family, contestants, seed, sizes.n_tasks, n_points, measures=measures)
        planned += [cell, _bound(sizes, members, cell)]
    for place, make in MAKERS.items():
        for scale in sizes.scales:
            shifted = make(scale=scale)
            contestants = {ICL: models[ICL], CAUSAL: models[CAUSAL], **selector, **bayes(shifted)}
            planned.append(lab.Cell((f"{scale:g}", place), shifted, contestants, seed, sizes.shift_tasks, n_points))
    if seed == 0:
        shown = {
            "in-context transformer": models[ICL],
            "causal in-context transformer": models[CAUSAL],
            **{arms.MADE_FOR[family]: member for family, member in members.items()},
            "selection": selectors[SELECTOR],
            BAYES_MIXTURE: BayesOptimal(mixture()),
            "Bayes of radial": BayesOptimal(Radial()),
        }
        planned += plots.map_measurements(shown, sizes.n_shown)
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
    return lab.page_from_template(
        Path(__file__).with_name("page.md"),
        decide_claims(measured, sizes.lengths, sizes.scales),
        measured.scores.frame("learner", "trained_on", "family"),
        figures={
            **{f"selection-{family}": plots.accuracy_figure(measured.scores, family) for family in PLACES},
            "selection-regions": plots.regions_figure(numbers, sizes.n_shown),
            **plots.shift_figures(measured),
        },
        tables={"accuracy": plots.accuracy_table(measured)},
        values={
            "sizes": sizes,
            "seeds": numbers.seeds,
            "ours": 100 * measured.scores[ICL, "", RADIAL].averaged(sizes.lengths).mean(),
            "bound": measured.bound[RADIAL].mean(),
            "few_particles": numbers.warned("EffectiveSampleSizeWarning"),
            "means": {family: plots.mean_accuracies(measured, family) for family in PLACES},
            "trained": list(FAMILIES),
            "n_shown": sizes.n_shown,
        },
        files={"shift": measured.shifted.frame("learner", "scale", "family")},
    )


STUDY = lab.Study("selection", PROFILES, plan, present)
