"""The four views of a predictor by which it is compared with a candidate.

A view is a row of numbers a context; two predictors are compared by the inner product of their rows. None of the views
knows the size of the scores, since a trained model's temperature says nothing of its algorithm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from ctxlearn.identification.probes import Probes
from ctxlearn.identification.responses import Responses, implicit_weights

VIEWS = ("ranks", "influence", "within", "weights")
WEIGHTS = {"ranks": 1.0, "influence": 2.0, "within": 0.05, "weights": 0.05}
"""How much each view counts. Deviations within a context and implicit weights, which a nuisance that is nearly linear in
the query drowns, decide little; fixed on development boxes (docs/identification.md)."""
BINS = 16
"""Bins of a candidate's ranks, within which the predictor's mean rank may be anything: the form of its read-out."""
TINY = 1e-9
"""Below this share of the scores' size a context's view is rounding, and counts as nothing."""


@dataclass(frozen=True)
class Views:
    """A predictor's views.

    Attributes:
        rows: by view, (B, k) float64: "ranks" of the scores over all contexts, centred, of mean square 1 a context;
            "influence", the change of the scores by one label, "within", the deviations from the context's mean score,
            and "weights", the implicit linear weights, each of norm 1 a context, or 0 where there is nothing.
        influence: before it was given norm 1, (B, k).
    """

    rows: dict[str, Tensor]
    influence: Tensor

    def joined(self) -> Tensor:
        """All rows side by side, each view by the root of its weight, (B, K)."""
        return torch.cat([self.rows[name] * WEIGHTS[name] ** 0.5 for name in VIEWS], dim=1)


def views_of(responses: Responses, probes: Probes) -> Views:
    """The views of one predictor's responses."""
    scores = responses.scores
    ranks = torch.from_numpy(stats.rankdata(scores.flatten(0, 1).numpy(), axis=0)).reshape(scores.shape).flatten(1)
    ranks = ranks - ranks.mean()
    size = ranks.square().sum(1).mean().sqrt()
    least = TINY * float(scores.abs().mean())
    influence = _kept(responses.influence.flatten(1), least)
    rows = {
        "ranks": ranks / size if float(size) > 0 else ranks,
        "influence": _unit(influence),
        "within": _unit(_kept((scores - scores.mean(1, keepdim=True)).flatten(1), least)),
        "weights": _unit(_kept(implicit_weights(responses, probes).flatten(1), least)),
    }
    return Views(rows, influence)


def _kept(rows: Tensor, least: float) -> Tensor:
    return torch.where(rows.norm(dim=1, keepdim=True) > least, rows, 0.0)


def _unit(rows: Tensor) -> Tensor:
    size = rows.norm(dim=1, keepdim=True)
    return torch.where(size > 0, rows / torch.where(size > 0, size, 1.0), 0.0)


def view_scores(predictor: Views, candidate: Views) -> dict[str, float]:
    """The four scores, each in [-1, 1]: the correlation of ranks, and mean cosines over the contexts that have both."""
    found = {}
    for name in VIEWS:
        a, b = predictor.rows[name], candidate.rows[name]
        there = (a.norm(dim=1) > 0) & (b.norm(dim=1) > 0) if name != "ranks" else torch.ones(len(a), dtype=torch.bool)
        found[name] = float((a * b)[there].sum() / there.sum()) if bool(there.any()) else 0.0
    return found


@dataclass(frozen=True)
class Products:
    """Inner products of the views of a predictor and a candidate side by side, by context, (B,) each."""

    both: np.ndarray
    predictor: np.ndarray
    candidate: np.ndarray

    def cosines(self, counts: np.ndarray) -> np.ndarray:
        """The total on contexts that are counted `counts` (R, B) times: cosines (R,)."""
        size = np.sqrt((counts @ self.predictor) * (counts @ self.candidate))
        found: np.ndarray = np.divide(counts @ self.both, size, out=np.zeros(len(counts)), where=size > 0)
        return found


def products(predictor: Views, candidate: Views) -> Products:
    """What the total and its interval are made of."""
    a, b = predictor.joined(), candidate.joined()
    return Products((a * b).sum(1).numpy(), a.square().sum(1).numpy(), b.square().sum(1).numpy())


@dataclass(frozen=True)
class Explained:
    """What two predictors of one kind share, and how much of it a candidate accounts for.

    Attributes:
        shared: weighted mean of the correlation of their ranks and the cosine of their influences, in [-1, 1].
        ranks: the former alone.
        share: of `shared`, what the candidate explains; about 1 where it is the algorithm, whatever the nuisances.
    """

    shared: float
    ranks: float
    share: float


def explained(first: Views, second: Views, candidate: Views) -> Explained:
    """How much of what two predictors share a candidate explains.

    Were each the candidate, read out by a monotone function, plus a nuisance of its own, then what they share is the
    candidate: the covariance of their ranks is that of their mean ranks given the candidate's rank, and the inner
    product of their influences is that of their projections on the candidate's. It is the square of the
    ceiling-normalised score corr(s1, A) / sqrt(corr(s1, s2)), with s2's part in place of s1's own.
    """
    a, b, c = (views.rows["ranks"].flatten().numpy() for views in (first, second, candidate))
    place = stats.rankdata(c, method="average") / len(c)
    bins = np.minimum((place * BINS).astype(int), BINS - 1)
    counts = np.maximum(np.bincount(bins, minlength=BINS), 1)
    by_first, by_second = (np.bincount(bins, weights=r, minlength=BINS) / counts for r in (a, b))
    rows = len(first.influence)
    of_ranks = float((counts * by_first * by_second).sum()) / rows
    if float(a @ c) < 0 or float(b @ c) < 0:
        of_ranks = -abs(of_ranks)
    shared_ranks = float(a @ b) / rows

    one, two, own = first.rows["influence"], second.rows["influence"], candidate.influence
    size = first.influence.norm(dim=1) * second.influence.norm(dim=1)
    weight = torch.where(size > 0, 1 / torch.where(size > 0, size, 1.0), 0.0)
    shared_influence = float((one * two).sum(1).mean())
    power = float((own.square().sum(1) * weight).sum())
    of_influence = 0.0
    if power > 0:
        along = [float(((views.influence * own).sum(1) * weight).sum()) for views in (first, second)]
        of_influence = along[0] * along[1] / (power * rows) if min(along) > 0 else 0.0
    ranks, influence = WEIGHTS["ranks"], WEIGHTS["influence"]
    shared = (ranks * shared_ranks + influence * shared_influence) / (ranks + influence)
    of_both = (ranks * of_ranks + influence * of_influence) / (ranks + influence)
    return Explained(shared, shared_ranks, of_both / shared if shared > 0 else 0.0)
