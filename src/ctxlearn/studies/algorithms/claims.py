"""Whose decisions the models make, which ridge they are nearest to, and the claims about it."""

from __future__ import annotations

import numpy as np

from ctxlearn import lab
from ctxlearn.studies.arms import BAYES_FAMILY, BAYES_MIXTURE, MADE_FOR

OWN, MIXED = "single-family model", "mixture model"
NOISES = (0.5, 1.0)
FEATURES = 5
FACTORS = tuple(2.0**k for k in range(-6, 7))
"""Penalties that are tried, in units of the matched one."""
UNIT = "points of equal decisions, mean over n >= 1, same tasks"


def agreements(numbers: lab.Numbers) -> lab.Samples:
    """By family shown, model and candidate: whether they decide alike at each context length."""
    decided = numbers["decision"]
    return lab.Samples(
        {
            (family, model, other): (decided[model, family] - decided[other, family]).apply(lambda gap: gap == 0)
            for other, family in decided
            for model in (OWN, MIXED)
            if other != model
        }
    )


def ridges(numbers: lab.Numbers) -> lab.Samples:
    """By noise and factor of the matched penalty: squared difference of predictions / d, mean over n >= 1."""
    answers = numbers["answer"]
    return lab.Samples(
        {
            (noise, factor): (answers["model", noise] - answers[f"{factor:g}", noise]).apply(_square).averaged()
            / FEATURES
            for noise in NOISES
            for factor in FACTORS
        }
    )


def _square(gap: np.ndarray) -> np.ndarray:
    return np.asarray(np.square(gap, dtype=np.float64))


def decide_claims(agreed: lab.Samples, distances: lab.Samples) -> list[lab.Claim]:
    """Every claim of the study, by group.

    Args:
        agreed: by family, model and candidate: equal decisions in %, mean over n >= 1.
        distances: see `ridges`.
    """
    claims = []
    for model, oracle, words, group in (
        (OWN, BAYES_FAMILY, "the in-context model trained on them alone", "single-family"),
        (MIXED, BAYES_MIXTURE, "the in-context model trained on the mixture", "mixture"),
    ):
        says = [
            lab.Says(
                f"icl-{group}-runs-bayes-not-{rival.lower()}-on-{family}",
                f"On {family} tasks {words} decides as {oracle} more often than as {rival} trained on them alone",
                f"agreement with {oracle} minus agreement with {rival}, {UNIT}",
                agreed[family, model, oracle] - agreed[family, model, rival],
            )
            for family, rival in MADE_FOR.items()
        ]
        claims += lab.together(group, says)
    claims += lab.together("changes", [_changes(agreed, family, rival) for family, rival in MADE_FOR.items()])
    return claims + lab.together(
        "ridge",
        [
            lab.Says(
                f"nearest-ridge-is-matched-noise-{noise:g}-against-{factor:g}",
                f"The in-context model of linear regression with noise {noise:g} is nearer to ridge with the matched penalty"
                f" {noise**2:g} than to ridge with {factor:g} times that penalty",
                f"squared difference of predictions / d from the latter minus from the former, mean over n >= 1, d = {FEATURES}",
                distances[noise, factor] - distances[noise, 1.0],
            )
            for noise in NOISES
            for factor in (0.25, 4.0)
        ],
    )


def _changes(agreed: lab.Samples, family: str, rival: str) -> lab.Says:
    """Whether the mixture's model sides with the learner made for the family that it is shown."""
    others = lab.average([agreed[family, MIXED, other] for other in MADE_FOR.values() if other != rival])
    return lab.Says(
        f"icl-mixture-changes-with-{family}",
        f"Shown {family} tasks, the in-context model of the mixture decides as {rival}, made for them, more often than as"
        " the learners made for the other families",
        f"agreement with {rival} minus mean agreement with the other two, {UNIT}",
        agreed[family, MIXED, rival] - others,
    )
