"""Dates as people write them: one form per column, the same days back, and no guess where two readings are possible."""

import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlearn.tables.column import Seen
from ctxlearn.tables.dates import DateForm, count_dates, find_date_form
from ctxlearn.tables.kinds import DateColumn
from ctxlearn.tables.numerals import AmbiguousError
from ctxlearn.tables.reading import Reading

FORMS = [
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d/%m/%y", "%m/%d/%y"),
    *("%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%a, %d %b %Y", "%d. %B %Y"),
]
TIMES = ["", " %H:%M", " %H:%M:%S", " %I:%M %p", "T%H:%M:%S"]
DECIDED = datetime.date(2020, 12, 31)
"""A day that leaves no doubt which part is the month."""


@pytest.mark.parametrize(
    ("form", "time"), [(form, time) for form in FORMS for time in TIMES if form == FORMS[0] or not time.startswith("T")]
)
@given(
    moments=st.lists(st.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(2068, 1, 1)), min_size=1, max_size=6)
)
def test_every_form_gives_the_moments_back(form, time, moments):
    moments = [*moments, datetime.datetime.combine(DECIDED, datetime.time(13, 5))]
    cells = [moment.strftime(form + time) for moment in moments]
    found = find_date_form(cells)
    assert found is not None, cells
    shown = [datetime.datetime.strptime(cell, form + time) for cell in cells]
    assert found.read(cells).tolist() == shown


@pytest.mark.parametrize("separator", "/.-")
def test_day_or_month_is_decided_by_any_cell_or_by_the_user(separator):
    cells = [f"03{separator}04{separator}2020", f"05{separator}06{separator}2020"]
    with pytest.raises(AmbiguousError, match="may be 2020-04-03 or 2020-03-04"):
        find_date_form(cells)
    april, march = np.datetime64("2020-04-03"), np.datetime64("2020-03-04")
    for more, day in (
        ([f"31{separator}01{separator}2020"], april),
        (["soon", f"01{separator}31{separator}2020"], march),
    ):
        assert find_date_form(cells, more).read(cells)[0] == day
    for day_first, day in ((True, april), (False, march)):
        assert find_date_form(cells, day_first=day_first).read(cells)[0] == day
    same = [f"03{separator}03{separator}2020"]
    assert find_date_form(same).read(same)[0] == np.datetime64("2020-03-03")


@pytest.mark.parametrize(
    "cells",
    [
        ["red"],
        ["10-12"],
        ["1/2"],
        ["A-12"],
        ["10 apples"],
        ["2020-13-01"],
        ["31/31/2020"],
        ["2020-01-01", "soon"],
        ["5"],
    ],
)
def test_what_is_no_date(cells):
    assert find_date_form(cells) is None


def test_zones_are_one_and_what_is_not_of_the_form_is_missing():
    form = find_date_form(["2020-01-05T10:00:00+02:00", "2020-01-05T10:00:00Z"])
    found = form.read(["2020-01-05T10:00:00+02:00", "2020-01-05T08:00:00Z", None, "5 Jan 2020"])
    assert found[0] == found[1]
    assert np.isnat(found[2:]).all()
    assert count_dates(["2020-01-05", "2020-01-07", "soon"]) == [True, True, False]


def features(values, form=None, hours=False):
    column = DateColumn("d", form, hours, seen=Seen(len(values), 0, len(values)))
    return column.features(values, Reading()).values


@given(st.lists(st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 1, 1)), min_size=1, max_size=9))
def test_dates_are_days_months_and_weekdays(days):
    found = features([day.isoformat() for day in days], DateForm("ISO8601"))
    epoch = datetime.date(1970, 1, 1)
    assert found.tolist() == [[(day - epoch).days, day.month, day.weekday()] for day in days]


def test_hours_are_features_where_there_are_times():
    moments = np.array(["2020-01-05T12:30", "2020-01-05T18:00", "NaT"], dtype="datetime64[us]")
    found = features(moments, hours=True)
    np.testing.assert_array_equal(found[:, 3], [12.5, 18, np.nan])
    assert found[1, 0] - found[0, 0] == pytest.approx(5.5 / 24)
    np.testing.assert_array_equal(features(["08:15", None], find_date_form(["08:15"])), [[8.25], [np.nan]])
