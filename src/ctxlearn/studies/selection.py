"""Figure 3: is in-context learning a choice among known algorithms?

Refuted by: a selector among the three classical learners, or the bound that no hard choice can beat, that is as good as the
in-context model on radial tasks, for which none of the three is right; or an in-context model that keeps its accuracy
under shift better than selection does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from ctxlearn import lab
from ctxlearn.configurable import with_argument
from ctxlearn.episodes import Tasks
from ctxlearn.evaluation.hindsight import hindsight
from ctxlearn.learners import Learner
from ctxlearn.references import AlgorithmSelection, BayesOptimal
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies import arms, optimal
from ctxlearn.studies.arms import BAYES_FAMILY, BAYES_MIXTURE, CAUSAL, FAMILIES, ICL, MIXTURE, mixture
from ctxlearn.studies.regions import decided_map, draw_map, draw_points
from ctxlearn.tasks import Radial, TaskFamily

RADIAL = "radial"
BOUND = "hindsight bound"
SELECTORS = {
    "selection, leave-one-out": ("loo", False),
    "selection, soft leave-one-out": ("loo", True),
    "selection, evidence": ("evidence", False),
    "selection, soft evidence": ("evidence", True),
}
"""Rule of each selector, and whether it is soft."""
SELECTOR = next(iter(SELECTORS))
UNIT = "points of accuracy, mean over n >= 1, same tasks"
BEHIND_RADIAL = 0.884
"""Accuracy of the best rule that knows the radial family and sees no context."""
MAP = "one radial task"
LENGTHS = (1, 2, 4, 8, 16, 32, 49)
PLACES: dict[str, TaskFamily] = {**FAMILIES, RADIAL: Radial()}


@dataclass(frozen=True)
class Sizes:
    """Sizes of one profile."""

    trained: optimal.Sizes  # the sizes of the study `optimal`, whose models these are
    n_tasks: int  # test tasks per family and seed
    shift_tasks: int  # test tasks per family, scale and seed
    hindsight_queries: int  # queries the hindsight bound chooses by, and as many it is scored on
    scales: tuple[float, ...]  # scales of the inputs at test time; training is at 1

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

    def bayes(family: TaskFamily) -> dict[str, BayesOptimal]:
        return {BAYES_MIXTURE: BayesOptimal(mixture()), BAYES_FAMILY: BayesOptimal(family)}

    planned: list[lab.Planned] = []
    n_points, measures = sizes.trained.n_points, (lab.score, lab.decision)
    for place, family in PLACES.items():
        contestants = {**models, **selectors, **bayes(family)}
        cell = lab.Cell(("", place), family, contestants, seed, sizes.n_tasks, n_points, measures=measures)
        planned += [cell, _bound(sizes, members, cell)]
    for place, family in FAMILIES.items():
        for scale in sizes.scales:
            shifted = with_argument(family, "scale", scale)
            compared = {ICL: models[ICL], CAUSAL: models[CAUSAL], SELECTOR: selectors[SELECTOR], **bayes(shifted)}
            planned.append(lab.Cell((f"{scale:g}", place), shifted, compared, seed, sizes.shift_tasks, n_points))
    if seed == 0:
        shown = {
            "in-context transformer": models[ICL],
            "causal in-context transformer": models[CAUSAL],
            **{arms.MADE_FOR[family]: member for family, member in members.items()},
            "selection": selectors[SELECTOR],
            BAYES_MIXTURE: BayesOptimal(mixture()),
            "Bayes of radial": BayesOptimal(Radial()),
        }
        planned += [
            lab.Measurement((MAP, sizes.n_shown, name), 0, lab.call(task_map, learner, sizes.n_shown))
            for name, learner in shown.items()
        ]
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


def one_task(n_context: int) -> tuple[Tasks, list[torch.Tensor]]:
    """A radial task with its radius, and the sides of a map around it."""
    tasks = Radial().sample(1, n_context, generator=generator_for(0, Stream.TEST, 7), with_parameters=True)
    reach = max(1.8 * float(tasks.parameters["radius"][0]), 1.05 * float(tasks.x.abs().max()))
    side = torch.linspace(-reach, reach, 90)
    return tasks, [side, side]


def task_map(learner: Learner, n_context: int) -> dict[str, np.ndarray]:
    """Measures "map": what a learner answers on the map of that task, (90, 90)."""
    tasks, sides = one_task(n_context)
    return {"map": decided_map(learner, tasks.x, tasks.y, torch.cartesian_prod(*sides)[None])}


@dataclass(frozen=True)
class Found:
    """What was measured.

    Attributes:
        scores: accuracy by learner, "" and family, at scale 1.
        accuracy: by learner and family, the same in %, mean over n >= 1.
        shifted: accuracy by learner, scale and family.
        bound: by family, accuracy in % of the hindsight bound, mean over its lengths.
        agreement: by family, in % of n >= 1, how often the in-context model decides as the mixture's posterior.
    """

    scores: lab.Samples
    accuracy: lab.Samples
    shifted: lab.Samples
    bound: lab.Samples
    agreement: lab.Samples


def found(numbers: lab.Numbers) -> Found:
    """Sort what was measured."""
    every, decided = numbers["score"], numbers["decision"].part(None, "")
    agreement = {
        (family,): (decided[ICL, family] - decided[BAYES_MIXTURE, family]).apply(lambda gap: gap == 0)
        for family in decided.values_of(1)
    }
    return Found(
        lab.Samples({key: one for key, one in every.items() if key[1] == ""}),
        every.part(None, "").averaged(100),
        lab.Samples({key: one for key, one in every.items() if key[1] != ""}),
        numbers["bound"].part(BOUND, "").map(lambda one: 100 * one),
        lab.Samples(agreement).averaged(100),
    )


def decide_claims(measured: Found, lengths: Sequence[int], scales: Sequence[float]) -> list[lab.Claim]:
    """Every claim of the study, by group."""
    claims = []
    accuracy = measured.accuracy.part(None, RADIAL)
    for learner, words, short in ((ICL, "in-context model", "icl"), (CAUSAL, "causal in-context model", "causal-icl")):
        says = [
            lab.Says(
                f"{short}-exceeds-{name.replace(', ', '-').replace(' ', '-')}-on-radial",
                f"On radial tasks, which nothing was trained on, the {words} is better than {name}",
                f"{words} minus {name}, {UNIT}",
                accuracy[learner] - accuracy[name],
            )
            for name in SELECTORS
        ]
        bound = lab.Says(
            f"{short}-exceeds-hindsight-on-radial",
            f"On radial tasks the {words} is better than the best of the three learners picked with hindsight",
            f"{words} minus hindsight bound, points of accuracy, mean over n in {list(lengths)}, same contexts",
            100 * measured.scores[learner, "", RADIAL].averaged(lengths) - measured.bound[RADIAL],
        )
        claims += lab.together("radial" if learner == ICL else "radial-causal", [*says, bound])
    claims += lab.together("shift", [_loses_more(measured, family, scales) for family in FAMILIES])
    home = lab.average([measured.agreement[family] for family in FAMILIES])
    return claims + lab.together(
        "posterior-off-distribution",
        [
            lab.Says(
                "icl-is-the-mixtures-posterior-on-radial-accuracy",
                "Off its distribution, on radial tasks, the in-context model is within 1 point below the mixture's posterior",
                f"Bayes of the mixture minus in-context model, {UNIT}",
                accuracy[BAYES_MIXTURE] - accuracy[ICL],
                threshold=1.0,
                better="below",
            ),
            lab.Says(
                "icl-follows-the-mixtures-posterior-less-on-radial",
                "On radial tasks the in-context model decides as the mixture's posterior less often than on the families it knows",
                "agreement of decisions with Bayes of the mixture, in points: mean over the three families minus radial, n >= 1",
                home.minus_unpaired(measured.agreement[RADIAL]),
            ),
        ],
    )


def _loses_more(measured: Found, family: str, scales: Sequence[float]) -> lab.Says:
    """What the in-context model loses under shift against what selection loses."""
    first, last = (f"{scales[i]:g}" for i in (0, -1))
    accuracy = measured.shifted.part(None, None, family).averaged(100)

    def lost(name: str) -> lab.Paired:
        return accuracy[name, first].minus_unpaired(accuracy[name, last])

    return lab.Says(
        f"icl-loses-more-under-shift-{family}",
        f"When the inputs of {family} tasks are {last} times as large, the in-context model loses more than selection",
        f"loss of the in-context model minus loss of selection, {UNIT}",
        lost(ICL) - lost(SELECTOR),
    )


def accuracy_table(measured: Found) -> list[dict[str, str]]:
    """Every learner on the three families and on radial."""
    rows: dict[str, lab.Samples] = {
        **{name: measured.accuracy.part(name) for name in measured.accuracy.values_of(0)},
        "hindsight bound (fewer lengths)": measured.bound,
        "in-context model decides as Bayes of the mixture (%)": measured.agreement,
    }
    return [
        {"": words, **{str(family): f"{found.mean():.2f}" for (family,), found in row.items()}}
        for words, row in rows.items()
    ]


def mean_accuracies(measured: Found, family: str) -> list[str]:
    """Every learner and its accuracy in %."""
    return [f"{name} {found.mean():.1f}" for (name,), found in measured.accuracy.part(None, family).items()]


def accuracy_figure(scores: lab.Samples, family: str) -> Figure:
    """Every learner on a family at each context length."""
    figure, ((axis,),) = lab.grid(1, 1, width=5.0, height=5.2)
    curves = scores.part(None, "", family).curves("learner")
    lab.draw_lines(axis, curves, x="n_context", by="learner", styles=arms.STYLES, scale=100)
    lab.draw_levels(axis, {"chance": 50}, arms.STYLES)
    if family == RADIAL:
        lab.draw_levels(axis, {"family known, no context": 100 * BEHIND_RADIAL}, arms.STYLES)
    words = "accuracy on the next point (%)"
    lab.name_axes(axis, arms.N_LABELLED, words, title=f"{family} tasks", y_range=(45, 101))
    lab.legend_below(axis)
    return figure


def regions_figure(numbers: lab.Numbers, n_context: int) -> Figure:
    """What each makes of one radial task."""
    maps = [key for key in numbers.measured if key[0] == MAP]
    tasks, sides = one_task(n_context)
    radius, angle = float(tasks.parameters["radius"][0]), np.linspace(0, 2 * np.pi, 200)
    columns = 4
    rows = -(-len(maps) // columns)
    figure, axes = lab.grid(rows, columns, width=2.7 * columns, height=2.9 * rows)
    panels = [axis for row in axes for axis in row]
    for axis, key in zip(panels, maps, strict=False):
        draw_map(axis, sides, numbers.array(*key, name="map"))
        axis.plot(radius * np.cos(angle), radius * np.sin(angle), color="black", linewidth=1, linestyle="--")
        draw_points(axis, tasks.x[0], tasks.y[0], size=18)
        axis.set_aspect("equal")
        lab.name_axes(axis, "feature 1", "feature 2", title=str(key[2]))
    for axis in panels[len(maps) :]:
        axis.set_visible(False)
    return figure


def shift_figures(measured: Found) -> dict[str, Figure]:
    """By family, accuracy when inputs are scaled at test time."""
    table = lab.interval_rows(measured.shifted.averaged(100), "learner scale family").astype({"scale": float})
    return {f"shift-{family}": _shift_figure(part) for family, part in table.groupby("family", sort=False)}


def _shift_figure(table: pd.DataFrame) -> Figure:
    return lab.lines(
        table,
        x="scale",
        by="learner",
        panel="family",
        styles=arms.STYLES,
        spread="bars",
        levels={"chance": 50},
        title=lambda name: f"{name} tasks",
        x_label="scale of the inputs at test time (training: 1)",
        y_label="accuracy (%), mean over n >= 1",
        y_range=(45, 101),
        size=(4.6, 4.1),
        legend_columns=2,
    )


def present(sizes: Sizes, numbers: lab.Numbers) -> lab.Page:
    """The page."""
    measured = found(numbers)
    return lab.page_from_template(
        Path(__file__).with_suffix(".md"),
        decide_claims(measured, sizes.lengths, sizes.scales),
        measured.scores.frame("learner", "trained_on", "family"),
        figures={
            **{f"selection-{family}": accuracy_figure(measured.scores, family) for family in PLACES},
            "selection-regions": regions_figure(numbers, sizes.n_shown),
            **shift_figures(measured),
        },
        tables={"accuracy": accuracy_table(measured)},
        values={
            "sizes": sizes,
            "seeds": numbers.seeds,
            "ours": 100 * measured.scores[ICL, "", RADIAL].averaged(sizes.lengths).mean(),
            "bound": measured.bound[RADIAL].mean(),
            "few_particles": numbers.warned("EffectiveSampleSizeWarning"),
            "means": {family: mean_accuracies(measured, family) for family in PLACES},
            "trained": list(FAMILIES),
            "n_shown": sizes.n_shown,
        },
        files={"shift": measured.shifted.frame("learner", "scale", "family")},
    )


STUDY = lab.Study("selection", PROFILES, plan, present)
