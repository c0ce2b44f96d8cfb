"""What the study claims, and the numbers that decide it."""

from __future__ import annotations

import numpy as np

from ctxlearn.evaluation.statistics import mean_interval
from ctxlearn.studies.claims import Claim, decide
from ctxlearn.studies.curriculum.crossing import Times, decide_ratio, decide_steps, times
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

PLATEAU, PLATEAU_STEPS = 0.9, 400
"""A plateau ends when the error is this share of the zero predictor's; how long it must be to speak of one."""
QUARTER_FASTER = 1.25


def steps_to_threshold(measured: Measured, setting: str, arm: str) -> Times:
    """Steps of each training until its error at the longest context is at most its setting's threshold."""
    found = measured.arms[setting, arm]
    return times(found.seeds, found.steps, found.errors.mean(2), THRESHOLDS[setting])


def plateau(measured: Measured) -> Times:
    """Steps of each training without a curriculum until it is better than the zero predictor by a tenth."""
    found = measured.arms[INTERLEAVED, FULL]
    return times(found.seeds, found.steps, found.errors.mean(2), PLATEAU * measured.zero)


def late_errors(arm: Arm) -> np.ndarray:
    """Per task, (S, T): mean over the last quarter of the tested weights, so that one step's luck does not decide."""
    return np.asarray(arm.errors[:, -max(1, len(arm.steps) // 4) :].mean(1))


def still_falling(arm: Arm) -> float:
    """By what share the error fell from the third to the last quarter of the tested weights; 0 would be converged."""
    k = max(1, len(arm.steps) // 4)
    before, last = arm.errors[:, -2 * k : -k].mean(), arm.errors[:, -k:].mean()
    return float(1 - last / before)


def decide_claims(settings: Settings, measured: Measured) -> list[Claim]:
    """Every claim of the study."""
    n, n_tasks = settings.n_points - 1, settings.n_tasks

    def needed(setting: str, arm: str) -> Times:
        return steps_to_threshold(measured, setting, arm)

    def statistic(setting: str, above: str, under: str) -> str:
        kind = "share of wrong labels" if setting == CLASSES else "squared error"
        return (
            f"steps to a {kind} of {THRESHOLDS[setting]:g} at n = {n}, {above} over {under}, geometric mean over seeds"
            f"{_censored({arm: needed(setting, arm) for arm in (above, under)})}"
        )

    flat = plateau(measured)
    found = [
        decide_steps(
            "there-is-a-plateau",
            f"Without a curriculum the interleaved model answers no better than always 0 for {PLATEAU_STEPS} steps or more",
            f"steps until the error at n = {n} is {PLATEAU:g} of the zero predictor's on the same tasks"
            f"{_censored({FULL: flat})}",
            flat,
            threshold=PLATEAU_STEPS,
            group="gate",
            n_tasks=n_tasks,
        )
    ]
    full, rising = needed(INTERLEAVED, FULL), needed(INTERLEAVED, RISING)
    for id, threshold, words in (
        ("faster", 1.0, "learns in fewer steps"),
        ("faster-by-a-quarter", QUARTER_FASTER, f"learns at least {QUARTER_FASTER:g} times as fast"),
    ):
        found.append(
            decide_ratio(
                id,
                f"With a curriculum the interleaved model {words}",
                statistic(INTERLEAVED, FULL, RISING),
                full,
                rising,
                threshold=threshold,
                group=id,
                n_tasks=n_tasks,
            )
        )
    for arm, id in ((SHUFFLED, "faster-than-random-order"), (REVERSED, "faster-than-anti-curriculum")):
        found.append(
            decide_ratio(
                id,
                f"From easy to hard, the same tasks are learned from in fewer steps than in {_article(arm)}",
                statistic(INTERLEAVED, arm, RISING),
                needed(INTERLEAVED, arm),
                rising,
                together=2,
                group="order",
                n_tasks=n_tasks,
            )
        )
    found.append(
        decide_ratio(
            "set-model-not-faster",
            "The control, a model of sets of merged tokens, does not learn faster with a curriculum",
            statistic(SET, FULL, RISING),
            needed(SET, FULL),
            needed(SET, RISING),
            better="below",
            group="set",
            n_tasks=n_tasks,
        )
    )
    found.append(
        decide_ratio(
            "classification-faster",
            "With a curriculum the interleaved model of classification learns in fewer steps",
            statistic(CLASSES, FULL, RISING),
            needed(CLASSES, FULL),
            needed(CLASSES, RISING),
            group="classes",
            n_tasks=n_tasks,
        )
    )
    found.append(
        decide(
            "better-in-the-end",
            "Trained on, the interleaved model is better in the end with a curriculum",
            f"squared error at n = {n}, without minus with a curriculum, mean over the last quarter of"
            f" {settings.long_steps:,} steps",
            late_errors(measured.long[FULL]) - late_errors(measured.long[RISING]),
            group="end",
        )
    )
    return found


def honest_test(claims: list[Claim]) -> str:
    """The test fixed before the runs: the ratio is at least 1.25 and its lower bound above 1; the plateau is there."""
    by_id = {claim.id: claim for claim in claims}
    faster, gate = by_id["faster"], by_id["there-is-a-plateau"]
    passed = faster.value >= QUARTER_FASTER and faster.low > 1
    return (
        f"The test fixed beforehand (ratio at least {QUARTER_FASTER:g}, its lower bound above 1) is"
        f" {'passed' if passed else 'not passed'}, and its gate (a plateau of {PLATEAU_STEPS} steps)"
        f" {'is met' if gate.value >= PLATEAU_STEPS else 'is not met'} on average ({gate.value:,.0f} steps)."
    )


def end_words(settings: Settings, measured: Measured) -> str:
    """What the long runs say of the end, and whether it was one."""
    parts = []
    for arm in (FULL, RISING):
        found = measured.long[arm]
        interval = mean_interval(late_errors(found))
        parts.append(
            f"{arm}: {interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f}),"
            f" {100 * still_falling(found):.0f} % below the quarter before"
        )
    return (
        f"Error at n = {settings.n_points - 1} over the last quarter of {settings.long_steps:,} steps, {'; '.join(parts)}."
        " Least squares has 0. An arm whose error still falls has not converged, and its end is not known."
    )


def _article(arm: str) -> str:
    return "random order" if arm == SHUFFLED else "the reverse order"


def _censored(needed: dict[str, Times]) -> str:
    missing = [
        f"{int((~found.reached).sum())} of {len(found.seeds)} {arm}"
        for arm, found in needed.items()
        if not found.reached.all()
    ]
    return f" (not reached within the budget, and put at it: {', '.join(missing)})" if missing else ""
