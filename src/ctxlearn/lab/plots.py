"""Figures from a tidy table: lines with bands or bars, a forest of intervals, grids of panels; one look for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ctxlearn.colours import BLACK, BLUE, COLOURS, GREY
from ctxlearn.lab.estimates import interval_of

RC: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "svg.hashsalt": "ctxlearn",  # equal figures, equal files
    "svg.fonttype": "path",
    "figure.dpi": 100,
}
"""How matplotlib draws and writes the figures."""

DOTTED: Any = (0, (1, 3))


@dataclass(frozen=True)
class Style:
    """How one line is drawn.

    Attributes:
        colour: of it.
        line: matplotlib's line style.
        marker: at each value; "" for none.
        label: its name for readers; None means the name in the table.
        width: of the line.
        order: lines of a higher order are drawn over others.
    """

    colour: str
    line: Any = "-"
    marker: str = ""
    label: str | None = None
    width: float = 1.3
    order: int = 2

    def called(self, label: str) -> Style:
        """The same with another name."""
        return replace(self, label=label)


CHANCE = Style(GREY, DOTTED, label="chance")
Styles = Mapping[str, Style]


def style_of(name: str, styles: Styles | None, number: int) -> Style:
    """The style of a line, or the next colour where none is given."""
    if styles is not None and name in styles:
        return styles[name]
    return Style(COLOURS[number % len(COLOURS)])


def grid(rows: int, columns: int, width: float, height: float) -> tuple[Figure, list[list[Axes]]]:
    """A figure (inches) of its own canvas, in the house's style, and its axes by row and column."""
    with mpl.rc_context(RC):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
    return figure, [list(row) for row in axes]


def name_axes(
    axes: Axes,
    x_label: str = "",
    y_label: str = "",
    *,
    title: str = "",
    y_range: tuple[float, float] | None = None,
    log: str = "",
) -> None:
    """A panel's title, the names of its axes with their units, its range, and which axes are logarithmic ("x", "y", "xy")."""
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    if y_range is not None:
        axes.set_ylim(*y_range)
    if "x" in log:
        axes.set_xscale("log")
    if "y" in log:
        axes.set_yscale("log")


def shared_legend(figure: Figure, axes: Axes, columns: int) -> None:
    """What the lines of one of a figure's panels are, below all of them."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize=8, frameon=False)


def legend_below(axes: Axes, columns: int = 2) -> None:
    """A legend under the axes, where it hides no line."""
    axes.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=columns, frameon=False)


def draw_lines(
    axes: Axes,
    table: pd.DataFrame,
    *,
    x: str,
    by: str,
    styles: Styles | None = None,
    spread: str = "band",
    scale: float = 1.0,
    apart: float = 0.0,
) -> None:
    """One line per value of a column, with its intervals.

    Args:
        axes: where.
        table: one row per point, with the columns x, by, mean, and low and high unless `spread` is "none".
        x: column of the horizontal place: numbers, or names, which are placed in the order in which they come.
        by: column that tells lines apart.
        styles: by the values of `by`; other lines get the next colour.
        spread: how intervals are drawn: "band", "bars" or "none".
        scale: factor of the values, 100 for percent.
        apart: shifts lines sideways by this much from one to the next, so that their bars do not cover each other.
    """
    names = list(dict.fromkeys(table[by]))
    places = None if pd.api.types.is_numeric_dtype(table[x]) else {v: i for i, v in enumerate(dict.fromkeys(table[x]))}
    for number, name in enumerate(names):
        part, style = table[table[by] == name], style_of(name, styles, number)
        at = np.asarray(part[x].map(places) if places is not None else part[x], dtype=float)
        at = at + apart * (number - (len(names) - 1) / 2)
        mean = scale * part["mean"].to_numpy()
        looks: dict[str, Any] = {"color": style.colour, "label": style.label or name, "zorder": style.order}
        looks |= {"linestyle": style.line, "marker": style.marker, "markersize": 4, "linewidth": style.width}
        if spread == "none":
            axes.plot(at, mean, **looks)
            continue
        low, high = scale * part["low"].to_numpy(), scale * part["high"].to_numpy()
        if spread == "bars":
            axes.errorbar(at, mean, np.stack([mean - low, high - mean]).clip(0), capsize=2, **looks)
        else:
            axes.plot(at, mean, **looks)
            axes.fill_between(at, low, high, color=style.colour, alpha=0.17, linewidth=0)
    if places is not None:
        axes.set_xticks(list(places.values()), [str(name) for name in places])


def lines(
    table: pd.DataFrame,
    *,
    x: str,
    by: str,
    panel: str | None = None,
    styles: Styles | None = None,
    spread: str = "band",
    scale: float = 1.0,
    apart: float = 0.0,
    levels: Mapping[str, float] | None = None,
    x_label: str,
    y_label: str,
    y_range: tuple[float, float] | None = None,
    log: str = "",
    title: Callable[[str], str] = str,
    size: tuple[float, float] = (3.6, 3.4),
    legend_columns: int = 4,
) -> Figure:
    """Panels side by side, one per value of a column, each with lines; the legend is below them.

    Args:
        table: as for `draw_lines`, with the column `panel` too; so are x, by, styles, spread, scale and apart.
        panel: column that tells panels apart; None draws one.
        levels: horizontal lines by name, at values that `scale` does not multiply; "chance" has its own look.
        x_label: with the unit.
        y_label: likewise.
        y_range: of all panels.
        log: axes that are logarithmic: "x", "y" or "xy".
        title: from a value of `panel` to a panel's title.
        size: of a panel, in inches.
        legend_columns: of the legend.
    """
    panels = [None] if panel is None else list(dict.fromkeys(table[panel]))
    figure, axes = grid(1, len(panels), size[0] * len(panels), size[1] + 0.5)
    for axis, name in zip(axes[0], panels, strict=True):
        part = table if panel is None else table[table[panel] == name]
        draw_lines(axis, part, x=x, by=by, styles=styles, spread=spread, scale=scale, apart=apart)
        draw_levels(axis, levels or {}, styles)
        name_axes(axis, x_label, title="" if name is None else title(str(name)), y_range=y_range, log=log)
    axes[0][0].set_ylabel(y_label)
    shared_legend(figure, axes[0][0], legend_columns)
    return figure


def draw_levels(axes: Axes, levels: Mapping[str, float], styles: Styles | None = None) -> None:
    """Horizontal lines by name: chance, a ceiling, zero."""
    for name, value in levels.items():
        style = (styles or {}).get(name, CHANCE if name == "chance" else Style(BLACK, width=0.8))
        axes.axhline(value, color=style.colour, linestyle=style.line, linewidth=style.width, label=style.label or name)


def forest(
    table: pd.DataFrame,
    *,
    by: str,
    x_label: str,
    styles: Styles | None = None,
    zero: float = 0.0,
    scale: float = 1.0,
    width: float = 7.0,
) -> Figure:
    """One row per estimate, a dot with its interval, from the first on top to the last.

    Args:
        table: one row per estimate, with the columns by, mean, low and high.
        by: column of their names.
        x_label: with the unit.
        styles: by name; others are blue.
        zero: where a vertical line stands.
        scale: factor of the values.
        width: in inches.
    """
    figure, axes = grid(1, 1, width, 1.0 + 0.37 * len(table))
    axis = axes[0][0]
    places = np.arange(len(table))[::-1]
    for place, (_, row) in zip(places, table.iterrows(), strict=True):
        colour = (styles or {}).get(str(row[by]), Style(BLUE)).colour
        axis.plot([scale * row["low"], scale * row["high"]], [place, place], color=colour, linewidth=1.6)
        axis.plot(scale * row["mean"], place, "o", color=colour)
    axis.axvline(zero, color=BLACK, linewidth=0.8)
    axis.set_yticks(places, [str(name) for name in table[by]])
    axis.set_xlabel(x_label)
    return figure


def interval_rows(found: Mapping[Any, Any], axis: str = "name") -> pd.DataFrame:
    """Intervals by name, or by several names, as a table for `lines` and `forest`.

    Args:
        found: intervals or estimates by name, `Samples` for instance; a name that is a tuple fills several columns.
        axis: the columns of the names, separated by spaces.
    """
    columns = axis.split()
    rows = []
    for name, estimate in found.items():
        interval = interval_of(estimate)
        names = name if isinstance(name, tuple) else (name,)
        about = dict(zip(columns, names, strict=True))
        rows.append({**about, "mean": interval.value, "low": interval.low, "high": interval.high})
    return pd.DataFrame(rows)


def label(name: str, styles: Styles) -> str:
    """A line's name as readers know it."""
    return (styles[name].label if name in styles else None) or name
