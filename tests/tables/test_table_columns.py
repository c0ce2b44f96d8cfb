"""What a table may hold: numbers, categories, missing values; and what it may not."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_tables import blobs, untrained

from ctxlearn import InContextClassifier
from ctxlearn.estimators import TableWarning
from ctxlearn.tables import Columns

MODEL = untrained()


def numbers(values, asked=None):
    """A column as numbers, learned from its own values."""
    table = pd.DataFrame({"a": values})
    return Columns.learn(table).numbers(table if asked is None else pd.DataFrame({"a": asked}))[:, 0].tolist()


@pytest.mark.parametrize(
    "values",
    [
        [1, 2, 3],
        np.array([1, 2, 3], dtype=np.uint8),
        np.array([1, 2, 3], dtype=np.float16),
        pd.array([1, 2, 3], dtype="Int64"),
        ["1", "2.0", " 3"],
        np.array([1, np.int64(2), 3.0], dtype=object),
        pd.Categorical(["x", "y", "z"]).codes + 1,
    ],
)
def test_what_is_a_number(values):
    assert numbers(values) == [1, 2, 3]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([True, False, True], [1, 0, 1]),
        (pd.array([True, None, False], dtype="boolean"), [1, np.nan, 0]),
        (pd.array([1, None, 3], dtype="Int64"), [1, np.nan, 3]),
        ([1, None, np.nan], [1, np.nan, np.nan]),
        (["b", None, "a", "b"], [1, np.nan, 0, 1]),
        (pd.Series(["b", pd.NA, "a"], dtype="string"), [1, np.nan, 0]),
        (pd.Categorical(["low", "high", None], ["low", "mid", "high"], ordered=True), [0, 2, np.nan]),
        (pd.Categorical(["c", "a"], ["c", "b", "a"]), [1, 0]),
        (pd.Categorical([30, 10, 10]), [1, 0, 0]),
        (pd.cut(pd.Series([1.0, 9.0, 5.0]), 3), [0, 2, 1]),
        ([None, None], [np.nan, np.nan]),
        ([np.nan, np.nan], [np.nan, np.nan]),
        (np.array([True, None, False], dtype=object), [1, np.nan, 0]),
    ],
)
def test_what_is_a_category_and_what_is_missing(values, expected):
    np.testing.assert_array_equal(numbers(values), expected)


def test_what_the_context_does_not_know_is_missing():
    np.testing.assert_array_equal(numbers(["a", "b", "c"], ["b", "z", None, "1"]), [1, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(numbers(["a", "b"], [np.nan, None]), [np.nan, np.nan])
    np.testing.assert_array_equal(numbers([None, None], ["a", "7"]), [np.nan, np.nan])
    np.testing.assert_array_equal(numbers(pd.Categorical([1, 2]), [2, 3]), [1, np.nan])
    np.testing.assert_array_equal(numbers(pd.Categorical([1, 2]), pd.Categorical([2.0, 1.0])), [1, 0])
    np.testing.assert_array_equal(numbers(["1", "2"], [5, 6]), [5, 6])
    np.testing.assert_array_equal(numbers(["a", "b"], [np.nan, 3.0]), [np.nan, np.nan])
    np.testing.assert_array_equal(numbers(pd.Categorical([1, 2]), ["a", "b"]), [np.nan, np.nan])
    np.testing.assert_array_equal(numbers([1.0, 2.0], [1.0, "a"]), [1, np.nan])


@pytest.mark.parametrize(
    ("values", "asked", "error", "message"),
    [
        (
            [1, "a", 2],
            None,
            ValueError,
            r"column 'a', row 1: expected a number, as in most rows of this column, got 'a'",
        ),
        (
            ["1", "2", "3", "many"],
            None,
            ValueError,
            r"column 'a', row 3: expected a number, as in most rows.*got 'many'",
        ),
        (
            [1, {"b": 2}],
            None,
            TypeError,
            r"column 'a', row 1: argument must be a string or a real number, got {'b': 2}",
        ),
        ([1j, 2], None, ValueError, "column 'a': expected numbers, text, dates or categories, got complex128"),
        (pd.to_timedelta([1, 2]), None, ValueError, "column 'a': expected numbers, text, dates.*got timedelta64"),
        ([1.0, np.inf], None, ValueError, r"column 'a', row 1: expected finite numbers.*got inf \(1 infinite"),
        (["1", "inf"], None, ValueError, r"column 'a', row 1: expected finite numbers.*got inf"),
        ([1.0, 2.0], ["a", "b"], ValueError, "column 'a', row 0: expected a number, as in fit, got 'a'"),
        ([1.0, 2.0], [1.0, -np.inf], ValueError, r"column 'a', row 1: expected finite numbers"),
    ],
)
def test_what_cannot_be_read_is_named(values, asked, error, message):
    with pytest.raises(error, match="X: " + message):
        numbers(values, asked)


def test_columns_as_json_are_the_same():
    table = pd.DataFrame({"n": [1.5, 2], "t": ["u", "v"], "o": pd.Categorical([2, 1], [2, 1], ordered=True)})
    columns = Columns.learn(table)
    assert Columns.from_json(columns.to_json()) == columns


def mixed(n_rows=40):
    x, y = blobs(n_rows, 3, 3, spread=0.5)
    colours = np.array(["red", "green", "blue", "grey"])[(y + (np.arange(n_rows) % 5 == 0)) % 4]
    return pd.DataFrame({"size": x[:, 0], "colour": colours, "new": x[:, 2] > 0}), y


def test_arrays_of_objects_and_data_frames_say_the_same():
    table, y = mixed()
    expected = InContextClassifier(MODEL).fit(table, y).predict_proba(table)
    values = table.to_numpy(dtype=object)
    np.testing.assert_array_equal(InContextClassifier(MODEL).fit(values, y).predict_proba(values), expected)
    rows = values.tolist()
    np.testing.assert_array_equal(InContextClassifier(MODEL).fit(rows, y).predict_proba(rows), expected)
    categorical = table.astype({"colour": "category"})
    np.testing.assert_array_equal(InContextClassifier(MODEL).fit(categorical, y).predict_proba(table), expected)


def test_an_unseen_category_is_a_missing_value():
    table, y = mixed()
    classifier = InContextClassifier(MODEL).fit(table, y)
    unseen, missing = table.assign(colour="violet"), table.assign(colour=None)
    with pytest.warns(TableWarning, match="column 'colour': 40 of 40 values are unknown to the context"):
        found = classifier.predict_proba(unseen)
    np.testing.assert_array_equal(found, classifier.predict_proba(missing))
    assert np.abs(found - classifier.predict_proba(table)).max() > 1e-6


def test_codes_of_categories_differ_between_views_only():
    table, y = mixed()
    views = InContextClassifier(MODEL, n_estimators=6).fit(table, y)._fitted.views
    codes = views.codes[:, 1]
    assert codes[0].tolist() == [0, 1, 2, 3]
    assert all(sorted(code.tolist()) == [0, 1, 2, 3] for code in codes)
    assert len({tuple(code.tolist()) for code in codes}) > 1
    assert (views.codes[:, [0, 2]] == -1).all()
    ordered = pd.Categorical(table["colour"], ["grey", "red", "green", "blue"], ordered=True)
    assert InContextClassifier(MODEL).fit(table.assign(colour=ordered), y)._fitted.views.codes.shape[2] == 0


def test_columns_without_a_value_or_with_one_say_nothing():
    x, y = blobs(30, 3, 3)
    expected = InContextClassifier(MODEL).fit(x, y).predict_proba(x)
    more = np.column_stack([x, np.full(30, np.nan), np.full(30, 7.0)])
    classifier = InContextClassifier(MODEL).fit(more, y)
    np.testing.assert_allclose(classifier.predict_proba(more), expected, atol=1e-9)
    more[:, 3:] = 123.0
    np.testing.assert_allclose(classifier.predict_proba(more), expected, atol=1e-9)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (np.zeros((0, 3)), r"Found array with 0 sample\(s\)"),
        (pd.DataFrame({"a": []}), r"Found array with 0 sample\(s\)"),
        (np.zeros((3, 0)), r"Found array with 0 feature\(s\)"),
        (pd.DataFrame(index=range(3)), r"Found array with 0 feature\(s\)"),
        (np.zeros(3), "Expected 2D array"),
        (np.zeros((3, 2, 2)), "dim 3"),
    ],
)
def test_tables_without_rows_or_columns(table, message):
    with pytest.raises(ValueError, match=message):
        InContextClassifier(MODEL).fit(table, np.arange(len(table)))
    fitted = InContextClassifier(MODEL).fit(*blobs())
    if isinstance(table, np.ndarray) and 0 in table.shape[:1]:
        with pytest.raises(ValueError, match=message):
            fitted.predict(table)


def test_spellings_of_a_name_are_one_and_single_letters_are_not():
    table = pd.DataFrame({"a": ["Yes", "no", "yes", "NO", "no", "Yes"]})
    columns = Columns.learn(table)
    assert columns.columns[0].categories == ("Yes", "no")
    assert columns.columns[0].notes == ("'yes' read as 'Yes'", "'NO' read as 'no'")
    assert columns.numbers(pd.DataFrame({"a": ["YES", " No ", "maybe"]}))[:, 0].tolist()[:2] == [0, 1]
    assert Columns.learn(pd.DataFrame({"a": ["A", "a", "A", "a"]})).columns[0].categories == ("A", "a")
    declared = pd.DataFrame({"a": pd.Categorical(["Yes", "yes"])})
    assert Columns.learn(declared).columns[0].categories == ("Yes", "yes")


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([f"A{n}" for n in range(20)], "key"),
        (["x"] * 20, "constant"),
        (["red", "blue"] * 10, "category"),
        ([f"{n} kg" for n in range(20)], "number"),
        ([f"2020-01-{n + 1:02}" for n in range(20)], "date"),
        ([f"{n}:15" for n in range(20)], "date"),
        ([f"the {'red' if n % 2 else 'blue'} house number {'abcdefghijklmnopqrst'[n]}" for n in range(20)], "text"),
        ([f"quite different words {'abcdefghijklmnopqrst'[n] * 3}" for n in range(5)], "key"),
        ([None] * 20, "constant"),
    ],
)
def test_kinds(cells, kind):
    columns = Columns.learn(pd.DataFrame({"a": cells, "b": np.arange(len(cells))}))
    assert columns.columns[0].taken_for == kind
    assert columns.table()["kind"].tolist() == [kind, "number"]
    again = Columns.from_json(json.loads(json.dumps(columns.to_json())))
    assert again == columns
    table = pd.DataFrame({"a": cells[::-1], "b": np.arange(len(cells))})
    np.testing.assert_array_equal(again.numbers(table), columns.numbers(table))


@given(
    cells=st.lists(
        st.sampled_from(["Red", "red", "blue", "3", "4 kg", "$5", "2020-01-05", "a b c", "", "?"]),
        min_size=1,
        max_size=20,
    )
)
def test_the_order_of_rows_changes_no_column(cells):
    def learned(table):
        try:
            return Columns.learn(table).columns[0]
        except ValueError as error:
            return re.sub("row [0-9]+", "", str(error))[:30]

    table = pd.DataFrame({"a": pd.Series(cells, dtype=object), "b": 1.0})
    assert learned(table) == learned(table[::-1])


@pytest.mark.parametrize(
    "wrong", [[], {}, {"columns": [{}], "reading": {}}, {"columns": [{"kind": "number"}], "reading": None}]
)
def test_what_is_no_record_of_columns_is_refused(wrong):
    with pytest.raises(ValueError, match="columns: expected what an estimator wrote"):
        Columns.from_json(wrong)
