"""Maps of the plane: which class a learner answers where."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from torch import Tensor

from ctxlearn import lab
from ctxlearn.learners import Learner

POINT_COLOURS = (lab.BLUE, lab.ORANGE)


def sides_around(low: Sequence[float], high: Sequence[float], steps: int) -> list[Tensor]:
    """The ticks of a grid over a rectangle, one tensor per axis."""
    return [torch.linspace(float(a), float(b), steps) for a, b in zip(low, high, strict=True)]


def decided_map(learner: Learner, context_x: Tensor, context_y: Tensor, grid: Tensor) -> np.ndarray:
    """The classes answered on a grid of k x k points (1, k^2, 2): (k, k), first axis first."""
    steps = round(grid.shape[1] ** 0.5)
    with torch.inference_mode():
        answer = learner(context_x, context_y, grid).argmax(-1)[0]
    return np.asarray(answer.view(steps, steps).to(torch.int16).numpy())


def draw_map(axes: Axes, sides: Sequence[Tensor], decided: np.ndarray) -> None:
    """The two classes as shades."""
    shades = ListedColormap(["#cfe3f3", "#fbdcc4"])
    with mpl.rc_context(lab.RC):
        axes.grid(False)
        axes.pcolormesh(
            sides[0].numpy(), sides[1].numpy(), decided.T, cmap=shades, vmin=0, vmax=1, shading="nearest", rasterized=True
        )  # fmt: skip


def draw_points(axes: Axes, x: Tensor, y: Tensor, *, size: float, ringed: bool = True) -> None:
    """Points (n, 2) in the colours of their classes; those of a context are ringed."""
    looks = {"edgecolor": "black", "zorder": 3} if ringed else {"alpha": 0.45, "linewidth": 0}
    with mpl.rc_context(lab.RC):
        for c, colour in enumerate(POINT_COLOURS):
            own = x[y == c].numpy()
            axes.scatter(own[:, 0], own[:, 1], s=size, color=colour, **looks)
