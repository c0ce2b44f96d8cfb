"""Who is told of a training while it runs. Nothing of it is in a run's hash."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ctxlearn.training.run import Run


@runtime_checkable
class Callback(Protocol):
    """Told of each row of metrics.csv when it is made, and of the end. It must not change the learner.

    A run that goes on tells of the rows after its last checkpoint again, as metrics.csv is cut back there too. With several
    processes the first one tells.
    """

    def on_metrics(self, step: int, metrics: Mapping[str, float]) -> None:
        """A row of metrics.csv: loss, gradient_norm, rate, validation_loss where validated, and the source's facts."""

    def on_end(self, run: Run) -> None:
        """The run is finished and on disk."""


class TensorBoard:
    """Write metrics as event files that TensorBoard shows (extra `tensorboard`).

    Args:
        folder: of the event files.

    Raises:
        ValueError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path | str) -> None:
        writer = _module("torch.utils.tensorboard", "tensorboard").SummaryWriter
        self._writer: Any = writer(log_dir=str(folder))

    def on_metrics(self, step: int, metrics: Mapping[str, float]) -> None:
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)

    def on_end(self, run: Run) -> None:
        self._writer.add_text("run", str(run.folder), int(run.facts["step"]))
        self._writer.close()


class WeightsAndBiases:
    """Log metrics to Weights & Biases, offline by default: `wandb sync` uploads what was written (extra `wandb`).

    Args:
        project: of the run there.
        folder: of its files.
        mode: "offline" or "online".

    Raises:
        ValueError: wandb is not installed, or another mode.
    """

    def __init__(self, project: str, folder: Path | str = ".", mode: str = "offline") -> None:
        if mode not in ("offline", "online"):
            raise ValueError(f"mode: expected 'offline' or 'online', got {mode!r}")
        self._run: Any = _module("wandb", "wandb").init(project=project, dir=str(folder), mode=mode)

    def on_metrics(self, step: int, metrics: Mapping[str, float]) -> None:
        self._run.log(dict(metrics), step=step)

    def on_end(self, run: Run) -> None:
        self._run.summary.update({name: value for name, value in run.facts.items() if value is not None})
        self._run.finish()


def _module(name: str, extra: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ValueError(
            f"{extra} is not installed ({error}); install it with: pip install 'ctxlearn[{extra}]'"
        ) from error
