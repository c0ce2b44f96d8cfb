"""Learners that use what regressions on the context say: as features, and in a blend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ctxlearn.checks import check_choice, check_float, check_int, describe, solving
from ctxlearn.learners.advice import KINDS, Advice, advise, n_told
from ctxlearn.learners.base import Learner, State, full_precision
from ctxlearn.learners.wrapper import Method, Wrapper, expect_learner


class GuidedContext(NamedTuple):
    """What the inner learner made of the context, and the regressions on it."""

    inner: State
    advice: Advice


class Guided(Wrapper):
    """A learner that is told of each point what regressions on all columns of the context say of it (`advise`).

    The inner learner gets the first `shown` features, the advice, the classes' log-frequencies, and how many rows and columns there
    are. A context point is told what the others say, so the advice shows how far it can be trusted. Made for features that
    come scaled and sorted, from `ContextScaled`: so a table may have many more columns than the inner learner is shown.

    Memory is linear in the number of rows, as in `KernelFeatures`.

    Args:
        learner: takes shown + regressions k + C + 2 features: k = C for classes; for numbers k = 1 and C = 0.
        n_features: d of this learner.
        shown: features handed on, 1 to d.
        advice: kinds of regressions: "ridge" (three), "near" (two), "logistic" (three, of classes only), "match" (one).

    Raises:
        ValueError: a learner of another number of features, or kinds that are not known or do not fit.
    """

    def __init__(
        self, learner: Learner, n_features: int, shown: int, advice: Sequence[str] = ("ridge", "near", "match")
    ) -> None:
        expect_learner("learner", learner)
        check_int("n_features", n_features, minimum=1)
        first = check_int("shown", shown, minimum=1, maximum=n_features)
        kinds = _checked(advice, learner.n_classes)
        expected = first + n_told(kinds, learner.n_classes)
        if learner.n_features != expected:
            raise ValueError(f"learner: expected one of {expected} features, got n_features = {learner.n_features}")
        super().__init__(learner, n_features)
        self.ignores_feature_order = self.scales_by_context = False  # the first features are shown as they come
        self.shown, self.advice = first, kinds

    def adapt(self, context_x: Tensor, context_y: Tensor) -> GuidedContext:
        x, y = self.check_context(context_x, context_y)
        with solving("context_x"), full_precision(x):
            advice, told = advise(x, y, self.n_classes, self.advice)
        return GuidedContext(self.learner.adapt(torch.cat([x[..., : self.shown], told], dim=-1), y), advice)

    def ask(self, method: Method, state: GuidedContext, query_x: Tensor) -> Tensor:
        x = self.check_query(query_x, n_tasks=len(state.advice.context))
        with full_precision(x):
            told = state.advice.of(x)
        return method(state.inner, torch.cat([x[..., : self.shown], told], dim=-1))


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
        if not isinstance(learner, Learner) or learner.n_classes is None:
            raise ValueError(f"learner: expected a Learner of classes, got {describe(learner)}")
        super().__init__(learner.n_features, learner.n_classes)
        self.learner = learner
        self.share = check_float("share", share, minimum=0, maximum=1)
        self.advice = _checked(advice, learner.n_classes)
        self.accepts_missing = learner.accepts_missing

    def adapt(self, context_x: Tensor, context_y: Tensor) -> GuidedContext:
        x, y = self.check_context(context_x, context_y)
        with solving("context_x"), full_precision(x):
            advice, _ = advise(x, y, self.n_classes, self.advice)
        return GuidedContext(self.learner.adapt(x, y), advice)

    def predict(self, state: GuidedContext, query_x: Tensor) -> Tensor:
        x = self.check_query(query_x, n_tasks=len(state.advice.context))
        with full_precision(x):
            blend = state.advice.blend(x)
        return (1 - self.share) * self.learner.predict(state.inner, x).log_softmax(-1) + self.share * blend

    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        return self.learner.loss(output, y)


def _checked(advice: object, n_classes: int | None) -> tuple[str, ...]:
    known = tuple(kind for kind in KINDS if n_classes is not None or kind != "logistic")
    if not isinstance(advice, list | tuple) or not advice:
        raise ValueError(f"advice: expected some of {', '.join(known)}, got {describe(advice)}")
    return tuple(check_choice("advice", kind, known) for kind in advice)
