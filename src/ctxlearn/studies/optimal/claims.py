"""The claims of the study `optimal`."""

from __future__ import annotations

from ctxlearn import lab
from ctxlearn.studies.arms import (
    BAYES_FAMILY,
    BAYES_MIXTURE,
    CAUSAL,
    FAMILIES,
    GRADIENT,
    HOME,
    ICL,
    MADE_FOR,
    MIXTURE,
    PAPER,
    REGRET,
)

UNIT = "points of accuracy, mean over n >= 1, same tasks"


def accuracies(numbers: lab.Numbers) -> lab.Samples:
    """By learner, training distribution and family: accuracy in %, mean over n >= 1."""
    return numbers["score"].map(lambda found: 100 * found.averaged())


def decide_claims(accuracy: lab.Samples) -> list[lab.Claim]:
    """Every claim of the study, by group."""
    claims = []
    rivals = [*MADE_FOR.items(), ("pairwise-metric", PAPER)]
    for group, trained_on, words in (
        ("single-family", None, "trained on the same family alone"),
        ("mixture", MIXTURE, "trained on the mixture"),
    ):
        says = [
            lab.Says(
                f"icl-{group}-at-least-{family}{'-paper-matchnet' if rival == PAPER else ''}",
                f"The in-context model {words} is at least as good on {family} tasks as {rival} trained on them alone",
                f"in-context model minus {rival}, {UNIT}",
                accuracy[ICL, trained_on or family, family] - accuracy[rival, family, family],
            )
            for family, rival in rivals
        ]
        claims += lab.together(group, says)
    claims += lab.together(
        "causal",
        [
            lab.Says(
                f"causal-icl-mixture-at-least-{family}",
                f"The causal in-context model trained on the mixture is at least as good on {family} tasks as {rival} trained on"
                " them alone",
                f"causal in-context model minus {rival}, {UNIT}",
                accuracy[CAUSAL, MIXTURE, family] - accuracy[rival, family, family],
            )
            for family, rival in MADE_FOR.items()
        ],
    )
    claims += lab.together(
        "gradient",
        [
            lab.Says(
                f"icl-mixture-at-least-maml-{family}",
                f"On {family} tasks the in-context model trained on the mixture is at least as good as MAML trained on the mixture",
                f"in-context model minus MAML, {UNIT}",
                accuracy[ICL, MIXTURE, family] - accuracy[GRADIENT, MIXTURE, family],
            )
            for family in FAMILIES
        ],
    )
    claims += lab.together(
        "classical-loss",
        [
            lab.Says(
                f"{slug(rival)}-loses-by-mixture",
                f"{rival} trained on the mixture is worse on {family} tasks than {rival} trained on them alone",
                f"{rival} trained on the family minus {rival} trained on the mixture, {UNIT}",
                accuracy[rival, family, family] - accuracy[rival, MIXTURE, family],
            )
            for rival, family in HOME.items()
        ],
    )
    claims += lab.together(
        "icl-keeps",
        [
            lab.Says(
                f"icl-keeps-{family}",
                f"The in-context model loses less than 1 point on {family} tasks by training on the mixture",
                f"in-context model trained on the family minus the one trained on the mixture, {UNIT}",
                accuracy[ICL, family, family] - accuracy[ICL, MIXTURE, family],
                threshold=1.0,
                better="below",
            )
            for family in FAMILIES
        ],
    )
    for learner, words, trained_on, best in (
        (ICL, "in-context model", None, BAYES_FAMILY),
        (ICL, "in-context model", MIXTURE, BAYES_MIXTURE),
        (CAUSAL, "causal in-context model", MIXTURE, BAYES_MIXTURE),
    ):
        prefix = "" if learner == ICL else "causal-"
        place = "mixture" if trained_on else "single-family"
        says = [
            lab.Says(
                f"{prefix}icl-regret-{place}-{family}",
                f"On {family} tasks the {words} trained on {trained_on or 'them alone'} is within"
                f" {REGRET[family]:g} points of the Bayes-optimal predictor of its training distribution",
                f"{best} minus {words}, {UNIT}",
                accuracy[best, "", family]
                - accuracy[learner, trained_on or family, family].first(accuracy[best, "", family].n_tasks),
                threshold=REGRET[family],
                better="below",
            )
            for family in FAMILIES
        ]
        claims += lab.together(f"{prefix}regret-{place}", says)
    return claims + lab.together("off-family", [_loses_away(accuracy, rival, home) for rival, home in HOME.items()])


def _loses_away(accuracy: lab.Samples, rival: str, home: str) -> lab.Says:
    """A classical learner on the two families that it was neither made for nor trained on."""
    away = [family for family in FAMILIES if family != home]
    return lab.Says(
        f"{slug(rival)}-loses-off-family",
        f"{rival} trained on {home} tasks is worse on the other two families than the learners made for them",
        f"learner made for the family minus {rival}, mean over {' and '.join(away)}, {UNIT}",
        lab.average([accuracy[MADE_FOR[f], f, f] - accuracy[rival, home, f] for f in away]),
    )


def slug(name: str) -> str:
    """A learner's name for an id."""
    return name.lower().replace(" (paper)", "-paper")
