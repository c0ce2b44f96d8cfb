"""Figures and words of the study `selection`."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.colors import ListedColormap

from ctxlearn.evaluation.statistics import mean_interval
from ctxlearn.learners import Learner
from ctxlearn.report import RC
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies.base import Figure, Section, Table
from ctxlearn.studies.drawing import COLOURS, STYLES, draw_accuracy, label, legend_below, new_figure
from ctxlearn.studies.scores import Scores
from ctxlearn.tasks import Radial

BEHIND_RADIAL = 0.884
"""Accuracy of the best rule that knows the radial family and sees no context."""


def accuracy_section(scores: Scores, bound: Mapping[str, np.ndarray], agreement: Mapping[str, np.ndarray]) -> Section:
    """Part (a): every learner on the three families and on radial."""
    figures = []
    names = list(dict.fromkeys(key[0] for key in scores.values))
    for family in bound:
        figure, axes = new_figure(1, 1, width=5.0, height=5.2)
        axis = axes[0][0]
        curves = {name: scores.curve(name, "", family) for name in names}
        draw_accuracy(axis, curves, title=f"{family} tasks", chance=0.5, bold=("InContextTransformer",))
        if family == "radial":
            axis.axhline(
                100 * BEHIND_RADIAL, color="#666666", linestyle="--", linewidth=0.8, label="family known, no context"
            )
        axis.set_ylim(45, 101)
        legend_below(axis)
        means = {name: 100 * float(scores.values[name, "", family][..., 1:].mean()) for name in names}
        figures.append(
            Figure(
                f"selection-{family}",
                figure,
                f"{family}{' (none trained on it)' if family == 'radial' else ''}. Bands: 95 % intervals.",
                f"Accuracy against context length on {family} tasks; means over lengths: "
                + ", ".join(f"{name} {value:.1f}" for name, value in means.items())
                + " percent.",
            )
        )
    rows = [[name, *(f"{scores.per_task(name, '', family).mean():.2f}" for family in bound)] for name in names]
    rows.append(["hindsight bound (fewer lengths)", *(f"{bound[family].mean():.2f}" for family in bound)])
    rows.append(
        [
            "in-context model decides as Bayes of the mixture (%)",
            *(f"{agreement[family].mean():.2f}" for family in bound),
        ]
    )
    return Section(
        "In-context model, selectors and Bayes",
        [
            "A selector picks, for each task and from its context alone, one of three learners, each trained on its own family:"
            " by leave-one-out log-loss on the context, or by how probable the context is under each learner's family; the soft"
            " ones weigh the three instead of picking. The hindsight bound picks the learner that is best on 256 labelled queries"
            " and is scored on 256 others: no selector can beat it.",
            "Bayes of the mixture is the best possible predictor on the training mixture; off it, on radial tasks, it is what"
            " its posterior makes of them. Bayes of the family knows the family: the ceiling.",
        ],
        figures,
        [Table("Accuracy in %, mean over context lengths from 1 on", ["", *bound], rows)],
    )


def regions_section(learners: Mapping[str, Learner], n_context: int) -> Section:
    """Part (b): what each makes of one radial task."""
    family = Radial()
    tasks = family.sample(1, n_context, generator=generator_for(0, Stream.TEST, 7), with_parameters=True)
    radius = float(tasks.parameters["radius"][0])
    reach = max(1.8 * radius, 1.05 * float(tasks.x.abs().max()))
    side = torch.linspace(-reach, reach, 90)
    grid = torch.cartesian_prod(side, side)[None]
    columns = 4
    rows = -(-len(learners) // columns)
    figure, axes = new_figure(rows, columns, width=2.7 * columns, height=2.9 * rows)
    panels = [axis for row in axes for axis in row]
    shades = ListedColormap(["#cfe3f3", "#fbdcc4"])
    for axis, (name, learner) in zip(panels, learners.items(), strict=False):
        answer = learner(tasks.x, tasks.y, grid).argmax(-1)[0].numpy().reshape(90, 90)
        with mpl.rc_context(RC):
            axis.grid(False)
            axis.pcolormesh(
                side.numpy(), side.numpy(), answer.T, cmap=shades, vmin=0, vmax=1, shading="nearest", rasterized=True
            )
            angle = np.linspace(0, 2 * np.pi, 200)
            axis.plot(radius * np.cos(angle), radius * np.sin(angle), color="black", linewidth=1, linestyle="--")
            for c, colour in enumerate(("#0072B2", "#D55E00")):
                own = tasks.x[0][tasks.y[0] == c].numpy()
                axis.scatter(own[:, 0], own[:, 1], s=18, color=colour, edgecolor="black", linewidth=0.5, zorder=3)
        axis.set_title(name, loc="left", fontsize=9)
        axis.set_aspect("equal")
        axis.set_xlabel("feature 1")
        axis.set_ylabel("feature 2")
    for axis in panels[len(learners) :]:
        axis.set_visible(False)
    drawn = Figure(
        "selection-regions",
        figure,
        f"Decision regions on one radial task from the same {n_context} labelled points; dashed: the true circle.",
        "Maps of the plane, each divided in two regions by one learner; only Bayes of radial closes a circle exactly.",
    )
    return Section("One radial task, seen by each", ["The shaded side gets that colour's answer."], [drawn])


def shift_section(shifted: Scores, scales: tuple[float, ...]) -> Section:
    """Part (c): accuracy when inputs are scaled at test time."""
    families = list(dict.fromkeys(key[2] for key in shifted.values))
    names = list(dict.fromkeys(key[0] for key in shifted.values))
    figures = []
    for family in families:
        figure, axes = new_figure(1, 1, width=4.6, height=4.6)
        axis = axes[0][0]
        for name in names:
            found = [mean_interval(shifted.per_task(name, f"{scale:g}", family)) for scale in scales]
            middle = np.array([interval.value for interval in found])
            bars = [
                middle - [interval.low for interval in found],
                [interval.high for interval in found] - middle,
            ]
            axis.errorbar(scales, middle, yerr=bars, marker="o", ms=4, capsize=2, color=COLOURS.get(name, "#000000"),
                          linestyle=STYLES.get(name, "-"), label=label(name),
                          linewidth=2.2 if name == "InContextTransformer" else 1.3)  # fmt: skip
        axis.axhline(50, color=COLOURS["Chance"], linestyle=(0, (1, 3)), label="chance")
        axis.set_title(f"{family} tasks", loc="left", fontsize=10)
        axis.set_xlabel("scale of the inputs at test time (training: 1)")
        axis.set_ylabel("accuracy (%), mean over n >= 1")
        axis.set_ylim(45, 101)
        legend_below(axis)
        figures.append(
            Figure(
                f"shift-{family}",
                figure,
                f"{family}: accuracy as the inputs grow beyond those of training. Bars: 95 % intervals.",
                f"Accuracy on {family} tasks against the scale of the inputs, for the in-context model, selection and two Bayes predictors.",
            )
        )
    return Section(
        "Under shift",
        [
            "The inputs of each family are spread s times as far around the same parameters. Bayes of the family knows the scale:"
            " the ceiling. Bayes of the mixture believes the scale is 1: what a perfectly fitted model would do.",
        ],
        figures,
    )
