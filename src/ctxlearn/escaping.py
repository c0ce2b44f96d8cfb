"""Text of users' files, made safe for where it goes: a terminal, or the cell of a spreadsheet."""

from __future__ import annotations

import re
import unicodedata

_BIDIRECTIONAL = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that reorder the text around them, so that a terminal shows something else than what is there."""
_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?%?")


def printable(text: str) -> str:
    r"""`text` in one line, with what a terminal would obey shown as Python writes it: the escape character as `\x1b`.

    Escaped are control characters (line breaks and tabs included), line separators, marks of writing direction and lone
    surrogates. All else stays as it is, whatever its script.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _BIDIRECTIONAL:
        return character.encode("unicode_escape", "surrogatepass").decode("ascii")
    return character


def spreadsheet_safe(text: str) -> str:
    """`text` for one cell of a CSV file, with an apostrophe in front where a spreadsheet would execute it.

    A spreadsheet takes a cell for a formula if it begins with `=`, `+`, `-` or `@`, and some skip white space before it. Numbers
    stay as they are, and so does a lone sign, which is no formula.

    Source: OWASP, CSV Injection.
    """
    visible = text.strip()
    harmless = len(visible) < 2 or _NUMBER.fullmatch(visible)
    starts = unicodedata.normalize("NFKC", visible[:1]).startswith(("=", "+", "-", "@"))  # full-width forms included
    if (starts and not harmless) or text.startswith(("\t", "\r", "\n")):
        return f"'{text}"
    return text
