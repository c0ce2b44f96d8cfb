"""Pictures of points, answers and intervals on matplotlib's axes, for notebooks and scripts."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from ctxlearn.colours import BLACK, BLUE, COLOURS

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from torch import Tensor

MARKERS = "os^DPvX"
"""Of the classes: a colour and a shape each."""


def axes_or_new(axes: Axes | None, size: tuple[float, float] = (4.0, 4.0)) -> Axes:
    """The axes given, or those of a new figure (inches) of pyplot, which notebooks show by themselves."""
    if axes is not None:
        return axes
    from matplotlib import pyplot

    made: Axes = pyplot.subplots(figsize=size, layout="constrained")[1]
    return made


def free_axes(size: tuple[float, float]) -> Axes:
    """Axes of a figure (inches) that pyplot knows nothing of, for pictures within HTML."""
    from matplotlib.figure import Figure

    made: Axes = Figure(figsize=size, layout="constrained").subplots()
    return made


def draw_points(axes: Axes, x: Tensor, y: Tensor, n_classes: int | None, *, hollow: bool = False) -> None:
    """Points of one task: the two first features and the class as colour and shape; of one feature, the number it has.

    Args:
        axes: where.
        x: (n, d), d >= 1.
        y: (n,).
        n_classes: C, or None for numbers.
        hollow: draw outlines, as for points that are asked about.

    Raises:
        ValueError: inputs that are no rows of features, or numbers at inputs of several features.
    """
    if x.ndim != 2 or (n_classes is None and x.shape[1] != 1):
        shown = "inputs (n, d)" if n_classes is not None else "inputs (n, 1), whose numbers can be drawn above them"
        raise ValueError(f"x: expected {shown}, got {tuple(x.shape)}")
    points, labels = x.detach().cpu().double().numpy(), y.detach().cpu().numpy()
    if n_classes is None:
        axes.scatter(points[:, 0], labels, s=26, zorder=3, **_look(BLACK, hollow))
        return
    up = points[:, 1] if points.shape[1] > 1 else np.zeros(len(points))
    for c in range(n_classes):
        here = labels == c
        look = _look(COLOURS[c % len(COLOURS)], hollow)
        axes.scatter(
            points[here, 0], up[here], s=34, marker=MARKERS[c % len(MARKERS)], label=f"class {c}", zorder=3, **look
        )


def _look(colour: str, hollow: bool) -> dict[str, Any]:
    return {"facecolors": "none", "edgecolors": colour} if hollow else {"facecolors": colour, "edgecolors": "white"}


def draw_regions(axes: Axes, probabilities: Callable[[np.ndarray], np.ndarray], n_classes: int, side: int = 60) -> None:
    """The answer all over the axes' present view: its colour, deeper where it is surer, and lines where it changes.

    Args:
        axes: where, with a view that fits.
        probabilities: places (q, 2) to probabilities (q, C).
        n_classes: C.
        side: cells along each axis.
    """
    from matplotlib.colors import to_rgb

    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    across, up = np.linspace(left, right, side), np.linspace(low, high, side)
    places = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    p = probabilities(places).reshape(side, side, n_classes)
    answer = p.argmax(-1)
    depth = 0.14 + 0.5 * np.clip((p.max(-1) - 1 / n_classes) / (1 - 1 / n_classes), 0, 1)
    colours = np.array([to_rgb(COLOURS[c % len(COLOURS)]) for c in range(n_classes)])[answer]
    picture = 1 + (colours - 1) * depth[..., None]
    axes.imshow(picture, origin="lower", extent=(left, right, low, high), aspect="auto", interpolation="bilinear")
    for c in range(n_classes):
        own = p[..., c] - np.where(np.arange(n_classes) == c, -np.inf, p).max(-1)
        if own.min() < 0 < own.max():
            axes.contour(across, up, own, levels=[0.0], colors=BLACK, linewidths=1.0)


def draw_curve(axes: Axes, x: np.ndarray, mean: np.ndarray, quantiles: np.ndarray | None, levels: np.ndarray) -> None:
    """Means (q,) at inputs x (q,), with bands of 50 % and 90 % where there are quantiles (q, k) at levels (k,)."""
    if quantiles is not None:
        for depth, share in ((0.16, 0.9), (0.28, 0.5)):
            low, high = (
                np.array([np.interp(at, levels, row) for row in quantiles]) for at in ((1 - share) / 2, (1 + share) / 2)
            )
            axes.fill_between(x, low, high, color=BLUE, alpha=depth, linewidth=0, label=f"{share:.0%}")
    axes.plot(x, mean, color=BLUE, linewidth=2)


def draw_interval(axes: Axes, value: float, low: float, high: float, threshold: float) -> None:
    """An estimate as a dot with its interval, and the threshold as a line."""
    axes.plot([low, high], [0, 0], color=BLUE, linewidth=2)
    axes.plot(value, 0, "o", color=BLUE)
    axes.axvline(threshold, color=BLACK, linewidth=0.8)
    axes.set_yticks([])


def html_of(axes: Axes, text: str) -> str:
    """A picture below a line of escaped text, for a notebook."""
    import html

    buffer = io.StringIO()
    figure: Any = axes.figure
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    picture = buffer.getvalue()
    return f"<p>{html.escape(text)}</p>{picture[picture.index('<svg') :]}"
