"""How figures of studies look: one colour a learner, chance and ceiling always there, axes with units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ctxlearn.evaluation.statistics import Interval
from ctxlearn.report import RC

# Okabe and Ito's colours, which people with any colour vision can tell apart
COLOURS = {
    "InContextTransformer": "#0072B2",
    "InContextTransformer (causal)": "#56B4E9",
    "MatchNet": "#D55E00",
    "MatchNet (paper)": "#E69F00",
    "ProtoNet": "#009E73",
    "CNP": "#CC79A7",
    "MAML": "#F0E442",
    "NearestNeighbor": "#999999",
    "LogisticRegression": "#8B5A2B",
    "NearestClassMean": "#009E73",
    "Chance": "#999999",
    "selection, leave-one-out": "#D55E00",
    "selection, soft leave-one-out": "#D55E00",
    "selection, evidence": "#009E73",
    "selection, soft evidence": "#009E73",
    "Bayes of the mixture": "#000000",
    "Bayes of the family": "#000000",
}
LABELS = {
    "InContextTransformer": "in-context transformer",
    "InContextTransformer (causal)": "causal in-context transformer",
    "MatchNet (paper)": "MatchNet, paper's variant",
    "NearestNeighbor": "1-nearest neighbour",
    "LogisticRegression": "logistic regression",
    "NearestClassMean": "nearest class mean",
    "Chance": "chance",
}
STYLES: dict[str, Any] = {
    "Bayes of the mixture": "--",
    "Bayes of the family": ":",
    "NearestNeighbor": ":",
    "LogisticRegression": "--",
    "Chance": (0, (1, 3)),
    "NearestClassMean": "-.",
    "selection, soft leave-one-out": "-.",
    "selection, soft evidence": "-.",
}


def shared_legend(figure: Figure, axes: Axes, columns: int) -> None:
    """What the lines of one of a figure's panels are, below all of them."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize=8, frameon=False)


def legend_below(axes: Axes, columns: int = 2) -> None:
    """A legend under the axes, where it hides no line."""
    axes.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=columns)


@dataclass(frozen=True)
class Curve:
    """A learner's score against context length, with the bounds of its interval."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def new_figure(rows: int, columns: int, width: float, height: float) -> tuple[Figure, list[list[Axes]]]:
    """A figure (inches) of its own canvas, in the house's style, and its axes by row and column."""
    with mpl.rc_context(RC):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
    return figure, [list(row) for row in axes]


def error_bars(shown: Sequence[Interval]) -> np.ndarray:
    """How far each interval reaches below and above its mean, (2, n), as matplotlib wants it."""
    return np.array([[i.value - i.low for i in shown], [i.high - i.value for i in shown]]).clip(0)


def label(name: str) -> str:
    """A learner's name as readers know it."""
    return LABELS.get(name, name)


def draw_accuracy(
    axes: Axes, curves: Mapping[str, Curve], *, title: str, chance: float | None, bold: Sequence[str] = ()
) -> None:
    """Accuracy in % against context length, one line a learner with its 95 % band."""
    for name, curve in curves.items():
        lengths = np.arange(len(curve.mean))
        colour = COLOURS.get(name, "#000000")
        axes.plot(
            lengths,
            100 * curve.mean,
            color=colour,
            linestyle=STYLES.get(name, "-"),
            linewidth=2.2 if name in bold else 1.3,
            label=label(name),
            zorder=3 if name in bold else 2,
        )
        axes.fill_between(lengths, 100 * curve.low, 100 * curve.high, color=colour, alpha=0.15, linewidth=0)
    if chance is not None:
        axes.axhline(100 * chance, color=COLOURS["Chance"], linestyle=STYLES["Chance"], linewidth=1.3, label="chance")
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlabel("labelled points in the context, n")
    axes.set_ylabel("accuracy on the next point (%)")
