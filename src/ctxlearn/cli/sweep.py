"""`ctxlearn sweep`: a grid over the settings of a training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ctxlearn.cli import train
from ctxlearn.cli.parsing import UsageError, parse, wants_help
from ctxlearn.cli.tables import aligned

_HELP = """
sweep takes the options of `ctxlearn train`, and besides them:
  --grid SETTING=VALUE,VALUE,...   a setting and its values; give it several times for every combination
                                   (training.learning_rate=1e-3,3e-3, learner.width=32,64, source.scale=1,2)
  --jobs N                         trainings side by side; left out, one per core
  --runs FOLDER_OR_URL             where the runs are kept and found again; left out, --out
  --cluster ray|HOST:PORT          a Ray cluster whose nodes do the trainings; left out, this machine
  --n_tasks N                      score each on N test tasks of --family too; left out, on none

writes into --out: one run per combination, and sweep.csv, the best by validation loss first

example:
  ctxlearn sweep --learner InContextTransformer --learner.n_features 2 --learner.n_classes 2 --family ClassPrototype \\
      --training.steps 500 --grid training.learning_rate=1e-3,3e-3 --grid learner.width=32,64 --out runs/sweep
"""


def run(arguments: Sequence[str]) -> int:
    """Train every combination and print the table."""
    if wants_help(arguments):
        parser = train.build_parser(None, "sweep")
        parser.epilog = _HELP
        parse(parser, arguments)
    own, rest = _split(arguments)
    asked = train.asked_training(rest, "sweep")
    grid = dict(_setting(text) for text in own["--grid"])
    if not grid:
        raise UsageError("expected --grid SETTING=VALUE,VALUE,... at least once; ctxlearn sweep --help shows it")
    n_tasks = _number(own, "--n_tasks")

    from ctxlearn.jobs.sweep import sweep
    from ctxlearn.tasks import TaskFamily

    if n_tasks is not None and not isinstance(asked.source, TaskFamily):
        raise UsageError("--n_tasks: test tasks are drawn from --family, and none is given")
    found = sweep(
        asked.learner,
        asked.source,
        asked.config,
        grid,
        out=asked.out,
        objective=asked.objective,
        test=asked.source if n_tasks is not None and isinstance(asked.source, TaskFamily) else None,
        n_tasks=n_tasks or 0,
        jobs=_number(own, "--jobs"),
        runs=next(iter(own["--runs"][-1:]), None),
        cluster=next(iter(own["--cluster"][-1:]), None),
        progress=asked.config.progress,
    )
    rows = [[_shown(value) for value in row] for row in found.table.itertuples(index=False)]
    print(aligned([str(name) for name in found.table.columns], rows))
    print(found.folder / "sweep.csv")
    return 0


def _split(arguments: Sequence[str]) -> tuple[dict[str, list[str]], list[str]]:
    """The values of sweep's own options, and all other arguments."""
    own: dict[str, list[str]] = {"--grid": [], "--jobs": [], "--n_tasks": [], "--runs": [], "--cluster": []}
    rest, waiting = [], list(arguments)
    while waiting:
        word = waiting.pop(0)
        name, equals, value = word.partition("=")
        if name not in own:
            rest.append(word)
        elif equals or waiting:
            own[name].append(value if equals else waiting.pop(0))
        else:
            raise UsageError(f"{name}: expected a value")
    return own, rest


def _setting(text: str) -> tuple[str, list[Any]]:
    name, equals, values = text.partition("=")
    if not equals or not name or not values:
        raise UsageError(f"--grid: expected SETTING=VALUE,VALUE,..., got {text!r}")
    return name.strip(), [_value(word.strip()) for word in values.split(",")]


def _value(word: str) -> Any:
    if word.lower() in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[word.lower()]
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word


def _number(own: dict[str, list[str]], name: str) -> int | None:
    if not own[name]:
        return None
    value = _value(own[name][-1])
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UsageError(f"{name}: expected a number >= 1, got {own[name][-1]}")
    return value


def _shown(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)
