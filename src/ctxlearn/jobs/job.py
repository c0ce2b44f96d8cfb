"""Jobs: a training or a measurement as a pure function of its hash, whose result is files."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ctxlearn.checks import describe
from ctxlearn.configurable import instantiate
from ctxlearn.jobs.calls import build_argument, import_function, modules_of, trainings_in
from ctxlearn.jobs.measurement import Measurement
from ctxlearn.jobs.store import Store
from ctxlearn.jobs.trainings import Training
from ctxlearn.learners.base import Learner
from ctxlearn.tasks.base import TaskFamily
from ctxlearn.threads import one_thread_per_operator
from ctxlearn.training import Objective, Source, TrainingConfig, train


@dataclass(frozen=True)
class Job:
    """A piece of work that any process can do which reads and writes the store's folder.

    Attributes:
        hash: of everything the result depends on.
        name: for messages, with its kind: "training ..." or "measuring ...".
        described: all that a worker needs, as JSON-able data; `run_job` does it.
        result: the file that is there, whole, when the job is done.
        needs: hashes of jobs that must be done before.
        threads: the most it can use; None means any number.
        work: relative work; the largest trainings start first.
        steps: of a training, 0 for others.
    """

    hash: str
    name: str
    described: dict[str, Any]
    result: Path
    needs: tuple[str, ...] = ()
    threads: int | None = None
    work: float = 0.0
    steps: int = 0

    @property
    def done(self) -> bool:
        """Whether its result is there."""
        return self.result.is_file()


def training_job(training: Training, store: Store) -> Job:
    """The job that trains it."""
    described = {"do": "train", "store": str(store.folder), "hash": training.hash, **training.described()}
    return Job(
        training.hash,
        f"training {training.name}",
        {**described, "modules": modules_of(described)},
        store.run_path(training.hash) / "model.safetensors",
        threads=training.threads,
        work=training.work,
        steps=training.config.steps,
    )


def measuring_job(measurement: Measurement, store: Store) -> Job:
    """The job that measures it."""
    call = measurement.call.described()
    name = measurement.call.hash
    needs = tuple(dict.fromkeys(t.hash for t in trainings_in(measurement.call)))
    described = {"do": "measure", "store": str(store.folder), "hash": name, "call": call}
    described["modules"] = modules_of(described)
    return Job(name, f"measuring {measurement.name}", described, store.samples_path(name), needs)


def jobs_of(measurements: Sequence[Measurement], trainings: Sequence[Training], store: Store) -> dict[str, Job]:
    """Every job that a plan needs, by hash: equal ones are one."""
    found: dict[str, Job] = {}
    for training in (*trainings, *(t for m in measurements for t in trainings_in(m.call))):
        if training.hash not in found:
            found[training.hash] = training_job(training, store)
    for measurement in measurements:
        job = measuring_job(measurement, store)
        found.setdefault(job.hash, job)
    return found


def run_job(described: Mapping[str, Any], threads: int, progress: bool = False) -> None:
    """Do a job; its result is files. The number of threads changes no bit of them."""
    store = Store(described["store"])
    if described["do"] == "train":
        _train(described, store, threads, progress)
    else:
        _measure(described, store, threads)


def _train(described: Mapping[str, Any], store: Store, threads: int, progress: bool) -> None:
    config = {**described["config"]["init_args"], "threads": threads, "progress": progress}
    trusted = described["modules"]  # of the study that wrote the job, which its user runs
    train(
        instantiate(described["learner"], Learner, trusted=trusted),
        instantiate(described["source"], (TaskFamily, Source), trusted=trusted),
        instantiate({**described["config"], "init_args": config}, TrainingConfig),
        out=store.run_path(described["hash"]),
        objective=instantiate(described["objective"], Objective, trusted=trusted),
    )


def _measure(described: Mapping[str, Any], store: Store, threads: int) -> None:
    asked = described["call"]
    function = import_function(asked["function"])
    arguments = {name: build_argument(value, store.load_run) for name, value in asked["arguments"].items()}
    if (
        "threads"
        in function.__code__.co_varnames[: function.__code__.co_argcount + function.__code__.co_kwonlyargcount]
    ):
        arguments["threads"] = threads
    with warnings.catch_warnings(record=True) as caught, one_thread_per_operator():
        warnings.simplefilter("always")
        found = function(**arguments)
    own = [w for w in caught if w.category.__module__.startswith("ctxlearn.")]
    for other in caught:
        if other not in own:
            warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
    arrays = dict(_arrays(found, asked["function"]))
    store.save_samples(described["hash"], arrays, found.get("facts"), sorted({w.category.__name__ for w in own}))


def _arrays(found: Any, function: str) -> Iterator[tuple[str, np.ndarray]]:
    if not isinstance(found, Mapping):
        raise ValueError(f"{function}: expected a mapping from names to arrays to be returned, got {describe(found)}")
    for name, value in found.items():
        if name == "facts":
            continue
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise ValueError(
                f"{function}: expected numbers for {name!r}, got {describe(value)}; text goes into 'facts'"
            )
        yield str(name), array
