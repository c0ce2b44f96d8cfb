"""`ctxlearn predict`: fill in a column of a table from rows in which it is known."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import ArgumentParser, Namespace

from ctxlearn.cli.parsing import UsageError, add_trust_option, choose, new_parser, parse
from ctxlearn.lazy import collector_paused

if TYPE_CHECKING:
    import pandas as pd

    from ctxlearn.cli.predict_tables import Rows
    from ctxlearn.tables.target import Target

TASKS = ("auto", "classification", "regression")
DATES = ("day-first", "month-first")
_EPILOG = """\
Nothing is trained: the rows of --context, in which the target is known, are read by a model that learns in context, and those
of --query are answered. With --fill, one file holds both: its rows without a value of the target are answered. Files have a
header (CSV in any separator, also compressed; Excel and Parquet with pip install 'ctxlearn[files]'; - is standard input).
Columns are matched by name. Rows are counted from 0.

What each column was taken for is said on standard error: number (1,234.5, $3, 12 %, 5 kg, (3.2) and their like), date,
category, text, constant, or key. What cannot be read is refused, with the option that mends it.

The output has a line for each row asked for: its number (or --key), the prediction, and the probability of each class,
p(CLASS); for regression the quantiles q0.05 and q0.95 instead, between which nine values of ten should lie. A target of
names is classified, and one of few whole numbers that repeat; of other numbers the mean is predicted. The guess is said.

--explain adds the 3 rows of --context that the prediction leaned on most, because_1 to because_3, and how much, by_1 to by_3:
the probability of the predicted class (or the predicted mean) with the whole context, less that without the row; and the
columns likewise, column_1 to column_3. That takes about as many times as long as the context has rows and columns.

examples:
  ctxlearn predict --context train.csv --target species --query new.csv
  ctxlearn predict --fill survey.csv --target income --key id --keep age town --out filled.csv
  ctxlearn predict --context houses.csv --target price --query new.csv --categorical zip_code --quantiles 0.1 0.5 0.9
  zcat old.csv.gz | ctxlearn predict --context - --target species --query new.csv --explain --out predicted.csv

--language asks a language model instead (pip install 'ctxlearn[language]'): it reads a dozen labelled rows with columns of text as
text, 'column: value; ...', with their labels as they are. What it costs is said before it begins.

docs/predict.md says how tables are read, docs/language.md what a language model makes of them."""


def run(arguments: Sequence[str]) -> int:
    """Predict, and write the table."""
    parser = build_parser()
    asked = parse(parser, arguments)
    _check(asked)

    with collector_paused():
        from ctxlearn.storage import write_text

    if asked.model is not None:
        from ctxlearn.training import load

        load(asked.model, trusted=asked.trust)  # refused before anything is read and said
    say = _nothing if asked.quiet else _say
    table = _by_language(asked, say) if asked.language is not None else _by_numbers(asked, say)
    text = table.to_csv(index=False, lineterminator="\n")
    if asked.out in (None, "-"):
        sys.stdout.write(text)
        return 0
    write_text(Path(asked.out), text)
    print(asked.out)
    return 0


def _by_numbers(asked: Namespace, say: Callable[[Any], None]) -> pd.DataFrame:
    """The table of a model that reads rows as numbers."""
    with collector_paused():
        from ctxlearn.cli.predict_output import answers, say_columns
        from ctxlearn.cli.predict_tables import assemble

    tables = assemble(asked)
    for note in tables.notes:
        say(note)
    if tables.target.task == "classification" and asked.quantiles is not None:
        raise UsageError(f"--quantiles: the target {asked.target} is classified; they are of --task regression")
    say_columns(asked, tables, say)
    say(_task(asked, tables.target, tables))
    return answers(asked, tables, say)


def _by_language(asked: Namespace, say: Callable[[Any], None]) -> pd.DataFrame:
    """The table of a language model, which reads rows as text."""
    from ctxlearn.cli.predict_output import language_answers
    from ctxlearn.cli.predict_tables import find_rows

    tables = find_rows(asked)
    for note in tables.notes:
        say(note)
    if tables.target.task != "classification":
        raise UsageError(
            f"--language: a language model names classes, and the target {asked.target} is a number ({tables.target.why});"
            " leave the option out, or say --task classification"
        )
    say(_task(asked, tables.target, tables))
    return language_answers(asked, tables, say)


def build_parser() -> ArgumentParser:
    """The parser."""
    parser = new_parser("predict", "Fill in a column of a table from rows in which it is known.", _EPILOG)
    add = parser.add_argument
    add("--context", type=str | None, default=None, metavar="FILE", help="rows in which the target is known")
    add("--query", type=str | None, default=None, metavar="FILE", help="rows to predict it for")
    add(
        "--fill",
        type=str | None,
        default=None,
        metavar="FILE",
        help="one table with gaps in the target, in place of the two",
    )
    add("--target", type=str, required=True, metavar="COLUMN", help="the column to predict")
    add("--task", type=str, default="auto", help="auto, classification or regression")
    add(
        "--model", type=str | None, default=None, metavar="RUN", help="folder of a finished run; else the shipped model"
    )
    add(
        "--language",
        type=str | None,
        default=None,
        metavar="MODEL",
        help="a language model that reads the rows as text: a folder, a .gguf file, or a name such as smollm2-135m",
    )
    add_trust_option(parser)
    columns = parser.add_argument_group("which columns, and how they are read")
    column = columns.add_argument
    column("--drop", nargs="+", type=str, default=[], metavar="COLUMN", help="columns to leave out")
    column("--only", nargs="+", type=str, default=[], metavar="COLUMN", help="columns to predict from; else all")
    column("--categorical", nargs="+", type=str, default=[], metavar="COLUMN", help="columns whose numbers are names")
    column(
        "--na",
        nargs="*",
        type=str,
        default=None,
        metavar="MARK",
        help="marks of missing values besides an empty cell, as written; they replace the usual ones among names",
    )
    column("--decimal", type=str | None, default=None, metavar="MARK", help="'.' or ',', where the cells do not say")
    column("--dates", type=str | None, default=None, help="day-first or month-first, where the cells do not say")
    column(
        "--sep", type=str | None, default=None, metavar="MARK", help="between fields, 'tab' for a tab; else it is found"
    )
    column(
        "--encoding",
        type=str | None,
        default=None,
        metavar="NAME",
        help="of text files; else UTF-8, UTF-16 or Windows-1252",
    )
    answer = parser.add_argument_group("what is answered")
    add = answer.add_argument
    add(
        "--quantiles",
        nargs="+",
        type=float,
        default=None,
        metavar="LEVEL",
        help="of regression; 0.05 and 0.95 with the shipped model, none with another, unless given",
    )
    add(
        "--explain",
        action="store_true",
        help="add the context rows and the columns that each prediction leaned on most",
    )
    add(
        "--max-context",
        type=int,
        default=1000,
        metavar="ROWS",
        help="most rows of the context that the model reads at once",
    )
    add("--seed", type=int, default=0, help="of the views of the context")
    add(
        "--key",
        type=str | None,
        default=None,
        metavar="COLUMN",
        help="a column that names the rows, in place of their number",
    )
    add(
        "--keep",
        nargs="+",
        type=str,
        default=[],
        metavar="COLUMN",
        help="columns of the query to repeat in the output; all for all of them",
    )
    add("--out", type=str | None, default=None, metavar="FILE", help="where to write; - or nothing for the terminal")
    add(
        "--columns-out",
        type=str | None,
        default=None,
        metavar="FILE",
        help="write what each column was taken for, as JSON",
    )
    add("--quiet", action="store_true", help="say nothing but errors")
    return parser


def _check(asked: Namespace) -> None:
    choose("value of --task", asked.task, TASKS)
    _check_language(asked)
    if asked.decimal not in (None, ".", ","):
        raise UsageError(f"--decimal: expected . or , got {asked.decimal!r}")
    if asked.dates is not None:
        choose("value of --dates", asked.dates, DATES)
    if asked.fill is not None and (asked.context is not None or asked.query is not None):
        raise UsageError(
            "--fill: one table with gaps takes the place of --context and --query; give the one or the others"
        )
    if asked.fill is None:
        missing = [name for name in ("context", "query") if getattr(asked, name) is None]
        if missing:
            raise UsageError(f"missing {', '.join(missing)}" + ("" if len(missing) == 1 else "; or --fill FILE"))
        if asked.context == "-" == asked.query:
            raise UsageError("--query: standard input is read for --context already; put one of them in a file")
    if asked.drop and asked.only:
        raise UsageError("--only: it names the columns to predict from, --drop those to leave out; give one of them")
    if asked.max_context < 2:
        raise UsageError(f"--max-context: expected 2 rows at least, got {asked.max_context}")
    if asked.seed < 0:
        raise UsageError(f"--seed: expected 0 or more, got {asked.seed}")
    if asked.sep is not None:
        asked.sep = {"tab": "\t", "\\t": "\t", "space": " "}.get(asked.sep, asked.sep)
        if len(asked.sep) != 1 or asked.sep in '\r\n"':
            raise UsageError(f"--sep: expected one character, or tab, got {asked.sep!r}")


def _check_language(asked: Namespace) -> None:
    others = {
        "model": asked.model,
        "explain": asked.explain,
        "quantiles": asked.quantiles,
        "columns-out": asked.columns_out,
    }
    given = [name for name, value in others.items() if value]
    if asked.language is not None and given:
        raise UsageError(
            f"--language: a language model reads rows as text, which --{given[0]} is not for; give one of them"
        )


def _task(asked: Namespace, target: Target, tables: Rows) -> str:
    doubt = "" if target.sure else f" (not sure: say --task {_other(target)} if not)"
    form = f"; read as {target.form}" if target.numbers is not None and str(target.form) else ""
    columns = f"{tables.n_columns} column" + ("" if tables.n_columns == 1 else "s")
    return f"{target.task} of {asked.target} from {len(target.known)} rows of {columns}: {target.why}{form}{doubt}"


def _other(target: Target) -> str:
    return "regression" if target.task == "classification" else "classification"


def _say(text: Any) -> None:
    """To the terminal, beside the table."""
    from ctxlearn.escaping import printable

    print(printable(str(text)), file=sys.stderr)


def _nothing(text: Any) -> None:
    """What `--quiet` says."""
