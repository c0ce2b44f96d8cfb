"""The tables of `ctxlearn predict`: files as context and query, with the columns asked for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jsonargparse import Namespace
from numpy.typing import NDArray

from ctxlearn.cli.parsing import UsageError, nearest, shown
from ctxlearn.tables import Columns, Read, Reading
from ctxlearn.tables.cells import folded
from ctxlearn.tables.files import TableFile, read_table
from ctxlearn.tables.report import ColumnReport, renumbered, report
from ctxlearn.tables.target import Target, TargetError, read_target


@dataclass(frozen=True)
class Rows:
    """Rows with a target and rows without, as they stand in their files.

    Attributes:
        context_path, query_path: the files.
        target: of the context's rows.
        context_cells, query_cells: their inputs.
        rows: numbers of the query's rows in its file, (q,).
        whole: the query's file, for --keep, --key and the score.
        notes: how files were read, and what was left out.
        reading: how cells are read.
        names: of the inputs' columns.
    """

    context_path: str
    query_path: str
    target: Target
    context_cells: pd.DataFrame
    query_cells: pd.DataFrame
    rows: NDArray[np.int64]
    whole: pd.DataFrame
    notes: list[str]
    reading: Reading
    names: list[str]

    @property
    def n_columns(self) -> int:
        """Columns that something is learned from."""
        return len(self.names)


@dataclass(frozen=True)
class Asked(Rows):
    """What is read and what is asked.

    Attributes:
        context, query: inputs as numbers, (n, D) and (q, D).
        reports: what each column was taken for.
    """

    context: Read
    query: Read
    reports: list[ColumnReport]

    @property
    def n_columns(self) -> int:
        return sum(bool(column.levels) for column in self.context.known.columns)


def assemble(asked: Namespace) -> Asked:
    """`find_rows`, and learn what each column is; errors as there."""
    found = find_rows(asked)
    inputs, frame, known_rows = found.context_cells, found.query_cells, found.target.known
    places = [found.names.index(name) for name in asked.categorical if name in found.names]
    learned = named(found.context_path, known_rows, Columns.learn_and_read, inputs, places, found.reading, frame)
    read = learned, named(found.query_path, found.rows, learned.known.read, frame)
    known = found.target.numbers if found.target.numbers is not None else found.target.labels
    reports = report(learned.known, inputs, frame, read, known, (known_rows, found.rows))
    return Asked(**vars(found), context=read[0], query=read[1], reports=reports)


def find_rows(asked: Namespace) -> Rows:
    """Read the files, and find the target and the inputs.

    Raises:
        UsageError: a file or a column that there is not.
        ValueError: a cell that cannot be read; file, column and row are named.
    """
    reading = Reading(
        missing=None if asked.na is None else frozenset(asked.na),
        decimal=asked.decimal,
        day_first=None if asked.dates is None else asked.dates == "day-first",
        shell=True,
    )
    if asked.fill is not None:
        context = query = _read("--fill", asked.fill, asked)
    else:
        context, query = _read("--context", asked.context, asked), _read("--query", asked.query, asked)
    need(context, asked.target, "--target")
    for option in ("drop", "only", "categorical"):
        for name in getattr(asked, option):
            need(context, name, f"--{option}")
    for name in [] if asked.keep == ["all"] else asked.keep:
        need(query, name, "--keep")
    target = _target(context, asked, reading)
    names = _inputs(context, query, asked)
    frame, matched, left = _matched(query, names)
    left = [name for name in left if name not in (asked.target, asked.key, *asked.keep)]
    notes = [*context.notes, *(query.notes if asked.fill is None else ()), *matched]
    notes += _alike(asked.target, target)
    if left and asked.fill is None:
        notes.append(f"left out of {query.path}: {', '.join(left)}")
    inputs = context.frame[names].iloc[target.known].reset_index(drop=True)
    rows = np.arange(len(frame), dtype=np.int64)
    if asked.fill is not None:
        rows = np.setdiff1d(rows, target.known)
        if not len(rows):
            raise ValueError(
                f"{asked.fill}: expected rows without a value of {asked.target}, to be filled in, got none"
            )
        frame = frame.iloc[rows].reset_index(drop=True)
    inputs, frame = _without_marks(inputs, reading), _without_marks(frame, reading)
    whole = query.frame.iloc[rows].reset_index(drop=True)
    return Rows(context.path, query.path, target, inputs, frame, rows, whole, notes, reading, names)


def need(file: TableFile, name: str, option: str) -> None:
    """See that a file has a column.

    Raises:
        UsageError: it has none of that name.
    """
    if name not in file.frame.columns:
        near = nearest(name, file.frame.columns) or ";"
        raise UsageError(f"{option}: {file.path} has no column {name!r}{near} it has {shown(file.frame.columns)}")


def named(path: str, rows: NDArray[np.int64], function: Any, *arguments: Any) -> Any:
    """A call whose error names the file rather than the argument X, and rows as they are counted there."""
    try:
        return function(*arguments)
    except (ValueError, TypeError) as error:
        if str(error).startswith("X: "):
            raise ValueError(f"{path}: {renumbered(str(error).removeprefix('X: '), rows)}") from error
        raise


def _read(option: str, path: str, asked: Namespace) -> TableFile:
    place = Path(path)
    if path != "-" and not os.path.exists(path):
        beside = [p.name for p in place.parent.iterdir() if p.is_file()] if place.parent.is_dir() else []
        raise UsageError(f"{option}: there is no file {path}{nearest(place.name, beside)}")
    if place.is_dir():
        raise UsageError(f"{option}: expected a file, got the folder {path}")
    return read_table(path, asked.sep, asked.encoding)


def _target(context: TableFile, asked: Namespace, reading: Reading) -> Target:
    values = _without_marks(context.frame[[asked.target]], reading)[asked.target]
    try:
        names = asked.task == "auto" and asked.target in asked.categorical
        target = read_target(values, "classification" if names else asked.task, reading, asked.target)
    except TargetError as error:
        raise ValueError(f"{context.path}: column {asked.target!r}, {error}") from error
    missing = np.setdiff1d(np.arange(len(values)), target.known)
    if len(missing) and asked.fill is None:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        cell = str(context.frame[asked.target].iloc[missing[0]]).strip()
        mark = f"{cell!r}, a mark of missing values (--na says which are)" if cell else "none"
        raise ValueError(
            f"{context.path}: column {asked.target!r}, row {missing[0]}{more}: expected a value in every row, as it is the target,"
            f" got {mark}; leave these rows out, or give --fill {context.path} in place of --context and --query"
        )
    return target


def _alike(name: str, target: Target) -> list[str]:
    """A word about labels that differ only in how they are written: they are different classes all the same."""
    if target.numbers is not None:
        return []
    spellings: dict[str, set[str]] = {}
    for label in target.labels:
        spellings.setdefault(folded(label), set()).add(label)
    twice = [", ".join(map(repr, sorted(found))) for found in spellings.values() if len(found) > 1]
    return (
        [
            f"warning: {name}: labels that differ only in how they are written are different classes: {'; '.join(twice[:3])}"
        ]
        if twice
        else []
    )


def _inputs(context: TableFile, query: TableFile, asked: Namespace) -> list[str]:
    """Names of the columns to predict from."""
    out = {asked.target, context.row_names, *asked.drop}
    if asked.key is not None:
        need(query, asked.key, "--key")
        out.add(asked.key)
    names = [name for name in (asked.only or context.frame.columns) if name not in out]
    if not names:
        raise ValueError(f"{context.path}: expected columns to predict {asked.target} from, got that column alone")
    return names


def _matched(query: TableFile, names: Sequence[str]) -> tuple[pd.DataFrame, list[str], list[str]]:
    """The query's columns of these names, what to say of it, and the other columns; case and blanks do not matter."""
    found, notes = [], []
    alike: dict[str, list[str]] = {}
    for name in query.frame.columns:
        alike.setdefault(folded(str(name)), []).append(str(name))
    for name in names:
        near = [name] if name in query.frame.columns else alike.get(folded(name), [])
        if len(near) != 1:
            need(query, name, "--query")
        if near != [name]:
            notes.append(f"column {near[0]!r} of {query.path} is read as {name!r}")
        found.append(near[0])
    taken = {query.row_names, *found}
    left = [str(name) for name in query.frame.columns if name not in taken]
    return query.frame[found].set_axis(list(names), axis=1), notes, left


def _without_marks(frame: pd.DataFrame, reading: Reading) -> pd.DataFrame:
    """Declared marks that are numbers, taken out of columns that a file holds as numbers."""
    marks = sorted(reading.mark_numbers)
    if not marks:
        return frame
    typed = [name for name, dtype in frame.dtypes.items() if pd.api.types.is_numeric_dtype(dtype)]
    return frame.assign(**{str(name): frame[name].mask(frame[name].isin(marks)) for name in typed})
