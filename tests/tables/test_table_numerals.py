"""Numbers as people write them: every form gives the numbers back, and what is no number, or two, is found out."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlearn.tables.numerals import AmbiguousError, NumberForm, find_form, simple_numbers


def swap(text, thousands, decimal):
    """A number as `format` writes it with `,` and `.`, in other marks."""
    return text.translate(str.maketrans(",.", thousands + decimal))


FULL_WIDTH, ARABIC = ("".join(chr(start + n) for n in range(10)) for start in (0xFF10, 0x0660))
FORMS = {
    "plain": lambda v: f"{v:.2f}",
    "scientific": lambda v: f"{v:.6e}",
    "signed": lambda v: f"{v:+.2f}",
    "comma thousands": lambda v: f"{v:,.2f}",
    "decimal comma": lambda v: f"{v:.2f}".replace(".", ","),
    "point thousands": lambda v: swap(f"{v:,.2f}", ".", ","),
    "blank thousands": lambda v: swap(f"{v:,.2f}", " ", ","),
    "narrow blank": lambda v: swap(f"{v:,.2f}", "\u202f", ","),
    "apostrophe": lambda v: swap(f"{v:,.2f}", "'", "."),
    "curly apostrophe": lambda v: swap(f"{v:,.2f}", "\u2019", "."),
    "underscore": lambda v: swap(f"{v:,.2f}", "_", "."),
    "dollars": lambda v: f"${v:,.2f}",
    "minus before dollars": lambda v: f"{'-' if v < 0 else ''}${abs(v):,.2f}",
    "code": lambda v: f"USD {v:,.2f}",
    "euros behind": lambda v: swap(f"{v:,.2f}", ".", ",") + " €",
    "kilograms": lambda v: f"{v:.2f} kg",
    "glued unit": lambda v: f"{v:.2f}km/h",
    "percent": lambda v: f"{v:.2f}%",
    "brackets": lambda v: f"({-v:.2f})" if v < 0 else f"{v:.2f}",
    "brackets and dollars": lambda v: f"(${-v:,.2f})" if v < 0 else f"${v:,.2f}",
    "minus behind": lambda v: f"{abs(v):.2f}{'-' if v < 0 else ''}",
    "Unicode minus": lambda v: f"{v:.2f}".replace("-", "\u2212"),
    "full width": lambda v: f"{v:.2f}".translate(str.maketrans("0123456789", FULL_WIDTH)),
    "Arabic digits": lambda v: f"{v:.2f}".translate(str.maketrans("0123456789.", f"{ARABIC}\u066b")),
}
CENTS = st.integers(-(10**9), 10**9).map(lambda n: n / 100)


@pytest.mark.parametrize("form", FORMS)
@given(st.lists(CENTS, min_size=1, max_size=8))
def test_every_form_gives_the_numbers_back(form, values):
    cells = [FORMS[form](v) for v in values]
    found = find_form(cells)
    assert found is not None
    assert all(
        math.isclose(found.read(cell), v, rel_tol=1e-6, abs_tol=1e-9) for cell, v in zip(cells, values, strict=True)
    )


@given(st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=20))
def test_thousands_are_decided_by_the_cells_or_refused_but_never_read_as_decimals(values):
    cells = [f"{v:,}" for v in values]
    try:
        found = find_form(cells)
    except AmbiguousError:
        assert all(1000 <= abs(v) < 10**6 for v in values)
    else:
        assert [found.read(cell) for cell in cells] == values


@given(st.lists(st.floats(-1e300, 1e300, allow_nan=False), min_size=1))
def test_what_computers_write_is_read_to_the_bit(values):
    cells = [repr(v) for v in values]
    found, simple = find_form(cells), simple_numbers(cells)
    assert [found.read(cell) for cell in cells] == values
    assert simple is not None
    assert simple.tolist() == values


@pytest.mark.parametrize(
    ("cells", "more", "values"),
    [
        (["6,037", "812"], [], [6037, 812]),
        (["6,037", "1,5"], [], [6.037, 1.5]),
        (["6,037", "0,812"], [], [6.037, 0.812]),
        (["1,234,567", "6,037"], [], [1234567, 6037]),
        (["12,34,567", "6,037"], [], [1234567, 6037]),
        (["1.234.567", "6.037"], [], [1234567, 6037]),
        (["6.037", "7.125"], [], [6.037, 7.125]),
        (["6.037", "812"], [], [6.037, 812]),
        (["$6,037", "$7,125"], [], [6037, 7125]),
        (["6.037 €", "812 €"], [], [6037, 812]),
        (["6,037", "7,125"], ["812"], [6037, 7125]),
        (["6,037", "7,125"], ["1,5", "soon"], [6.037, 7.125]),
        (["12", "15"], ["1,5"], [12, 15]),
        (["1.2k", "900", "3M"], [], [1200, 900, 3e6]),
        (["5 years", "1 year"], [], [5, 1]),
        (["12 kg", "7"], [], [12, 7]),
        ([".5", "-.25"], [], [0.5, -0.25]),
        ([",5", "-,25"], [], [0.5, -0.25]),
    ],
)
def test_two_readings_are_decided_by_the_other_cells(cells, more, values):
    found = find_form(cells, more)
    assert [found.read(cell) for cell in cells] == values


@pytest.mark.parametrize(
    ("cells", "more"),
    [
        (["6,037", "7,125"], []),
        (["6,037", "7,125"], ["8,250"]),
        (["6,037", "1500"], []),
        (["6.037 €", "7.125 €"], []),
        ([f"{n}.{n:03}" for n in range(100, 112)] + ["812", "64"], []),
        (["1200", "15000"], ["1,234"]),
    ],
)
def test_what_nothing_decides_is_refused_and_the_mark_decides(cells, more):
    with pytest.raises(AmbiguousError, match=r"may be [\d.]+ or [\d.]+"):
        find_form(cells, more)
    read = {mark: [find_form(cells, more, decimal=mark).read(cell) for cell in cells] for mark in ".,"}
    assert all(max(a, b) / min(a, b) in (1, 1000) for a, b in zip(read["."], read[","], strict=True))


@pytest.mark.parametrize(
    "cells",
    [
        ["red"],
        ["A12", "B7"],
        ["12A", "14B"],
        ["12B", "14B", "12"],
        ["Q1"],
        ["v2.0"],
        ["3+"],
        ["< 5", "7"],
        ["4x4"],
        ["1/2"],
        ["10-20"],
        ["2020-01-31"],
        ["08:15"],
        ["1,23,4"],
        ["1 23"],
        ["1\n23"],
        ["0,123,456"],
        ["1_0"],
        ["12 kg", "3 lb"],
        ["$5", "€5"],
        ["37%", "0.4"],
        ["0x1A"],
        ["1e999"],
        ["nan"],
        ["inf"],
        ["--5"],
        ["(5", "5)"],
        ["+1 555 123 4567"],
        ["192.168.0.1"],
        [""],
        ["-"],
        ["1234567890123456781", "1234567890123456783"],
    ],
)
def test_what_is_no_number(cells):
    assert find_form(cells) is None
    assert simple_numbers(cells) is None


def test_a_cell_in_another_unit_is_none_of_the_column():
    form = find_form(["5 kg", "6.5 kg"])
    assert form == NumberForm(unit="kg")
    assert form.read("7 KG") == form.read("7") == 7
    assert form.read("7 lb") is None
    assert form.read("7,000,0") is None
    assert str(form) == "in kg"
