import numpy as np
import pytest

from ctxlearn.evaluation.scaling import embed_in_plane


def test_points_of_the_plane_are_found_again():
    points = np.random.default_rng(0).normal(size=(12, 2))
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    plane = embed_in_plane(distances)
    assert plane.stress < 1e-6
    assert np.linalg.norm(plane.points[:, None] - plane.points[None], axis=-1) == pytest.approx(distances, abs=1e-6)
    corners = embed_in_plane(1 - np.eye(4))  # four points at equal distances do not fit in the plane
    assert corners.stress > 0.1
    assert embed_in_plane(np.zeros((3, 3))).stress == 0
