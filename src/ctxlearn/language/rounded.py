"""What another learner makes of the digits that a language model reads."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from ctxlearn.checks import describe
from ctxlearn.language.numerals import Range, range_of
from ctxlearn.language.text_format import TextFormat
from ctxlearn.learners.base import Learner, State
from ctxlearn.learners.wrapper import Method, Wrapper


class _Rounded(NamedTuple):
    inner: State
    x_range: Range


class Rounded(Wrapper):
    """A learner that is shown inputs as a text format writes them: rounded to its digits, and cut off at their ends.

    A language model reads no more than that, so its rivals should not either. Inputs keep their unit.

    Args:
        learner: of inputs that are vectors.
        format: whose `digits` and `scale` are taken.

    Raises:
        ValueError: no learner, or no format.
    """

    def __init__(self, learner: Learner, format: TextFormat) -> None:
        super().__init__(learner)
        if not isinstance(format, TextFormat):
            raise ValueError(f"format: expected a TextFormat, got {describe(format)}")
        self.format = format

    def adapt(self, context_x: Tensor, context_y: Tensor) -> _Rounded:
        x, y = self.check_context(context_x, context_y)
        x_range = range_of(x.flatten(2), self.format.scale)
        return _Rounded(self.learner.adapt(self._written(x, x_range), y), x_range)

    def ask(self, method: Method, state: _Rounded, query_x: Tensor) -> Tensor:
        x = self.check_query(query_x, n_tasks=len(state.x_range.centre))
        return method(state.inner, self._written(x, state.x_range))

    def predict_prefixes(self, x: Tensor, y: Tensor) -> Tensor:
        if isinstance(self.format.scale, str):  # every prefix is written in its own way
            return super().predict_prefixes(x, y)
        x, y = self.check_context(x, y, names=("x", "y"))
        return self.learner.predict_prefixes(self._written(x, range_of(x.flatten(2), self.format.scale)), y)

    def _written(self, x: Tensor, x_range: Range) -> Tensor:
        steps = 10**self.format.digits - 1
        codes = x_range.integers(x.flatten(2), self.format.digits)
        shares = (2 * codes.double() / steps - 1).masked_fill(codes < 0, float("nan"))
        written: Tensor = (x_range.centre + x_range.half * shares).view(x.shape).to(x.dtype)
        return written
