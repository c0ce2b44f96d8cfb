"""Figures and tables of the study `beyond`."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from ctxlearn import lab
from ctxlearn.studies.beyond.claims import AT_HOME, MODEL, RIVALS, Found, name_of

REACH = 15.0
"""Points of accuracy at which the map's colours end."""
STYLES = {"trained gate": lab.Style(lab.BLUE, marker="o"), "hindsight per task": lab.Style(lab.ORANGE, marker="s")}


def map_figure(measured: Found, places: Sequence[str]) -> Figure:
    """The model minus each rival, by family held out and K."""
    figure, axes = lab.grid(1, 2, width=10.5, height=0.36 * len(places) + 1.4)
    for axis, rival in zip(axes[0], RIVALS, strict=True):
        values = np.full((len(places), len(measured.counts)), np.nan)
        for row, place in enumerate(places):
            for column, count in enumerate(measured.counts):
                own = [
                    measured.minus(rival, draw, count, [place]).mean()
                    for draw in measured.held_out
                    if (MODEL, name_of(count, draw), place) in measured.away
                ]
                if own:
                    values[row, column] = np.mean(own)
        with mpl.rc_context(lab.RC):
            axis.grid(False)
            axis.imshow(values, cmap="PuOr", vmin=-REACH, vmax=REACH, aspect="auto")
            for (row, column), value in np.ndenumerate(values):
                if np.isfinite(value):
                    colour = "white" if abs(value) > 0.7 * REACH else "black"
                    axis.text(column, row, f"{value:+.1f}", ha="center", va="center", fontsize=8, color=colour)
        axis.set_xticks(range(len(measured.counts)), [str(count) for count in measured.counts])
        axis.set_yticks(range(len(places)), places)
        axis.set_xlabel("families trained on, K")
        axis.set_title(f"minus {rival}", loc="left", fontsize=10)
    return figure


def curves_figure(measured: Found) -> Figure:
    """The two statistics against K, with intervals over units."""
    rows = {
        (rival, str(count)): value.interval()
        for rival in RIVALS
        for count in measured.counts
        if (value := measured.of_units(rival, {count: 1.0})) is not None
    }
    figure, ((axis,),) = lab.grid(1, 1, width=5.2, height=3.8)
    if rows:
        table = lab.interval_rows(rows, "rival count")
        lab.draw_lines(axis, table, x="count", by="rival", styles=STYLES, spread="bars")
    lab.draw_levels(axis, {"as good": 0})
    lab.name_axes(axis, "families trained on, K", "in-context model minus rival (points)", title="families held out")
    lab.legend_below(axis)
    return figure


def accuracy_table(measured: Found) -> list[dict[str, str]]:
    """Every learner by K, on the families held out: mean over draws and seeds."""
    rows = []
    for learner in measured.away.values_of(0):
        row = {"": str(learner)}
        for count in measured.counts:
            own = [
                measured.away[learner, name_of(count, draw), place].mean()
                for draw, places in measured.held_out.items()
                for place in places
            ]
            row[f"K = {count}"] = f"{np.mean(own):.1f}"
        rows.append(row)
    return rows


def home_table(measured: Found) -> list[dict[str, str]]:
    """What each model lacks of its specialists at home, seed by seed, and whether it is judged."""
    rows = []
    for draw in measured.held_out:
        row = {"": draw}
        for count in measured.counts:
            lacks = measured.lacks[draw, count]
            row[f"K = {count}"] = ", ".join(f"{gap:.1f}{'' if gap <= AT_HOME else ' (no verdict)'}" for gap in lacks)
        rows.append(row)
    return rows
