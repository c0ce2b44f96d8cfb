"""Distances between learning algorithms: how often they decide differently after the same contexts."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ctxlearn.checks import trusted_values
from ctxlearn.learners import Learner, ProtoNet
from ctxlearn.references import (
    BayesOptimal,
    EffectiveSampleSizeWarning,
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
from ctxlearn.threads import one_thread_per_operator

RADIAL = "radial"
PLACES: dict[str, TaskFamily] = {**FAMILIES, RADIAL: Radial()}
LENGTHS = (4, 8, 16)
N_QUERIES = 8


def bayes_of(place: str) -> str:
    """The name of the Bayes predictor of a family."""
    return f"Bayes of {place}"


def plain_algorithms() -> dict[str, Learner]:
    """Learning algorithms without trained parameters."""
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
    }


def bayes_predictors() -> dict[str, Learner]:
    """Of each family, and of the training mixture."""
    found: dict[str, Learner] = {bayes_of(place): BayesOptimal(family) for place, family in PLACES.items()}
    return {**found, BAYES_MIXTURE: BayesOptimal(mixture())}


def trained_algorithms(named: Mapping[str, Learner]) -> dict[str, Learner]:
    """The trained classical learners, each on its own family and on the mixture."""
    return {f"{name} on {place}": named[f"{name} on {place}"] for name in HOME for place in (HOME[name], MIXTURE)}


def in_context_models(named: Mapping[str, Learner]) -> dict[str, Learner]:
    """The in-context models, one a training distribution."""
    return {f"{ICL} on {place}": named[f"{ICL} on {place}"] for place in (*FAMILIES, MIXTURE)}


def decisions(
    learners: Mapping[str, Learner], n_tasks: int, lengths: Sequence[int], *key: int, seed: int
) -> dict[str, dict[str, np.ndarray]]:
    """What each learner decides on the probes: per family and learner, (T, L, q) shares of class 1: 0, 1, or 1/2 at a tie.

    Probes are `n_tasks` tasks of each family; of each, for each of L context lengths, the first points are the context and
    the same q last points, which are in no context, the queries.
    """
    found: dict[str, dict[str, np.ndarray]] = {}
    for place, family in PLACES.items():
        tasks = family.sample(n_tasks, max(lengths) + N_QUERIES, generator=generator_for(seed, Stream.TEST, 2, *key))
        queries = tasks.x[:, max(lengths) :]
        found[place] = {}
        for name, learner in learners.items():
            parts = [_decided(learner, tasks.x[:, :n], tasks.y[:, :n], queries) for n in lengths]
            found[place][name] = torch.stack(parts, dim=1).numpy()
    return found


def _decided(learner: Learner, x: Tensor, y: Tensor, queries: Tensor) -> Tensor:
    """(T, q) float64."""
    with (
        torch.inference_mode(),
        trusted_values(),
        one_thread_per_operator(),
        warnings.catch_warnings(),
    ):
        # off its own family a Bayes predictor may rest on few particles; the page says so
        warnings.simplefilter("ignore", EffectiveSampleSizeWarning)
        logits = learner.eval()(x, y, queries).double()
    return 0.5 * (1 + torch.sign(logits[..., 1] - logits[..., 0]))


def disagreement(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(T,) in %: how often two learners decide differently on each task's probes; a tie counts half."""
    return np.asarray(100 * np.abs(first - second).reshape(len(first), -1).mean(1))


def distance_matrix(decided: Mapping[str, np.ndarray]) -> np.ndarray:
    """(K, K) in %: mean disagreement of K learners."""
    flat = np.stack([d.ravel() for d in decided.values()])
    return np.stack([100 * np.abs(flat - row).mean(1) for row in flat])


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


def embed(distances: np.ndarray, iterations: int = 500) -> Plane:
    """Points in the plane whose distances are as near as can be to those given: metric scaling by majorisation.

    It starts at classical scaling, which draws the two directions of largest spread, and each iteration lowers the sum of
    squared errors of distances. No randomness.

    Args:
        distances: (K, K), symmetric, K >= 2.
        iterations: at most.

    Source: de Leeuw 1977 (SMACOF); Torgerson 1952 for the start.
    """
    size = len(distances)
    centre = np.eye(size) - 1 / size
    values, vectors = np.linalg.eigh(-0.5 * centre @ distances**2 @ centre)
    points = vectors[:, -2:][:, ::-1] * np.sqrt(np.maximum(values[-2:][::-1], 0))
    points = points * np.where(points[np.abs(points).argmax(0), [0, 1]] < 0, -1, 1)  # an eigenvector has no sign
    for _ in range(iterations):
        drawn = _between(points)
        ratio = np.divide(distances, drawn, out=np.zeros_like(drawn), where=drawn > 1e-9)
        mover = -ratio
        np.fill_diagonal(mover, ratio.sum(1))
        points, before = mover @ points / size, points
        if np.abs(points - before).max() < 1e-6 * np.abs(points).max():
            break
    drawn = _between(points)
    pairs = np.triu_indices(size, 1)
    stress = float(np.sqrt(((drawn - distances)[pairs] ** 2).sum() / max(1e-300, (drawn[pairs] ** 2).sum())))
    spread = drawn[pairs].std() * distances[pairs].std()
    together = float(np.corrcoef(drawn[pairs], distances[pairs])[0, 1]) if spread > 0 else 1.0
    return Plane(points, stress, together)


def _between(points: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(points[:, None] - points[None], axis=-1))
