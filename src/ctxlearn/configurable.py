"""Objects that remember how they were made, so that a run can name them, hash them and build them again."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ctxlearn.checks import describe
from ctxlearn.moved import with_first_names
from ctxlearn.trust import find_class, is_trusted, placed


class Configurable:
    """A class whose instances keep the arguments they were constructed with.

    `configuration(thing)` turns an instance into {"class_path", "init_args"}, the form in which jsonargparse reads
    classes from YAML, and `instantiate` goes the other way. Subclasses do nothing: any `__init__` is recorded.

    Attributes:
        reads_files: whether the constructor opens files that its arguments name; no learner out of a file is made of such.
    """

    reads_files = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" not in cls.__dict__:
            return
        construct = cls.__dict__["__init__"]
        signature = inspect.signature(construct)

        @functools.wraps(construct)
        def recording(self: Any, *args: Any, **kwargs: Any) -> None:
            if "_arguments" not in self.__dict__:  # the outermost call is the class's own: its arguments rebuild it
                bound = signature.bind(self, *args, **kwargs)
                bound.apply_defaults()
                self.__dict__["_arguments"] = _flatten(bound, signature)
            construct(self, *args, **kwargs)

        cls.__init__ = recording  # type: ignore[method-assign]


def _flatten(bound: inspect.BoundArguments, signature: inspect.Signature) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for name, value in list(bound.arguments.items())[1:]:
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            arguments.update(value)
        elif kind is not inspect.Parameter.VAR_POSITIONAL:
            arguments[name] = value
        elif value:
            raise TypeError(f"{name}: a recorded class cannot take positional arguments of variable number")
    return arguments


def configurable_repr(value: Configurable) -> str:
    """`Class(argument=value, ...)`, as one would write it; long arguments are cut short."""
    arguments = ", ".join(f"{name}={_short(given)}" for name, given in _arguments(value).items())
    return f"{type(value).__name__}({arguments})"


def _short(value: Any) -> str:
    if isinstance(value, torch.Tensor | np.ndarray):
        return f"<{type(value).__name__} of shape {tuple(value.shape)}>"
    if isinstance(value, torch.nn.Module):
        return f"<{type(value).__name__}>"
    text = repr(value)
    return text if len(text) <= 400 else f"{text[:397]}..."


def class_path(cls: type) -> str:
    """`package.module.Class` by which a class can be imported."""
    return f"{cls.__module__}.{cls.__qualname__}"


def configuration(value: Any) -> Any:
    """A value as JSON-able data that says how to build it again; arrays become a digest of their content."""
    if isinstance(value, np.generic):  # some are ints, floats or text too, which no YAML file could hold
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Configurable):
        arguments = value.__dict__.get("_arguments", {})
        return {"class_path": class_path(type(value)), "init_args": {k: configuration(v) for k, v in arguments.items()}}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: configuration(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init}
        return {"class_path": class_path(type(value)), "init_args": fields}
    if isinstance(value, dict):
        return {str(k): configuration(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [configuration(v) for v in value]
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        content = np.ascontiguousarray(value)
        digest = hashlib.sha256(content.tobytes() if content.dtype != object else repr(content.tolist()).encode())
        return {"array": str(value.dtype), "shape": list(value.shape), "sha256": digest.hexdigest()}
    if isinstance(value, Path):
        return str(value)
    raise ValueError(
        f"a {class_path(type(value))} does not record how it was made, so a run that uses it could not be named or loaded"
        " again; derive its class from ctxlearn.Configurable as well (for a module: class Mine(ctxlearn.Configurable, nn.Module))"
    )


def configurable_classes(value: Any) -> Iterator[type]:
    """The classes that `configuration(value)` names."""
    if isinstance(value, Configurable):
        yield type(value)
        value = _arguments(value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield type(value)
        value = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.init}
    if isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from configurable_classes(item)


def argument(value: Any, path: str) -> Any:
    """The argument that a recorded object was constructed with; `path` may go into others: "families.0.scale".

    An argument left at None stands for the attribute of its name, where there is one.

    Raises:
        ValueError: there is no such argument; those there are, are named.
    """
    for part in path.split("."):
        known = _arguments(value)
        if part not in known:
            what = type(value).__name__
            raise ValueError(f"{what} has no argument {part!r}; it has {', '.join(known) or 'none'}")
        value = known[part] if known[part] is not None else getattr(value, part, None)
    return value


def with_argument(value: Any, path: str, new: Any) -> Any:
    """A recorded object constructed again with one argument changed; `path` as in `argument`, which must know it."""
    part, _, rest = path.partition(".")
    known = _arguments(value)
    changed = {**known, part: with_argument(known[part], rest, new) if rest else new}
    if isinstance(value, list | tuple):
        return list(changed.values())
    return changed if isinstance(value, dict) else type(value)(**changed)


def _arguments(value: Any) -> dict[str, Any]:
    if isinstance(value, Configurable):
        return dict(value.__dict__.get("_arguments", {}))
    if isinstance(value, list | tuple):
        return {str(i): item for i, item in enumerate(value)}
    return dict(value) if isinstance(value, dict) else {}


DATACLASSES = (
    "ctxlearn.language.loading.LoRA",
    "ctxlearn.language.text_format.TextFormat",
    "ctxlearn.learners.blocks.BlockConfig",
    "ctxlearn.inner_loop.gradient.GradientAdaptation",
    "ctxlearn.training.config.TrainingConfig",
)
"""The dataclasses of ctxlearn that are arguments; no other one of anybody's is built, unless its module is trusted."""


def instantiate(
    config: Any, expected: type | tuple[type, ...] = Configurable, *, trusted: Sequence[str] = (), place: str = ""
) -> Any:
    """Build what `configuration` described.

    Only subclasses of `Configurable` and the dataclasses of `DATACLASSES` are built, and only those of ctxlearn, of modules that
    are imported already, and of trusted ones; so a configuration cannot call anything else.

    Args:
        config: what `configuration` gave.
        expected: what it should be.
        trusted: further modules that may be imported, and of which dataclasses may be built.
        place: where the configuration stands, for errors: "learner", say.

    Raises:
        ValueError: the class cannot be imported or is not trusted; it is of another kind, was made from arrays that are not stored,
            or refuses its arguments. The place in the configuration is named.
    """
    if isinstance(config, list):
        return [instantiate(v, object, trusted=trusted, place=f"{place}[{i}]") for i, v in enumerate(config)]
    if not isinstance(config, dict):
        return config
    if "array" in config and "sha256" in config:
        raise ValueError(
            f"{place or 'configuration'}: this object was made from arrays, of which only a digest is stored; build it from them again"
        )
    if "class_path" not in config:
        return {k: instantiate(v, object, trusted=trusted, place=f"{place}.{k}".lstrip(".")) for k, v in config.items()}
    try:
        cls = find_class(config["class_path"], trusted)
        _check_buildable(cls, expected, trusted)
        given = _check_given(cls, config)
    except ValueError as error:
        raise placed(error, place) from error
    place = f"{place}.{cls.__name__}".lstrip(".")
    return _built(
        cls, {k: instantiate(v, object, trusted=trusted, place=f"{place}.{k}") for k, v in given.items()}, place
    )


def _check_buildable(cls: type, expected: type | tuple[type, ...], trusted: Sequence[str]) -> None:
    kinds = expected if isinstance(expected, tuple) else (expected,)
    known = issubclass(cls, Configurable) or class_path(cls) in DATACLASSES
    known = known or (dataclasses.is_dataclass(cls) and is_trusted(cls, trusted))
    if known and issubclass(cls, kinds):
        return
    names = ", ".join(kind.__name__ for kind in (kinds if known else (Configurable,)))
    hint = ""
    if dataclasses.is_dataclass(cls) and not known:
        hint = f"; a dataclass of your own is built if you trust its module: trusted=[{cls.__module__!r}]"
    raise ValueError(f"class_path: expected a subclass of {names}, got {class_path(cls)}{hint}")


def _check_given(cls: type, config: dict[Any, Any]) -> dict[str, Any]:
    """The arguments of a class as a configuration gives them."""
    unknown = [key for key in config if key not in ("class_path", "init_args")]
    if unknown:
        raise ValueError(f"{unknown[0]}: unknown key beside class_path and init_args")
    given = config.get("init_args", {})
    if not isinstance(given, dict):
        raise ValueError(f"init_args: expected the arguments of {cls.__name__} by name, got {describe(given)}")
    try:
        inspect.signature(cls).bind(**{str(key): value for key, value in given.items()})
    except TypeError as error:
        raise ValueError(f"init_args: {cls.__name__} cannot be made of these arguments: {error}") from error
    return given


def _built(cls: type, arguments: dict[str, Any], place: str) -> Any:
    try:
        return cls(**arguments)
    except (
        Exception
    ) as error:  # whatever a constructor makes of values that nobody has checked; the cause stays attached
        said = f"{error}" if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise ValueError(f"{place}: {said}") from error


def digest(data: Any) -> str:
    """SHA-256 of JSON-able data in its canonical form; classes that have moved count under their first import paths."""
    return hashlib.sha256(
        json.dumps(with_first_names(data), sort_keys=True, separators=(",", ":")).encode()
    ).hexdigest()
