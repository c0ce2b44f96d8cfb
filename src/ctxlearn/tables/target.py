"""The column to predict: labels as they are written, or numbers; and which of the two it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctxlearn.tables.cells import Declared, Numbers, Text, are_numbers, plain, texts
from ctxlearn.tables.dates import find_date_form
from ctxlearn.tables.numerals import AmbiguousError, NumberForm, count_numbers, find_form, simple_numbers
from ctxlearn.tables.reading import Reading

CLASSES = 10
"""Most different whole numbers that may be classes where the user does not say so."""
MOSTLY = 0.5
TASKS = ("auto", "classification", "regression")


class TargetError(ValueError):
    """A target that cannot be read; the message begins with the cell."""


@dataclass(frozen=True)
class Target:
    """What is known of the column to predict.

    Attributes:
        known: rows that have a value, (k,) int64.
        labels: their values as text, as written, (k,).
        numbers: their values as numbers, (k,), for regression; None for classification.
        form: how numbers are written.
        why: why it is the one or the other.
        sure: whether the values leave little doubt.
    """

    known: NDArray[np.int64]
    labels: list[str]
    numbers: Numbers | None
    form: NumberForm
    why: str
    sure: bool = True

    @property
    def task(self) -> str:
        """`classification` or `regression`."""
        return "classification" if self.numbers is None else "regression"


def read_target(values: Any, task: str, reading: Reading, name: str = "target") -> Target:
    """Read a column to predict.

    Args:
        values: its cells, (n,).
        task: one of `TASKS`.
        reading: what the user says of text.
        name: how messages call it.

    Raises:
        TargetError: no cell has a value, or most are numbers and some are not.
    """
    cells = _labels(name, values, reading)
    form, numbers = _numbers(name, cells, task, reading)
    if numbers is not None and not _is_text(values):
        exact = plain(name, values)  # numbers that a file holds as such
        numbers = exact if isinstance(exact, np.ndarray) and are_numbers(exact) else numbers
    if numbers is not None:
        cells = reading.without_number_marks(cells) if task != "classification" else cells
    known = np.array([row for row, cell in enumerate(cells) if cell is not None], dtype=np.int64)
    if not len(known):
        raise TargetError("no row has a value")
    labels = [str(cells[row]) for row in known]
    if numbers is not None:
        numbers = numbers[known]
    if numbers is None and task != "classification" and len(set(labels)) > MOSTLY * len(labels) and _are_dates(labels):
        raise TargetError(
            f"row {known[0]}: expected names or numbers to predict, got dates ({labels[0]!r}, ...); turn them into numbers that mean"
            " something (days, say), or say --task classification where they are names"
        )
    classes, why, sure = _guess(labels, numbers)
    if task != "auto":
        why, sure, classes = f"--task {task}", True, task == "classification"
    return Target(known, labels, None if classes else numbers, form, why, sure)


def _are_dates(labels: Sequence[str]) -> bool:
    try:
        return find_date_form(dict.fromkeys(labels)) is not None
    except AmbiguousError:
        return True


def _is_text(values: Any) -> bool:
    return isinstance(plain("", values), list)


def _labels(name: str, values: Any, reading: Reading) -> Text:
    cells = texts(name, values)
    return cells if isinstance(plain(name, values), Declared) else reading.without_marks(cells)


def _numbers(name: str, cells: Text, task: str, reading: Reading) -> tuple[NumberForm, Numbers | None]:
    """The target as numbers, where it may be some."""
    simple = simple_numbers(cells) if reading.decimal != "," else None
    if simple is not None:
        return NumberForm(), simple
    valued = list(dict.fromkeys(cell for cell in cells if cell is not None and not reading.is_number_mark(cell)))
    if not valued or task == "classification":
        return NumberForm(), None
    try:
        form = find_form(valued, decimal=reading.decimal)
    except AmbiguousError as error:
        raise TargetError(
            f"{error}; say --decimal . or --decimal , or, where these are names, --task classification"
        ) from error
    if form is not None:
        read = {cell: form.read(cell) for cell in valued}
        return form, np.array(
            [np.nan if c is None or read.get(c) is None else read[c] for c in cells], dtype=np.float64
        )
    fits = count_numbers(valued)
    rows = Counter(cell for cell in cells if cell is not None)
    share = sum(rows[cell] for cell, fit in zip(valued, fits, strict=True) if fit) / sum(rows[cell] for cell in valued)
    many = sum(fits) > CLASSES or (sum(fits) > MOSTLY * len(valued) and sum(fits) > 2)
    if task == "regression" or (share > MOSTLY and many and not all(fits)):
        odd = [cell for cell, fit in zip(valued, fits, strict=True) if not fit] or valued
        shown = ", ".join(f"{cell!r} in row {cells.index(cell)}" for cell in odd[:3])
        more = f" and {len(odd) - 3} more such cells" if len(odd) > 3 else ""
        raise TargetError(
            f"row {cells.index(odd[0])}: expected a number, got {shown}{more}; mend or leave out these rows, say --na"
            f" {odd[0]!r} where it stands for an unknown value, or --task classification where the values are names"
        )
    return NumberForm(), None


def _guess(labels: Sequence[str], numbers: Numbers | None) -> tuple[bool, str, bool]:
    """Whether labels are classes, why, and whether that is beyond doubt.

    Names are classes. Numbers are classes where they repeat: whole, few, and either close together or found many times each.
    """
    n, k = len(labels), len(set(labels))
    if numbers is None:
        return True, "its values are names" + ("" if k <= max(2, n / 2) else f", though {k} of {n} differ"), True
    k_numbers = len(np.unique(numbers))
    zeros = any(
        len(digits := label.lstrip("+-")) > 1 and digits.startswith("0") and digits.isdigit() for label in labels
    )
    if zeros and (k <= n / 2 or k > k_numbers):
        return True, "its values are codes that begin with zeros", True
    if not (numbers == np.round(numbers)).all():
        return False, "its values are numbers with decimals", k_numbers > 2 or n < 10
    if k_numbers > n / 2:
        sure = n >= 10 or k_numbers > 2
        return False, f"its values are numbers that mostly do not repeat ({k_numbers} different in {n} rows)", sure
    if k_numbers > CLASSES:
        return False, f"its values are numbers, {k_numbers} different ones", k_numbers > 2 * CLASSES
    span = numbers.max() - numbers.min() + 1
    if k_numbers <= 2 or span <= 2 * k_numbers:
        sure = k_numbers <= 2 or n >= 4 * k_numbers
        return True, f"its values are {k_numbers} whole numbers that repeat in {n} rows", sure
    if n >= 10 * k_numbers:
        return True, f"its values are {k_numbers} whole numbers, each found {n // k_numbers} times on average", False
    return (
        False,
        f"its values are numbers from {numbers.min():.10g} to {numbers.max():.10g}, which repeat little",
        False,
    )
