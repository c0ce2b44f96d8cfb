"""What the study `selection` measured, and its claims."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ctxlearn import lab
from ctxlearn.studies.arms import BAYES_MIXTURE, CAUSAL, FAMILIES, ICL

RADIAL = "radial"
BOUND = "hindsight bound"
SELECTORS = (
    "selection, leave-one-out",
    "selection, soft leave-one-out",
    "selection, evidence",
    "selection, soft evidence",
)
UNIT = "points of accuracy, mean over n >= 1, same tasks"


@dataclass(frozen=True)
class Found:
    """What was measured.

    Attributes:
        scores: accuracy by learner, "" and family, at scale 1.
        shifted: accuracy by learner, scale and family.
        bound: by family, accuracy in % of the hindsight bound, mean over its lengths.
        agreement: by family, in % of n >= 1, how often the in-context model decides as the mixture's posterior.
    """

    scores: lab.Samples
    shifted: lab.Samples
    bound: lab.Samples
    agreement: lab.Samples

    def accuracy(self, learner: str, family: str) -> lab.Paired:
        """In %, mean over n >= 1, at scale 1."""
        return 100 * self.scores[learner, "", family].averaged()


def found(numbers: lab.Numbers) -> Found:
    """Sort what was measured."""
    scores, decided = numbers["score"], numbers["decision"]
    families = dict.fromkeys(key[2] for key in decided)
    same = {
        (family,): 100
        * (decided[ICL, "", family] - decided[BAYES_MIXTURE, "", family]).apply(lambda v: v == 0).averaged()
        for family in families
    }
    return Found(
        lab.Samples({key: one for key, one in scores.items() if key[1] == ""}),
        lab.Samples({key: one for key, one in scores.items() if key[1] != ""}),
        lab.Samples({(key[2],): 100 * one for key, one in numbers["bound"].items()}),
        lab.Samples(same),
    )


def decide_claims(measured: Found, lengths: Sequence[int], scales: Sequence[float]) -> list[lab.Claim]:
    """Every claim of the study, by group."""
    claims = []
    for learner, words, short in ((ICL, "in-context model", "icl"), (CAUSAL, "causal in-context model", "causal-icl")):
        says = [
            lab.Says(
                f"{short}-exceeds-{name.replace(', ', '-').replace(' ', '-')}-on-radial",
                f"On radial tasks, which nothing was trained on, the {words} is better than {name}",
                f"{words} minus {name}, {UNIT}",
                measured.accuracy(learner, RADIAL) - measured.accuracy(name, RADIAL),
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
                measured.accuracy(BAYES_MIXTURE, RADIAL) - measured.accuracy(ICL, RADIAL),
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

    def lost(name: str) -> lab.Paired:
        at_home, away = (100 * measured.shifted[name, scale, family].averaged() for scale in (first, last))
        return at_home.minus_unpaired(away)

    return lab.Says(
        f"icl-loses-more-under-shift-{family}",
        f"When the inputs of {family} tasks are {last} times as large, the in-context model loses more than selection",
        f"loss of the in-context model minus loss of selection, {UNIT}",
        lost(ICL) - lost(SELECTORS[0]),
    )
