"""The heat map of an identification."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ctxlearn.pictures import free_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ctxlearn.identification.result import Identification

RC: Any = {"font.size": 10, "svg.hashsalt": "ctxlearn", "svg.fonttype": "path", "figure.dpi": 100}


def size_of(found: Identification) -> tuple[float, float]:
    """Inches that hold every cell of the heat map."""
    return 3.6 + 0.75 * found.results["n_context"].nunique(), 2.0 + 0.36 * found.results["candidate"].nunique()


def heat_map(found: Identification, axes: Axes | None = None) -> Axes:
    """Candidates (best on top, by mean total) against context lengths; totals in the cells, best classes framed."""
    wide = found.results.pivot_table(index="candidate", columns="n_context", values="total")
    wide = wide.loc[wide.mean(axis=1).sort_values(ascending=False, kind="stable").index]
    totals = wide.to_numpy()
    names, lengths = list(wide.index), [int(n) for n in wide.columns.to_numpy()]
    with mpl.rc_context(RC):
        if axes is None:
            axes = free_axes(size_of(found))
        image = axes.imshow(totals, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
        for (i, j), value in np.ndenumerate(totals):
            axes.text(j, i, f"{value:.2f}", ha="center", va="center", color="white" if abs(value) > 0.6 else "black")
        for j, n in enumerate(lengths):
            verdict = found.verdicts[n]
            for name in verdict.members:
                style = "-" if verdict.accepted else (0, (2, 2))
                axes.add_patch(
                    Rectangle(
                        (j - 0.46, names.index(name) - 0.46), 0.92, 0.92, fill=False, linewidth=2, linestyle=style
                    )
                )
        axes.set_xticks(range(len(lengths)), [str(n) for n in lengths])
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_xlabel("labelled points in the context, n")
        axes.set_title(
            "agreement with each algorithm\n(frame: best class; dashed: not accepted)", loc="left", fontsize=10
        )
        axes.figure.colorbar(image, ax=axes, label="total score (1: the same)", shrink=0.9)
    return axes


def image(figure: Figure, kind: str) -> bytes:
    """A figure as "png" or "svg", without a date, so that equal figures are equal bytes."""
    buffer = io.BytesIO()
    with mpl.rc_context(RC):
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(buffer, format=kind, dpi=200, metadata=metadata)
    return buffer.getvalue()
