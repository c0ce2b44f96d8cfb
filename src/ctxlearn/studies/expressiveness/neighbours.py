"""Which algorithms the in-context models are nearest to, and the claims about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ctxlearn.evaluation.statistics import CLAIM_LEVEL, Interval, mean_interval, simultaneous_level, verdict
from ctxlearn.studies.arms import BAYES_MIXTURE, FAMILIES, ICL, MADE_FOR, MIXTURE
from ctxlearn.studies.claims import Claim, decide
from ctxlearn.studies.expressiveness.space import RADIAL, bayes_of, disagreement

Decided = Mapping[int, Mapping[str, Mapping[str, np.ndarray]]]
"""Per seed, family of the probes and learner: (T, L, q), see `space.decisions`."""

Shared = Mapping[str, Mapping[str, np.ndarray]]
"""Per family of the probes and learner, on the probes of one seed."""

HOMES = {place: (place,) for place in FAMILIES} | {MIXTURE: tuple(FAMILIES)}
"""Where each in-context model was trained, and so is asked."""


def distances(decided: Decided, model: str, other: str, places: Sequence[str]) -> np.ndarray:
    """(S, T) disagreement in % of two learners per seed and probe task, over some families."""
    return np.stack(
        [
            np.concatenate([disagreement(named[place][model], named[place][other]) for place in places])
            for named in decided.values()
        ]
    )


def candidates(decided: Decided) -> list[str]:
    """All learners that are no in-context models."""
    named = next(iter(next(iter(decided.values())).values()))
    return [name for name in named if not name.startswith(ICL)]


def nearest(decided: Decided, model: str, places: Sequence[str], top: int) -> list[tuple[str, Interval]]:
    """The algorithms that decide most often as a model does, with the 95 % interval of the disagreement in %."""
    found = {name: distances(decided, model, name, places) for name in candidates(decided)}
    order = sorted(found, key=lambda name: float(found[name].mean()))
    return [(name, mean_interval(found[name])) for name in order[:top]]


def decide_space(decided: Decided) -> list[Claim]:
    """Are the in-context models nearer to Bayes than to any rule, and than to the learners made for their families?"""
    mixed = f"{ICL} on {MIXTURE}"
    rivals = [name for name in candidates(decided) if not name.startswith("Bayes")]
    claims = [
        _nearer_than_all(
            decided,
            mixed,
            BAYES_MIXTURE,
            rivals,
            places,
            id=f"icl-mixture-nearest-to-bayes{suffix}",
            claim=f"On {words} the in-context model trained on the mixture decides more often as the mixture's Bayes predictor"
            " than as any classical learner or rule here, trained or not",
        )
        for places, words, suffix in (
            (tuple(FAMILIES), "tasks of the three families", ""),
            ((RADIAL,), "radial tasks, which nothing was trained on,", "-radial"),
        )
    ]
    for family, rival in MADE_FOR.items():
        model = f"{ICL} on {family}"
        gap = distances(decided, model, f"{rival} on {family}", (family,)) - distances(
            decided, model, bayes_of(family), (family,)
        )
        claims.append(
            decide(
                f"icl-{family}-nearer-to-bayes",
                f"The in-context model trained on {family} tasks decides on them more often as their Bayes predictor than as"
                f" {rival} trained on them",
                f"disagreement with {rival} minus disagreement with Bayes of {family}, points, same probes",
                gap,
                together=len(MADE_FOR),
                group="nearer-to-bayes-single-family",
            )
        )
    return claims


def _nearer_than_all(
    decided: Decided, model: str, near: str, rivals: Sequence[str], places: Sequence[str], *, id: str, claim: str
) -> Claim:
    """A claim about the nearest of many rivals.

    It holds where every one of the rivals' differences is above zero at 95 %, which errs in at most 5 % of the cases
    however many rivals there are (an intersection-union test). It fails where one of them is below zero; any of them may
    be by chance, so that bound is widened by their number.
    """
    own = distances(decided, model, near, places)
    gaps = {name: distances(decided, model, name, places) - own for name in rivals}
    one = {name: mean_interval(gap, level=CLAIM_LEVEL) for name, gap in gaps.items()}
    every = [mean_interval(gap, level=simultaneous_level(CLAIM_LEVEL, len(rivals))) for gap in gaps.values()]
    closest = min(one, key=lambda name: one[name].value)
    low, high = min(i.low for i in one.values()), max(one[closest].value, min(i.high for i in every))
    seeds = one[closest].seeds
    interval = Interval(one[closest].value, low, high, one[closest].n_tasks, seeds, CLAIM_LEVEL)
    return Claim(
        id,
        claim + (" (this trained model; one seed)" if seeds == 1 else ""),
        f"disagreement with the nearest of {len(rivals)} of them ({closest}) minus disagreement with {near}, points, same probes",
        interval.value,
        low,
        high,
        0.0,
        "above",
        verdict(interval, 0.0, "above"),
        interval.n_tasks,
        seeds,
        "nearest-to-bayes-mixture",
    )
