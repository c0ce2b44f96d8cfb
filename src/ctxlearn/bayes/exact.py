"""Exact posteriors of the families whose rule hangs on one number: a threshold, a radius or an angle.

The points cut the range of that number t into cells, in each of which t either respects or violates each label. So

    p(context, x_q, y_q = c) = sum over cells of e^(-15 violations) * integral over the cell of p(t) p(x_1..n, x_q | t),

and a family has to say what its cells are and how much lies in each. All prefixes of a task share the cells of all
its points.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ctxlearn.bayes.inference import Inference, Joint, exact
from ctxlearn.bayes.pairwise_prior import HalfPlaneAngle
from ctxlearn.learners.metric import exclusive_cumsum
from ctxlearn.tasks.base import VIOLATED, TaskFamily
from ctxlearn.tasks.classification import Amortization, PairwiseMetric, Radial
from ctxlearn.tasks.plane import HalfPlane, RotatedAmortization, Xor

ROWS = 1024
"""Queries with their contexts computed at once."""


class Cells(NamedTuple):
    """E cells of the hidden number for R rows of N points.

    Attributes:
        lower, upper: their ends, (R, E).
        zero: whether the rule gives point j the class 0 in cell e, (R, N, E).
    """

    lower: Tensor
    upper: Tensor
    zero: Tensor


class CellInference(Inference):
    """Exact inference over cells of one hidden number; two classes."""

    n_classes = 2
    chunk = 128

    @abstractmethod
    def cells(self, x: Tensor) -> Cells:
        """The cells cut by points (R, N, d)."""

    @abstractmethod
    def log_mass(self, cells: Cells, x: Tensor, every: bool) -> Tensor:
        """Log of the integral over each cell of p(t) prod_i p(x_i | t), (R, Q, E).

        The product is over all N points (Q = 1), or with `every` over the points 0..i for each i (Q = N).
        """

    def joint(self, x: Tensor, y: Tensor, query_x: Tensor) -> Joint:
        (b, q), n = query_x.shape[:2], x.shape[1]
        contexts = x[:, None].expand(b, q, n, -1)
        rows = torch.cat([contexts, query_x[:, :, None]], dim=2).flatten(0, 1)
        labels = y[:, None].expand(b, q, n).flatten(0, 1)
        pieces = zip(torch.split(rows, ROWS), torch.split(labels, ROWS), strict=True)
        log_p = torch.cat([self._joint(points, known, every=False) for points, known in pieces])
        return exact(log_p.view(b, q, 2))

    def joint_prefixes(self, x: Tensor, y: Tensor) -> Joint:
        return exact(self._joint(x, y, every=True))

    def _joint(self, x: Tensor, y: Tensor, every: bool) -> Tensor:
        """(R, N, 2) for every prefix, or (R, 1, 2) with the last of the N points as query; y (R, N or N - 1)."""
        cells = self.cells(x)
        known = y.shape[1]
        violated = (cells.zero[:, :known] == (y == 1)[..., None]).double()
        count = exclusive_cumsum(violated) if every else violated.sum(1, keepdim=True)
        query_zero = cells.zero if every else cells.zero[:, -1:]
        weight = self.log_mass(cells, x, every) + VIOLATED * count
        classes = [(weight + VIOLATED * wrong).logsumexp(-1) for wrong in (~query_zero, query_zero)]
        return torch.stack(classes, dim=-1)


def running(values: Tensor, every: bool) -> Tensor:
    """Sums over axis 1: up to each point, itself included, or over all."""
    return values.cumsum(1) if every else values.sum(1, keepdim=True)


def thresholds(cuts: Tensor, low: float, high: float, extra: int = 0) -> Cells:
    """Cells between cuts (R, N): a point has class 0 where the hidden number is below its cut.

    Args:
        cuts: one a point.
        low, high: the range of the hidden number.
        extra: further cuts, evenly spaced, that no cell shall be wide.
    """
    inner = cuts.clamp(low, high)
    if extra:
        even = torch.linspace(low, high, extra + 2, dtype=cuts.dtype, device=cuts.device)[1:-1]
        inner = torch.cat([inner, even.expand(len(cuts), -1)], dim=1)
    inner = inner.sort(dim=1).values
    lower = torch.cat([torch.full_like(inner[:, :1], low), inner], dim=1)
    upper = torch.cat([inner, torch.full_like(inner[:, :1], high)], dim=1)
    return Cells(lower, upper, upper[:, None, :] <= cuts[..., None])


class ThresholdOfSum(CellInference):
    """`Amortization`: t = 1.w / sqrt(d), whose posterior given the x's is normal; any d.

    Args:
        scale: standard deviation of the inputs around their mean.
        turn: degrees by which the rule's direction is turned, in the plane.
    """

    def __init__(self, scale: float, turn: float = 0.0) -> None:
        self.scale, self.turn = scale, math.radians(turn)

    def cells(self, x: Tensor) -> Cells:
        return thresholds(self._along(x), -math.inf, math.inf)

    def _along(self, x: Tensor) -> Tensor:
        """The coordinate u.x that decides."""
        if self.turn == 0:
            along: Tensor = x.sum(-1) / x.shape[-1] ** 0.5
            return along
        angle = math.pi / 4 + self.turn
        return math.cos(angle) * x[..., 0] + math.sin(angle) * x[..., 1]

    def log_mass(self, cells: Cells, x: Tensor, every: bool) -> Tensor:
        s2, d = self.scale**2, x.shape[-1]
        n = running(torch.ones_like(x[..., 0]), every)
        total, squares = running(x, every), running(x.square().sum(-1), every)
        log_density: Tensor = -0.5 * (
            n * d * math.log(2 * math.pi * s2)
            + d * (1 + n / s2).log()
            + (squares - total.square().sum(-1) / (s2 + n)) / s2
        )
        mean, deviation = self._along(total) / (s2 + n), (s2 / (s2 + n)).sqrt()

        def standard(edge: Tensor) -> Tensor:
            z: Tensor = (edge[:, None, :] - mean[..., None]) / deviation[..., None]
            return z

        return log_density[..., None] + log_normal_mass(standard(cells.lower), standard(cells.upper))


def log_normal_mass(low: Tensor, high: Tensor) -> Tensor:
    """Log of the standard normal probability of [low, high], accurate in both tails."""
    flip = low > 0
    low, high = torch.where(flip, -high, low), torch.where(flip, -low, high)
    log_high: Tensor = torch.special.log_ndtr(high)
    ratio: Tensor = torch.special.log_ndtr(low) - log_high
    mass: Tensor = log_high + (-ratio.expm1()).log()
    return torch.where(mass.isnan(), -torch.inf, mass)


class RadiusOnGrid(CellInference):
    """`Radial`: Gauss-Legendre quadrature over t = r in each cell, cells narrower than the posterior; any d and scale."""

    nodes = 6

    def __init__(self, family: Radial) -> None:
        self.family = family

    def cells(self, x: Tensor) -> Cells:
        # the posterior of r has a relative width of 1 / sqrt(2 n d)
        extra = 8 + math.ceil((2 * x.shape[1] * x.shape[2]) ** 0.5)
        return thresholds(torch.linalg.vector_norm(x, dim=-1), self.family.low, self.family.high, extra)

    def log_mass(self, cells: Cells, x: Tensor, every: bool) -> Tensor:
        position, weight = (torch.from_numpy(a).to(x) for a in np.polynomial.legendre.leggauss(self.nodes))
        width = cells.upper - cells.lower
        r = (cells.lower + cells.upper)[..., None] / 2 + width[..., None] * position / 2  # (R, E, nodes)
        deviation = (self.family.spread * r).flatten(1)[:, None]
        precision, log_deviation = 0.5 / deviation.square(), deviation.log() + 0.5 * math.log(2 * math.pi)
        n = x.shape[-1] * running(torch.ones_like(x[..., 0]), every)[..., None]
        squares = running(x.square().sum(-1), every)[..., None]
        log_density: Tensor = (-n * log_deviation - squares * precision).reshape(*n.shape[:2], *r.shape[1:])
        prior = width[:, None].log() - math.log(self.family.high - self.family.low) - math.log(2)
        return prior + (log_density + weight.log()).logsumexp(-1)


class Angle(CellInference):
    """Families in the plane whose label is 0 where cos(t - m angle(x)) > 0, t a hidden angle of which x says nothing.

    Args:
        scale: standard deviation of the inputs.
        turns: m: 1 for half-planes, 2 for exclusive or.
        mass: the prior's probability of intervals [lower, upper] within [0, 2 pi]; uniform by default.
    """

    def __init__(self, scale: float, turns: int = 1, mass: Callable[[Tensor, Tensor], Tensor] | None = None) -> None:
        self.scale, self.turns, self.mass = scale, turns, mass or _uniform_mass

    def cells(self, x: Tensor) -> Cells:
        angle = self.turns * torch.atan2(x[..., 1], x[..., 0])
        cuts = torch.cat([angle - math.pi / 2, angle + math.pi / 2], dim=1).remainder(2 * math.pi).sort(dim=1).values
        ends = torch.zeros_like(cuts[:, :1]), torch.full_like(cuts[:, :1], 2 * math.pi)
        lower, upper = torch.cat([ends[0], cuts], dim=1), torch.cat([cuts, ends[1]], dim=1)
        return Cells(lower, upper, ((lower + upper)[:, None, :] / 2 - angle[..., None]).cos() > 0)

    def log_mass(self, cells: Cells, x: Tensor, every: bool) -> Tensor:
        squares = x.square().sum(-1) / (2 * self.scale**2)
        log_density = running(-squares - math.log(2 * math.pi * self.scale**2), every)
        return log_density[..., None] + self.mass(cells.lower, cells.upper).log()[:, None]


def _uniform_mass(lower: Tensor, upper: Tensor) -> Tensor:
    return (upper - lower) / (2 * math.pi)


def exact_inference(family: TaskFamily) -> Inference | None:
    """The exact posterior of a family, where one is known.

    Exact forms hold for a class itself: a subclass may draw other tasks.
    """
    kind = type(family)
    if kind is Amortization and isinstance(family, Amortization):
        return ThresholdOfSum(family.scale)
    if kind is RotatedAmortization and isinstance(family, RotatedAmortization) and family.turn is not None:
        return ThresholdOfSum(family.scale, family.turn)
    if kind is Radial and isinstance(family, Radial):
        return RadiusOnGrid(family)
    if (
        kind is PairwiseMetric
        and isinstance(family, PairwiseMetric)
        and (family.n_features, family.n_classes) == (2, 2)
    ):
        return Angle(family.scale, mass=HalfPlaneAngle.of(family.n_per_class).mass)
    if kind in (HalfPlane, Xor) and isinstance(family, HalfPlane | Xor):
        return Angle(family.scale, turns=2 if kind is Xor else 1)
    return None
