"""Words and tables of the study's page, and its results as one table."""

from __future__ import annotations

import pandas as pd

from ctxlearn.evaluation.statistics import mean_interval
from ctxlearn.studies.base import Section, Table
from ctxlearn.studies.claims import Claim
from ctxlearn.studies.curriculum.claims import end_words, honest_test, plateau, steps_to_threshold
from ctxlearn.studies.curriculum.crossing import BOUNDLESS, Times, ratio
from ctxlearn.studies.curriculum.drawing import band, control_figure, learning_figure, length_figure
from ctxlearn.studies.curriculum.measuring import Measured
from ctxlearn.studies.curriculum.settings import CLASSES, FULL, INTERLEAVED, SET, THRESHOLDS, Settings

SETTING_WORDS = {INTERLEAVED: "regression, interleaved", SET: "regression, set", CLASSES: "classification, interleaved"}


def headline(claims: list[Claim]) -> str:
    """What came out, made from the claims."""
    by_id = {claim.id: claim for claim in claims}
    faster, end, merged = by_id["faster"], by_id["better-in-the-end"], by_id["set-model-not-faster"]
    words = {"holds": "yes", "fails": "no", "undecided": "undecided"}
    return (
        f"Steps without over steps with a curriculum: {_bounded(faster.value, faster.low, faster.high)} for interleaved tokens,"
        f" {_bounded(merged.value, merged.low, merged.high)} for a set of merged ones. {honest_test(claims)}"
        f" Better in the end with a curriculum: {words[end.verdict]}."
    )


def sections(settings: Settings, measured: Measured) -> list[Section]:
    """The page below its claims."""
    d, n = settings.n_features, settings.n_points - 1
    rows, ratios = [], []
    for setting, sizes in settings.settings.items():
        full = steps_to_threshold(measured, setting, FULL)
        for arm in sizes.arms:
            found = steps_to_threshold(measured, setting, arm)
            rows.append([SETTING_WORDS[setting], arm, f"{THRESHOLDS[setting]:g}", _each(found)])
            if arm != FULL:
                seen = ratio(full, found, level=0.95)
                ratios.append([SETTING_WORDS[setting], arm, _bounded(seen.value, seen.low, seen.high), f"{seen.seeds}"])
    rows.append(
        [SETTING_WORDS[INTERLEAVED], f"{FULL}, plateau", "0.9 of the zero predictor's", _each(plateau(measured))]
    )
    first, settled = settings.budgets[0], settings.curriculum_steps
    return [
        Section(
            "Steps to learn",
            [
                f"Tasks are noiseless linear regressions, y = w.x / sqrt(d), d = {d}, of {settings.n_points} points. The curriculum"
                f" begins with {settings.start} inputs that are not zero and adds one every {settings.every:,} steps; from step"
                f" {settled:,} on all arms train on full difficulty. Anti-curriculum and random order take the very same steps"
                " at the same difficulties before that, in the reverse order and shuffled. Every arm is tested on the same tasks"
                " of full difficulty: its training loss is on easier tasks and says nothing here.",
                f"Learned means: an error of {THRESHOLDS[INTERLEAVED]:g} at n = {n}, between tests in a straight line. Where that is"
                " not reached within the budget, only a lower bound of the steps is known, the budget itself (written > budget):"
                " the ratio is computed with it, and an unreached numerator leaves the ratio without an upper bound, an unreached"
                " denominator without a lower one.",
                end_words(settings, measured),
            ],
            [learning_figure(settings, measured)],
            [
                Table(
                    f"Steps until the error at n = {n} is down to a threshold, each training seed",
                    ["model", "arm", "error", "steps"],
                    rows,
                ),
                Table(
                    "Steps without a curriculum over steps of the arm, with 95 % intervals over seeds",
                    ["model", "arm", "ratio", "seeds"],
                    ratios,
                ),
            ],
        ),
        Section(
            "At two budgets",
            [f"The same models at every context length, after {first:,} steps and after {settings.budgets[1]:,}."],
            [length_figure(settings, measured)],
            [_length_table(settings, measured)],
        ),
        Section(
            "Where it should not help, and classification",
            [
                "With interleaved tokens (x, y, x, y, ...) a model must first find out which y belongs to which x, and answers 0"
                " until it has. With x and y merged in one token there is nothing to find out: the same curriculum on a set model"
                f" is the control. Classification is the pair-wise family in d = {d} with the same plan.",
            ],
            [control_figure(settings, measured)],
        ),
    ]


def results(settings: Settings, measured: Measured) -> pd.DataFrame:
    """One row a setting, arm, context length, training seed and step: errors with intervals over tasks."""
    rows = []
    everything = {(s, a): arm for (s, a), arm in measured.arms.items()}
    everything |= {(f"{INTERLEAVED}, long", a): arm for a, arm in measured.long.items()}
    for (setting, name), arm in everything.items():
        for s, seed in enumerate(arm.seeds):
            values = {(int(step), settings.n_points - 1): arm.errors[s, k] for k, step in enumerate(arm.steps)}
            if (setting, name) in measured.arms:
                for step, lengths in arm.lengths.items():
                    values |= {(step, n): lengths[s, :, n] for n in range(settings.n_points)}
            for (step, n), errors in values.items():
                interval = mean_interval(errors, resamples=499)
                rows.append(
                    {
                        "learner": setting,
                        "trained_on": name,
                        "family": "pairwise-metric" if setting == CLASSES else "linear-regression",
                        "n_context": n,
                        "seed": seed,
                        "step": step,
                        "mean": interval.value,
                        "low": interval.low,
                        "high": interval.high,
                        "n_tasks": interval.n_tasks,
                    }
                )
    return pd.DataFrame(rows)


def _length_table(settings: Settings, measured: Measured) -> Table:
    n = settings.n_points - 1
    shown = sorted({max(1, n // 4), n // 2, 3 * n // 4, n})
    rows = []
    for budget in settings.budgets:
        for arm in settings.settings[INTERLEAVED].arms:
            mean, low, _ = band(measured.arms[INTERLEAVED, arm].lengths[budget].swapaxes(1, 2))
            rows.append([f"{budget:,}", arm, *(f"{mean[k]:.3f} +- {mean[k] - low[k]:.3f}" for k in shown)])
    return Table(
        "Squared error, mean over training seeds with its 95 % interval",
        ["steps", "arm", *(f"n = {k}" for k in shown)],
        rows,
    )


def _each(found: Times) -> str:
    return ", ".join(f"{'' if r else '> '}{s:,.0f}" for s, r in zip(found.steps, found.reached, strict=True))


def _bounded(value: float, low: float, high: float) -> str:
    upper = "no upper bound" if high >= BOUNDLESS else f"to {high:.2f}"
    return f"{value:.2f} ({low:.2f} {upper})" if high < BOUNDLESS else f"{value:.2f} (from {low:.2f}, {upper})"
