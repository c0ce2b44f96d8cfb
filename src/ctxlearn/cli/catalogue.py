"""What there is, read from the sources without importing them: names, one line each, whole descriptions.

Importing a class means importing torch, which takes seconds. Class statements and docstrings are read as text
instead, so that nothing is written twice and a new class shows up by itself; a test compares with the imported truth.
"""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_SOURCES = Path(__file__).resolve().parents[1]
KINDS = {
    "families": ("tasks", "TaskFamily"),
    "domains": ("tasks", "Domains"),
    "learners": ("learners", "Learner"),
    "references": ("references", "Learner"),
    "objectives": ("training", "Objective"),
    "sources": ("training", "Source"),
    "plans": ("training", "Plan"),
}
"""Kind -> the room whose public names it lists, and the class they descend from."""
ROOMS = ("tasks", "learners", "bayes", "baselines", "training", "inner_loop")
_CLASS = re.compile(r'^class (\w+)(?:\(([^)]*)\))?:[^\n]*\n+    [rR]?"""(.*)', re.MULTILINE)


@dataclass(frozen=True)
class Entry:
    """A public class.

    Attributes:
        name: short name.
        path: by which it is imported.
        summary: its docstring's first line.
        source: the file that defines it.
    """

    name: str
    path: str
    summary: str
    source: Path


@dataclass(frozen=True)
class Option:
    """A field of a dataclass of settings: its name, type, default (None where required) and description."""

    name: str
    type: Any
    default: Any
    required: bool
    help: str


@cache
def entries(kind: str) -> tuple[Entry, ...]:
    """The public classes of a kind, by name; not those that are there to be derived from (`ABC` among their bases)."""
    room, root = KINDS[kind]
    known = _classes()

    def descends(name: str) -> bool:
        return name in known and any(base == root or descends(base) for base in known[name][0])

    home = _SOURCES / f"{room}.py"
    text = (home if home.is_file() else _SOURCES / room / "__init__.py").read_text(encoding="utf-8")
    public = re.search(r"^__all__ = \[(.*?)\]", text, re.MULTILINE | re.DOTALL)
    names = sorted(re.findall(r'"(\w+)"', public[1])) if public else []
    return tuple(
        Entry(name, f"ctxlearn.{room}.{name}", known[name][1].strip().removesuffix('"""'), known[name][2])
        for name in names
        if descends(name) and "ABC" not in known[name][0]
    )


@cache
def _classes() -> dict[str, tuple[tuple[str, ...], str, Path]]:
    """Bases, first line of the docstring and file of every class of the rooms."""
    found = {}
    for room in ROOMS:
        for path in sorted((_SOURCES / room).rglob("*.py")):
            for name, bases, summary in _CLASS.findall(path.read_text(encoding="utf-8")):
                found[name] = (tuple(re.findall(r"\w+", bases)), summary, path)
    return found


def description(entry: Entry) -> str:
    """How a class is constructed, and its whole docstring."""
    definition = _definition(entry.source, entry.name)
    doc = inspect.cleandoc(ast.get_docstring(definition) or "")
    construct = next((f for f in definition.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"), None)
    arguments = ast.unparse(construct.args).removeprefix("self").lstrip(", ") if construct else ""
    return f"{entry.path}({arguments})\n\n{doc}"


@cache
def training_options() -> tuple[Option, ...]:
    """The fields of `TrainingConfig`."""
    types = {"int": int, "float": float, "str": str, "bool": bool, "int | None": int | None}
    definition = _definition(_SOURCES / "training" / "config.py", "TrainingConfig")
    helps = _attributes(ast.get_docstring(definition) or "")
    options = []
    for line in definition.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            name, value = line.target.id, line.value
            if isinstance(value, ast.Call):  # field(default=..., metadata=...)
                value = next(k.value for k in value.keywords if k.arg == "default")
            default = None if value is None else ast.literal_eval(value)
            options.append(Option(name, types[ast.unparse(line.annotation)], default, value is None, helps[name]))
    return tuple(options)


def _definition(path: Path, name: str) -> ast.ClassDef:
    return next(
        n for n in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(n, ast.ClassDef) and n.name == name
    )


def _attributes(doc: str) -> dict[str, str]:
    """The entries of a docstring's section `Attributes`, each in one line."""
    section = re.search(r"^Attributes:\n((?:    .*\n|\n)*)", doc + "\n", re.MULTILINE)
    parts = re.split(r"^    (\w+): ", section[1] if section else "", flags=re.MULTILINE)[1:]
    return {name: " ".join(text.split()) for name, text in zip(parts[::2], parts[1::2], strict=True)}
