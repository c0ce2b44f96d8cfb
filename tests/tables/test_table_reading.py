"""Marks of missing values that a user declares: text as it is written, numbers by their value."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ctxlearn.tables import Columns, Reading
from ctxlearn.tables.cells import folded
from ctxlearn.tables.target import read_target

WORDS = st.text(st.characters(categories=["L", "P", "S"]), min_size=1, max_size=5).map(str.strip).filter(bool)


def missing_of(mark, cells):
    """Which cells are missing where a mark is declared."""
    return [cell is None for cell in Reading(missing=frozenset({mark})).without_marks(cells)]


@given(mark=WORDS, cell=WORDS)
@example(mark="n/d", cell="N/D")
@example(mark="Unknown", cell="unknown")
@example(mark="XX", cell="xx")
@example(mark="infinity", cell="inf")
def test_declared_marks_of_text_match_as_they_are_written(mark, cell):
    assert missing_of(mark, [mark, cell]) == [True, cell == mark]


@given(mark=WORDS)
def test_blanks_around_a_declared_mark_do_not_matter(mark):
    assert missing_of(f" {mark}\t", [mark, f"{mark}{mark}"]) == [True, False]


@given(number=st.floats(-1e9, 1e9) | st.integers(-(10**18), 10**18))
def test_declared_marks_that_are_numbers_match_by_value(number):
    mark = repr(number)
    forms = [mark, mark.upper(), f"{number:.17e}", mark if mark.startswith("-") else f"+{mark}"]
    assert all(missing_of(mark, [form for form in forms if float(form) == number]))
    assert missing_of(mark, [repr(number * 2 + 1), "none"]) == [number == -1, False]


@pytest.mark.parametrize(
    ("mark", "cell", "same"),
    [
        *[
            ("-999", "-999.0", True),
            ("0", "0.00", True),
            ("1e3", "1000", True),
            (".5", "0.50", True),
            ("5", "+5", True),
        ],
        *[
            ("007", "7", False),
            ("7", "007", False),
            ("1_0", "10", False),
            ("9007199254740993", "9007199254740992", False),
        ],
        *[("1e400", "1e500", False), ("NAN", "nan", False)],
    ],
)
def test_which_numbers_are_one_mark(mark, cell, same):
    assert missing_of(mark, [mark, cell]) == [True, same]


def test_marks_match_alike_in_columns_and_in_the_target():
    cells = ["n/d", "N/D", "good", "bad"] * 5
    reading = Reading(missing=frozenset({"n/d"}))
    column = Columns.learn(pd.DataFrame({"a": cells}), reading=reading).columns[0]
    assert column.seen.n_missing == 5
    assert "N/D" in column.categories
    assert set(read_target(np.array(cells, dtype=object), "classification", reading).labels) == {"N/D", "good", "bad"}
    assert folded("n/d") == folded("N/D")  # which is how an unknown category finds its known one
