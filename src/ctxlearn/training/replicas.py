"""A step's shards computed side by side by replicas of a learner: the same bits on any number of threads."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from ctxlearn.learners.base import Learner
from ctxlearn.seeding import Stream, generator_for, globally_seeded
from ctxlearn.threads import Workers


class Replicas:
    """A learner and its replicas around the same parameters, one for each shard of this process.

    `torch.func` swaps a module's parameters in place, so each thread computes with a module of its own. Two more things
    would be shared and are not:

    *Randomness* drawn from torch's global generator, as by dropout. Each shard computes inside a fork of that generator's state, seeded
    by (seed, step, shard). Since threads share the generator, shards that draw from it are computed one after the other; which
    learners do is found out at the first step of a process.

    *Buffers* that a step changes, such as running statistics of batches. Each shard begins with the same values and changes its
    own; floating ones become the mean over all shards of the step, others the largest.

    Args:
        fabric: of the run.
        learner: the first of the modules.
        shards: numbers of this process's shards.
        n_shards: shards of a step, over all processes.
        workers: who computes.
        seed: of the run.
    """

    def __init__(
        self, fabric: Fabric, learner: Learner, shards: list[int], n_shards: int, workers: Workers, seed: int
    ) -> None:
        self.fabric, self.shards, self.n_shards, self.workers, self.seed = fabric, shards, n_shards, workers, seed
        self.modules = [learner] + [_sharing_parameters(learner) for _ in shards[1:]]
        self._values: dict[str, Tensor] = {}
        self._one_by_one: bool | None = None if fabric.device.type == "cpu" else True

    def begin(self) -> None:
        """Put all modules in training mode, with the learner's buffers."""
        self._values = {name: b.detach().clone() for name, b in self.modules[0].named_buffers()}
        self._set_buffers()
        for module in self.modules:
            module.train()

    def map(self, step: int, compute: Callable[[int, Learner], Tensor]) -> list[Tensor]:
        """`compute(shard, module)` of every shard of this process, in their order."""
        before_step = self._versions()
        if self._one_by_one is not False:
            found, drew = self._in_turn(step, compute)
            if self._one_by_one is None:
                self._one_by_one = drew
        else:
            before = torch.get_rng_state()
            found = self.workers.map(lambda k: compute(self.shards[k], self.modules[k]), range(len(self.shards)))
            if not torch.equal(before, torch.get_rng_state()):  # it has begun to draw
                torch.set_rng_state(before)
                self._one_by_one = True
                self._set_buffers()
                found, _ = self._in_turn(step, compute)
        if self._values and (self.fabric.world_size > 1 or _changed(before_step, self._versions())):
            self._join_buffers()
        return found

    def _in_turn(self, step: int, compute: Callable[[int, Learner], Tensor]) -> tuple[list[Tensor], bool]:
        """The shards one after the other, each with random numbers of its own; and whether any drew some."""
        found, drew = [], False
        for shard, module in zip(self.shards, self.modules, strict=True):
            seed = generator_for(self.seed, Stream.LEARNER, step, shard).initial_seed()
            with globally_seeded(seed, self.fabric.device):
                before = torch.get_rng_state()
                found.append(compute(shard, module))
                drew = drew or not torch.equal(before, torch.get_rng_state())
        return found, drew

    def _versions(self) -> list[tuple[Tensor, int]]:
        return [(b, b._version) for module in self.modules for b in module.buffers()]

    @torch.no_grad()
    def _set_buffers(self) -> None:
        for module in self.modules:
            for name, buffer in module.named_buffers():
                buffer.copy_(self._values[name])

    @torch.no_grad()
    def _join_buffers(self) -> None:
        """Make one of the buffers that the shards of the step have changed, each its own."""
        own = [dict(module.named_buffers()) for module in self.modules]
        for name, value in self._values.items():
            stacked = torch.stack([buffers[name] for buffers in own])
            if stacked.is_floating_point():
                wide = stacked if stacked.device.type == "mps" else stacked.double()
                total = self.fabric.all_reduce(wide.sum(0), reduce_op="sum")
                assert isinstance(total, Tensor)
                value.copy_(total / self.n_shards)
            else:
                value.copy_(self.fabric.broadcast(stacked.amax(0) if stacked.dtype != torch.bool else stacked.any(0)))
        self._set_buffers()


def _changed(before: list[tuple[Tensor, int]], after: list[tuple[Tensor, int]]) -> bool:
    """Whether a buffer was written to or replaced, without reading it back from a device."""
    return any(a is not b or m != n for (a, m), (b, n) in zip(before, after, strict=True))


def _sharing_parameters(learner: Learner) -> Learner:
    """A module like `learner` around the very same parameters, with buffers of its own."""
    shared: list[nn.Parameter] = list(learner.parameters())
    return copy.deepcopy(learner, memo={id(t): t for t in shared})
