"""A module as a function of its parameters: safe between threads, and differentiable twice through attention."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

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

    `torch.func.functional_call` swaps a module's parameters in place, so two threads must not use it on one module. A
    `Functional` works on a module of its own around the same parameters; make one where it is needed. Buffers are
    copies: what a call does to them stays in the `Functional`.

    Args:
        module: whose structure is used, and the parameters that a call does not give.
    """

    def __init__(self, module: nn.Module) -> None:
        own = copy.deepcopy(module, memo={id(p): p for p in module.parameters()})
        self._shell = _Shell(own)
        self._buffers = dict(own.named_buffers())

    def __call__(self, parameters: Mapping[str, Tensor], function: Callable[..., Any], *inputs: Any) -> Any:
        """`function(module, *inputs)` for the module with these parameters.

        Args:
            parameters: by name, some or all.
            function: what to do with the module: `lambda m, x: m(x)`, a training objective, ...
            inputs: handed on.
        """
        return torch.func.functional_call(self._shell, _inside(parameters), (function, *inputs))

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


class _Shell(nn.Module):
    """`functional_call` calls forward and nothing else: here forward calls anything."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, function: Callable[..., Any], *inputs: Any) -> Any:
        return function(self.module, *inputs)


def _inside(parameters: Mapping[str, Tensor]) -> Parameters:
    return {f"module.{name}": value for name, value in parameters.items()}
