"""CSV files as tables of text, and what their columns hold."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ctxlearn.cli.parsing import UsageError, nearest, shown

if TYPE_CHECKING:
    import pandas as pd

MISSING = frozenset({"", "?", "NA", "N/A", "n/a", "na", "NaN", "nan", "NAN", "null", "NULL"})
"""What stands for a missing value."""


@dataclass(frozen=True)
class CsvFile:
    """A table of text; None where a value is missing.

    Attributes:
        option: the option it was given by.
        path: as it was given.
        columns: by name, in the file's order; row 0 is the first below the header.
    """

    option: str
    path: str
    columns: dict[str, list[str | None]]

    @property
    def n_rows(self) -> int:
        """Rows below the header."""
        return len(next(iter(self.columns.values()), []))

    def need(self, name: str, place: str) -> list[str | None]:
        """A column; `place` begins the message where there is none of that name."""
        if name not in self.columns:
            near = nearest(name, self.columns) or ";"
            raise UsageError(f"{place}: {self.path} has no column {name!r}{near} it has {shown(self.columns)}")
        return self.columns[name]

    def frame(self, names: Sequence[str], categorical: Sequence[str]) -> pd.DataFrame:
        """Columns as text, those of `categorical` as pandas' categories."""
        import pandas as pd

        made = pd.DataFrame({name: pd.Series(self.need(name, self.option), dtype=object) for name in names})
        return made.astype(dict.fromkeys(categorical, "category"))


def read_csv(option: str, path: str) -> CsvFile:
    """Read a file with a header and comma-separated fields, in UTF-8.

    Raises:
        UsageError: there is no such file; the nearest name is suggested.
        ValueError: it is empty or cannot be read as a table: the row is named.
    """
    place = Path(path)
    if not place.is_file():
        beside = [p.name for p in place.parent.glob("*.csv")] if place.parent.is_dir() else []
        raise UsageError(f"{option}: there is no file {path}{nearest(place.name, beside)}")
    try:
        with place.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: it is no CSV file in UTF-8 ({error})") from error
    if not rows:
        raise ValueError(f"{path}: expected a header with the names of the columns, got an empty file")
    header = [name.strip() for name in rows[0]]
    for name in header:
        if not name or header.count(name) > 1:
            what = f"two columns called {name!r}" if name else "a column without a name"
            raise ValueError(f"{path}: expected a different name for each column in the first line, got {what}")
    for number, row in enumerate(rows[1:]):
        if len(row) != len(header):
            raise ValueError(f"{path}: row {number}: expected {len(header)} fields, as in the header, got {len(row)}")
    if len(rows) == 1:
        raise ValueError(f"{path}: expected rows below the header, got none")
    cells = [[field.strip() for field in column] for column in zip(*rows[1:], strict=True)]
    return CsvFile(
        option,
        path,
        {
            name: [None if cell in MISSING else cell for cell in column]
            for name, column in zip(header, cells, strict=True)
        },
    )


def as_numbers(cells: Sequence[str | None]) -> list[float] | None:
    """Cells as finite numbers, or nothing where one is not."""
    try:
        numbers = [float(cell) for cell in cells if cell is not None]
    except ValueError:
        return None
    return numbers if len(numbers) == len(cells) and all(map(math.isfinite, numbers)) else None
