"""Figures and tables of the study `curriculum`, and its results as one table; `page.md` has its words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ctxlearn import lab
from ctxlearn.evaluation.statistics import BOUNDLESS, Interval
from ctxlearn.evaluation.time_to_threshold import StepRatio, Times
from ctxlearn.studies.curriculum import claims, settings
from ctxlearn.studies.curriculum.metrics import LONG, Measured
from ctxlearn.studies.curriculum.settings import CLASSES, FULL, INTERLEAVED, RISING, SET, THRESHOLDS, Sizes

WORDS = {INTERLEAVED: "regression, interleaved", SET: "regression, set", CLASSES: "classification, interleaved"}
LEAST, ZERO, COIN = "least squares: 0", "zero predictor: 1", "chance: 0.5"
STYLES = {
    FULL: lab.Style(lab.BLACK, width=1.6),
    RISING: lab.Style(lab.BLUE, width=1.6),
    settings.REVERSED: lab.Style(lab.ORANGE, "--", width=1.6),
    settings.SHUFFLED: lab.Style(lab.YELLOW, "-.", width=1.6),
    LEAST: lab.Style(lab.BLACK, ":"),
    ZERO: lab.CHANCE.called(ZERO),
    COIN: lab.CHANCE.called(COIN),
    "logistic regression on the context": lab.Style("#8B5A2B", ":"),
}


def page_of(sizes: Sizes, measured: Measured) -> lab.Page:
    """The page of what was measured."""
    decided = claims.decide_claims(sizes, measured)
    long = {arm: measured.errors[LONG, arm] for arm in (FULL, RISING)}
    return lab.page_from_template(
        Path(__file__).with_name("page.md"),
        decided,
        results(sizes, measured),
        figures={
            "learning": draw_learning(sizes, measured),
            "lengths": draw_lengths(sizes, measured),
            "controls": draw_controls(sizes, measured),
        },
        tables={
            "steps": _steps(sizes, measured),
            "ratios": _ratios(sizes, measured),
            "lengths": _lengths(sizes, measured),
        },
        values={
            "sizes": sizes,
            "by_id": {claim.id: claim for claim in decided},
            "passed": claims.passed(decided),
            "n_seeds": len(measured.errors[INTERLEAVED, FULL].seeds),
            "n_long": len(long[FULL].seeds),
            "long": long,
            "best": {arm: claims.best_rate(sizes, measured, arm) for arm in long},
            "THRESHOLD": THRESHOLDS[INTERLEAVED],
            "PLATEAU_STEPS": claims.PLATEAU_STEPS,
            "QUARTER_FASTER": claims.QUARTER_FASTER,
            "bounded": bounded,
            "late_errors": claims.late_errors,
            "still_falling": claims.still_falling,
        },
    )


def results(sizes: Sizes, measured: Measured) -> pd.DataFrame:
    """One row per setting, arm, context length, training seed and step: errors with intervals over tasks."""
    axes = ("learner", "trained_on")
    on_the_way = measured.errors.frame(*axes, bounded=False)
    steps = [
        measured.steps[setting][k] for setting, k in zip(on_the_way["learner"], on_the_way["n_context"], strict=True)
    ]
    on_the_way = on_the_way.assign(step=steps, n_context=sizes.n_points - 1)
    table = pd.concat([on_the_way, measured.lengths.frame(*axes, "step", bounded=False)], ignore_index=True)
    table = table.drop_duplicates([*axes, "step", "n_context", "seed"])
    family = np.where(table["learner"] == CLASSES, "pairwise-metric", "linear-regression")
    return table.assign(family=family)[[*axes, "family", "n_context", "seed", "step", "mean", "low", "high", "n_tasks"]]


def _steps(sizes: Sizes, measured: Measured) -> pd.DataFrame:
    rows = []
    for setting, one in sizes.trained.items():
        for arm in one.arms:
            needed = _each(claims.steps_to_threshold(measured, setting, arm))
            rows.append((WORDS.get(setting, setting), arm, f"{claims.threshold_of(setting):g}", needed))
    flat = f"{claims.PLATEAU:g} of the zero predictor's"
    rows.append((WORDS[INTERLEAVED], f"{FULL}, plateau", flat, _each(claims.plateau(measured))))
    return pd.DataFrame(rows, columns=["model", "arm", "error", "steps"])


def _each(found: Times) -> str:
    return ", ".join(f"{'' if r else '> '}{s:,.0f}" for s, r in zip(found.steps, found.reached, strict=True))


def _ratios(sizes: Sizes, measured: Measured) -> pd.DataFrame:
    rows = []
    for setting, one in sizes.trained.items():
        full, *others = one.arms
        needed = {arm: claims.steps_to_threshold(measured, setting, arm) for arm in one.arms}
        for arm in others:
            ratio = StepRatio(needed[full], needed[arm]).interval(level=0.95)
            rows.append((WORDS.get(setting, setting), arm, bounded(ratio), ratio.seeds))
    return pd.DataFrame(rows, columns=["model", "arm", "ratio", "seeds"])


def bounded(found: Interval | lab.Claim) -> str:
    """A ratio with its bounds; there may be no upper one."""
    if found.high < BOUNDLESS:
        return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"
    return f"{found.value:.2f} (from {found.low:.2f}, no upper bound)"


def _lengths(sizes: Sizes, measured: Measured) -> list[dict[str, str]]:
    n, rows = sizes.n_points - 1, []
    shown = sorted({max(1, n // 4), n // 2, 3 * n // 4, n})
    for budget in sizes.budgets:
        for (arm,), errors in measured.lengths.part(INTERLEAVED, None, budget).items():
            cells = {f"n = {k}": lab.cell(errors.at(k), 3) for k in shown}
            rows.append({"steps": f"{budget:,}", "arm": str(arm), **cells})
    return rows


def _draw_arms(
    axes: Axes, sizes: Sizes, measured: Measured, setting: str, title: str, levels: Mapping[str, float]
) -> None:
    """Error at the longest context against steps, and horizontal lines."""
    curves = measured.errors.part(setting).curves("arm", bounded=False)
    curves["steps"] = measured.steps[setting][curves["n_context"]]
    curves["low"] = curves["low"].clip(lower=1e-9)  # of an error; a logarithmic axis shows no other
    lab.draw_lines(axes, curves, x="steps", by="arm", styles=STYLES)
    if setting in THRESHOLDS:
        axes.axvspan(0, sizes.curriculum_steps, color=lab.BLACK, alpha=0.05, linewidth=0)
        lab.draw_levels(axes, {f"learned: {THRESHOLDS[setting]:g}": THRESHOLDS[setting]})
    lab.draw_levels(axes, levels, STYLES)
    kind = "share of wrong labels" if setting == CLASSES else "squared error"
    lab.name_axes(axes, "optimiser steps", f"{kind} at n = {sizes.n_points - 1}", title=title)
    lab.legend_below(axes)


def draw_learning(sizes: Sizes, measured: Measured) -> Figure:
    """Error against steps, the interleaved model, all orders; and the long runs."""
    figure, ((left, right),) = lab.grid(1, 2, width=9.2, height=4.4)
    _draw_arms(left, sizes, measured, INTERLEAVED, "the order of difficulty", {LEAST: 0, ZERO: 1})
    left.set_ylim(-0.05, 1.35)
    _draw_arms(right, sizes, measured, LONG, "the long runs", {ZERO: 1})
    right.set_yscale("log")
    least = min(float(errors.values.mean((0, 1)).min()) for errors in measured.errors.part(LONG).values())
    right.set_ylim(0.5 * least, 2)
    return figure


def draw_lengths(sizes: Sizes, measured: Measured) -> Figure:
    """Error against context length at the two budgets."""
    figure, (axes,) = lab.grid(1, 2, width=9.2, height=4.4)
    lengths = np.arange(sizes.n_points)
    for axis, budget in zip(axes, sizes.budgets, strict=True):
        curves = measured.lengths.part(INTERLEAVED, None, budget).curves("arm", bounded=False)
        lab.draw_lines(axis, curves, x="n_context", by="arm", styles=STYLES)
        least = np.clip(1 - lengths / sizes.n_features, 0, None)
        axis.plot(lengths, least, color=lab.BLACK, linestyle=":", linewidth=1.3, label="least squares: 1 - n/d")
        lab.draw_levels(axis, {ZERO: 1}, STYLES)
        title, x_label = f"after {budget:,} steps", "labelled points in the context, n"
        lab.name_axes(axis, x_label, "squared error", title=title, y_range=(-0.03, 1.3))
        lab.legend_below(axis)
    return figure


def draw_controls(sizes: Sizes, measured: Measured) -> Figure:
    """Error against steps of the set model and of classification."""
    figure, ((left, right),) = lab.grid(1, 2, width=9.2, height=4.4)
    _draw_arms(left, sizes, measured, SET, "merged tokens, a set", {ZERO: 1, LEAST: 0})
    left.set_ylim(-0.05, 1.35)
    levels = {COIN: 0.5, "logistic regression on the context": measured.logistic.at(sizes.n_points - 1).mean()}
    _draw_arms(right, sizes, measured, CLASSES, "classification, interleaved tokens", levels)
    return figure
