"""The kinds of columns: numbers, categories, dates, free text, and what is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from ctxlearn.checks import describe
from ctxlearn.tables.cells import Dates, Declared, Numbers, Text, folded, plain, texts
from ctxlearn.tables.column import Column, Features, Seen
from ctxlearn.tables.dates import DateForm
from ctxlearn.tables.numerals import NumberForm, simple_numbers
from ctxlearn.tables.reading import Reading
from ctxlearn.tables.text import TextEncoder

MANY = 64
"""Most categories whose codes are shuffled; a column of more is names rather than categories."""
_TRUTH = {"False": "0", "True": "1"}
_DAY = 86_400_000_000
"""Microseconds."""


@dataclass(frozen=True)
class NumberColumn(Column):
    """Numbers, in text of one form."""

    kind: ClassVar[str] = "number"
    form: NumberForm = field(default_factory=NumberForm)

    def features(self, values: Any, reading: Reading) -> Features:
        if self.seen.n_different == 0:
            return Features(
                np.full((len(values), 1), np.nan), [], []
            )  # the context has no value, so that its kind is unknown
        cells = plain(self.name, values)
        notes: list[str] = []
        odd: list[tuple[int, str]] = []
        if isinstance(cells, Declared):
            cells = [_TRUTH.get(cell, cell) if cell is not None else None for cell in cells.cells]
        if isinstance(cells, list):
            cells, odd = self._read(cells, reading)
        elif cells.dtype.kind == "M":
            raise ValueError(f"X: column {self.name!r}: expected numbers, as in fit, got dates")
        if odd:
            notes.append(f"{_places(odd)}: no number, as in fit; taken as missing")
        found = np.asarray(cells, dtype=np.float64)
        infinite = np.isinf(found)
        if infinite.any():
            row = int(infinite.argmax())
            raise ValueError(
                f"{self._at(row)}: expected finite numbers, or NaN for missing, got {found[row]} ({int(infinite.sum())}"
                " infinite values in all)"
            )
        return Features(found[:, None], [row for row, _ in odd], notes)

    def _read(self, cells: Text, reading: Reading) -> tuple[Numbers, list[tuple[int, str]]]:
        cells = reading.without_number_marks(cells)
        if self.form == NumberForm():
            simple = simple_numbers(cells)
            if simple is not None:
                return simple, []
        read = {cell: self.form.read(cell) for cell in set(cells) - {None} if cell is not None}
        odd = [(row, cell) for row, cell in enumerate(cells) if cell is not None and read[cell] is None]
        present = sum(cell is not None for cell in cells)
        if present == len(odd) > 1:
            row, cell = odd[0]
            raise ValueError(
                f"{self._at(row)}: expected a number, as in fit{self._form()}, got {describe(cell)}; none of the {present} values is one."
                + reading.advise(
                    f" Write both files alike, or where the values are names, say --categorical {self.name}",
                    " Where its values are names, make the column categorical in both (pandas: astype('category'))",
                )
            )
        return np.array([np.nan if c is None or read[c] is None else read[c] for c in cells], dtype=np.float64), odd

    def _form(self) -> str:
        return f" ({self.form})" if str(self.form) else ""

    @property
    def detail(self) -> str:
        return str(self.form)


@dataclass(frozen=True)
class CategoryColumn(Column):
    """Categories, coded in the order given; one that the context lacks counts as missing.

    One that differs from a known one by case, blanks or the way a number is written alone is read as that one, and said.
    """

    kind: ClassVar[str] = "category"
    categories: tuple[str, ...] = ()
    ordered: bool = False

    def features(self, values: Any, reading: Reading) -> Features:
        cells = texts(self.name, values)
        if not _declared(values):
            cells = reading.without_marks(cells)
        alike = {cell: self._known(cell) for cell in set(cells) if cell is not None}
        codes = {category: float(code) for code, category in enumerate(self.categories)}
        found = np.array([np.nan if c is None else codes.get(alike[c] or "", np.nan) for c in cells], dtype=np.float64)
        unknown = [row for row, c in enumerate(cells) if c is not None and alike[c] is None and self.categories]
        changed = [f"{cell!r} read as {known!r}" for cell, known in sorted(alike.items()) if known not in (None, cell)]
        return Features(found[:, None], unknown, [", ".join(changed)] if changed else [])

    @property
    def levels(self) -> tuple[int, ...]:
        n = 0 if self.ordered else len(self.categories)
        return (n if 3 <= n <= MANY else 0,)

    @property
    def detail(self) -> str:
        shown = [repr(c if len(c) <= 30 else f"{c[:27]}...") for c in self.categories[:6]]
        more = len(self.categories) - len(shown)
        return ", ".join(shown) + (f" and {more} more" if more > 0 else "")

    def _known(self, cell: str) -> str | None:
        """The category that a cell means."""
        if cell in self._codes:
            return cell
        if self._codes <= _TRUTH.keys():
            cell = {number: truth for truth, number in _TRUTH.items()}.get(cell, cell)
        near = self._folded.get(folded(cell), [])
        return near[0] if len(near) == 1 else None

    @cached_property
    def _codes(self) -> frozenset[str]:
        return frozenset(self.categories)

    @cached_property
    def _folded(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for category in self.categories:
            found.setdefault(folded(category), []).append(category)
        return found


@dataclass(frozen=True)
class DateColumn(Column):
    """Dates as days since 1970, month and weekday, and the hour where there are times of day; or times of day as hours."""

    kind: ClassVar[str] = "date"
    form: DateForm | None = None
    hours: bool = False

    def features(self, values: Any, reading: Reading) -> Features:
        dates, odd = self.dates(values, reading)
        gone = np.isnat(dates)
        whole = dates.astype("datetime64[D]")
        hour = (dates - whole).astype(np.int64) / (_DAY / 24)
        if self.form is not None and self.form.of_day:
            columns = [hour]
        else:
            days = whole.astype(np.int64)
            columns = [
                dates.astype(np.int64) / _DAY,
                dates.astype("datetime64[M]").astype(np.int64) % 12 + 1,
                (days + 3) % 7,
            ]
            columns += [hour] if self.hours else []
        found = np.stack([np.where(gone, np.nan, column) for column in columns], axis=1)
        notes = [f"{_places(odd)}: no date, as in fit; taken as missing"] if odd else []
        return Features(found, [row for row, _ in odd], notes)

    def dates(self, values: Any, reading: Reading) -> tuple[Dates, list[tuple[int, str]]]:
        """Cells as dates, and those that are none."""
        cells = plain(self.name, values)
        cells = cells.cells if isinstance(cells, Declared) else cells
        if not isinstance(cells, list):
            if cells.dtype.kind != "M" and not np.isnan(cells).all():
                raise ValueError(f"X: column {self.name!r}: expected dates, as in fit, got numbers")
            return cells.astype("datetime64[us]"), []
        cells = reading.without_number_marks(cells)
        found = (self.form or DateForm("ISO8601")).read(cells)
        odd = [(row, cell) for row, cell in enumerate(cells) if cell is not None and np.isnat(found[row])]
        present = sum(cell is not None for cell in cells)
        if present == len(odd) > 1:
            row, cell = odd[0]
            raise ValueError(
                f"{self._at(row)}: expected a date, as in fit ({self.detail}), got {describe(cell)}; none of the {present} values is one;"
                " write them alike"
            )
        return found, odd

    @property
    def levels(self) -> tuple[int, ...]:
        return (0,) * (1 if self.form is not None and self.form.of_day else 4 if self.hours else 3)

    @property
    def detail(self) -> str:
        return "" if self.form is None else str(self.form)


@dataclass(frozen=True)
class TextColumn(Column):
    """Free text."""

    kind: ClassVar[str] = "text"
    encoder: TextEncoder = field(default_factory=lambda: TextEncoder((), (), (), ()))

    def features(self, values: Any, reading: Reading) -> Features:
        return Features(self.encoder.features(reading.without_marks(texts(self.name, values))), [], [])

    @property
    def levels(self) -> tuple[int, ...]:
        return (0,) * self.encoder.n_features

    @property
    def detail(self) -> str:
        return f"{len(self.encoder.words)} words that repeat"


@dataclass(frozen=True)
class LeftOutColumn(Column):
    """A column of which nothing can be learned."""

    kind: ClassVar[str] = "key"
    why: str = ""

    def features(self, values: Any, reading: Reading) -> Features:
        return Features(np.empty((len(values), 0)), [], [])

    @property
    def levels(self) -> tuple[int, ...]:
        return ()

    @property
    def detail(self) -> str:
        return f"left out: {self.why}"

    def told(self) -> tuple[str, ...]:
        return (*self.notes, self.detail)


def from_json(data: dict[str, Any]) -> Column:
    """What `Column.to_json` gave.

    Raises:
        ValueError: it is not that.
    """
    kinds: dict[str, type[Column]] = {
        cls.kind: cls for cls in (NumberColumn, CategoryColumn, DateColumn, TextColumn, LeftOutColumn)
    }
    try:
        held = dict(data)
        cls = kinds[held.pop("kind")]
        held["seen"], held["notes"] = Seen(*held["seen"]), tuple(held["notes"])
        if cls is NumberColumn:
            held["form"] = NumberForm(**held["form"])
        elif cls is DateColumn:
            held["form"] = None if held["form"] is None else DateForm(**held["form"])
        elif cls is CategoryColumn:
            held["categories"] = tuple(held["categories"])
        elif cls is TextColumn:
            encoder = held["encoder"]
            held["encoder"] = TextEncoder(
                tuple(encoder["words"]),
                tuple(encoder["idf"]),
                tuple(encoder["shown"]),
                tuple(tuple(row) for row in encoder["topics"]),
            )
        return cls(**held)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"columns: expected what an estimator wrote, got {describe(data)}") from error


def _declared(values: Any) -> bool:
    return isinstance(getattr(values, "dtype", None), pd.CategoricalDtype)


def _places(odd: Sequence[tuple[int, str]]) -> str:
    shown = ", ".join(f"{cell!r} in row {row}" for row, cell in odd[:3])
    return shown + (f" and {len(odd) - 3} more" if len(odd) > 3 else "")
