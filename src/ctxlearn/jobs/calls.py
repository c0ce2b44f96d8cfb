"""Calls as data: a function and its arguments, so that a result is found by what it depends on and can be computed elsewhere.

A call is written down as import paths and plain data, and built again from them. A trained learner stands in it as its
`Training`, or as the path of a finished run. The hash of a call covers its arguments, the hashes of its runs, and the code
that it names.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from types import FunctionType
from typing import Any

from ctxlearn.checks import describe
from ctxlearn.configurable import Configurable, configuration, digest, instantiate
from ctxlearn.jobs.trainings import Training
from ctxlearn.learners.base import Learner
from ctxlearn.source_code import code_digest
from ctxlearn.storage import digest_tensors
from ctxlearn.training.run_folder import RunFolder


@dataclass(frozen=True)
class Kept:
    """Among the arguments of a call: pairs of steps and the learner after them, of a training that keeps weights on its way."""

    training: Training


@dataclass(frozen=True)
class Call:
    """A function and its arguments, not called yet. Among the arguments of another call it stands for its result.

    Attributes:
        function: of the top level of a module. A parameter `threads`, which must change no result, is filled in when it
            runs and is no argument here.
        arguments: plain data, objects that record how they were made (families, learners without training, dataclasses),
            a `Training` or the `Path` of a finished run for a trained learner, `Kept` weights, functions, other calls; and
            lists and mappings by text of these.
    """

    function: Callable[..., Any]
    arguments: Mapping[str, Any]

    def described(self) -> dict[str, Any]:
        """As JSON-able data that builds it again.

        Raises:
            ValueError: an argument that cannot be written down; it is named.
        """
        arguments = {name: describe_argument(value, name) for name, value in self.arguments.items()}
        return {"function": function_path(self.function), "arguments": arguments}

    @property
    def hash(self) -> str:
        """SHA-256 of what the result depends on."""
        described = self.described()
        return digest({"call": without_folders(described), "code": code_digest(named_code(self))})


def call(function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Call:
    """`function(*arguments, **named)`, to be called later; see `Call`.

    Raises:
        ValueError: the function does not take these arguments.
    """
    function_path(function)
    signature = inspect.signature(function)
    try:
        given = dict(signature.bind_partial(*arguments, **named).arguments)
        needed = [n for n, p in signature.parameters.items() if p.default is p.empty and n != "threads"]
        missing = [name for name in needed if name not in given]
        if missing:
            raise TypeError(f"missing {', '.join(missing)}")
    except TypeError as error:
        raise ValueError(
            f"{function.__qualname__}: expected its arguments {signature}, got others ({error})"
        ) from error
    return Call(function, given)


def function_path(function: Callable[..., Any]) -> str:
    """`module:name` of a function by which another process finds it."""
    path = f"{getattr(function, '__module__', None)}:{getattr(function, '__qualname__', None)}"
    module = sys.modules.get(path.partition(":")[0])
    if not isinstance(function, FunctionType) or getattr(module, path.partition(":")[2], None) is not function:
        raise ValueError(
            f"function: expected a function defined at the top level of a module, got {describe(function)}"
        )
    return path


def describe_argument(value: Any, name: str) -> Any:
    """One argument as JSON-able data; see `Call`."""
    if isinstance(value, Training):
        # a learner that reads files of this machine, a language model, is built from the study's words and not from a run's
        return {"run": value.hash} | ({"learner": configuration(value.learner)} if value.reads_files else {})
    if isinstance(value, Kept):
        return {"run": value.training.hash, "kept": True}
    if isinstance(value, Path):
        return {"run": str(RunFolder(value).read_config()["hash"]), "folder": str(value.resolve())}
    if isinstance(value, Call):
        return value.described()
    if isinstance(value, FunctionType):
        return {"function": function_path(value)}
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise ValueError(f"{name}: expected keys that are text, got {', '.join(map(repr, value))}")
        return {key: describe_argument(item, f"{name}[{key!r}]") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [describe_argument(item, f"{name}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, Learner):
        return _describe_learner(value, name)
    try:
        found = configuration(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    _refuse_arrays(found, name)
    return found


def _describe_learner(learner: Learner, name: str) -> Any:
    """A learner by its arguments, which must be all that it is."""
    found = configuration(learner)
    _refuse_arrays(found, name)
    again = instantiate(found, Learner)
    if digest_tensors(learner.state_dict()) != digest_tensors(again.state_dict()):
        raise ValueError(
            f"{name}: expected a learner as its constructor makes it, got a {type(learner).__name__} with other weights;"
            " give its Training, or the path of the folder of its run"
        )
    return found


def _refuse_arrays(found: Any, name: str) -> None:
    if isinstance(found, dict):
        if {"array", "sha256"} <= set(found):
            raise ValueError(
                f"{name}: was made from an array, which cannot be built again from its digest; give call(function, ...)"
                " of a function that makes it"
            )
        for item in found.values():
            _refuse_arrays(item, name)
    elif isinstance(found, list):
        for item in found:
            _refuse_arrays(item, name)


def build_argument(described: Any, load_run: Callable[[dict[str, Any]], Any]) -> Any:
    """What `describe_argument` described; trained learners come from `load_run`."""
    if isinstance(described, list):
        return [build_argument(item, load_run) for item in described]
    if not isinstance(described, dict):
        return described
    if "run" in described:
        return load_run(described)
    if "function" in described:
        function = import_function(described["function"])
        if "arguments" not in described:
            return function
        return function(**{k: build_argument(v, load_run) for k, v in described["arguments"].items()})
    if "class_path" in described:
        cls = _class_at(described["class_path"])
        if issubclass(cls, Configurable):
            return instantiate(described, object)
        return cls(**{k: build_argument(v, load_run) for k, v in described["init_args"].items()})
    return {key: build_argument(item, load_run) for key, item in described.items()}


def _class_at(path: str) -> type:
    """The class at `module.Outer.Inner`, of a study that its user runs: its modules are trusted."""
    module = path.rpartition(".")[0]
    while module not in sys.modules:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError:
            module = module.rpartition(".")[0]
            if not module:
                raise
    found: Any = reduce(getattr, path.removeprefix(f"{module}.").split("."), sys.modules[module])
    assert isinstance(found, type)
    return found


def import_function(path: str) -> Callable[..., Any]:
    """The function at `module:name`."""
    module, _, name = path.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


def walk(described: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in JSON-able data."""
    if isinstance(described, dict):
        yield described
        for item in described.values():
            yield from walk(item)
    elif isinstance(described, list):
        for item in described:
            yield from walk(item)


def modules_of(described: Any) -> list[str]:
    """The modules outside ctxlearn whose functions and classes a description names."""
    found = set()
    for part in walk(described):
        if isinstance(part.get("function"), str):
            found.add(part["function"].partition(":")[0])
        if isinstance(part.get("class_path"), str):
            found.add(_module_of_class(part["class_path"]))
    return sorted(name for name in found if name.partition(".")[0] != "ctxlearn")


def _module_of_class(path: str) -> str:
    """The longest known module at the beginning of `module.Outer.Inner`."""
    parts = path.split(".")[:-1]
    while len(parts) > 1 and ".".join(parts) not in sys.modules:
        parts.pop()
    return ".".join(parts)


def trainings_in(value: Any) -> Iterator[Training]:
    """The trainings among arguments."""
    if isinstance(value, Training):
        yield value
    elif isinstance(value, Kept):
        yield value.training
    elif isinstance(value, Call):
        yield from trainings_in(value.arguments)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from trainings_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from trainings_in(item)


def named_code(value: Any) -> Iterator[Callable[..., Any] | type]:
    """The functions of a call, and the classes outside ctxlearn of its arguments."""
    if isinstance(value, Call):
        yield value.function
        yield from named_code(list(value.arguments.values()))
    elif isinstance(value, FunctionType):
        yield value
    elif isinstance(value, Mapping):
        yield from named_code(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from named_code(item)
    elif not isinstance(value, Training | Kept | Path):
        arguments = getattr(value, "_arguments", None)
        if isinstance(arguments, dict):
            yield from named_code(arguments)
        if type(value).__module__.partition(".")[0] not in ("builtins", "ctxlearn", "numpy", "pathlib"):
            yield type(value)


def without_folders(described: Any) -> Any:
    """A description without the places of runs, which change no result, and what their hashes say already."""
    if isinstance(described, list):
        return [without_folders(item) for item in described]
    if isinstance(described, dict):
        kept = {k: v for k, v in described.items() if not (k in ("folder", "learner") and "run" in described)}
        return {k: without_folders(v) for k, v in kept.items()}
    return described
