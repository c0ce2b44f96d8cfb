"""How a user wants text to be read, and how messages advise."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from ctxlearn.tables.cells import Text, plain_number
from ctxlearn.tables.missing import ALWAYS, AMONG_NUMBERS

_NUMBER_MARKS = ALWAYS | AMONG_NUMBERS


@dataclass(frozen=True)
class Reading:
    """What the user says of the cells; the rest is decided by the cells.

    Attributes:
        missing: marks of missing values besides an empty cell, in place of the usual ones (which stay among numbers and dates);
            None for the usual ones. Text matches as it is written, outer blanks aside, and numbers match by value.
        decimal: "." or ",": the decimal mark of all numbers; None where the cells decide.
        day_first: whether 03/04 is in April; None where the cells decide.
        shell: whether messages advise by options of the command, or by pandas.
    """

    missing: frozenset[str] | None = None
    decimal: str | None = None
    day_first: bool | None = None
    shell: bool = False

    def without_marks(self, cells: Text) -> Text:
        """Cells of any column with None for marks of missing values."""
        if not self.missing:
            marks = self._always
            return [None if cell is None or cell in marks else cell for cell in cells]
        return [None if cell is None or cell in self._always or self._is_declared(cell) else cell for cell in cells]

    def without_number_marks(self, cells: Text) -> Text:
        """Cells among numbers or dates, where more marks are known."""
        if not self.missing:
            return [None if cell is None or cell in _NUMBER_MARKS else cell for cell in cells]
        return [None if cell is None or self.is_number_mark(cell) else cell for cell in cells]

    def is_number_mark(self, cell: str) -> bool:
        """Whether a cell among numbers or dates is missing."""
        return cell in ALWAYS or cell in AMONG_NUMBERS or self._is_declared(cell)

    def advise(self, shell: str, python: str) -> str:
        """One of two mends."""
        return shell if self.shell else python

    @property
    def _always(self) -> Collection[str]:
        return ALWAYS if self.missing is None else ("",)

    def _is_declared(self, cell: str) -> bool:
        if not self.missing:
            return False
        return cell in self._marks or plain_number(cell) in self.mark_numbers

    @cached_property
    def _marks(self) -> frozenset[str]:
        return frozenset(mark.strip() for mark in self.missing or ())

    @cached_property
    def mark_numbers(self) -> frozenset[int | float]:
        """Marks that are numbers, which are found by value: -999 is -999.0 too."""
        return frozenset(number for mark in self._marks if (number := plain_number(mark)) is not None)
