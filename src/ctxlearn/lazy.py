"""Imports that nobody waits for without need."""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ctxlearn.moved import RENAMED


def names_from(package: str, homes: Mapping[str, str], subpackages: Collection[str] = ()) -> Callable[[str], Any]:
    """A package's `__getattr__` (PEP 562), which knows the former names of what was renamed, too.

    Args:
        package: its import path.
        homes: for each public name the import path of the module that defines it.
        subpackages: names of packages inside it that are loaded when first used, too.
    """
    former = RENAMED.get(package, {})

    def find(name: str) -> Any:
        if name in former:
            return getattr(sys.modules[package], former[name])
        if name in homes:
            return getattr(importlib.import_module(homes[name]), name)
        if name in subpackages:
            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return find


@contextmanager
def collector_paused() -> Iterator[None]:
    """Import large libraries without Python's search for cyclic garbage, which takes a third of the time and finds none.

    What they have made is left out of later searches, and of the one when Python ends.
    """
    enabled, known = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > known:  # else what would be left out is not the libraries'
            gc.freeze()
        if enabled:
            gc.enable()
