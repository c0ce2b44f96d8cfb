import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlearn.escaping import printable, spreadsheet_safe


@given(st.text())
def test_what_is_shown_holds_nothing_that_a_terminal_obeys(text):
    shown = printable(text)
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u2028\u2029\u202e\u2066" for c in shown)
    assert len(shown.splitlines()) <= 1
    shown.encode()  # no lone surrogate is left
    assert printable(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("two\nlines\tand\rmore", "two\\nlines\\tand\\rmore"),
        ("\x9b31m", "\\x9b31m"),
        ("user\u202etxt.exe", "user\\u202etxt.exe"),
        ("\udcff", "\\udcff"),
        ("Größe, 年齢, возраст, 👩\u200d🔬, a\u00a0b", "Größe, 年齢, возраст, 👩\u200d🔬, a\u00a0b"),
        ("", ""),
    ],
)
def test_control_characters_are_shown(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "=HYPERLINK(1)",
        "+1-1",
        "@SUM(1)",
        "-2+3",
        "=1",
        " =1+1",
        "\t=1",
        "\rx",
        "\nx",
        "\uff1d1+1",
        "-cmd|' /C calc'!A0",
        "--1",
    ],
)
def test_what_a_spreadsheet_would_execute_gets_an_apostrophe(text):
    assert spreadsheet_safe(text) == "'" + text


@pytest.mark.parametrize(
    "text",
    ["", "-", "+", "@", "=", "-1", "+1.5", "-1,5", "-.5", "-1e-3", "5%", "-5%", "a=b", "yes", "1-1", "'=1", "No 3"],
)
def test_what_a_spreadsheet_takes_for_text_or_a_number_stays(text):
    assert spreadsheet_safe(text) == text


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_a_safe_cell_holds_its_text(text):
    cell = spreadsheet_safe(text)
    assert cell in (text, "'" + text)
    assert not cell.startswith(("=", "@", "\t", "\r")) or len(cell.strip()) < 2
    file = io.StringIO(newline="")
    csv.writer(file).writerow([cell, "x"])
    assert next(csv.reader(io.StringIO(file.getvalue(), newline=""))) == [cell, "x"]
