"""Tensors in nested dicts, lists and tuples: the parameters of tasks, the states of learners."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor


def map_tensors(function: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """The same tree with each tensor replaced by `function(tensor, *tensors at its place in the others)`.

    Args:
        function: of as many tensors as there are trees.
        tree: a tensor, or dicts, lists and (named) tuples of trees; anything else stays as it is.
        others: trees of the same form.
    """
    if isinstance(tree, Tensor):
        return function(tree, *others)
    if isinstance(tree, dict):
        return {name: map_tensors(function, value, *(other[name] for other in others)) for name, value in tree.items()}
    if isinstance(tree, list | tuple):
        parts = [map_tensors(function, *values) for values in zip(tree, *others, strict=True)]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    return tree


def leaves(tree: Any) -> Iterator[Any]:
    """Everything in a tree that is no dict, list or tuple, in order."""
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, list | tuple):
        for value in tree:
            yield from leaves(value)
    else:
        yield tree
