"""The picture of the space of learning algorithms: labelled points of the plane, no label on another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from ctxlearn import lab


@dataclass(frozen=True)
class Group:
    """How learners of one kind are drawn."""

    words: str
    colour: str
    marker: str
    size: float = 55.0


@dataclass(frozen=True)
class Point:
    """A learner in the plane: its group, its label ("" for none), its place."""

    group: str
    label: str
    place: tuple[float, float]


def draw_plane(points: Sequence[Point], groups: dict[str, Group], *, title: str, width: float, height: float) -> Figure:
    """Points with labels; one unit is as long across as up, and is one unit of distance."""
    figure, axes = lab.grid(1, 1, width=width, height=height)
    axis = axes[0][0]
    with mpl.rc_context(lab.RC):
        for name, group in groups.items():
            own = np.array([p.place for p in points if p.group == name]).reshape(-1, 2)
            if len(own):
                axis.scatter(
                    own[:, 0],
                    own[:, 1],
                    s=group.size,
                    c=group.colour,
                    marker=group.marker,
                    edgecolors="white",
                    linewidths=0.7,
                    label=group.words,
                    zorder=3,
                )
        axis.set_title(title, loc="left", fontsize=11)
        axis.set_xlabel("points of disagreement (first direction; the origin means nothing)")
        axis.set_ylabel("points of disagreement (second direction)")
        axis.set_aspect("equal", adjustable="datalim")
        axis.margins(0.08)
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.09), ncols=2, fontsize=9)
    _place_labels(figure, axis, points, groups)
    return figure


def _place_labels(figure: Figure, axis: Axes, points: Sequence[Point], groups: dict[str, Group]) -> None:
    """Each label at the first free place around its point, tried from near to far; far ones get a line."""
    canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    dots = axis.transData.transform([p.place for p in points])
    scale = figure.dpi / 72
    taken = [Bbox.from_bounds(x - 5 * scale, y - 5 * scale, 10 * scale, 10 * scale) for x, y in dots]
    frame = axis.get_window_extent(renderer)
    # crowded points first: they have the fewest places
    crowd = [float(np.exp(-(((dots - dot) / (40 * scale)) ** 2).sum(1)).sum()) for dot in dots]
    for i in sorted(range(len(points)), key=lambda i: -crowd[i]):
        point = points[i]
        if not point.label:
            continue
        probe = axis.text(0, 0, point.label, fontsize=8.5)
        size = probe.get_window_extent(renderer)
        probe.remove()
        x, y, far = _free_place(i, dots, (size.width + 4, size.height), taken, frame, scale)
        box = Bbox.from_bounds(x, y, size.width + 4, size.height)
        taken.append(box)
        if far:
            taken += _along(dots[i], box, scale)
        colour = groups[point.group].colour
        end = np.clip(dots[i], (box.x0, box.y0), (box.x1, box.y1))  # where the line meets the label
        nearest = ((end[0] - box.x0) / box.width, (end[1] - box.y0) / box.height)
        line = {
            "arrowstyle": "-",
            "color": colour,
            "lw": 0.6,
            "shrinkA": 0,
            "shrinkB": 3,
            "alpha": 0.7,
            "relpos": nearest,
        }
        axis.annotate(
            point.label,
            xy=point.place,
            xytext=((x + 2 - dots[i][0]) / scale, (y + 0.2 * size.height - dots[i][1]) / scale),
            textcoords="offset points",
            fontsize=8.5,
            color=colour,
            annotation_clip=False,
            arrowprops=line if far else None,
            zorder=4,
        )


def _free_place(
    own: int, dots: np.ndarray, size: tuple[float, float], taken: Sequence[Bbox], frame: Bbox, scale: float
) -> tuple[float, float, bool]:
    """Lower left corner of a box of this size near a dot that touches nothing, in pixels; and whether it needs a line.

    Without a line it is nearer to its own dot than to any other.
    """
    wide, high = size
    dot = dots[own]
    best = (dot[0] + 7 * scale, dot[1] - high / 2, False)
    for distance in (7, 12, 18, 26, 36, 48, 62, 78, 96, 120, 150):
        for turn in range(16):
            angle = 2 * math.pi * turn / 16
            across, up = math.cos(angle), math.sin(angle)
            x = dot[0] + distance * scale * across - wide * (1 - across) / 2
            y = dot[1] + distance * scale * up - high * (1 - up) / 2
            box = Bbox.from_bounds(x, y, wide, high)
            inside = box.x0 > frame.x0 and box.x1 < frame.x1 and box.y0 > frame.y0 and box.y1 < frame.y1
            away = np.linalg.norm(dots - np.clip(dots, (box.x0, box.y0), (box.x1, box.y1)), axis=1)
            if distance <= 12 and (np.delete(away, own) < away[own] + 4 * scale).any():
                continue
            needed = [box, *(_along(dot, box, scale) if distance > 12 else [])]
            if inside and not any(part.overlaps(other) for part in needed for other in taken):
                return x, y, distance > 12
    return best


def _along(dot: np.ndarray, box: Bbox, scale: float) -> list[Bbox]:
    """Small boxes along the line from a dot to its label, outside of both."""
    end = np.clip(dot, (box.x0, box.y0), (box.x1, box.y1))
    length = float(np.hypot(*(end - dot)))
    steps = np.arange(8 * scale, length - 2 * scale, 3 * scale) / max(length, 1e-9)
    centres = [dot + step * (end - dot) for step in steps]
    return [Bbox.from_bounds(x - scale, y - scale, 2 * scale, 2 * scale) for x, y in centres]
