"""Measure learners on tasks, in parts: one learner on one task, written when it is done and found again."""

from __future__ import annotations

import hashlib
import json
import queue
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from ctxlearn.progress import progress_bar
from ctxlearn.storage import write_json
from ctxlearn.studies.base import Workload
from ctxlearn.studies.tables.catalogue import TASKS, TableTask, task_data
from ctxlearn.studies.tables.contestants import contestant, identity
from ctxlearn.studies.tables.draws import MOST_QUERIES, draw_rows, sizes_for
from ctxlearn.studies.tables.scoring import MIXED_IN, area_under_curve, calibration_counts, log_losses
from ctxlearn.studies.worker import Worker, WorkerFailed

MEASURES = ("accuracy", "log_loss", "auc", "fit_seconds", "predict_seconds")


class MeasuringFailed(RuntimeError):  # noqa: N818 (reads as what happened)
    """A part could not be measured; its own message is in this one."""


@dataclass(frozen=True)
class Part:
    """One learner on one task.

    Attributes:
        learner: its name.
        task: its name.
        sizes: of the contexts.
        draws: of rows.
    """

    learner: str
    task: str
    sizes: tuple[int, ...]
    draws: int


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Attributes:
        draws: one row a learner, task, n_context and draw: accuracy, log_loss (nats), auc, fit_seconds, predict_seconds.
        calibration: one row a learner, task, n_context and bin of confidence: answers, confidence (sum), right (sum).
    """

    draws: pd.DataFrame
    calibration: pd.DataFrame


def measure(
    tasks: Sequence[TableTask], learners: Sequence[str], sizes: tuple[int, ...], draws: int, workload: Workload
) -> Measured:
    """Every learner on every task, side by side in processes of their own where the workload has more than one thread.

    Raises:
        MeasuringFailed: a part ended with an error; those that are finished stand.
        TablesMissing: a package that brings a table is not installed.
    """
    known = {name: identity(name) for name in learners}
    parts = {
        Part(name, task.name, sizes, draws): _key(name, known[name], task, sizes, draws)
        for name in learners
        for task in tasks
    }
    with ExitStack() as stack:
        folder = workload.parts or Path(stack.enter_context(TemporaryDirectory()))
        paths = {part: folder / f"{key[:20]}.json" for part, key in parts.items()}
        missing = [part for part, path in paths.items() if not path.is_file()]
        bar = progress_bar(len(missing), "learner on task", shown=workload.progress)
        with bar:
            _measure_missing({part: paths[part] for part in missing}, workload.threads, bar)
        return _together({part: json.loads(path.read_text(encoding="utf-8")) for part, path in paths.items()})


def measure_part(job: dict[str, Any]) -> None:
    """Measure one part and write it to the path that the job names."""
    part = Part(job["learner"], job["task"], tuple(job["sizes"]), job["draws"])
    write_json(Path(job["out"]), measured_part(part))


def measured_part(part: Part) -> dict[str, Any]:
    """For each context size the measures of each draw, and the counts by confidence of all."""
    task = next(task for task in TASKS if task.name == part.task)
    data = task_data(task)
    found: dict[str, Any] = {}
    for n in sizes_for(len(data.classes), part.sizes):
        rows: dict[str, list[float | None]] = {name: [] for name in MEASURES}
        counts: np.ndarray = np.zeros(())
        for draw in range(part.draws):
            context, queries = draw_rows(task, data.y, draw)
            shown, asked, answers = data.x.iloc[context[:n]], data.x.iloc[queries], data.y[queries]
            model = contestant(part.learner, draw)
            begun = time.perf_counter()
            model.fit(shown, data.y[context[:n]])
            fitted = time.perf_counter()
            shares = model.predict_proba(asked)
            done = time.perf_counter()
            area = area_under_curve(shares, answers)
            values = {
                "accuracy": float((shares.argmax(1) == answers).mean()),
                "log_loss": float(log_losses(shares, answers).mean()),
                "auc": None if np.isnan(area) else area,
                "fit_seconds": fitted - begun,
                "predict_seconds": done - fitted,
            }
            for name, value in values.items():
                rows[name].append(None if value is None else round(value, 7))
            counts = counts + calibration_counts(shares, answers)
        found[str(n)] = {"measures": rows, "calibration": np.round(counts, 6).tolist()}
    return found


def _key(name: str, known: str, task: TableTask, sizes: tuple[int, ...], draws: int) -> str:
    """The hash that a finished part is found by: the learner, the rows, how they are drawn and scored."""
    facts = [name, known, asdict(task), task_data(task).digest, sizes, draws, MOST_QUERIES, MIXED_IN]
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def _measure_missing(missing: dict[Part, Path], threads: int, bar: Any) -> None:
    jobs = [(part, {**asdict(part), "out": str(path)}) for part, path in missing.items()]
    if threads == 1 or len(jobs) <= 1:
        for _, job in jobs:
            measure_part(job)
            bar.update()
        return
    idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
    n_workers = min(threads, len(jobs))

    def do(part: Part, job: Path) -> None:
        worker = idle.get()
        try:
            worker.do(job)
        except WorkerFailed as error:
            raise MeasuringFailed(f"{part.learner} on {part.task}: {error}") from error
        finally:
            idle.put(worker)
        bar.update()

    # the workers are closed before the pool waits for its threads, so that a study that is stopped ends at once
    with TemporaryDirectory() as folder, ThreadPoolExecutor(n_workers) as pool, ExitStack() as stack:
        stack.callback(pool.shutdown, wait=False, cancel_futures=True)
        for _ in range(n_workers):
            worker = Worker("ctxlearn.studies.tables.worker")
            stack.callback(worker.close)
            idle.put(worker)
        futures = []
        for number, (part, job) in enumerate(jobs):
            path = Path(folder) / f"{number}.json"
            write_json(path, job)
            futures.append(pool.submit(do, part, path))
        for future in as_completed(futures):
            future.result()


def _together(parts: dict[Part, dict[str, Any]]) -> Measured:
    draws, bins = [], []
    for part, found in parts.items():
        for n, held in found.items():
            about = {"learner": part.learner, "task": part.task, "n_context": int(n)}
            values = {name: np.array(held["measures"][name], dtype=float) for name in MEASURES}
            draws.append(pd.DataFrame({**about, "draw": np.arange(part.draws), **values}))
            counts = np.array(held["calibration"])
            shown = {"answers": counts[:, 0], "confidence": counts[:, 1], "right": counts[:, 2]}
            bins.append(pd.DataFrame({**about, "bin": np.arange(len(counts)), **shown}))
    return Measured(pd.concat(draws, ignore_index=True), pd.concat(bins, ignore_index=True))
