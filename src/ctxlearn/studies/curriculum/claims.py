"""What the study claims, and the numbers that decide it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ctxlearn import lab
from ctxlearn.evaluation.time_to_threshold import StepRatio, StepsNeeded, Times, times
from ctxlearn.studies.curriculum import settings
from ctxlearn.studies.curriculum.metrics import LONG, Measured
from ctxlearn.studies.curriculum.settings import CLASSES, FULL, INTERLEAVED, RISING, SET, THRESHOLDS, Sizes

PLATEAU, PLATEAU_STEPS = 0.9, 400
"""A plateau ends when the error is this share of the zero predictor's; how long it must be to speak of one."""
QUARTER_FASTER = 1.25


def steps_to_threshold(measured: Measured, setting: str, arm: str) -> Times:
    """Steps of each training until its error at the longest context is at most its setting's threshold."""
    return _times(measured.steps[setting], measured.errors[setting, arm], threshold_of(setting))


def threshold_of(setting: str) -> float:
    """The error that counts as learned, at other learning rates too."""
    return THRESHOLDS.get(setting, THRESHOLDS[INTERLEAVED])


def best_rate(sizes: Sizes, measured: Measured, arm: str) -> str:
    """The setting in which an arm of the interleaved model learned in the fewest steps, on validation tasks, of all learning rates."""

    def needed(setting: str) -> tuple[float, float]:
        errors = measured.validation[setting, arm]
        found = _times(measured.steps[setting], errors, threshold_of(setting))
        return float(np.log(found.steps).mean()), late_errors(errors).mean()  # where none learned, the lower error

    return min((INTERLEAVED, *sizes.other_rates), key=needed)


def plateau(measured: Measured) -> Times:
    """Steps of each training without a curriculum until it is better than the zero predictor by a tenth."""
    threshold = PLATEAU * measured.zero.values.mean(1)
    return _times(measured.steps[INTERLEAVED], measured.errors[INTERLEAVED, FULL], threshold)


def _times(steps: np.ndarray, errors: lab.Paired, threshold: np.ndarray | float) -> Times:
    return times(list(errors.seeds), steps, errors.values.mean(1), threshold)


def late_errors(errors: lab.Paired) -> lab.Paired:
    """Per task: mean over the last quarter of the tested weights, so that one step's luck does not decide."""
    return errors.averaged(slice(-max(1, errors.values.shape[-1] // 4), None))


def still_falling(errors: lab.Paired) -> float:
    """By what share the error fell from the third to the last quarter of the tested weights; 0 would be converged."""
    k = max(1, errors.values.shape[-1] // 4)
    return 1 - late_errors(errors).mean() / errors.averaged(slice(-2 * k, -k)).mean()


def decide_claims(sizes: Sizes, measured: Measured) -> list[lab.Claim]:
    """Every claim of the study."""
    n = sizes.n_points - 1
    flat = plateau(measured)
    gate = lab.Says(
        "there-is-a-plateau",
        f"Without a curriculum the interleaved model answers no better than always 0 for {PLATEAU_STEPS} steps or more",
        f"steps until the error at n = {n} is {PLATEAU:g} of the zero predictor's on the same tasks{_censored({FULL: flat})}",
        StepsNeeded(flat, sizes.n_tasks),
        threshold=PLATEAU_STEPS,
    )

    def ratio(
        id: str, sentence: str, setting: str, above: str, threshold: float = 1.0, better: str = "above"
    ) -> lab.Says:
        needed = {arm: steps_to_threshold(measured, setting, arm) for arm in (above, RISING)}
        kind = "share of wrong labels" if setting == CLASSES else "squared error"
        statistic = (
            f"steps to a {kind} of {THRESHOLDS[setting]:g} at n = {n}, {above} over {RISING}, geometric mean over seeds"
        )
        found = StepRatio(needed[above], needed[RISING], sizes.n_tasks)
        return lab.Says(id, sentence, statistic + _censored(needed), found, threshold, better)

    def at_best_rates() -> lab.Says:
        needed = {arm: steps_to_threshold(measured, best_rate(sizes, measured, arm), arm) for arm in (FULL, RISING)}
        statistic = f"steps to a squared error of {THRESHOLDS[INTERLEAVED]:g} at n = {n}, {FULL} over {RISING}, each at the rate"
        return lab.Says(
            "faster-at-best-rates",
            f"With the best of {1 + len(sizes.rates)} learning rates for each, the interleaved model learns in fewer steps with a curriculum",
            f"{statistic} of fewest steps on validation tasks, geometric mean over seeds{_censored(needed)}",
            StepRatio(needed[FULL], needed[RISING], sizes.n_tasks),
            threshold=1.0,
        )

    interleaved = "With a curriculum the interleaved model learns"
    quarter = f"{interleaved} at least {QUARTER_FASTER:g} times as fast"
    order = "From easy to hard, the same tasks are learned from in fewer steps than in"
    merged = "The control, a model of sets of merged tokens, does not learn faster with a curriculum"
    classes = "With a curriculum the interleaved model of classification learns in fewer steps"
    end = lab.Says(
        "better-in-the-end",
        "Trained on, the interleaved model is better in the end with a curriculum",
        f"squared error at n = {n}, without minus with a curriculum, mean over the last quarter of {sizes.long_steps:,} steps",
        late_errors(measured.errors[LONG, FULL]) - late_errors(measured.errors[LONG, RISING]),
    )
    groups = {
        "gate": [gate],
        "faster": [ratio("faster", f"{interleaved} in fewer steps", INTERLEAVED, FULL)],
        "faster-by-a-quarter": [ratio("faster-by-a-quarter", quarter, INTERLEAVED, FULL, QUARTER_FASTER)],
        "rates": [at_best_rates()],
        "order": [
            ratio("faster-than-random-order", f"{order} random order", INTERLEAVED, settings.SHUFFLED),
            ratio("faster-than-anti-curriculum", f"{order} the reverse order", INTERLEAVED, settings.REVERSED),
        ],
        "set": [ratio("set-model-not-faster", merged, SET, FULL, better="below")],
        "classes": [ratio("classification-faster", classes, CLASSES, FULL)],
        "end": [end],
    }
    return [claim for group, says in groups.items() for claim in lab.together(group, says)]


def passed(claims: Sequence[lab.Claim]) -> bool:
    """The test fixed before the runs: the ratio is at least 1.25 and its lower bound above 1."""
    faster = next(claim for claim in claims if claim.id == "faster")
    return faster.value >= QUARTER_FASTER and faster.low > 1


def _censored(needed: dict[str, Times]) -> str:
    missing = [
        f"{int((~found.reached).sum())} of {len(found.seeds)} {arm}"
        for arm, found in needed.items()
        if not found.reached.all()
    ]
    return f" (not reached within the budget, and put at it: {', '.join(missing)})" if missing else ""
