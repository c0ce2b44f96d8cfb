"""Work side by side in threads, with torch's own threads switched off.

torch's operators on two spinning threads can be many times slower than on one when the machine is shared, and give
other bits than one thread does. So the parallelism is over pieces of work (shards of a step, chunks of tasks): each
piece is computed by one thread, its bits do not depend on how many threads there are, and on an idle machine two
threads are 1.8 times as fast as one.

`torch.set_num_threads` sets two things: the number of the calling thread, and that of the process, with which threads begin
that have not used torch before. Whoever works here counts itself in; the first sets the process to one thread, and the last
sets it back.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

In = TypeVar("In")
Out = TypeVar("Out")


class Stopped(Exception):  # noqa: N818 (reads as what happened)
    """Work in a pool whose result nobody waits for any more."""


class _Single:
    """How many are at work in this process that want operators of one thread, and what the setting was before them."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.inside = 0
        self.before = 0

    def enter(self) -> None:
        with self.lock:
            if self.inside == 0:
                self.before = torch.get_num_threads()
                _set_for_new_threads(1)
            self.inside += 1

    def leave(self) -> None:
        with self.lock:
            self.inside -= 1
            if self.inside == 0:
                _set_for_new_threads(self.before)


_SINGLE = _Single()
_LOCAL = threading.local()


def available_cores() -> int:
    """Processor cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def one_thread_per_operator() -> Iterator[None]:
    """Run torch's operators on the calling thread alone, and restore the setting after."""
    if getattr(_LOCAL, "inside", False):  # of this thread it is so already
        yield
        return
    with _SINGLE.lock:
        own = torch.get_num_threads()
        if (
            own == 1 and _SINGLE.inside
        ):  # a thread that meets torch while others are inside begins with their one thread
            own = _SINGLE.before
        _SINGLE.enter()
        torch.set_num_threads(1)
    _LOCAL.inside = True
    try:
        yield
    finally:
        _LOCAL.inside = False
        with _SINGLE.lock:
            torch.set_num_threads(own)
            if own > 1 and _SINGLE.inside > 1:  # that was said for the process too, where others are still inside
                _set_for_new_threads(1)
            _SINGLE.leave()


def stop_if_nobody_waits() -> None:
    """To be called now and then by work that may take long: ends it where its pool has been left, by Ctrl-C for one.

    Raises:
        Stopped: the pool in a thread of which this is called has been left.
    """
    left = getattr(_LOCAL, "left", None)
    if left is not None and left.is_set():
        raise Stopped


class Workers:
    """A pool that maps in order; with one worker everything runs in the calling thread.

    Leaving it, by an error or Ctrl-C too, drops what has not begun, and ends what has at the next `stop_if_nobody_waits`.

    Args:
        n_workers: threads.
        apart: a single worker has a thread of its own, too.
    """

    def __init__(self, n_workers: int, *, apart: bool = False) -> None:
        self._left = threading.Event()
        self._pool = ThreadPoolExecutor(n_workers, initializer=self._begin) if n_workers > 1 or apart else None

    def map(self, function: Callable[[In], Out], items: Iterable[In]) -> list[Out]:
        """The results in the order of the items; the first error is raised."""
        return list(self.imap(function, items))

    def imap(self, function: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
        """The results one after the other, in the order of the items."""
        return map(function, items) if self._pool is None else self._pool.map(function, items)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _begin(self) -> None:
        _LOCAL.left = self._left
        _LOCAL.inside = _SINGLE.inside > 0  # the pool is of somebody who is


@contextmanager
def single_threaded_workers(n_workers: int) -> Iterator[Workers]:
    """Threads whose operators run on one thread each; unlike `one_thread_per_operator` it never touches the calling thread's
    setting, so that calls from several threads at once may end in any order.
    """
    _SINGLE.enter()
    try:
        with Workers(n_workers, apart=True) as workers:
            yield workers
    finally:
        _SINGLE.leave()


def _set_for_new_threads(n: int) -> None:
    """Set torch's number of threads for threads to come, by a thread of its own, so that the calling one keeps its number."""
    setter = threading.Thread(target=torch.set_num_threads, args=(n,))
    setter.start()
    setter.join()
