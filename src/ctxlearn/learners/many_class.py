"""A learner of K classes that answers for more of them, shown K at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from ctxlearn.checks import check_int, describe
from ctxlearn.learners.base import Learner, State
from ctxlearn.learners.wrapper import Method, Wrapper

Shown = list[tuple[Tensor, State]]
"""What the learner made of one group of classes: rows and state of those tasks that have equally many points of it."""


MOST_GROUPS = 5_000


class ManyClass(Wrapper):
    """A learner of K classes in front of tasks of C > K: it is shown groups of K classes, and its answers are averaged.

    The groups are such that any two classes meet in one at least. In a group the learner sees the context's points of
    these classes alone, under labels 0..K-1, and gives log p(class | group). The logit of a class is the mean of that over
    the groups that have it: a product of experts. A query's own class does well in each of its groups; another one can win
    only where the own class is not, and where they meet it does badly.

    Nothing is trained. The work is that on as many K-way tasks as there are groups: 26 for 20 classes, 5 at a time.

    Args:
        learner: of K classes.
        n_classes: C, more than K.
        seed: of the dealing.

    Attributes:
        groups: classes of each group, (G, K) int64.

    Raises:
        ValueError: a learner of regression, or no more classes than the learner has.

    Source: Hastie & Tibshirani 1998 couple all pairs of classes; here K of them meet at once, and logarithms are averaged
        (a product of experts, Hinton 2002) where they iterate.
    """

    n_classes: int

    def __init__(self, learner: Learner, n_classes: int, seed: int = 0) -> None:
        if not isinstance(learner, Learner) or learner.n_classes is None:
            raise ValueError(f"learner: expected a learner of classes, got {describe(learner)}")
        check_int("n_classes", n_classes, minimum=learner.n_classes + 1)
        fewest = n_classes * (n_classes - 1) // (learner.n_classes * (learner.n_classes - 1))
        if fewest > MOST_GROUPS:
            raise ValueError(
                f"n_classes: {n_classes} classes, of which each two meet {learner.n_classes} at a time, are {fewest:,} groups or"
                f" more, each to be answered by itself; expected at most {MOST_GROUPS:,}: take a learner of more classes"
            )
        super().__init__(learner)
        self.n_classes = n_classes
        self.groups = _dealt(n_classes, learner.n_classes, seed)

    def adapt(self, context_x: Tensor, context_y: Tensor) -> list[Shown]:
        context_x, context_y = self.check_context(context_x, context_y)
        return [self._shown(group.to(context_y.device), context_x, context_y) for group in self.groups]

    def ask(self, method: Method, state: list[Shown], query_x: Tensor) -> Tensor:
        n_tasks = sum(len(rows) for rows, _ in state[0])
        query_x = self.check_query(query_x, n_tasks=n_tasks)
        total: Tensor | float = 0.0
        for group, shown in zip(self.groups, state, strict=True):
            found = [method(inner, query_x[rows]).log_softmax(-1) for rows, inner in shown]
            order = torch.cat([rows for rows, _ in shown]).argsort()
            empty = found[0].new_zeros(*query_x.shape[:2], self.n_classes)
            total = total + empty.index_copy(2, group.to(query_x.device), torch.cat(found)[order])
        assert isinstance(total, Tensor)
        return total / self.groups.flatten().bincount(minlength=self.n_classes).to(total)

    def predict_for_loss(self, state: list[Shown], query_x: Tensor) -> Tensor:
        return self.predict(state, query_x)

    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        return Learner.loss(self, output, y)  # of C classes, where the inner learner's is of K

    def _shown(self, group: Tensor, x: Tensor, y: Tensor) -> Shown:
        """The state of each task's points of a group; tasks with equally many such points are adapted to together."""
        member = (y[..., None] == group).any(-1)
        label = (y[..., None] == group).long().argmax(-1)
        sizes = member.sum(1)
        parts = []
        for size in sorted(set(sizes.tolist())):
            rows = (sizes == size).nonzero()[:, 0]
            points = member[rows].long().argsort(dim=1, descending=True, stable=True)[:, :size]
            here = torch.arange(len(rows), device=x.device)[:, None]
            parts.append((rows, self.learner.adapt(x[rows][here, points], label[rows].gather(1, points))))
        return parts


def _dealt(n_classes: int, size: int, seed: int) -> Tensor:
    """Groups of `size` classes, (G, size), in which any two classes meet: each next one takes those that have met least."""
    order = torch.randperm(n_classes, generator=torch.Generator().manual_seed(check_int("seed", seed, minimum=0)))
    unmet = ~torch.eye(n_classes, dtype=torch.bool)
    groups = []
    while bool(unmet.any()):
        group = [int(unmet.sum(1).argmax())]
        while len(group) < size:
            gain = unmet[group].sum(0)
            gain[group] = -1
            group.append(int(gain.argmax()))
        unmet[torch.tensor(group)[:, None], torch.tensor(group)] = False
        groups.append(order[group])
    return torch.stack(groups)
