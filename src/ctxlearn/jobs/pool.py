"""The one pool: jobs that are missing are done side by side, what others need and what takes longest first."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ctxlearn.jobs.job import Job, run_job
from ctxlearn.jobs.shared_store import PushingExecutor, SharedStore
from ctxlearn.jobs.store import Store
from ctxlearn.jobs.workers import LocalProcesses, WorkerFailed
from ctxlearn.progress import progress_bar
from ctxlearn.threads import available_cores

TRAINING_SHARE = 0.8
"""Of the progress bar, where there is something to train and something to measure."""


class JobFailed(RuntimeError):  # noqa: N818 (reads as what happened)
    """A job ended with an error; its own message is in this one. What is done stands."""


class Executor(AbstractContextManager["Executor"], Protocol):
    """Where jobs run: processes of this machine, or a cluster that shares the store's folder."""

    @property
    def slots(self) -> int:
        """Jobs that it takes at once."""

    def submit(self, described: Mapping[str, Any], threads: int) -> Future[None]:
        """Have `run_job(described, threads)` done somewhere. The future ends when the result lies in the store."""


class ThisProcess(AbstractContextManager["ThisProcess"]):
    """Jobs one after the other in this process: for one job at a time, and for classes that only this process has.

    Args:
        progress: show a bar for each training; the pool's own moves between jobs only.
    """

    slots = 1

    def __init__(self, progress: bool = False) -> None:
        self.progress = progress

    def submit(self, described: Mapping[str, Any], threads: int) -> Future[None]:
        """Do it now."""
        future: Future[None] = Future()
        try:
            run_job(described, threads, self.progress)
            future.set_result(None)
        except Exception as error:  # handed to the pool, which names the job
            future.set_exception(error)
        return future

    def __exit__(self, *_: object) -> None:
        return None


def local_executor(jobs: Mapping[str, Job], n_threads: int, progress: bool) -> Executor:
    """In this process for one thread, or where a job names a class of `__main__`; otherwise processes of their own."""
    only_here = any("__main__" in job.described["modules"] for job in jobs.values())
    return ThisProcess(progress) if n_threads == 1 or only_here else LocalProcesses(min(n_threads, len(jobs)))


def do_missing(
    jobs: Mapping[str, Job],
    store: Store,
    *,
    n_threads: int | None,
    progress: bool,
    executor: Executor | None = None,
    shared: SharedStore | None = None,
) -> int:
    """Do the jobs whose results are not there; how many these were.

    Args:
        jobs: by hash; what one needs must be among them or done.
        store: where their results go.
        n_threads: threads in all; None means one per core of this machine, or of the executor. Results do not depend on it.
        progress: show a bar.
        executor: where they run; None means this machine.
        shared: a store that machines share, of which `store` is this machine's mirror.

    Raises:
        JobFailed: one ended with an error; the others are stopped, and a training goes on from its checkpoint next time.
    """
    if shared is not None:
        shared.fetch_known(jobs, store)
    missing = {name: job for name, job in jobs.items() if not job.done}
    if not missing:
        return 0
    if n_threads is None:
        n_threads = available_cores() if executor is None else executor.slots
    if executor is None:
        executor = local_executor(missing, n_threads, progress)
        executor = executor if shared is None else PushingExecutor(executor, shared)
    waiting = sorted(missing.values(), key=lambda job: (-(job.threads or 0), -job.work))
    gauge = _Gauge(missing, store)
    bar = progress_bar(
        100.0,
        f"{len(missing)} jobs",
        shown=progress,
        bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed} so far, {remaining} left{postfix}",
    )
    running: dict[Future[None], tuple[Job, int]] = {}
    undone = set(missing)
    with bar, executor as place:
        while undone:
            for job in [job for job in waiting if not undone.intersection(job.needs)]:
                free = n_threads - sum(threads for _, threads in running.values())
                threads = _threads(job, n_threads, len(waiting) + len(running))
                if len(running) < place.slots and threads <= free:
                    waiting.remove(job)
                    running[place.submit(job.described, threads)] = (job, threads)
            for future in wait(running, timeout=0.5, return_when=FIRST_COMPLETED).done:
                job, _ = running.pop(future)
                error = future.exception()
                if error is not None:
                    reason = str(error) if isinstance(error, WorkerFailed) else f"{type(error).__name__}: {error}"
                    raise JobFailed(f"{job.name} failed: {reason}") from error
                undone.discard(job.hash)
            bar.set_postfix_str(", ".join(job.name for job, _ in running.values())[:80], refresh=False)
            bar.update(100 * gauge.share_done(undone) - bar.n)
    return len(missing)


def _threads(job: Job, n_threads: int, n_left: int) -> int:
    """Threads of a job: what a training asks for; of a measurement more than one when few jobs are left."""
    if job.threads is not None:
        return min(job.threads, n_threads)
    return max(1, n_threads // max(1, n_left))


class _Gauge:
    """How much of the work is done, trainings by their steps."""

    def __init__(self, missing: Mapping[str, Job], store: Store) -> None:
        self.jobs, self.store = missing, store
        total = sum(job.work for job in missing.values())
        n_measured = sum(not job.steps for job in missing.values())
        share = TRAINING_SHARE if total and n_measured else float(bool(total))
        self.weights = {
            name: share * job.work / total if job.steps else (1 - share) / n_measured for name, job in missing.items()
        }
        self.begun = {name: store.steps_done(name) for name, job in missing.items() if job.steps}

    def share_done(self, undone: set[str]) -> float:
        if not undone:
            return 1.0
        done = sum(weight for name, weight in self.weights.items() if name not in undone)
        for name in undone.intersection(self.begun):
            begun, steps = self.begun[name], self.jobs[name].steps
            taken = max(0, self.store.steps_done(name) - begun)
            done += self.weights[name] * taken / max(1, steps - begun)
        return min(1.0, done)
