"""Figures and tables of the study `selection`, and the map of one task."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from ctxlearn import lab
from ctxlearn.episodes import Tasks
from ctxlearn.learners import Learner
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies import arms
from ctxlearn.studies.regions import decided_map, draw_map, draw_points
from ctxlearn.studies.selection.claims import RADIAL, Found
from ctxlearn.tasks import Radial

BEHIND_RADIAL = 0.884
"""Accuracy of the best rule that knows the radial family and sees no context."""
MAP = "one radial task"


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
