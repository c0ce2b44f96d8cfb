"""Contexts on which predictors and candidates are compared."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ctxlearn.checks import check_features, describe
from ctxlearn.episodes import Tasks
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.tasks.base import TaskFamily

FLIPPED = 0.15
"""Share of the labels that are wrong: right ones would leave the rules less to differ in."""
NOISE = 0.5
"""Standard deviation of the label noise of regression probes."""
INFLUENCES = 16
"""Points of a context whose label is changed, at most."""
PROBES = 71
"""Key of the probes' stream beside those of evaluation."""


@dataclass(frozen=True)
class Probes:
    """B contexts of one length n, asked at the same q queries each.

    Attributes:
        x: (B, n, *shape).
        y: (B, n), the labels.
        queries: (B, q, *shape).
        changed: labels with point i's changed, one row a point, (B, m, n) with m = min(n, 16).
        shuffled: an order of the context's points, (B, n) int64.
        n_classes: C, or None for regression.
    """

    x: Tensor
    y: Tensor
    queries: Tensor
    changed: Tensor
    shuffled: Tensor
    n_classes: int | None

    @property
    def n_context(self) -> int:
        """How many labelled points, n."""
        return self.x.shape[1]


def draw_probes(
    n_context: int,
    n_contexts: int,
    n_queries: int,
    n_features: int | tuple[int, ...],
    n_classes: int | None,
    *,
    source: Tasks | TaskFamily | None = None,
    seed: int = 0,
) -> Probes:
    """Probes of one length.

    Unless a source is given, points of a context are normal with an offset (standard deviation 1) and a scale (log-uniform
    in [1/2, 2]) of its own, labels those of a random linear rule through a random point near the middle, 15 % of them
    changed to another class. For regression y = w.x + noise with w standard normal and a noise of 0.5, offsets being
    0.3 and scales in [0.7, 1.4]. Queries are spread 1.3 times as wide.

    Args:
        n_context: n >= 0.
        n_contexts: B.
        n_queries: q.
        n_features: an int d or the shape of one input.
        n_classes: C, or None for regression.
        source: tasks, or a family to draw them from: the first n points are the context, the next q the queries.
        seed: of everything random.

    Raises:
        ValueError: a source with too few tasks or points; it says how many are needed.
    """
    generator = generator_for(seed, Stream.TEST, PROBES, n_context)
    if source is not None:
        x, y, queries = _from_source(source, n_context, n_contexts, n_queries, generator)
    else:
        x, y, queries = _drawn(n_context, n_contexts, n_queries, n_features, n_classes, generator)
    return probes_of(x, y, queries, n_classes, generator)


def probes_of(x: Tensor, y: Tensor, queries: Tensor, n_classes: int | None, generator: torch.Generator) -> Probes:
    """Probes of given contexts x (B, n, *shape), y (B, n) and queries (B, q, *shape); the labels to change are drawn."""
    n_contexts, n_context = y.shape
    influences = min(n_context, INFLUENCES)
    changed = y[:, None].repeat(1, influences, 1)
    here = torch.arange(influences)
    if n_classes is None:
        changed[:, here, here] += y.std() if y.numel() > 1 else 1.0
    else:
        other = torch.randint(1, n_classes, (n_contexts, influences), generator=generator)
        changed[:, here, here] = (y[:, :influences] + other) % n_classes
    shuffled = torch.rand((n_contexts, n_context), generator=generator).argsort(1)
    return Probes(x, y, queries, changed, shuffled, n_classes)


def _drawn(
    n_context: int,
    n_contexts: int,
    n_queries: int,
    n_features: int | tuple[int, ...],
    n_classes: int | None,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    shape = check_features("n_features", n_features)
    d = math.prod(shape)

    def normal(*size: int) -> Tensor:
        return torch.randn(*size, generator=generator)

    spread, reach = (0.3, 2**0.5) if n_classes is None else (1.0, 2.0)
    scale = reach ** (2 * torch.rand(n_contexts, 1, 1, generator=generator) - 1)
    offset = spread * normal(n_contexts, 1, d)
    points = normal(n_contexts, n_context + n_queries, d)
    points[:, n_context:] *= 1.3
    x = offset + scale * points
    if n_classes is None:
        y = (x @ normal(n_contexts, d, 1))[..., 0] + NOISE * normal(n_contexts, n_context + n_queries)
        y = y[:, :n_context]
    else:
        through = offset + 0.5 * scale * normal(n_contexts, 1, d)
        y = ((x - through) @ normal(n_contexts, d, n_classes)).argmax(-1)[:, :n_context]
        wrong = torch.rand(y.shape, generator=generator) < FLIPPED
        other = torch.randint(1, n_classes, y.shape, generator=generator)
        y = torch.where(wrong, (y + other) % n_classes, y)
    x = x.reshape(n_contexts, n_context + n_queries, *shape)
    return x[:, :n_context], y, x[:, n_context:]


def _from_source(
    source: Tasks | TaskFamily, n_context: int, n_contexts: int, n_queries: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    needed = n_context + n_queries
    if isinstance(source, TaskFamily):
        source = source.sample(n_contexts, needed, generator=generator)
    if not isinstance(source, Tasks):
        raise ValueError(f"probes: expected Tasks or a TaskFamily, got {describe(source)}")
    if source.n_tasks < n_contexts or source.n_points < needed:
        raise ValueError(
            f"probes: expected {n_contexts} tasks of {needed} points ({n_context} of the context and {n_queries} queries),"
            f" got {source.n_tasks} of {source.n_points}; give more, or ask for smaller n_contexts, lengths or n_queries"
        )
    x, y = source.x[:n_contexts].cpu(), source.y[:n_contexts].cpu()
    return x[:, :n_context], y[:, :n_context], x[:, n_context:needed]
