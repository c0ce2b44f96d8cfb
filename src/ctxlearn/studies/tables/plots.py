"""Figures of the study `tables`; `page.md` has their captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ctxlearn import lab
from ctxlearn.real_tables import MAJORITY, NAMES, RANKED, SHIPPED
from ctxlearn.real_tables.ranking import Ranking, table_scores
from ctxlearn.real_tables.ranking_diagram import draw_ranking

COLOURS = dict(
    zip(NAMES, (lab.BLUE, "#8B5A2B", lab.GREY, lab.ORANGE, lab.GREEN, lab.PINK, lab.YELLOW, lab.BLACK), strict=True)
)
MARKERS = dict(zip(NAMES, ("o", "s", "v", "^", "D", "P", "X", ""), strict=True))
STYLES = {name: lab.Style(COLOURS[name], marker=MARKERS[name], width=1.2) for name in NAMES}
STYLES |= {
    SHIPPED: lab.Style(COLOURS[SHIPPED], marker=MARKERS[SHIPPED], width=2.4, order=3),
    MAJORITY: lab.Style(COLOURS[MAJORITY], lab.DOTTED, label="chance (majority)"),
}


def draw_scores(draws: pd.DataFrame, sizes: Sequence[int]) -> Figure:
    """Accuracy, log-loss and area under the ROC curve against the rows of the context, means over tables."""
    figure, (axes,) = lab.grid(1, 3, width=13.5, height=4.6)
    measures = {
        "accuracy": ("accuracy", "%", 100.0),
        "log_loss": ("log-loss", "nats; less is better", 1.0),
        "auc": ("area under the ROC curve", "1 is best", 1.0),
    }
    for axis, (measure, (words, unit, factor)) in zip(axes, measures.items(), strict=True):
        rows = [
            {"learner": name, "rows": n, "mean": float(table_scores(draws, measure, (n,), [name])[name].mean())}
            for name in (RANKED if measure == "auc" else NAMES)
            for n in sizes
        ]
        lab.draw_lines(axis, pd.DataFrame(rows), x="rows", by="learner", styles=STYLES, spread="none", scale=factor)
        if measure == "auc":
            lab.draw_levels(axis, {MAJORITY: 0.5}, STYLES)
        _rows_axis(axis, sizes, f"{words} ({unit})", words)
    lab.shared_legend(figure, axes[0], 4)
    return figure


def draw_rankings(rankings: Mapping[str, Ranking]) -> Figure:
    """Critical-difference pictures, one per ranking, by title."""
    figure, axes = lab.grid(len(rankings), 1, width=8.6, height=2.75 * len(rankings))
    for (axis,), (title, ranking) in zip(axes, rankings.items(), strict=True):
        with mpl.rc_context(lab.RC):
            draw_ranking(axis, ranking, COLOURS, SHIPPED)
        chance = "< 0.001" if ranking.p_value < 0.001 else f"= {ranking.p_value:.3f}"
        axis.set_title(f"{title}; Friedman's p {chance}", loc="left", fontsize=10)
    return figure


def draw_differences(table: pd.DataFrame) -> Figure:
    """How much more accurate the shipped model is than each rival, with 95 % intervals over tables."""
    styles = {name: lab.Style(COLOURS[name], "", MARKERS[name], label=f"minus {name}") for name in RANKED}
    return lab.lines(
        table.rename(columns={"difference": "mean"}).astype({"n_context": str}),
        x="n_context",
        by="rival",
        styles=styles,
        spread="bars",
        scale=100,
        apart=0.11,
        levels={"as accurate": 0.0},
        x_label="labelled rows in the context",
        y_label="accuracy of the in-context model\nminus the rival's (points of %)",
        size=(9.6, 3.7),
        legend_columns=4,
    )


def draw_reliability(calibration: pd.DataFrame, sizes: Sequence[int]) -> Figure:
    """How often answers of a given confidence are right, a small size and the largest side by side."""
    shown = (sizes[min(1, len(sizes) - 2)], sizes[-1])
    figure, (axes,) = lab.grid(1, len(shown), width=5.6 * len(shown), height=4.9)
    answered = (
        calibration.groupby(["n_context", "learner", "bin"])[["answers", "confidence", "right"]].sum().reset_index()
    )
    for axis, n in zip(axes, shown, strict=True):
        part = answered[(answered["n_context"] == n) & (answered["learner"] != MAJORITY)]
        part = part[part["answers"] >= 0.005 * part.groupby("learner")["answers"].transform("sum")]
        part = part.assign(said=100 * part["confidence"] / part["answers"], mean=part["right"] / part["answers"])
        lab.draw_lines(axis, part, x="said", by="learner", styles=STYLES, spread="none", scale=100)
        axis.plot([0, 100], [0, 100], color="#444444", linewidth=1, linestyle="--", label="as right as it says")
        axis.set_xlim(10, 101)
        title, said, right = f"{n} rows of context", "probability given to the answer (%)", "answers that are right (%)"
        lab.name_axes(axis, said, right, title=title, y_range=(10, 101))
    lab.shared_legend(figure, axes[0], 4)
    return figure


def draw_times(times: pd.DataFrame, sizes: Sequence[int]) -> Figure:
    """Milliseconds to fit, tuning included, and to answer 100 rows."""
    figure, (axes,) = lab.grid(1, 2, width=10.5, height=4.2)
    words = {"fit_ms": "fit, tuning included", "predict_ms": "predict up to 100 rows"}
    for axis, (column, title) in zip(axes, words.items(), strict=True):
        ranked = times[times["learner"] != MAJORITY].rename(columns={column: "mean"})
        lab.draw_lines(axis, ranked, x="n_context", by="learner", styles=STYLES, spread="none")
        _rows_axis(axis, sizes, "time (ms), median over draws", title)
        axis.set_yscale("log")
    lab.shared_legend(figure, axes[0], 4)
    return figure


def _rows_axis(axis: Axes, sizes: Sequence[int], y_label: str, title: str) -> None:
    lab.name_axes(axis, "labelled rows in the context", y_label, title=title)
    axis.set_xscale("log", base=2)
    axis.set_xticks(list(sizes), [str(n) for n in sizes])
    axis.minorticks_off()
