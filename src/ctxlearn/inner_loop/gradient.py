"""Adaptation by gradient steps that can itself be differentiated: MAML's inner loop, over any module and any loss.

At the sample level the loss is that of a network on a task's points, at the meta level that of an in-context learner on
a domain's tasks; nothing here knows which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ctxlearn.checks import check_choice, check_float, check_int, describe
from ctxlearn.inner_loop.functional import DifferentiableAttention, Parameters
from ctxlearn.inner_loop.inner_step import MOST_STEPS, Loss, Step, differentiable


class AdaptationDiverged(RuntimeError):  # noqa: N818 (reads as what happened)
    """An inner loss, or a parameter after an inner step, is not finite.

    Attributes:
        step: the first such inner step, from 0; the number of steps where only the parameters after the last are bad.
        index: the task or domain on the first axis; None where there is one only.
    """

    def __init__(self, message: str, step: int, index: int | None) -> None:
        super().__init__(message)
        self.step, self.index = step, index


class Adapted(NamedTuple):
    """Attributes:
    parameters: all parameters given, those adapted after the last step.
    losses: before each step, (steps,) or (steps, B), detached.
    finite: whether losses and adapted parameters are all finite, () or (B,) bool; where not, the numbers mean nothing.
    """

    parameters: Parameters
    losses: Tensor
    finite: Tensor


class StepSizes(nn.Module):
    """Learned step sizes, for the parameters that are adapted.

    Args:
        parameters: those parameters by name, without an axis of tasks.
        step_sizes: where each of the steps begins, > 0.
        kind: "tensor", one number for each parameter tensor, or "entry", one for each of its entries.
        per_step: numbers of its own for every step; otherwise all begin, and stay, at the mean of `step_sizes`.

    Source: Li et al. 2017 (Meta-SGD) is "entry"; Antoniou et al. 2019 (MAML++), section 4, is "tensor" per step.
    """

    def __init__(
        self, parameters: Mapping[str, Tensor], step_sizes: Sequence[float], kind: str, per_step: bool
    ) -> None:
        super().__init__()
        self.values = nn.ParameterDict()
        for name, p in parameters.items():
            starts = torch.tensor(step_sizes, dtype=p.dtype, device=p.device)
            if not per_step:
                starts = starts.mean(0, keepdim=True)
            shape = p.shape if kind == "entry" else ()
            start = starts.view(-1, *[1] * len(shape)).expand(-1, *shape).clone()
            self.values[name.replace(".", "/")] = nn.Parameter(start)

    def by_name(self) -> Parameters:
        """Step sizes by parameter: (steps or 1, *shape of the parameter or nothing)."""
        return {name.replace("/", "."): value for name, value in self.values.items()}


@dataclass(frozen=True)
class GradientAdaptation:
    """Some steps of gradient descent on some of a module's parameters, as a function that can be differentiated.

    Where gradients are enabled, the adapted parameters depend on the initial ones through every step, so that a loss of
    theirs trains the initial ones: MAML. Second derivatives go through `F.scaled_dot_product_attention` as it stands.
    Where gradients are disabled the inner steps are taken all the same, and nothing is kept. The module itself is never
    changed; frozen parameters (`requires_grad` False) stay as they are; a parameter that the loss does not depend on is
    not moved.

    The loss is a function of all the parameters. Write it with `Functional`, which puts parameters into a module of its own:

        function = Functional(network)

        def loss(parameters):
            return function(parameters, lambda m: F.cross_entropy(m(x), y))

        adapted = GradientAdaptation(steps=5).adapt(loss, dict(network.named_parameters())).parameters
        logits = function(adapted, lambda m: m(new_x))

    `torch.func.functional_call` does not do: it writes into the module that it is given. `examples/inner_steps.py` runs.

    Attributes:
        steps: inner steps k >= 0; exactly so many are taken.
        step_size: > 0, or k of them, one a step.
        first_order: take the inner gradients for constants: the derivative of each step is the identity (Finn et al.
            2017, section 5.2). No second derivatives are computed.
        parameters: which ones move, as a pattern or several of names: "*" for all, "head.*" for a head alone (ANIL,
            Raghu et al. 2020). `*` and `?` match dots too.
        learned: step sizes that are trained: "none", "tensor" or "entry"; see `StepSizes`, made by `step_sizes`.
        per_step: of learned step sizes: every step its own.
        recompute: keep the parameters after each inner step and nothing else; activations are computed again in the
            backward pass, so that memory grows by one set of parameters a step. The loss must then give the same value
            when asked again, and must not depend on tensors that require gradients other than those it is given.
        divergence: "raise" an `AdaptationDiverged` where a loss or parameter is not finite, or "return" it in
            `Adapted.finite`.

    Raises:
        ValueError: a number out of range, another number of step sizes than steps, or an unknown choice.

    Source: Finn et al. 2017, algorithm 1; their alpha is `step_size`.
    """

    steps: int = 5
    step_size: float | Sequence[float] = 0.1
    first_order: bool = False
    parameters: str | Sequence[str] = "*"
    learned: str = "none"
    per_step: bool = False
    recompute: bool = False
    divergence: str = "raise"

    def __post_init__(self) -> None:
        check_int("steps", self.steps, minimum=0, maximum=MOST_STEPS)
        for name in ("first_order", "per_step", "recompute"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name}: expected True or False, got {describe(getattr(self, name))}")
        check_choice("learned", self.learned, ("none", "tensor", "entry"))
        check_choice("divergence", self.divergence, ("raise", "return"))
        _check_step_size(self.step_size, self.steps)
        if not self.patterns or not all(isinstance(pattern, str) for pattern in self.patterns):
            raise ValueError(
                f"parameters: expected a pattern of names or a list of them, got {describe(self.parameters)}"
            )

    @property
    def patterns(self) -> tuple[str, ...]:
        """Patterns of the names that move."""
        if isinstance(self.parameters, str):
            return (self.parameters,)
        return tuple(self.parameters) if isinstance(self.parameters, Sequence) else ()

    @property
    def sizes(self) -> tuple[float, ...]:
        """Step sizes, one a step."""
        return tuple(self.step_size) if isinstance(self.step_size, Sequence) else (float(self.step_size),) * self.steps

    def moving(self, parameters: Mapping[str, Tensor]) -> tuple[str, ...]:
        """Names of those that move: they match and are not frozen.

        Raises:
            ValueError: a pattern that matches none.
        """
        free = [name for name, p in parameters.items() if p.requires_grad]
        for pattern in self.patterns:
            if not any(fnmatchcase(name, pattern) for name in free):
                raise ValueError(
                    f"parameters: {pattern!r} matches no parameter that is free to move; these are: {', '.join(free)}"
                )
        return tuple(name for name in free if any(fnmatchcase(name, pattern) for pattern in self.patterns))

    def step_sizes(self, parameters: Mapping[str, Tensor]) -> StepSizes | None:
        """Learned step sizes for a module's parameters, to be trained along with them; None where none are learned."""
        if self.learned == "none" or self.steps == 0:
            return None
        moving = {name: parameters[name] for name in self.moving(parameters)}
        return StepSizes(moving, self.sizes, self.learned, self.per_step)

    def adapt(
        self,
        loss: Loss,
        parameters: Mapping[str, Tensor],
        *,
        names: Sequence[str] | None = None,
        step_sizes: StepSizes | None = None,
    ) -> Adapted:
        """Take the inner steps.

        Args:
            loss: of all the parameters; see `Loss`.
            parameters: of the module, by name: `dict(module.named_parameters())`, say. To adapt B tasks at once, those
                that move have B copies on a first axis, (B, *shape).
            names: which ones move; None for those that `moving` gives.
            step_sizes: learned ones; None for those of the configuration.

        Returns:
            All parameters after the steps, and how the loss went.

        Raises:
            AdaptationDiverged: a loss or parameter is not finite, with `divergence="raise"`.
            ValueError: a loss that does not depend on the parameters, or with `recompute` on other tensors as well.
        """
        names = self.moving(parameters) if names is None else tuple(names)
        fixed = {name: p for name, p in parameters.items() if name not in names}
        moved = {name: parameters[name] for name in names}
        learned = None if step_sizes is None else step_sizes.by_name()
        losses = []
        graph = torch.is_grad_enabled()
        with differentiable(), nullcontext() if self.first_order or not graph else DifferentiableAttention():
            for k in range(self.steps):
                rates: Parameters | float = self.sizes[k]
                if learned is not None:
                    rates = {name: learned[name][min(k, len(learned[name]) - 1)] for name in names}
                step = Step(loss, names, tuple(fixed), rates, second_order=graph and not self.first_order)
                moved, value = step.take(moved, fixed, graph=graph, recompute=self.recompute and graph)
                losses.append(value)
            result = _result({**parameters, **moved}, names, losses)
        return self._checked(result)

    def _checked(self, result: Adapted) -> Adapted:
        if self.divergence == "return" or bool(result.finite.all()):
            return result
        bad = ~result.losses.isfinite()
        index = None
        if result.finite.ndim:
            index = int((~result.finite).nonzero()[0, 0])
            bad = bad[:, index]
        step = int(bad.nonzero()[0, 0]) if bool(bad.any()) else self.steps
        what = f"step {step} of {self.steps} inner steps" if step < self.steps else f"after {step} inner steps"
        where = "" if index is None else f", task or domain {index} of {len(result.finite)}"
        found = "a parameter is not finite"
        if step < self.steps:
            found = f"the loss is {float(result.losses[step] if index is None else result.losses[step, index])}"
        raise AdaptationDiverged(
            f"{what}{where}: {found}. Try a smaller step_size (now {self.step_size}), fewer steps, or another divergence"
            ' than "raise"',
            step,
            index,
        )


def _check_step_size(step_size: object, steps: int) -> None:
    if isinstance(step_size, str) or not isinstance(step_size, Sequence):
        check_float("step_size", step_size, above=0)
        return
    if len(step_size) != steps:
        raise ValueError(f"step_size: expected a number, or {steps} of them, one a step, got {len(step_size)}")
    for i, size in enumerate(step_size):
        check_float(f"step_size[{i}]", size, above=0)


def reptile_loss(initial: Mapping[str, Tensor], adapted: Mapping[str, Tensor]) -> Tensor:
    """A scalar whose gradient is Reptile's direction: the initial parameters less the mean of the adapted ones.

    Args:
        initial: parameters that require gradients, (*shape) each.
        adapted: what became of them, (*shape) or (B, *shape); taken for constants. Names that are missing, and
            parameters that did not move, contribute nothing.

    Source: Nichol et al. 2018, algorithm 2.
    """
    total = torch.zeros((), device=next(iter(initial.values())).device)
    for name, p in initial.items():
        if name in adapted:
            gap = p - adapted[name].detach()
            total = total + 0.5 * gap.square().sum() / (1 if gap.ndim == p.ndim else len(gap))
    return total


def _result(parameters: Parameters, names: Sequence[str], losses: list[Tensor]) -> Adapted:
    if not losses:
        none = torch.zeros(0)
        return Adapted(parameters, none, torch.ones((), dtype=torch.bool))
    stacked = torch.stack(losses)
    finite = stacked.isfinite().all(0)
    for name in names:
        good = parameters[name].detach().isfinite()
        finite = finite & (good.flatten(finite.ndim).all(-1) if good.ndim > finite.ndim else good)
    return Adapted(parameters, stacked, finite)
