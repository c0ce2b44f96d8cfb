"""The code that a result depends on, as text: a function, and whatever it names in its own package."""

from __future__ import annotations

import ast
import hashlib
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

Named = Callable[..., Any] | type
_PLAIN = (bool, int, float, str, bytes, type(None))


def code_digest(things: Iterable[Named]) -> str:
    """SHA-256 of the code of functions and classes, and of the functions, classes and constants that they name.

    Names are followed within a package: `a.b.f` may name anything in `a`, and inside ctxlearn anything in its room.
    Comments, docstrings and layout do not count. What a method reaches through an argument is not seen.
    """
    found: dict[str, str] = {}
    for thing in things:
        _collect(thing, _package(thing.__module__), found)
    text = "\n".join(f"{name}\n{found[name]}" for name in sorted(found))
    return hashlib.sha256(text.encode()).hexdigest()


def classes_digest(classes: Iterable[type]) -> str:
    """SHA-256 of the text of classes and of their bases, without comments and docstrings; nothing that they name is followed.

    ctxlearn's own classes, Python's and torch's do not count: they change with the version of a package.
    """
    texts = {f"{c.__module__}.{c.__qualname__}": _text(c) for cls in classes for c in cls.__mro__ if is_own(c)}
    return hashlib.sha256("\n".join(f"{name}\n{texts[name]}" for name in sorted(texts)).encode()).hexdigest()


def is_own(cls: type) -> bool:
    """Whether a class is the user's: of no package that stands under everything here."""
    return cls.__module__.partition(".")[0] not in ("abc", "builtins", "ctxlearn", "enum", "typing", "numpy", "torch")


def _package(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[:2] if parts[0] == "ctxlearn" else parts[:1])


def _collect(thing: Named, package: str, found: dict[str, str]) -> None:
    name = f"{thing.__module__}.{thing.__qualname__}"
    if name in found:
        return
    found[name] = _text(thing)
    for other, value in _names(thing):
        if isinstance(value, FunctionType | type):
            if _package(value.__module__) == package:
                _collect(value, package, found)
        elif value is not None and _is_plain(value):
            found[f"{name}:{other}"] = repr(value)


@cache
def _text(thing: Named) -> str:
    """The source without comments and docstrings; where there is none (a prompt), the compiled code."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(thing))))
    except (OSError, TypeError, SyntaxError):
        return "\n".join(f"{code.co_code.hex()} {code.co_names} {code.co_varnames}" for code in _codes(thing))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and ast.get_docstring(node):
            assert isinstance(body, list)
            body[:1] = [] if len(body) > 1 else [ast.Pass()]
    return ast.unparse(tree)


def _names(thing: Named) -> Iterator[tuple[str, Any]]:
    """The globals that a function, or the methods of a class, name; and the attributes of modules among them."""
    for code, scope in _codes_and_globals(thing):
        for name in code.co_names:
            value = scope.get(name)
            yield name, value
            if isinstance(value, ModuleType):
                yield from ((f"{name}.{n}", vars(value)[n]) for n in code.co_names if n in vars(value))
    if isinstance(thing, type):
        for base in thing.__bases__:
            yield base.__name__, base


def _codes(thing: Named) -> Iterator[CodeType]:
    for code, _ in _codes_and_globals(thing):
        yield code


def _codes_and_globals(thing: Named) -> Iterator[tuple[CodeType, dict[str, Any]]]:
    members = list(vars(thing).values()) if isinstance(thing, type) else [thing]
    for member in members:
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        function = inspect.unwrap(function) if callable(function) else function
        if isinstance(function, FunctionType):
            yield from ((code, function.__globals__) for code in _nested(function.__code__))


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple | list | frozenset | set):
        return all(_is_plain(item) for item in value)
    if isinstance(value, dict):
        return all(_is_plain(item) for pair in value.items() for item in pair)
    return isinstance(value, _PLAIN)
