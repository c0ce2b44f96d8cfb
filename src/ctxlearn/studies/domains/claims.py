"""The claims of the study `domains`. The test was fixed before any measurement."""

from __future__ import annotations

from collections.abc import Mapping

from ctxlearn import lab
from ctxlearn.studies.domains.metrics import UNKNOWN, Measured
from ctxlearn.studies.domains.settings import CLASSIFICATION, GAIN, GATE, ICL, M2, REGRESSION, SAME, Part, Sizes

UNITS = {REGRESSION: "excess squared error", CLASSIFICATION: "error rate"}


def decide_claims(parts: Sizes, measured: Mapping[str, Measured]) -> list[lab.Claim]:
    """Every claim of the study; their samples are domains.

    That M2 wins on regression is the test that was fixed beforehand: it is decided for itself, not along with the others.
    """
    claims = []
    for name, found in measured.items():
        wins, others = _wins(name, parts[name], found), _gains(name, parts[name], found)
        if name == REGRESSION:
            claims += lab.together(f"{name}, the test", [wins])
            claims += lab.together(name, [*others, *_advantage(name, parts[name], found)])
        else:
            claims += lab.together(name, [wins, *others])
    return claims


def passed(part: Part, measured: Measured) -> bool | None:
    """Whether M2 wins at the smallest size as the fixed test asks: mean gain >= 0.03, lower bound above 0.

    None where M2 did not converge for a training seed.
    """
    if measured.unconverged:
        return None
    test = lab.together(f"{REGRESSION}, the test", [_wins(REGRESSION, part, measured)])
    return bool(measured.gain(part.sizes[0]).mean() >= GAIN) and test[0].verdict == "holds"


def _unit(name: str) -> str:
    return f"{UNITS[name]}, mean over context lengths 0..N-1"


def _gap(name: str) -> str:
    return f"ICL minus M2, each adapted as its validation domains say, {_unit(name)}, paired over domains"


def _wins(name: str, part: Part, found: Measured) -> lab.Says:
    small = part.sizes[0]
    return lab.Says(
        f"{name}-m2-wins-at-{small}",
        f"From {small} tasks of a new domain of {name}, M2 adapts better than in-context learning of the same compute",
        _gap(name),
        found.gain(small),
    )


def _gains(name: str, part: Part, found: Measured) -> list[lab.Says]:
    """What adapting is worth to each arm, and against who has met no task of the domain."""
    small, large = part.sizes[0], part.sizes[-1]
    says = [
        lab.Says(
            f"{name}-{arm.lower()}-gains-by-adapting",
            f"Adapting to {small} tasks of a new domain of {name} makes {words} better",
            f"unadapted minus adapted, {_unit(name)}, paired over domains",
            found.mean(arm) - found.mean(arm, small),
        )
        for arm, words in ((M2, "M2"), (ICL, "in-context learning"))
    ]
    beats = lab.Says(
        f"{name}-adapting-beats-any-without",
        f"Adapted to {large} tasks, in-context learning is better than the best predictor that has met no task of the domain",
        f"Bayes predictor with the domain unknown minus ICL, {_unit(name)}, paired over domains",
        found.mean(UNKNOWN) - found.mean(ICL, large),
    )
    return [*says, beats]


def _advantage(name: str, part: Part, found: Measured) -> list[lab.Says]:
    """How large M2's advantage is from few tasks, that there is none from many, and that M2 converged."""
    small, large = part.sizes[0], part.sizes[-1]
    says = [
        lab.Says(f"{name}-m2-{words}", sentence, _gap(name), found.gain(size), threshold, better)
        for words, sentence, size, threshold, better in (
            (f"wins-clearly-at-{small}", f"That advantage at {small} tasks is {GAIN:g} or more", small, GAIN, "above"),
            (f"no-better-at-{large}", f"From {large} tasks M2 is not better by {SAME:g} or more", large, SAME, "below"),
            (f"no-worse-at-{large}", f"From {large} tasks M2 is not worse by {SAME:g} or more", large, -SAME, "above"),
        )
    ]
    converges = lab.Says(
        f"{name}-m2-converged",
        f"M2 passes the gate of convergence: excess error of {GATE:g} or less after its own inner steps",
        f"{_unit(name)}, on {part.n_validation} validation domains after {part.inner_steps} inner steps on {part.n_tasks} tasks",
        found.validation.averaged(slice(None)),
        threshold=GATE,
        better="below",
    )
    return [*says, converges]
