"""A finite pool of tasks: what a learner sees that was trained on few distinct ones."""

from __future__ import annotations

import torch
from torch import Tensor

from ctxlearn.checks import check_int, describe
from ctxlearn.episodes import Parameters, Tasks, select
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.tasks.base import TaskFamily


class Pool(TaskFamily):
    """`size` tasks of a family, drawn once; each task sampled is one of them, with fresh points.

    Args:
        family: where the tasks of the pool come from.
        size: distinct tasks, 1 to as many as have 2^26 numbers for parameters.
        seed: of the pool. A pool holds the first tasks of every larger one of the same seed and family.

    Attributes:
        parameters: of the tasks in the pool, `size` on the first axis.
    """

    def __init__(self, family: TaskFamily, size: int, seed: int = 0) -> None:
        if not isinstance(family, TaskFamily):
            raise ValueError(f"family: expected a TaskFamily, got {describe(family)}")
        self.family = family
        self.size = check_int("size", size, minimum=1)
        self.n_features, self.n_classes = family.n_features, family.n_classes
        # drawn in blocks of a fixed size, so that pools of several sizes share their first tasks
        blocks = [self._block(seed, 0)]
        most = MOST_NUMBERS * BLOCK // max(BLOCK, _numbers(blocks[0]))
        check_int("size", size, minimum=1, maximum=most)  # more would not fit into memory
        blocks += [self._block(seed, k) for k in range(1, -(-self.size // BLOCK))]
        self.parameters = select(_joined(blocks), torch.arange(self.size))

    def _block(self, seed: int, k: int) -> Parameters:
        return self.family.sample_parameters(BLOCK, generator=generator_for(seed, Stream.REFERENCE, 1, k))

    def sample_parameters(self, n_tasks: int, *, generator: torch.Generator) -> Parameters:
        chosen = torch.randint(self.size, (n_tasks,), generator=generator, device=generator.device)
        return select(_moved(self.parameters, generator.device), chosen)

    def sample_points(
        self, parameters: Parameters, n_points: int, *, generator: torch.Generator
    ) -> Tasks | tuple[Tensor, Tensor]:
        return self.family.sample_points(parameters, n_points, generator=generator)


BLOCK = 1024
MOST_NUMBERS = 2**26


def _numbers(parameters: Parameters) -> int:
    if isinstance(parameters, Tensor):
        return parameters.numel()
    if isinstance(parameters, dict | list | tuple):
        return sum(map(_numbers, parameters.values() if isinstance(parameters, dict) else parameters))
    return 0


def _joined(blocks: list[Parameters]) -> Parameters:
    first = blocks[0]
    if isinstance(first, Tensor):
        return torch.cat(blocks)
    if isinstance(first, dict):
        return {name: _joined([block[name] for block in blocks]) for name in first}
    if isinstance(first, list | tuple):
        return type(first)(_joined(list(parts)) for parts in zip(*blocks, strict=True))
    return first


def _moved(parameters: Parameters, device: torch.device) -> Parameters:
    if isinstance(parameters, Tensor):
        return parameters.to(device)
    if isinstance(parameters, dict):
        return {name: _moved(value, device) for name, value in parameters.items()}
    if isinstance(parameters, list | tuple):
        return type(parameters)(_moved(value, device) for value in parameters)
    return parameters
