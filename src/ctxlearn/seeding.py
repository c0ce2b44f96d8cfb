"""Random generators named by what they are for: (seed, stream, step, shard). Nothing uses the global random state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import numpy as np
import torch

from ctxlearn.checks import check_int

LARGEST_SEED = 2**63 - 1


class Stream(IntEnum):
    """What randomness is used for; streams of one seed are independent of each other."""

    TRAINING = 0
    OBJECTIVE = 1
    VALIDATION = 2
    TEST = 3
    BOOTSTRAP = 4
    REFERENCE = 5
    LEARNER = 6


def generator_for(seed: int, stream: Stream, *key: int, device: torch.device | str = "cpu") -> torch.Generator:
    """The generator of (seed, stream, *key): the same arguments always give the same numbers on one device type."""
    check_int("seed", seed, minimum=0, maximum=LARGEST_SEED)
    # a spawn key, since SeedSequence takes plain entropy that differs in trailing zeros only for the same
    sequence = np.random.SeedSequence(seed, spawn_key=(int(stream), *key))
    state = sequence.generate_state(1, np.uint64)[0]
    return torch.Generator(device=device).manual_seed(int(state >> np.uint64(1)))


@contextmanager
def initial_weights(seed: int) -> Iterator[None]:
    """Draw the weights of modules made inside from `seed`, and leave the global random state as it was."""
    check_int("seed", seed, minimum=0, maximum=LARGEST_SEED)
    with globally_seeded(seed):
        yield


@contextmanager
def globally_seeded(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Seed torch's global generators, of the CPU and of `device`, and leave their states as they were.

    They belong to the process, not to a thread: what draws from them must not run side by side.
    """
    kind = torch.device(device).type
    accelerator = None if kind == "cpu" else torch.get_device_module(kind)
    here, there = torch.get_rng_state(), None if accelerator is None else accelerator.get_rng_state()
    torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed all accelerators, for good
    if accelerator is not None:
        accelerator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(here)
        if accelerator is not None:
            accelerator.set_rng_state(there)
