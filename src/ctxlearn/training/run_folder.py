"""The folder of a run: config.yaml, metrics.csv, checkpoints/, model.safetensors, and weights/ where some are kept."""

from __future__ import annotations

import csv
import errno
import io
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import yaml
from filelock import FileLock, Timeout
from torch import Tensor

from ctxlearn import __version__
from ctxlearn.atomic import make_folder, reason
from ctxlearn.checks import describe
from ctxlearn.configurable import digest
from ctxlearn.escaping import printable
from ctxlearn.moved import with_current_names
from ctxlearn.plain_data import from_yaml
from ctxlearn.storage import (
    CorruptFileError,
    StorageError,
    load_tensors,
    save_tensors,
    write_atomically,
    write_text,
)

KEPT_CHECKPOINTS = 2
LOCK_SECONDS = 20.0


class RunFolderError(ValueError):
    """A folder that holds another run, or none."""


class LibraryVersionWarning(UserWarning):
    """A run goes on, or is taken as finished, that another version of the library began."""


@dataclass(frozen=True)
class Checkpoint:
    """Everything a run needs to go on: named tensors, and JSON-able facts."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


class RunFolder:
    """Reads and writes the files of one run."""

    def __init__(self, path: Path | str) -> None:
        if not isinstance(path, str | os.PathLike):
            raise ValueError(f"folder: expected a path, got {describe(path)}")
        self.path = Path(path)
        self.config = self.path / "config.yaml"
        self.metrics = self.path / "metrics.csv"
        self.model = self.path / "model.safetensors"
        self.checkpoints = self.path / "checkpoints"
        self.weights = self.path / "weights"
        self.version: str | None = None
        self._held: IO[bytes] | None = None

    @contextmanager
    def claimed(self, settings: dict[str, Any]) -> Iterator[None]:
        """Make this the folder of the run with these settings, or see that it already is; for this process alone.

        Nothing in the folder is touched before the process has it for itself. It is given up with the process, however that
        ends.

        Raises:
            RunFolderError: the folder holds something else, or a run with other settings, whose first difference is named; or
                another process trains in it, and did not end within 20 seconds.
            StorageError: the folder cannot be written.
        """
        if self.path.exists() and not self.path.is_dir():
            raise StorageError(errno.ENOTDIR, f"out: expected a folder, got the file {printable(str(self.path))}")
        self._check_holds(settings)
        try:
            make_folder(self.path)
            lock = FileLock(self.path / ".lock", timeout=LOCK_SECONDS)
            lock.acquire()
        except Timeout:
            raise RunFolderError(f"{self.path}: another process is training in it; wait for it or stop it") from None
        except OSError as error:
            raise StorageError(error.errno, f"cannot write {self.path}: {reason(error)}") from error
        try:
            with open(self.path / ".lock", "rb") as self._held:
                if not self._check_holds(settings):  # once more: another process may have been faster
                    write_text(
                        self.config,
                        yaml.safe_dump(
                            {"hash": run_hash(settings), "version": __version__, **settings}, sort_keys=False
                        ),
                    )
                self._remove_leftovers()
                yield
        finally:
            self._held = None
            lock.release()

    def check_still_there(self) -> None:
        """See that the folder is the one that was claimed.

        Raises:
            StorageError: it was deleted, moved or replaced.
        """
        try:
            there = self._held is not None and os.path.samestat(
                os.fstat(self._held.fileno()), os.stat(self.path / ".lock")
            )
        except OSError:
            there = False
        if not there or not self.config.is_file():
            raise StorageError(
                errno.ENOENT, f"the run's folder {self.path} was deleted, moved or replaced while it was trained"
            )

    def read_config(self) -> dict[str, Any]:
        """The settings that the run was claimed with, and their hash, which does not cover the library's `version`.

        Raises:
            RunFolderError: there are none, they cannot be read, or they are not those that the hash was made of.
        """
        if not self.config.is_file():
            raise RunFolderError(f"{self.path} holds no run: there is no config.yaml in it")
        try:
            held = from_yaml(self.config.read_text(encoding="utf-8"))
        except (yaml.YAMLError, ValueError, OSError) as error:
            raise RunFolderError(f"{self.config} cannot be read: {error}") from error
        if not isinstance(held, dict) or not isinstance(held.get("hash"), str):
            raise RunFolderError(f"{self.config} is not the configuration of a run")
        self.version = str(held.pop("version", "")) or None
        settings = {key: value for key, value in held.items() if key != "hash"}
        if not _is_hash_of(held["hash"], settings):
            raise RunFolderError(
                f"{self.config} was edited: it is no longer what this run was trained with. Restore it, or train a new run of"
                f" it: ctxlearn train --config {self.config} --out NEW_FOLDER"
            )
        return held

    def _check_holds(self, settings: dict[str, Any]) -> bool:
        """Whether the folder holds this run already; if not, it must be empty.

        The listing comes first: whoever claims the folder meanwhile has then written config.yaml before we look for it, and
        its other files are not mistaken for a stranger's.
        """
        strangers = sorted(p.name for p in self.path.iterdir()) if self.path.exists() else []
        strangers = [s for s in strangers if not s.endswith(".tmp") and s != ".lock"]
        if not self.config.exists():
            if strangers:
                raise RunFolderError(
                    f"{self.path} is not empty and holds no run (found {', '.join(strangers[:3])}); choose another folder"
                )
            return False
        held = self.read_config()
        known = (
            settings if "code" in held else {k: v for k, v in settings.items() if k != "code"}
        )  # of before it was kept
        if held["hash"] != run_hash(known):
            difference = _first_difference(with_current_names(held), known)
            way = "choose another folder, or the settings of that run"
            if difference.startswith("initial_weights"):  # all else is the same
                way = (
                    "the learner was made in the same way but its weights are not those that a new one has: it was trained or"
                    " changed since. Build the learner anew and train again, or choose another folder"
                )
            if difference.startswith("code"):
                difference = "of classes of your own whose code was another"
            raise RunFolderError(f"{self.path} holds another run ({difference}); {way}")
        if self.version not in (None, __version__):
            words = f"was begun with ctxlearn {self.version}, and this is {__version__}: its numbers may be others now"
            warnings.warn(f"the run in {self.path} {words}", LibraryVersionWarning, stacklevel=3)
        return True

    def _remove_leftovers(self) -> None:
        """Remove part files of processes that were killed while they wrote: whoever else trained here is gone."""
        for place in (self.path, self.checkpoints, self.weights):
            for leftover in place.glob(".*.tmp"):
                leftover.unlink(missing_ok=True)

    def save_checkpoint(self, step: int, checkpoint: Checkpoint) -> None:
        """Write the checkpoint after `step` steps and drop all but the newest ones."""
        self.check_still_there()
        size = sum(t.numel() * t.element_size() for t in checkpoint.tensors.values())
        free = shutil.disk_usage(self.path).free
        if free < 2 * size:
            reason = f"cannot write a checkpoint of {size:,} bytes to {self.path}: {free:,} bytes are free"
            raise StorageError(errno.ENOSPC, reason)
        save_tensors(self.checkpoints / f"step-{step:08d}.safetensors", checkpoint.tensors, checkpoint.facts)
        for old in self.checkpoint_files()[:-KEPT_CHECKPOINTS]:
            old.unlink(missing_ok=True)

    def checkpoint_files(self) -> list[Path]:
        """Checkpoints, oldest first."""
        return sorted(self.checkpoints.glob("step-*.safetensors"))

    def newest_checkpoint(self, name: str) -> Checkpoint | None:
        """The newest checkpoint of the run with this hash that is whole; others are named in a warning and set aside."""
        for path in reversed(self.checkpoint_files()):
            try:
                checkpoint = Checkpoint(*load_tensors(path))
                if checkpoint.facts.get("hash") != name:
                    raise CorruptFileError(f"{path} is of another run")
                return checkpoint
            except CorruptFileError as error:
                warnings.warn(f"{error}; going on from the checkpoint before it", stacklevel=3)
                path.rename(path.with_suffix(".damaged"))
        return None

    def keep_weights(self, step: int, tensors: Mapping[str, Tensor], facts: dict[str, Any]) -> None:
        """Write the weights after `step` steps, to stay for good."""
        self.check_still_there()
        save_tensors(self.weights / f"step-{step:08d}.safetensors", tensors, facts)

    def kept_weights(self) -> dict[int, Path]:
        """The files of `keep_weights` by step, in the order of the steps."""
        return {int(p.stem.removeprefix("step-")): p for p in sorted(self.weights.glob("step-*.safetensors"))}

    def append_metrics(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
        """Add rows to metrics.csv and flush them; the length of the file, for `truncate_metrics`.

        Appended and not rewritten, since it grows with the run; a checkpoint records its length, and what a killed
        process wrote after its last checkpoint is cut off when the run goes on.
        """
        self.check_still_there()
        try:
            with self.metrics.open("a", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, lineterminator="\n")
                if file.tell() == 0:
                    writer.writerow(columns)
                writer.writerows(rows)
                file.flush()
                os.fsync(file.fileno())
                return file.tell()
        except OSError as error:
            raise StorageError(error.errno, f"cannot write {self.metrics}: {reason(error)}") from error

    def truncate_metrics(self, length: int, columns: Sequence[str]) -> None:
        """Cut metrics.csv back to `length` bytes; a shorter or absent file becomes a header and is warned of."""
        have = self.metrics.stat().st_size if self.metrics.exists() else 0
        if have >= length > 0:
            with self.metrics.open("r+b") as file:
                file.truncate(length)
            return
        if length > 0:
            warnings.warn(f"{self.metrics} is shorter than its checkpoint says; earlier rows are lost", stacklevel=3)
        header = io.StringIO()
        csv.writer(header, lineterminator="\n").writerow(columns)
        write_atomically(self.metrics, header.getvalue().encode())

    def save_model(self, tensors: Mapping[str, Tensor], facts: dict[str, Any]) -> None:
        """Write the final weights."""
        self.check_still_there()
        save_tensors(self.model, tensors, facts)


def run_hash(settings: dict[str, Any]) -> str:
    """The name of a run: equal settings, equal name."""
    return digest(settings)


def _is_hash_of(name: str, settings: dict[str, Any]) -> bool:
    try:
        return name == run_hash(settings)
    except (TypeError, ValueError):  # a date, or keys of several types, which no run has
        return False


def _first_difference(held: Any, wanted: Any, path: str = "") -> str:
    if isinstance(held, dict) and isinstance(wanted, dict):
        for key in [*wanted, *(k for k in held if k not in wanted and not (path == "" and k == "hash"))]:
            if held.get(key) != wanted.get(key):
                return _first_difference(held.get(key), wanted.get(key), f"{path}.{key}" if path else str(key))
    return f"{path}: it has {held!r}, this run {wanted!r}"
