"""Figures of the study `tables`; `page.md` has their captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ctxlearn import lab
from ctxlearn.real_tables import MAJORITY, NAMES, RANKED, SHIPPED
from ctxlearn.real_tables.ranking import Ranking, groups, table_scores

COLOURS = {
    SHIPPED: "#0072B2",
    "logistic regression": "#8B5A2B",
    "k nearest neighbours": "#999999",
    "support vector machine": "#D55E00",
    "Gaussian process": "#009E73",
    "random forest": "#CC79A7",
    "gradient boosting": "#E69F00",
    MAJORITY: "#000000",
}
MARKERS = dict(zip(NAMES, ("o", "s", "v", "^", "D", "P", "X", ""), strict=True))
STYLES = {name: lab.Style(COLOURS[name], marker=MARKERS[name], width=1.2) for name in NAMES}
STYLES |= {
    SHIPPED: lab.Style(COLOURS[SHIPPED], marker=MARKERS[SHIPPED], width=2.4, order=3),
    MAJORITY: lab.Style(COLOURS[MAJORITY], lab.DOTTED, label="chance (majority)"),
}


def draw_scores(draws: pd.DataFrame, sizes: Sequence[int]) -> Figure:
    """Accuracy, log-loss and area under the ROC curve against the rows of the context, means over tables."""
    figure, axes = lab.grid(1, 3, width=13.5, height=4.6)
    measures = (
        ("accuracy", "accuracy (%)", 100.0),
        ("log_loss", "log-loss (nats)", 1.0),
        ("auc", "area under the ROC curve", 1.0),
    )
    for axis, (measure, words, factor) in zip(axes[0], measures, strict=True):
        drawn = RANKED if measure == "auc" else NAMES
        rows = [
            {"learner": name, "rows": n, "mean": float(table_scores(draws, measure, (n,), [name])[name].mean())}
            for name in drawn
            for n in sizes
        ]
        lab.draw_lines(axis, pd.DataFrame(rows), x="rows", by="learner", styles=STYLES, spread="none", scale=factor)
        if measure == "auc":
            lab.draw_levels(axis, {MAJORITY: 0.5}, STYLES)
        _rows_axis(axis, sizes)
        axis.set_ylabel(f"{words}, mean over tables")
        axis.set_title(words.split(" (")[0] + (" (less is better)" if measure == "log_loss" else ""), loc="left")
    lab.shared_legend(figure, axes[0][0], 4)
    return figure


def draw_rankings(rankings: Mapping[str, Ranking]) -> Figure:
    """Critical-difference pictures, one per ranking, by title."""
    figure, axes = lab.grid(len(rankings), 1, width=8.6, height=2.75 * len(rankings))
    for (axis,), (title, ranking) in zip(axes, rankings.items(), strict=True):
        with mpl.rc_context(lab.RC):
            _draw_ranking(axis, ranking)
        chance = "< 0.001" if ranking.p_value < 0.001 else f"= {ranking.p_value:.3f}"
        axis.set_title(f"{title}; Friedman's p {chance}", loc="left", fontsize=10)
    return figure


def _draw_ranking(axis: Axes, ranking: Ranking) -> None:
    """The axis of ranks on top, a leader line from each average rank down to its name, bars that join those alike."""
    k = len(ranking.learners)
    order = sorted(ranking.average.items(), key=lambda item: item[1])
    joined = groups(ranking)
    half = -(-k // 2)
    top, step = 0.35 + 0.22 * len(joined), 0.5
    axis.set_xlim(0.1, k + 0.9)
    axis.set_ylim(-(top + half * step), 1.15)
    axis.grid(False)
    for side in ("left", "bottom"):
        axis.spines[side].set_visible(False)
    axis.set_yticks([])
    axis.set_xticks([])
    axis.plot([1, k], [0, 0], color="black", linewidth=1)
    for r in range(1, k + 1):
        axis.plot([r, r], [0, 0.1], color="black", linewidth=1)
        axis.text(r, 0.16, str(r), ha="center", va="bottom", fontsize=8)
    axis.text((1 + k) / 2, 0.62, "average rank", ha="center", va="bottom", fontsize=8)
    length = min(ranking.critical_difference, k - 1)
    axis.plot([1, 1 + length], [0.72, 0.72], color="black", linewidth=2)
    axis.text(1, 0.8, f"CD = {ranking.critical_difference:.2f}", ha="left", va="bottom", fontsize=8)
    for place, (name, value) in enumerate(order):
        left = place < half
        row = place if left else k - 1 - place
        y, end = -(top + row * step), 0.75 if left else k + 0.25
        bold = "bold" if name == SHIPPED else "normal"
        axis.plot([value, value, end], [0, y, y], color=COLOURS[name], linewidth=2.2 if name == SHIPPED else 1.2)
        axis.text(
            end + (0.08 if left else -0.08), y + 0.05, f"{name} {value:.2f}", ha="left" if left else "right", va="bottom",
            fontsize=8.5, fontweight=bold,
        )  # fmt: skip
    for number, (first, last) in enumerate(joined):
        y = -(0.18 + 0.22 * number)
        axis.plot([first - 0.04, last + 0.04], [y, y], color="black", linewidth=3.5, solid_capstyle="butt", zorder=4)


def draw_differences(table: pd.DataFrame) -> Figure:
    """How much more accurate the shipped model is than each rival, with 95 % intervals over tables."""
    figure, axes = lab.grid(1, 1, width=9.6, height=4.2)
    axis = axes[0][0]
    styles = {name: lab.Style(COLOURS[name], "", MARKERS[name], label=f"minus {name}") for name in RANKED}
    shown = table.rename(columns={"difference": "mean"}).astype({"n_context": str})
    lab.draw_lines(axis, shown, x="n_context", by="rival", styles=styles, spread="bars", scale=100, apart=0.11)
    axis.axhline(0, color="#444444", linewidth=1)
    axis.set_xlabel("labelled rows in the context")
    axis.set_ylabel("accuracy of the in-context model\nminus the rival's (points of %)")
    lab.shared_legend(figure, axis, 3)
    return figure


def draw_reliability(calibration: pd.DataFrame, sizes: Sequence[int]) -> Figure:
    """How often answers of a given confidence are right, a small size and the largest side by side."""
    shown = (sizes[min(1, len(sizes) - 2)], sizes[-1])
    figure, axes = lab.grid(1, len(shown), width=5.6 * len(shown), height=4.9)
    for axis, n in zip(axes[0], shown, strict=True):
        part = calibration[calibration["n_context"] == n]
        for name in RANKED:
            counts = part[part["learner"] == name].groupby("bin")[["answers", "confidence", "right"]].sum()
            counts = counts[counts["answers"] >= 0.005 * counts["answers"].sum()]
            axis.plot(
                100 * counts["confidence"] / counts["answers"], 100 * counts["right"] / counts["answers"],
                marker=MARKERS[name], markersize=4, color=COLOURS[name], linewidth=2.4 if name == SHIPPED else 1.1,
                zorder=3 if name == SHIPPED else 2, label=name,
            )  # fmt: skip
        axis.plot([0, 100], [0, 100], color="#444444", linewidth=1, linestyle="--", label="as right as it says")
        axis.set_xlim(10, 101)
        axis.set_ylim(10, 101)
        axis.set_xlabel("probability given to the answer (%)")
        axis.set_ylabel("answers that are right (%)")
        axis.set_title(f"{n} rows of context", loc="left")
    lab.shared_legend(figure, axes[0][0], 4)
    return figure


def draw_times(times: pd.DataFrame, sizes: Sequence[int]) -> Figure:
    """Milliseconds to fit, tuning included, and to answer 100 rows."""
    figure, axes = lab.grid(1, 2, width=10.5, height=4.2)
    for axis, (column, words) in zip(
        axes[0], (("fit_ms", "fit, tuning included"), ("predict_ms", "predict up to 100 rows")), strict=True
    ):
        ranked = times[times["learner"] != MAJORITY].rename(columns={column: "mean"})
        lab.draw_lines(axis, ranked, x="n_context", by="learner", styles=STYLES, spread="none")
        _rows_axis(axis, sizes)
        axis.set_yscale("log")
        axis.set_ylabel("time (ms), median over draws")
        axis.set_title(words, loc="left")
    lab.shared_legend(figure, axes[0][0], 4)
    return figure


def _rows_axis(axis: Axes, sizes: Sequence[int]) -> None:
    axis.set_xscale("log", base=2)
    axis.set_xticks(list(sizes), [str(n) for n in sizes])
    axis.minorticks_off()
    axis.set_xlabel("labelled rows in the context")
