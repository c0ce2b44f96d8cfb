"""Where runs and measured numbers lie, each under its hash. Studies may share one folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ctxlearn.configurable import instantiate
from ctxlearn.learners.base import Learner
from ctxlearn.storage import CorruptFileError, load_tensors, save_tensors
from ctxlearn.training import kept_learners, load
from ctxlearn.training.run import finish_from
from ctxlearn.training.run_folder import RunFolder


@dataclass(frozen=True)
class Measured:
    """What one measurement gave.

    Attributes:
        arrays: by name.
        facts: JSON-able data.
        warned: names of the warnings that came up.
    """

    arrays: dict[str, np.ndarray]
    facts: Any
    warned: tuple[str, ...]


class Store:
    """A folder of runs and of samples."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    def run_path(self, run: str) -> Path:
        """The folder of the run with this hash."""
        return self.folder / run[:20]

    def samples_path(self, measurement: str) -> Path:
        """The file of the measurement with this hash."""
        return self.folder / "samples" / f"{measurement[:20]}.safetensors"

    def steps_done(self, run: str) -> int:
        """Steps after which a training that was stopped goes on."""
        files = RunFolder(self.run_path(run)).checkpoint_files()
        return int(files[-1].stem.removeprefix("step-")) if files else 0

    def load_run(self, described: dict[str, Any]) -> Any:
        """The learner that {"run": hash} stands for, perhaps in a folder of its own; or an iterator over kept ones."""
        folder = described.get("folder", self.run_path(described["run"]))
        if "learner" in described:
            learner = instantiate(described["learner"], Learner, place="learner")
            return finish_from(RunFolder(folder), learner, described["run"]).learner
        return kept_learners(folder) if described.get("kept") else load(folder)

    def save_samples(self, measurement: str, arrays: dict[str, np.ndarray], facts: Any, warned: list[str]) -> None:
        """Keep what was measured."""
        tensors = {name: torch.from_numpy(np.array(array, order="C")) for name, array in arrays.items()}
        save_tensors(
            self.samples_path(measurement), tensors, {"hash": measurement, "facts": facts, "warned": sorted(warned)}
        )

    def load_samples(self, measurement: str) -> Measured:
        """What was measured.

        Raises:
            FileNotFoundError: it was not measured yet.
            CorruptFileError: the file is not what was written; removed, it is measured again.
        """
        try:
            tensors, about = load_tensors(self.samples_path(measurement))
        except CorruptFileError as error:
            raise CorruptFileError(f"{error}; remove it, and the same call measures it again") from error
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        return Measured(arrays, about["facts"], tuple(about["warned"]))
