"""Rules in the plane whose boundaries are straight lines."""

from __future__ import annotations

import math

from torch import Tensor

from ctxlearn.checks import check_float
from ctxlearn.tasks.plane.base import Geometry, PlaneFamily, between, check_range, direction, side


class HalfPlane(PlaneFamily):
    """A half-plane through the origin, of uniform direction.

    y = 1 where u.x > 0, u a uniform unit vector. Unlike `PairwiseMetric` no direction is more likely than another.

    Args:
        scale: standard deviation of the inputs, > 0.
    """

    n_latents = 2

    def geometry(self, z: Tensor) -> Geometry:
        cosine, sine = direction(z)
        return {"cosine": cosine, "sine": sine}

    def score(self, geometry: Geometry, x: Tensor, y: Tensor) -> Tensor:
        return _along(geometry, x, y)


class OffsetHalfPlane(PlaneFamily):
    """A half-plane whose boundary passes the origin at a hidden distance.

    y = 1 where u.x > b, u a uniform unit vector, b ~ U(-offset, offset).

    Args:
        scale: standard deviation of the inputs, > 0.
        offset: largest distance of the boundary from the origin, > 0. At 1 a class has 16 to 84 % of the points.
    """

    n_latents = 3

    def __init__(self, scale: float = 1.0, offset: float = 1.0) -> None:
        super().__init__(scale)
        self.offset = check_float("offset", offset, above=0)

    def geometry(self, z: Tensor) -> Geometry:
        cosine, sine = direction(z[..., :2])
        return {"cosine": cosine, "sine": sine, "offset": between(z[..., 2], -self.offset, self.offset)}

    def score(self, geometry: Geometry, x: Tensor, y: Tensor) -> Tensor:
        return _along(geometry, x, y) - geometry["offset"]


class Wedge(PlaneFamily):
    """A wedge with its tip at the origin.

    y = 1 where the angle between x and a uniform direction u is less than h, h ~ U(pi - angle, angle): as often wider
    than a half-plane as narrower.

    Args:
        scale: standard deviation of the inputs, > 0.
        angle: largest half-angle h in degrees, from 90 to 180. At 135 a class has 25 to 75 % of the points.
    """

    n_latents = 3

    def __init__(self, scale: float = 1.0, angle: float = 135.0) -> None:
        super().__init__(scale)
        self.angle = check_float("angle", angle, minimum=90, maximum=180)

    def geometry(self, z: Tensor) -> Geometry:
        cosine, sine = direction(z[..., :2])
        half = between(z[..., 2], math.radians(180 - self.angle), math.radians(self.angle))
        return {"cosine": cosine, "sine": sine, "width": half.cos()}

    def score(self, geometry: Geometry, x: Tensor, y: Tensor) -> Tensor:
        return _along(geometry, x, y) - geometry["width"] * (x.square() + y.square()).sqrt()


class Band(PlaneFamily):
    """A band between two parallel lines.

    y = 1 where |u.x - b| < h, or outside of it, each in half of the tasks; u a uniform unit vector, b ~ U(-offset, offset),
    h ~ U(width_low, width_high).

    Args:
        scale: standard deviation of the inputs, > 0.
        width_low: smallest half-width h, > 0.
        width_high: largest. With the defaults the band has 31 to 68 % of the points where b = 0.
        offset: largest distance of the band's middle from the origin, > 0.
    """

    n_latents = 5

    def __init__(
        self, scale: float = 1.0, width_low: float = 0.4, width_high: float = 1.0, offset: float = 0.5
    ) -> None:
        super().__init__(scale)
        check_range("width", width_low, width_high)
        self.width_low, self.width_high = float(width_low), float(width_high)
        self.offset = check_float("offset", offset, above=0)

    def geometry(self, z: Tensor) -> Geometry:
        cosine, sine = direction(z[..., :2])
        width = between(z[..., 2], self.width_low, self.width_high)
        offset = between(z[..., 3], -self.offset, self.offset)
        return {"cosine": cosine, "sine": sine, "width": width, "offset": offset, "side": side(z[..., 4])}

    def score(self, geometry: Geometry, x: Tensor, y: Tensor) -> Tensor:
        distance = (_along(geometry, x, y) - geometry["offset"]).abs()
        return geometry["side"] * (geometry["width"] - distance)


class Stripes(PlaneFamily):
    """Parallel stripes of equal width.

    y = 1 where sin(pi u.x / w + p) > 0; u a uniform unit vector, w ~ U(width_low, width_high), p a uniform phase.

    Args:
        scale: standard deviation of the inputs, > 0.
        width_low: smallest width w of a stripe, > 0.
        width_high: largest.
    """

    n_latents = 5

    def __init__(self, scale: float = 1.0, width_low: float = 0.8, width_high: float = 1.6) -> None:
        super().__init__(scale)
        check_range("width", width_low, width_high)
        self.width_low, self.width_high = float(width_low), float(width_high)

    def geometry(self, z: Tensor) -> Geometry:
        cosine, sine = direction(z[..., :2])
        width = between(z[..., 2], self.width_low, self.width_high)
        phase_cosine, phase_sine = direction(z[..., 3:5])
        frequency = math.pi / width
        return {"cosine": cosine, "sine": sine, "frequency": frequency, "a": phase_cosine, "b": phase_sine}

    def score(self, geometry: Geometry, x: Tensor, y: Tensor) -> Tensor:
        turn = geometry["frequency"] * _along(geometry, x, y)
        return turn.sin() * geometry["a"] + turn.cos() * geometry["b"]


class Checkerboard(PlaneFamily):
    """A checkerboard at a hidden angle, of hidden size and position.

    y = 1 where sin(pi u.x / w + p) sin(pi v.x / w + q) > 0; u a uniform unit vector and v across it, w ~ U(width_low,
    width_high), p and q uniform phases.

    Args:
        scale: standard deviation of the inputs, > 0.
        width_low: smallest side w of a square, > 0.
        width_high: largest.
    """

    n_latents = 7

    def __init__(self, scale: float = 1.0, width_low: float = 1.2, width_high: float = 2.0) -> None:
        super().__init__(scale)
        check_range("width", width_low, width_high)
        self.width_low, self.width_high = float(width_low), float(width_high)

    def geometry(self, z: Tensor) -> Geometry:
        cosine, sine = direction(z[..., :2])
        frequency = math.pi / between(z[..., 2], self.width_low, self.width_high)
        a, b = direction(z[..., 3:5])
        c, d = direction(z[..., 5:7])
        return {"cosine": cosine, "sine": sine, "frequency": frequency, "a": a, "b": b, "c": c, "d": d}

    def score(self, geometry: Geometry, x: Tensor, y: Tensor) -> Tensor:
        along = geometry["frequency"] * _along(geometry, x, y)
        across = geometry["frequency"] * _along(geometry, y, -x)
        first = along.sin() * geometry["a"] + along.cos() * geometry["b"]
        second = across.sin() * geometry["c"] + across.cos() * geometry["d"]
        return first * second


def _along(geometry: Geometry, x: Tensor, y: Tensor) -> Tensor:
    """u.x for the direction u."""
    return geometry["cosine"] * x + geometry["sine"] * y
