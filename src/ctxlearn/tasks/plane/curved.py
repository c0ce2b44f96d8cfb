"""Rules in the plane whose boundaries are curves of second order, and exclusive or."""

from __future__ import annotations

import torch
from torch import Tensor

from ctxlearn.checks import check_float
from ctxlearn.tasks.plane.base import Geometry, PlaneFamily, between, check_range, direction, side


class Xor(PlaneFamily):
    """Exclusive or: opposite quadrants share a class, the axes at a hidden angle.

    y = 1 where (u.x)(v.x) > 0 for two unit vectors u and v at a right angle, u uniform.

    Args:
        scale: standard deviation of the inputs, > 0.
    """

    n_latents = 2

    def geometry(self, z: Tensor) -> Geometry:
        cosine, sine = direction(z)  # of twice the angle, which is uniform too
        return {"cosine": cosine, "sine": sine}

    def score(self, geometry: Geometry, x: Tensor, y: Tensor) -> Tensor:
        return geometry["cosine"] * (x.square() - y.square()) + geometry["sine"] * 2 * x * y


class QuadraticForm(PlaneFamily):
    """A random conic section: any polynomial of second order.

    y = 1 where a h_2(x_1) + b h_2(x_2) + c x_1 x_2 + d x_1 + e x_2 > 0, with a, .., e ~ N(0, 1) and h_2(t) = (t^2 - 1) / sqrt 2.
    The five functions are orthonormal where x ~ N(0, I), so that none of them dominates.

    Args:
        scale: standard deviation of the inputs, > 0.
    """

    n_latents = 5

    def geometry(self, z: Tensor) -> Geometry:
        return dict(zip("abcde", z.unbind(-1), strict=True))

    def score(self, geometry: Geometry, x: Tensor, y: Tensor) -> Tensor:
        square = 2**-0.5 * (geometry["a"] * (x.square() - 1) + geometry["b"] * (y.square() - 1))
        return square + geometry["c"] * x * y + geometry["d"] * x + geometry["e"] * y


class Circle(PlaneFamily):
    """Inside or outside a circle near the origin.

    y = 1 where |x - c| < r, or outside of it, each in half of the tasks; c ~ N(0, centre^2 I), r ~ U(radius_low, radius_high).
    Unlike `Radial`, inputs do not tell the radius, and are no larger than those of the other families.

    Args:
        scale: standard deviation of the inputs, > 0.
        radius_low: smallest radius r, > 0.
        radius_high: largest.
        centre: standard deviation of each coordinate of the centre, > 0.
    """

    n_latents = 4

    def __init__(
        self, scale: float = 1.0, radius_low: float = 0.8, radius_high: float = 1.6, centre: float = 0.3
    ) -> None:
        super().__init__(scale)
        check_range("radius", radius_low, radius_high)
        self.radius_low, self.radius_high = float(radius_low), float(radius_high)
        self.spread = check_float("centre", centre, above=0)

    def geometry(self, z: Tensor) -> Geometry:
        first, second = (self.spread * z[..., :2]).unbind(-1)
        radius = between(z[..., 2], self.radius_low, self.radius_high)
        return {"first": first, "second": second, "square": radius.square(), "side": side(z[..., 3])}

    def score(self, geometry: Geometry, x: Tensor, y: Tensor) -> Tensor:
        distance = (x - geometry["first"]).square() + (y - geometry["second"]).square()
        return geometry["side"] * (geometry["square"] - distance)


class RotatedEllipse(PlaneFamily):
    """Inside or outside an ellipse around the origin, at a hidden angle.

    y = 1 where (u.x / a)^2 + (v.x / b)^2 < 1, or outside of it, each in half of the tasks; u a uniform unit vector and v across
    it, a = r sqrt(k), b = r / sqrt(k), r ~ U(radius_low, radius_high), k ~ U(ratio_low, ratio_high).

    Args:
        scale: standard deviation of the inputs, > 0.
        radius_low: smallest r, the geometric mean of the half-axes, > 0.
        radius_high: largest.
        ratio_low: smallest ratio k of the axes, > 0.
        ratio_high: largest.
    """

    n_latents = 5

    def __init__(
        self,
        scale: float = 1.0,
        radius_low: float = 0.9,
        radius_high: float = 1.6,
        ratio_low: float = 1.5,
        ratio_high: float = 3.0,
    ) -> None:
        super().__init__(scale)
        check_range("radius", radius_low, radius_high)
        check_range("ratio", ratio_low, ratio_high)
        self.radius_low, self.radius_high = float(radius_low), float(radius_high)
        self.ratio_low, self.ratio_high = float(ratio_low), float(ratio_high)

    def geometry(self, z: Tensor) -> Geometry:
        cosine, sine = direction(z[..., :2])  # of twice the angle: half a turn changes nothing
        square = between(z[..., 2], self.radius_low, self.radius_high).square()
        ratio = between(z[..., 3], self.ratio_low, self.ratio_high)
        mean, half = (ratio + 1 / ratio) / (2 * square), (1 / ratio - ratio) / (2 * square)
        return {"mean": mean, "cosine": half * cosine, "sine": half * sine, "side": side(z[..., 4])}

    def score(self, geometry: Geometry, x: Tensor, y: Tensor) -> Tensor:
        long = geometry["cosine"] * (x.square() - y.square()) + geometry["sine"] * 2 * x * y
        return geometry["side"] * (1 - geometry["mean"] * (x.square() + y.square()) - long)


class TwoBumps(PlaneFamily):
    """Near either of two hidden places, or near neither.

    y = 1 where min(|x - c_1|, |x - c_2|) < r, or where it is not, each in half of the tasks; c_1, c_2 ~ N(0, spread^2 I),
    r ~ U(radius_low, radius_high).

    Args:
        scale: standard deviation of the inputs, > 0.
        radius_low: smallest radius r, > 0.
        radius_high: largest.
        spread: standard deviation of the places' coordinates, > 0.
    """

    n_latents = 6

    def __init__(
        self, scale: float = 1.0, radius_low: float = 0.8, radius_high: float = 1.3, spread: float = 1.0
    ) -> None:
        super().__init__(scale)
        check_range("radius", radius_low, radius_high)
        self.radius_low, self.radius_high = float(radius_low), float(radius_high)
        self.spread = check_float("spread", spread, above=0)

    def geometry(self, z: Tensor) -> Geometry:
        places = dict(zip(("x1", "y1", "x2", "y2"), (self.spread * z[..., :4]).unbind(-1), strict=True))
        radius = between(z[..., 4], self.radius_low, self.radius_high)
        return {**places, "square": radius.square(), "side": side(z[..., 5])}

    def score(self, geometry: Geometry, x: Tensor, y: Tensor) -> Tensor:
        first = (x - geometry["x1"]).square() + (y - geometry["y1"]).square()
        second = (x - geometry["x2"]).square() + (y - geometry["y2"]).square()
        return geometry["side"] * (geometry["square"] - torch.minimum(first, second))
