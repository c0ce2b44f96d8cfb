"""Trainings found again by their hash, and trained side by side where they are missing."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from ctxlearn.learners.base import Learner
from ctxlearn.progress import progress_bar
from ctxlearn.recorded import configuration
from ctxlearn.storage import write_json
from ctxlearn.studies.worker import Worker
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
        """Train those that are missing, `jobs` threads in all, the longest first, in processes of their own.

        The numbers do not depend on `jobs`.

        Raises:
            TrainingFailed: a training ended with an error; the others are stopped and keep their checkpoints.
        """
        missing = {t.hash: t for t in trainings if not RunFolder(self.path(t)).model.is_file()}
        waiting = sorted(missing.values(), key=lambda t: (-t.threads, -t.cost * t.config.steps))
        if not waiting:
            return
        begun = {t.hash: self._steps_done(t) for t in waiting}
        total = sum(t.cost * (t.config.steps - begun[t.hash]) for t in waiting)
        bar = progress_bar(
            100.0,
            f"{len(waiting)} trainings",
            shown=progress,
            bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed} so far, {remaining} left{postfix}",
        )
        idle = [Worker() for _ in range(min(jobs, len(waiting)))]
        running: dict[Future[None], tuple[Training, Worker]] = {}
        finished: list[Training] = []
        with bar, ThreadPoolExecutor(len(idle)) as pool, ExitStack() as stack:
            for worker in idle:
                stack.callback(worker.close)
            while waiting or running:
                free = jobs - sum(min(t.threads, jobs) for t, _ in running.values())
                for training in list(waiting):
                    if min(training.threads, jobs) <= free and idle:
                        waiting.remove(training)
                        worker = idle.pop()
                        job = self._write_job(training, min(training.threads, jobs))
                        running[pool.submit(worker.do, job)] = (training, worker)
                        free -= min(training.threads, jobs)
                for future in wait(running, timeout=0.5, return_when=FIRST_COMPLETED).done:
                    training, worker = running.pop(future)
                    error = future.exception()
                    if error is not None:
                        raise TrainingFailed(f"training {training.name} failed: {error}") from error
                    finished.append(training)
                    idle.append(worker)
                done = [(t, t.config.steps) for t in finished]
                done += [(t, max(begun[t.hash], self._steps_done(t))) for t, _ in running.values()]
                bar.set_postfix_str(", ".join(t.name for t, _ in running.values()), refresh=False)
                bar.update(100.0 * sum(t.cost * (steps - begun[t.hash]) for t, steps in done) / total - bar.n)

    def _steps_done(self, training: Training) -> int:
        files = RunFolder(self.path(training)).checkpoint_files()
        return int(files[-1].stem.removeprefix("step-")) if files else 0

    def _write_job(self, training: Training, threads: int) -> Path:
        config = replace(training.config, threads=threads, progress=False)
        job = {
            "learner": configuration(training.learner),
            "source": configuration(training.source),
            "objective": configuration(training.objective),
            "config": configuration(config),
            "out": str(self.path(training)),
        }
        path = self.folder / "jobs" / f"{training.hash[:20]}.json"
        write_json(path, job)
        return path
