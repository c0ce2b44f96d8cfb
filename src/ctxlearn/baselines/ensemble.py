"""Several learners that answer together."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ctxlearn.learners.base import State
from ctxlearn.learners.quantiles import mixture_quantiles
from ctxlearn.learners.wrapper import Committee, together


class Ensemble(Committee):
    """The mean of several learners' answers: of their probabilities, returned as logarithms, or of their means.

    Members that give distributions (`predict_distribution`) make an ensemble that does.

    Args:
        learners: two or more, of the same inputs and classes (training seeds of one model, say).

    Raises:
        ValueError: fewer than two, or learners that do not fit together.
    """

    def adapt(self, context_x: Tensor, context_y: Tensor) -> list[State]:
        """The states of all, in their order."""
        context = self.check_context(context_x, context_y)
        return [learner.adapt(*context) for learner in self.members]

    def predict(self, state: list[State], query_x: Tensor) -> Tensor:
        return self._mean(self.answers("predict", state, query_x))

    def predict_distribution(self, state: list[State], query_x: Tensor) -> Tensor:
        """Quantiles of the equal mixture of the members' distributions; see `Learner.predict_distribution`."""
        found = torch.stack(self.answers("predict_distribution", state, query_x), dim=-2)
        return mixture_quantiles(found, found.new_full(found.shape[:-1], 1 / len(self.members)))

    def predict_prefixes(self, x: Tensor, y: Tensor) -> Tensor:
        x, y = self.check_context(x, y, names=("x", "y"))
        return self._mean(together([learner.predict_prefixes(x, y) for learner in self.members]))

    def _mean(self, answers: list[Tensor]) -> Tensor:
        stacked = torch.stack(answers)
        if self.n_classes is None:
            return stacked.mean(0)
        return stacked.log_softmax(-1).logsumexp(0) - math.log(len(answers))
