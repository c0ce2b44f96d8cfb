"""Which model an estimator runs: the shipped one, a run's, or a learner at hand."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import ctxlearn
from ctxlearn.checks import describe
from ctxlearn.learners import ContextScaled, Learner
from ctxlearn.training import Run, load
from ctxlearn.trust import UntrustedError, check_trusted

SHIPPED = Path(ctxlearn.__file__).parent / "models"
"""Folders of the runs that come with the package: classifier and regressor."""


def find_learner(model: object, kind: str, *, trusted: Sequence[str] = ()) -> Learner:
    """The learner that the argument `model` of an estimator means: one of the caller's own, which nobody else holds.

    Args:
        model: None for the shipped one, a run's folder, a `Run`, or a `Learner`.
        kind: "classifier" or "regressor".
        trusted: modules outside ctxlearn whose classes a run may be made of, as in `ctxlearn.load`.

    Raises:
        ValueError: it is none of these, or a learner of the other kind, or of inputs that are no rows of a table.
        RunFolderError, CorruptFileError: as `ctxlearn.load`.
    """
    if isinstance(model, Learner):
        learner = model
    elif isinstance(model, Run):
        learner = model.learner
    elif model is None or isinstance(model, str | os.PathLike):
        folder = SHIPPED / kind if model is None else Path(model).absolute()
        try:
            learner = _loaded(folder, _changed(folder), tuple(check_trusted(trusted)))
        except UntrustedError as error:
            raise UntrustedError(
                f"model: {error}. An estimator is then given the learner: model=ctxlearn.load({str(folder)!r}, trusted=[...])"
            ) from error
    else:
        raise ValueError(
            f"model: expected None for the shipped model, the folder of a run, a Run or a Learner, got {describe(model)}"
        )
    if (learner.n_classes is None) != (kind == "regressor"):
        other, what = ("InContextRegressor", "numbers") if kind == "classifier" else ("InContextClassifier", "classes")
        raise ValueError(f"model: expected a learner for a {kind}, got one that predicts {what}; use {other} with it")
    if not isinstance(learner.n_features, int):
        raise ValueError(
            f"model: expected a learner of rows of a table, whose n_features is an integer, got {learner.n_features}"
        )
    return copy.deepcopy(learner)


def scaled_by_context(learner: Learner) -> Learner:
    """The learner that estimators run: a copy, with inputs scaled by the context.

    What does not scale yet is put into a `ContextScaled`, so that units and missing values are no matter: a missing value then
    becomes its column's mean, unless the learner takes NaN.
    """
    own = copy.deepcopy(learner).eval().requires_grad_(False)
    return own if own.scales_by_context else ContextScaled(own, sort=False).eval()


@lru_cache(maxsize=4)
def _loaded(folder: Path, changed: Any, trusted: tuple[str, ...]) -> Learner:
    return load(folder, trusted=trusted)


def _changed(folder: Path) -> Any:
    """What changes when the files of a run do, so that a run trained anew is read anew."""
    paths = [folder / name for name in ("config.yaml", "model.safetensors")]
    return tuple(path.stat().st_mtime_ns if path.is_file() else None for path in paths)
