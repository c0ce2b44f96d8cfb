"""Several learners that answer together."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ctxlearn.checks import describe
from ctxlearn.learners.base import Learner, State


class Ensemble(Learner):
    """The mean of several learners' answers: of their probabilities, returned as logarithms, or of their means.

    Args:
        learners: two or more, of the same inputs and classes (training seeds of one model, say).

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
        self.accepts_missing = all(learner.accepts_missing for learner in learners)
        self.learners = nn.ModuleList(learners)

    def adapt(self, context_x: Tensor, context_y: Tensor) -> list[State]:
        """The states of all, in their order."""
        return [learner.adapt(context_x, context_y) for learner in self._members]

    def predict(self, state: list[State], query_x: Tensor) -> Tensor:
        pairs = zip(self._members, state, strict=True)
        return self._together([learner.predict(own, query_x) for learner, own in pairs])

    def predict_prefixes(self, x: Tensor, y: Tensor) -> Tensor:
        return self._together([learner.predict_prefixes(x, y) for learner in self._members])

    @property
    def _members(self) -> list[Learner]:
        return [learner for learner in self.learners if isinstance(learner, Learner)]

    def _together(self, answers: list[Tensor]) -> Tensor:
        stacked = torch.stack(answers)
        if self.n_classes is None:
            return stacked.mean(0)
        return stacked.log_softmax(-1).logsumexp(0) - math.log(len(answers))
