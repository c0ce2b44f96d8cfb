"""The claims of the study `optimal`."""

from __future__ import annotations

from typing import Any

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
GROUPS = (
    "single-family",
    "mixture",
    "best-single-family",
    "best-mixture",
    "causal",
    "gradient",
    "classical-loss",
    "icl-keeps",
    "regret-single-family",
    "regret-mixture",
    "causal-regret-mixture",
    "off-family",
)
"""Claims that are decided together."""


def accuracies(numbers: lab.Numbers) -> lab.Samples:
    """By learner, training distribution and family: accuracy in %, mean over n >= 1."""
    return numbers["score"].averaged(100)


def decide_claims(accuracy: lab.Samples) -> list[lab.Claim]:
    """Every claim of the study, by group."""
    groups: dict[str, list[lab.Says]] = {name: [] for name in GROUPS}

    def says(group: str, name: str, sentence: str, statistic: str, gap: lab.Estimate, **limit: Any) -> None:
        groups[group].append(lab.Says(name, sentence, f"{statistic}, {UNIT}", gap, **limit))

    for rival, family in HOME.items():
        own = accuracy[rival, family, family]
        for group, place, words in (
            ("single-family", family, "trained on the same family alone"),
            ("mixture", MIXTURE, "trained on the mixture"),
        ):
            says(
                group,
                f"icl-{group}-at-least-{family}{'-paper-matchnet' if rival == PAPER else ''}",
                f"The in-context model {words} is at least as good on {family} tasks as {rival} trained on them alone",
                f"in-context model minus {rival}",
                accuracy[ICL, place, family] - own,
            )
        if rival != PAPER:
            says(
                "causal",
                f"causal-icl-mixture-at-least-{family}",
                f"The causal in-context model trained on the mixture is at least as good on {family} tasks as {rival} trained"
                " on them alone",
                f"causal in-context model minus {rival}",
                accuracy[CAUSAL, MIXTURE, family] - own,
            )
        slug = rival.lower().replace(" (paper)", "-paper")
        says(
            "classical-loss",
            f"{slug}-loses-by-mixture",
            f"{rival} trained on the mixture is worse on {family} tasks than {rival} trained on them alone",
            f"{rival} trained on the family minus {rival} trained on the mixture",
            own - accuracy[rival, MIXTURE, family],
        )
        away = [other for other in FAMILIES if other != family]
        says(
            "off-family",
            f"{slug}-loses-off-family",
            f"{rival} trained on {family} tasks is worse on the other two families than the learners made for them",
            f"learner made for the family minus {rival}, mean over {' and '.join(away)}",
            lab.average([accuracy[MADE_FOR[f], f, f] - accuracy[rival, family, f] for f in away]),
        )
    for family, specialist in MADE_FOR.items():
        for group, place, words in (
            ("best-single-family", family, "trained on them alone"),
            ("best-mixture", MIXTURE, "trained on the mixture"),
        ):
            rivals = {specialist: accuracy[specialist, family, family]}
            rivals |= {rule: accuracy[rule, "", family] for rule in ("LogisticRegression", "NearestNeighbor")}
            least = lab.Least({name: accuracy[ICL, place, family] - rival for name, rival in rivals.items()})
            says(
                group,
                f"icl-{group.removeprefix('best-')}-at-least-best-{family}",
                f"The in-context model {words} is at least as good on {family} tasks as the best of {specialist} trained on"
                " them alone, logistic regression and 1-nearest neighbour",
                f"in-context model minus the best of the three ({least.closest})",
                least,
            )
    for family in FAMILIES:
        says(
            "gradient",
            f"icl-mixture-at-least-maml-{family}",
            f"On {family} tasks the in-context model trained on the mixture is at least as good as MAML trained on the mixture",
            "in-context model minus MAML",
            accuracy[ICL, MIXTURE, family] - accuracy[GRADIENT, MIXTURE, family],
        )
        says(
            "icl-keeps",
            f"icl-keeps-{family}",
            f"The in-context model loses less than 1 point on {family} tasks by training on the mixture",
            "in-context model trained on the family minus the one trained on the mixture",
            accuracy[ICL, family, family] - accuracy[ICL, MIXTURE, family],
            threshold=1.0,
            better="below",
        )
        for group, model, arm, words, best in (
            ("regret-single-family", "in-context model", (ICL, family), "them alone", BAYES_FAMILY),
            ("regret-mixture", "in-context model", (ICL, MIXTURE), "mixture", BAYES_MIXTURE),
            ("causal-regret-mixture", "causal in-context model", (CAUSAL, MIXTURE), "mixture", BAYES_MIXTURE),
        ):
            ceiling = accuracy[best, "", family]
            says(
                group,
                f"{group.replace('regret', 'icl-regret')}-{family}",
                f"On {family} tasks the {model} trained on {words} is within {REGRET[family]:g} points of the Bayes-optimal"
                " predictor of its training distribution",
                f"{best} minus {model}",
                ceiling - accuracy[*arm, family].first(ceiling.n_tasks),
                threshold=REGRET[family],
                better="below",
            )
    return [claim for group, asserted in groups.items() for claim in lab.together(group, asserted)]
