"""Tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from ctxlearn.escaping import printable


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns two blanks apart, the header first; control characters in a cell are shown."""
    table = [[printable(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[k]) for row in table) for k in range(len(header))]
    return "\n".join(
        "  ".join(f"{cell:<{size}}" for cell, size in zip(row, widths, strict=True)).rstrip() for row in table
    )
