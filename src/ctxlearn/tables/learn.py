"""What a column of the context is: decided by all its cells, and refused where they say two things."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np

from ctxlearn.tables.cells import Dates, Declared, Numbers, Text, are_dates, are_numbers, folded, plain, texts
from ctxlearn.tables.column import Column, Features, Seen
from ctxlearn.tables.dates import DateForm, count_dates, find_date_form
from ctxlearn.tables.kinds import CategoryColumn, DateColumn, LeftOutColumn, NumberColumn, TextColumn
from ctxlearn.tables.numerals import AmbiguousError, NumberForm, count_numbers, find_form, simple_numbers, units
from ctxlearn.tables.reading import Reading
from ctxlearn.tables.text import ENOUGH, TextEncoder, n_words

MOSTLY = 0.5
"""If more than this share of the distinct values parse as numbers (or dates), the rest are treated as errors."""
REPEATED = 0.5
"""At most this share of a text column's values are different where they are categories."""
_INFINITE = frozenset({"inf", "-inf", "+inf", "infinity", "-infinity", "+infinity"})


class Learned(NamedTuple):
    """A column as the context shows it, and the features of the context's cells where they are known."""

    column: Column
    features: Features | None = None


def learn_column(name: str, values: Any, reading: Reading, categorical: bool = False, more: Any = None) -> Learned:
    """A column of the context, and its features where finding out what it is has made them.

    Args:
        name: how messages call it.
        values: its cells, (n,).
        reading: what the user says of text.
        categorical: whether the user says that its values are names.
        more: cells of the same column elsewhere, asked where those of the context can be read in two ways.

    Raises:
        ValueError: most cells are numbers or dates and some are not, or all can be read in two ways.
        TypeError: a cell is neither text nor a number.
    """
    cells = plain(name, values)
    if isinstance(cells, Declared):
        return Learned(_category(name, cells.cells, cells.categories, cells.ordered))
    if categorical:
        return Learned(learn_categories(name, values, cells, reading))
    if isinstance(cells, list):
        return _of_text(name, reading.without_marks(cells), reading, more)
    if are_dates(cells):
        return Learned(_of_dates(name, cells))
    assert are_numbers(cells)
    return Learned(_of_numbers(name, cells))


def learn_categories(name: str, values: Any, cells: Any, reading: Reading) -> Column:
    """A column whose values are names because the user says so."""
    found = texts(name, values)
    if isinstance(cells, list):
        found = reading.without_marks(found)
    return _category(name, found, tuple(_sorted({c for c in found if c is not None})), ordered=False)


def _of_numbers(name: str, numbers: Numbers, form: NumberForm | None = None) -> Column:
    present = numbers[~np.isnan(numbers)]
    different = np.unique(present)
    seen = Seen(len(numbers), len(numbers) - len(present), len(different))
    if not len(present):
        return CategoryColumn(name, seen=seen)  # of a column without values nothing is known, not even its kind
    return NumberColumn(
        name, form or NumberForm(), seen=seen._replace(low=f"{different[0]:.6g}", high=f"{different[-1]:.6g}")
    )


def _of_dates(name: str, dates: Dates, form: DateForm | None = None) -> Column:
    present = np.unique(dates[~np.isnat(dates)])
    seen = Seen(len(dates), int(np.isnat(dates).sum()), len(present))
    if not len(present):
        return CategoryColumn(name, seen=seen)
    of_day = form is not None and form.of_day
    hours = bool((present != present.astype("datetime64[D]")).any())
    low, high = (str(present[i])[11:16] if of_day else str(present[i])[:10] for i in (0, -1))
    return DateColumn(name, form, hours and not of_day, seen=seen._replace(low=low, high=high))


def _of_text(name: str, cells: Text, reading: Reading, more: Any) -> Learned:
    simple = simple_numbers(cells) if reading.decimal != "," else None
    if simple is not None and (reading.decimal == "." or not _may_be_grouped(cells)):
        return Learned(_of_numbers(name, simple), Features(simple[:, None], (), ()))
    return Learned(_of_other_text(name, cells, reading, more))


def _of_other_text(name: str, cells: Text, reading: Reading, more: Any) -> Column:
    different = dict.fromkeys(cell for cell in cells if cell is not None)
    valued = [cell for cell in different if not reading.is_number_mark(cell)]
    others = [] if more is None else _different_texts(name, more, reading)
    if not valued:
        return _words(name, cells, reading)
    try:
        form = find_form(valued, others, reading.decimal)
        date = None if form is not None else find_date_form(valued, others, reading.day_first)
    except AmbiguousError as error:
        _ambiguous(name, error, valued, reading)
    if form is not None or date is not None:
        cells = reading.without_number_marks(cells)
    if form is not None:
        read = {cell: form.read(cell) for cell in valued}
        return _of_numbers(name, np.array([np.nan if c is None else read[c] for c in cells], dtype=np.float64), form)
    if date is not None:
        return _of_dates(name, date.read(cells), date)
    return _words(name, cells, reading, _refuse_mixtures(name, cells, valued, reading))


def _may_be_grouped(cells: Text) -> bool:
    """Whether points may stand between thousands: three digits behind each, and whole numbers beside them."""
    pointed = [cell for cell in cells if cell is not None and "." in cell]
    return bool(pointed) and all(len(cell.rpartition(".")[2]) == 3 for cell in pointed) and len(pointed) < len(cells)


def _refuse_mixtures(name: str, cells: Text, valued: Sequence[str], reading: Reading) -> tuple[str, ...]:
    """Refuse a column that is nearly numbers or dates; notes of one that is not."""
    infinite = [cell for cell in valued if cell.casefold() in _INFINITE]
    numbers, dates = count_numbers(valued), count_dates(valued)
    if infinite and sum(numbers) + len(infinite) == len(valued):
        raise ValueError(
            f"X: column {name!r}, row {cells.index(infinite[0])}: expected finite numbers, or NaN for missing, got"
            f" {infinite[0]}"
        )
    what, fits = ("a number", numbers) if sum(numbers) >= sum(dates) else ("a date", dates)
    if all(fits) and what == "a number":
        return _numbers_that_disagree(name, cells, valued, reading)
    if sum(fits) <= MOSTLY * len(valued):
        return ()
    odd = [cell for cell, fit in zip(valued, fits, strict=True) if not fit]
    more = f" and {len(odd) - 1} more such" if len(odd) > 1 else ""
    mend = reading.advise(
        f"mend it; or say --na {odd[0]!r} where it stands for an unknown value, --categorical {name} where the values are"
        f" names, or --drop {name}",
        "mend it, leave it empty (NaN) where it is unknown, or make the column categorical (pandas: astype('category'))",
    )
    raise ValueError(
        f"X: column {name!r}, row {cells.index(odd[0])}: expected {what}, as in most rows of this column, got"
        f" {odd[0]!r} (str){more}; {mend}"
    )


def _numbers_that_disagree(name: str, cells: Text, valued: Sequence[str], reading: Reading) -> tuple[str, ...]:
    """Refuse numbers with and without a unit, or written in two ways; a note of those in different units."""
    found = units(valued)
    named = sorted(unit for unit in found if unit)
    mend = reading.advise(
        f"write all in one way, or say --categorical {name} where these are names, or --drop {name}",
        "write all in one way, or make the column categorical (pandas: astype('category'))",
    )
    if len(named) > 1:
        few = len(named) <= max(3, len(valued) // 4)
        return (f"numbers in different units ({', '.join(named[:4])}): read as names",) if few else ()
    bare = next((cell for cell in valued if units([cell]) == {""}), None)
    if named and bare is not None:
        other = next(cell for cell in valued if units([cell]) != {""})
        raise ValueError(
            f"X: column {name!r}: expected numbers in one unit, got {other!r} in row {cells.index(other)} and {bare!r} in row"
            f" {cells.index(bare)}; {mend}"
        )
    for cell in valued[1:]:
        if find_form_or_none([valued[0], cell]) is None:
            raise ValueError(
                f"X: column {name!r}: expected numbers written in one way, got {valued[0]!r} in row"
                f" {cells.index(valued[0])} and {cell!r} in row {cells.index(cell)}; {mend}"
            )
    return ()  # long numbers that double precision cannot tell apart: names


def find_form_or_none(cells: Sequence[str]) -> NumberForm | None:
    """A form that fits, any of them where several do."""
    try:
        return find_form(cells)
    except AmbiguousError:
        return NumberForm()


def _ambiguous(name: str, error: AmbiguousError, valued: Sequence[str], reading: Reading) -> NoReturn:
    numbers = any(count_numbers(valued))
    mend = (
        reading.advise(
            "say --decimal . or --decimal ,", "convert it first (pandas.read_csv has decimal= and thousands=)"
        )
        if numbers
        else reading.advise(
            "say --dates day-first or --dates month-first",
            "convert it first (pandas.to_datetime has format= and dayfirst=)",
        )
    )
    raise ValueError(f"X: column {name!r}: {error}, and no other cell of it decides; {mend}") from error


def _words(name: str, cells: Text, reading: Reading, notes: tuple[str, ...] = ()) -> Column:
    """Categories, free text, or a key."""
    present = [cell for cell in cells if cell is not None]
    different = set(present)
    seen = Seen(len(cells), len(cells) - len(present), len(different))
    lengths = [n_words(cell) for cell in different]
    wordy = bool(lengths) and sum(lengths) >= 2 * len(lengths)
    if len(different) > REPEATED * len(present) and len(different) > 1:
        if wordy and len(present) >= ENOUGH:
            encoder = TextEncoder.learn(present)
            if encoder is not None and encoder.n_features:
                return TextColumn(name, encoder, seen=seen, notes=notes)
        if len(different) == len(present) >= ENOUGH:
            why = (
                "no word stands in two rows"
                if wordy
                else "all its values are different, so that they tell nothing of others"
            )
            return LeftOutColumn(name, why, seen=seen, notes=notes)
        if wordy and sum(lengths) >= 4 * len(lengths):
            return LeftOutColumn(name, f"free text of fewer than {ENOUGH} rows", seen=seen, notes=notes)
    merged, merging = _merged(present)
    cells = [None if cell is None else merged.get(cell, cell) for cell in cells]
    return _category(
        name, cells, tuple(_sorted({c for c in cells if c is not None})), ordered=False, notes=notes + merging
    )


def _merged(cells: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Names that differ only in how they are written, by the commonest spelling; and what to say of it.

    Single letters stay apart: an allele A is not an allele a.
    """
    spellings: dict[str, dict[str, int]] = {}
    for cell, count in Counter(cells).items():
        spellings.setdefault(folded(cell) if len(cell) > 1 else cell, {})[cell] = count
    merged: dict[str, str] = {}
    notes = []
    for found in spellings.values():
        if len(found) > 1:
            kept = max(sorted(found), key=found.__getitem__)
            others = sorted(set(found) - {kept})
            merged |= dict.fromkeys(others, kept)
            notes.append(f"{', '.join(map(repr, others))} read as {kept!r}")
    return merged, tuple(notes)


def _category(
    name: str, cells: Text, categories: tuple[str, ...], ordered: bool, notes: tuple[str, ...] = ()
) -> CategoryColumn:
    present = {cell for cell in cells if cell is not None}
    seen = Seen(len(cells), sum(cell is None for cell in cells), len(present))
    known = categories if ordered else tuple(_sorted(set(categories)))
    return CategoryColumn(name, known, ordered, seen=seen, notes=notes)


def _sorted(categories: set[str]) -> list[str]:
    """In the order of numbers where all are numbers, so that declared numbers and their text are coded alike."""
    ordered = sorted(categories)
    numbers = simple_numbers([*ordered])
    return ordered if numbers is None else [ordered[place] for place in np.argsort(numbers, kind="stable")]


def _different_texts(name: str, values: Any, reading: Reading) -> list[str]:
    cells = plain(name, values)
    return list(dict.fromkeys(filter(None, reading.without_number_marks(cells)))) if isinstance(cells, list) else []
