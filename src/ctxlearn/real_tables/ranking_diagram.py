"""Demsar's critical-difference diagram of a ranking.

Source: Demsar 2006, "Statistical comparisons of classifiers over multiple data sets", figure 1.
"""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes

from ctxlearn.real_tables.ranking import Ranking, groups


def draw_ranking(axis: Axes, ranking: Ranking, colours: Mapping[str, str], bold: str) -> None:
    """The axis of ranks on top, a leader line from each average rank down to its name, bars that join those alike.

    Args:
        axis: an empty panel, about a quarter as high as wide.
        ranking: of k learners.
        colours: of each learner.
        bold: who stands out.
    """
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
    axis.text((1 + k) / 2, 0.42, "average rank", ha="center", va="bottom", fontsize=8)
    length = min(ranking.critical_difference, k - 1)
    axis.plot([1, 1 + length], [0.72, 0.72], color="black", linewidth=2)
    axis.text(1, 0.8, f"CD = {ranking.critical_difference:.2f}", ha="left", va="bottom", fontsize=8)
    for place, (name, value) in enumerate(order):
        left = place < half
        row = place if left else k - 1 - place
        y, end = -(top + row * step), 0.75 if left else k + 0.25
        weight, width = ("bold", 2.2) if name == bold else ("normal", 1.2)
        axis.plot([value, value, end], [0, y, y], color=colours[name], linewidth=width)
        axis.text(
            end + (0.08 if left else -0.08), y + 0.05, f"{name} {value:.2f}", ha="left" if left else "right", va="bottom",
            fontsize=8.5, fontweight=weight,
        )  # fmt: skip
    for number, (first, last) in enumerate(joined):
        y = -(0.18 + 0.22 * number)
        axis.plot([first - 0.04, last + 0.04], [y, y], color="black", linewidth=3.5, solid_capstyle="butt", zorder=4)
