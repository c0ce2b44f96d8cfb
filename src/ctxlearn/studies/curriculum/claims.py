"""What the study claims, and the numbers that decide it."""

from __future__ import annotations

from ctxlearn import lab
from ctxlearn.evaluation.time_to_threshold import StepRatio, StepsNeeded, Times, times
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

PLATEAU, PLATEAU_STEPS = 0.9, 400
"""A plateau ends when the error is this share of the zero predictor's; how long it must be to speak of one."""
QUARTER_FASTER = 1.25


def steps_to_threshold(measured: Measured, setting: str, arm: str) -> Times:
    """Steps of each training until its error at the longest context is at most its setting's threshold."""
    found = measured.arms[setting, arm]
    return times(list(found.errors.seeds), found.steps, found.errors.values.mean(1), THRESHOLDS[setting])


def plateau(measured: Measured) -> Times:
    """Steps of each training without a curriculum until it is better than the zero predictor by a tenth."""
    found = measured.arms[INTERLEAVED, FULL]
    zero = measured.zero.values.mean(1)
    return times(list(found.errors.seeds), found.steps, found.errors.values.mean(1), PLATEAU * zero)


def late_errors(arm: Arm) -> lab.Paired:
    """Per task: mean over the last quarter of the tested weights, so that one step's luck does not decide."""
    return arm.errors.averaged(slice(-max(1, len(arm.steps) // 4), None))


def still_falling(arm: Arm) -> float:
    """By what share the error fell from the third to the last quarter of the tested weights; 0 would be converged."""
    k = max(1, len(arm.steps) // 4)
    return 1 - late_errors(arm).mean() / arm.errors.averaged(slice(-2 * k, -k)).mean()


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
        return lab.Says(
            id,
            sentence,
            f"steps to a {kind} of {THRESHOLDS[setting]:g} at n = {n}, {above} over {RISING}, geometric mean over seeds"
            f"{_censored(needed)}",
            StepRatio(needed[above], needed[RISING], sizes.n_tasks),
            threshold,
            better,
        )

    groups = {
        "gate": [gate],
        "faster": [ratio("faster", "With a curriculum the interleaved model learns in fewer steps", INTERLEAVED, FULL)],
        "faster-by-a-quarter": [
            ratio(
                "faster-by-a-quarter",
                f"With a curriculum the interleaved model learns at least {QUARTER_FASTER:g} times as fast",
                INTERLEAVED,
                FULL,
                QUARTER_FASTER,
            )
        ],
        "order": [
            ratio(
                id,
                f"From easy to hard, the same tasks are learned from in fewer steps than in {words}",
                INTERLEAVED,
                arm,
            )
            for arm, words, id in (
                (SHUFFLED, "random order", "faster-than-random-order"),
                (REVERSED, "the reverse order", "faster-than-anti-curriculum"),
            )
        ],
        "set": [
            ratio(
                "set-model-not-faster",
                "The control, a model of sets of merged tokens, does not learn faster with a curriculum",
                SET,
                FULL,
                better="below",
            )
        ],
        "classes": [
            ratio(
                "classification-faster",
                "With a curriculum the interleaved model of classification learns in fewer steps",
                CLASSES,
                FULL,
            )
        ],
        "end": [
            lab.Says(
                "better-in-the-end",
                "Trained on, the interleaved model is better in the end with a curriculum",
                f"squared error at n = {n}, without minus with a curriculum, mean over the last quarter of"
                f" {sizes.long_steps:,} steps",
                late_errors(measured.long[FULL]) - late_errors(measured.long[RISING]),
            )
        ],
    }
    return [claim for group, says in groups.items() for claim in lab.together(group, says)]


def honest_test(claims: list[lab.Claim]) -> str:
    """The test fixed before the runs: the ratio is at least 1.25 and its lower bound above 1; the plateau is there."""
    by_id = {claim.id: claim for claim in claims}
    faster, gate = by_id["faster"], by_id["there-is-a-plateau"]
    passed = faster.value >= QUARTER_FASTER and faster.low > 1
    return (
        f"The test fixed beforehand (ratio at least {QUARTER_FASTER:g}, its lower bound above 1) is"
        f" {'passed' if passed else 'not passed'}, and its gate (a plateau of {PLATEAU_STEPS} steps)"
        f" {'is met' if gate.value >= PLATEAU_STEPS else 'is not met'} on average ({gate.value:,.0f} steps)."
    )


def end_words(sizes: Sizes, measured: Measured) -> str:
    """What the long runs say of the end, and whether it was one."""
    parts = [
        f"{arm}: {lab.cell(late_errors(found).interval(), 3)}, {100 * still_falling(found):.0f} % below the quarter before"
        for arm, found in ((arm, measured.long[arm]) for arm in (FULL, RISING))
    ]
    return (
        f"Error at n = {sizes.n_points - 1} over the last quarter of {sizes.long_steps:,} steps, {'; '.join(parts)}."
        " Least squares has 0. An arm whose error still falls has not converged, and its end is not known."
    )


def _censored(needed: dict[str, Times]) -> str:
    missing = [
        f"{int((~found.reached).sum())} of {len(found.seeds)} {arm}"
        for arm, found in needed.items()
        if not found.reached.all()
    ]
    return f" (not reached within the budget, and put at it: {', '.join(missing)})" if missing else ""
