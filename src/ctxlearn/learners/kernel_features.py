"""A learner that is told, beside each point, what kernel regressions on the context say of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ctxlearn.checks import solving
from ctxlearn.learners.base import Learner, State, one_hot
from ctxlearn.learners.wrapper import Method, Wrapper, expect_learner
from ctxlearn.threads import stop_if_nobody_waits

ADVISERS = (("linear", 0.03), ("linear", 0.5), ("radial", 0.1))
"""Kernel and penalty of each regression: nearly least squares; nearly the nearest class mean; by neighbours."""
LONG = 2048
"""Most context points of which all pairs are compared at once."""
CENTRES = 1024
"""Points of a longer context at which the radial kernel stands."""


class FeaturedContext(NamedTuple):
    """What the inner learner made of the advised context; the context's points without gaps, (B, n, d); and of each
    adviser the weights of the context's labels, (B, n, k).
    """

    inner: State
    points: Tensor
    weights: tuple[Tensor, ...]


class KernelFeatures(Wrapper):
    """A learner in front of which three kernel ridge regressions on the context give each point 3 k numbers more.

    Their targets are the labels (indicators of the C classes, k = C; or the number, k = 1). A query is told what they
    predict for it; a context point what they would without it (left out in closed form), so that it shows how far
    they can be trusted. So the learner need not find least squares, class means and neighbours by itself.
    Kernels are x.z / d + 1 and exp(-|x - z|^2 / d) + 1: made for inputs of about unit variance, as `ContextScaled` gives them.

    Up to 2,048 context points, time grows with the cube of the context's length and memory with its square. Of a longer context
    both grow with its length alone: the linear regressions are solved by their d + 1 coefficients, which is exact, and the radial
    one among functions of its kernel at 1,024 of the points, drawn at random. Computed in float64 where the device has it.

    Args:
        learner: takes d + 3 k features; d are this one's.

    Raises:
        ValueError: no learner, or one that takes too few features.

    Source: of the radial regression on long contexts, Williams & Seeger 2000 (the Nystrom method).
    """

    def __init__(self, learner: Learner) -> None:
        expect_learner("learner", learner)
        advice = len(ADVISERS) * (learner.n_classes or 1)
        if not isinstance(learner.n_features, int) or learner.n_features <= advice:
            raise ValueError(
                f"learner: expected one of more than {advice} features, the last {advice} for advice, got"
                f" n_features = {learner.n_features}"
            )
        super().__init__(learner, learner.n_features - advice)
        self.ignores_feature_order = self.scales_by_context = False  # the kernels see the inputs as they come

    def adapt(self, context_x: Tensor, context_y: Tensor) -> FeaturedContext:
        x, y = self.check_context(context_x, context_y)
        points = without_gaps(x)
        labels = (y[..., None] if self.n_classes is None else one_hot(y, self.n_classes, x.dtype)).to(points.dtype)
        weights, advice = [], []
        for kernel, penalty in ADVISERS:
            stop_if_nobody_waits()
            with solving("context_x"):
                weighed, left_out = regress(kernel, penalty, points, labels)
            weights.append(weighed)
            advice.append(left_out)
        inner = self.learner.adapt(torch.cat([x, *(a.to(x.dtype) for a in advice)], dim=-1), y)
        return FeaturedContext(inner, points, tuple(weights))

    def ask(self, method: Method, state: FeaturedContext, query_x: Tensor) -> Tensor:
        x = self.check_query(query_x, n_tasks=len(state.points))
        points = without_gaps(x)
        advice = [
            regressed(kernel, points, state.points, weights).to(x.dtype)
            for (kernel, _), weights in zip(ADVISERS, state.weights, strict=True)
        ]
        return method(state.inner, torch.cat([x, *advice], dim=-1))


def without_gaps(x: Tensor) -> Tensor:
    """Inputs without gaps, in the precision of the advice; Apple's devices have no float64."""
    return x.nan_to_num(nan=0.0).to(x.dtype if x.device.type == "mps" else torch.float64)


def kernel_values(kind: str, x: Tensor, z: Tensor) -> Tensor:
    """(B, m, n) of points (B, m, d) and (B, n, d)."""
    inner = x @ z.mT / x.shape[2]
    if kind == "linear":
        return inner + 1
    squares = x.square().mean(-1)[:, :, None] + z.square().mean(-1)[:, None, :]
    return (2 * inner - squares).exp() + 1


def regress(kernel: str, penalty: float, points: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Kernel ridge regression on contexts.

    Args:
        kernel: "linear" or "radial".
        penalty: of the squared norm.
        points: (B, n, d).
        labels: (B, n, k).

    Returns:
        The labels' weights in a prediction, and what is predicted of each context point without it, (B, n, k) each.
    """
    n = points.shape[1]
    if n <= LONG:
        return _by_pairs(kernel_values(kernel, points, points), penalty, labels)
    if kernel == "linear":
        _, weights, left_out = _by_coefficients(penalty, points, labels, _with_one)
        return weights, left_out
    chosen = torch.randperm(n, generator=torch.Generator().manual_seed(0))[:CENTRES].to(points.device)
    centres = points[:, chosen]
    jitter = torch.finfo(points.dtype).eps ** 0.5  # two of them may be equal
    root = torch.linalg.cholesky(kernel_values(kernel, centres, centres) + jitter * _identity(CENTRES, points))

    def features(some: Tensor) -> Tensor:
        found: Tensor = torch.linalg.solve_triangular(root, kernel_values(kernel, centres, some), upper=False)
        return found.mT

    coefficients, _, left_out = _by_coefficients(penalty, points, labels, features)
    weights = torch.zeros_like(labels)
    weights[:, chosen] = torch.linalg.solve_triangular(root.mT, coefficients, upper=True)
    return weights, left_out


def regressed(kernel: str, x: Tensor, points: Tensor, weights: Tensor) -> Tensor:
    """What regressions predict for x (B, m, d), (B, m, k); of so many pairs at a time that memory is linear in m and n."""
    size = max(1, LONG**2 // max(1, points.shape[1]))
    if x.shape[1] <= size:
        return kernel_values(kernel, x, points) @ weights
    found = []
    for some in torch.split(x, size, dim=1):
        stop_if_nobody_waits()
        found.append(kernel_values(kernel, some, points) @ weights)
    return torch.cat(found, dim=1)


def regress_features(penalty: float, features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Ridge regression on features of contexts (B, n, m): their weights (B, m, k), and what is predicted of each point without it."""
    if features.shape[1] > features.shape[2]:
        coefficients, _, left_out = _by_coefficients(penalty, features, labels, lambda some: some)
        return coefficients, left_out
    weights, left_out = _by_pairs(features @ features.mT, penalty, labels)
    return features.mT @ weights, left_out


def inverse_of(matrices: Tensor) -> Tensor:
    """Inverses of positive definite matrices (..., m, m)."""
    root = torch.linalg.cholesky(matrices)
    if not matrices.is_cuda:
        return torch.cholesky_inverse(root) if matrices.shape[-1] else matrices
    # there, torch's takes the matrices one after the other
    half: Tensor = torch.linalg.solve_triangular(root, _identity(root.shape[-1], root).expand_as(root), upper=False)
    return half.mT @ half


def _by_pairs(gram: Tensor, penalty: float, labels: Tensor) -> tuple[Tensor, Tensor]:
    """`regress` by the kernel's values for all pairs of points."""
    inverse = inverse_of(gram + penalty * _identity(gram.shape[1], gram))
    weights = inverse @ labels
    return weights, labels - weights / inverse.diagonal(dim1=1, dim2=2)[..., None]


def _by_coefficients(
    penalty: float, points: Tensor, labels: Tensor, features: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """`regress` on m features of the points (B, n, m), of which the kernel is the inner product; some points at a time.

    Returns:
        The m coefficients (B, m, k); and what `regress` returns.
    """
    gram = moments = torch.zeros((), dtype=points.dtype, device=points.device)
    for some, told in _in_pieces(points, labels):
        phi = features(some)
        gram = gram + phi.mT @ phi
        moments = moments + phi.mT @ told
    root = torch.linalg.cholesky(gram + penalty * _identity(gram.shape[1], gram))
    coefficients = torch.cholesky_solve(moments, root)
    weights, left_out = [], []
    for some, told in _in_pieces(points, labels):
        phi = features(some)
        residual = told - phi @ coefficients
        leverage = torch.linalg.solve_triangular(root, phi.mT, upper=False).square().sum(1)[..., None]
        weights.append(residual / penalty)
        left_out.append(told - residual / (1 - leverage))
    return coefficients, torch.cat(weights, dim=1), torch.cat(left_out, dim=1)


def _in_pieces(points: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    for some, told in zip(torch.split(points, LONG, dim=1), torch.split(labels, LONG, dim=1), strict=True):
        stop_if_nobody_waits()
        yield some, told


def _with_one(points: Tensor) -> Tensor:
    """Features whose inner product is the linear kernel, (B, n, d + 1)."""
    return torch.cat([points / points.shape[2] ** 0.5, torch.ones_like(points[..., :1])], dim=2)


def _identity(n: int, like: Tensor) -> Tensor:
    return torch.eye(n, dtype=like.dtype, device=like.device)
