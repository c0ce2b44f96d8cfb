"""Fitted estimators as files: tensors and facts under one checksum."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ctxlearn.estimators.views import Views
from ctxlearn.learners import Learner
from ctxlearn.recorded import configuration, instantiate
from ctxlearn.storage import CorruptFileError, load_tensors, save_tensors
from ctxlearn.tables import Columns

FORMAT = 2
WEIGHTS, VIEWS = "learner.", "views."


@dataclass(frozen=True)
class Fitted:
    """What an estimator knows after fit, from which its answers follow.

    Attributes:
        columns: how tables become numbers.
        views: of the context.
        x: the rows that views show, (n, d) float64.
        y: their labels, (n,) int64 or float64.
        seed: of the views.
    """

    columns: Columns
    views: Views
    x: Tensor
    y: Tensor
    seed: int


def write_fitted(path: Path, kind: str, learner: Learner, fitted: Fitted, facts: dict[str, Any]) -> None:
    """Write one file.

    Raises:
        StorageError: it cannot be written.
        ValueError: the learner cannot be built again from what it records.
    """
    recipe = configuration(learner)
    instantiate(recipe, Learner)  # found out now, and not when the file is all there is
    tensors = {WEIGHTS + name: tensor for name, tensor in learner.state_dict().items()}
    tensors |= {VIEWS + name: part for name, part in fitted.views._asdict().items()}
    tensors |= {"x": fitted.x, "y": fitted.y}
    held = {"format": FORMAT, "kind": kind, "learner": recipe, "columns": fitted.columns.to_json(), **facts}
    save_tensors(path, tensors, held)


def read_fitted(path: Path, kind: str) -> tuple[Learner, Fitted, dict[str, Any]]:
    """What `write_fitted` wrote: the learner, what was fitted, and the facts.

    Raises:
        FileNotFoundError: there is no such file.
        CorruptFileError: it is not what was written, or no estimator.
        ValueError: it holds the other kind.
    """
    tensors, facts = load_tensors(path)
    if facts.get("format") != FORMAT:
        raise CorruptFileError(f"{path} is a file of ctxlearn, but no estimator that this version can read")
    if facts["kind"] != kind:
        raise ValueError(f"path: expected a saved {kind}, got a {facts['kind']} in {path}")
    learner = instantiate(facts["learner"], Learner)
    assert isinstance(learner, Learner)
    weights = {name.removeprefix(WEIGHTS): tensor for name, tensor in tensors.items() if name.startswith(WEIGHTS)}
    learner.load_state_dict(weights, assign=True)  # as they were, in their own precision
    views = Views(*(tensors[VIEWS + name] for name in Views._fields))
    columns = Columns.from_json(facts["columns"])
    return learner.eval(), Fitted(columns, views, tensors["x"], tensors["y"], facts["seed"]), facts


def as_json(values: Any) -> dict[str, Any]:
    """An array of labels, (C,), as JSON-able data."""
    kept = values.tolist()
    if not all(isinstance(v, str | int | float | bool) for v in kept):
        raise ValueError(f"y: expected labels of text, numbers or Booleans for a file, got {type(kept[0]).__name__}")
    return {"values": kept, "dtype": values.dtype.str}
