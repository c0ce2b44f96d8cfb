"""The claims of the study `domains`. The test was fixed before any measurement."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ctxlearn import lab
from ctxlearn.studies.domains.metrics import UNKNOWN, Measured
from ctxlearn.studies.domains.settings import CLASSIFICATION, GAIN, GATE, ICL, M2, REGRESSION, SAME, Part, Sizes

UNITS = {
    REGRESSION: "excess squared error, mean over context lengths 0..N-1",
    CLASSIFICATION: "error rate, mean over context lengths 0..N-1",
}
GAP = "ICL minus M2, each adapted as its validation domains say"


def decide_claims(parts: Sizes, measured: Mapping[str, Measured]) -> list[lab.Claim]:
    """Every claim of the study; their samples are domains.

    That M2 wins on regression is the test that was fixed beforehand: it is decided for itself, not along with the others.
    """
    claims = []
    for name, found in measured.items():
        part = parts[name]
        wins, others = _wins(name, part, found), _gains(name, part, found)
        if name == REGRESSION:
            claims += lab.together(f"{name}, the test", [wins])
            claims += lab.together(
                name, [*others, *_sizes_of_advantage(name, part, found), _converges(name, part, found)]
            )
        else:
            claims += lab.together(name, [wins, *others])
    return claims


def passed(part: Part, measured: Measured) -> bool | None:
    """Whether M2 wins at the smallest size as the fixed test asks: mean gain >= 0.03, lower bound above 0.

    None where M2 did not converge for a training seed.
    """
    if not converged(measured).all():
        return None
    test = lab.together(f"{REGRESSION}, the test", [_wins(REGRESSION, part, measured)])
    return bool(measured.gain(part.sizes[0]).mean() >= GAIN) and test[0].verdict == "holds"


def converged(measured: Measured) -> np.ndarray:
    """For each seed whether M2 passed the gate, (S,) bool."""
    return np.asarray(measured.validation.values.mean((1, 2)) <= GATE)


def _wins(name: str, part: Part, found: Measured) -> lab.Says:
    small = part.sizes[0]
    return lab.Says(
        f"{name}-m2-wins-at-{small}",
        f"From {small} tasks of a new domain of {name}, M2 adapts better than in-context learning of the same compute",
        f"{GAP}, {UNITS[name]}, paired over domains",
        found.gain(small),
    )


def _gains(name: str, part: Part, found: Measured) -> list[lab.Says]:
    """What adapting is worth to each arm, and against who has met no task of the domain."""
    small, large, unit = part.sizes[0], part.sizes[-1], UNITS[name]
    says = [
        lab.Says(
            f"{name}-{arm.lower()}-gains-by-adapting",
            f"Adapting to {small} tasks of a new domain of {name} makes {words} better",
            f"unadapted minus adapted, {unit}, paired over domains",
            found.mean(arm) - found.mean(arm, small),
        )
        for arm, words in ((M2, "M2"), (ICL, "in-context learning"))
    ]
    beats = lab.Says(
        f"{name}-adapting-beats-any-without",
        f"Adapted to {large} tasks, in-context learning is better than the best predictor that has met no task of the domain",
        f"Bayes predictor with the domain unknown minus ICL, {unit}, paired over domains",
        found.mean(UNKNOWN) - found.mean(ICL, large),
    )
    return [*says, beats]


def _sizes_of_advantage(name: str, part: Part, found: Measured) -> list[lab.Says]:
    """How large M2's advantage is from few tasks, and that there is none from many."""
    small, large = part.sizes[0], part.sizes[-1]
    statistic = f"{GAP}, {UNITS[name]}, paired over domains"
    return [
        lab.Says(
            f"{name}-m2-wins-clearly-at-{small}",
            f"That advantage at {small} tasks is {GAIN:g} or more",
            statistic,
            found.gain(small),
            threshold=GAIN,
        ),
        lab.Says(
            f"{name}-m2-no-better-at-{large}",
            f"From {large} tasks M2 is not better by {SAME:g} or more",
            statistic,
            found.gain(large),
            threshold=SAME,
            better="below",
        ),
        lab.Says(
            f"{name}-m2-no-worse-at-{large}",
            f"From {large} tasks M2 is not worse by {SAME:g} or more",
            statistic,
            found.gain(large),
            threshold=-SAME,
        ),
    ]


def _converges(name: str, part: Part, found: Measured) -> lab.Says:
    return lab.Says(
        f"{name}-m2-converged",
        f"M2 passes the gate of convergence: excess error of {GATE:g} or less after its own inner steps",
        f"{UNITS[name]}, on {part.n_validation} validation domains after {part.inner_steps} inner steps on {part.n_tasks} tasks",
        found.validation.averaged(slice(None)),
        threshold=GATE,
        better="below",
    )
