"""YAML and JSON as plain data, refused before they cost anything: a few lines can stand for billions of values."""

from __future__ import annotations

import json
from typing import Any

import yaml

LARGEST, DEEPEST = 20_000, 50
"""Most values that a YAML text may stand for, aliases counted each time; deepest nesting of YAML and JSON."""
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same, ten times as fast


def from_yaml(text: str) -> Any:
    """What a YAML text says, as mappings, lists, text, numbers, Booleans and None.

    Raises:
        yaml.YAMLError: it is not YAML.
        ValueError: it stands for too many values, nests too deeply, or holds itself.
    """
    _check_events(text)
    try:
        return yaml.load(text, _LOADER)
    except (TypeError, AttributeError, OverflowError) as error:  # a list as a key, a date in the year 99999
        raise ValueError(f"it holds a value that cannot be read ({error})") from error


def from_json(text: str) -> Any:
    """What a JSON text says.

    Raises:
        ValueError: it is not JSON, or nests too deeply.
    """
    try:
        data = json.loads(text)
    except RecursionError:
        raise ValueError(f"it nests deeper than {DEEPEST} levels") from None
    level, depth = [data], 0
    while level:
        if depth > DEEPEST:
            raise ValueError(f"it nests deeper than {DEEPEST} levels")
        containers = [item for item in level if isinstance(item, dict | list)]
        level = [value for item in containers for value in (item.values() if isinstance(item, dict) else item)]
        depth += 1
    return data


def _check_events(text: str) -> None:
    """Count the values of a YAML text without making them."""
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    count = 0
    for event in yaml.parse(text, Loader=_LOADER):
        anchor = getattr(event, "anchor", None)
        if isinstance(event, yaml.AliasEvent):
            if anchor not in sizes:
                raise ValueError(f"the alias *{anchor} stands for something that holds it, or for nothing")
            count += sizes[anchor]
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
            if anchor:
                sizes[anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((anchor, count))
            if anchor:
                sizes.pop(anchor, None)
            count += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor:
                sizes[anchor] = count - before
        if len(open_nodes) > DEEPEST:
            raise ValueError(f"it nests deeper than {DEEPEST} levels")
        if count > LARGEST:
            raise ValueError(f"it stands for more than {LARGEST:,} values; the configuration of a run has some hundred")
