"""Views of one context: what a learner of a fixed number of features and classes is shown, several times over.

A view shows rows, features and classes of the context in places of its own. Averaged over views, an answer depends less
on where things happen to stand, and together they hold more classes, features and rows than the learner takes at once.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ctxlearn.learners import Learner
from ctxlearn.learners.normalization import by_relevance


class Views(NamedTuple):
    """E views of a context of n rows, d features and C classes, for a learner of k features; all int64.

    Attributes:
        rows: rows of the context that a view shows, (E, m).
        features: the feature in each of the first places, (E, min(d, k)); the other places are zero.
        codes: for each feature and category code, the code that the view shows, (E, d, L); L is 0 without categories.
        slots: the learner's label for each class, (E, C), which several share where C is more than the learner knows; for
            regression C is 0.
    """

    rows: Tensor
    features: Tensor
    codes: Tensor
    slots: Tensor

    @property
    def n_views(self) -> int:
        """E."""
        return self.rows.shape[0]

    def inputs(self, x: Tensor, n_features: int) -> Tensor:
        """Rows x (q, d) as every view shows them to a learner of k features, (E, q, k)."""
        places = self.features[:, None].expand(-1, x.shape[0], -1)
        shown = x.expand(self.n_views, -1, -1).gather(2, places)
        if self.codes.shape[2]:
            codes = self.codes.gather(1, self.features[..., None].expand(-1, -1, self.codes.shape[2]))
            known = shown.nan_to_num(nan=0.0).long().clamp(0, codes.shape[2] - 1)
            table = codes[:, None].expand(-1, x.shape[0], -1, -1)
            coded = table.gather(3, known[..., None])[..., 0]
            shown = torch.where(shown.isnan() | (coded < 0), shown, coded.to(x.dtype))
        return F.pad(shown, (0, n_features - self.features.shape[1]))

    def context(self, x: Tensor, y: Tensor, n_features: int) -> tuple[Tensor, Tensor]:
        """The context x (n, d), y (n,) as every view shows it: (E, m, k) and (E, m)."""
        shown = torch.cat(
            [self.select(slice(i, i + 1)).inputs(x[self.rows[i]], n_features) for i in range(self.n_views)]
        )
        labels = y[self.rows]
        return shown, self.slots.gather(1, labels) if self.slots.shape[1] else labels

    def select(self, which: slice) -> Views:
        """Some of the views."""
        return Views(*(part[which] for part in self))


def make_views(
    x: Tensor,
    y: Tensor,
    levels: Tensor,
    learner: Learner,
    *,
    n_classes: int | None,
    n_estimators: int,
    max_context: int,
    generator: torch.Generator,
) -> Views:
    """Views of a context; equal ones are made once.

    Classes: up to as many as the learner knows, each is shown under another label in turn. More are put into as many groups as
    it knows labels, of equal size and at random, n_estimators times as many times as classes are to a group, and
    until any two are apart in some view.
    Features: up to as many as the learner takes, all are shown, shuffled where the learner minds the order. Of more, half
    of the places go to those that say most of the label alone, the others are dealt out, strongest first and then at random.
    Categories: codes are shuffled in all views but the first. Rows: all, or `max_context` drawn for each view, with at least
    one of each class.

    Args:
        x: inputs (n, d), NaN where missing.
        y: classes (n,) int64, or numbers.
        levels: categories of each column whose order means nothing, else 0, (d,) int64.
        learner: whose number of features and classes views must fit.
        n_classes: C; None for regression.
        n_estimators: how many views to show; more where there are more classes than the learner knows.
        max_context: most rows of a view.
        generator: of all draws; a CPU one.
    """
    labels = _labels(n_classes, learner.n_classes, n_estimators, generator)
    made = []
    dealt = _features(x, y, n_classes, learner, max_context, generator)
    for i, slots in enumerate(labels):
        rows = _rows(y, n_classes, max_context, generator)
        made.append(Views(rows, next(dealt), _codes(levels, i > 0, generator), slots))
    different = {tuple(tuple(part.flatten().tolist()) for part in view): view for view in made}
    return Views(*(torch.stack(parts) for parts in zip(*different.values(), strict=True)))


def _labels(n_classes: int | None, known: int | None, n_estimators: int, generator: torch.Generator) -> list[Tensor]:
    """Slots of each view."""
    if n_classes is None or known is None:
        return [torch.zeros(0, dtype=torch.int64)] * n_estimators
    if n_classes <= known:
        slots = []
        for i in range(n_estimators):
            if i % n_classes == 0:  # the shifts around a circle put each class under each label once
                circle = torch.randperm(n_classes, generator=generator)
                first = torch.randperm(n_classes, generator=generator) if i else torch.arange(n_classes)
            slots.append(circle.roll(-i)[circle.argsort()[first]])
        return slots
    grouped: list[Tensor] = []
    while len(grouped) < n_estimators * math.ceil(n_classes / known) or _some_are_never_apart(grouped):
        grouped.append((torch.arange(n_classes) % known)[torch.randperm(n_classes, generator=generator)])
    return grouped


def _some_are_never_apart(slots: list[Tensor]) -> bool:
    return len(torch.unique(torch.stack(slots), dim=1).T) < len(slots[0])


def _rows(y: Tensor, n_classes: int | None, max_context: int, generator: torch.Generator) -> Tensor:
    n = len(y)
    if n <= max_context:
        return torch.arange(n)
    order = torch.randperm(n, generator=generator)
    if n_classes is None:
        return order[:max_context].sort().values
    first = torch.full((n_classes,), n).scatter_reduce(0, y[order], torch.arange(n), "amin")  # a row of each class
    rank = torch.arange(n).index_fill(0, first[first < n], -1)
    return order[rank.argsort(stable=True)[:max_context]].sort().values


def _features(
    x: Tensor, y: Tensor, n_classes: int | None, learner: Learner, max_context: int, generator: torch.Generator
) -> Iterator[Tensor]:
    """Which feature each place shows, view after view."""
    d, known = x.shape[1], learner.n_features
    assert isinstance(known, int)
    fixed = torch.arange(d)
    rest = queue = fixed[:0]
    if d > known:
        rows = _rows(y, n_classes, max_context, generator)
        told = y[rows][:, None].to(x.dtype) if n_classes is None else F.one_hot(y[rows], n_classes).to(x.dtype)
        order = by_relevance(x[rows][None], told[None])[0]
        fixed, rest = order[: known // 2], order[known // 2 :]
        queue = rest
    for number in itertools.count():
        wanted = min(d, known) - len(fixed)
        dealt, queue = queue[:wanted], queue[wanted:]
        if len(dealt) < wanted:  # all have been dealt: once more, in another order
            queue = rest[torch.randperm(len(rest), generator=generator)]
            queue = queue[~torch.isin(queue, dealt)]
            dealt, queue = torch.cat([dealt, queue[: wanted - len(dealt)]]), queue[wanted - len(dealt) :]
        shown = torch.cat([fixed, dealt])
        if number == 0:
            queue = queue[torch.randperm(len(queue), generator=generator)]
        elif not learner.ignores_feature_order:
            shown = shown[torch.randperm(len(shown), generator=generator)]
        yield shown


def _codes(levels: Tensor, shuffled: bool, generator: torch.Generator) -> Tensor:
    """Category codes of each feature as a view shows them, (d, L); -1 where the feature has no such code."""
    most = int(levels.max()) if len(levels) else 0
    codes = torch.full((len(levels), most), -1)
    for place in levels.nonzero()[:, 0].tolist():
        n = int(levels[place])
        codes[place, :n] = torch.randperm(n, generator=generator) if shuffled else torch.arange(n)
    return codes
