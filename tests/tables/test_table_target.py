"""The column to predict: labels stay as written, and the guess of the task looks at how values repeat."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlearn.tables import Reading
from ctxlearn.tables.target import TargetError, read_target

SHELL = Reading(shell=True)


def read(values, task="auto", reading=SHELL):
    return read_target(pd.Series(values, dtype=object), task, reading)


@pytest.mark.parametrize(
    ("values", "task", "sure"),
    [
        (["a", "b"] * 10, "classification", True),
        (["0", "1"] * 10, "classification", True),
        (["1", "2", "3"] * 10, "classification", True),
        (["1", "2", "3", "4", "5"] * 3, "classification", False),
        (["1.0", "2.0"] * 10, "classification", True),
        (["007", "008"] * 5, "classification", True),
        (["01", "1"] * 5, "classification", True),
        (["100", "120", "135", "150", "180", "210", "240", "260"], "regression", True),
        (["10", "90", "35", "70", "50", "85", "60", "20", "95", "45"] * 2, "regression", False),
        (["100", "200", "300"] * 40, "classification", False),
        (["0.5", "2"], "regression", True),
        ([str(n) for n in range(11)] * 3, "regression", False),
        ([str(n) for n in range(40)] * 3, "regression", True),
        (["$889", "$1,770", "$950"], "regression", True),
        (["37.0%", "12.5%"], "regression", True),
        (["1234567890123456781", "1234567890123456783"] * 4, "classification", True),
    ],
)
def test_the_task_follows_from_how_values_repeat(values, task, sure):
    found = read(values)
    assert (found.task, found.sure) == (task, sure)
    assert found.why
    assert read(values, "classification").labels == values
    assert read(values, found.task).sure


@given(st.lists(st.integers(10**5, 10**7), min_size=3, max_size=60, unique=True))
def test_numbers_that_do_not_repeat_are_regressed_whatever_their_count(values):
    found = read([str(v) for v in values])
    assert found.task == "regression"
    assert found.numbers.tolist() == values


@given(st.lists(st.text(min_size=1, max_size=6).map(str.strip).filter(bool), min_size=1, max_size=9))
def test_labels_stay_as_they_are_written(labels):
    found = read(labels, "classification", Reading(missing=frozenset(), shell=True))
    assert found.labels == labels


def test_marks_are_missing_unless_declared():
    values = ["NA", "b", "?", ""] * 4
    assert read(values).labels == ["b"] * 4
    assert read(values, reading=Reading(missing=frozenset())).labels == ["NA", "b", "?"] * 4
    assert read(values, reading=Reading(missing=frozenset({"?"}))).labels == ["NA", "b"] * 4
    with pytest.raises(TargetError, match="no row has a value"):
        read(["", "NA"])


@pytest.mark.parametrize("odd", ["tbd", "12-13", "about 7", "1 234 5"])
def test_one_cell_that_is_no_number_does_not_make_names_of_the_others(odd):
    values = [str(100 + 7 * n) for n in range(20)]
    values[7] = odd
    with pytest.raises(TargetError, match=f"row 7: expected a number, got '{odd}' in row 7; mend or leave out"):
        read(values)
    assert read(values, "classification").labels == values
    assert read(values, reading=Reading(missing=frozenset({odd}))).known.tolist() == [n for n in range(20) if n != 7]


def test_typed_columns_keep_their_values():
    assert read_target(pd.Series([1.23456789012345678, 2.5, 3.5]), "auto", SHELL).numbers[0] == 1.23456789012345678
    assert read_target(pd.Series([1, 2] * 5), "auto", SHELL).labels == ["1", "2"] * 5
    assert read_target(pd.Series([True, False] * 5), "auto", SHELL).labels == ["True", "False"] * 5
    assert read_target(pd.Series([1.5, np.nan, 2.5]), "auto", SHELL).known.tolist() == [0, 2]


def test_a_target_in_two_readings_is_refused():
    with pytest.raises(TargetError, match=r"'1,770' may be 1.77 or 1770; say --decimal"):
        read(["1,770", "2,450"])
    assert read(["1,770", "2,450"], reading=Reading(decimal=".", shell=True)).numbers.tolist() == [1770, 2450]
    assert read(["1,770", "2,450"], reading=Reading(decimal=",", shell=True)).numbers.tolist() == [1.77, 2.45]


def test_dates_are_no_target_unless_they_are_names():
    days = [f"2020-01-{n:02}" for n in range(1, 20)]
    with pytest.raises(
        TargetError, match=r"row 0: expected names or numbers to predict, got dates \('2020-01-01', ...\)"
    ):
        read(days)
    assert read(days, "classification").labels == days
    assert read(["2020-01-01", "2020-02-01"] * 9).task == "classification"
