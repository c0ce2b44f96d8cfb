"""From contributions to a ranked table: intervals, classes that cannot be told apart, acceptance, blends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from ctxlearn.identification.views import Explained, Views, explained, products

SAME = 0.98
"""Cosine of the views of two candidates above which probes cannot tell them apart."""
ACCEPTED = 0.92
"""Share of what replicates have in common that an accepted candidate explains, at least; see docs/identification.md."""
SHARED, SHARED_RANKS = 0.15, 0.1
"""What replicates must have in common, at least, for any candidate to be accepted: in all, and in the ranks of their
scores. Untrained networks can agree that a label pulls towards itself, and in nothing else."""
ALONE_ACCEPTED = 0.95
"""Total that an accepted candidate has, at least, where no replicate says how much of the rest is nuisance."""
RESAMPLES = 1000


@dataclass(frozen=True)
class Ranking:
    """The candidates at one context length, best first.

    Attributes:
        names: of the candidates, best first.
        totals: (J,) cosines of all views, over the predictor and its replicates.
        low, high: ends of bootstrap intervals over contexts, (J,).
        classes: for each candidate the number of its class: those of one class cannot be told apart.
        top: the members of the best class; the runner-up is among them if its total may as well be the larger.
        accepted: whether the best class is accepted.
        runner_up: the best candidate outside of it, or None.
        explained: what the best candidate explains of what replicates share; None without replicates.
        blend: weights of candidates, of sum 1, in the best non-negative mixture of their views, above 0.005.
    """

    names: tuple[str, ...]
    totals: np.ndarray
    low: np.ndarray
    high: np.ndarray
    classes: tuple[int, ...]
    top: tuple[str, ...]
    accepted: bool
    runner_up: str | None
    explained: Explained | None
    blend: dict[str, float]


def rank(
    predictors: Sequence[Views],
    candidates: Mapping[str, Views],
    *,
    level: float,
    seed: int,
    extra: Mapping[str, np.ndarray] | None = None,
    differ: np.ndarray | None = None,
) -> Ranking:
    """Rank candidates.

    Args:
        predictors: the predictor and its replicates.
        candidates: by name.
        level: of the bootstrap intervals.
        seed: of the bootstrap.
        extra: by candidate, numbers (B,) that are averaged with the cosine (regression's agreement).
        differ: whether two candidates differ for a reason that views do not show, (J, J) bool, in the order given.
    """
    names = list(candidates)
    n_contexts = len(predictors[0].influence)
    counts = np.random.default_rng(seed).multinomial(n_contexts, np.full(n_contexts, 1 / n_contexts), RESAMPLES)
    counts = np.concatenate([np.ones((1, n_contexts), dtype=counts.dtype), counts])  # the first: as it is
    drawn = np.stack(
        [np.mean([products(p, c).cosines(counts) for p in predictors], axis=0) for c in candidates.values()]
    )
    if extra is not None:
        drawn = (drawn + np.stack([extra[name] for name in names]) @ counts.T / n_contexts) / 2
    totals, drawn = drawn[:, 0], drawn[:, 1:]
    tail = (1 - level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=1)
    same = _similar(list(candidates.values())) > SAME
    if differ is not None:
        same &= ~differ
    order = np.argsort(-totals, kind="stable")
    best = int(order[0])
    top = [j for j in order if same[best, j]]
    rest = [j for j in order if not same[best, j]]
    if len(top) == 1 and rest and np.quantile(drawn[best] - drawn[rest[0]], tail) <= 0:
        top.append(rest.pop(0))
    found = None
    if len(predictors) > 1:
        own = candidates[names[best]]
        pairs = [explained(a, b, own) for i, a in enumerate(predictors) for b in predictors[:i]]
        shared = float(np.mean([pair.shared for pair in pairs]))
        part = float(np.mean([pair.shared * pair.share for pair in pairs]))
        ranks = float(np.mean([pair.ranks for pair in pairs]))
        found = Explained(shared, ranks, part / shared if shared > 0 else 0.0)
        accepted = shared >= SHARED and ranks >= SHARED_RANKS and found.share >= ACCEPTED
    else:
        accepted = bool(totals[best] >= ALONE_ACCEPTED)
    classes = _classes(same, order)
    return Ranking(
        tuple(names[j] for j in order),
        totals[order],
        low[order],
        high[order],
        tuple(classes[j] for j in order),
        tuple(names[j] for j in top),
        accepted,
        names[rest[0]] if rest else None,
        found,
        _blend(predictors, candidates),
    )


def _similar(views: Sequence[Views]) -> np.ndarray:
    """Cosines of all views side by side, (J, J); 1 on the diagonal."""
    rows = np.stack([view.joined().flatten().numpy() for view in views])
    size = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows / np.where(size > 0, size, 1)
    found: np.ndarray = rows @ rows.T
    np.fill_diagonal(found, 1)
    return found


def _classes(same: np.ndarray, order: np.ndarray) -> dict[int, int]:
    """Numbers from 1, in the order of the best member: each candidate joins the first class all of which it resembles."""
    members: list[list[int]] = []
    for j in order:
        for group in members:
            if all(same[j, i] for i in group):
                group.append(int(j))
                break
        else:
            members.append([int(j)])
    return {j: number for number, group in enumerate(members, start=1) for j in group}


def _blend(predictors: Sequence[Views], candidates: Mapping[str, Views]) -> dict[str, float]:
    rows = np.stack([view.joined().flatten().numpy() for view in candidates.values()])
    aim = np.mean([view.joined().flatten().numpy() for view in predictors], axis=0)
    gram = rows @ rows.T
    values, vectors = np.linalg.eigh(gram + 1e-9 * np.trace(gram) * np.eye(len(gram)))
    root = vectors * np.sqrt(np.maximum(values, 1e-300))  # |rows' w - aim|^2 = |root' w - root^-1 rows aim|^2 + rest
    weights, _ = nnls(root.T, (vectors / np.sqrt(np.maximum(values, 1e-300))).T @ (rows @ aim))
    share = weights / weights.sum() if weights.sum() > 0 else weights
    found = {name: float(w) for name, w in zip(candidates, share, strict=True) if w > 0.005}
    return dict(sorted(found.items(), key=lambda item: -item[1]))
