"""How a user wants text to be read, and how messages advise."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ctxlearn.tables.cells import Text
from ctxlearn.tables.missing import ALWAYS, AMONG_NUMBERS


@dataclass(frozen=True)
class Reading:
    """What the user says of the cells; the rest is decided by the cells.

    Attributes:
        missing: marks of missing values in place of the usual ones, an empty cell among them or not; None for the usual.
        decimal: "." or ",": the decimal mark of all numbers; None where the cells decide.
        day_first: whether 03/04 is in April; None where the cells decide.
        shell: whether messages advise by options of the command, or by pandas.
    """

    missing: frozenset[str] | None = None
    decimal: str | None = None
    day_first: bool | None = None
    shell: bool = False

    @property
    def always(self) -> Collection[str]:
        """Marks of missing values in any column."""
        return ALWAYS if self.missing is None else self.missing

    @property
    def among_numbers(self) -> Collection[str]:
        """Further marks in columns of numbers and dates."""
        return AMONG_NUMBERS if self.missing is None else ()

    def without_marks(self, cells: Text) -> Text:
        """Cells with None for marks of missing values."""
        marks = self.always
        return [None if cell is None or cell in marks else cell for cell in cells]

    def advise(self, shell: str, python: str) -> str:
        """One of two mends."""
        return shell if self.shell else python
