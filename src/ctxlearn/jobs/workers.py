"""Processes of this machine that do a study's jobs, one after the other each."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any


class WorkerFailed(RuntimeError):  # noqa: N818 (reads as what happened)
    """A job ended with an error, or its process did."""


class WorkerEnded(WorkerFailed):
    """The process of a job ended, as when it was killed."""


class Worker:
    """A process that does jobs, seen from the study."""

    def __init__(self) -> None:
        # -P: a file of the working folder must not stand in for a module of the library; it is searched last
        folders = [p for p in sys.path if p and p != os.getcwd()]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([*folders, os.getcwd()])}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ctxlearn.jobs.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def do(self, described: Mapping[str, Any], threads: int) -> None:
        """Do one job; blocks until it is done.

        Raises:
            WorkerFailed: it ended with an error.
            WorkerEnded: its process did, as when it was killed.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"job": described, "threads": threads}) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise WorkerEnded(
                f"its process ended (exit code {self._process.wait()}); call again to go on from what is done"
            )
        error = json.loads(answer)["error"]
        if error:
            raise WorkerFailed(error)

    def close(self) -> None:
        """End the process. A job in progress leaves what it has written so far."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()


class LocalProcesses(AbstractContextManager["LocalProcesses"]):
    """An executor of worker processes, started when first needed.

    Args:
        slots: jobs at once, each in a process of its own.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        self._workers: list[Worker] = []
        self._pool = ThreadPoolExecutor(slots)

    def submit(self, described: Mapping[str, Any], threads: int) -> Future[None]:
        """Have a job done by an idle process; at most `slots` may be in progress."""
        try:
            worker = self._idle.get_nowait()
        except queue.Empty:
            worker = Worker()
            self._workers.append(worker)
        return self._pool.submit(self._do, worker, described, threads)

    def _do(self, worker: Worker, described: Mapping[str, Any], threads: int) -> None:
        try:
            worker.do(described, threads)
        finally:
            self._idle.put(worker)

    def __exit__(self, *_: object) -> None:
        # the processes end before the pool waits for its threads, so that a study that is stopped ends at once
        for worker in self._workers:
            worker.close()
        self._pool.shutdown(cancel_futures=True)
