"""`ctxlearn predict`: fill in a column of a table from rows in which it is known."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import ArgumentParser

from ctxlearn.cli.csv_files import CsvFile, as_numbers, read_csv
from ctxlearn.cli.parsing import UsageError, choose, new_parser, parse
from ctxlearn.lazy import collector_paused

if TYPE_CHECKING:
    import pandas as pd

    from ctxlearn.estimators.classes import ClassPredictor
    from ctxlearn.estimators.numbers import NumberPredictor

TASKS = ("auto", "classification", "regression")
CLASSES = 10
"""Most different integers that count as classes where --task is auto."""
EXPLAINED = 3
QUANTILES = (0.05, 0.95)
_EPILOG = """\
Nothing is trained: the rows of --context, in which the target is known, are read by a model that learns in context, and those
of --query are answered. Both files have a header; columns are matched by name, and those that --context lacks are left out.
Empty fields, NA, NaN, null and ? are missing values. Columns of text are categories. Rows are counted from 0.

The output has a line for each row of --query: its number, the prediction, and the probability of each class, p(CLASS);
for regression the quantiles q0.05 and q0.95 instead, between which nine values of ten should lie. A target of text is
classified, and one of at most 10 different integers; of other numbers the mean is predicted.

--explain adds the 3 rows of --context that the prediction leaned on most, because_1 to because_3, and how much, by_1 to by_3:
the probability of the predicted class (or the predicted mean) with the whole context, less that without the row. That takes
about as many times as long as the context has rows.

examples:
  ctxlearn predict --context train.csv --target species --query new.csv
  ctxlearn predict --context train.csv --target species --query new.csv --explain --out predicted.csv
  ctxlearn predict --context houses.csv --target price --query new.csv --categorical zip_code --quantiles 0.1 0.5 0.9"""


def run(arguments: Sequence[str]) -> int:
    """Predict, and write the table."""
    parser = build_parser()
    asked = parse(parser, arguments)
    choose("value of --task", asked.task, TASKS)
    context, query = read_csv("--context", asked.context), read_csv("--query", asked.query)
    target, classes = read_target(context, asked.target, asked.task)
    if classes and asked.quantiles is not None:
        raise UsageError(f"--quantiles: the target {asked.target} is classified; they are of --task regression")
    names = [name for name in context.columns if name != asked.target]
    if not names:
        raise ValueError(f"{context.path}: expected columns to predict {asked.target} from, got that column alone")
    for name in asked.categorical:
        context.need(name, "--categorical")
    for name in names:
        query.need(name, "--query")
    inputs = context.frame(names, asked.categorical), query.frame(names, asked.categorical)

    with collector_paused():
        from ctxlearn.estimators.classes import ClassPredictor
        from ctxlearn.estimators.numbers import NumberPredictor

    estimator = ClassPredictor(asked.model) if classes else NumberPredictor(asked.model)
    with_file(context, estimator.fit, inputs[0], target)
    quantiles = asked.quantiles if asked.quantiles is not None else ([] if asked.model else list(QUANTILES))
    table = with_file(query, answers, estimator, inputs[1], quantiles, asked.explain)
    left_out = [name for name in query.columns if name not in context.columns]
    say(
        f"{'classification' if classes else 'regression'} of {asked.target} from {context.n_rows} rows of"
        f" {len(names)} columns" + (f"; left out of {query.path}: {', '.join(left_out)}" if left_out else "")
    )
    if asked.target in query.columns:
        say(score(query, asked.target, table, classes))
    text = table.to_csv(index=False, lineterminator="\n", float_format="%.6g")
    if asked.out is None:
        sys.stdout.write(text)
        return 0

    from ctxlearn.storage import write_text

    write_text(Path(asked.out), text)
    print(asked.out)
    return 0


def build_parser() -> ArgumentParser:
    """The parser."""
    parser = new_parser("predict", "Fill in a column of a table from rows in which it is known.", _EPILOG)
    parser.add_argument(
        "--context", type=str, required=True, metavar="FILE.csv", help="rows in which the target is known"
    )
    parser.add_argument("--target", type=str, required=True, metavar="COLUMN", help="the column to predict")
    parser.add_argument("--query", type=str, required=True, metavar="FILE.csv", help="rows to predict it for")
    parser.add_argument(
        "--model", type=str | None, default=None, metavar="RUN", help="folder of a finished run; else the shipped model"
    )
    parser.add_argument("--task", type=str, default="auto", help="auto, classification or regression")
    parser.add_argument(
        "--categorical",
        nargs="+",
        type=str,
        default=[],
        metavar="COLUMN",
        help="columns whose numbers are names, or which mix both",
    )
    parser.add_argument(
        "--quantiles",
        nargs="+",
        type=float,
        default=None,
        metavar="LEVEL",
        help="of regression; 0.05 and 0.95 with the shipped model, none with another, unless given",
    )
    parser.add_argument(
        "--explain", action="store_true", help="add the context rows that each prediction leaned on most"
    )
    parser.add_argument(
        "--out", type=str | None, default=None, metavar="FILE.csv", help="where to write; else to the terminal"
    )
    return parser


def read_target(context: CsvFile, name: str, task: str) -> tuple[list[Any], bool]:
    """The target's values, and whether they are classes."""
    cells = context.need(name, "--target")
    missing = [row for row, cell in enumerate(cells) if cell is None]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ValueError(
            f"{context.path}: column {name!r}, row {missing[0]}{more}: expected a value in every row, as it is the target, got"
            " none; leave these rows out"
        )
    numbers = as_numbers(cells)
    whole = numbers is not None and all(number.is_integer() for number in numbers)
    if task == "regression" and numbers is None:
        odd = next(row for row, cell in enumerate(cells) if as_numbers([cell]) is None)
        raise ValueError(f"{context.path}: column {name!r}, row {odd}: expected a number, got {cells[odd]!r}")
    if task == "regression" or (
        task == "auto" and numbers is not None and not (whole and len(set(numbers)) <= CLASSES)
    ):
        return list(numbers or []), False
    return [int(number) for number in numbers] if numbers is not None and whole else list(cells), True


def answers(
    estimator: ClassPredictor | NumberPredictor, rows: pd.DataFrame, quantiles: Sequence[float], explain: bool
) -> pd.DataFrame:
    """A line for each row: its number, the prediction, probabilities or quantiles, and reasons where asked for."""
    import pandas as pd

    if not hasattr(estimator, "predict_quantiles"):
        proba = estimator.predict_proba(rows)
        told = {"prediction": estimator.classes_[proba.argmax(axis=1)]}
        told |= {f"p({label})": proba[:, place] for place, label in enumerate(estimator.classes_)}
    else:
        told = {"prediction": estimator.predict(rows)}
        if quantiles:
            found = estimator.predict_quantiles(rows, quantiles)
            told |= {f"q{level:g}": found[:, place] for place, level in enumerate(quantiles)}
    if explain:
        influence = estimator.influence(rows)
        order = (-abs(influence)).argsort(axis=1, kind="stable")
        for place in range(min(EXPLAINED, influence.shape[1])):
            because = order[:, place]
            told[f"because_{place + 1}"] = because
            told[f"by_{place + 1}"] = influence[range(len(because)), because]
    return pd.DataFrame({"row": range(len(rows)), **told})


def score(query: CsvFile, target: str, table: pd.DataFrame, classes: bool) -> str:
    """How good the predictions are in the rows of --query whose target is known."""
    known = [
        (cell, found)
        for cell, found in zip(query.columns[target], table["prediction"], strict=True)
        if cell is not None
    ]
    if not known:
        return f"{query.path}: no row has a {target} to compare with"
    numbers = as_numbers([cell for cell, _ in known])
    if not classes:
        if numbers is None:
            raise ValueError(f"{query.path}: column {target!r}: expected numbers, as in the context, or empty fields")
        error = sum(abs(number - found) for number, (_, found) in zip(numbers, known, strict=True)) / len(known)
        return f"{query.path}: mean absolute error {error:.4g} in the {len(known)} rows whose {target} is known"
    right = sum(_same(cell, str(found)) for cell, found in known)
    return f"{query.path}: {right} of the {len(known)} rows whose {target} is known are predicted right"


def _same(cell: str, found: str) -> bool:
    numbers = as_numbers([cell, found])
    return cell == found if numbers is None else numbers[0] == numbers[1]


def with_file(file: CsvFile, function: Any, *arguments: Any) -> Any:
    """A call whose error names the file rather than the argument X."""
    try:
        return function(*arguments)
    except ValueError as error:
        if str(error).startswith("X: "):
            raise ValueError(f"{file.path}: {str(error).removeprefix('X: ')}") from error
        raise


def say(text: str) -> None:
    """To the terminal, beside the table."""
    print(text, file=sys.stderr)
