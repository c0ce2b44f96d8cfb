"""Which classes a file may name: those of ctxlearn, those that the program has imported, and those of trusted modules."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

from ctxlearn.escaping import printable
from ctxlearn.moved import MOVED

OWN = "ctxlearn"


class UntrustedError(ValueError):
    """A file names a class of a module that is not trusted; nothing of it was imported."""


def find_class(path: object, trusted: Sequence[str] = ()) -> type:
    """The class at `package.module.Class`. Nothing is imported before it is known that its module may be.

    Args:
        path: the import path; the class must be defined in ctxlearn, a trusted module, or one that is imported already. Classes
            of ours that have moved are found under their earlier paths, too.
        trusted: modules that may be imported, packages with all that is below them.

    Raises:
        UntrustedError: its module is not trusted; it is named.
        ValueError: there is no such class.
    """
    path = MOVED.get(path, path) if isinstance(path, str) else path
    parts = path.split(".") if isinstance(path, str) else []
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        raise ValueError(f"class_path: expected the import path of a class (module.Class), got {_shown(path)}")
    allowed = [OWN, *check_trusted(trusted)]
    names = [".".join(parts[:cut]) for cut in range(len(parts) - 1, 0, -1)]
    for name in names:
        module = sys.modules.get(name)
        if module is None and _is_within(name, allowed):
            module = _imported(name)
        if module is not None:
            found = _member(module, parts[name.count(".") + 1 :])
            if found is not None and not _is_within(found.__module__, [*allowed, name]):
                raise ValueError(
                    f"class_path: {_shown(path)} is defined in the module {found.__module__}; name it there"
                )
            if found is not None:
                return found
            break
    if names[0] in sys.modules or any(_is_within(name, allowed) for name in names):
        raise ValueError(
            f"class_path: cannot import a class {_shown(path)}; define it at the top level of a module that can be imported"
            " (not in __main__ of another script and not inside a function)"
        )
    raise UntrustedError(
        f"class_path: {_shown(path)} is of the module {parts[0]}, which is not part of ctxlearn; to import it is to run its"
        f" code. If you trust it, say so: trusted=[{parts[0]!r}] in Python, --trust {parts[0]} in the shell"
    )


def is_trusted(cls: type, trusted: Sequence[str]) -> bool:
    """Whether a class is defined in a trusted module."""
    return _is_within(cls.__module__, trusted)


def check_trusted(trusted: object) -> list[str]:
    """`trusted` as a list of module names."""
    if isinstance(trusted, str) or not isinstance(trusted, Sequence) or not all(isinstance(t, str) for t in trusted):
        raise ValueError(f"trusted: expected a list of names of modules, ['mine'] say, got {_shown(trusted)}")
    for name in trusted:
        if not all(part.isidentifier() for part in name.split(".")):
            raise ValueError(f"trusted: expected the name of a module, as in `import mine`, got {_shown(name)}")
    return list(trusted)


def modules_named(data: Any) -> list[str]:
    """The modules whose classes a configuration names, for a program that wrote it itself and thus trusts them."""
    return sorted({path.split(".")[0] for path in paths_named(data) if "." in path})


def paths_named(data: Any) -> Iterator[str]:
    """The import paths of the classes that a configuration names."""
    if isinstance(data, dict) and isinstance(data.get("class_path"), str):
        yield data["class_path"]
    if isinstance(data, dict | list):
        for value in data.values() if isinstance(data, dict) else data:
            yield from paths_named(value)


def _is_within(name: str, packages: Sequence[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def _imported(name: str) -> ModuleType | None:
    """A module that may be imported; None where there is none of this name."""
    try:
        return importlib.import_module(name)
    except Exception as error:  # of whatever kind the module raises; the file that named it is told of below
        if isinstance(error, ModuleNotFoundError) and error.name is not None and _is_within(name, [error.name]):
            return None
        what = type(error).__name__
        raise ValueError(f"class_path: the module {name} cannot be imported ({what}: {error})") from error


def _member(module: ModuleType, names: Sequence[str]) -> type | None:
    """A class in a module, or in a class of it. Names are looked up and not computed, but for ours that load when first used."""
    found: Any = module
    for name in names:
        lazy = found is module and _is_within(module.__name__, [OWN])
        found = getattr(found, name, None) if lazy else vars(found).get(name)
        if not isinstance(found, type):
            return None
    assert isinstance(found, type)
    return found


def _shown(value: object) -> str:
    text = printable(repr(value))
    return text if len(text) <= 100 else f"{text[:97]}..."


def placed(error: ValueError, place: str) -> ValueError:
    """The same error with the place in front where it came up; an `UntrustedError` stays one."""
    return (UntrustedError if isinstance(error, UntrustedError) else ValueError)(
        f"{place}: {error}" if place else f"{error}"
    )
