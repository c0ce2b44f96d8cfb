"""One differentiable step of gradient descent, and its like that keeps no activations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import get_device_states, set_device_states

from ctxlearn.checks import describe
from ctxlearn.inner_loop.functional import DifferentiableAttention, Parameters

MOST_STEPS = 100_000
"""Most steps of gradient descent, each of which may have a size of its own."""
Loss = Callable[[Parameters], Tensor]
"""From all parameters to the loss: a scalar, or (B,) where the adapted parameters have B tasks on their first axis and
each loss depends on its own task's alone. What else it reads must not have been made under `torch.inference_mode`."""


@contextmanager
def differentiable() -> Iterator[None]:
    """Gradients whatever the caller's mode: the inner ones are needed at evaluation too."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


class Step:
    """One inner step, as a function of tensors alone, so that it can be computed again."""

    def __init__(
        self,
        loss: Loss,
        moving: Sequence[str],
        fixed: Sequence[str],
        rates: Parameters | float,
        second_order: bool,
    ) -> None:
        self.loss, self.moving, self.fixed, self.rates, self.second_order = loss, moving, fixed, rates, second_order

    def take(self, moved: Parameters, fixed: Parameters, *, graph: bool, recompute: bool) -> tuple[Parameters, Tensor]:
        """Parameters after the step, and the loss before it, detached."""
        rates = list(self.rates.values()) if isinstance(self.rates, dict) else []
        tensors = [*moved.values(), *fixed.values(), *rates]
        if not graph:
            # an inference tensor cannot require gradients; its copy can
            tensors = [t.clone() if t.is_inference() else t.detach() for t in tensors]
        if recompute and self.second_order:
            found: tuple[Tensor, ...] = _Recomputed.apply(self, *tensors)  # type: ignore[no-untyped-call]
        else:
            found = self.compute(tensors, second_order=self.second_order)
        if not graph:
            found = tuple(t.detach() for t in found)
        return dict(zip(self.moving, found[:-1], strict=True)), found[-1].detach()

    def compute(self, tensors: Sequence[Tensor], *, second_order: bool, alone: bool = False) -> tuple[Tensor, ...]:
        """Moving parameters after the step, then the loss; `alone` refuses a loss that depends on other tensors too."""
        n, m = len(self.moving), len(self.moving) + len(self.fixed)
        start, rest = list(tensors[:n]), list(tensors[n:m])
        rates: Sequence[Tensor | float] = tensors[m:] if isinstance(self.rates, dict) else (self.rates,) * n
        inner = [t if second_order and t.requires_grad else t.detach().requires_grad_() for t in start]
        if not second_order:  # a graph of the inner gradient alone
            rest = [t.detach() for t in rest]
        value = self.loss({**dict(zip(self.fixed, rest, strict=True)), **dict(zip(self.moving, inner, strict=True))})
        if not isinstance(value, Tensor) or not value.requires_grad:
            raise ValueError(
                f"loss: expected a tensor that depends on the parameters it is given, got {describe(value)}"
            )
        if alone:
            _refuse_other_leaves(value, inner)
        gradients = torch.autograd.grad(value.sum(), inner, create_graph=second_order, allow_unused=True)
        after = [p if g is None else p - rate * g for p, g, rate in zip(start, gradients, rates, strict=True)]
        return (*after, value)


class _Recomputed(torch.autograd.Function):
    """A step that keeps its inputs and nothing else: its derivative computes it again."""

    @staticmethod
    def forward(ctx: Any, step: Step, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.step = step
        ctx.save_for_backward(*tensors)
        ctx.autocast = _autocast(tensors[0].device.type)
        ctx.randomness = torch.get_rng_state(), *get_device_states(tensors[0])
        with torch.enable_grad():
            found = step.compute([t.detach() for t in tensors], second_order=False, alone=True)
        # an output must not be one of the inputs: a parameter that did not move is
        outputs = tuple(t.detach().clone() for t in found)
        ctx.mark_non_differentiable(outputs[-1])
        return outputs

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        leaves = [t.detach().requires_grad_(t.requires_grad) for t in ctx.saved_tensors]
        wanted = [t for t in leaves if t.requires_grad]
        state, devices, states = ctx.randomness
        kind = leaves[0].device.type
        with (
            torch.random.fork_rng(devices, device_type=kind if devices else "cuda"),
            differentiable(),
            ctx.autocast,
            DifferentiableAttention(),
        ):
            torch.set_rng_state(state)  # dropout drops again what it dropped before
            set_device_states(devices, states, device_type=kind)
            moving = [t.requires_grad_() for t in leaves[: len(ctx.step.moving)]]
            found = ctx.step.compute([*moving, *leaves[len(moving) :]], second_order=True)[:-1]
            given = torch.autograd.grad(found, wanted, gradients[:-1], allow_unused=True)
        by_leaf = {id(leaf): g for leaf, g in zip(wanted, given, strict=True)}
        return (None, *(by_leaf.get(id(leaf)) for leaf in leaves))


def _autocast(device: str) -> Any:
    """The autocast setting of now, to be entered again."""
    return torch.autocast(device, dtype=torch.get_autocast_dtype(device), enabled=torch.is_autocast_enabled(device))


def _refuse_other_leaves(value: Tensor, known: Sequence[Tensor]) -> None:
    """A ValueError where `value` depends on tensors besides `known` that require gradients: they would get none."""
    own = {id(t) for t in known}
    todo, seen = [value.grad_fn], set()
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)
        if leaf is not None and id(leaf) not in own:
            raise ValueError(
                f"recompute: the loss depends on a tensor of shape {tuple(leaf.shape)} that requires gradients and is not"
                " among the parameters, so it would get none; hand it in as a parameter, detach it, or set recompute=False"
            )
        todo.extend(after for after, _ in node.next_functions)
