"""A module as a function of its parameters: safe between threads, and differentiable twice through attention."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ctxlearn.checks import unknown_name

Parameters = dict[str, Tensor]
"""Parameters of a module by their dotted names."""


class DifferentiableAttention(TorchFunctionMode):
    """Inside, attention by `torch.nn.functional` can be differentiated any number of times, in this thread alone.

    The fused kernels have a first derivative only. `torch.nn.attention.sdpa_kernel(SDPBackend.MATH)` would choose the
    other one as well, but for all threads of the process at once.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention:
            return torch.ops.aten._scaled_dot_product_attention_math(*args, **kwargs)[0]
        if func is F.multi_head_attention_forward and not kwargs.get("need_weights", True):
            # what it calls is out of the mode's sight; asked for the weights it multiplies matrices
            return func(*args, **{**kwargs, "need_weights": True})[0], None
        return func(*args, **kwargs)


class Functional:
    """Calls functions of a module that has other parameters for the time of the call.

    `torch.func.functional_call` writes into the module that it is given: two threads must not use it on one module, and of a
    submodule that stands under two names it leaves other tensors behind. A `Functional` works on a module of its own around the
    same parameters; make one where it is needed. Buffers are copies: what a call does to them stays in the `Functional`.

    Args:
        module: whose structure is used, and the parameters that a call does not give.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = copy.deepcopy(module, memo={id(p): p for p in module.parameters()})
        self._buffers = dict(self._module.named_buffers())
        self._places = _places(self._module)

    def __call__(self, parameters: Mapping[str, Tensor], function: Callable[..., Any], *inputs: Any) -> Any:
        """`function(module, *inputs)` for the module with these parameters.

        Args:
            parameters: by name, some or all. A tensor with several names is replaced under all of them.
            function: what to do with the module: `lambda m, x: m(x)`, a training objective, ...
            inputs: handed on.

        Raises:
            ValueError: a name that the module does not have.
        """
        before: list[tuple[dict[str, Tensor | None], str, Tensor | None]] = []
        try:
            for name, value in parameters.items():
                if name not in self._places:
                    unknown_name("parameters", name, self._places)
                for owner, key in self._places[name]:
                    before.append((owner, key, owner[key]))
                    owner[key] = value
            return function(self._module, *inputs)
        finally:
            for owner, key, tensor in reversed(before):
                owner[key] = tensor

    def each(
        self, parameters: Mapping[str, Tensor], shared: Mapping[str, Tensor], function: Callable[..., Any], *inputs: Any
    ) -> Any:
        """`function(module, *inputs)` for B modules at once, by `torch.func.vmap`.

        Args:
            parameters: those that differ, (B, *shape) each.
            shared: those that do not, (*shape).
            function: sees one module and one of the B inputs.
            inputs: tensors (B, ...).

        Returns:
            The B results on the first axis.
        """
        n = next(t.shape[0] for t in (*parameters.values(), *inputs))
        buffers = {name: b.expand(n, *b.shape).clone() for name, b in self._buffers.items()}

        def one(own: Parameters, buffers: Parameters, *inputs: Tensor) -> Any:
            return self({**own, **buffers, **shared}, function, *inputs)

        return torch.func.vmap(one, randomness="different")(dict(parameters), buffers, *inputs)


def refuse_batch_statistics(module: nn.Module, what: str) -> None:
    """Refuse a module with layers that keep running statistics, which a `Functional` cannot train.

    Raises:
        ValueError: names the layer and what to use instead.
    """
    for name, layer in module.named_modules():
        if getattr(layer, "track_running_stats", False) or isinstance(layer, nn.modules.batchnorm._BatchNorm):
            raise ValueError(
                f"{what}: expected no layer that normalises by batches, got {type(layer).__name__} ({name or 'itself'}): inner"
                " steps would leave its running statistics where they began, and an answer would depend on the other"
                " queries; use nn.GroupNorm, nn.LayerNorm or, for images, ctxlearn.learners.Conv4, which has group norms"
            )


def _places(module: nn.Module) -> dict[str, list[tuple[dict[str, Any], str]]]:
    """Where each parameter and buffer of a module is held, by each of its names."""
    held: dict[int, list[tuple[dict[str, Any], str]]] = {}
    for part in module.modules():
        for owner in (part._parameters, part._buffers):
            for key, tensor in owner.items():
                held.setdefault(id(tensor), []).append((owner, key))
    named = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    return {name: held[id(tensor)] for name, tensor in named}
