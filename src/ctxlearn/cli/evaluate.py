"""`ctxlearn evaluate`: trained learners and references on the same tasks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser
from jsonargparse.typing import NonNegativeInt, PositiveInt

from ctxlearn.cli.classes import Given
from ctxlearn.cli.parsing import UsageError, add_trust_option, choose, new_parser, parse, wants_help
from ctxlearn.cli.tables import aligned
from ctxlearn.cli.train import add_class_option, base_classes, build
from ctxlearn.escaping import printable, spreadsheet_safe

if TYPE_CHECKING:
    import pandas as pd

    from ctxlearn.learners import Learner
    from ctxlearn.tasks import TaskFamily

LENGTHS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
"""Context lengths worth a column, beside the longest."""
SHOWN = 4
REFERENCES = ("all", "none")
_EPILOG = """\
The table shows accuracy in percent (squared error for regression) at a few context lengths and its average over all
lengths from 1 on; after +- stands half the width of the 95 % interval over tasks. --out has every length, and the ends
of its interval. References: nearest neighbour, logistic regression (classification only), chance.

examples:
  ctxlearn evaluate runs/icl runs/proto --family Radial
  ctxlearn evaluate runs/icl --family PairwiseMetric --family.scale 3 --n_tasks 5000 --out shifted.csv
  ctxlearn evaluate runs/icl --family Mixture --family.families '[PairwiseMetric, ClassPrototype]'"""


def run(arguments: Sequence[str]) -> int:
    """Evaluate, print the table, and write it where asked."""
    if wants_help(arguments):
        parse(build_parser(None), arguments)
    given = Given({"family": base_classes()["family"]}, {})
    parser = build_parser(given)
    given.read_options(arguments)
    given.check_class_options()
    asked = parse(parser, arguments)
    choose("value of --references", asked.references, REFERENCES)
    if asked.n_tasks < 2:
        raise UsageError(f"--n_tasks: expected 2 or more, for an interval, got {asked.n_tasks}")
    if asked.n_points < 2:
        raise UsageError(f"--n_points: expected 2 or more, one to learn from and one to predict, got {asked.n_points}")
    family = build(parser, given, asked, "family")
    learners = runs_by_name(asked.runs, asked.trust)
    if asked.references == "all":
        learners |= references(family, learners)

    from ctxlearn.evaluation import evaluate

    per_task = evaluate(
        learners, family, n_tasks=asked.n_tasks, n_points=asked.n_points, seed=asked.seed, per_task=True, progress=True
    )
    bounded = family.n_classes is not None
    measure = "accuracy in %" if bounded else "squared error"
    print(f"{family.name}: {measure} on {asked.n_tasks} tasks of {asked.n_points} points, seed {asked.seed}")
    print(summary(per_task, bounded=bounded))
    if asked.out is not None:
        write_table(per_task, Path(asked.out), bounded=bounded)
        print(printable(asked.out))
    return 0


def build_parser(given: Given | None) -> ArgumentParser:
    """The parser; without `given`, for its help alone, one that knows no classes."""
    parser = new_parser(
        "evaluate", "Compare trained learners, and references, on the same new tasks of a family.", _EPILOG
    )
    parser.add_argument(
        "runs", nargs="+", metavar="RUN", help="folders of finished runs; their names become the learners' names"
    )
    add_class_option(parser, "family", "families", "the tasks", given, required=True)
    parser.add_argument("--n_tasks", type=PositiveInt, default=1000, help="tasks to evaluate on, 2 or more")
    parser.add_argument(
        "--n_points", type=PositiveInt, default=50, help="points a task, 2 or more: contexts of 0 to n_points - 1"
    )
    parser.add_argument("--seed", type=NonNegativeInt, default=0, help="of the tasks, which no training sees")
    parser.add_argument(
        "--references", type=str, default="all", help="all or none: learners without training beside the runs"
    )
    add_trust_option(parser)
    parser.add_argument("--out", type=str | None, default=None, metavar="FILE.csv", help="write the whole table")
    return parser


def runs_by_name(folders: Sequence[str], trusted: Sequence[str]) -> dict[str, Learner]:
    """The learners of runs, by their folders' names; by their paths where names are equal."""
    from ctxlearn.training import load

    paths = list(dict.fromkeys(Path(folder) for folder in folders))
    names = [path.resolve().name for path in paths]
    return {
        name if names.count(name) == 1 else str(path): load(path, trusted=trusted)
        for name, path in zip(names, paths, strict=True)
    }


def references(family: TaskFamily, taken: dict[str, Learner]) -> dict[str, Learner]:
    """References that fit the family, under names that no run has."""
    from ctxlearn.references import Chance, LogisticRegression, NearestNeighbor

    made: list[Learner] = [NearestNeighbor(family.n_features, family.n_classes)]
    if family.n_classes is not None:
        made.append(LogisticRegression(family.n_features, family.n_classes))
    made.append(Chance(family))
    names = [type(reference).__name__ for reference in made]
    return {
        f"{name} (reference)" if name in taken else name: reference for name, reference in zip(names, made, strict=True)
    }


def summary(per_task: pd.DataFrame, *, bounded: bool) -> str:
    """A row a learner: the score with its interval at a few context lengths, and its average from 1 on."""
    from ctxlearn.evaluation import task_interval

    longest = int(per_task["n_context"].max())
    lengths = [n for n in LENGTHS if n < longest]
    step = max(1, -(-len(lengths) // (SHOWN - 1)))
    lengths = [*lengths[::step], longest]
    unit, digits = (100, 1) if bounded else (1, 4)

    def cell(mean: float, low: float, high: float) -> str:
        return f"{unit * mean:.{digits}f} +-{unit * (high - low) / 2:.{digits}f}"

    rows = []
    for name, part in per_task.groupby("learner", sort=False):
        scores = part.pivot_table(index="task", columns="n_context", values="value")
        low, high = task_interval(scores[lengths].to_numpy(), bounded=bounded)
        cells = map(cell, scores[lengths].mean(), low, high)
        average = scores.drop(columns=0).mean(axis=1).to_numpy()
        rows.append([str(name), *cells, cell(average.mean(), *map(float, task_interval(average, bounded=False)))])
    return aligned(["context", *map(str, lengths), "average"], rows)


def write_table(per_task: pd.DataFrame, path: Path, *, bounded: bool) -> None:
    """The table of `ctxlearn.evaluate` as CSV."""
    import pandas as pd

    from ctxlearn.evaluation import task_interval
    from ctxlearn.storage import write_text

    tables = []
    for (name, family, seed), part in per_task.groupby(["learner", "family", "seed"], sort=False):
        scores = part.pivot_table(index="task", columns="n_context", values="value")
        low, high = task_interval(scores.to_numpy(), bounded=bounded)
        facts = {"learner": spreadsheet_safe(str(name)), "family": family, "n_context": scores.columns, "seed": seed}
        tables.append(
            pd.DataFrame({**facts, "mean": scores.mean().to_numpy(), "low": low, "high": high, "n_tasks": len(scores)})
        )
    write_text(path, pd.concat(tables).to_csv(index=False, lineterminator="\n"))
