"""Figures and words of the study `selection`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from ctxlearn import lab
from ctxlearn.episodes import Tasks
from ctxlearn.learners import Learner
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies.arms import STYLES
from ctxlearn.studies.regions import decided_map, draw_map, draw_points
from ctxlearn.studies.selection.claims import RADIAL, Found
from ctxlearn.tasks import Radial

BEHIND_RADIAL = 0.884
"""Accuracy of the best rule that knows the radial family and sees no context."""


def accuracy_section(measured: Found) -> lab.Section:
    """Part (a): every learner on the three families and on radial."""
    families = [str(key[0]) for key in measured.bound]
    names = list(dict.fromkeys(str(key[0]) for key in measured.scores))
    rows = [[name, *(f"{measured.accuracy(name, family).mean():.2f}" for family in families)] for name in names]
    for words, found in (
        ("hindsight bound (fewer lengths)", measured.bound),
        ("in-context model decides as Bayes of the mixture (%)", measured.agreement),
    ):
        rows.append([words, *(f"{found[family].mean():.2f}" for family in families)])
    return lab.Section(
        "In-context model, selectors and Bayes",
        [
            "A selector picks, for each task and from its context alone, one of three learners, each trained on its own family:"
            " by leave-one-out log-loss on the context, or by how probable the context is under each learner's family; the soft"
            " ones weigh the three instead of picking. The hindsight bound picks the learner that is best on 256 labelled queries"
            " and is scored on 256 others: no selector can beat it.",
            "Bayes of the mixture is the best possible predictor on the training mixture; off it, on radial tasks, it is what"
            " its posterior makes of them. Bayes of the family knows the family: the ceiling.",
        ],
        [_accuracy_figure(measured, family) for family in families],
        [lab.Table("Accuracy in %, mean over context lengths from 1 on", ["", *families], rows)],
    )


def _accuracy_figure(measured: Found, family: str) -> lab.Figure:
    own = lab.Samples({key: one for key, one in measured.scores.items() if key[2] == family})
    curves = own.curves("learner", "trained on", "family")
    figure, axes = lab.grid(1, 1, width=5.0, height=5.2)
    axis = axes[0][0]
    lab.draw_lines(axis, curves, x="n_context", by="learner", styles=STYLES, scale=100)
    lab.draw_levels(axis, {"chance": 50}, STYLES)
    if family == RADIAL:
        lab.draw_levels(axis, {"family known, no context": 100 * BEHIND_RADIAL}, STYLES)
    axis.set_title(f"{family} tasks", loc="left", fontsize=10)
    axis.set_xlabel("labelled points in the context, n")
    axis.set_ylabel("accuracy on the next point (%)")
    axis.set_ylim(45, 101)
    lab.legend_below(axis)
    means = (f"{key[0]} {measured.accuracy(str(key[0]), family).mean():.1f}" for key in own)
    return lab.Figure(
        f"selection-{family}",
        figure,
        f"{family}{' (none trained on it)' if family == RADIAL else ''}. Bands: 95 % intervals.",
        f"Accuracy against context length on {family} tasks; means over lengths: {', '.join(means)} percent.",
    )


MAP = "one radial task"


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


def map_measurements(learners: lab.Contestants, n_context: int) -> list[lab.Measurement]:
    """One map of each."""
    return [
        lab.Measurement((MAP, n_context, name), 0, lab.call(task_map, learner, n_context))
        for name, learner in learners.items()
    ]


def regions_section(numbers: lab.Numbers) -> lab.Section:
    """Part (b): what each makes of one radial task."""
    maps = [key for key in numbers.measured if key[0] == MAP]
    n_context = int(maps[0][1])
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
        axis.set_title(str(key[2]), loc="left", fontsize=9)
        axis.set_aspect("equal")
        axis.set_xlabel("feature 1")
        axis.set_ylabel("feature 2")
    for axis in panels[len(maps) :]:
        axis.set_visible(False)
    drawn = lab.Figure(
        "selection-regions",
        figure,
        f"Decision regions on one radial task from the same {n_context} labelled points; dashed: the true circle.",
        "Maps of the plane, each divided in two regions by one learner; only Bayes of radial closes a circle exactly.",
    )
    return lab.Section("One radial task, seen by each", ["The shaded side gets that colour's answer."], [drawn])


def shift_section(measured: Found, scales: Sequence[float]) -> lab.Section:
    """Part (c): accuracy when inputs are scaled at test time."""
    intervals = measured.shifted.map(lambda found: 100 * found.averaged()).intervals()
    table = lab.interval_rows(intervals, "learner scale family").astype({"scale": float})
    figures = [_shift_figure(part, str(family)) for family, part in table.groupby("family", sort=False)]
    return lab.Section(
        "Under shift",
        [
            f"The inputs of each family are spread s times as far around the same parameters, s up to {scales[-1]:g}. Bayes of the family"
            " knows the scale: the ceiling. Bayes of the mixture believes the scale is 1: what a perfectly fitted model would do.",
        ],
        figures,
    )


def _shift_figure(table: pd.DataFrame, family: str) -> lab.Figure:
    drawing = lab.lines(
        table,
        x="scale",
        by="learner",
        panel="family",
        styles=STYLES,
        spread="bars",
        levels={"chance": 50},
        title=lambda name: f"{name} tasks",
        x_label="scale of the inputs at test time (training: 1)",
        y_label="accuracy (%), mean over n >= 1",
        y_range=(45, 101),
        size=(4.6, 4.1),
        legend_columns=2,
    )
    return lab.Figure(
        f"shift-{family}",
        drawing,
        f"{family}: accuracy as the inputs grow beyond those of training. Bars: 95 % intervals.",
        f"Accuracy on {family} tasks against the scale of the inputs, for the in-context model, selection and two Bayes predictors.",
    )
