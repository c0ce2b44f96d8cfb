"""What a training does, as plain numbers."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from ctxlearn.checks import check_choice, check_float, check_int

_RUNTIME: dict[str, Any] = {"runtime": True}


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Settings of `ctxlearn.train`. Those marked *run-time* change no result and are left out of the run's hash.

    Attributes:
        steps: optimiser steps.
        tasks_per_step: B, over all shards and processes; a multiple of `shards`.
        n_points: N points a task.
        learning_rate: of AdamW at its peak.
        optimizer: "muon": Muon (orthogonalised momentum) on the matrices of a transformer's blocks, AdamW on all else; or
            "adamw" on everything. A learner without blocks is trained by AdamW either way. Or the import path
            "module.function" of one's own: from the learner and this configuration to a `torch.optim.Optimizer`, whose
            learning rates are those at the peak.
        muon_learning_rate: of Muon at its peak, on AdamW's scale (updates of root mean square 0.2 times it).
        seed: of tasks and context lengths.
        shards: logical parts of a step's tasks, each drawn from a generator of its own. Fixed by this number
            whatever the number of threads or processes, so that these change no task.
        warmup_steps: steps of linear rise of the learning rate; a run of few steps spends at most a fifth of them so.
        schedule: after it: "linear" or "cosine" to zero, or "constant". Or the import path "module.function" of one's own:
            from the step (0-based) and this configuration to the share of the peak rate, in place of the warm-up too.
        weight_decay: AdamW's and Muon's.
        beta1: AdamW's first decay rate.
        beta2: AdamW's second decay rate.
        clip: largest norm of a step's gradient; longer ones are scaled down to it.
        averaging: decay of a running average of the weights that becomes the result (0: none).
        validate_every: steps between validations (0: none but at the end).
        validation_batches: batches drawn for it, of a shard's size, apart from training and test tasks.
        select: "last" weights, or the "best" on validation.
        precision: "32-true" or "bf16-mixed" (for accelerators).
        log_every: steps between rows of metrics.csv.
        checkpoint_every: run-time. Steps between checkpoints; 0: only at the start and the end.
        keep_every: run-time. Steps between weights that are kept beside the result, for `kept_learners` (0: none).
        accelerator: run-time. "auto", "cpu", "cuda" or "mps".
        processes: run-time. Under torchrun leave it at 1; torchrun's own number is used.
        threads: run-time. Shards computed side by side on a CPU; None means one a core. The bits do not depend on it.
        progress: run-time. Show a progress bar.

    Raises:
        ValueError: a value outside its range; the field is named.
    """

    steps: int
    tasks_per_step: int = 128
    n_points: int = 50
    learning_rate: float = 3e-3
    optimizer: str = "muon"
    muon_learning_rate: float = 5e-3
    seed: int = 0
    shards: int = 2
    warmup_steps: int = 100
    schedule: str = "linear"
    weight_decay: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.99
    clip: float = 1.0
    averaging: float = 0.0
    validate_every: int = 0
    validation_batches: int = 8
    select: str = "last"
    precision: str = "32-true"
    log_every: int = 10
    checkpoint_every: int = field(default=200, metadata=_RUNTIME)
    keep_every: int = field(default=0, metadata=_RUNTIME)
    accelerator: str = field(default="auto", metadata=_RUNTIME)
    processes: int = field(default=1, metadata=_RUNTIME)
    threads: int | None = field(default=None, metadata=_RUNTIME)
    progress: bool = field(default=True, metadata=_RUNTIME)

    def __post_init__(self) -> None:
        for name in ("steps", "tasks_per_step", "n_points", "shards", "validation_batches", "log_every", "processes"):
            check_int(name, getattr(self, name), minimum=1)
        for name in ("seed", "warmup_steps", "validate_every", "checkpoint_every", "keep_every"):
            check_int(name, getattr(self, name), minimum=0)
        if self.threads is not None:
            check_int("threads", self.threads, minimum=1)
        for name in ("learning_rate", "muon_learning_rate", "clip"):
            check_float(name, getattr(self, name), above=0)
        check_float("weight_decay", self.weight_decay, minimum=0)
        for name in ("beta1", "beta2", "averaging"):
            check_float(name, getattr(self, name), minimum=0, maximum=1 - 1e-9)
        _check_own("optimizer", self.optimizer, ("adamw", "muon"))
        _check_own("schedule", self.schedule, ("cosine", "linear", "constant"))
        check_choice("select", self.select, ("last", "best"))
        check_choice("precision", self.precision, ("32-true", "bf16-mixed"))
        check_choice("accelerator", self.accelerator, ("auto", "cpu", "cuda", "mps"))
        if self.tasks_per_step % self.shards:
            raise ValueError(
                f"tasks_per_step: expected a multiple of shards = {self.shards}, got {self.tasks_per_step}"
            )

    @property
    def tasks_per_shard(self) -> int:
        """Tasks that one shard of a step draws."""
        return self.tasks_per_step // self.shards

    def result_settings(self) -> dict[str, Any]:
        """The settings that the result depends on: all but the run-time ones."""
        return {f.name: getattr(self, f.name) for f in fields(self) if not f.metadata.get("runtime")}

    def rate_factor(self, step: int) -> float:
        """The learning rate of a step (0-based) as a share of its peak."""
        if "." in self.schedule:
            return check_float("schedule", own_function(self.schedule)(step, self), minimum=0)
        rise = max(1, min(self.warmup_steps, self.steps // 5))
        warm = min(1.0, (step + 1) / rise)
        done = max(0, step - rise) / max(1, self.steps - rise)
        if self.schedule == "cosine":
            return warm * 0.5 * (1 + math.cos(math.pi * done))
        return warm * (1 - done if self.schedule == "linear" else 1.0)


def _check_own(name: str, value: object, choices: tuple[str, ...]) -> None:
    """One of our names, or the import path of a function."""
    if isinstance(value, str) and "." in value and all(part.isidentifier() for part in value.split(".")):
        return
    check_choice(name, value, choices)


def own_function(path: str) -> Callable[..., Any]:
    """The function at `module.function`, for a configuration that names one.

    Raises:
        ValueError: there is none.
    """
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ModuleNotFoundError as error:
        raise ValueError(f"cannot import {path!r}: there is no module {error.name}") from error
    if not callable(found):
        raise ValueError(f"cannot import {path!r}: the module {module} has no function {name}")
    function: Callable[..., Any] = found
    return function
