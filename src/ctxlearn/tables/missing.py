"""Marks that stand for a missing value in text."""

from __future__ import annotations

ALWAYS = frozenset(
    {
        *("", "?", "NA", "N/A", "n/a", "na", "N.A.", "n.a.", "<NA>", "#N/A", "#N/A N/A", "#NA"),
        *("NaN", "nan", "NAN", "-NaN", "-nan", "1.#QNAN", "-1.#QNAN", "1.#IND", "-1.#IND"),
        *("NULL", "null", "Null", "NaT", "#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!"),
    }
)
"""Missing in any column: pandas' own marks except None, which may well be a category, and those that spreadsheets write."""

AMONG_NUMBERS = frozenset(
    {
        "-",
        "--",
        "---",
        "\u2013",
        "\u2014",
        ".",
        "..",
        "...",
        "*",
        "nil",
        "Nil",
        "none",
        "None",
        "NONE",
        "missing",
        "unknown",
    }
)
"""Missing too where the other cells are numbers or dates; elsewhere they may be categories."""
