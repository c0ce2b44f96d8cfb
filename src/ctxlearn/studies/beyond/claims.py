"""What the study `beyond` measured, and its claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ctxlearn import lab
from ctxlearn.studies.beyond.metrics import chosen

MODEL, SOFT, HARD = "in-context model", "trained gate", "trained gate, hard"
LOO, EVIDENCE = "leave-one-out", "evidence"
TASK, QUERY = "hindsight per task", "hindsight per query"
NETWORKS = ("MatchNet", "ProtoNet", "MAML")
"""Candidates that are trained on the mixture of the K families."""
FAR = "radial"
"""The control far from all training families."""
SELECTORS = (SOFT, HARD, LOO, EVIDENCE, TASK, QUERY)
RIVALS = (SOFT, TASK)
"""The first and the second statistic are the model's accuracy minus theirs."""
AT_HOME = 1.5
"""Points that a model may lack of its specialists on the families it was trained on; fixed beforehand. Others get no verdict."""
UNIT = "points of accuracy, mean over context lengths from 4 to 31 and over the families held out"


@dataclass(frozen=True)
class Found:
    """What was measured, accuracies in % and means over context lengths.

    Attributes:
        away: by learner, "K families, draw d" and family held out, or the far control.
        lacks: by draw and K, of each seed, what the model lacks of its specialists at home, in points.
        held_out: the families that each draw holds out.
        counts: K.
        seeds: training seeds.
    """

    away: lab.Samples
    lacks: Mapping[tuple[str, int], np.ndarray]
    held_out: Mapping[str, Sequence[str]]
    counts: Sequence[int]
    seeds: int

    def minus(self, rival: str, draw: str, count: int, places: Sequence[str]) -> lab.Paired:
        """The model's accuracy minus a rival's, mean over places, (S, T)."""
        on = name_of(count, draw)
        return lab.average([self.away[MODEL, on, place] - self.away[rival, on, place] for place in places])

    def passes(self, draw: str, count: int) -> np.ndarray:
        """Of each seed, whether the model is as good as its specialists at home, (S,)."""
        return self.lacks[draw, count] <= AT_HOME

    def of_units(self, rival: str, weights: Mapping[int, float]) -> lab.Paired | None:
        """A weighted sum over K of the model minus a rival on the families held out, by unit: a draw of families and a seed.

        Units with a model that lacks more at home are left out; None where fewer than two are left.
        """
        units, names = [], []
        for draw, places in self.held_out.items():
            parts = [self.minus(rival, draw, count, places) * weight for count, weight in weights.items()]
            values = np.stack([part.values for part in parts]).sum(0)
            fit = np.all([self.passes(draw, count) for count in weights], axis=0)
            units += list(values[fit])
            names += [name for name, kept in zip(parts[0].tasks, fit, strict=True) if kept]
        if len(units) < 2:
            return None
        return lab.Paired(np.stack(units), tuple(range(len(units))), tuple(names))


def name_of(count: int, draw: str) -> str:
    """What models of K families of a draw are called."""
    return f"{lab.count(count, 'family').replace('familys', 'families')}, {draw}"


def found(
    numbers: lab.Numbers, draws: Mapping[str, Any], names: Mapping[tuple[str, int], Sequence[str]], n_evidence: int
) -> Found:
    """Sort what was measured, and choose as the selectors without training do.

    Args:
        numbers: of the plan.
        draws: by name.
        names: by draw and K the candidates.
        n_evidence: tasks with evidence.
    """
    from_numbers = _Reader(numbers)
    away: dict[tuple[str, str, str], lab.Paired] = {}
    lacks: dict[tuple[str, int], np.ndarray] = {}
    for (draw, count), members in names.items():
        families = draws[draw].trained_on[:count]
        for place in (*draws[draw].held_out, FAR):
            for name, one in from_numbers.accuracies(draw, count, place, members, families, n_evidence).items():
                away[name, name_of(count, draw), place] = 100 * one.averaged(slice(None))
        gaps = [
            from_numbers.values("on", place, "", 1, place) - from_numbers.values("on", "in-context", draw, count, place)
            for place in families
        ]
        lacks[draw, count] = 100 * np.mean(gaps, axis=(0, 2, 3))
    held_out = {draw: one.held_out for draw, one in draws.items()}
    counts = list(dict.fromkeys(count for _, count in names))
    return Found(lab.Samples(away, "accuracy"), lacks, held_out, counts, numbers.seeds)


class _Reader:
    """The measured arrays of candidates, whose keys are (who, draw, K, place); of those that all draws share ("", 1)."""

    def __init__(self, numbers: lab.Numbers) -> None:
        self.numbers = numbers

    def values(self, name: str, *key: str | int) -> np.ndarray:
        """(S, T, L)."""
        return self.numbers[name][key].values

    def accuracies(
        self, draw: str, count: int, place: str, members: Sequence[str], families: Sequence[str], n_evidence: int
    ) -> dict[str, lab.Paired]:
        """Of the model, each selector and each candidate, (S, T, L)."""
        keys = [(m, draw, count, place) if m in NETWORKS else (m, "", 1, place) for m in members]
        by, on, loo = ([self.values(name, *key) for key in keys] for name in ("by", "on", "loo"))
        evidence = [self.values("evidence", "evidence of " + name, "", 1, place) for name in families]
        model = self.numbers["on"]["in-context", draw, count, place]
        gate = {name: self.values(f"{short} {place}", "gate", draw, count)
                for name, short in ((SOFT, "soft"), (HARD, "hard"), (QUERY, "any"))}  # fmt: skip
        few = [one[:, :n_evidence] for one in on[: len(families)]]
        values = {**gate, LOO: chosen(loo, on), TASK: chosen(by, on), EVIDENCE: chosen(evidence, few)}
        selectors = {name: replace(model, values=values[name]) for name in SELECTORS}
        others = {m: replace(model, values=one) for m, one in zip(members, on, strict=True) if m not in families}
        return {MODEL: model, **selectors, **others}


def decide_claims(measured: Found) -> list[lab.Claim]:
    """Every claim of the study for which at least two units pass the check at home."""
    last, center = measured.counts[-1], np.log2(measured.counts).mean()
    spread = float(((np.log2(measured.counts) - center) ** 2).sum())
    slope = {count: float(np.log2(count) - center) / spread for count in measured.counts}
    says = []
    for rival, short, words in zip(
        RIVALS,
        ("gate", "hindsight"),
        ("a trained gate over its candidates", "the best candidate of each task"),
        strict=True,
    ):
        there = measured.of_units(rival, {last: 1.0})
        if there is not None:
            says.append(
                lab.Says(
                    f"icl-exceeds-{short}",
                    f"Trained on {last} families, the in-context model is better than {words} on families held out",
                    f"in-context model minus {rival}, {UNIT}",
                    there,
                )
            )
        rises = measured.of_units(rival, slope)
        if rises is not None:
            says.append(
                lab.Says(
                    f"lead-over-{short}-grows",
                    f"The more families the in-context model is trained on, the more it gains on {words}",
                    f"slope over log2 K of the in-context model minus {rival}, {UNIT}, per doubling of K",
                    rises,
                )
            )
    return lab.together("beyond", says)
