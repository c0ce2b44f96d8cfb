"""A finite pool of tasks: what a learner sees that was trained on few distinct ones."""

from __future__ import annotations

import torch
from torch import Tensor

from ctxlearn.checks import check_int, describe
from ctxlearn.episodes import Parameters, Tasks, select
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.tasks.base import TaskFamily
from ctxlearn.tree import leaves, map_tensors


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
        most = (
            MOST_NUMBERS
            * BLOCK
            // max(BLOCK, sum(leaf.numel() for leaf in leaves(blocks[0]) if isinstance(leaf, Tensor)))
        )
        check_int("size", size, minimum=1, maximum=most)  # more would not fit into memory
        blocks += [self._block(seed, k) for k in range(1, -(-self.size // BLOCK))]
        self.parameters = select(map_tensors(lambda *parts: torch.cat(parts), *blocks), torch.arange(self.size))

    def _block(self, seed: int, k: int) -> Parameters:
        return self.family.sample_parameters(BLOCK, generator=generator_for(seed, Stream.REFERENCE, 1, k))

    def sample_parameters(self, n_tasks: int, *, generator: torch.Generator) -> Parameters:
        chosen = torch.randint(self.size, (n_tasks,), generator=generator, device=generator.device)
        return map_tensors(lambda tensor: tensor.to(generator.device)[chosen], self.parameters)

    def sample_points(
        self, parameters: Parameters, n_points: int, *, generator: torch.Generator
    ) -> Tasks | tuple[Tensor, Tensor]:
        return self.family.sample_points(parameters, n_points, generator=generator)


BLOCK = 1024
MOST_NUMBERS = 2**26
