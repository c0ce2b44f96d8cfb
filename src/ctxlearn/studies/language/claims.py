"""The claims about language models."""

from __future__ import annotations

from collections.abc import Iterable

from ctxlearn import lab
from ctxlearn.studies.arms import BAYES_MIXTURE, FAMILIES, ICL
from ctxlearn.studies.language.settings import BASE, DIGITS, HELD_OUT, META, SHOWN

UNIT = "points of accuracy, mean over n >= 1, same tasks"


def over(samples: lab.Samples, who: str, families: Iterable[str] = FAMILIES) -> lab.Paired:
    """The mean over context lengths n >= 1 and over families."""
    return lab.average([samples[who, family].averaged() for family in families])


def decide_claims(accuracy: lab.Samples, bits: lab.Samples) -> list[lab.Claim]:
    """Every claim of the study, by group.

    Args:
        accuracy: by learner and family, in %.
        bits: likewise, bits per label.
    """

    def gain(id: str, sentence: str, one: str, other: str, families: Iterable[str] = FAMILIES) -> lab.Says:
        gap = over(accuracy, one, families) - over(accuracy, other, families)
        return lab.Says(id, sentence, f"{one} minus {other}, {UNIT}", gap)

    trained_on = "on the families of its meta-training"
    neighbour, logistic, icl = (f"{name}{DIGITS}" for name in ("1-NN", "logistic regression", ICL))
    learns = [
        gain("base-beats-majority", "The language model as it comes learns from its context", BASE, "majority", SHOWN),
        gain("base-below-1-nn", "It learns worse than 1-NN on the digits that it reads", neighbour, BASE, SHOWN),
        gain(
            "base-beats-logistic-on-radial",
            "On radial tasks it is better than logistic regression on these digits",
            BASE,
            logistic,
            [HELD_OUT],
        ),
    ]
    gains = [
        gain(f"meta-training-helps-on-{family}", f"Meta-training makes it better on {family} tasks" + held, META, BASE, [family])
        for family in SHOWN
        for held in [", on which it was not trained" if family == HELD_OUT else ""]
    ]  # fmt: skip
    rivals = [
        gain("meta-beats-1-nn", f"Meta-trained, it is better than 1-NN on the digits {trained_on}", META, neighbour),
        gain(
            "meta-beats-logistic", f"Meta-trained, it is better than logistic regression {trained_on}", META, logistic
        ),
        gain("icl-beats-meta", f"Our in-context model, given the digits, is better still {trained_on}", icl, META),
    ]
    told = [
        lab.Says(
            "meta-training-saves-bits",
            f"Meta-training makes labels cheaper to tell {trained_on}",
            f"{BASE} minus {META}, bits per label, mean over n >= 1, same tasks",
            over(bits, BASE) - over(bits, META),
        ),
        lab.Says(
            "meta-above-bayes",
            "After it they still cost at least a tenth of a bit more than the Bayes predictor of the mixture needs",
            f"{META} minus {BAYES_MIXTURE}, bits per label, mean over n >= 1, same tasks",
            over(bits, META) - over(bits, BAYES_MIXTURE),
            threshold=0.1,
        ),
    ]
    groups = {"as it comes": learns, "meta-training": gains, "rivals": rivals, "bits": told}
    return [claim for name, says in groups.items() for claim in lab.together(name, says)]
