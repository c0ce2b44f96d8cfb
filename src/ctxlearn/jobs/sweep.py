"""A sweep: a grid over settings of one training, trained side by side and collected in one table."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from ctxlearn.checks import check_int, describe, unknown_name
from ctxlearn.configurable import with_argument
from ctxlearn.evaluation.statistics import mean_interval
from ctxlearn.jobs.cells import Cell, all_measurements
from ctxlearn.jobs.job import jobs_of
from ctxlearn.jobs.places import find_places
from ctxlearn.jobs.pool import Executor, do_missing
from ctxlearn.jobs.trainings import Training
from ctxlearn.learners.base import Learner
from ctxlearn.storage import load_tensors, write_text
from ctxlearn.tasks.base import TaskFamily
from ctxlearn.training import Objective, RandomSplit, Source, TrainingConfig, load

PARTS = ("learner", "source", "objective", "training")


@dataclass(frozen=True)
class Sweep:
    """What `sweep` trained.

    Attributes:
        table: one row per point of the grid, the best first: the settings, `validation_loss`, where test tasks were asked for
            `score` with `low` and `high` (95 %), and `run`, the run's folder.
        folder: with sweep.csv and the runs.
    """

    table: pd.DataFrame
    folder: Path

    @property
    def best(self) -> Learner:
        """The trained learner of least validation loss."""
        return load(self.table["run"].iloc[0])


def sweep(
    learner: Learner,
    source: TaskFamily | Source,
    config: TrainingConfig,
    grid: Mapping[str, Sequence[Any]],
    *,
    out: Path | str,
    objective: Objective | None = None,
    test: TaskFamily | None = None,
    n_tasks: int = 1000,
    jobs: int | None = None,
    runs: Path | str | None = None,
    cluster: str | None = None,
    progress: bool = True,
    executor: Executor | None = None,
) -> Sweep:
    """Train every combination of some settings, and rank them by validation loss.

    Called again it goes on where it was; what a larger grid adds is trained alone.

    Args:
        learner: what is trained; its constructor is called again for each combination.
        source: a family or source, likewise.
        config: the settings of the training.
        grid: values by setting: "training.learning_rate", "learner.width", "source.scale", "objective.NAME"; an argument
            of an argument by further dots. Losses on different sources or by different objectives cannot be compared.
        out: the folder of the runs and of sweep.csv.
        objective: from tasks to a loss; None means `RandomSplit()`.
        test: a family on whose test tasks every trained learner is scored too, by the mean over n >= 1 of its accuracy or
            squared error; None means on none.
        n_tasks: test tasks.
        jobs: threads in all; None means one per core.
        runs: a folder for the runs, or the URL of a store that machines share (s3://...), of which `out` is then a mirror;
            None means `out`.
        cluster: "ray", or HOST:PORT of the head of a Ray cluster; None means this machine.
        progress: show a progress bar.
        executor: where the jobs run, in place of `cluster`.

    Raises:
        ValueError: an unknown setting, or a value that it cannot have.
        JobFailed: a training ended with an error.
    """
    points = grid_points(grid)
    made: dict[str, Any] = {
        "learner": learner,
        "source": source,
        "objective": RandomSplit() if objective is None else objective,
        "training": config,
    }
    trainings = [_training(made, point) for point in points]
    planned = (
        []
        if test is None
        else [Cell((i,), test, {"it": t}, config.seed, n_tasks, config.n_points) for i, t in enumerate(trainings)]
    )
    measurements = all_measurements(planned)
    folder = Path(out)
    if jobs is not None:
        check_int("jobs", jobs, minimum=1)
    places = find_places(runs, cluster, folder)
    store = places.store
    do_missing(
        jobs_of(measurements, trainings, store),
        store,
        n_threads=jobs,
        progress=progress,
        executor=executor or places.executor,
        shared=places.shared,
    )
    rows = []
    for i, (point, training) in enumerate(zip(points, trainings, strict=True)):
        run = store.run_path(training.hash)
        row: dict[str, Any] = {
            **point,
            "validation_loss": load_tensors(run / "model.safetensors")[1]["validation_loss"],
        }
        if test is not None:
            scores = store.load_samples(measurements[i].call.hash).arrays["score"]
            found = mean_interval(scores[:, 1:].mean(1))
            row |= {"score": found.value, "low": found.low, "high": found.high}
        rows.append({**row, "run": str(run)})
    table = pd.DataFrame(rows).sort_values("validation_loss", kind="stable", ignore_index=True)
    write_text(folder / "sweep.csv", table.to_csv(index=False, lineterminator="\n"))
    return Sweep(table, folder)


def grid_points(grid: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Every combination of the values of a grid."""
    if not isinstance(grid, Mapping) or not grid:
        raise ValueError(
            f"grid: expected values by setting, {{'training.learning_rate': [1e-3, 3e-3]}} say, got {describe(grid)}"
        )
    for name, values in grid.items():
        if not isinstance(values, Sequence) or isinstance(values, str) or not len(values):
            raise ValueError(f"grid[{name!r}]: expected a list of values, got {describe(values)}")
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def _training(made: Mapping[str, Any], point: Mapping[str, Any]) -> Training:
    parts = dict(made)
    for setting, value in point.items():
        part, _, name = setting.partition(".")
        if part not in PARTS or not name:
            unknown_name("grid", setting, [f"{p}.NAME" for p in PARTS])
        try:
            if part == "training":
                parts[part] = _configured(parts[part], name, value)
            else:
                parts[part] = with_argument(parts[part], name, value)
        except (TypeError, KeyError) as error:
            raise ValueError(f"grid: {type(parts[part]).__name__} has no argument {name!r} ({error})") from error
    words = ", ".join(f"{name} {value}" for name, value in point.items())
    return Training(words, parts["learner"], parts["source"], parts["training"], parts["objective"])


def _configured(config: TrainingConfig, name: str, value: Any) -> TrainingConfig:
    known = list(TrainingConfig.__dataclass_fields__)
    if name not in known:
        unknown_name("grid", f"training.{name}", [f"training.{k}" for k in known])
    return replace(config, **{name: value})
