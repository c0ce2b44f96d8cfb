"""Learners that use what logistic and kernel regressions on the context say: as features, and in a blend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ctxlearn.checks import check_choice, check_float, check_int, describe, solving
from ctxlearn.learners.advice import KINDS, Advice, advise, n_told
from ctxlearn.learners.base import Learner, State


class GuidedContext(NamedTuple):
    """What the inner learner made of the context, and the regressions on it."""

    inner: State
    advice: Advice


class Guided(Learner):
    """A learner of classes that is told of each point what regressions on all columns of the context say of it (`advise`).

    The inner learner gets the first `shown` features, the advice, and the classes' log-frequencies. A context point is told
    what the others say, so the advice shows how far it can be trusted. Made for features that come scaled and sorted, from
    `ContextScaled`: so a table may have many more columns than the inner learner is shown.

    Args:
        learner: takes shown + (regressions + 1) C features.
        n_features: d of this learner.
        shown: features handed on, 1 to d.
        advice: kinds of regressions: "ridge" (three), "logistic" (three), "match" (one).
        residual: add the logits to the logarithm of a blend of the logistic regressions, which their losses on points
            left out weigh. So before any training the answer is that of logistic regression; but trained for some minutes
            it was worse than without (docs/tables.md).

    Raises:
        ValueError: a learner of regression or of another number of features, or kinds that are not known.
    """

    def __init__(
        self,
        learner: Learner,
        n_features: int,
        shown: int,
        advice: Sequence[str] = tuple(KINDS),
        residual: bool = False,
    ) -> None:
        _check_classifier(learner)
        super().__init__(check_int("n_features", n_features, minimum=1), learner.n_classes)
        assert learner.n_classes is not None
        self.shown = check_int("shown", shown, minimum=1, maximum=n_features)
        self.advice = _checked(advice)
        expected = shown + n_told(self.advice, learner.n_classes)
        if learner.n_features != expected:
            raise ValueError(f"learner: expected one of {expected} features, got n_features = {learner.n_features}")
        if not isinstance(residual, bool):
            raise ValueError(f"residual: expected True or False, got {describe(residual)}")
        self.learner = learner
        self.residual = residual
        self.accepts_missing = learner.accepts_missing

    def adapt(self, context_x: Tensor, context_y: Tensor) -> GuidedContext:
        x, y = self.check_context(context_x, context_y)
        assert self.n_classes is not None
        with solving("context_x"):
            advice, told = advise(x, y, self.n_classes, self.advice)
        return GuidedContext(self.learner.adapt(torch.cat([x[..., : self.shown], told], dim=-1), y), advice)

    def predict(self, state: GuidedContext, query_x: Tensor) -> Tensor:
        x, blend = self._guided(state, query_x)
        return self.learner.predict(state.inner, x) + blend

    def predict_for_loss(self, state: GuidedContext, query_x: Tensor) -> Tensor:
        x, blend = self._guided(state, query_x)
        return self.learner.predict_for_loss(state.inner, x) + blend

    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        return self.learner.loss(output, y)

    def _guided(self, state: GuidedContext, query_x: Tensor) -> tuple[Tensor, Tensor]:
        """What the inner learner is shown of queries, and what is added to its logits."""
        x = self.check_query(query_x, n_tasks=len(state.advice.context))
        with torch.no_grad():
            told, blend = state.advice.of(x)
        return torch.cat([x[..., : self.shown], told], dim=-1), blend if self.residual else torch.zeros_like(blend)


class Blended(Learner):
    """The geometric mean of a learner's probabilities and logistic regression's, without training.

    Logistic regression is itself a mean of several penalties and of the classes' frequencies, with weights from their
    losses on points of the context left out. So where the context shows no linear signal, it says next to nothing. Made for inputs as
    `ContextScaled` gives them, behind which it belongs.

    Args:
        learner: of classes.
        share: of logistic regression in the mean of log-probabilities, in [0, 1].
        advice: kinds of regressions: "logistic", "match".

    Raises:
        ValueError: a learner of regression, a share out of range, or kinds that are not known.
    """

    def __init__(self, learner: Learner, share: float = 0.5, advice: Sequence[str] = ("logistic", "match")) -> None:
        _check_classifier(learner)
        super().__init__(learner.n_features, learner.n_classes)
        self.learner = learner
        self.share = check_float("share", share, minimum=0, maximum=1)
        self.advice = _checked(advice)
        self.accepts_missing = learner.accepts_missing

    def adapt(self, context_x: Tensor, context_y: Tensor) -> GuidedContext:
        x, y = self.check_context(context_x, context_y)
        assert self.n_classes is not None
        with solving("context_x"):
            advice, _ = advise(x, y, self.n_classes, self.advice)
        return GuidedContext(self.learner.adapt(x, y), advice)

    def predict(self, state: GuidedContext, query_x: Tensor) -> Tensor:
        x = self.check_query(query_x, n_tasks=len(state.advice.context))
        blend = state.advice.of(x)[1]
        return (1 - self.share) * self.learner.predict(state.inner, x).log_softmax(-1) + self.share * blend

    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        return self.learner.loss(output, y)


def _check_classifier(learner: object) -> None:
    if not isinstance(learner, Learner) or learner.n_classes is None:
        raise ValueError(f"learner: expected a Learner of classes, got {describe(learner)}")


def _checked(advice: object) -> tuple[str, ...]:
    if not isinstance(advice, list | tuple) or not advice:
        raise ValueError(f"advice: expected some of {', '.join(KINDS)}, got {describe(advice)}")
    return tuple(check_choice("advice", kind, tuple(KINDS)) for kind in advice)
