"""Numbers as people write them: separators, currencies, percent, brackets, units; the form is decided per column.

Nothing here is in pandas (one `thousands` and one `decimal`, given beforehand) or skrub (which removes separators wherever
they stand, so that `1,2` and `12` become one, and turns what it cannot read into missing values without a word).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from ctxlearn.tables.cells import EXACT, Numbers, Text

_SIMPLE = re.compile(r"(?:[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\n)*", re.ASCII)
_CELL = re.compile(
    r"(?P<open>\()?\s*(?P<sign>[-+])?\s*(?P<before>[^\d\s.,+()-][^\d\s,+()-]{0,3})?\s*(?P<inner>[-+])?\s*"
    r"(?P<body>\d[\d.,' _]*|[.,]\d+)(?P<exponent>[eE][-+]?\d+)?"
    r"(?P<blank>\s*)(?P<after>[^\d\s.,+()-][^\d()]{0,14}|[^\W\d]{1,3}m?[23])?\s*(?P<trailing>-)?\s*(?P<close>\))?",
    re.ASCII,
)
_LOOK_ALIKES = str.maketrans(
    {
        **dict.fromkeys("\u2212\u2012\u2013\ufe63\uff0d", "-"),
        **dict.fromkeys("\u00a0\u2007\u2009\u202f\u2002\u2003", " "),
        **dict.fromkeys("\u2019\u02bc\u00b4\u2018", "'"),
        **{"\uff0b": "+", "\uff0c": ",", "\uff0e": ".", "\uff05": "%", "\u066b": ".", "\u066c": ","},
    }
)
_CODES = frozenset(
    [
        "usd",
        "eur",
        "gbp",
        "jpy",
        "chf",
        "cny",
        "inr",
        "aud",
        "cad",
        "nzd",
        "sek",
        "nok",
        "dkk",
        "pln",
        "czk",
        "huf",
        "brl",
        "mxn",
        "zar",
        "try",
        "rub",
        "krw",
        "sgd",
        "hkd",
        "thb",
        "idr",
        "myr",
        "php",
        "ils",
        "aed",
        "rs",
        "kr",
        "fr",
        "zł",
    ]
)
_MULTIPLIERS = {"k": 1e3, "K": 1e3, "M": 1e6, "mn": 1e6, "B": 1e9, "bn": 1e9}
_EUROPEAN = frozenset({"€", "eur"})
_DECIMALS, _GROUPINGS = (".", ","), ("", ",", ".", " ", "'", "_")
SUSPICIOUS = 10
"""From so many cells on, decimal points that all stand before exactly three digits, among whole numbers, look like thousands."""


class AmbiguousError(ValueError):
    """Cells can be read in two ways; the message says how."""


@dataclass(frozen=True)
class NumberForm:
    """How the numbers of a column are written.

    Attributes:
        decimal: "." or ",".
        grouping: what stands between thousands: "", ",", ".", " ", "'" or "_".
        unit: what stands before or after the number, in lower case; "" where nothing does.
    """

    decimal: str = "."
    grouping: str = ""
    unit: str = ""

    def read(self, cell: str) -> float | None:
        """A cell as a finite number; None if it is not written in this form."""
        parts = _split(cell)
        if parts is None or _common_unit({self.unit, parts.unit}) is None:
            return None
        return _value(parts, self.decimal, self.grouping)

    def __str__(self) -> str:
        said = []
        if self.grouping:
            said.append(f"thousands separated by {_NAMES[self.grouping]}")
        if self.decimal == ",":
            said.append("decimal comma")
        if self.unit:
            said.append(f"in {self.unit}")
        return ", ".join(said)


_NAMES = {",": "a comma", ".": "a point", " ": "a blank", "'": "an apostrophe", "_": "an underscore"}


@dataclass(frozen=True)
class _Parts:
    body: str
    exponent: str
    negative: bool
    unit: str
    factor: float


def find_form(cells: Collection[str], more: Iterable[str] = (), decimal: str | None = None) -> NumberForm | None:
    """The form in which all cells are numbers; None if there is none.

    Args:
        cells: different, none missing, without outer blanks.
        more: cells of the same column elsewhere (the query's), asked where these can be read in two ways.
        decimal: "." or "," where the user says so.

    Raises:
        AmbiguousError: two forms fit with different values, and nothing decides.
    """
    split = [_split(cell) for cell in cells]
    parts = [part for part in split if part is not None]
    if not parts or len(parts) < len(split):
        return None
    unit = _common_unit({part.unit for part in parts})
    if unit is None:
        return None
    others = [part for part in map(_split, more) if part is not None and _common_unit({unit, part.unit}) is not None]
    fitting = _fitting(parts, decimal)
    if not fitting:
        return None
    form = _decide(fitting, parts, unit)
    separated = any(map(_separated, parts))
    if form is None or (not separated and any(map(_separated, others))):
        fitting = _fitting([*parts, *others], decimal) or fitting
        form = None if separated else _decide(fitting, others, unit)  # a file of whole numbers leaves it to the other
        form = form or _decide(fitting, [*parts, *others], unit)
    if form is None:
        part = next(part for part in [*parts, *others] if _separated(part))
        readings = {abs(_value(part, *form) or 0.0) for form in fitting}
        raise AmbiguousError(
            f"{part.body!r} may be " + " or ".join(f"{number:.10g}" for number in sorted(filter(None, readings)))
        )
    if _merged(parts, [_value(part, *form) for part in parts]):
        return None
    return NumberForm(*form, unit)


def count_numbers(cells: Iterable[str]) -> list[bool]:
    """Which cells are numbers in some form."""
    return [
        parts is not None and any(_value(parts, *form) is not None for form in product(_DECIMALS, _GROUPINGS))
        for parts in map(_split, cells)
    ]


def units(cells: Iterable[str]) -> set[str]:
    """The units of the cells that are numbers."""
    return {parts.unit for parts in map(_split, cells) if parts is not None}


def simple_numbers(cells: Text) -> Numbers | None:
    """Cells as numbers where all are written as computers do, NaN where missing; else None. Much faster than a form."""
    present = [cell for cell in cells if cell is not None]
    text = "\n".join(present) + "\n"
    if not present or text.count("\n") > len(present) or not _SIMPLE.fullmatch(text):
        return None
    found = np.array([np.nan if cell is None else float(cell) for cell in cells], dtype=np.float64)
    big = np.abs(found) > EXACT
    if np.isinf(found).any() or (
        big.any() and len(set(found[big])) < len({c for c, b in zip(cells, big, strict=True) if b})
    ):
        return None
    return found


def _split(cell: str) -> _Parts | None:
    """The parts of a cell that reads as one number with at most one unit."""
    text = _ascii(cell)
    found = _CELL.fullmatch(text)
    if found is None or bool(found["open"]) != bool(found["close"]):
        return None
    body, after, blank = found["body"], found["after"] or "", found["blank"]
    signs = [sign for sign in (found["sign"], found["inner"], found["trailing"]) if sign]
    if len(signs) + bool(found["open"]) > 1 or (found["trailing"] and after):
        return None
    body, blank = body.rstrip(" "), blank or (" " if body != body.rstrip(" ") else "")
    if found["open"] and signs == [] and not body:
        return None
    before = found["before"] or ""
    if before and not _is_currency(before):
        return None
    after, factor = after.strip(), 1.0
    if after in _MULTIPLIERS and not blank:
        factor = _MULTIPLIERS[after]
        unit = before or after
    elif after and (before or not _is_unit(after)):
        return None
    else:
        unit = before or after
    unit = unit if factor != 1.0 else unit.casefold().rstrip(".")
    return _Parts(body, found["exponent"] or "", bool(found["open"]) or "-" in signs, unit, factor)


def _ascii(cell: str) -> str:
    text = cell.translate(_LOOK_ALIKES).strip()
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)


def _is_currency(text: str) -> bool:
    return text.casefold().rstrip(".") in _CODES or any(unicodedata.category(c) == "Sc" for c in text)


def _is_unit(text: str) -> bool:
    if len(text.split()) > 2 or not any(c.isalpha() or unicodedata.category(c) in ("Sc", "So", "Po") for c in text):
        return False
    return not any(c in ':;?!*#&@"=<>|~' for c in text)


def _common_unit(found: set[str]) -> str | None:
    """The unit of a column, "" where there is none; None where units differ.

    It may be left out in places, but not %, nor a capital that may stand for thousands or a name (12, 12B); one word in
    singular and plural counts as one, and so do multipliers.
    """
    named = {unit.removesuffix("s") if len(unit) > 2 else unit for unit in found if unit}
    if named <= set(_MULTIPLIERS):
        certain = len(named) > 1 or named <= {"k", "mn", "bn"}
        if certain and named:
            return "k"
        return max(named, default="") if "" not in found or not named else None
    if len(named) > 1 or ("%" in named and "" in found):
        return None
    return max(found, key=len)


def _body_pattern(decimal: str, grouping: str) -> re.Pattern[str]:
    d, g = re.escape(decimal), re.escape(grouping)
    whole = r"\d+"
    if grouping:
        whole += rf"|[1-9]\d{{0,2}}(?:{g}\d{{3}})+"
    if grouping == ",":
        whole += r"|[1-9]\d?(?:,\d{2})+,\d{3}"  # 12,34,567: lakh and crore
    return re.compile(rf"(?:{whole})(?:{d}\d*)?|{d}\d+", re.ASCII)


_PATTERNS = {form: _body_pattern(*form) for form in product(_DECIMALS, _GROUPINGS) if form[0] != form[1]}


def _value(parts: _Parts, decimal: str, grouping: str) -> float | None:
    pattern = _PATTERNS.get((decimal, grouping))
    if pattern is None or not pattern.fullmatch(parts.body):
        return None
    digits = parts.body.replace(grouping, "") if grouping else parts.body
    number = float(digits.replace(decimal, ".") + parts.exponent) * parts.factor
    if not np.isfinite(number):
        return None
    return -number if parts.negative else number


def _fitting(parts: Sequence[_Parts], decimal: str | None) -> list[tuple[str, str]]:
    """Forms that fit all cells, the simplest first, one of those that read the same values."""
    found: dict[tuple[float | None, ...], tuple[str, str]] = {}
    for form in _PATTERNS:
        if decimal is not None and form[0] != decimal:
            continue
        values = tuple(_value(part, *form) for part in parts)
        if None not in values:
            found.setdefault(values, form)
    return list(found.values())


def _separated(parts: _Parts) -> bool:
    return "," in parts.body or "." in parts.body


def _decide(fitting: Sequence[tuple[str, str]], parts: Sequence[_Parts], unit: str) -> tuple[str, str] | None:
    """One of the forms that fit, or None where the cells do not say which.

    Several fit only where a comma (or a point) stands before exactly three digits in every cell that has one. As a decimal
    mark it would hardly do so by chance, least of all among cells that lack it; between thousands it may not be lacking
    in any cell above 1,000.
    """
    if len(fitting) <= 1:
        return fitting[0] if fitting else None
    mark = "," if any("," in part.body for part in parts) else "."
    grouped = next((form for form in fitting if form[1] == mark), None)
    as_decimal = next((form for form in fitting if form[0] == mark and form[1] != mark), None)
    if grouped is None or as_decimal is None:
        return fitting[0]
    whole = [float(part.body) for part in parts if part.body.isdigit()]
    n_marked = sum(mark in part.body for part in parts)
    if mark == "." and unit not in _EUROPEAN and (n_marked < SUSPICIOUS or len(whole) < 2):
        return as_decimal  # how computers write numbers
    if any(number >= 1000 for number in whole) or (mark == "." and unit not in _EUROPEAN):
        return None
    if mark == "," and _is_currency(unit) and unit not in _EUROPEAN:
        return grouped  # amounts of money have no three decimals; those of fuel do, in euros
    return grouped if whole else None


def _merged(parts: Sequence[_Parts], values: Sequence[float | None]) -> bool:
    """Whether long whole numbers that differ have become one."""
    long = {
        (part.body, part.negative): value for part, value in zip(parts, values, strict=True) if abs(value or 0) > EXACT
    }
    return len(set(long.values())) < len(long)
