"""What every learner that reads text does: write the task, ask, and average over ways to write it."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ctxlearn.checks import check_choice, check_int, describe
from ctxlearn.language.numerals import Range, range_of
from ctxlearn.language.text_format import TextFormat
from ctxlearn.learners.base import Learner
from ctxlearn.learners.quantiles import quantile_levels
from ctxlearn.seeding import Stream, generator_for

LABELLINGS = ("one", "cyclic", "all")
MOST_LABELLINGS = 120


@dataclass(frozen=True)
class Row:
    """One prompt's examples: their inputs as written, and the number of the word of each label."""

    inputs: tuple[str, ...]
    labels: tuple[int, ...]


@dataclass(frozen=True)
class TextContext:
    """What `adapt` makes of a context.

    Attributes:
        rows: per task, per way to write it, the examples.
        x_range: which numbers fill the digits.
        y_range: likewise for labels of regression.
        labellings: of each way to write a context, the number of the word of each class; empty for regression.
        read: what the learner's model made of the rows.
    """

    rows: tuple[Row, ...]
    x_range: Range
    y_range: Range
    labellings: tuple[tuple[int, ...], ...]
    read: Any


class TextLearner(Learner):
    """A learner whose algorithm is a language model's: it reads the context as text, and says how likely each label is next.

    Answers are averaged over ways to write the context: over which word names which class (`labellings`) and over orders of
    the examples. Averaged are log-probabilities among the labels, after calibration. With every labelling ("all") renaming the
    classes of a context renames the answers and does nothing else. In training mode a context is written in one way only, as it is given:
    there the tasks' labels are to be permuted. A learner is made in evaluation mode.

    Args:
        n_features: an int d or the shape of one input; inputs are written number by number.
        n_classes: C >= 2, or None for regression, which reads out the distribution over all numbers of `label_digits` digits.
        format: how tasks are written.
        labellings: "one": class k has the k-th word; "cyclic": every class has every word once, in C labellings; "all": all
            C!, up to 120. Regression has one.
        orders: orders of the examples: the one given, and others drawn from a fixed seed.
        calibrate: subtract what the labels get for a query of missing values only, after the same examples (Zhao et al. 2021,
            with their matrix W diagonal). Such a query's own answer is uniform.

    Raises:
        ValueError: a value out of range, or a format that does not suit; the argument is named.
    """

    accepts_missing = True

    def __init__(
        self,
        n_features: int | tuple[int, ...],
        n_classes: int | None,
        format: TextFormat,
        labellings: str,
        orders: int,
        calibrate: bool,
    ) -> None:
        if n_features is None:
            raise ValueError("n_features: expected the number or shape of the inputs, got None")
        super().__init__(n_features, n_classes)
        if not isinstance(format, TextFormat):
            raise ValueError(f"format: expected a TextFormat, got {describe(format)}")
        check_choice("labellings", labellings, LABELLINGS)
        if not isinstance(calibrate, bool):
            raise ValueError(f"calibrate: expected True or False, got {describe(calibrate)}")
        self.format, self.labellings, self.calibrate = format, labellings, calibrate
        self.orders = check_int("orders", orders, minimum=1)
        self.n_words = len(format.words(n_classes))
        self._labelled = _labellings(labellings, n_classes)
        self.eval()

    @property
    def n_ways(self) -> int:
        """Ways in which each context is written: labellings times orders; in training mode one."""
        return 1 if self.training else len(self._labelled) * self.orders

    @property
    def _n_values(self) -> int:
        assert self._shape is not None
        return int(torch.Size(self._shape).numel())

    @abstractmethod
    def _read(self, rows: Sequence[Row]) -> Any:
        """Whatever the model makes of rows of examples."""

    @abstractmethod
    def _score(self, read: Any, queries: Sequence[Sequence[str]]) -> Tensor:
        """Log-probabilities (rows, q, words) of the words after each row's queries, q >= 1."""

    def adapt(self, context_x: Tensor, context_y: Tensor) -> TextContext:
        rows, x_range, y_range = self._rows(*self.check_context(context_x, context_y))
        return TextContext(rows, x_range, y_range, self._ways(), self._read(rows))

    def predict(self, state: TextContext, query_x: Tensor) -> Tensor:
        scores = self._scores(state, self._queries(state, query_x))
        if self.n_classes is not None:
            return scores.to(_floating(query_x))
        means = (scores.double().exp() * state.y_range.numbers(self.format.label_digits)).sum(-1)
        return means.to(_floating(query_x))

    def predict_distribution(self, state: TextContext, query_x: Tensor) -> Tensor:
        if self.n_classes is not None:
            return super().predict_distribution(state, query_x)
        shares = self._scores(state, self._queries(state, query_x)).double().exp().cumsum(-1)
        levels = quantile_levels().to(shares)
        # the distribution is a step function; a level that rounding leaves above its end takes the last number
        at = (shares[..., None, :] < levels[:, None]).sum(-1).clamp(max=self.n_words - 1)
        numbers = state.y_range.numbers(self.format.label_digits).expand(*at.shape[:2], -1)
        return numbers.gather(-1, at).to(_floating(query_x))

    def label_mass(self, state: TextContext, query_x: Tensor) -> Tensor:
        """How much of the model's probability is on the labels at all, (B, q) in [0, 1], the mean over ways to write.

        Near 0 the model expects something else than a label, and what it prefers among them says little.
        """
        log_probabilities = self._raw(state, self._written(state.x_range, self._queries(state, query_x)))
        return log_probabilities.logsumexp(-1).exp().clamp(max=1.0).mean(1)

    def _rows(self, x: Tensor, y: Tensor) -> tuple[tuple[Row, ...], Range, Range]:
        """The examples of B tasks in every way in which they are written, and the ranges of inputs and labels."""
        x_range = range_of(x.flatten(2), self.format.scale)
        y_range = range_of(y[..., None] if self.n_classes is None else x.new_zeros(len(x), 0, 1), self.format.scale)
        words = y if self.n_classes is not None else y_range.integers(y[..., None], self.format.label_digits)[..., 0]
        rows = tuple(
            Row(tuple(inputs[i] for i in order), tuple(labelling[labels[i]] if labelling else labels[i] for i in order))
            for inputs, labels in zip(self._written(x_range, x), words.tolist(), strict=True)
            for labelling, order in zip(self._ways(), self._orders(y.shape[1]), strict=True)
        )
        return rows, x_range, y_range

    def _queries(self, state: TextContext, query_x: Tensor) -> Tensor:
        return self.check_query(query_x, n_tasks=len(state.x_range.centre))

    def _written(self, x_range: Range, x: Tensor) -> list[list[str]]:
        """Inputs (B, n, *shape) as written, per task and point."""
        codes = x_range.integers(x.flatten(2), self.format.digits).tolist()
        return [[self.format.input([None if k < 0 else k for k in point]) for point in task] for task in codes]

    def _content_free(self) -> str:
        return self.format.input([None] * self._n_values)

    def _raw(self, state: TextContext, queries: list[list[str]]) -> Tensor:
        """Log-probabilities (B, ways, q, words) of queries as they are written, per task."""
        n_ways = len(state.labellings)
        if not queries[0]:
            return state.x_range.centre.new_zeros(len(queries), n_ways, 0, self.n_words, dtype=torch.float32)
        scores = self._score(state.read, [task for task in queries for _ in range(n_ways)])
        return scores.view(len(queries), n_ways, *scores.shape[1:])

    def _scores(self, state: TextContext, query_x: Tensor) -> Tensor:
        """Log-probabilities among classes, or numbers, (B, q, C)."""
        queries = self._written(state.x_range, query_x)
        if self.calibrate and queries[0]:
            scores = self._raw(state, [[self._content_free(), *task] for task in queries])
            return self._averaged(state.labellings, scores[:, :, 1:], scores[:, :, :1])
        return self._averaged(state.labellings, self._raw(state, queries))

    def _averaged(self, labellings: Sequence[tuple[int, ...]], scores: Tensor, free: Tensor | None = None) -> Tensor:
        """From log-probabilities of words (B, ways, q, words), and those of a content-free query, to (B, q, C)."""
        if free is not None:
            scores = scores - free
        scores = scores.log_softmax(-1)
        if self.n_classes is not None:
            index = torch.tensor(labellings, device=scores.device)
            scores = scores.gather(-1, index[None, :, None, :].expand(scores.shape))
        return scores.mean(1).log_softmax(-1)

    def _ways(self) -> tuple[tuple[int, ...], ...]:
        """The labelling of each way to write a context."""
        if self.training:
            return self._labelled[:1]
        return tuple(labelling for labelling in self._labelled for _ in range(self.orders))

    def _orders(self, n: int) -> list[list[int]]:
        """The order of the n examples in each way to write a context."""
        orders = [list(range(n))]
        for k in range(1, 1 if self.training else self.orders):
            orders.append(torch.randperm(n, generator=generator_for(0, Stream.REFERENCE, n, k)).tolist())
        return orders * (self.n_ways // len(orders))

    def _precision(self, given: torch.dtype) -> torch.dtype:
        """Inputs are read as they come: in a model's bfloat16 their digits would be others."""
        return torch.promote_types(given, torch.float32)


def _floating(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)


def _labellings(name: str, n_classes: int | None) -> tuple[tuple[int, ...], ...]:
    """Of each labelling the number of the word of each class; for regression one that is empty."""
    if n_classes is None:
        return ((),)
    if name == "one":
        return (tuple(range(n_classes)),)
    if name == "cyclic":
        return tuple(tuple((k + shift) % n_classes for k in range(n_classes)) for shift in range(n_classes))
    found = tuple(itertools.islice(itertools.permutations(range(n_classes)), MOST_LABELLINGS + 1))
    if len(found) > MOST_LABELLINGS:
        raise ValueError(f"labellings: expected at most 5 classes for 'all', got {n_classes}; take 'cyclic'")
    return found
