"""The claims of the study `expressiveness`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from ctxlearn import lab
from ctxlearn.evaluation.statistics import Interval, simultaneous_level
from ctxlearn.studies.arms import BAYES_MIXTURE, FAMILIES, ICL, MADE_FOR, MIXTURE
from ctxlearn.studies.expressiveness.distances import RADIAL, bayes_of, candidates, disagreement
from ctxlearn.studies.expressiveness.exactness import LENGTHS
from ctxlearn.studies.expressiveness.initialization import CONSTRUCTED, RANDOM, STANDARD
from ctxlearn.studies.expressiveness.ridge_rates import SCHEDULES, Rates

DIGITS = 9
"""A construction is called exact where it agrees to so many digits after the point."""
ROUNDING = 1.000001
"""An error may exceed its rate by rounding."""
MIXED = f"{ICL} on {MIXTURE}"


@dataclass(frozen=True)
class Fact:
    """A number about what was looked at, no estimate: it has no interval.

    Attributes:
        value: the number.
        n_tasks: how many were looked at.
        seeds: training seeds.
    """

    value: float
    n_tasks: int
    seeds: int

    def interval(self, level: float) -> Interval:
        """The number itself as both bounds."""
        return Interval(self.value, self.value, self.value, self.n_tasks, self.seeds, level)


@dataclass(frozen=True)
class Least:
    """The least of several differences.

    Attributes:
        gaps: by name.
    """

    gaps: Mapping[str, lab.Paired]

    @property
    def closest(self) -> str:
        """Whose difference is the least."""
        return min(self.gaps, key=lambda name: self.gaps[name].mean())

    def interval(self, level: float) -> Interval:
        """The least mean and its bounds.

        It is above zero where every one of the differences is at this level, which errs no more often than the level says
        however many they are (an intersection-union test). It is below zero where one of them is; any of them may be by
        chance, so that bound is widened by their number.
        """
        one = {name: gap.interval(level) for name, gap in self.gaps.items()}
        wide = simultaneous_level(level, len(self.gaps))
        least = one[self.closest]
        high = max(least.value, min(gap.interval(wide).high for gap in self.gaps.values()))
        return Interval(least.value, min(i.low for i in one.values()), high, least.n_tasks, least.seeds, level)


def accuracies(numbers: lab.Numbers) -> lab.Samples:
    """By arm, number of steps and "mixture": accuracy in %, mean over n >= 1."""
    return numbers["score"].map(lambda found: 100 * found.averaged())


def decide_claims(
    exact: pd.DataFrame, rates: Rates, decided: lab.Samples, accuracy: lab.Samples, steps: Sequence[int]
) -> list[lab.Claim]:
    """Every claim of the study, by group.

    Args:
        exact: see `exactness.exactness_table`.
        rates: of ridge regression.
        decided: by learner and family of probes, see `distances.decisions`.
        accuracy: see `accuracies`.
        steps: budgets of the trainings from each start.
    """
    return [*_exact(exact), *_rates(rates), *_space(decided), *_starts(accuracy, steps)]


def _exact(table: pd.DataFrame) -> list[lab.Claim]:
    """Is each construction exact? The largest error over finitely many contexts is no estimate."""
    says = []
    for group, own in table.groupby("group", sort=False):
        steps = f", k = {steps_of(own)} steps" if str(group).startswith("gradient") else ""
        first = own[(own["mask"] == own["mask"].iloc[0]) & (own["name"] == own["name"].iloc[0])]
        says.append(
            lab.Says(
                f"exact-{slug(str(group))}",
                f"The transformer written by hand is the learner: {group}{steps}; masks: {masks_of(own)}",
                f"digits after the point to which log-probabilities agree in float64: the least over contexts of {LENGTHS[0]} to"
                f" {LENGTHS[-1]} points, imbalanced ones too; a fact about these, no estimate, so without an interval",
                Fact(digits(own["error64"].max()), int(first["n_contexts"].sum()), own["seed"].nunique()),
                threshold=float(DIGITS),
                of_this_model=False,
            )
        )
    return lab.together("exact", says)


def digits(error: float) -> float:
    """Digits after the point that agree: 0.001 has 3; no difference counts as 16."""
    return -math.log10(max(error, 1e-16))


def steps_of(rows: pd.DataFrame) -> str:
    """The numbers of steps of a group, in words."""
    return ", ".join(dict.fromkeys(name.partition(" ")[0] for name in rows["name"]))


def masks_of(rows: pd.DataFrame) -> str:
    """The masks under which a group is exact, in words."""
    names = set(rows["name"])
    masks = rows.groupby("mask", sort=False)["name"].agg(set)
    return ", ".join(f"{mask}{' (k = 1)' if found < names else ''}" for mask, found in masks.items())


def slug(group: str) -> str:
    """A group's name for an id."""
    words = group.partition(", trained on")[0].replace("'s", "").translate({ord(c): None for c in "(),"})
    return words.lower().replace(" ", "-")


def _rates(rates: Rates) -> list[lab.Claim]:
    """Does the error fall as the rates say? The largest over contexts is no estimate."""
    says = [
        lab.Says(
            f"ridge-{name.split()[0].lower().removesuffix(chr(39) + 's')}-rate",
            f"A transformer of k gradient steps ({name}) is as near to exact ridge regression as the rate says, for every k"
            " measured",
            "largest error over contexts and k, as a multiple of the rate; a fact about these contexts, no estimate, so"
            " without an interval",
            Fact(float((rates.error[name] / rates.bound[name]).max()), len(rates.error[name]), 1),
            threshold=ROUNDING,
            better="below",
            of_this_model=False,
        )
        for name in SCHEDULES
    ]
    return lab.together("ridge", says)


def _space(decided: lab.Samples) -> list[lab.Claim]:
    """Are the in-context models nearer to Bayes than to any rule, and than to the learners made for their families?"""
    says = [
        _nearest_to_bayes(decided, places, words, suffix)
        for places, words, suffix in (
            (tuple(FAMILIES), "tasks of the three families", ""),
            ((RADIAL,), "radial tasks, which nothing was trained on,", "-radial"),
        )
    ]
    claims = lab.together("nearest-to-bayes-mixture", says)
    says = []
    for family, rival in MADE_FOR.items():
        model = f"{ICL} on {family}"
        to_rival, to_bayes = (
            disagreement(decided, model, other, (family,)) for other in (f"{rival} on {family}", bayes_of(family))
        )
        says.append(
            lab.Says(
                f"icl-{family}-nearer-to-bayes",
                f"The in-context model trained on {family} tasks decides on them more often as their Bayes predictor than as"
                f" {rival} trained on them",
                f"disagreement with {rival} minus disagreement with Bayes of {family}, points, same probes",
                to_rival - to_bayes,
            )
        )
    return claims + lab.together("nearer-to-bayes-single-family", says)


def _nearest_to_bayes(decided: lab.Samples, places: Sequence[str], words: str, suffix: str) -> lab.Says:
    """Is the mixture's Bayes predictor nearer than the nearest of all rules?"""
    rivals = [name for name in candidates(decided) if not name.startswith("Bayes")]
    own = disagreement(decided, MIXED, BAYES_MIXTURE, places)
    gaps = Least({name: disagreement(decided, MIXED, name, places) - own for name in rivals})
    return lab.Says(
        f"icl-mixture-nearest-to-bayes{suffix}",
        f"On {words} the in-context model trained on the mixture decides more often as the mixture's Bayes predictor"
        " than as any classical learner or rule here, trained or not",
        f"disagreement with the nearest of {len(rivals)} of them ({gaps.closest}) minus disagreement with {BAYES_MIXTURE}, points,"
        " same probes",
        gaps,
    )


def _starts(accuracy: lab.Samples, steps: Sequence[int]) -> list[lab.Claim]:
    """Is the construction a better start than random weights, and as good as the standard model?"""
    unit = "points of accuracy, mean over n >= 1, same tasks of the mixture"
    says = [
        lab.Says(
            f"construction-beats-random-start-{k}-steps",
            f"Trained on the mixture for {k:,} steps, the transformer that starts as ProtoNet is better than the same one"
            " started at random",
            f"started as ProtoNet minus started at random, {unit}",
            accuracy[CONSTRUCTED, k, MIXTURE] - accuracy[RANDOM, k, MIXTURE],
        )
        for k in steps
    ]
    last = steps[-1]
    standard = lab.Says(
        "construction-at-least-standard",
        f"Trained on the mixture for {last:,} steps, the transformer that starts as ProtoNet is at least as good as the"
        " standard model",
        f"started as ProtoNet minus standard model, {unit}",
        accuracy[CONSTRUCTED, last, MIXTURE] - accuracy[STANDARD, last, MIXTURE],
    )
    return [*lab.together("starts", says), *lab.together("starts-standard", [standard])]
