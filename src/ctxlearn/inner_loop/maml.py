"""MAML: a network whose initial weights are trained so that a few gradient steps on a context fit it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ctxlearn.checks import check_features, check_int
from ctxlearn.inner_loop.functional import Functional, Parameters, refuse_batch_statistics
from ctxlearn.inner_loop.gradient import AdaptationDiverged, Adapted, GradientAdaptation
from ctxlearn.learners.base import Learner
from ctxlearn.learners.encoders import MLP, Encoder
from ctxlearn.seeding import initial_weights

LARGEST = 2**20
"""Numbers (of adapted parameters and inputs) that `predict_prefixes` works on at once."""


class AdaptedNetwork(NamedTuple):
    """Parameters of the network for each of B tasks: those that were adapted, (B, *shape) each; and B."""

    parameters: Parameters
    n_tasks: int


class MAML(Learner):
    """Some gradient steps on the context from initial weights that are trained for it.

    The network is a linear head on an encoder. `adapt` takes `steps` steps of gradient descent on the context's mean
    loss (cross-entropy, or squared error), each task from the same initial weights; `predict` asks the network that
    came out. An empty context leaves the initial weights. Training goes through the inner steps: second-order gradients,
    unless `first_order`. The inner gradients are computed under `torch.no_grad` and `torch.inference_mode` as well.

    Args:
        n_features: an int d or the shape of one input.
        n_classes: C >= 2, or None for regression.
        encoder: None for two hidden ReLU layers, "identity", or a module from (M, *shape) to (M, e) that treats
            its inputs one by one; so without batch normalisation, whose running statistics inner steps cannot keep.
        steps: inner steps, >= 0.
        step_size: of the inner steps, > 0, or one for each.
        first_order: take the inner gradients for constants.
        adapted: names of the network's parameters that the inner steps move, a pattern or several: "*" for all,
            "head.*" for the head alone (ANIL), "encoder.*" for all but the head.
        learned: step sizes that are trained too: "none", "tensor" (one for each parameter tensor) or "entry" (Meta-SGD).
        per_step: of learned step sizes: every step its own.
        recompute: compute the inner steps' activations again in the backward pass and do not keep them.
        divergence: "raise" an error where an inner step is not finite, or "keep" the initial weights for such a task.
        width: of the default encoder.
        seed: of the initial weights.

    Raises:
        AdaptationDiverged: an inner step of a task is not finite, with `divergence="raise"`.

    Source: Finn et al. 2017, algorithms 1 and 2; their theta are the parameters of `network`.
    """

    def __init__(
        self,
        n_features: int | tuple[int, ...],
        n_classes: int | None,
        encoder: nn.Module | str | None = None,
        steps: int = 5,
        step_size: float | Sequence[float] = 0.1,
        first_order: bool = False,
        adapted: str | Sequence[str] = "*",
        learned: str = "none",
        per_step: bool = False,
        recompute: bool = False,
        divergence: str = "raise",
        width: int = 64,
        seed: int = 0,
    ) -> None:
        super().__init__(n_features, n_classes)
        check_int("width", width, minimum=1)
        if divergence not in ("raise", "keep"):
            raise ValueError(f'divergence: expected "raise" or "keep", got {divergence!r}')
        self.adaptation = GradientAdaptation(
            steps, step_size, first_order, adapted, learned, per_step, recompute, divergence.replace("keep", "return")
        )
        with initial_weights(seed):
            if encoder is None:
                shape = check_features("n_features", n_features)
                encoder = nn.Sequential(nn.Flatten(1), MLP(math.prod(shape), width, width), nn.ReLU())
            self.network = EncoderAndHead(Encoder(encoder, n_features, width), 1 if n_classes is None else n_classes)
        refuse_batch_statistics(self.network, "encoder")
        parameters = dict(self.network.named_parameters())
        self.step_sizes = self.adaptation.step_sizes(parameters)
        self._moving = self.adaptation.moving(parameters)

    def adapt(self, context_x: Tensor, context_y: Tensor) -> AdaptedNetwork:
        context_x, context_y = self.check_context(context_x, context_y)
        weights = context_x.new_full(context_x.shape[:2], 1 / max(1, context_x.shape[1]))
        parameters = self._descend(context_x, context_y, weights)
        return AdaptedNetwork(parameters, len(context_x))

    def adapt_further(self, state: AdaptedNetwork, context_x: Tensor, context_y: Tensor) -> AdaptedNetwork:
        """Take the inner steps again, from where `state` has come: on more points, or once more on the same.

        Args:
            state: what `adapt` or this method returned for B tasks; it is not changed.
            context_x: points of the same tasks, (B, n, *shape).
            context_y: their labels, (B, n).
        """
        context_x, context_y = self.check_context(context_x, context_y)
        if len(context_x) != state.n_tasks:
            raise ValueError(
                f"context_x: expected points of the {state.n_tasks} tasks adapted to, got {len(context_x)} tasks"
            )
        weights = context_x.new_full(context_x.shape[:2], 1 / max(1, context_x.shape[1]))
        return AdaptedNetwork(self._descend(context_x, context_y, weights, state.parameters), state.n_tasks)

    def predict(self, state: AdaptedNetwork, query_x: Tensor) -> Tensor:
        query_x = self.check_query(query_x, n_tasks=state.n_tasks)
        return self._read(state.parameters, query_x)

    def predict_prefixes(self, x: Tensor, y: Tensor) -> Tensor:
        x, y = self.check_context(x, y, names=("x", "y"))
        n_tasks, n = y.shape
        moved = sum(p.numel() for name, p in self.network.named_parameters() if name in self._moving)
        each = n_tasks * (moved + n * math.prod(x.shape[2:]))
        at_once = max(1, min(n, LARGEST // each))
        rows = []
        for start in range(0, n, at_once):
            lengths = torch.arange(start, min(start + at_once, n), device=x.device)
            longest, count = int(lengths[-1]), len(lengths)
            # each prefix is a set of weights on the points: P prefixes of B tasks are B P adaptations of equal size
            before = torch.arange(longest, device=x.device) < lengths[:, None]
            weights = (before / lengths.clamp(min=1)[:, None]).to(x.dtype).repeat(n_tasks, 1)
            points, labels = (t[:, :longest].repeat_interleave(count, dim=0) for t in (x, y))
            try:
                parameters = self._descend(points, labels, weights)
            except AdaptationDiverged as error:
                task, place = divmod(error.index or 0, count)
                error.add_note(f"that is task {task} of {n_tasks} with its first {start + place} points as context")
                raise
            queries = x[:, start : start + count].flatten(0, 1)[:, None]
            rows.append(self._read(parameters, queries).view(n_tasks, count, *self._output_shape))
        return torch.cat(rows, dim=1)

    @property
    def _output_shape(self) -> tuple[int, ...]:
        return () if self.n_classes is None else (self.n_classes,)

    def _descend(self, x: Tensor, y: Tensor, weights: Tensor, start: Parameters | None = None) -> Parameters:
        """Adapted parameters (B, *shape) on the loss sum_i weights_i l_i of points x (B, n, *shape), y and weights (B, n).

        They begin at `start`, (B, *shape) each; without it at the initial weights.
        """
        graph = torch.is_grad_enabled()
        with torch.inference_mode(False), torch.set_grad_enabled(graph):
            start = self._start(len(x)) if start is None else start
            if x.shape[1] == 0 or not self._moving:
                return start
            x, y, weights = (t.clone() if t.is_inference() else t for t in (x, y, weights))
            result = self._steps(x, y, weights, start)
            good = result.finite.nonzero()[:, 0] if result.finite.ndim else None
            if good is None or len(good) == len(x):
                return {name: result.parameters[name] for name in self._moving}
            # once more without the tasks that diverged: a gradient through them would not be finite
            kept = {name: p[good] for name, p in start.items()}
            again = self._steps(x[good], y[good], weights[good], kept) if len(good) else None
            if again is None:
                return start
            return {name: p.index_copy(0, good, again.parameters[name]) for name, p in start.items()}

    def _start(self, n_tasks: int) -> Parameters:
        """The initial weights, once for each task, on the graph."""
        parameters = dict(self.network.named_parameters())
        return {name: parameters[name].expand(n_tasks, *parameters[name].shape) for name in self._moving}

    def _steps(self, x: Tensor, y: Tensor, weights: Tensor, start: Parameters) -> Adapted:
        network = Functional(self.network)
        moving = self._moving
        counts = weights > 0
        y = torch.where(counts, y, torch.zeros_like(y))

        def losses(parameters: Parameters) -> Tensor:
            own = {name: parameters[name] for name in moving}
            shared = {name: p for name, p in parameters.items() if name not in own}
            output = network.each(own, shared, lambda module, x: module(x), x)
            # a point that does not count must not do so by a loss that is infinite either
            output = torch.where(counts[..., None], output, torch.zeros_like(output))
            return (weights * self._pointwise(output, y)).sum(1)

        parameters = {**dict(self.network.named_parameters()), **start}
        return self.adaptation.adapt(losses, parameters, names=moving, step_sizes=self.step_sizes)

    def _pointwise(self, output: Tensor, y: Tensor) -> Tensor:
        """The loss of each point, (B, n)."""
        if self.n_classes is None:
            return (output[..., 0] - y).square()
        return F.cross_entropy(output.flatten(0, 1), y.flatten(), reduction="none").view(y.shape)

    def _read(self, parameters: Parameters, queries: Tensor) -> Tensor:
        if queries.shape[1] == 0:
            return queries.new_zeros(*queries.shape[:2], *self._output_shape)
        graph = torch.is_grad_enabled()
        with torch.inference_mode(False), torch.set_grad_enabled(graph):
            output: Tensor = Functional(self.network).each(parameters, {}, lambda module, x: module(x), queries)
        return output[..., 0] if self.n_classes is None else output


class EncoderAndHead(nn.Module):
    """A linear head on an encoder: n points (n, *shape) to (n, n_outputs)."""

    def __init__(self, encoder: Encoder, n_outputs: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.n_outputs, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.head(self.encoder(x[None])[0])
        return output
