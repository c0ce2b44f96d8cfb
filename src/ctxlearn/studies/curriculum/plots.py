"""Figures of the study."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ctxlearn import lab
from ctxlearn.studies.curriculum.metrics import Arm, Measured
from ctxlearn.studies.curriculum.settings import (
    CLASSES,
    FULL,
    INTERLEAVED,
    REVERSED,
    RISING,
    SET,
    SHUFFLED,
    THRESHOLDS,
    Sizes,
)

LEAST, ZERO, COIN = "least squares: 0", "zero predictor: 1", "chance: 0.5"
STYLES = {
    FULL: lab.Style(lab.BLACK, width=1.6),
    RISING: lab.Style(lab.BLUE, width=1.6),
    REVERSED: lab.Style(lab.ORANGE, "--", width=1.6),
    SHUFFLED: lab.Style(lab.YELLOW, "-.", width=1.6),
    LEAST: lab.Style(lab.BLACK, ":"),
    ZERO: lab.CHANCE.called(ZERO),
    COIN: lab.CHANCE.called(COIN),
    "logistic regression on the context": lab.Style("#8B5A2B", ":"),
}


def draw_arms(
    axes: Axes, arms: Mapping[str, Arm], sizes: Sizes, levels: Mapping[str, float], threshold: float = 0
) -> None:
    """Error at the longest context against steps, and horizontal lines."""
    curves = []
    for name, arm in arms.items():
        curve = arm.errors.curve(bounded=False)
        curve["low"] = curve["low"].clip(lower=1e-9)  # of an error; a logarithmic axis shows no other
        curves.append(curve.assign(arm=name, steps=arm.steps))
    lab.draw_lines(axes, pd.concat(curves), x="steps", by="arm", styles=STYLES)
    if threshold:
        axes.axvspan(0, sizes.curriculum_steps, color=lab.BLACK, alpha=0.05, linewidth=0)
        lab.draw_levels(axes, {f"learned: {threshold:g}": threshold})
    lab.draw_levels(axes, levels, STYLES)
    axes.set_xlabel("optimiser steps")


def learning_figure(sizes: Sizes, measured: Measured) -> lab.Figure:
    """Error against steps, the interleaved model, all orders; and the long runs."""
    figure, axes = lab.grid(1, 2, width=9.2, height=4.4)
    left, right = axes[0]
    arms = {name: arm for (setting, name), arm in measured.arms.items() if setting == INTERLEAVED}
    draw_arms(left, arms, sizes, {LEAST: 0, ZERO: 1}, THRESHOLDS[INTERLEAVED])
    left.set_title("the order of difficulty", loc="left", fontsize=10)
    left.set_ylim(-0.05, 1.35)
    draw_arms(right, measured.long, sizes, {ZERO: 1})
    right.set_yscale("log")
    right.set_ylim(0.5 * min(float(arm.errors.values.mean((0, 1)).min()) for arm in measured.long.values()), 2)
    right.set_title("the long runs", loc="left", fontsize=10)
    for axis in (left, right):
        axis.set_ylabel(f"squared error at n = {sizes.n_points - 1}")
        lab.legend_below(axis)
    return lab.Figure(
        "learning",
        figure,
        "Error on tasks of full difficulty, the same for every arm of a seed. Left: mean over seeds with its 95 % band; shaded:"
        " the steps in which the arms differ. Right: the long runs, on a logarithmic axis; a band over tasks where it is one"
        " seed.",
        "Two charts of squared error against optimiser steps with and without a curriculum; the tables have the numbers.",
    )


def length_figure(sizes: Sizes, measured: Measured) -> lab.Figure:
    """Error against context length at the two budgets."""
    figure, axes = lab.grid(1, 2, width=9.2, height=4.4)
    lengths = np.arange(sizes.n_points)
    arms = {name: arm for (setting, name), arm in measured.arms.items() if setting == INTERLEAVED}
    for axis, budget in zip(axes[0], sizes.budgets, strict=True):
        curves = pd.concat([arm.lengths[budget].curve(bounded=False).assign(arm=name) for name, arm in arms.items()])
        lab.draw_lines(axis, curves, x="n_context", by="arm", styles=STYLES)
        least = np.clip(1 - lengths / sizes.n_features, 0, None)
        axis.plot(lengths, least, color=lab.BLACK, linestyle=":", linewidth=1.3, label="least squares: 1 - n/d")
        lab.draw_levels(axis, {ZERO: 1}, STYLES)
        axis.set_title(f"after {budget:,} steps", loc="left", fontsize=10)
        axis.set_xlabel("labelled points in the context, n")
        axis.set_ylabel("squared error")
        axis.set_ylim(-0.03, 1.3)
        lab.legend_below(axis)
    return lab.Figure(
        "lengths",
        figure,
        "Error against the context length at two budgets. Without noise least squares is the best possible.",
        "Two charts of squared error against context length, with least squares below all trained models.",
    )


def control_figure(sizes: Sizes, measured: Measured) -> lab.Figure:
    """Error against steps of the set model and of classification."""
    n = sizes.n_points - 1
    figure, axes = lab.grid(1, 2, width=9.2, height=4.4)
    rule = {"logistic regression on the context": measured.logistic.at(n).mean()}
    for axis, setting, levels in zip(
        axes[0], (SET, CLASSES), ({ZERO: 1.0, LEAST: 0.0}, {COIN: 0.5, **rule}), strict=True
    ):
        arms = {name: arm for (own, name), arm in measured.arms.items() if own == setting}
        draw_arms(axis, arms, sizes, levels, THRESHOLDS[setting])
        lab.legend_below(axis)
    left, right = axes[0]
    left.set_ylim(-0.05, 1.35)
    left.set_ylabel(f"squared error at n = {n}")
    left.set_title("merged tokens, a set", loc="left", fontsize=10)
    right.set_ylabel(f"share of wrong labels at n = {n}")
    right.set_title("classification, interleaved tokens", loc="left", fontsize=10)
    return lab.Figure(
        "controls",
        figure,
        "Left: the control, where nothing has to be bound to anything. Right: the same curriculum on pair-wise classification."
        " Mean over seeds with its 95 % band; shaded: the steps in which the arms differ.",
        "Two charts of error against optimiser steps with and without a curriculum, for a set model and for classification.",
    )
