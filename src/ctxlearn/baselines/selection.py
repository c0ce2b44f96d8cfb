"""Algorithm selection: one of several learners for each task, chosen from its context alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ctxlearn.bayes.optimal import BayesOptimal
from ctxlearn.checks import check_choice, check_features
from ctxlearn.learners.base import Learner, State
from ctxlearn.learners.quantiles import mixture_quantiles
from ctxlearn.learners.wrapper import Committee, together
from ctxlearn.tasks.base import TaskFamily

POINTS = 2**15
"""Context points handed to a learner at once in leave-one-out."""


class Selected(NamedTuple):
    """Attributes:
    log_weights: of the learners, (B, K) float64.
    states: what each learner made of the context.
    """

    log_weights: Tensor
    states: list[State]


class AlgorithmSelection(Committee):
    """For each task, the learner that does best on its context, or all of them weighted by how well they do.

    Rules: "loo" trusts a learner by its leave-one-out log-loss on the context; "evidence" by the evidence of the
    context under the family it is for, which is Bayes' rule; "prequential" by its log-loss on each context point
    given those before it. Without a context, and between learners that tie, all have equal weight. For regression the
    loss is squared error.

    `predict_prefixes` with "loo" adapts each learner n times for each prefix of n points, N^2 / 2 times a task; the
    other rules cost one pass over the prefixes.

    Args:
        learners: two or more learners of one kind of task, trained or not, in a mapping by name or in a list.
        rule: "loo", "evidence" or "prequential".
        soft: weight the learners by exp(-total loss) or by the posterior of their families, instead of picking one.
        families: for "evidence": the family each learner is for, in the same order.

    Raises:
        ValueError: learners that do not fit together; families missing, or given for another rule.
    """

    def __init__(
        self,
        learners: Mapping[str, Learner] | Sequence[Learner],
        rule: str = "loo",
        soft: bool = False,
        families: Sequence[TaskFamily] | None = None,
    ) -> None:
        members = list(learners.values() if isinstance(learners, Mapping) else learners)
        super().__init__(members)
        self.rule = check_choice("rule", rule, ("loo", "evidence", "prequential"))
        if soft and self.n_classes is None and rule != "evidence":
            raise ValueError("soft: expected False for regression, where a squared error is no log-loss")
        self.soft = soft
        if rule == "evidence":
            self.accepts_missing = False  # the families' likelihoods do not
        if (families is not None) != (rule == "evidence"):
            raise ValueError(
                f'families: expected one a learner with rule="evidence" and none otherwise, got rule={rule!r}'
            )
        if families is not None and len(families) != len(members):
            raise ValueError(f"families: expected {len(members)}, one a learner, got {len(families)}")
        for i, (family, learner) in enumerate(zip(families or [], members, strict=False)):
            if isinstance(family, TaskFamily) and not _fits(family, learner):
                raise ValueError(
                    f"families[{i}]: expected tasks for its learner ({learner.n_features} features, {learner.n_classes}"
                    f" classes), got {family.name} ({family.n_features} features, {family.n_classes} classes)"
                )
        self._bayes = [BayesOptimal(family) for family in families or []]

    def adapt(self, context_x: Tensor, context_y: Tensor) -> Selected:
        context_x, context_y = self.check_context(context_x, context_y)
        return Selected(
            self._weigh(self._trust(context_x, context_y)),
            [learner.adapt(context_x, context_y) for learner in self.members],
        )

    def predict(self, state: Selected, query_x: Tensor) -> Tensor:
        return self._mix(self.answers("predict", state.states, query_x), state.log_weights[:, None, :])

    def predict_distribution(self, state: Selected, query_x: Tensor) -> Tensor:
        """Quantiles of the members' distributions, mixed by their weights; see `Learner.predict_distribution`."""
        found = torch.stack(self.answers("predict_distribution", state.states, query_x), dim=-2)
        weights = state.log_weights.exp().to(found.device)[:, None, :]
        return mixture_quantiles(found, weights.expand(found.shape[:-1]))

    def predict_prefixes(self, x: Tensor, y: Tensor) -> Tensor:
        x, y = self.check_context(x, y, names=("x", "y"))
        outputs = [learner.predict_prefixes(x, y) for learner in self.members]
        return self._mix(outputs, self._weigh(self._trust_prefixes(x, y, outputs)))

    def choices(self, x: Tensor, y: Tensor) -> Tensor:
        """Weights of the learners at every prefix, (B, N, K): how often each is chosen, when averaged over tasks."""
        x, y = self.check_context(x, y, names=("x", "y"))
        outputs = [learner.predict_prefixes(x, y) for learner in self.members]
        return self._weigh(self._trust_prefixes(x, y, outputs)).exp()

    def _trust(self, x: Tensor, y: Tensor) -> Tensor:
        """Log-likelihood of the context under each learner or its family, (B, K)."""
        if self.rule == "evidence":
            return torch.stack([bayes.log_evidence(x, y) for bayes in self._bayes], dim=-1)
        if x.shape[1] == 0:
            return torch.zeros(len(x), len(self.members), dtype=torch.float64, device=x.device)
        if self.rule == "prequential":
            return _side_by_side([-losses(m, m.predict_prefixes(x, y), y).sum(1) for m in self.members])
        return _side_by_side([-leave_one_out(m, x, y).sum(1) for m in self.members])

    def _trust_prefixes(self, x: Tensor, y: Tensor, outputs: list[Tensor]) -> Tensor:
        """`_trust` of the points before each point, (B, N, K)."""
        if self.rule == "evidence":
            return torch.stack([bayes.log_evidence_prefixes(x, y)[:, :-1] for bayes in self._bayes], dim=-1)
        if self.rule == "prequential":
            known = _side_by_side([-losses(m, out, y) for m, out in zip(self.members, outputs, strict=True)])
            return known.cumsum(1) - known
        return torch.stack([self._trust(x[:, :i], y[:, :i]) for i in range(x.shape[1])], dim=1)

    def _weigh(self, trust: Tensor) -> Tensor:
        """Log-weights from log-likelihoods, over the last axis."""
        if self.soft:
            return trust.log_softmax(-1)
        top = trust.amax(-1, keepdim=True)
        best = (trust >= top - 1e-6 * (1 + top.abs())).double()  # equal up to rounding
        return (best / best.sum(-1, keepdim=True)).log()

    def _mix(self, outputs: list[Tensor], log_weights: Tensor) -> Tensor:
        """Outputs of the learners (B, q, C) or (B, q), mixed by weights (B, q or 1, K)."""
        stacked = torch.stack(together(outputs), dim=2)
        log_weights = log_weights.to(stacked.device)
        if self.n_classes is None:
            return (stacked * log_weights.exp()).sum(-1).to(stacked.dtype)
        mixed = (stacked.double().log_softmax(-1) + log_weights[..., None]).logsumexp(2)
        return mixed.to(stacked.dtype)


def losses(learner: Learner, output: Tensor, y: Tensor) -> Tensor:
    """Log-loss in nats, or squared error, of each answer: outputs (B, q, C) or (B, q) give (B, q) float64."""
    y = y.to(output.device)
    if learner.n_classes is None:
        return (output - y).double().square()
    return F.cross_entropy(output.double().flatten(0, 1), y.flatten(), reduction="none").view(y.shape)


def leave_one_out(learner: Learner, x: Tensor, y: Tensor) -> Tensor:
    """Loss of each point when the learner adapts to the others: x (B, n, *shape), y (B, n) give (B, n) float64."""
    n = y.shape[1]
    kept = torch.arange(n - 1, device=x.device).expand(n, -1)
    kept = kept + (kept >= torch.arange(n, device=x.device)[:, None])  # (n, n - 1): row j lacks point j
    size = max(1, POINTS // (n * n))
    rows = []
    for part_x, part_y in zip(torch.split(x, size), torch.split(y, size), strict=True):
        state = learner.adapt(part_x[:, kept].flatten(0, 1), part_y[:, kept].flatten(0, 1))
        output = learner.predict(state, part_x.flatten(0, 1)[:, None])
        rows.append(losses(learner, output, part_y.flatten()[:, None]).view(-1, n))
    return torch.cat(rows)


def _side_by_side(found: list[Tensor]) -> Tensor:
    return torch.stack(together(found), dim=-1)


def _fits(family: TaskFamily, learner: Learner) -> bool:
    """Whether a family's inputs and kind of label are a learner's."""
    if learner.n_features is not None:
        shapes = (check_features("n_features", thing.n_features) for thing in (family, learner))
        if len(set(shapes)) > 1:
            return False
    return (family.n_classes is None) == (learner.n_classes is None)
