"""A finished run, and how to get its learner back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ctxlearn.learners.base import Learner
from ctxlearn.recorded import instantiate
from ctxlearn.storage import CorruptFileError, load_tensors
from ctxlearn.training.folder import RunFolder, RunFolderError


@dataclass(frozen=True)
class Run:
    """What `train` gives back.

    Attributes:
        learner: the trained learner, in evaluation mode.
        folder: where its files are.
        facts: `step` and `chosen` ("last" or "best") of the final weights, their `validation_loss`, and the run's `hash`.
    """

    learner: Learner
    folder: Path
    facts: dict[str, Any]

    @property
    def metrics(self) -> pd.DataFrame:
        """metrics.csv as a table."""
        return pd.read_csv(self.folder / "metrics.csv")


def load(folder: Path | str) -> Learner:
    """The trained learner of a run's folder, in evaluation mode, on the CPU.

    Raises:
        RunFolderError: the folder holds no finished run.
        CorruptFileError: its weights are not what was written.
        ValueError: its learner's class cannot be imported.
    """
    return read_run(folder).learner


def kept_learners(folder: Path | str) -> Iterator[tuple[int, Learner]]:
    """The learner as it was after every `keep_every` steps of a run, one after the other: (steps taken, learner).

    In evaluation mode, on the CPU; with `averaging` these are the averaged weights, as in the result.

    Raises:
        RunFolderError: the folder holds no run, or one that kept no weights.
        CorruptFileError: a file of weights is not what was written.
    """
    place = RunFolder(folder)
    settings = place.read_config()
    files = place.kept_weights()
    if not files:
        raise RunFolderError(
            f"{place.path} holds a run that kept no weights on its way; train it in another folder with keep_every set"
        )
    for step, path in files.items():
        learner = instantiate(settings["learner"], Learner)
        tensors, facts = load_tensors(path)
        if facts.get("hash") != settings["hash"]:
            raise CorruptFileError(f"{path} is not of the run in {place.config}")
        learner.load_state_dict(tensors)
        yield step, learner.eval()


def read_run(folder: Path | str) -> Run:
    """The finished run in a folder; errors as in `load`."""
    place = RunFolder(folder)
    settings = place.read_config()
    if not place.model.is_file():
        raise RunFolderError(
            f"{place.path} holds a run that is not finished; train it again with the same settings and it goes on from"
            " its last checkpoint"
        )
    learner = instantiate(settings["learner"], Learner)
    tensors, facts = load_tensors(place.model)
    if facts.get("hash") != settings["hash"]:
        raise CorruptFileError(f"{place.model} is not of the run in {place.config}")
    learner.load_state_dict(tensors)
    return Run(learner.eval(), place.path, facts)
