"""The charts of the study `domains`."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ctxlearn import lab
from ctxlearn.studies.domains.metrics import CHANCE, GIVEN, KNOWN, UNKNOWN, Measured
from ctxlearn.studies.domains.settings import CLASSIFICATION, GAIN, ICL, M2, REGRESSION, Part

AXES = {REGRESSION: "excess squared error (units of y, squared)", CLASSIFICATION: "error rate (share of points)"}
CHANCES = {REGRESSION: "chance: answer 0", CLASSIFICATION: "chance: guess"}
WORDS = {ICL: "in-context learning", M2: "M2"}
STYLES = {
    ICL: lab.Style(lab.BLUE, marker="s", label=f"{WORDS[ICL]}, adapted"),
    M2: lab.Style(lab.ORANGE, marker="o", label=f"{WORDS[M2]}, adapted"),
    GIVEN: lab.Style(lab.BLACK, width=1.0),
    UNKNOWN: lab.Style(lab.BLACK, "--"),
    KNOWN: lab.Style(lab.BLACK, ":"),
    CHANCE: lab.Style(lab.GREY, "-."),
}
UNADAPTED = {arm: lab.Style(STYLES[arm].colour, "--", label=f"{WORDS[arm]}, not adapted") for arm in (ICL, M2)}


def draw_sizes(axes: Axes, name: str, part: Part, measured: Measured) -> None:
    """The error against the tasks adapted to, mean over context lengths."""
    arms = {(arm, f"{size:,}"): measured.mean(arm, size).interval() for arm in (ICL, M2) for size in part.sizes}
    lab.draw_lines(axes, lab.interval_rows(arms, "arm tasks"), x="tasks", by="arm", styles=STYLES, spread="bars")
    lab.draw_levels(axes, {arm: measured.mean(arm).mean() for arm in (ICL, M2)}, UNADAPTED)
    if (GIVEN, part.sizes[0]) in measured.values:
        given = [{"tasks": f"{size:,}", "by": GIVEN, "mean": measured.mean(GIVEN, size).mean()} for size in part.sizes]
        lab.draw_lines(axes, pd.DataFrame(given), x="tasks", by="by", styles=STYLES, spread="none")
    styles = {**STYLES, CHANCE: STYLES[CHANCE].called(CHANCES[name])}
    lab.draw_levels(
        axes, {reference: measured.mean(reference).mean() for reference in (UNKNOWN, KNOWN, CHANCE)}, styles
    )
    axes.set_xlabel("tasks of the domain adapted to")
    axes.set_ylabel(AXES[name])
    if name == REGRESSION:
        axes.set_yscale("log")
    axes.set_title("four curves", loc="left", fontsize=10)


def draw_gains(axes: Axes, name: str, part: Part, measured: Measured) -> None:
    """M2's advantage by the tasks adapted to: the mean of each seed, and of all with its interval."""
    for seed, by_size in enumerate(np.stack([measured.gain(s).values.mean(1) for s in part.sizes], 1)):
        axes.plot(range(len(by_size)), by_size, "x", color=lab.GREY, label="one training seed" if seed == 0 else None)
    gains = {("mean, 95 % interval", f"{size:,}"): measured.gain(size).interval() for size in part.sizes}
    look = {"mean, 95 % interval": lab.Style(lab.BLACK, "none", marker="D")}
    lab.draw_lines(axes, lab.interval_rows(gains, "by tasks"), x="tasks", by="by", styles=look, spread="bars")
    axes.axhline(0, color=lab.GREY, linewidth=1)
    if name == REGRESSION:
        wanted = f"{GAIN:g}, asked for at {part.sizes[0]} tasks"
        lab.draw_levels(axes, {wanted: GAIN}, {wanted: lab.Style(lab.GREEN, ":")})
    axes.set_xlim(-0.5, len(part.sizes) - 0.5)
    axes.set_xlabel("tasks of the domain adapted to")
    axes.set_ylabel(f"in-context learning minus M2\n({AXES[name]})")
    axes.set_title("M2's advantage, paired over domains", loc="left", fontsize=10)
    axes.legend(fontsize=7, frameon=False)


def draw_lengths(axes: Axes, name: str, part: Part, measured: Measured) -> None:
    """The error against context length, unadapted and adapted to the fewest tasks."""
    small = part.sizes[0]
    shown = [(arm, size) for arm in (ICL, M2) for size in (small, 0)]
    shown += [(GIVEN, small), (UNKNOWN, 0), (KNOWN, 0), (CHANCE, 0)]
    for predictor, size in shown:
        if (predictor, size) in measured.values:
            curve = measured.values[predictor, size].values.mean((0, 1))
            style = UNADAPTED[predictor] if predictor in UNADAPTED and size == 0 else STYLES[predictor]
            axes.plot(np.arange(part.n_points), curve, color=style.colour, linestyle=style.line, linewidth=style.width)
    axes.set_xlabel("labelled points in the context, n")
    axes.set_ylabel(AXES[name])
    if name == REGRESSION:
        axes.set_yscale("log")
    axes.set_title(f"against context length, {small} tasks", loc="left", fontsize=10)
