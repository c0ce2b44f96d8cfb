"""What `ctxlearn predict` says of columns, and the table that it writes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jsonargparse import Namespace

from ctxlearn.cli.predict_tables import Asked, Rows
from ctxlearn.escaping import spreadsheet_safe
from ctxlearn.lazy import collector_paused
from ctxlearn.storage import write_json
from ctxlearn.tables.cells import folded, texts
from ctxlearn.tables.target import TargetError, read_target

EXPLAINED = 3
QUANTILES = (0.05, 0.95)
SAID = 40
"""Most columns that are said line by line on a terminal."""


def say_columns(asked: Namespace, tables: Asked, say: Callable[[str], None]) -> None:
    """Say what each column was taken for, warnings last; write it as JSON where asked for."""
    width = max(len(column.name) for column in tables.reports)
    say(f"columns of {tables.context_path}, as they are read:")
    for column in tables.reports[:SAID]:
        say(f"  {column.name:<{width}}  {column.line()}")
    if len(tables.reports) > SAID:
        say(f"  and {len(tables.reports) - SAID} more (--columns-out FILE has all)")
    for column in tables.reports:
        for warning in column.warnings:
            say(f"warning: {column.name}: {warning}")
    if asked.columns_out is not None:
        target = {
            "name": asked.target,
            "task": tables.target.task,
            "why": tables.target.why,
            "sure": tables.target.sure,
        }
        write_json(
            Path(asked.columns_out), {"target": target, "columns": [asdict(column) for column in tables.reports]}
        )


def answers(asked: Namespace, tables: Asked, say: Callable[[str], None]) -> pd.DataFrame:
    """A line for each row asked for: which it is, the prediction, probabilities or quantiles, and reasons where asked for."""
    with collector_paused():
        from ctxlearn.estimators.classes import ClassPredictor
        from ctxlearn.estimators.numbers import NumberPredictor
        from ctxlearn.training import load

    classes = tables.target.numbers is None
    make = ClassPredictor if classes else NumberPredictor
    model = load(asked.model, trusted=asked.trust) if asked.model and asked.trust else asked.model
    estimator = make(model, max_context=asked.max_context, random_state=asked.seed)
    estimator.shows_progress = None if not asked.quiet else False
    known = np.array(tables.target.labels, dtype=object) if classes else tables.target.numbers
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        estimator.fit(tables.context, known)
        told = _told(estimator, tables.query, asked)
        if asked.explain:
            told |= _reasons(estimator, tables)
    for warning in dict.fromkeys(str(w.message) for w in caught):
        say(f"warning: {warning}")
    return _as_table(asked, tables, told, say)


def language_answers(asked: Namespace, tables: Rows, say: Callable[[str], None]) -> pd.DataFrame:
    """`answers` of a language model; how it reads a row, and what that costs, is said beforehand."""
    from ctxlearn.estimators.language_rows import LanguageRows

    labels = np.array(tables.target.labels, dtype=object)
    rows = LanguageRows(asked.language, tables.context_cells, labels, seed=asked.seed, target=asked.target)
    cost = rows.cost(tables.query_cells)
    say(f"a row as {asked.language} reads it: {rows.rows[0][:200]!r}")
    say(
        f"it reads {cost.tokens:,} tokens, about {cost.seconds:.0f} seconds here; the longest prompt has {cost.longest:,}"
    )
    rows.warn(tables.query_cells, lambda text: say(f"warning: {text}"))
    return _as_table(asked, tables, _told(rows, tables.query_cells, asked), say)


def _as_table(asked: Namespace, tables: Rows, told: dict[str, Any], say: Callable[[str], None]) -> pd.DataFrame:
    """Answers beside what names their rows."""
    say_score(asked, tables, told["prediction"], say)
    kept = _kept(asked, tables)
    number = "row" if "row" not in kept else "row number"
    key = {asked.key: tables.whole[asked.key]} if asked.key is not None else {number: tables.rows}
    first = {name: values for name, values in key.items() if name not in kept}
    table = pd.DataFrame(
        {**{name: np.asarray(v) for name, v in (first | kept).items()}, **_apart(told, [*first, *kept])}
    )
    return _safe(table)


def _told(estimator: Any, rows: Any, asked: Namespace) -> dict[str, Any]:
    if not hasattr(estimator, "predict_quantiles"):
        proba = estimator.predict_proba(rows)
        told = {"prediction": estimator.classes_[proba.argmax(axis=1)]}
        return told | {f"p({label})": proba[:, place] for place, label in enumerate(estimator.classes_)}
    quantiles = asked.quantiles if asked.quantiles is not None else ([] if asked.model else list(QUANTILES))
    told = {"prediction": estimator.predict(rows)}
    found = estimator.predict_quantiles(rows, quantiles) if quantiles else np.empty((len(rows.x), 0))
    return told | {f"q{level:g}": found[:, place] for place, level in enumerate(quantiles)}


def _reasons(estimator: Any, tables: Asked) -> dict[str, Any]:
    """The rows and columns that each prediction leaned on most, and how much."""
    told: dict[str, Any] = {}
    of_rows, of_columns = estimator.influence(tables.query), estimator.column_influence(tables.query)
    names = np.array([column.name for column in tables.query.known.columns], dtype=object)
    for influence, what, by, labels in (
        (of_rows, "because", "by", tables.target.known),
        (of_columns, "column", "column_by", names),
    ):
        order = (-abs(influence)).argsort(axis=1, kind="stable")
        for place in range(min(EXPLAINED, influence.shape[1])):
            told[f"{what}_{place + 1}"] = labels[order[:, place]]
            told[f"{by}_{place + 1}"] = influence[np.arange(len(order)), order[:, place]]
    return told


def say_score(asked: Namespace, tables: Rows, found: Any, say: Callable[[str], None]) -> None:
    """Say how good the predictions are in the rows of the query whose target is known."""
    if asked.target not in tables.whole.columns or asked.fill is not None:
        return
    path, target = tables.query_path, asked.target
    values = tables.whole[target]
    cells = tables.reading.without_marks(texts(target, values))
    rows = [row for row, cell in enumerate(cells) if cell is not None]
    if not rows:
        say(f"{path}: no row has a {target} to compare with")
        return
    if tables.target.numbers is None:
        right = sum(folded(str(cells[row])) == folded(str(found[row])) for row in rows)
        say(f"{path}: {right} of the {len(rows)} rows whose {target} is known are predicted right")
        return
    try:
        known = read_target(values, "regression", tables.reading, target)
    except TargetError as error:
        say(f"warning: {path}: column {target!r} is not compared with the predictions: {error}")
        return
    assert known.numbers is not None
    distance = np.abs(known.numbers - np.asarray(found)[known.known]).mean()
    say(f"{path}: mean absolute error {distance:.6g} in the {len(known.known)} rows whose {target} is known")


def _kept(asked: Namespace, tables: Rows) -> dict[str, Any]:
    names = [str(name) for name in tables.whole.columns]
    wanted = names if asked.keep == ["all"] and "all" not in names else asked.keep
    return {name: tables.whole[name] for name in wanted}


def _apart(told: dict[str, Any], taken: Sequence[str]) -> dict[str, Any]:
    """Columns of answers under names that no kept column has."""
    return {(f"predicted {name}" if name in taken else name): values for name, values in told.items()}


def _safe(table: pd.DataFrame) -> pd.DataFrame:
    """Text of names and labels in a form that no spreadsheet executes."""
    made = {
        spreadsheet_safe(str(name)): [spreadsheet_safe(v) if isinstance(v, str) else v for v in table[name]]
        if table[name].dtype.kind == "O" or not isinstance(table[name].dtype, np.dtype)
        else table[name]
        for name in table.columns
    }
    return pd.DataFrame(made)
