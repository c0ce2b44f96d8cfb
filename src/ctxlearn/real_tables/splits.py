"""Which rows are shown and which are asked about. All learners get the same."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray

from ctxlearn.real_tables.tasks import TableTask
from ctxlearn.seeding import Stream, generator_for

SIZES = (4, 8, 16, 32, 64)
MOST_QUERIES = 100


def draw_rows(task: TableTask, y: NDArray[np.int64], draw: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of one draw: 64 for contexts, of which a context of n is the first n, and up to 100 others to ask about.

    A row of each class comes first, classes in random order; the other rows are drawn from all that are left. A context
    of n rows is used only where n is at least the number of classes.
    """
    key = int.from_bytes(hashlib.sha256(task.name.encode()).digest()[:4], "big")
    generator = generator_for(0, Stream.TEST, key, draw)
    order = torch.randperm(len(y), generator=generator).numpy()
    classes, first = np.unique(y[order], return_index=True)
    first = first[torch.randperm(len(classes), generator=generator).numpy()]
    shown = np.concatenate([order[first], np.delete(order, first)])
    return shown[: max(SIZES)], shown[max(SIZES) :][:MOST_QUERIES]


def sizes_for(n_classes: int, sizes: tuple[int, ...]) -> list[int]:
    """The context sizes at which every class has a row."""
    return [n for n in sizes if n >= n_classes]
