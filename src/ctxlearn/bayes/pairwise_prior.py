"""The prior of `PairwiseMetric` in the plane: how the angle of sum_k (w_0k - w_1k) is distributed.

A hidden point w is a uniform direction put on the curve |w|_3 = 1, which is not a circle: the angle is not uniform,
and with one point a class its density is logarithmically infinite along the axes, where the curve is flat. It has the
symmetries of the square, so a quarter turn is tabulated, with nodes that crowd at the axes.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

QUARTER = np.pi / 2


class HalfPlaneAngle:
    """A distribution over angles, by its cumulative probability on a grid, linear in between.

    Args:
        nodes: angles from 0 to a quarter turn, increasing, (K,).
        cumulative: probability of [0, node] modulo a quarter turn, from 0 to 1, (K,).
    """

    def __init__(self, nodes: np.ndarray, cumulative: np.ndarray) -> None:
        self.nodes, self.cumulative = torch.from_numpy(nodes), torch.from_numpy(cumulative)

    @staticmethod
    @functools.cache
    def of(n_per_class: int) -> HalfPlaneAngle:
        """The prior for `n_per_class` hidden points a class; computed once."""
        half = np.pi / 4 * np.linspace(0, 1, 1025) ** 3
        nodes = np.concatenate([half, (QUARTER - half)[-2::-1]])
        return HalfPlaneAngle(nodes, _one_point(nodes) if n_per_class == 1 else _several_points(nodes, n_per_class))

    def mass(self, lower: Tensor, upper: Tensor) -> Tensor:
        """Probability of [lower, upper] within [0, 2 pi], float64."""
        return (self._probability(upper) - self._probability(lower)).clamp(min=0)

    def _probability(self, angle: Tensor) -> Tensor:
        nodes, cumulative = self.nodes.to(angle.device), self.cumulative.to(angle.device)
        turns = (angle / QUARTER).floor()
        rest = (angle - turns * QUARTER).clamp(0, QUARTER)
        at = torch.searchsorted(nodes, rest.contiguous()).clamp(1, len(nodes) - 1)
        share = (rest - nodes[at - 1]) / (nodes[at] - nodes[at - 1])
        return (turns + torch.lerp(cumulative[at - 1], cumulative[at], share)) / 4


def curve(angle: np.ndarray) -> np.ndarray:
    """Points of the given directions on |w|_3 = 1, (2, ...)."""
    w: np.ndarray = np.stack([np.cos(angle), np.sin(angle)])
    norms: np.ndarray = (np.abs(w) ** 3).sum(0) ** (1 / 3)
    return np.asarray(w / norms)


def _one_point(nodes: np.ndarray, starts: int = 512, ends: int = 2048) -> np.ndarray:
    """Cumulative probability of the angle of w - w' for two points of the curve; right to about 2e-7.

    From a point w' of a convex curve the chord to w turns one way as w goes around, from one tangent to the other:
    given w', the angle (modulo half a turn) is a monotone function of w, and its distribution is read off by
    interpolation. Averaged over w' in a quarter turn; the angle is taken modulo a quarter turn.
    """
    wanted = np.concatenate([nodes, nodes + QUARTER])
    share = np.arange(ends + 1) / ends
    total = np.zeros_like(wanted)
    for start in QUARTER * (np.arange(starts) + 0.5) / starts:
        here = curve(np.array(start))
        chord = curve(start + 2 * np.pi * share[1:-1]) - here[:, None]
        tangent = np.arctan2(here[0] * abs(here[0]), -here[1] * abs(here[1]))
        turned = np.unwrap(np.arctan2(chord[1], chord[0]), period=np.pi)
        turned -= np.pi * np.floor((turned[0] - tangent) / np.pi)
        angle = np.concatenate([[tangent], turned, [tangent + np.pi]])
        turns = np.floor((wanted - tangent) / np.pi)
        total += np.interp(wanted - np.pi * turns, angle, share) + turns
    first, second = np.split(total / starts, 2)
    return _as_distribution(first - first[0] + second - second[0])


def _several_points(nodes: np.ndarray, n_per_class: int, harmonics: int = 8) -> np.ndarray:
    """Cumulative probability of the angle of a sum of 2 n_per_class >= 4 points of the curve.

    Its Fourier coefficients E cos(m angle), m = 4, 8, .., are m times the integral over t > 0 of psi_m(t) / t, where
    psi_m is the m-th angular harmonic of the characteristic function at radius t (the integral of a Bessel function
    J_m(t) / t is 1 / m). The density is right to about 1e-3 for 2 points a class and better for more.
    """
    direction = np.pi / 4 * (np.arange(128) + 0.5) / 128
    w = curve(np.pi * (np.arange(512) + 0.5) / 512)
    projected = np.stack([np.cos(direction), np.sin(direction)], axis=1) @ w
    m = 4 * np.arange(1, harmonics + 1)
    waves = np.cos(m[:, None] * direction)
    step = 0.2
    coefficients = np.zeros(harmonics)
    for t in step * (np.arange(600) + 0.5):
        characteristic = np.cos(t * projected).mean(1) ** (2 * n_per_class)
        coefficients += m * (waves * characteristic).mean(1) * step / t
    cumulative = nodes / QUARTER + (8 / m * coefficients * np.sin(np.outer(nodes, m))).sum(1) / (2 * np.pi)
    return _as_distribution(cumulative)


def _as_distribution(cumulative: np.ndarray) -> np.ndarray:
    increasing: np.ndarray = np.maximum.accumulate(cumulative.clip(0, 1))
    increasing[-1] = 1.0
    return increasing
