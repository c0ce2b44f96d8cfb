"""Learners out of files: what a file costs to load is known, and bounded by its size, before it is paid."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence, Set
from types import BuiltinFunctionType, FunctionType
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from ctxlearn.checks import describe
from ctxlearn.configurable import Configurable, configuration, instantiate
from ctxlearn.escaping import printable
from ctxlearn.learners.base import Learner
from ctxlearn.storage import CorruptFileError, TensorFile
from ctxlearn.trust import OWN, find_class, modules_named, paths_named

SPARE_CALLS, CALLS = 2_000, 40
"""Calls of torch that the layout of a learner may make, and how many more for each tensor in its file."""
BUILDING_CALLS = 50_000
"""Calls that it may make in earnest, where it cannot be laid out."""
SPARE_NUMBERS, NUMBERS = 2**27, 32
"""Numbers in tensors that it may make, and how many more for each number in its file."""
_KINDS = {"F": "floating", "B": "floating", "I": "integer", "U": "integer", "C": "complex"}
_DRAWS = frozenset(
    getattr(owner, f"{kind}{draw}_")
    for owner, kinds in ((nn.init, ("", "kaiming_", "xavier_")), (Tensor, ("",)))
    for kind in kinds
    for draw in ("uniform", "normal")
)
"""Functions that draw in place, which takes long and on the device without memory draws nothing."""
_INTERNAL = frozenset(vars(nn.Module())) | {"_arguments"}


class TooLargeError(ValueError):
    """A learner would be much larger than what its file holds."""


def stored_learner(
    recipe: Any, file: TensorFile, *, prefix: str = "", trusted: Sequence[str] = (), own_precision: bool = False
) -> tuple[Learner, dict[str, Tensor]]:
    """The learner of a recipe with the weights of a file, in evaluation mode on the CPU; and the file's other tensors.

    It is laid out without memory first (on the meta device) and compared with the file's header; only then is anything read
    and filled. One that cannot be laid out, because its constructor reads values, is built within limits that follow from the
    file's size.

    Args:
        recipe: what `configuration` gave of a learner.
        file: which holds its weights.
        prefix: of their names in the file.
        trusted: as in `instantiate`. A learner that needs trusted modules has no limits.
        own_precision: keep the file's precision, rather than the recipe's.

    Raises:
        ValueError: as `instantiate`.
        CorruptFileError: the file holds other weights than the recipe asks for, or was altered.
    """
    wanted = {
        name.removeprefix(prefix): (file.shapes[name], file.types[name])
        for name in file.shapes
        if name.startswith(prefix)
    }

    def make() -> Learner:
        return cast(Learner, instantiate(recipe, Learner, trusted=trusted, place="learner"))

    if not isinstance(recipe, dict) or "class_path" not in recipe:
        raise ValueError(f"learner: expected class_path and init_args, got {printable(describe(recipe))}")
    _refuse_readers(recipe, trusted)
    foreign = any(name != OWN for name in modules_named(recipe))
    numbers = math.inf if foreign else SPARE_NUMBERS + NUMBERS * sum(math.prod(shape) for shape, _ in wanted.values())
    try:
        learner = _laid_out(make, _Limits(math.inf if foreign else SPARE_CALLS + CALLS * len(wanted), numbers))
        if learner is not None:
            _compare(learner, wanted, file)
            if _is_all_weights(learner):
                _make_arguments(learner, trusted)
            else:
                learner = make()
        else:
            with _Budget(_Limits(math.inf if foreign else BUILDING_CALLS, numbers)):
                learner = make()
            _compare(learner, wanted, file)
    except TooLargeError as error:
        raise CorruptFileError(f"{file.path}: {error}") from error
    tensors = file.read()
    weights = {name: tensors.pop(prefix + name).clone() for name in wanted}  # out of the mapped file
    if not own_precision:
        types = {name: tensor.dtype for name, tensor in learner.state_dict().items()}
        weights = {name: tensor.to(types[name]) for name, tensor in weights.items()}
    learner.load_state_dict(weights, assign=own_precision or any(t.is_meta for t in learner.state_dict().values()))
    return learner.eval(), tensors


def _refuse_readers(recipe: Any, trusted: Sequence[str]) -> None:
    for path in paths_named(recipe):
        if getattr(find_class(path, trusted), "reads_files", False):
            raise ValueError(
                f"class_path: {path} reads files of this machine, of which no learner out of a file is made"
            )


def load_weights(learner: Learner, weights: Mapping[str, Tensor], path: object) -> Learner:
    """Put the weights of a file into a learner at hand, and that into evaluation mode.

    Raises:
        CorruptFileError: they are not the learner's.
    """
    try:
        learner.load_state_dict(weights)
    except RuntimeError as error:
        raise CorruptFileError(f"{path} holds other weights than the learner has: {error}") from error
    return learner.eval()


def _laid_out(make: Callable[[], Learner], limits: _Limits) -> Learner | None:
    """The learner without memory; None if its constructor needs values."""
    try:
        with _Layout(limits):
            return make()
    except (
        Exception
    ) as error:  # without values many things fail, in many ways; built in earnest, the cause comes up again
        if isinstance(error.__cause__, TooLargeError):
            raise error.__cause__ from error
        return None


def _is_all_weights(learner: Learner) -> bool:
    """Whether the tensors that it was laid out with are those that its file holds, and nothing else of it is made of any."""
    named = dict(learner.named_parameters(remove_duplicate=False)) | dict(learner.named_buffers(remove_duplicate=False))
    modules = {id(module) for module in learner.modules()}
    return (
        named.keys() == learner.state_dict().keys()
        and len({id(tensor) for tensor in named.values()}) == len(named)
        and all(
            _is_plain(value, modules)
            for module in learner.modules()
            for name, value in vars(module).items()
            if name not in _INTERNAL
        )
    )


def _make_arguments(learner: Learner, trusted: Sequence[str]) -> None:
    """Make what was laid out as an argument only, such as an encoder of which the learner holds a copy."""
    own = {id(module) for module in learner.modules()}

    def made(value: Any) -> Any:
        if isinstance(value, Configurable) and id(value) not in own:
            return instantiate(configuration(value), object, trusted=trusted)
        if isinstance(value, dict):
            return {name: made(v) for name, v in value.items()}
        return [made(v) for v in value] if isinstance(value, list) else value

    for module in learner.modules():
        if isinstance(module, Configurable):
            vars(module)["_arguments"] = made(vars(module).get("_arguments", {}))


def _is_plain(value: Any, modules: Set[int]) -> bool:
    if isinstance(value, nn.Module):
        return id(value) in modules
    if isinstance(value, dict):
        return all(_is_plain(v, modules) for v in value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return all(_is_plain(v, modules) for v in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return all(_is_plain(getattr(value, f.name), modules) for f in dataclasses.fields(value))
    if isinstance(value, FunctionType):
        return value.__closure__ is None
    return value is None or isinstance(value, bool | int | float | str | type | torch.dtype | BuiltinFunctionType)


class _Limits:
    """What the construction of a learner may still make: calls of torch, and numbers in tensors."""

    def __init__(self, calls: float, numbers: float) -> None:
        self._calls, self._numbers = calls, numbers

    def spend(self, made: Any) -> None:
        self._calls -= 1
        if isinstance(made, Tensor):
            self._numbers -= made.numel()
        if self._calls < 0 or self._numbers < 0:
            raise TooLargeError("its configuration asks for a learner much larger than the weights that it holds")


class _Layout(TorchFunctionMode):
    """Makes tensors without memory, and counts them."""

    def __init__(self, limits: _Limits) -> None:
        super().__init__()
        self._spend = limits.spend
        self._makers = _device_constructors()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _DRAWS:
            made = args[0] if args else kwargs["tensor"]
            if not made.is_meta:
                func(*args, **kwargs)
        elif func in self._makers:
            made = func(*args, **{**kwargs, "device": "meta", **({"generator": None} if "generator" in kwargs else {})})
        else:
            made = func(*args, **kwargs)
        self._spend(made)
        return made


class _Budget(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what is made in earnest, before it is made wherever that can be told."""

    def __init__(self, limits: _Limits) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._limits = limits

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._limits.spend(_in_outline(func, args, kwargs or {}))
        return func(*args, **(kwargs or {}))


def _in_outline(func: Any, args: Any, kwargs: Any) -> Any:
    """What an operator would make, asked of the device without memory; None if that depends on values."""
    args, kwargs = tree_map_only(Tensor, lambda tensor: tensor.to("meta"), (args, dict(kwargs)))
    names = {argument.name for argument in func._schema.arguments}
    kwargs |= {name: value for name, value in (("device", "meta"), ("generator", None)) if name in names}
    try:
        return func(*args, **{**kwargs, **({"pin_memory": None} if "pin_memory" in kwargs else {})})
    except (NotImplementedError, RuntimeError):
        return None


def _compare(learner: Learner, held: Mapping[str, tuple[tuple[int, ...], str]], file: TensorFile) -> None:
    weights = learner.state_dict()
    for name in [*weights, *held]:
        needs = tuple(weights[name].shape) if name in weights else "none"
        has = held[name][0] if name in held else "none"
        if needs != has:
            raise CorruptFileError(
                f"{file.path} holds other weights than its configuration asks for: {printable(name)} should be {needs}, is {has}"
            )
        kind = "integer" if held[name][1] == "BOOL" else _KINDS.get(held[name][1][0])
        if kind != _kind(weights[name]):
            raise CorruptFileError(
                f"{file.path}: {printable(name)} should be {weights[name].dtype}, is {held[name][1]}"
            )


def _kind(tensor: Tensor) -> str:
    if tensor.is_complex():
        return "complex"
    return "floating" if tensor.is_floating_point() else "integer"
