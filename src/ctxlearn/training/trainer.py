"""Where a training begins: arguments checked, processes launched, the folder claimed."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from ctxlearn.checks import describe
from ctxlearn.configurable import configurable_classes, configuration
from ctxlearn.learners.base import Learner
from ctxlearn.source_code import classes_digest, is_own
from ctxlearn.storage import digest_tensors
from ctxlearn.tasks.base import TaskFamily
from ctxlearn.threads import one_thread_per_operator
from ctxlearn.training.callbacks import Callback
from ctxlearn.training.config import TrainingConfig, own_function
from ctxlearn.training.loop import TrainingLoop
from ctxlearn.training.objective import Objective, RandomSplit
from ctxlearn.training.run import Run, check_finished, finish_from
from ctxlearn.training.run_folder import RunFolder, RunFolderError
from ctxlearn.training.sources import FamilySource, Source

COLUMNS = ("step", "loss", "gradient_norm", "rate", "validation_loss")


def train(
    learner: Learner,
    source: Source | TaskFamily,
    config: TrainingConfig,
    *,
    out: Path | str,
    objective: Objective | None = None,
    callbacks: Sequence[Callback] = (),
    after: Path | str | None = None,
) -> Run:
    """Train a learner on tasks of a family or source, in the folder `out`.

    A folder that holds this very run is gone on with: from its last good checkpoint, or, if it is finished, its
    learner is loaded. The result is the same, bit for bit, as without the interruption.

    Args:
        learner: what to train, in place; its weights must be those it had when the run began (give it a `seed`).
        source: a family, from which every step draws fresh tasks, or a `Source`.
        config: how long and how.
        out: the run's folder.
        objective: from tasks to a loss; `RandomSplit()` by default.
        callbacks: told of every row of metrics and of the end; they are no part of the run's hash.
        after: the folder of a finished run that this one goes on from: with its weights, its optimiser's state and its
            number of steps, of which `config.steps` must be more. `out` is another folder; with the same schedule a
            "constant" one is the same as if it had been trained for all steps at once.

    Returns:
        The run; `run.learner` is `learner`.

    Raises:
        RunFolderError: `out` holds another run.
        StorageError: `out` cannot be written.
        TrainingDiverged: a loss that is not finite.
        ValueError: arguments that do not fit together.
    """
    objective = RandomSplit() if objective is None else objective
    _check_arguments(learner, source, config, objective)
    for i, callback in enumerate(callbacks):
        if not isinstance(callback, Callback):
            raise ValueError(f"callbacks[{i}]: expected the methods on_metrics and on_end, got {describe(callback)}")
    if not isinstance(out, str | os.PathLike):
        raise ValueError(f"out: expected a path, got {describe(out)}")
    if isinstance(source, TaskFamily):
        source = FamilySource(source, config.tasks_per_shard, config.n_points)
    parent = None if after is None else _parent(after, learner, config)
    settings = run_settings(learner, source, config, objective)
    if parent is not None:
        settings["after"] = parent.read_config()["hash"]
    fabric = _fabric(config)
    if config.processes > 1 and "WORLD_SIZE" not in os.environ:
        job = (learner, source, config, objective, settings, Path(out), tuple(callbacks), parent)
        fabric.launch(partial(_train_in_spawned_process, job=job))
        return finish_from(RunFolder(out), learner, RunFolder(out).read_config()["hash"])
    fabric.launch()
    return _train_in_process(fabric, learner, source, config, objective, settings, Path(out), callbacks, parent)


def run_settings(
    learner: Learner, source: Source | TaskFamily, config: TrainingConfig, objective: Objective | None = None
) -> dict[str, Any]:
    """Everything a run's result depends on, as JSON-able data; its digest is the run's hash.

    Of classes that are not the library's own, `code` is a digest of their text; what they call is not looked into.
    """
    if isinstance(source, TaskFamily):
        source = FamilySource(source, config.tasks_per_shard, config.n_points)
    own = [cls for thing in (learner, source, objective) for cls in configurable_classes(thing) if is_own(cls)]
    return {
        "learner": configuration(learner),
        "source": configuration(source),
        "objective": configuration(RandomSplit() if objective is None else objective),
        **({"code": classes_digest(own)} if own else {}),
        "training": config.result_settings(),
        "initial_weights": digest_tensors(learner.state_dict()),
    }


def _parent(after: object, learner: Learner, config: TrainingConfig) -> RunFolder:
    """The folder of the run that is gone on from; its final weights become the learner's.

    Raises:
        RunFolderError: it holds no finished run, or one without its final state.
        ValueError: a learner of another kind, or steps that it has already taken.
    """
    if not isinstance(after, str | os.PathLike):
        raise ValueError(f"after: expected the folder of a run, got {describe(after)}")
    place = RunFolder(Path(after))
    settings = place.read_config()
    check_finished(place)
    steps = int(settings["training"]["steps"])
    if config.steps <= steps:
        raise ValueError(f"steps: expected more than the {steps} of the run in {place.path}, got {config.steps}")
    files = place.checkpoint_files()
    if not files or files[-1].name != f"step-{steps:08d}.safetensors":
        raise RunFolderError(
            f"{place.path} holds no state of its optimiser after its last step, so it cannot be gone on from"
        )
    held, own = settings["learner"], configuration(learner)
    if held != own:
        raise ValueError(f"learner: expected the learner of the run in {place.path}, {held}, got {own}")
    finish_from(place, learner, settings["hash"])
    return place


def _check_arguments(learner: object, source: object, config: object, objective: object) -> None:
    for name, value, kind in (
        ("learner", learner, Learner),
        ("source", source, (Source, TaskFamily)),
        ("config", config, TrainingConfig),
        ("objective", objective, Objective),
    ):
        if not isinstance(value, kind):
            kinds = kind if isinstance(kind, tuple) else (kind,)
            raise ValueError(f"{name}: expected a {' or '.join(k.__name__ for k in kinds)}, got {describe(value)}")
    assert isinstance(learner, Learner)
    assert isinstance(config, TrainingConfig)
    for path in (config.optimizer, config.schedule):
        if "." in path:
            own_function(path)  # found out before a folder is claimed
    if not any(p.requires_grad for p in learner.parameters()):
        raise ValueError(f"learner: {type(learner).__name__} has no parameters to train; it is ready as it is")
    if isinstance(source, Source):
        for name, own in source.numbers(config.shards).items():
            given = getattr(config, name)
            if given not in (own, TrainingConfig.__dataclass_fields__[name].default):
                raise ValueError(
                    f"{name}: expected none beside a source of its own numbers, or the {own} of this {type(source).__name__}, got"
                    f" {given}; it applies to the training on a family only"
                )
    if isinstance(source, TaskFamily):
        if source.n_features != learner.n_features:
            raise ValueError(
                f"learner: expected n_features = {source.n_features}, as {source.name} has, got {learner.n_features}"
            )
        if (source.n_classes is None) != (learner.n_classes is None) or (
            source.n_classes is not None and learner.n_classes is not None and source.n_classes > learner.n_classes
        ):
            raise ValueError(
                f"learner: expected n_classes = {source.n_classes}, as {source.name} has, got {learner.n_classes}"
            )


def _fabric(config: TrainingConfig) -> Fabric:
    world, local = (int(os.environ.get(name, "1")) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    devices, nodes, strategy = config.processes, 1, "auto"
    if world > 1:  # under torchrun its numbers hold
        devices, nodes, strategy = local, world // local, "ddp"
    elif devices > 1:
        strategy = "ddp_spawn"
    if max(world, devices) > config.shards:
        raise ValueError(f"shards: expected at least one a process ({max(world, devices)}), got {config.shards}")
    accelerator = config.accelerator
    if accelerator == "auto" and not (torch.cuda.is_available() or torch.backends.mps.is_available()):
        accelerator = "cpu"
    return Fabric(
        accelerator=accelerator,
        devices=devices,
        num_nodes=nodes,
        strategy=strategy,
        precision=config.precision,  # type: ignore[arg-type]
    )


def _train_in_spawned_process(fabric: Fabric, job: tuple[Any, ...]) -> None:
    """`_train_in_process` with arguments of its own: torch gives spawned processes one shared memory of tensors.

    The result comes back by way of the folder; Fabric could not hand on a frozen dataclass.
    """
    _train_in_process(fabric, *copy.deepcopy(job))


def _train_in_process(
    fabric: Fabric,
    learner: Learner,
    source: Source,
    config: TrainingConfig,
    objective: Objective,
    settings: dict[str, Any],
    out: Path,
    callbacks: Sequence[Callback],
    parent: RunFolder | None,
) -> Run:
    """What every process does; the first one writes the files."""
    folder = RunFolder(out)
    with folder.claimed(settings) if fabric.global_rank == 0 else nullcontext():
        fabric.barrier()
        name = folder.read_config()["hash"]  # which a run of before code was kept has made without it
        return _train_in_folder(fabric, learner, source, config, objective, folder, name, callbacks, parent)


def _train_in_folder(
    fabric: Fabric,
    learner: Learner,
    source: Source,
    config: TrainingConfig,
    objective: Objective,
    folder: RunFolder,
    name: str,
    callbacks: Sequence[Callback],
    parent: RunFolder | None,
) -> Run:
    if folder.model.is_file():
        return finish_from(folder, learner, name)
    with one_thread_per_operator() if fabric.device.type == "cpu" else nullcontext():
        return TrainingLoop(fabric, learner, source, config, objective, folder, name, callbacks, parent).run()
