"""Posteriors by weighted candidate tasks: importance sampling from the prior, or all tasks of a finite pool."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ctxlearn.bayes.inference import Inference, Joint, exact
from ctxlearn.checks import describe
from ctxlearn.episodes import Parameters
from ctxlearn.tasks.base import TaskFamily
from ctxlearn.tree import leaves, map_tensors

IMPOSSIBLE = -1e3
"""The least log-likelihood of one point that counts: sums over points stay finite whatever a family returns."""
BLOCK = 2**19
"""Points times particles computed at once."""


class Population:
    """P weighted candidate tasks for each of B tasks, and how they answer.

    Args:
        family: with `log_likelihood`.
        parameters: with leading axes (B or 1, P), float64.
        log_weights: unnormalised: their log-sum is the log-evidence of what was absorbed, (B, P).
    """

    def __init__(self, family: TaskFamily, parameters: Parameters, log_weights: Tensor) -> None:
        self.family, self.parameters, self.log_weights = family, parameters, log_weights

    def log_likelihood(self, x: Tensor, y: Tensor) -> Tensor:
        """(B, P, n) of points x (B, n, *shape) with labels y (B, n)."""
        return checked_log_likelihood(self.family, self.parameters, x, y)

    def answer(self, query_x: Tensor) -> tuple[Joint, Tensor]:
        """The joint of queries (B, q, *shape), and log p(x_q, y_q = c) under each particle, (B, P, q, C)."""
        shape = query_x.shape[:2]
        labels = [torch.full(shape, c, device=query_x.device) for c in range(self.family.n_classes or 0)]
        each = torch.stack([self.log_likelihood(query_x, y) for y in labels])  # (C, B, P, q)
        weighted = each + self.log_weights[None, :, :, None]
        top = weighted.amax((0, 2), keepdim=True)
        weights = (weighted - top).exp_()
        log_p = (weights.sum(2).clamp(min=1e-300).log() + top[:, :, 0]).movedim(0, -1)
        of_particle = weights.sum(0)
        ess = of_particle.sum(1).square() / of_particle.square().sum(1)
        return Joint(log_p, ess), each.movedim(0, -1)


def checked_log_likelihood(family: TaskFamily, parameters: Parameters, x: Tensor, y: Tensor) -> Tensor:
    """`family.log_likelihood`, at least `IMPOSSIBLE`; a ValueError where it is not numbers of the right shape."""
    values = family.log_likelihood(parameters, x, y)
    if (
        not isinstance(values, Tensor)
        or values.ndim != 3
        or values.shape[0] != x.shape[0]
        or values.shape[2] != x.shape[1]
    ):
        raise ValueError(
            f"{type(family).__name__}.log_likelihood: expected (B, P, n) with B = {x.shape[0]} and n = {x.shape[1]},"
            f" got {describe(values)}"
        )
    if bool(values.isnan().any()):
        raise ValueError(f"{type(family).__name__}.log_likelihood: expected numbers, got NaN")
    return values.double().clamp(min=IMPOSSIBLE)


def effective_size(log_weights: Tensor) -> Tensor:
    """(sum w)^2 / sum w^2 over the last axis."""
    return 1 / log_weights.softmax(-1).square().sum(-1)


def as_particles(parameters: Parameters) -> Parameters:
    """Parameters of P tasks with a leading axis of size 1 and floating numbers in float64."""
    for leaf in leaves(parameters):
        if not isinstance(leaf, Tensor):
            raise ValueError(f"parameters: expected tensors, or dicts and lists of them, got {describe(leaf)}")
    return map_tensors(lambda t: (t.double() if t.is_floating_point() else t)[None], parameters)


def check_parameters(name: str, parameters: Parameters, family: TaskFamily) -> None:
    """Refuse what is not the parameters of some tasks of a family: tensors of its form, the tasks on their first axis."""
    example = family.sample_parameters(1, generator=torch.Generator().manual_seed(0))
    try:
        sizes = set(_sizes(parameters, example))
    except ValueError as error:
        raise ValueError(
            f"{name}: expected parameters as {family.name}.sample_parameters gives them, {error}; got {describe(parameters)}"
        ) from error
    if len(sizes) > 1 or 0 in sizes:
        raise ValueError(
            f"{name}: expected the parameters of at least one task, equally many of each, got {sorted(sizes)}"
        )


def _sizes(parameters: Parameters, example: Parameters) -> Iterator[int]:
    if isinstance(example, Tensor):
        if not isinstance(parameters, Tensor) or parameters.ndim == 0 or parameters.shape[1:] != example.shape[1:]:
            raise ValueError(f"each tensor of shape (tasks, {', '.join(map(str, example.shape[1:]))})")
        yield len(parameters)
    elif isinstance(example, dict):
        if not isinstance(parameters, dict) or parameters.keys() != example.keys():
            raise ValueError(f"a dict of {', '.join(example)}")
        for key, value in example.items():
            yield from _sizes(parameters[key], value)
    elif isinstance(example, list | tuple):
        if not isinstance(parameters, list | tuple) or len(parameters) != len(example):
            raise ValueError(f"a list of {len(example)}")
        for part, value in zip(parameters, example, strict=True):
            yield from _sizes(part, value)


def to_device(parameters: Parameters, device: torch.device) -> Parameters:
    """All tensors on `device`."""
    return map_tensors(lambda tensor: tensor.to(device), parameters)


def n_particles(parameters: Parameters) -> int:
    """P of parameters with leading axes (1, P)."""
    first: Tensor = next(leaves(parameters))
    return first.shape[1]


class PoolInference(Inference):
    """Exact when the candidates are all tasks there are: a finite pool of parameters.

    Args:
        family: with `log_likelihood`.
        pool: parameters of P tasks, as `sample_parameters` gives them.
        weighted: weigh them by the family's `log_prior`; otherwise they are equally likely.
    """

    def __init__(self, family: TaskFamily, pool: Parameters, weighted: bool = False) -> None:
        self.family, self.n_classes = family, family.n_classes or 0
        self.pool = as_particles(pool)
        self.size = n_particles(self.pool)
        if not self.size:
            raise ValueError("pool: expected the parameters of at least one task, got none")
        self.chunk = max(1, BLOCK // self.size)
        equal = torch.zeros(1, self.size, dtype=torch.float64)
        self.log_weights = (family.log_prior(self.pool) if weighted else equal).log_softmax(-1)

    def joint(self, x: Tensor, y: Tensor, query_x: Tensor) -> Joint:
        population = self._start(x)
        for i in range(x.shape[1]):
            population.log_weights = (
                population.log_weights + population.log_likelihood(x[:, i : i + 1], y[:, i : i + 1])[..., 0]
            )
        return exact(answer_in_blocks(population, query_x).log_p)

    def joint_prefixes(self, x: Tensor, y: Tensor) -> Joint:
        population, joints = self._start(x), []
        for i in range(x.shape[1]):
            joint, each = population.answer(x[:, i : i + 1])
            joints.append(joint)
            label = y[:, None, i, None].expand(-1, each.shape[1], -1)
            population.log_weights = population.log_weights + each[:, :, 0].gather(2, label)[..., 0]
        return exact(in_order(joints).log_p)

    def _start(self, x: Tensor) -> Population:
        log_weights = self.log_weights.to(x.device).expand(len(x), -1)
        return Population(self.family, to_device(self.pool, x.device), log_weights)


def answer_in_blocks(population: Population, query_x: Tensor) -> Joint:
    """The joint of many queries, a block of them at a time."""
    size = max(1, BLOCK // population.log_weights.numel())
    return in_order([population.answer(block)[0] for block in torch.split(query_x, size, dim=1)])


def in_order(joints: list[Joint]) -> Joint:
    """Joints of consecutive queries as one."""
    return Joint(torch.cat([joint.log_p for joint in joints], dim=1), torch.cat([joint.ess for joint in joints], dim=1))
