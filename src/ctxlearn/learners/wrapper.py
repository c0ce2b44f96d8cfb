"""Learners around learners: what is not changed is handed on."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ctxlearn.checks import describe
from ctxlearn.learners.base import Learner, State, on_device_of

Method = Callable[[Any, Tensor], Tensor]
"""A learner's `predict`, `predict_for_loss` or `predict_distribution`."""


class Wrapper(Learner, ABC):
    """A learner around another one, as which it answers but for what a subclass changes.

    `predict`, `predict_for_loss` and `predict_distribution` go through `ask`, so a subclass that changes queries or answers
    writes it once; one that makes something else of a context writes `adapt`. The loss is the inner learner's.

    Args:
        learner: the one inside.
        n_features: of this learner; None for those of the inner one.

    Attributes:
        learner: the one inside.

    Raises:
        ValueError: no learner.
    """

    def __init__(self, learner: Learner, n_features: int | tuple[int, ...] | None = None) -> None:
        expect_learner("learner", learner)
        super().__init__(learner.n_features if n_features is None else n_features, learner.n_classes)
        self.learner = learner
        _take_promises(self, [learner])

    def adapt(self, context_x: Tensor, context_y: Tensor) -> State:
        return self.learner.adapt(context_x, context_y)

    def ask(self, method: Method, state: Any, query_x: Tensor) -> Tensor:
        """What `method`, one of the inner learner's, answers for queries (B, q, *shape) after `adapt` gave `state`."""
        return method(state, query_x)

    def predict(self, state: Any, query_x: Tensor) -> Tensor:
        return self.ask(self.learner.predict, state, query_x)

    def predict_for_loss(self, state: Any, query_x: Tensor) -> Tensor:
        return self.ask(self.learner.predict_for_loss, state, query_x)

    def predict_distribution(self, state: Any, query_x: Tensor) -> Tensor:
        return self.ask(self.learner.predict_distribution, state, query_x)

    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        return self.learner.loss(output, y)

    def _precision(self, given: torch.dtype) -> torch.dtype:
        return self.learner._precision(given)


class Committee(Learner, ABC):
    """Several learners of the same inputs and classes that answer together.

    What can be handed on is: missing values are accepted where all members accept them, and so on. The loss is the first
    member's. A subclass says in `mix` how the answers become one.

    Args:
        learners: two or more.

    Raises:
        ValueError: fewer than two, or learners that do not fit together.
    """

    def __init__(self, learners: Sequence[Learner]) -> None:
        listed = isinstance(learners, Sequence) and len(learners) >= 2
        if not listed or not all(isinstance(learner, Learner) for learner in learners):
            raise ValueError(f"learners: expected a list of two or more learners, got {describe(learners)}")
        first = learners[0]
        for i, learner in enumerate(learners):
            if (learner.n_features, learner.n_classes) != (first.n_features, first.n_classes):
                raise ValueError(
                    f"learners[{i}]: expected n_features = {first.n_features} and n_classes = {first.n_classes}, as"
                    f" learners[0] has, got {learner.n_features} and {learner.n_classes}"
                )
        super().__init__(first.n_features, first.n_classes)
        self.learners = nn.ModuleList(learners)
        _take_promises(self, self.members)

    @property
    def members(self) -> list[Learner]:
        """The learners, in order."""
        return [learner for learner in self.learners if isinstance(learner, Learner)]

    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        return self.members[0].loss(output, y)

    def answers(self, method: str, states: Sequence[State], query_x: Tensor) -> list[Tensor]:
        """What each member's method of that name answers after its own state, all on one device."""
        (query_x,) = on_device_of(self, query_x)  # where the context went
        found = [getattr(m, method)(state, query_x) for m, state in zip(self.members, states, strict=True)]
        return together(found)

    def _precision(self, given: torch.dtype) -> torch.dtype:
        precision = given
        for member in self.members:
            precision = torch.promote_types(precision, member._precision(given))
        return precision


def together(answers: Sequence[Tensor]) -> list[Tensor]:
    """Answers of several learners on the first one's device."""
    return [answer.to(answers[0].device) for answer in answers]


def expect_learner(name: str, learner: object) -> Learner:
    """`learner` itself; anything but a `Learner` is refused."""
    if not isinstance(learner, Learner):
        raise ValueError(f"{name}: expected a Learner, got {describe(learner)}")
    return learner


def _take_promises(outer: Learner, members: Sequence[Learner]) -> None:
    """Promise what all members promise."""
    outer.accepts_missing = all(member.accepts_missing for member in members)
    outer.ignores_feature_order = all(member.ignores_feature_order for member in members)
    outer.scales_by_context = all(member.scales_by_context for member in members)
