"""Words and tables of the study's page, and its results as one table."""

from __future__ import annotations

import pandas as pd

from ctxlearn import lab
from ctxlearn.evaluation.statistics import BOUNDLESS, Interval, mean_interval
from ctxlearn.evaluation.time_to_threshold import StepRatio, Times
from ctxlearn.studies.curriculum.claims import end_words, honest_test, plateau, steps_to_threshold
from ctxlearn.studies.curriculum.metrics import LONG, Measured
from ctxlearn.studies.curriculum.plots import control_figure, learning_figure, length_figure
from ctxlearn.studies.curriculum.settings import CLASSES, FULL, INTERLEAVED, SET, THRESHOLDS, Sizes

SETTING_WORDS = {INTERLEAVED: "regression, interleaved", SET: "regression, set", CLASSES: "classification, interleaved"}


def headline(claims: list[lab.Claim]) -> str:
    """What came out, made from the claims."""
    by_id = {claim.id: claim for claim in claims}
    faster, end, merged = by_id["faster"], by_id["better-in-the-end"], by_id["set-model-not-faster"]
    words = {"holds": "yes", "fails": "no", "undecided": "undecided"}
    return (
        f"Steps without over steps with a curriculum: {_bounded(faster)} for interleaved tokens,"
        f" {_bounded(merged)} for a set of merged ones. {honest_test(claims)}"
        f" Better in the end with a curriculum: {words[end.verdict]}."
    )


def sections(sizes: Sizes, measured: Measured) -> list[lab.Section]:
    """The page below its claims."""
    d, n = sizes.n_features, sizes.n_points - 1
    rows, ratios = [], []
    for setting, one in sizes.settings.items():
        full = steps_to_threshold(measured, setting, FULL)
        for arm in one.arms:
            found = steps_to_threshold(measured, setting, arm)
            rows.append([SETTING_WORDS[setting], arm, f"{THRESHOLDS[setting]:g}", _each(found)])
            if arm != FULL:
                seen = StepRatio(full, found).interval(level=0.95)
                ratios.append([SETTING_WORDS[setting], arm, _bounded(seen), f"{seen.seeds}"])
    rows.append(
        [SETTING_WORDS[INTERLEAVED], f"{FULL}, plateau", "0.9 of the zero predictor's", _each(plateau(measured))]
    )
    first, settled = sizes.budgets[0], sizes.curriculum_steps
    return [
        lab.Section(
            "Steps to learn",
            [
                f"Tasks are noiseless linear regressions, y = w.x / sqrt(d), d = {d}, of {sizes.n_points} points. The curriculum"
                f" begins with {sizes.start} inputs that are not zero and adds one every {sizes.every:,} steps; from step"
                f" {settled:,} on all arms train on full difficulty. Anti-curriculum and random order take the very same steps"
                " at the same difficulties before that, in the reverse order and shuffled. Every arm is tested on the same tasks"
                " of full difficulty: its training loss is on easier tasks and says nothing here.",
                f"Learned means: an error of {THRESHOLDS[INTERLEAVED]:g} at n = {n}, between tests in a straight line. Where that is"
                " not reached within the budget, only a lower bound of the steps is known, the budget itself (written > budget):"
                " the ratio is computed with it, and an unreached numerator leaves the ratio without an upper bound, an unreached"
                " denominator without a lower one.",
                end_words(sizes, measured),
            ],
            [learning_figure(sizes, measured)],
            [
                lab.Table(
                    f"Steps until the error at n = {n} is down to a threshold, each training seed",
                    ["model", "arm", "error", "steps"],
                    rows,
                ),
                lab.Table(
                    "Steps without a curriculum over steps of the arm, with 95 % intervals over seeds",
                    ["model", "arm", "ratio", "seeds"],
                    ratios,
                ),
            ],
        ),
        lab.Section(
            "At two budgets",
            [f"The same models at every context length, after {first:,} steps and after {sizes.budgets[1]:,}."],
            [length_figure(sizes, measured)],
            [_length_table(sizes, measured)],
        ),
        lab.Section(
            "Where it should not help, and classification",
            [
                "With interleaved tokens (x, y, x, y, ...) a model must first find out which y belongs to which x, and answers 0"
                " until it has. With x and y merged in one token there is nothing to find out: the same curriculum on a set model"
                f" is the control. Classification is the pair-wise family in d = {d} with the same plan.",
            ],
            [control_figure(sizes, measured)],
        ),
    ]


def results(sizes: Sizes, measured: Measured) -> pd.DataFrame:
    """One row per setting, arm, context length, training seed and step: errors with intervals over tasks."""
    rows = []
    everything = {**measured.arms, **{(LONG, name): arm for name, arm in measured.long.items()}}
    for (setting, name), arm in everything.items():
        for s, seed in enumerate(arm.errors.seeds):
            values = {(int(step), sizes.n_points - 1): arm.errors.values[s, :, k] for k, step in enumerate(arm.steps)}
            for step, lengths in arm.lengths.items():
                values |= {(step, n): lengths.values[s, :, n] for n in range(sizes.n_points)}
            about = {
                "learner": setting,
                "trained_on": name,
                "family": "pairwise-metric" if setting == CLASSES else "linear-regression",
            }
            rows += [
                {
                    **about,
                    "n_context": n,
                    "seed": seed,
                    "step": step,
                    **mean_interval(errors, resamples=499).as_columns(),
                }
                for (step, n), errors in values.items()
            ]
    return pd.DataFrame(rows)


def _length_table(sizes: Sizes, measured: Measured) -> lab.Table:
    n = sizes.n_points - 1
    shown = sorted({max(1, n // 4), n // 2, 3 * n // 4, n})
    rows = []
    for budget in sizes.budgets:
        for arm in sizes.settings[INTERLEAVED].arms:
            curve = measured.arms[INTERLEAVED, arm].lengths[budget].curve(bounded=False)
            cells = [f"{curve['mean'][k]:.3f} ({curve['low'][k]:.3f} to {curve['high'][k]:.3f})" for k in shown]
            rows.append([f"{budget:,}", arm, *cells])
    return lab.Table(
        "Squared error, mean over training seeds with its 95 % interval",
        ["steps", "arm", *(f"n = {k}" for k in shown)],
        rows,
    )


def _each(found: Times) -> str:
    return ", ".join(f"{'' if r else '> '}{s:,.0f}" for s, r in zip(found.steps, found.reached, strict=True))


def _bounded(found: Interval | lab.Claim) -> str:
    if found.high < BOUNDLESS:
        return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"
    return f"{found.value:.2f} (from {found.low:.2f}, no upper bound)"
