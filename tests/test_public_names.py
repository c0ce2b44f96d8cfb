"""What is public: its names, which change only on purpose, and arguments that mean the same thing everywhere.

After a change of public names, write them anew and say in CHANGELOG.md what changed: python tests/test_public_names.py
"""

import dataclasses
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import ctxlearn
from ctxlearn.learners import Learner
from ctxlearn.tasks import TaskFamily

NAMES = Path(__file__).with_name("public_names.txt")
REQUIRED = inspect.Parameter.empty


def modules():
    """ctxlearn and what is directly in it that lists its public names, by import path."""
    inside = [f"ctxlearn.{m.name}" for m in pkgutil.iter_modules(ctxlearn.__path__) if m.name != "__main__"]
    found = {name: importlib.import_module(name) for name in ["ctxlearn", *inside]}
    return {name: module for name, module in found.items() if hasattr(module, "__all__")}


def public_names():
    return sorted({f"{path}.{name}" for path, module in modules().items() for name in module.__all__})


def test_the_public_names_are_those_written_down():
    written = NAMES.read_text().split()
    new, gone = (sorted({*a} - {*b}) for a, b in ((public_names(), written), (written, public_names())))
    assert (new, gone) == ([], []), "meant? then write them anew: python tests/test_public_names.py"
    assert written == sorted(set(written))


def public_classes():
    found = {}
    for path, module in modules().items():
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isclass(thing) and thing.__module__.startswith("ctxlearn.") and "__init__" in dir(thing):
                found.setdefault(thing, f"{path}.{name}")
    return found


CLASSES = {path: cls for cls, path in public_classes().items() if not issubclass(cls, BaseException)}
BASELINES = {path for path in CLASSES if path.startswith(("ctxlearn.baselines.", "ctxlearn.bayes."))}


@pytest.mark.parametrize("path", CLASSES)
def test_arguments_of_one_name_mean_and_default_to_the_same(path):
    cls = CLASSES[path]
    try:
        arguments = inspect.signature(cls).parameters
    except (TypeError, ValueError):  # an alias of a type, not a class of ours
        return
    names = list(arguments)
    if {"n_features", "n_classes"} <= {*names}:
        assert names.index("n_features") < names.index("n_classes")
    if issubclass(cls, Learner) and "n_features" in names:
        expected = None if path in BASELINES or names[0] == "learner" else REQUIRED  # None takes any
        assert arguments["n_features"].default in ((None, REQUIRED) if names[0] == "learner" else (expected,))
    if path in BASELINES and "n_classes" in names:
        assert arguments["n_classes"].default == 2
    if issubclass(cls, TaskFamily) and "n_features" in names:
        assert names[0] == "n_features"
        assert isinstance(arguments["n_features"].default, int)
    if "seed" in names and not dataclasses.is_dataclass(
        cls
    ):  # of a record it says what was used, or which replicate is meant
        assert arguments["seed"].default == 0
    if "penalty" in names:
        assert isinstance(arguments["penalty"].default, float)
    assert "generator" not in names  # drawn from when something is asked for, never kept
    assert "random_state" not in names or cls.__module__.startswith("ctxlearn.estimators.")


@pytest.mark.parametrize("path", public_names())
def test_generators_are_handed_in_by_name(path):
    module, _, name = path.rpartition(".")
    thing = getattr(importlib.import_module(module), name)
    functions = [f for _, f in inspect.getmembers(thing, inspect.isfunction)] if inspect.isclass(thing) else [thing]
    for function in functions:
        if not inspect.isfunction(function) or function.__name__.startswith("_"):
            continue
        arguments = inspect.signature(function).parameters
        given = arguments.get("generator")
        called_back = function.__name__ in ("batch", "validation_batch", "__call__", "answers")  # by the training loop
        assert given is None or called_back or given.kind is inspect.Parameter.KEYWORD_ONLY, function
        seed = arguments.get("seed")
        assert seed is None or seed.default in (0, REQUIRED), function


if __name__ == "__main__":
    NAMES.write_text("\n".join(public_names()) + "\n")
