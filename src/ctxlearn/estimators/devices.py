"""On which device an estimator computes."""

from __future__ import annotations

import torch

from ctxlearn.checks import describe
from ctxlearn.learners import Learner


def device_of(learner: Learner) -> torch.device:
    """Where a learner's weights are; the CPU for one without."""
    own = next(learner.parameters(), None)
    return torch.device("cpu") if own is None else own.device


def find_device(device: object, learner: Learner, *, loaded: bool) -> torch.device:
    """The device that the argument `device` of an estimator means.

    Args:
        device: "auto", a `torch.device`, or the name of one.
        learner: what is to run on it.
        loaded: whether the estimator has read the learner from a file itself. "auto" is then the first CUDA device where there
            is one; of a learner at hand it is where its weights are.

    Raises:
        ValueError: there is no such device, or none here, or it has no double precision, in which inputs are scaled.
    """
    if isinstance(device, str) and device == "auto":
        return torch.device("cuda") if loaded and torch.cuda.is_available() else device_of(learner)
    if not isinstance(device, str | torch.device):
        raise ValueError(f'device: expected "auto", a torch.device or the name of one, got {describe(device)}')
    try:
        found = torch.device(device)
        torch.zeros(1, dtype=torch.float64, device=found).item()
    except (
        RuntimeError,
        AssertionError,
        NotImplementedError,
        TypeError,
    ) as error:  # torch has no error of its own for it
        why = str(error).splitlines()[0]
        raise ValueError(
            f'device: expected "auto", "cpu" or a device of this machine with double precision, got {str(device)!r} ({why})'
        ) from error
    return found
