"""The claims of the study `domains`. The test was fixed before any measurement."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ctxlearn.studies.claims import Claim, decide
from ctxlearn.studies.domains.measuring import ICL, M2, UNKNOWN, Measured
from ctxlearn.studies.domains.settings import GAIN, GATE, SAME, Part

UNITS = {
    "regression": "excess squared error, mean over context lengths 0..N-1",
    "classification": "error rate, mean over context lengths 0..N-1",
}


def decide_claims(parts: Mapping[str, Part], measured: Mapping[str, Measured]) -> list[Claim]:
    """Every claim of the study; their samples are domains."""
    claims = []
    for name, found in measured.items():
        claims += _about_adapting(name, parts[name], found)
    return claims


def passed(part: Part, measured: Measured) -> bool | None:
    """Whether M2 wins at the smallest size as the fixed test asks: mean gain >= 0.03, lower bound above 0.

    None where M2 did not converge for a training seed.
    """
    if not converged(measured).all():
        return None
    gain = measured.gain(part.sizes[0])
    return bool(gain.mean() >= GAIN) and _wins("regression", part, measured).verdict == "holds"


def converged(measured: Measured) -> np.ndarray:
    """For each seed whether M2 passed the gate, (S,) bool."""
    return np.asarray(measured.validation.mean((1, 2)) <= GATE)


def _wins(name: str, part: Part, found: Measured) -> Claim:
    small = part.sizes[0]
    return decide(
        f"{name}-m2-wins-at-{small}",
        f"From {small} tasks of a new domain of {name}, M2 adapts better than in-context learning of the same compute",
        f"ICL minus M2, each adapted as its validation domains say, {UNITS[name]}, paired over domains",
        found.gain(small),
        # of regression this is the test that was fixed beforehand: it is decided for itself, not along with the others
        group=f"{name}, the test" if name == "regression" else name,
        together=1 if name == "regression" else _together(name),
    )


def _together(name: str) -> int:
    return 7 if name == "regression" else 4


def _about_adapting(name: str, part: Part, found: Measured) -> list[Claim]:
    small, large, unit = part.sizes[0], part.sizes[-1], UNITS[name]
    together = _together(name)
    claims = [_wins(name, part, found)]
    for arm, words in ((M2, "M2"), (ICL, "in-context learning")):
        claims.append(
            decide(
                f"{name}-{arm.lower()}-gains-by-adapting",
                f"Adapting to {small} tasks of a new domain of {name} makes {words} better",
                f"unadapted minus adapted, {unit}, paired over domains",
                found.mean(arm) - found.mean(arm, small),
                group=name,
                together=together,
            )
        )
    claims.append(
        decide(
            f"{name}-adapting-beats-any-without",
            f"Adapted to {large} tasks, in-context learning is better than the best predictor that has met no task of the domain",
            f"Bayes predictor with the domain unknown minus ICL, {unit}, paired over domains",
            found.mean(UNKNOWN) - found.mean(ICL, large),
            group=name,
            together=together,
        )
    )
    if name != "regression":
        return claims
    gap = "ICL minus M2, each adapted as its validation domains say"
    return [
        *claims,
        decide(
            f"{name}-m2-wins-clearly-at-{small}",
            f"That advantage at {small} tasks is {GAIN:g} or more",
            f"{gap}, {unit}, paired over domains",
            found.gain(small),
            threshold=GAIN,
            group=name,
            together=together,
        ),
        decide(
            f"{name}-m2-no-better-at-{large}",
            f"From {large} tasks M2 is not better by {SAME:g} or more",
            f"{gap}, {unit}, paired over domains",
            found.gain(large),
            threshold=SAME,
            better="below",
            group=name,
            together=together,
        ),
        decide(
            f"{name}-m2-no-worse-at-{large}",
            f"From {large} tasks M2 is not worse by {SAME:g} or more",
            f"{gap}, {unit}, paired over domains",
            found.gain(large),
            threshold=-SAME,
            group=name,
            together=together,
        ),
        decide(
            f"{name}-m2-converged",
            f"M2 passes the gate of convergence: excess error of {GATE:g} or less after its own inner steps",
            f"{unit}, on {part.n_validation} validation domains after {part.inner_steps} inner steps on {part.n_tasks} tasks",
            found.validation.mean(-1),
            threshold=GATE,
            better="below",
            group=name,
            together=together,
        ),
    ]
