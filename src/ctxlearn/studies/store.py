"""Trainings found again by their hash, and trained side by side where they are missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ctxlearn.learners.base import Learner
from ctxlearn.recorded import configuration
from ctxlearn.storage import write_json
from ctxlearn.tasks.base import TaskFamily
from ctxlearn.training import Objective, RandomSplit, TrainingConfig, load, run_settings
from ctxlearn.training.folder import RunFolder, run_hash
from ctxlearn.training.sources import Source


class TrainingFailed(RuntimeError):  # noqa: N818 (reads as what happened)
    """A training of a study ended with an error; its own message is in this one."""


@dataclass(frozen=True)
class Training:
    """One training that a study needs.

    Attributes:
        name: for messages and progress.
        learner: freshly made, with its seed.
        source: what it is trained on.
        config: how.
        objective: from tasks to a loss.
        threads: shards computed side by side; such a training takes that many of the study's jobs.
    """

    name: str
    learner: Learner
    source: TaskFamily | Source
    config: TrainingConfig
    objective: Objective = RandomSplit()  # noqa: RUF009 (has no state)
    threads: int = 1

    @property
    def hash(self) -> str:
        """The run's hash: what its result depends on."""
        return run_hash(run_settings(self.learner, self.source, self.config, self.objective))

    @property
    def cost(self) -> float:
        """Relative work of one step, for progress and for starting the longest first."""
        return float(sum(p.numel() for p in self.learner.parameters()) * self.config.tasks_per_step)


class RunStore:
    """A folder of runs, each under its hash. Any study may share one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, training: Training) -> Path:
        """The folder of a training's run."""
        return self.folder / training.hash[:20]

    def load(self, training: Training) -> Learner:
        """Its trained learner."""
        return load(self.path(training))

    def train(self, trainings: Sequence[Training], *, jobs: int, progress: bool) -> None:
        """Train those that are missing, `jobs` threads in all, the longest first, each in a process of its own.

        A process of its own keeps a failure, and memory, apart; the numbers do not depend on `jobs`.

        Raises:
            TrainingFailed: a training ended with an error; the others are stopped and keep their checkpoints.
        """
        missing = {t.hash: t for t in trainings if not RunFolder(self.path(t)).model.is_file()}
        waiting = sorted(missing.values(), key=lambda t: (-t.threads, -t.cost * t.config.steps))
        if not waiting:
            return
        total = sum(t.cost * t.config.steps for t in waiting)
        bar = tqdm(total=100.0, desc=f"{len(waiting)} trainings", disable=not progress, dynamic_ncols=True,
                   bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed} so far, {remaining} left{postfix}")  # fmt: skip
        running: dict[str, tuple[Training, subprocess.Popen[str]]] = {}
        finished: list[Training] = []
        begun = {t.hash: _steps_done(self.path(t)) for t in waiting}
        already = sum(t.cost * begun[t.hash] for t in waiting)
        bar.total = 100.0 * (total - already) / total
        try:
            while waiting or running:
                free = jobs - sum(min(t.threads, jobs) for t, _ in running.values())
                for training in list(waiting):
                    if min(training.threads, jobs) <= free:
                        waiting.remove(training)
                        running[training.hash] = (training, self._start(training, jobs))
                        free -= min(training.threads, jobs)
                time.sleep(0.2)
                for key, (training, process) in list(running.items()):
                    if process.poll() is not None:
                        del running[key]
                        _, errors = process.communicate()
                        if process.returncode:
                            raise TrainingFailed(f"training {training.name} failed: {_last_line(errors)}")
                        finished.append(training)
                steps = [(t, t.config.steps) for t in finished]
                steps += [(t, _steps_done(self.path(t))) for t, _ in running.values()]
                bar.n = 100.0 * sum(t.cost * max(0, done - begun[t.hash]) for t, done in steps) / total
                bar.set_postfix_str(", ".join(t.name for t, _ in running.values()))
        finally:
            bar.close()
            for _, process in running.values():
                process.terminate()
            for _, process in running.values():
                process.communicate()

    def _start(self, training: Training, jobs: int) -> subprocess.Popen[str]:
        config = replace(training.config, threads=min(training.threads, jobs), progress=False)
        job = {
            "learner": configuration(training.learner),
            "source": configuration(training.source),
            "objective": configuration(training.objective),
            "config": configuration(config),
            "out": str(self.path(training)),
        }
        path = self.folder / "jobs" / f"{training.hash[:20]}.json"
        write_json(path, job)
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        environment["PYTHONPATH"] = os.pathsep.join(p for p in [os.getcwd(), *sys.path] if p)
        return subprocess.Popen(
            [sys.executable, "-m", "ctxlearn.studies.worker", str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )


def _steps_done(path: Path) -> int:
    files = RunFolder(path).checkpoint_files()
    return int(files[-1].stem.removeprefix("step-")) if files else 0


def _last_line(errors: str) -> str:
    lines = [line for line in errors.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "it ended without a message (killed?)"


def read_job(path: Path) -> dict[str, Any]:
    """What `RunStore` wrote for a worker."""
    job: dict[str, Any] = json.loads(path.read_text())
    return job
