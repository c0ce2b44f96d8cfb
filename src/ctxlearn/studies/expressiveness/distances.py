"""Distances between learning algorithms: how often they decide differently after the same contexts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from sklearn.manifold import smacof

from ctxlearn import lab
from ctxlearn.checks import trusted_values
from ctxlearn.evaluation.statistics import Interval
from ctxlearn.learners import Learner, ProtoNet
from ctxlearn.references import (
    BayesOptimal,
    GradientDescent,
    KernelRegression,
    LogisticRegression,
    Majority,
    MaxMargin,
    MeanThreshold,
    NearestNeighbor,
    Ridge,
)
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies.arms import BAYES_MIXTURE, FAMILIES, HOME, ICL, MIXTURE, mixture
from ctxlearn.tasks import Radial, TaskFamily

RADIAL = "radial"
PLACES: dict[str, TaskFamily] = {**FAMILIES, RADIAL: Radial()}
HOMES = {place: (place,) for place in FAMILIES} | {MIXTURE: tuple(FAMILIES)}
"""Where each in-context model was trained, and so is asked."""
N_QUERIES = 8


def bayes_of(place: str) -> str:
    """The name of the Bayes predictor of a family."""
    return f"Bayes of {place}"


def plain_algorithms() -> dict[str, Learner]:
    """Learning algorithms without trained parameters, and the Bayes predictors of each family and of the mixture."""
    return {
        "1-NN": NearestNeighbor(2, 2),
        "3-NN": NearestNeighbor(2, 2, k=3),
        "logistic regression": LogisticRegression(2, 2),
        "ridge": Ridge(2, 2, penalty=0.1),
        "largest margin": MaxMargin(2, 2),
        "nearest class mean": ProtoNet(2, 2, encoder="identity"),
        "kernel regression": KernelRegression(1.0, n_features=2, n_classes=2),
        "1 gradient step": GradientDescent(1, 0.5, "softmax", n_features=2, n_classes=2, intercept=True),
        "5 gradient steps": GradientDescent(5, 0.5, "softmax", n_features=2, n_classes=2, intercept=True),
        "threshold at the mean": MeanThreshold(2),
        "majority": Majority(2, 2),
        **{bayes_of(place): BayesOptimal(family) for place, family in PLACES.items()},
        BAYES_MIXTURE: BayesOptimal(mixture()),
    }


def probe_measurements(
    trained: Mapping[tuple[str, str], lab.Training], n_tasks: int, lengths: Sequence[int], seed: int
) -> list[lab.Measurement]:
    """Decisions of every learner on the probes of its seed; of in-context models on those of the first seed, too."""
    classical = {f"{name} on {place}": trained[name, place] for name in HOME for place in (HOME[name], MIXTURE)}
    models = {f"{ICL} on {place}": trained[ICL, place] for place in HOMES}
    asked: list[tuple[int, dict[str, lab.Contestant]]] = [(seed, {**plain_algorithms(), **classical, **models})]
    if seed:
        asked.append((0, {f"{name}, seed {seed}": model for name, model in models.items()}))
    return [
        lab.Measurement(
            (name, place),
            probes,
            lab.call(decisions, learner, family, n_tasks, list(lengths), probes),
            f"{place} {probes}",
        )
        for probes, learners in asked
        for place, family in PLACES.items()
        for name, learner in learners.items()
    ]


def decisions(
    learner: Learner, family: TaskFamily, n_tasks: int, lengths: Sequence[int], seed: int
) -> dict[str, np.ndarray]:
    """What a learner decides on the probes.

    For each of L context lengths the first points of a task are the context, and the same q last points, which are in no
    context, the queries.

    Returns:
        "decided" (T, L q): shares of class 1, which are 0, 1, or 1/2 at a tie.
    """
    tasks = family.sample(n_tasks, max(lengths) + N_QUERIES, generator=generator_for(seed, Stream.TEST, 2))
    queries = tasks.x[:, max(lengths) :]
    parts = []
    with torch.inference_mode(), trusted_values():
        for n in lengths:
            logits = learner.eval()(tasks.x[:, :n], tasks.y[:, :n], queries).double()
            parts.append(0.5 * (1 + torch.sign(logits[..., 1] - logits[..., 0])))
    return {"decided": torch.cat(parts, dim=1).numpy()}


def disagreement(decided: lab.Samples, first: str, second: str, places: Sequence[str]) -> lab.Paired:
    """How often two learners decide differently on each probe task of some families, in %; a tie counts half."""
    gaps = [(decided[first, place] - decided[second, place]).apply(np.abs) for place in places]
    return 100 * lab.side_by_side(gaps).averaged(slice(None))


def candidates(decided: lab.Samples) -> list[str]:
    """All learners that are no in-context models."""
    return [name for name in dict.fromkeys(str(key[0]) for key in decided) if not name.startswith(ICL)]


def nearest(decided: lab.Samples, model: str, places: Sequence[str], top: int) -> list[tuple[str, Interval]]:
    """The algorithms that decide most often as a model does, with the 95 % interval of the disagreement in %."""
    found = {name: disagreement(decided, model, name, places) for name in candidates(decided)}
    order = sorted(found, key=lambda name: found[name].mean())
    return [(name, found[name].interval()) for name in order[:top]]


def shared_probes(decided: lab.Samples, places: Sequence[str]) -> dict[str, np.ndarray]:
    """Decisions (T, L q) of all learners, of every seed's in-context models too, on the first seed's probes."""
    names = dict.fromkeys(str(key[0]) for key in decided)
    return {name: np.concatenate([decided[name, place].values[0] for place in places]) for name in names}


def distance_matrix(decided: Mapping[str, np.ndarray]) -> np.ndarray:
    """(K, K) in %: mean disagreement of K learners."""
    flat = np.stack([d.ravel() for d in decided.values()])
    return np.stack([100 * np.abs(flat - row).mean(1) for row in flat])


def disagreement_table(decided: lab.Samples) -> pd.DataFrame:
    """One row per family of probes and pair of learners: how often they decide differently, in %."""
    rows = []
    for place in PLACES:
        shared = shared_probes(decided, (place,))
        matrix, names = distance_matrix(shared), list(shared)
        rows += [
            {"family": place, "first": a, "second": b, "disagreement": matrix[i, j]}
            for i, a in enumerate(names)
            for j, b in enumerate(names)
            if i < j
        ]
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Plane:
    """Learners as points of the plane.

    Attributes:
        points: (K, 2), in the units of the distances.
        stress: Kruskal's stress-1: sqrt(sum of (distance drawn - distance)^2 / sum of distance drawn^2).
        correlation: of drawn and measured distances.
    """

    points: np.ndarray
    stress: float
    correlation: float


def embed(distances: np.ndarray) -> Plane:
    """Points in the plane whose distances are as near as can be to those given: metric scaling by majorisation.

    It starts at classical scaling, which draws the two directions of largest spread. No randomness.

    Args:
        distances: (K, K), symmetric, K >= 2.

    Source: de Leeuw 1977 (SMACOF); Torgerson 1952 for the start.
    """
    size = len(distances)
    centre = np.eye(size) - 1 / size
    values, vectors = np.linalg.eigh(-0.5 * centre @ distances**2 @ centre)
    start = vectors[:, -2:][:, ::-1] * np.sqrt(np.maximum(values[-2:][::-1], 0))
    start = start * np.where(start[np.abs(start).argmax(0), [0, 1]] < 0, -1, 1)  # an eigenvector has no sign
    points = start
    if distances.any():  # else all are one point, and there is no stress to lower
        points = smacof(distances, init=start, n_init=1, max_iter=500, eps=1e-9, normalized_stress=False)[0]
    drawn = np.linalg.norm(points[:, None] - points[None], axis=-1)
    pairs = np.triu_indices(size, 1)
    stress = float(np.sqrt(((drawn - distances)[pairs] ** 2).sum() / max(1e-300, (drawn[pairs] ** 2).sum())))
    spread = drawn[pairs].std() * distances[pairs].std()
    together = float(np.corrcoef(drawn[pairs], distances[pairs])[0, 1]) if spread > 0 else 1.0
    return Plane(points, stress, together)
