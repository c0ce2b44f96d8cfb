"""Dates and times of day as text: one format per column, found by all its cells; pandas parses them.

The formats are tried here, since pandas guesses one from the first cell alone and skrub takes months to come first where
both readings are possible.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import pandas as pd

from ctxlearn.tables.cells import Dates, Text
from ctxlearn.tables.numerals import AmbiguousError

_LOOKS = re.compile(r"(?=.*\d)(?:[A-Za-z]{3,9}[., ]|\d{1,4}[-/. :,A-Za-z年]).*", re.DOTALL)
_DAY_FIRST, _MONTH_FIRST = "day first", "month first"
_DATES: dict[str, str] = {
    **{f"%Y{s}%m{s}%d": "" for s in ("-", "/", ".", " ")},
    **{f"%d{s}%m{s}%{y}": _DAY_FIRST for s, y in product(("/", ".", "-", " "), "Yy")},
    **{f"%m{s}%d{s}%{y}": _MONTH_FIRST for s, y in product(("/", ".", "-", " "), "Yy")},
    **{f"%d{s}%{m}{s}%{y}": "" for s, m, y in product((" ", "-", "/"), "bB", "Yy")},
    **{f"%d. %{m} %{y}": "" for m, y in product("bB", "Yy")},
    **{f"%{m} %d, %Y": "" for m in "bB"},
    **{f"%{m} %d %Y": "" for m in "bB"},
    **{f"%Y{s}%{m}{s}%d": "" for s, m in product((" ", "-"), "bB")},
    **{f"%{a}, %d %{m} %Y": "" for a, m in product("aA", "bB")},
    **{f"%{a}, %{m} %d, %Y": "" for a, m in product("aA", "bB")},
    **{f"%{m}{s}%Y": "" for m, s in product("bB", (" ", "-"))},
    **{f"%Y{s}%{m}": "" for m, s in product("bB", (" ", "-"))},
    **{"%Y-%m": "", "%Y/%m": "", "%m/%Y": ""},
}
_ISO = "ISO8601"
_WORDS = {
    **{"Y": "YYYY", "y": "YY", "m": "MM", "d": "DD", "b": "Mon", "B": "Month", "a": "Day", "A": "Day"},
    **{"H": "hh", "I": "hh", "M": "mm", "S": "ss", "f": "ffffff", "p": "AM/PM"},
}
_OF_DAY = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p")
_TIME = re.compile(r"(?P<hour>\d{1,2}:\d{2})(?P<second>:\d{2})?(?P<part>\.\d{1,6})?(?P<half> ?[AaPp][Mm])?")
_SHAPES = {"Y": r"\d{4}", "y": r"\d{2}", "m": r"\d{1,2}", "d": r"\d{1,2}"} | {
    **dict.fromkeys("ba", "[A-Za-z]{3}"),
    **dict.fromkeys("BA", "[A-Za-z]{3,9}"),
}
_ISO_LIKE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}[^APap]*)?")


@dataclass(frozen=True)
class DateForm:
    """How the dates of a column are written: a format of `strptime`, or ISO8601 in any of its forms."""

    format: str

    @property
    def of_day(self) -> bool:
        """Whether these are times of day, without a date."""
        return self.format in _OF_DAY

    def read(self, cells: Text) -> Dates:
        """Cells as datetime64[us], NaT where missing or not of this form; with a time zone, in UTC."""
        series = pd.Series(cells, dtype=object)
        found = pd.to_datetime(series, format=self.format, errors="coerce", utc=self.format == _ISO)
        if found.dt.tz is not None:
            found = found.dt.tz_localize(None)
        return np.asarray(found.to_numpy().astype("datetime64[us]"))

    def __str__(self) -> str:
        return "ISO 8601" if self.format == _ISO else re.sub(r"%(\w)", lambda found: _WORDS[found[1]], self.format)


def find_date_form(cells: Collection[str], more: Sequence[str] = (), day_first: bool | None = None) -> DateForm | None:
    """The format in which all cells are dates, or times of day; None if there is none.

    Args:
        cells: different, none missing, without outer blanks.
        more: cells of the same column elsewhere (the query's), asked where the day or the month may come first.
        day_first: which of the two, where the user says so.

    Raises:
        AmbiguousError: the day or the month may come first, with different dates.
    """
    found = _forms(list(cells), day_first)
    if len(found) > 1:
        narrowed = [
            form for form in found if not any(np.isnat(form.read([c])).any() for c in _dates_among(more, found))
        ]
        found = narrowed if len(narrowed) == 1 else found
    if len(found) > 1:
        cell = next(c for c in cells if len({str(form.read([c])[0]) for form in found}) > 1)
        readings = " or ".join(str(form.read([cell])[0])[:10] for form in found)
        raise AmbiguousError(f"{cell!r} may be {readings}")
    return found[0] if found else None


def count_dates(cells: Sequence[str]) -> list[bool]:
    """Which cells are dates in the form that fits most of them."""
    best = [False] * len(cells)
    for format in {form for cell in cells[:20] for form in _candidates(cell, None)}:
        fits = (~np.isnat(DateForm(format).read(list(cells)))).tolist()
        best = max(best, fits, key=sum)
    return best


def _forms(cells: list[str], day_first: bool | None) -> list[DateForm]:
    """Forms that fit all cells, one of those that read the same dates."""
    if not cells or not all(_LOOKS.match(cell) for cell in cells):
        return []
    different: dict[bytes, DateForm] = {}
    for format in _candidates(cells[0], day_first):
        form = DateForm(format)
        read = form.read(list(cells))
        if not np.isnat(read).any():
            different.setdefault(read.tobytes(), form)
    return list(different.values())


def _candidates(cell: str, day_first: bool | None) -> list[str]:
    """Formats that fit one cell."""
    if _ISO_LIKE.fullmatch(cell):
        return [_ISO]
    if not _LOOKS.match(cell):
        return []
    whole = _TIME.fullmatch(cell)
    if whole is not None:
        return [_time_format(whole)]
    day, between, time = _cut(cell)
    return [
        format + between + time
        for format, order in _DATES.items()
        if (not order or day_first is None or (order == _DAY_FIRST) == day_first) and _shape(format).fullmatch(day)
    ]


def _cut(cell: str) -> tuple[str, str, str]:
    """A cell's date, what stands between, and the format of its time of day."""
    for between in (", ", " ", "T"):
        start = re.search(rf"(?<=\d){between}(?=\d{{1,2}}:\d{{2}})", cell)
        time = None if start is None else _TIME.fullmatch(cell[start.end() :])
        if start is not None and time is not None:
            return cell[: start.start()], between, _time_format(time)
    return cell, "", ""


def _time_format(found: re.Match[str]) -> str:
    hour = "%I" if found["half"] else "%H"
    half = "" if not found["half"] else " %p" if found["half"].startswith(" ") else "%p"
    return f"{hour}:%M" + (":%S" if found["second"] else "") + (".%f" if found["part"] else "") + half


@cache
def _shape(format: str) -> re.Pattern[str]:
    return re.compile(
        "".join(_SHAPES[p[0]] + re.escape(p[1:]) if i else re.escape(p) for i, p in enumerate(format.split("%")))
    )


def _dates_among(cells: Sequence[str], forms: Sequence[DateForm]) -> list[str]:
    """The cells that are dates in at least one of the forms."""
    return [cell for cell in dict.fromkeys(cells) if not all(np.isnat(form.read([cell])).any() for form in forms)]
