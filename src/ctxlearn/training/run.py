"""A finished run, and how to get its learner back."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ctxlearn.learners.base import Learner
from ctxlearn.learners.stored import load_weights, stored_learner
from ctxlearn.storage import CorruptFileError, TensorFile, open_tensors
from ctxlearn.training.run_folder import RunFolder, RunFolderError
from ctxlearn.trust import placed


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

    def __repr__(self) -> str:
        return f"Run({type(self.learner).__name__} in {str(self.folder)!r}: {self._summary()})"

    def _repr_html_(self) -> str:
        """For a notebook: what was trained, and the last rows of its metrics."""
        name, folder = type(self.learner).__name__, html.escape(str(self.folder))
        head = f"<p><strong>{name}</strong> in <code>{folder}</code>: {self._summary()}</p>"
        rows: str = self.metrics.tail(3).to_html(index=False, na_rep="", border=0)
        return head + rows

    def _summary(self) -> str:
        return f"weights of step {self.facts['step']} ({self.facts['chosen']}), validation loss {self.facts['validation_loss']:.4g}"

    @property
    def metrics(self) -> pd.DataFrame:
        """metrics.csv as a table."""
        return pd.read_csv(self.folder / "metrics.csv")


def load(folder: Path | str, *, trusted: Sequence[str] = ()) -> Learner:
    """The trained learner of a run's folder, in evaluation mode, on the CPU.

    Args:
        folder: of a run.
        trusted: modules outside ctxlearn whose classes the run may be made of. Importing a module runs its code, so only classes of
            ctxlearn, and of what the program has imported itself, are built otherwise.

    Raises:
        RunFolderError: the folder holds no finished run, or its configuration was edited.
        CorruptFileError: its weights are not what was written, or not those of its configuration.
        ValueError: its learner's class cannot be imported, or is of a module that is not trusted; the module is named.
    """
    return read_run(folder, trusted=trusted).learner


def kept_learners(folder: Path | str, *, trusted: Sequence[str] = ()) -> Iterator[tuple[int, Learner]]:
    """The learner as it was after every `keep_every` steps of a run, one after the other: (steps taken, learner).

    In evaluation mode, on the CPU; with `averaging` these are the averaged weights, as in the result.

    Args:
        folder: of a run.
        trusted: as in `load`.

    Raises:
        RunFolderError: the folder holds no run, one that kept no weights, or one whose configuration was edited.
        CorruptFileError: a file of weights is not what was written.
        ValueError: as `load`.
    """
    place = RunFolder(folder)
    settings = place.read_config()
    files = place.kept_weights()
    if not files:
        raise RunFolderError(
            f"{place.path} holds a run that kept no weights on its way; train it in another folder with keep_every set"
        )
    for step, path in files.items():
        yield step, _learner(place, settings, path, trusted)[0]


def read_run(folder: Path | str, *, trusted: Sequence[str] = ()) -> Run:
    """The finished run in a folder; arguments and errors as in `load`."""
    place = RunFolder(folder)
    settings = place.read_config()
    check_finished(place)
    learner, facts = _learner(place, settings, place.model, trusted)
    return Run(learner, place.path, facts)


def finish_from(place: RunFolder, learner: Learner, name: str) -> Run:
    """The finished run in a folder, with its weights in a learner at hand, which the run's hash `name` says is its own."""
    check_finished(place)
    with open_tensors(place.model) as file:
        _check_hash(place, file, name)
        return Run(load_weights(learner, file.read(), place.model), place.path, file.metadata)


def check_finished(place: RunFolder) -> None:
    """Refuse the folder of a run without final weights."""
    if not place.model.is_file():
        raise RunFolderError(
            f"{place.path} holds a run that is not finished; train it again with the same settings and it goes on from"
            " its last checkpoint"
        )


def _learner(
    place: RunFolder, settings: dict[str, Any], path: Path, trusted: Sequence[str]
) -> tuple[Learner, dict[str, Any]]:
    """The learner of a run with the weights of one of its files, and the facts in it."""
    with open_tensors(path) as file:
        _check_hash(place, file, settings["hash"])
        try:
            learner, _ = stored_learner(settings.get("learner"), file, trusted=trusted)
        except CorruptFileError:
            raise
        except ValueError as error:
            raise placed(error, str(place.config)) from error
        return learner, file.metadata


def _check_hash(place: RunFolder, file: TensorFile, name: str) -> None:
    if file.metadata.get("hash") != name:
        raise CorruptFileError(f"{file.path} is not of the run in {place.config}")
