"""One column of any origin as plain cells: numbers, dates, text, or declared categories."""

from __future__ import annotations

import datetime
import decimal
import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, TypeGuard

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ctxlearn.checks import describe

Numbers = NDArray[np.float64]
Dates = NDArray[np.datetime64]
Text = list[str | None]


def are_dates(cells: Numbers | Dates) -> TypeGuard[Dates]:
    """Whether cells are dates rather than numbers."""
    return cells.dtype.kind == "M"


def are_numbers(cells: Numbers | Dates) -> TypeGuard[Numbers]:
    """Whether cells are numbers rather than dates."""
    return cells.dtype.kind == "f"


EXACT = 2**53
"""Integers up to this size are exact in double precision."""


@dataclass(frozen=True)
class Declared:
    """Cells of a column that its owner calls categorical.

    Attributes:
        cells: as text; None where missing.
        categories: that occur, or all of them in their order where it means something.
        ordered: whether it does.
    """

    cells: Text
    categories: tuple[str, ...]
    ordered: bool


Cells = Numbers | Dates | Text | Declared


def plain(name: str, values: Any) -> Cells:
    """A column as float64 (NaN where missing), datetime64[us] (NaT), text without outer blanks (None), or declared categories.

    Nullable, Arrow-backed and object columns are taken by their cells: numbers of any type (`Decimal` too), dates, Booleans
    and text. Numbers and text in one column are all text. Integers that doubles cannot tell apart are text.

    Args:
        name: for messages.
        values: a Series, or one column of an array, (n,).

    Raises:
        ValueError: complex numbers, durations or other things that are none of these.
        TypeError: a cell is none of these.
    """
    if isinstance(values, np.ndarray) and values.dtype == np.dtype(object):
        return _objects(name, values)
    series = values if isinstance(values, pd.Series) else pd.Series(values)
    dtype = series.dtype
    if _is_dictionary(dtype):
        series = series.astype("category")
        dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _declared(series)
    if pd.api.types.is_bool_dtype(dtype):
        found = [None if gone else str(bool(v)) for v, gone in zip(series, series.isna(), strict=True)]
        return Declared(found, tuple(sorted({v for v in found if v is not None})), ordered=False)
    if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype):
        numbers = series.to_numpy(dtype=np.float64, na_value=np.nan)
        if pd.api.types.is_integer_dtype(dtype) and (np.abs(numbers) > EXACT).any():
            return _integers([None if gone else int(v) for v, gone in zip(series, series.isna(), strict=True)])
        return numbers
    if pd.api.types.is_datetime64_any_dtype(dtype) or _is_arrow_date(dtype):
        return as_dates(series)
    if isinstance(dtype, pd.PeriodDtype):
        return as_dates(series.dt.start_time)
    if dtype != np.dtype(object) and not pd.api.types.is_string_dtype(dtype) and not _is_arrow_decimal(dtype):
        raise ValueError(
            f"X: column {name!r}: expected numbers, text, dates or categories, got {dtype}; turn it into numbers that mean"
            " something or leave it out"
        )
    return _objects(name, series.to_numpy(dtype=object))


def texts(name: str, values: Any) -> Text:
    """A column as text throughout, as categories are compared; whole numbers keep every digit."""
    if (
        isinstance(values, np.ndarray)
        and values.dtype == np.dtype(object)
        and set(map(type, values)) <= {str, type(None)}
    ):
        return [None if value is None else value.strip() for value in values]
    series = values if isinstance(values, pd.Series) else pd.Series(values)
    if pd.api.types.is_integer_dtype(series.dtype):
        return [None if gone else str(int(v)) for v, gone in zip(series, series.isna(), strict=True)]
    if series.dtype == np.dtype(object):
        pairs = zip(series, series.isna(), strict=True)
        for row, (value, gone) in enumerate(zip(series, series.isna(), strict=True)):
            if not gone:
                _kind(name, row, value)
        return [None if gone else category(v) for v, gone in pairs]
    cells = plain(name, series)
    if isinstance(cells, Declared):
        return cells.cells
    if isinstance(cells, list):
        return cells
    if cells.dtype.kind == "M":
        return [None if np.isnat(v) else str(v) for v in cells]
    return [None if np.isnan(v) else category(v) for v in cells]


def as_dates(series: Any) -> Dates:
    """Dates in microseconds, those with a time zone in UTC."""
    dates = pd.to_datetime(series, utc=getattr(series.dtype, "tz", None) is not None)
    if getattr(dates.dtype, "tz", None) is not None:
        dates = dates.dt.tz_convert("UTC").dt.tz_localize(None)
    return np.asarray(dates.to_numpy().astype("datetime64[us]"))


def category(value: Any) -> str:
    """A category as text: whole numbers without a point, so that 2 and 2.0 are one."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def folded(cell: str) -> str:
    """What cells that differ only by case, blanks or the way a number is written have in common."""
    text = " ".join(cell.casefold().split())
    if text.startswith("0") and text.isdigit():
        return text  # 007 is not 7
    try:
        number = float(text) if "_" not in text else None
    except ValueError:
        return text
    return str(int(number)) if number is not None and number.is_integer() and abs(number) < 2**53 else text


def plain_number(text: str) -> int | float | None:
    """A finite number as computers write it; None for any other text, and for 007, which is not 7."""
    if "_" in text or (len(text) > 1 and text.startswith("0") and text.isdigit()):
        return None
    try:
        return int(text)  # exact, however long
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _declared(series: pd.Series[Any]) -> Declared:
    ordered = bool(series.cat.ordered)
    known = series.cat.categories if ordered else series.cat.remove_unused_categories().cat.categories
    text = [category(v) for v in known]
    cells: Text = [
        None if gone else category(v) for v, gone in zip(series.to_numpy(dtype=object), series.isna(), strict=True)
    ]
    return Declared(cells, tuple(dict.fromkeys(text)), ordered)


def _objects(name: str, values: NDArray[np.object_]) -> Cells:
    if set(map(type, values)) <= {str, type(None)}:
        return [None if value is None else value.strip() for value in values]
    missing = pd.isna(values)
    kinds = {_kind(name, row, value) for row, (value, gone) in enumerate(zip(values, missing, strict=True)) if not gone}
    if kinds == {"date"}:
        return as_dates(
            pd.Series([pd.NaT if gone else pd.Timestamp(v) for v, gone in zip(values, missing, strict=True)])
        )
    if kinds == {"truth"}:
        return plain(
            name,
            pd.Series([None if gone else bool(v) for v, gone in zip(values, missing, strict=True)], dtype="boolean"),
        )
    if kinds == {"whole"}:
        return _integers([None if gone else int(v) for v, gone in zip(values, missing, strict=True)])
    if kinds <= {"number", "whole", "truth"}:
        return np.array([np.nan if gone else float(v) for v, gone in zip(values, missing, strict=True)], dtype=float)
    return [None if gone else category(v) for v, gone in zip(values, missing, strict=True)]


def _kind(name: str, row: int, value: Any) -> str:
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool | np.bool_):
        return "truth"
    if isinstance(value, Integral):
        return "whole"
    if isinstance(value, Real | decimal.Decimal):
        return "number"
    if isinstance(value, datetime.date | np.datetime64):  # a datetime and a Timestamp are dates too
        return "date"
    raise TypeError(f"X: column {name!r}, row {row}: argument must be a string or a real number, got {describe(value)}")


def _integers(values: list[int | None]) -> Numbers | Text:
    """Whole numbers as float64; as text where two of them would become one."""
    different = {v for v in values if v is not None}
    if any(abs(v) > EXACT for v in different) and len({_as_float(v) for v in different}) < len(different):
        return [None if v is None else str(v) for v in values]
    return np.array([np.nan if v is None else _as_float(v) for v in values], dtype=np.float64)


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf


def _arrow_type(dtype: Any) -> str:
    return str(dtype.pyarrow_dtype) if isinstance(dtype, pd.ArrowDtype) else ""


def _is_dictionary(dtype: Any) -> bool:
    return _arrow_type(dtype).startswith("dictionary")


def _is_arrow_date(dtype: Any) -> bool:
    return _arrow_type(dtype).startswith(("date", "timestamp"))


def _is_arrow_decimal(dtype: Any) -> bool:
    return _arrow_type(dtype).startswith("decimal")
