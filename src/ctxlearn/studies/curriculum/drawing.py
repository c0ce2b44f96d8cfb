"""Figures of the study."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from scipy import stats

from ctxlearn.studies.base import Figure
from ctxlearn.studies.curriculum.measuring import Arm, Measured
from ctxlearn.studies.curriculum.settings import (
    CLASSES,
    FULL,
    INTERLEAVED,
    REVERSED,
    RISING,
    SET,
    SHUFFLED,
    THRESHOLDS,
    Settings,
)
from ctxlearn.studies.drawing import COLOURS, new_figure

ARM_COLOURS = {FULL: "#000000", RISING: "#0072B2", REVERSED: "#D55E00", SHUFFLED: "#E69F00"}
ARM_STYLES = {FULL: "-", RISING: "-", REVERSED: "--", SHUFFLED: "-."}
CHANCE: dict[str, Any] = {"color": COLOURS["Chance"], "linestyle": (0, (1, 3)), "linewidth": 1.3}


def band(errors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean of errors (S, ..., T) and its 95 % bounds, (...): Student's t over seeds, or over tasks with one seed."""
    values = errors.mean(-1) if len(errors) > 1 else np.moveaxis(errors[0], -1, 0)
    mean = values.mean(0)
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(0, ddof=1) / len(values) ** 0.5
    return mean, mean - half, mean + half


def draw_arm(axes: Axes, name: str, x: np.ndarray, errors: np.ndarray) -> None:
    """A line with its band: errors (S, K, T) at x (K,)."""
    mean, low, high = band(errors)
    low = low.clip(min=1e-9)  # of an error; a logarithmic axis shows no other
    axes.plot(x, mean, color=ARM_COLOURS[name], linestyle=ARM_STYLES[name], linewidth=1.6, label=name)
    axes.fill_between(x, low, high, color=ARM_COLOURS[name], alpha=0.15, linewidth=0)


def learning_figure(settings: Settings, measured: Measured) -> Figure:
    """Error against steps, the interleaved model, all orders; and the long runs."""
    n = settings.n_points - 1
    figure, axes = new_figure(1, 2, width=9.2, height=3.8)
    left, right = axes[0]
    for name in settings.settings[INTERLEAVED].arms:
        _draw_steps(left, name, measured.arms[INTERLEAVED, name])
    left.axvspan(0, settings.curriculum_steps, color="#000000", alpha=0.05, linewidth=0)
    left.axhline(THRESHOLDS[INTERLEAVED], color="#666666", linewidth=0.8, label=f"learned: {THRESHOLDS[INTERLEAVED]:g}")
    left.axhline(0, color="#000000", linestyle=":", linewidth=1.3, label="least squares: 0")
    left.set_title("the order of difficulty", loc="left", fontsize=10)
    left.set_ylim(-0.05, 1.35)
    for name, arm in measured.long.items():
        _draw_steps(right, name, arm)
    right.set_yscale("log")
    right.set_ylim(0.5 * min(float(arm.errors.mean((0, 2)).min()) for arm in measured.long.values()), 2)
    right.set_title("the long runs", loc="left", fontsize=10)
    for axis in (left, right):
        axis.axhline(1, **CHANCE, label="zero predictor: 1")
        axis.set_xlabel("optimiser steps")
        axis.set_ylabel(f"squared error at n = {n}")
        axis.legend(fontsize=7)
    return Figure(
        "learning",
        figure,
        "Error on tasks of full difficulty, the same for every arm of a seed. Left: mean over seeds with its 95 % band; shaded:"
        " the steps in which the arms differ. Right: the long runs, on a logarithmic axis; a band over tasks where it is one"
        " seed.",
        "Two charts of squared error against optimiser steps with and without a curriculum; the tables have the numbers.",
    )


def length_figure(settings: Settings, measured: Measured) -> Figure:
    """Error against context length at the two budgets."""
    figure, axes = new_figure(1, 2, width=9.2, height=3.8)
    lengths = np.arange(settings.n_points)
    for axis, budget in zip(axes[0], settings.budgets, strict=True):
        for name in settings.settings[INTERLEAVED].arms:
            draw_arm(axis, name, lengths, measured.arms[INTERLEAVED, name].lengths[budget].swapaxes(1, 2))
        least = np.clip(1 - lengths / settings.n_features, 0, None)
        axis.plot(lengths, least, color="#000000", linestyle=":", linewidth=1.3, label="least squares: 1 - n/d")
        axis.axhline(1, **CHANCE, label="zero predictor: 1")
        axis.set_title(f"after {budget:,} steps", loc="left", fontsize=10)
        axis.set_xlabel("labelled points in the context, n")
        axis.set_ylabel("squared error")
        axis.set_ylim(-0.03, 1.3)
        axis.legend(fontsize=7)
    return Figure(
        "lengths",
        figure,
        "Error against the context length at two budgets. Without noise least squares is the best possible.",
        "Two charts of squared error against context length, with least squares below all trained models.",
    )


def control_figure(settings: Settings, measured: Measured) -> Figure:
    """Error against steps of the set model and of classification."""
    n = settings.n_points - 1
    figure, axes = new_figure(1, 2, width=9.2, height=3.8)
    for axis, setting in zip(axes[0], (SET, CLASSES), strict=True):
        for name in settings.settings[setting].arms:
            _draw_steps(axis, name, measured.arms[setting, name])
        axis.axvspan(0, settings.curriculum_steps, color="#000000", alpha=0.05, linewidth=0)
        axis.axhline(THRESHOLDS[setting], color="#666666", linewidth=0.8, label=f"learned: {THRESHOLDS[setting]:g}")
        axis.set_xlabel("optimiser steps")
    left, right = axes[0]
    left.set_ylim(-0.05, 1.35)
    left.axhline(1, **CHANCE, label="zero predictor: 1")
    left.axhline(0, color="#000000", linestyle=":", linewidth=1.3, label="least squares: 0")
    left.set_ylabel(f"squared error at n = {n}")
    left.set_title("merged tokens, a set", loc="left", fontsize=10)
    right.axhline(0.5, **CHANCE, label="chance: 0.5")
    right.axhline(
        measured.logistic[n], color="#8B5A2B", linestyle=":", linewidth=1.3, label="logistic regression on the context"
    )
    right.set_ylabel(f"share of wrong labels at n = {n}")
    right.set_title("classification, interleaved tokens", loc="left", fontsize=10)
    for axis in axes[0]:
        axis.legend(fontsize=7)
    return Figure(
        "controls",
        figure,
        "Left: the control, where nothing has to be bound to anything. Right: the same curriculum on pair-wise classification."
        " Mean over seeds with its 95 % band; shaded: the steps in which the arms differ.",
        "Two charts of error against optimiser steps with and without a curriculum, for a set model and for classification.",
    )


def _draw_steps(axes: Axes, name: str, arm: Arm) -> None:
    draw_arm(axes, name, arm.steps, arm.errors)
