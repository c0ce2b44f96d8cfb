"""The command line's face: `ctxlearn COMMAND ...`.

A command is a module of this package with `run(arguments) -> exit status`. Nothing here imports torch until a command
has work for it, so that help comes at once.
"""

from __future__ import annotations

import importlib
import os
import shlex
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import ctxlearn
from ctxlearn.atomic import reason
from ctxlearn.cli.parsing import UsageError, choose, new_parser, parse
from ctxlearn.cli.terminal import terminal
from ctxlearn.escaping import printable

COMMANDS = {
    "reproduce": "run a study: train what it needs, measure, decide its claims, write a page",
    "train": "train a learner on a family of tasks",
    "sweep": "train it with every combination of some settings, and rank them",
    "evaluate": "compare trained learners, and references, at every context length",
    "identify": "tell which algorithm a trained learner runs",
    "predict": "fill in a column of a table from rows in which it is known",
    "playground": "place points on a plane in the browser and watch the learners",
    "list": "show the families, domains, learners, references and studies there are",
}
_MODULES = {
    "reproduce": "reproduce",
    "train": "train",
    "sweep": "sweep",
    "evaluate": "evaluate",
    "identify": "identify",
    "predict": "predict",
    "playground": "playground",
    "list": "listing",
}
TRACEBACK = "CTXLEARN_TRACEBACK"
"""Environment variable: set to 1, errors come with Python's traceback."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; the exit status: 0, 1 for a failure, 2 for a command line or file that cannot be read."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    with terminal() as lost:
        try:
            _put_folder_last()
            status = _dispatch(arguments)
            sys.stdout.flush()  # a closed pipe is found out here and not at exit
        except UsageError as error:
            return _report(error, 2)
        except KeyboardInterrupt:
            print(f"\nctxlearn: stopped; {_advice(arguments)}", file=sys.stderr)
            return 130
        except BrokenPipeError as error:
            if error.filename is not None:
                return _report(error, 1)
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `ctxlearn list | head -1`
            return 141
        except (ValueError, OSError, MemoryError) as error:
            return _report(error, 1)
        except RuntimeError as error:
            if not type(error).__module__.startswith("ctxlearn.") and "alloc" not in str(error):
                raise  # a defect, of ours or of a user's class: its traceback is what helps
            return _report(error, 1)
        return (
            _report(OSError("the standard output is closed: what was to be shown there is lost"), 1)
            if lost()
            else status
        )


def _put_folder_last() -> None:
    """A user's own classes are found in the current folder; it is the last place, so that no file of theirs hides a library."""
    try:
        here = os.getcwd()
    except OSError as error:  # no relative path means anything there, and torch's libraries cannot be loaded
        raise OSError("the current folder was deleted; change into another one") from error
    sys.path[:] = [place for place in sys.path if place not in ("", here)] + [here]


def _dispatch(arguments: list[str]) -> int:
    name = arguments[0] if arguments else "--help"
    if name in COMMANDS:
        return int(importlib.import_module(f"ctxlearn.cli.{_MODULES[name]}").run(arguments[1:]))
    width = max(map(len, COMMANDS))
    parser = new_parser(
        "",
        "Train models that learn in context, compare them with classical learners and with what is optimal.",
        "commands:\n"
        + "\n".join(f"  {command:<{width}}  {summary}" for command, summary in COMMANDS.items())
        + "\n\nexamples:\n"
        "  ctxlearn reproduce optimal --profile smoke --out results/first\n"
        "  ctxlearn train --learner ProtoNet --learner.n_features 2 --learner.n_classes 2 \\\n"
        "      --family ClassPrototype --training.steps 500 --out runs/proto\n"
        "  ctxlearn evaluate runs/proto --family ClassPrototype\n\n"
        "`ctxlearn COMMAND --help` explains a command.",
        usage="ctxlearn COMMAND [options]",
        version=ctxlearn.__version__,
    )
    if not name.startswith("-"):
        choose("command", name, COMMANDS)
    parse(parser, arguments or ["--help"])
    raise UsageError(f"expected a command first ({', '.join(COMMANDS)}), got {name}")


def _report(error: Exception, status: int) -> int:
    if os.environ.get(TRACEBACK, "0") not in ("", "0"):
        traceback.print_exception(error)
        return status
    text = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        text = f"{place}{error.strerror if type(error).__module__.startswith('ctxlearn.') else reason(error)}"
    elif isinstance(error, MemoryError | RuntimeError) and not type(error).__module__.startswith("ctxlearn."):
        text = f"there is not enough memory for this ({text}); ask for less at a time"
    text = printable(" ".join(text.split()))
    print(f"ctxlearn: error: {text}{_foreign_place(error)}", file=sys.stderr)
    return status


def _foreign_place(error: Exception) -> str:
    """Where an error of somebody else's code came from, which its message alone seldom says."""
    frames = traceback.extract_tb(error.__traceback__)
    package = Path(__file__).resolve().parents[1]
    if (
        isinstance(error, OSError | UsageError | MemoryError | RuntimeError)
        or not frames
        or package in Path(frames[-1].filename).resolve().parents
    ):
        return ""
    last = frames[-1]
    return f" [{type(error).__name__} in {printable(last.filename)}, line {last.lineno}; {TRACEBACK}=1 shows more]"


def _advice(arguments: list[str]) -> str:
    if arguments and arguments[0] in ("train", "sweep", "reproduce"):
        again = shlex.join(["ctxlearn", *arguments])
        return f"what was finished is kept. The same command goes on from there:\n  {again}"
    return "nothing was changed"
