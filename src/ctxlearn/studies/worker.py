"""Processes that work for a study, one job after the other: `python -m ctxlearn.studies.worker` trains.

A job is the path of a JSON file, one a line on the standard input; the answer is one line of JSON on the standard output.
When the input ends, because the study is done or was killed, the process ends at once: what was written by then stands.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ctxlearn.learners.base import Learner
from ctxlearn.recorded import instantiate
from ctxlearn.tasks.base import TaskFamily
from ctxlearn.training import Objective, Source, TrainingConfig, train
from ctxlearn.trust import modules_named


class WorkerFailed(RuntimeError):  # noqa: N818 (reads as what happened)
    """A job ended with an error."""


class Worker:
    """A worker process, seen from the study.

    Args:
        module: what it runs; its main function calls `serve`.
    """

    def __init__(self, module: str = "ctxlearn.studies.worker") -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        here = os.getcwd()
        # the current folder last, and never put first (-P), so that no file in it hides a library
        environment["PYTHONPATH"] = os.pathsep.join([*(p for p in sys.path if p not in ("", here)), here])
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def do(self, job: Path) -> None:
        """Do one job; blocks until it is done.

        Raises:
            WorkerFailed: it ended with an error, or the process was killed.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(f"{job}\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise WorkerFailed(
                f"its process ended (exit code {self._process.wait()}); call again to go on from what is done"
            )
        error = json.loads(answer)["error"]
        if error:
            raise WorkerFailed(error)

    def close(self) -> None:
        """End the process; of a job under way stands what it has written."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()


def serve(do: Callable[[dict[str, Any]], None]) -> None:
    """Do what the standard input names, until it ends."""
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever else is printed must not mix with the answers
    jobs: queue.Queue[str] = queue.Queue()

    def listen() -> None:
        for line in sys.stdin:
            jobs.put(line.strip())
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        error = None
        try:
            do(json.loads(Path(jobs.get()).read_text(encoding="utf-8")))
        except Exception as failure:  # reported to the study, which names the job and stops
            error = f"{type(failure).__name__}: {failure}"
        print(json.dumps({"error": error}), file=answers, flush=True)


def _train(job: dict[str, Any]) -> None:
    trusted = modules_named(job)  # the study that wrote the job has the same classes imported
    train(
        instantiate(job["learner"], Learner, trusted=trusted),
        instantiate(job["source"], (TaskFamily, Source), trusted=trusted),
        instantiate(job["config"], TrainingConfig),
        out=job["out"],
        objective=instantiate(job["objective"], Objective, trusted=trusted),
    )


if __name__ == "__main__":
    serve(_train)
