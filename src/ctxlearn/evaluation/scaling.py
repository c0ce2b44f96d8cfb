"""Points of the plane whose distances are as near as can be to those given."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import pdist, squareform
from sklearn.manifold import smacof


class Plane(NamedTuple):
    """Objects as points of the plane.

    Attributes:
        points: (K, 2), in the units of the distances.
        stress: Kruskal's stress-1: sqrt(sum of (distance drawn - distance)^2 / sum of distance drawn^2).
        correlation: of drawn and measured distances.
    """

    points: np.ndarray
    stress: float
    correlation: float


def embed_in_plane(distances: np.ndarray) -> Plane:
    """Points in the plane whose distances are as near as can be to those given: metric scaling by majorisation.

    It starts at classical scaling, which draws the two directions of largest spread. No randomness.

    Args:
        distances: (K, K), symmetric, K >= 2.

    Source: de Leeuw 1977 (SMACOF); Torgerson 1952 for the start.
    """
    centre = np.eye(len(distances)) - 1 / len(distances)
    values, vectors = np.linalg.eigh(-0.5 * centre @ distances**2 @ centre)
    points = vectors[:, -2:][:, ::-1] * np.sqrt(np.maximum(values[-2:][::-1], 0))
    points *= np.where(points[np.abs(points).argmax(0), [0, 1]] < 0, -1, 1)  # an eigenvector has no sign
    if distances.any():  # else all are one point, and there is no stress to lower
        points = smacof(distances, init=points, n_init=1, max_iter=500, eps=1e-9, normalized_stress=False)[0]
    drawn, wanted = pdist(points), squareform(distances)
    stress = np.sqrt(np.square(drawn - wanted).sum() / max(1e-300, np.square(drawn).sum()))
    varied = drawn.std() * wanted.std() > 0
    return Plane(points, float(stress), float(np.corrcoef(drawn, wanted)[0, 1]) if varied else 1.0)
