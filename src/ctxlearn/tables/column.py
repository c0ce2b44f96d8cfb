"""The kinds of columns, each of which turns its cells into features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, NamedTuple

from ctxlearn.tables.cells import Numbers
from ctxlearn.tables.reading import Reading


class Seen(NamedTuple):
    """What the context holds of a column.

    Attributes:
        n: its cells.
        n_missing: of these, how many have no value.
        n_different: different values.
        low, high: least and greatest number or date, as text; None for other kinds.
    """

    n: int
    n_missing: int
    n_different: int
    low: str | None = None
    high: str | None = None


class Features(NamedTuple):
    """Cells as features.

    Attributes:
        values: (n, k) float64, NaN where missing or unknown.
        unknown: rows that hold a value of which the context knows nothing.
        notes: what a user should know of it.
    """

    values: Numbers
    unknown: Sequence[int]
    notes: Sequence[str]


@dataclass(frozen=True)
class Column(ABC):
    """A column as the context shows it.

    Attributes:
        name: how messages call it.
        seen: what the context holds.
        notes: what a user should know of it.
    """

    kind: ClassVar[str]
    name: str
    seen: Seen = field(kw_only=True)
    notes: tuple[str, ...] = field(default=(), kw_only=True)

    @abstractmethod
    def features(self, values: Any, reading: Reading) -> Features:
        """Cells of this column, in the context or elsewhere, as numbers (n, k).

        Raises:
            ValueError: they are of another kind throughout, or infinite.
            TypeError: a cell is neither text nor a number.
        """

    @property
    def levels(self) -> tuple[int, ...]:
        """For each of the k features its number of categories, where 3 to `MANY` and without order; else 0."""
        return (0,)

    @property
    def taken_for(self) -> str:
        """What a reader is told: its kind, `constant` where it does not vary."""
        return "constant" if self.seen.n_different <= 1 else self.kind

    @property
    def detail(self) -> str:
        """How its cells are written, or what they are."""
        return ""

    def told(self) -> tuple[str, ...]:
        """What a user should know of the context's cells."""
        return self.notes

    def to_json(self) -> dict[str, Any]:
        """As JSON-able data."""
        return {"kind": self.kind, **asdict(self), "seen": list(self.seen), "notes": list(self.notes)}

    def _at(self, row: int) -> str:
        return f"X: column {self.name!r}, row {int(row)}"
