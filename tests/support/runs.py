"""Small trainings, and ways to stop them, for the tests of training."""

import hashlib
import itertools
import json
import multiprocessing
import os
import signal
import threading

import torch

import ctxlearn
from ctxlearn.learners import InContextTransformer, MatchNet
from ctxlearn.tasks import ClassPrototype
from ctxlearn.training import Objective, RandomSplit, Source, TrainingConfig, run_folder, train

SMALL = {
    "steps": 12,
    "tasks_per_step": 4,
    "n_points": 5,
    "learning_rate": 2e-3,
    "optimizer": "adamw",
    "schedule": "cosine",
    "checkpoint_every": 3,
    "log_every": 2,
    "warmup_steps": 2,
    "progress": False,
    "threads": 1,
}

VARIANTS = {
    "plain": {},
    "best": {"select": "best", "validate_every": 2, "validation_batches": 2, "learning_rate": 0.05},
    "averaged": {"averaging": 0.8, "validate_every": 4, "validation_batches": 2},
    "averaged best": {"averaging": 0.8, "select": "best", "validate_every": 5, "validation_batches": 1},
    "muon": {"optimizer": "muon", "weight_decay": 0.1, "schedule": "linear"},
    "three shards in three threads": {"shards": 3, "tasks_per_step": 6, "threads": 3, "schedule": "constant"},
}

PLACES = [os.path.dirname(__file__), os.path.dirname(os.path.dirname(ctxlearn.__file__))]
"""Where processes that a test starts find these helpers, and the library."""

on_batch = None
"""Called with (step, shard) by `Watched` before it draws."""


class Watched(Source):
    """Fresh tasks, drawn in sight of a test."""

    def __init__(self, n_tasks=2, n_points=5):
        self.family, self.n_tasks, self.n_points = ClassPrototype(), n_tasks, n_points

    def batch(self, step, shard, generator):
        if on_batch is not None:
            on_batch(step, shard)
        return self.family.sample(self.n_tasks, self.n_points, generator=generator)

    def validation_batch(self, index, generator):
        return self.family.sample(self.n_tasks, self.n_points, generator=generator)


class Growing(Watched):
    """A source with state: the inputs grow with the steps that it has seen."""

    def __init__(self):
        super().__init__()
        self.scale, self.seen = torch.ones(()), 0

    def batch(self, step, shard, generator):
        tasks = super().batch(step, shard, generator)
        if shard == 0:
            self.scale, self.seen = self.scale * 1.1, self.seen + 1
        return type(tasks)(tasks.x * self.scale, tasks.y, tasks.n_classes)

    def state_dict(self):
        return {"scale": self.scale, "seen": self.seen}

    def load_state_dict(self, state):
        self.scale, self.seen = state["scale"], state["seen"]


class Discounted(Objective):
    """An objective with state: the loss is divided by a running mean of earlier ones."""

    def __init__(self):
        self.mean = torch.ones(())

    def __call__(self, learner, batch, generator):
        loss = RandomSplit()(learner, batch, generator)
        scaled = loss / self.mean
        if torch.is_grad_enabled():
            self.mean = 0.9 * self.mean + 0.1 * loss.detach()
        return scaled

    def state_dict(self):
        return {"mean": self.mean}

    def load_state_dict(self, state):
        self.mean = state["mean"]


def transformer(**changes):
    return InContextTransformer(**{"n_features": 2, "n_classes": 2, "width": 8, "depth": 2, "heads": 2} | changes)


def small(out, *, learner=None, source=None, objective=None, **changes):
    """Train something small in `out`."""
    config = TrainingConfig(**SMALL | changes)
    return train(learner or transformer(), source or Watched(), config, out=out, objective=objective)


class Stopped(Exception):  # noqa: N818
    """Raised by `stop_at`."""


def stop_at(monkeypatch, wanted):
    """Make `Watched` raise when it is asked for a batch of this step, as if the process had died."""

    def stop(step, _shard):
        if step == wanted:
            raise Stopped

    monkeypatch.setattr("runs.on_batch", stop)


def record_steps(monkeypatch):
    """A list that fills with the steps drawn from now on."""
    steps = []
    monkeypatch.setattr("runs.on_batch", lambda step, _shard: steps.append(step))
    return steps


def checkpoints(out):
    """The names of the checkpoints in a folder, oldest first."""
    return sorted(path.name for path in (out / "checkpoints").glob("step-*.safetensors"))


def result(out):
    """What a run's result is judged by: digests of its weights and its metrics."""
    files = (out / "model.safetensors", out / "metrics.csv")
    return tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)


def start(target, *arguments):
    """A process that has everything imported; it is forked from a server without threads."""
    context = multiprocessing.get_context("forkserver")
    os.environ["PYTHONPATH"] = os.pathsep.join(PLACES)  # read by the server, which imports once for all
    context.set_forkserver_preload(["runs"])
    process = context.Process(target=target, args=arguments)
    process.start()
    return process


def train_until(out, changes, die_at, journal):
    """Train in a process that kills itself at the `die_at`-th event: a batch drawn, a flush, a rename, a removal.

    The steps drawn go to the file `journal`, and at the end the number of events.
    """
    global on_batch  # noqa: PLW0603
    torch.set_num_threads(1)
    run_folder.LOCK_SECONDS = 600  # another start is waited for, however slow the machine is
    count, lock = itertools.count(), threading.Lock()

    def event():
        with lock:
            if next(count) == die_at:
                os.kill(os.getpid(), signal.SIGKILL)

    def watched(function):
        def call(*args, **kwargs):
            event()
            value = function(*args, **kwargs)
            event()
            return value

        return call

    def note(step, _shard):
        event()
        with open(journal, "a") as file:
            file.write(f"{step}\n")

    on_batch = note
    os.fsync, os.replace, os.unlink = watched(os.fsync), watched(os.replace), watched(os.unlink)
    source = Growing() if changes.pop("growing", False) else None
    objective = Discounted() if changes.pop("discounted", False) else None
    learner = MatchNet(2, 2, width=8) if changes.pop("matchnet", False) else None
    small(out, learner=learner, source=source, objective=objective, **changes)
    with open(journal + ".events", "w") as file:
        json.dump(next(count), file)
