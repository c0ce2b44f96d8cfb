"""Fitted estimators as files: tensors and facts under one checksum."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ctxlearn.checks import check_choice, check_float, check_int, describe
from ctxlearn.configurable import configuration, instantiate
from ctxlearn.escaping import printable
from ctxlearn.estimators.ensemble import Views
from ctxlearn.learners import Learner
from ctxlearn.learners.stored import stored_learner
from ctxlearn.storage import CorruptFileError, open_tensors, save_tensors
from ctxlearn.tables import Columns
from ctxlearn.trust import modules_named, placed

FORMAT = 2
WEIGHTS, VIEWS = "learner.", "views."
KINDS = ("classifier", "regressor")
LABELS = (str, int, float, bool)
LONGEST = 10_000
"""Most characters of a label that is read from a file."""


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
    # found out now, and not when the file is all there is; a learner at hand has been trusted already
    instantiate(recipe, Learner, trusted=modules_named(recipe))
    tensors = {WEIGHTS + name: tensor for name, tensor in learner.state_dict().items()}
    tensors |= {VIEWS + name: part for name, part in fitted.views._asdict().items()}
    tensors |= {"x": fitted.x, "y": fitted.y}
    held = {"format": FORMAT, "kind": kind, "learner": recipe, "columns": fitted.columns.to_json(), **facts}
    save_tensors(path, tensors, held)


def read_fitted(path: Path, kind: str, trusted: Sequence[str] = ()) -> tuple[Learner, Fitted, dict[str, Any]]:
    """What `write_fitted` wrote: the learner, what was fitted, and the facts.

    Raises:
        FileNotFoundError: there is no such file.
        CorruptFileError: it is not what was written, or no estimator.
        ValueError: it holds the other kind, or its learner cannot be built, as `ctxlearn.load` says.
    """
    with open_tensors(path) as file:
        facts = file.metadata
        if facts.get("format") != FORMAT:
            raise CorruptFileError(f"{path} is a file of ctxlearn, but no estimator that this version can read")
        if facts.get("kind") != kind and facts.get("kind") in KINDS:
            raise ValueError(f"path: expected a saved {kind}, got a {facts['kind']} in {path}")
        with reading_facts(path):
            check_choice("kind", facts.get("kind"), KINDS)
        try:
            learner, tensors = stored_learner(
                facts.get("learner"), file, prefix=WEIGHTS, trusted=trusted, own_precision=True
            )
        except CorruptFileError:
            raise
        except ValueError as error:
            raise placed(error, str(path)) from error
    with reading_facts(path):
        columns = Columns.from_json(facts["columns"])
        views = Views(*(tensors[VIEWS + name] for name in Views._fields))
        fitted = Fitted(columns, views, tensors["x"], tensors["y"], check_int("seed", facts["seed"], minimum=0))
        _check(fitted, learner)
    return learner, fitted, facts


@contextmanager
def reading_facts(path: Path) -> Iterator[None]:
    """Facts of a file with the right checksum may still be nobody's: whatever fails inside is the file's fault."""
    try:
        yield
    except CorruptFileError:
        raise
    except (ArithmeticError, AttributeError, LookupError, RecursionError, RuntimeError, TypeError, ValueError) as error:
        what = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise CorruptFileError(f"{path} is no estimator that this version can read ({printable(what)})") from error


def _check(fitted: Fitted, learner: Learner) -> None:
    """Views that show what there is, to a learner that can read it; so that no answer comes from the wrong place."""
    views, x, y = fitted.views, fitted.x, fitted.y
    d = len(fitted.columns.levels)
    n, places, known = len(y), learner.n_features, learner.n_classes
    if (known is None) != y.is_floating_point() or not isinstance(places, int):
        raise ValueError("its learner is of another kind")
    _expect("x", x, torch.float64, (n, d))
    _expect("y", y, torch.float64 if known is None else torch.int64, (n,))
    e = views.rows.shape[0]
    n_classes, levels = (views.slots.shape[-1] if known is not None else 0), views.codes.shape[-1]
    _expect("views.rows", views.rows, torch.int64, (e, views.rows.shape[-1]), n - 1)
    _expect("views.features", views.features, torch.int64, (e, min(d, places)), d - 1)
    _expect("views.codes", views.codes, torch.int64, (e, d, levels), levels - 1, lowest=-1)
    _expect("views.slots", views.slots, torch.int64, (e, n_classes), (known or 1) - 1)
    if 0 in (e, n, d, views.rows.shape[-1]) or (known is not None and n_classes == 0):
        raise ValueError("it has no views, rows, columns or classes")
    if known is not None:
        _expect("y", y, torch.int64, (n,), n_classes - 1)
    if bool(x.isinf().any()) or (known is None and not bool(y.isfinite().all())):
        raise ValueError("its rows are not finite")


def _expect(
    name: str, tensor: Tensor, dtype: torch.dtype, shape: tuple[int, ...], highest: int | None = None, lowest: int = 0
) -> None:
    if tensor.dtype != dtype or tuple(tensor.shape) != shape:
        raise ValueError(
            f"{name}: expected {dtype} of shape {shape}, got {tensor.dtype} of shape {tuple(tensor.shape)}"
        )
    if highest is not None and tensor.numel() and not lowest <= int(tensor.min()) <= int(tensor.max()) <= highest:
        raise ValueError(f"{name}: expected numbers in [{lowest}, {highest}], got [{tensor.min()}, {tensor.max()}]")


def as_json(values: Any) -> dict[str, Any]:
    """An array of labels, (C,), as JSON-able data."""
    kept = values.tolist()
    if not all(isinstance(v, LABELS) for v in kept):
        raise ValueError(f"y: expected labels of text, numbers or Booleans for a file, got {type(kept[0]).__name__}")
    return {"values": kept, "dtype": values.dtype.str}


def from_json(facts: Any, n_classes: int) -> Any:
    """The labels that `as_json` gave, (C,)."""
    values, kind = facts["values"], np.dtype(facts["dtype"])
    found = np.array(values, dtype=object if kind.kind in "OU" else kind)
    if kind.kind not in "biufOU" or found.shape != (n_classes,) or not all(isinstance(v, LABELS) for v in values):
        raise ValueError(f"classes: expected {n_classes} labels of text, numbers or Booleans, got {describe(facts)}")
    if kind.kind == "U" and (not all(isinstance(v, str) for v in values) or kind.itemsize > 4 * LONGEST):
        raise ValueError(f"classes: expected text of at most {LONGEST} characters, got {describe(facts)}")
    return found.astype(kind)


def check_names(names: Any, d: int) -> Any:
    """Names of d columns as scikit-learn keeps them, (d,) objects."""
    if not isinstance(names, list) or len(names) != d or not all(isinstance(name, str) for name in names):
        raise ValueError(f"names: expected {d} names of columns, got {describe(names)}")
    return np.array(names, dtype=object)


def check_constant(value: Any) -> float | None:
    """The answer of a regressor of equal labels, or None."""
    return None if value is None else check_float("constant", value)
