"""Labels as users have them: what is missing or no label is refused with its row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ctxlearn.checks import describe


def class_labels(y: Any) -> NDArray[Any]:
    """Labels (n,) of classes, as they are: text as it is written, integers as integers.

    Raises:
        ValueError: y is no list of labels; lacks one; holds fractions, things that are no labels, or both text and numbers.
    """
    labels = _array(y)
    if labels.dtype == object:
        text = np.array([isinstance(label, str) for label in labels], dtype=bool)
        if text.any() and not text.all():
            rows = int(np.argmax(text)), int(np.argmin(text))
            raise ValueError(
                f"y: expected labels of one kind, got text, {describe(labels[rows[0]])} in row {rows[0]}, and"
                f" {describe(labels[rows[1]])} in row {rows[1]}; make them all text: [str(label) for label in y]"
            )
        for row, label in enumerate(labels):
            if not isinstance(label, str | int | float | np.generic):
                raise ValueError(
                    f"Unknown label type: {type(label).__name__}. y: expected classes (text, integers or Booleans), got"
                    f" {describe(label)} in row {row}; make them text: [str(label) for label in y]"
                )
    if labels.dtype.kind == "f":
        _check_finite(labels)
        wrong = labels != np.trunc(labels)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(
                f"Unknown label type: continuous. y: expected classes (text, integers or Booleans), got {labels[row]} in row"
                f" {row}; InContextRegressor takes numbers"
            )
    if labels.dtype.kind in "cSV":
        raise ValueError(
            f"Unknown label type: {labels.dtype}. y: expected classes (text, integers or Booleans); make them text"
        )
    return labels


def number_labels(y: Any) -> NDArray[np.float64]:
    """Labels (n,) of regression.

    Raises:
        ValueError: y is no list of numbers, lacks one, or holds one that is infinite.
    """
    labels = _array(y)
    if labels.dtype.kind in "mMcV":
        raise ValueError(
            f"y: expected numbers, got {labels.dtype}; turn them into numbers that mean something (days, say)"
        )
    try:
        numbers = labels.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        row = next(row for row, label in enumerate(labels) if not _is_number(label))
        raise ValueError(
            f"y: expected numbers, got {_shown(labels[row])} in row {row}; InContextClassifier takes classes"
        ) from None
    _check_finite(numbers)
    return numbers


def _array(y: Any) -> NDArray[Any]:
    """Labels without gaps as an array, in a type of numpy's: integers of pandas' own types are integers, and what is a list of text
    and other things keeps these as they are.
    """
    dtype = getattr(y, "dtype", None)
    if isinstance(dtype, pd.api.extensions.ExtensionDtype):
        series = pd.Series(y)
        _check_missing(series.isna().to_numpy())
        if isinstance(dtype, pd.CategoricalDtype):
            return _array(series.astype(dtype.categories.dtype))
        plain = getattr(dtype, "numpy_dtype", None)
        numeric = isinstance(plain, np.dtype) and plain.kind in "iufb"
        return series.to_numpy(dtype=plain if numeric else object)
    labels = np.asarray(y)
    if labels.ndim != 1:
        raise ValueError(f"y: expected one label per row, (n,), got {describe(labels)}")
    if isinstance(y, list | tuple) and labels.dtype.kind in "US" and not all(isinstance(v, str) for v in y):
        labels = np.array(y, dtype=object)  # else a number or a gap among text would have become text
    _check_missing(np.asarray(pd.isna(labels)))
    return labels


def _check_missing(missing: NDArray[np.bool_]) -> None:
    if missing.any():
        row, n = int(np.argmax(missing)), int(missing.sum())
        what = "has no label; leave it out" if n == 1 else f"and {n - 1} more have no label; leave them out"
        raise ValueError(f"Input y contains NaN: row {row} {what}")


def _check_finite(numbers: NDArray[Any]) -> None:
    if not np.isfinite(numbers).all():
        row = int(np.argmin(np.isfinite(numbers)))
        raise ValueError(f"Input y contains infinity or a value too large for dtype('float64'): row {row}")


def _is_number(label: Any) -> bool:
    try:
        float(label)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _shown(label: Any) -> str:
    return describe(label.item() if isinstance(label, np.generic) else label)
