"""Checks of what users hand in: each error names the argument, what was expected and what came."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any, NoReturn

import torch
from torch import Tensor

LARGEST_INT = 2**63 - 1
"""Largest integer that a tensor holds."""
_LOCAL = threading.local()


@contextmanager
def trusted_values() -> Iterator[None]:
    """Skip checks of tensor *values* in this thread; shapes and types are still checked.

    A value check reads a tensor back to the host, which would stall an accelerator at every training step. The
    training loop checks the first batch of a source in full and trusts the others; a loss that is not finite
    stops it all the same.
    """
    before = getattr(_LOCAL, "trusted", False)
    _LOCAL.trusted = True
    try:
        yield
    finally:
        _LOCAL.trusted = before


def values_are_trusted() -> bool:
    """Whether this thread is inside `trusted_values`, or traces a graph, which holds no values to look at."""
    return getattr(_LOCAL, "trusted", False) or torch.compiler.is_compiling()


def describe(value: object) -> str:
    """A short account of a value for an error message: type, and shape or the value itself."""
    if isinstance(value, Tensor):
        return f"a {str(value.dtype).removeprefix('torch.')} tensor of shape {tuple(value.shape)}"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"a {type(value).__name__} of {value.dtype} and shape {tuple(value.shape)}"
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits, which Python does not write
        text = "a number"
    return f"{text if len(text) <= 80 else text[:77] + '...'} ({type(value).__name__})"


@contextmanager
def solving(name: str) -> Iterator[None]:
    """Linear algebra on the values of an argument: that they are beyond double precision is said of it by name."""
    try:
        yield
    except torch.linalg.LinAlgError as error:  # type: ignore[attr-defined]
        raise ValueError(
            f"{name}: its values are too large, or of too unequal size, for double precision; scale them ({error})"
        ) from error


def check_int(name: str, value: object, *, minimum: int, maximum: int | None = None) -> int:
    """`value` as an int in [minimum, maximum], 2^63 - 1 at most; booleans and floats are refused."""
    if not isinstance(value, bool) and isinstance(value, Integral):
        number = int(value)
        if minimum <= number <= (LARGEST_INT if maximum is None else maximum):
            return number
        maximum = LARGEST_INT if number > LARGEST_INT and maximum is None else maximum
    limit = f">= {minimum}" if maximum is None else f"in [{minimum}, {maximum}]"
    raise ValueError(f"{name}: expected an integer {limit}, got {describe(value)}")


def check_float(
    name: str, value: object, *, above: float | None = None, minimum: float | None = None, maximum: float | None = None
) -> float:
    """`value` as a finite float within the limits given."""
    pairs = ((">", above), (">=", minimum), ("<=", maximum))
    limits = [f"{sign} {limit}" for sign, limit in pairs if limit is not None]
    if not isinstance(value, bool) and isinstance(value, Real):
        try:
            number = float(value)
        except OverflowError:  # an integer of more than 308 digits
            number = math.inf
        if (
            abs(number) < float("inf")
            and (above is None or number > above)
            and (minimum is None or number >= minimum)
            and (maximum is None or number <= maximum)
        ):
            return number
    raise ValueError(f"{name}: expected a finite number {' and '.join(limits)}".rstrip() + f", got {describe(value)}")


def unknown_name(kind: str, name: object, known: Iterable[str]) -> NoReturn:
    """Refuse a name, with the nearest known ones."""
    known = sorted(known)
    near = get_close_matches(str(name), known, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    raise ValueError(f"{kind}: unknown name {name!r}{hint} Known: {', '.join(known)}")


def check_choice(name: str, value: object, choices: Iterable[str]) -> str:
    """`value` if it is one of the strings in `choices`."""
    choices = tuple(choices)
    if isinstance(value, str) and value in choices:
        return value
    return unknown_name(name, value, choices)


def check_features(name: str, n_features: object) -> tuple[int, ...]:
    """An int or a shape (sequence of ints) as the shape of one input."""
    if isinstance(n_features, tuple | list):
        if not n_features:
            raise ValueError(f"{name}: expected an integer or a shape of at least one axis, got an empty shape")
        return tuple(check_int(f"{name}[{i}]", size, minimum=1) for i, size in enumerate(n_features))
    return (check_int(name, n_features, minimum=1),)


def check_generator(generator: object) -> torch.Generator:
    """`generator` itself; anything but a `torch.Generator` is refused."""
    if not isinstance(generator, torch.Generator):
        raise ValueError(
            f"generator: expected a torch.Generator (torch.Generator().manual_seed(0), say), got {describe(generator)}"
        )
    return generator


def _check_values(name: str, x: Tensor, accepts_missing: bool) -> None:
    if values_are_trusted() or x.numel() == 0 or not x.is_floating_point():
        return
    if bool(torch.isfinite(x).all()):
        return
    infinite, missing = torch.isinf(x), torch.isnan(x)
    bad = infinite if accepts_missing else infinite | missing
    if not bool(bad.any()):
        return
    place = tuple(bad.nonzero()[0].tolist())
    what = "an infinite value" if bool(infinite.any()) else "a missing value (NaN), which this learner does not accept,"
    raise ValueError(f"{name}: expected finite numbers, got {what} at index {place} ({int(bad.sum())} in all)")


def check_inputs(name: str, x: object, shape: tuple[int, ...], *, accepts_missing: bool = False) -> Tensor:
    """`x` as inputs (B, n, *shape) of floating type; B >= 1, n >= 0."""
    expected = f"a floating tensor of shape (tasks, points, {', '.join(map(str, shape))})"
    if not isinstance(x, Tensor) or not x.is_floating_point():
        raise ValueError(f"{name}: expected {expected}, got {describe(x)}")
    if x.ndim != 2 + len(shape) or tuple(x.shape[2:]) != shape:
        raise ValueError(f"{name}: expected {expected}, got {describe(x)}")
    if x.shape[0] == 0:
        raise ValueError(f"{name}: expected at least one task, got {describe(x)}")
    _check_values(name, x, accepts_missing)
    return x


def check_labels(name: str, y: object, leading: tuple[int, int], n_classes: int | None) -> Tensor:
    """`y` as labels (B, n): int64 in [0, n_classes), or floating numbers where `n_classes` is None."""
    kind = f"an int64 tensor of class labels in [0, {n_classes})" if n_classes is not None else "a floating tensor"
    expected = f"{kind} of shape {leading}"
    right_type = isinstance(y, Tensor) and (y.dtype == torch.int64 if n_classes is not None else y.is_floating_point())
    if not isinstance(y, Tensor) or not right_type or tuple(y.shape) != leading:
        raise ValueError(f"{name}: expected {expected}, got {describe(y)}")
    if n_classes is None:
        _check_values(name, y, accepts_missing=False)
    elif not values_are_trusted() and y.numel():
        wrong = (y < 0) | (y >= n_classes)
        if bool(wrong.any()):
            task, point = wrong.nonzero()[0].tolist()
            raise ValueError(
                f"{name}: expected labels in [0, {n_classes}), got {int(y[task, point])} at task {task}, point {point}"
            )
    return y


def check_same(what: str, first: tuple[str, Any], second: tuple[str, Any]) -> None:
    """Refuse two arguments that disagree in what they must share (number of tasks, device)."""
    if first[1] != second[1]:
        raise ValueError(f"{second[0]}: expected the {what} of {first[0]}, {first[1]}, got {second[1]}")
