"""What a Bayes predictor asks of a way to compute a posterior: one quantity, from which all others follow."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Joint(NamedTuple):
    """Attributes:
    log_p: log p(context, x_q, y_q = c) for each query and class, (B, q, C) float64.
    ess: effective sample size behind each query's answer, (B, q); infinite where it is exact.
    """

    log_p: Tensor
    ess: Tensor


def exact(log_p: Tensor) -> Joint:
    """A joint without sampling error."""
    return Joint(log_p, torch.full_like(log_p[..., 0], torch.inf))


class Inference(ABC):
    """Computes log p(x_1..n, y_1..n, x_q, y_q = c) under one family.

    Normalised over c it is the predictor; summed over c, the evidence of the context and the query's x; at the label
    that a point turned out to have, the evidence of the context and that point. Inputs are float64 throughout.

    Attributes:
        n_classes: C.
        chunk: tasks to compute at once.
    """

    n_classes: int
    chunk: int

    @abstractmethod
    def joint(self, x: Tensor, y: Tensor, query_x: Tensor) -> Joint:
        """Contexts x (B, n, *shape), y (B, n) and queries (B, q, *shape), each query on its own."""

    @abstractmethod
    def joint_prefixes(self, x: Tensor, y: Tensor) -> Joint:
        """Row i has the points 0..i-1 as context and point i as query: (B, N, *shape) and (B, N) give (B, N, C)."""


class AmongClasses(Inference):
    """A family of fewer classes than its mixture: a label it does not have is impossible under it.

    Args:
        inner: of the family.
        n_classes: C of the mixture.
    """

    def __init__(self, inner: Inference, n_classes: int) -> None:
        self.inner, self.n_classes, self.chunk = inner, n_classes, inner.chunk

    def joint(self, x: Tensor, y: Tensor, query_x: Tensor) -> Joint:
        foreign = (y >= self.inner.n_classes).any(1)[:, None].expand(query_x.shape[:2])
        return self._pad(self.inner.joint(x, y.clamp(max=self.inner.n_classes - 1), query_x), foreign)

    def joint_prefixes(self, x: Tensor, y: Tensor) -> Joint:
        foreign = (y >= self.inner.n_classes).long()
        before = foreign.cumsum(1) - foreign > 0
        return self._pad(self.inner.joint_prefixes(x, y.clamp(max=self.inner.n_classes - 1)), before)

    def _pad(self, joint: Joint, impossible: Tensor) -> Joint:
        log_p = joint.log_p.new_full((*joint.log_p.shape[:-1], self.n_classes), -torch.inf)
        log_p[..., : self.inner.n_classes] = joint.log_p.masked_fill(impossible[..., None], -torch.inf)
        return Joint(log_p, joint.ess)


class MixtureInference(Inference):
    """log sum_k weight_k p_k(context, x_q, y_q = c): each family weighted by its evidence, the query's x included.

    Args:
        parts: one a family, of any number of classes each.
        weights: prior probabilities of the families.
    """

    def __init__(self, parts: Sequence[Inference], weights: Sequence[float]) -> None:
        self.n_classes = max(part.n_classes for part in parts)
        self.parts = [
            part if part.n_classes == self.n_classes else AmongClasses(part, self.n_classes) for part in parts
        ]
        self.log_weights = [math.log(weight) for weight in weights]
        self.chunk = min(part.chunk for part in parts)

    def joint(self, x: Tensor, y: Tensor, query_x: Tensor) -> Joint:
        return self._mix([part.joint(x, y, query_x) for part in self.parts])

    def joint_prefixes(self, x: Tensor, y: Tensor) -> Joint:
        return self._mix([part.joint_prefixes(x, y) for part in self.parts])

    def _mix(self, joints: list[Joint]) -> Joint:
        weighted = torch.stack([joint.log_p + w for joint, w in zip(joints, self.log_weights, strict=True)])
        posterior = weighted.logsumexp(-1).softmax(0)
        ess = torch.stack([joint.ess for joint in joints])
        ess = ess.masked_fill(posterior < 0.01, torch.inf)  # of a family that hardly counts, neither does its sample
        return Joint(weighted.logsumexp(0), ess.amin(0))
