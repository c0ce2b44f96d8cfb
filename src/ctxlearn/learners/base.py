"""What a learner is: an algorithm that takes data in and gives a predictor out."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ctxlearn.checks import check_features, check_inputs, check_int, check_labels, describe
from ctxlearn.configurable import Configurable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

State = Any
"""What `adapt` makes of a context. Its form is the learner's own business."""


class Context(NamedTuple):
    """A context as it came: x (B, n, *shape) and y (B, n)."""

    x: Tensor
    y: Tensor


class Learner(Configurable, nn.Module, ABC):
    """A learning algorithm: `adapt` reads labelled points, `predict` answers for new ones from what it made.

    A learner of your own is a subclass with two methods, `adapt` and `predict`; `predict_prefixes`, `loss` and
    calling it come along. It keeps nothing of an episode in itself, and treats each query on its own.
    Inputs may be on any device: `check_context` and `check_query` move them to the learner's, where the outputs stay.
    Learners without parameters (the references) are of this class too: nothing downstream asks which.

    Args:
        n_features: an int d or the shape of one input; None for a learner that takes any.
        n_classes: C >= 2, or None for regression.

    Attributes:
        accepts_missing: whether NaN in the inputs is taken to mean "missing"; infinity never is.
        ignores_feature_order: whether the order of features is known to mean nothing, so that no average over it is
            of use.
        scales_by_context: whether the units of inputs mean nothing, since the learner scales them by the context.
    """

    accepts_missing = False
    ignores_feature_order = False
    scales_by_context = False

    def __init__(self, n_features: int | tuple[int, ...] | None, n_classes: int | None) -> None:
        super().__init__()
        self.n_features = tuple(n_features) if isinstance(n_features, list) else n_features  # of a file: a list
        self.n_classes = None if n_classes is None else check_int("n_classes", n_classes, minimum=2)
        self._shape = None if n_features is None else check_features("n_features", n_features)

    @abstractmethod
    def adapt(self, context_x: Tensor, context_y: Tensor) -> State:
        """Learn from a context.

        Args:
            context_x: B tasks of n >= 0 points, (B, n, *shape).
            context_y: their labels, (B, n): int64 in [0, C), or floating numbers for regression.

        Returns:
            A state, to be given to `predict`.

        Raises:
            ValueError: shapes, types or values that cannot be a context; the argument is named.
        """

    @abstractmethod
    def predict(self, state: State, query_x: Tensor) -> Tensor:
        """Answer for new points of the same B tasks.

        Args:
            state: what `adapt` returned.
            query_x: (B, q, *shape).

        Returns:
            Logits (B, q, C), or means (B, q) for regression.
        """

    def predict_for_loss(self, state: State, query_x: Tensor) -> Tensor:
        """What `loss` compares with the queries' labels in training: `predict`, unless a learner reads out more than that.

        A regression learner that gives a distribution, say, is trained on its quantiles and predicts their mean.
        """
        return self.predict(state, query_x)

    def predict_distribution(self, state: State, query_x: Tensor) -> Tensor:
        """Quantiles of each query's label, for regression. Optional.

        Args:
            state: what `adapt` returned.
            query_x: (B, q, *shape).

        Returns:
            (B, q, 20), not decreasing along the last axis: the quantiles at `quantile_levels()`, 0.025, 0.075, ..., 0.975.

        Raises:
            ValueError: this learner gives none.
        """
        raise ValueError(
            f"{type(self).__name__} predicts no distribution; a regression learner with quantiles does, an"
            " InContextTransformer(n_features, None, readout='quantiles') for one"
        )

    def forward(self, context_x: Tensor, context_y: Tensor, query_x: Tensor) -> Tensor:
        """`predict(adapt(context_x, context_y), query_x)`."""
        return self.predict(self.adapt(context_x, context_y), query_x)

    def predict_prefixes(self, x: Tensor, y: Tensor) -> Tensor:
        """Predict each point from the points before it: row i is `predict` of point i after `adapt` on points 0..i-1.

        Args:
            x: (B, N, *shape) with N >= 1.
            y: (B, N).

        Returns:
            Logits (B, N, C), or means (B, N).
        """
        x, y = self.check_context(x, y, names=("x", "y"))
        rows = [self.predict(self.adapt(x[:, :i], y[:, :i]), x[:, i : i + 1]) for i in range(x.shape[1])]
        return torch.cat(rows, dim=1)

    def plot(self, context_x: Tensor, context_y: Tensor, axes: Axes | None = None) -> Axes:
        """Draw what the learner makes of one context: regions of classes on the plane, or the curve of numbers above one input.

        Regions are deeper in colour where the answer is surer, with a black line where it changes; a curve has bands of 50 %
        and 90 % where the learner predicts a distribution.

        Args:
            context_x: points of one task, (n, 2), or (n, 1) for regression; n >= 1.
            context_y: their labels, (n,).
            axes: matplotlib's, to draw on; None makes new ones.

        Raises:
            ValueError: a context of another shape, or one that the learner cannot read.
        """
        from ctxlearn.learners.plots import draw_learner

        return draw_learner(self, context_x, context_y, axes)

    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        """Mean cross-entropy in nats of logits (..., C) and labels (...), or mean squared error for regression."""
        if self.n_classes is None:
            return F.mse_loss(output, y.to(output))
        return F.cross_entropy(output.flatten(0, -2), y.to(output.device).flatten())

    def check_context(
        self, x: Tensor, y: Tensor, names: tuple[str, str] = ("context_x", "context_y")
    ) -> tuple[Tensor, Tensor]:
        """A context that this learner can read, on its device and in its precision; otherwise a ValueError that says why."""
        x = self._check_inputs(names[0], x)
        y = check_labels(names[1], y, (x.shape[0], x.shape[1]), self.n_classes)
        return x, y.to(x.device if self.n_classes is not None else x)

    def check_query(self, x: Tensor, n_tasks: int, n_values: int | None = None) -> Tensor:
        """Queries for the `n_tasks` tasks of a state, on the learner's device and in its precision; otherwise a ValueError.

        A learner that takes inputs of any shape gives `n_values`, the numbers in one input of its context.
        """
        x = self._check_inputs("query_x", x)
        if n_values is not None and math.prod(x.shape[2:]) != n_values:
            raise ValueError(f"query_x: expected inputs of {n_values} numbers, as in the context, got {describe(x)}")
        if x.shape[0] != n_tasks:
            raise ValueError(f"query_x: expected points of the {n_tasks} tasks adapted to, got {x.shape[0]} tasks")
        return x

    def _check_inputs(self, name: str, x: Tensor) -> Tensor:
        shape = self._shape
        if shape is None:
            shape = tuple(x.shape[2:]) if isinstance(x, Tensor) and x.ndim > 2 else (1,)
        x = check_inputs(name, x, shape, accepts_missing=self.accepts_missing)
        return on_device_of(self, x)[0].to(self._precision(x.dtype))

    def _precision(self, given: torch.dtype) -> torch.dtype:
        """What inputs of some precision are computed in: that of the learner's weights, or their own without any."""
        own = next(self.parameters(), None)
        return torch.promote_types(given, torch.float32) if own is None else own.dtype


@contextmanager
def evaluating(learner: nn.Module) -> Iterator[None]:
    """The learner in evaluation mode; it is left in the mode it was in."""
    mode = learner.training
    learner.eval()
    try:
        yield
    finally:
        learner.train(mode)


def full_precision(x: Tensor) -> AbstractContextManager[object]:
    """Computing with x in the precision it has, also in a training of mixed precision."""
    kind = x.device.type
    mixed = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
    return torch.autocast(kind, enabled=False) if mixed else nullcontext()


def largest(x: Tensor, bound: int) -> int:
    """The largest of integers x, or `bound` where there are no values to look at: in a graph that is traced, or without memory."""
    return bound if x.is_meta or torch.compiler.is_compiling() else int(x.amax())


def on_device_of(learner: nn.Module, *tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors where the learner computes: where its weights (or, without any, its buffers) are; else as they are."""
    first = next(chain(learner.parameters(), learner.buffers()), None)
    return tensors if first is None else tuple(tensor.to(first.device) for tensor in tensors)


def one_hot(y: Tensor, n_classes: int, dtype: torch.dtype) -> Tensor:
    """Labels (...) as indicators (..., C)."""
    return (y[..., None] == torch.arange(n_classes, device=y.device)).to(dtype)
