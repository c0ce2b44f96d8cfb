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
        ValueError: y is no list of labels, lacks one, or holds both text and numbers.
    """
    labels = _array(y)
    _check_missing(labels)
    if labels.dtype.kind == "f":
        _check_finite(labels)
    if labels.dtype == object:
        text = np.array([isinstance(label, str) for label in labels])
        if text.any() and not text.all():
            rows = int(np.argmax(text)), int(np.argmin(text))
            raise ValueError(
                f"y: expected labels of one kind, got text, {describe(labels[rows[0]])} in row {rows[0]}, and"
                f" {describe(labels[rows[1]])} in row {rows[1]}; make them all text: [str(label) for label in y]"
            )
    return labels


def number_labels(y: Any) -> NDArray[np.float64]:
    """Labels (n,) of regression.

    Raises:
        ValueError: y is no list of numbers, lacks one, or holds one that is infinite.
    """
    labels = _array(y)
    _check_missing(labels)
    if labels.dtype.kind in "mMcV":
        raise ValueError(
            f"y: expected numbers, got {labels.dtype}; turn them into numbers that mean something (days, say)"
        )
    try:
        numbers = labels.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        row = next(row for row, label in enumerate(labels) if not _is_number(label))
        raise ValueError(
            f"y: expected numbers, got {describe(labels[row])} in row {row}; InContextClassifier takes classes"
        ) from None
    _check_finite(numbers)
    return numbers


def _array(y: Any) -> NDArray[Any]:
    labels = np.asarray(y)
    if labels.ndim != 1:
        raise ValueError(f"y: expected one label per row, (n,), got {describe(labels)}")
    return labels


def _check_missing(labels: NDArray[Any]) -> None:
    missing = pd.isna(labels)
    if missing.any():
        more = f" and {missing.sum() - 1} more" if missing.sum() > 1 else ""
        raise ValueError(
            f"Input y contains NaN: row {int(np.argmax(missing))}{more} without a label; leave such rows out"
        )


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
