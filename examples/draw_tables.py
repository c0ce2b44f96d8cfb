"""Draw tasks of the two priors over tables: `python examples/draw_tables.py docs/figures`.

A row of panels is a mechanism, a panel a task of it: 150 rows of the table, in the two columns that say most of the label
(the rank of the value, where values are far apart), coloured by class or by the number to tell.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ctxlearn.tasks import TabularClassification, TabularRegression
from ctxlearn.tasks.base import TaskFamily

CLASSIFICATION = ["linear", "trees", "neural", "prototypes", "clusters", "graph"]
REGRESSION = ["linear", "trees", "neural", "graph"]
PANELS, POINTS = 6, 150


def relevance(values: np.ndarray, label: np.ndarray, classes: bool) -> float:
    """How much of the label a column explains on its own: between its ten bins."""
    if np.ptp(values) == 0:
        return -1.0
    bins = np.digitize(values, np.unique(np.quantile(values, np.linspace(0.1, 0.9, 9))))
    if classes:
        return sum(np.bincount(label[bins == b]).max() for b in np.unique(bins)) / len(label)
    rest = sum(label[bins == b].var() * (bins == b).sum() for b in np.unique(bins))
    return 1 - float(rest) / (label.var() * len(label) + 1e-9)


def shown(values: np.ndarray) -> np.ndarray:
    """The values, or their ranks where a few are far from the rest."""
    spread = np.ptp(np.quantile(values, [0.05, 0.95]))
    return values.argsort().argsort() if np.ptp(values) > 4 * max(spread, 1e-9) else values


def draw(axes: Axes, x: np.ndarray, y: np.ndarray, classes: bool) -> None:
    """One task: rows x (N, d), labels y (N,)."""
    filled = np.where(np.isnan(x), np.nanmean(x, axis=0), x)
    order = np.argsort([-relevance(filled[:, j], y, classes) for j in range(x.shape[1])])
    first, second = (shown(filled[:, j]) for j in (order[0], order[min(1, len(order) - 1)]))
    jitter = np.random.default_rng(0).normal(size=(2, len(y)))
    first, second = (v + 0.012 * np.ptp(v) * j for v, j in zip((first, second), jitter, strict=True))
    colours = {"c": y, "cmap": "tab10", "vmin": 0, "vmax": 9} if classes else {"c": y, "cmap": "viridis"}
    axes.scatter(first, second, s=6, linewidths=0, **colours)
    kinds = f"{len(np.unique(y))} classes, " if classes else ""
    axes.set_title(f"{kinds}{int((np.ptp(filled, axis=0) > 0).sum())} columns", fontsize=6.5, pad=2)
    axes.set_xticks([])
    axes.set_yticks([])


def page(family_of: dict[str, TaskFamily], title: str) -> Figure:
    """A figure of panels: a row for each family."""
    figure = Figure(figsize=(9, 1.42 * len(family_of) + 0.4), layout="constrained")
    grid = figure.subplots(len(family_of), PANELS, squeeze=False)
    for seed, (row, (name, family)) in enumerate(zip(grid, family_of.items(), strict=True)):
        tasks = family.sample(PANELS, POINTS, generator=torch.Generator().manual_seed(seed))
        for axes, x, y in zip(row, tasks.x.numpy(), tasks.y.numpy(), strict=True):
            draw(axes, x, y, family.n_classes is not None)
        row[0].set_ylabel(name, fontsize=9)
    figure.suptitle(title, fontsize=10)
    return figure


def main(folder: Path) -> None:
    """Write both pages."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {
        "tables-classification": page(
            {name: TabularClassification(mechanisms={name: 1.0}) for name in CLASSIFICATION},
            "TabularClassification: six tasks of each mechanism",
        ),
        "tables-regression": page(
            {name: TabularRegression(mechanisms={name: 1.0}) for name in REGRESSION},
            "TabularRegression: six tasks of each mechanism",
        ),
    }
    for name, figure in pages.items():
        figure.savefig(folder / f"{name}.png", dpi=90, metadata={"Software": None})
        print(folder / f"{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
