"""What the study `selection` measured, and its claims."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ctxlearn import lab
from ctxlearn.studies.arms import BAYES_MIXTURE, CAUSAL, FAMILIES, ICL

RADIAL = "radial"
BOUND = "hindsight bound"
SELECTORS = {
    "selection, leave-one-out": ("loo", False),
    "selection, soft leave-one-out": ("loo", True),
    "selection, evidence": ("evidence", False),
    "selection, soft evidence": ("evidence", True),
}
"""Rule of each selector, and whether it is soft."""
SELECTOR = next(iter(SELECTORS))
UNIT = "points of accuracy, mean over n >= 1, same tasks"


@dataclass(frozen=True)
class Found:
    """What was measured.

    Attributes:
        scores: accuracy by learner, "" and family, at scale 1.
        accuracy: by learner and family, the same in %, mean over n >= 1.
        shifted: accuracy by learner, scale and family.
        bound: by family, accuracy in % of the hindsight bound, mean over its lengths.
        agreement: by family, in % of n >= 1, how often the in-context model decides as the mixture's posterior.
    """

    scores: lab.Samples
    accuracy: lab.Samples
    shifted: lab.Samples
    bound: lab.Samples
    agreement: lab.Samples


def found(numbers: lab.Numbers) -> Found:
    """Sort what was measured."""
    every, decided = numbers["score"], numbers["decision"].part(None, "")
    agreement = {
        (family,): (decided[ICL, family] - decided[BAYES_MIXTURE, family]).apply(lambda gap: gap == 0)
        for family in decided.values_of(1)
    }
    return Found(
        lab.Samples({key: one for key, one in every.items() if key[1] == ""}),
        every.part(None, "").averaged(100),
        lab.Samples({key: one for key, one in every.items() if key[1] != ""}),
        numbers["bound"].part(BOUND, "").map(lambda one: 100 * one),
        lab.Samples(agreement).averaged(100),
    )


def decide_claims(measured: Found, lengths: Sequence[int], scales: Sequence[float]) -> list[lab.Claim]:
    """Every claim of the study, by group."""
    claims = []
    accuracy = measured.accuracy.part(None, RADIAL)
    for learner, words, short in ((ICL, "in-context model", "icl"), (CAUSAL, "causal in-context model", "causal-icl")):
        says = [
            lab.Says(
                f"{short}-exceeds-{name.replace(', ', '-').replace(' ', '-')}-on-radial",
                f"On radial tasks, which nothing was trained on, the {words} is better than {name}",
                f"{words} minus {name}, {UNIT}",
                accuracy[learner] - accuracy[name],
            )
            for name in SELECTORS
        ]
        bound = lab.Says(
            f"{short}-exceeds-hindsight-on-radial",
            f"On radial tasks the {words} is better than the best of the three learners picked with hindsight",
            f"{words} minus hindsight bound, points of accuracy, mean over n in {list(lengths)}, same contexts",
            100 * measured.scores[learner, "", RADIAL].averaged(lengths) - measured.bound[RADIAL],
        )
        claims += lab.together("radial" if learner == ICL else "radial-causal", [*says, bound])
    claims += lab.together("shift", [_loses_more(measured, family, scales) for family in FAMILIES])
    home = lab.average([measured.agreement[family] for family in FAMILIES])
    return claims + lab.together(
        "posterior-off-distribution",
        [
            lab.Says(
                "icl-is-the-mixtures-posterior-on-radial-accuracy",
                "Off its distribution, on radial tasks, the in-context model is within 1 point below the mixture's posterior",
                f"Bayes of the mixture minus in-context model, {UNIT}",
                accuracy[BAYES_MIXTURE] - accuracy[ICL],
                threshold=1.0,
                better="below",
            ),
            lab.Says(
                "icl-follows-the-mixtures-posterior-less-on-radial",
                "On radial tasks the in-context model decides as the mixture's posterior less often than on the families it knows",
                "agreement of decisions with Bayes of the mixture, in points: mean over the three families minus radial, n >= 1",
                home.minus_unpaired(measured.agreement[RADIAL]),
            ),
        ],
    )


def _loses_more(measured: Found, family: str, scales: Sequence[float]) -> lab.Says:
    """What the in-context model loses under shift against what selection loses."""
    first, last = (f"{scales[i]:g}" for i in (0, -1))
    accuracy = measured.shifted.part(None, None, family).averaged(100)

    def lost(name: str) -> lab.Paired:
        return accuracy[name, first].minus_unpaired(accuracy[name, last])

    return lab.Says(
        f"icl-loses-more-under-shift-{family}",
        f"When the inputs of {family} tasks are {last} times as large, the in-context model loses more than selection",
        f"loss of the in-context model minus loss of selection, {UNIT}",
        lost(ICL) - lost(SELECTOR),
    )
