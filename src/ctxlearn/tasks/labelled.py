"""Few-shot tasks out of any labelled arrays."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ctxlearn.checks import check_float, check_generator, check_int, describe
from ctxlearn.tasks.base import TaskFamily


class Labelled(TaskFamily):
    """N-way tasks whose classes and points come from labelled arrays.

    A task draws `n_way` of the classes and gives them labels 0..n_way-1 in random order. Its points, drawn without
    replacement, come in rounds of one per class, each round in random order: a context of n_way x k points is k-shot.

    Args:
        x: M examples, (M, *shape), numbers.
        y: their classes, (M,), of any type that compares (integers, strings).
        n_way: classes per task, from 2 to the number of classes; None means all of them.
        relabel: give classes their labels at random in each task. False keeps them in sorted order, and needs
            n_way equal to the number of classes.

    Attributes:
        classes: the distinct values of y, sorted.
        n_features: d for inputs (M, d), otherwise the shape.

    Raises:
        ValueError: empty arrays, arrays that do not fit together, values that are not finite, an impossible n_way;
            in `sample_points`, more points than the smallest class can give, with that class named.
    """

    def __init__(self, x: Any, y: Any, n_way: int | None = None, relabel: bool = True) -> None:
        self.x, self.y = _as_examples(x, y)
        self.n_features = self.x.shape[1] if self.x.ndim == 2 else tuple(self.x.shape[1:])
        try:
            self.classes = np.unique(self.y)
        except TypeError as error:
            raise ValueError(f"y: expected labels that compare with each other, got {describe(y)} ({error})") from None
        available = len(self.classes)
        if available < 2:
            raise ValueError(f"y: expected at least 2 classes, got {available}")
        self.n_way = available if n_way is None else check_int("n_way", n_way, minimum=2, maximum=available)
        self.n_classes: int = self.n_way
        if not relabel and self.n_way != available:
            raise ValueError(f"relabel: False needs n_way = {available} (all classes), got n_way = {self.n_way}")
        self.relabel = relabel
        rows = [np.flatnonzero(self.y == c) for c in self.classes]
        self._counts = torch.tensor([len(r) for r in rows])
        self._rows = torch.zeros(available, int(self._counts.max()), dtype=torch.int64)  # class -> rows of x, padded
        for c, members in enumerate(rows):
            self._rows[c, : len(members)] = torch.from_numpy(members)

    def sample_parameters(self, n_tasks: int, *, generator: torch.Generator) -> dict[str, Tensor]:
        if not self.relabel:
            return {"classes": torch.arange(self.n_way, device=generator.device).expand(n_tasks, -1)}
        keys = torch.rand(n_tasks, len(self.classes), generator=generator, device=generator.device)
        return {"classes": keys.argsort(-1)[:, : self.n_way]}  # label l of a task is class classes[l]

    def sample_points(
        self, parameters: dict[str, Tensor], n_points: int, *, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        device = generator.device
        rounds = -(-n_points // self.n_way)
        smallest = int(self._counts.argmin())
        if rounds > int(self._counts[smallest]):
            raise ValueError(
                f"n_points: {n_points} points of {self.n_way}-way tasks need {rounds} examples a class, but class"
                f" {self.classes.tolist()[smallest]!r} has {int(self._counts[smallest])}"
            )
        classes = parameters["classes"]
        counts, table = self._counts.to(device)[classes], self._rows.to(device)[classes]  # (B, way), (B, way, most)
        keys = torch.rand(table.shape, generator=generator, device=device)
        keys = keys.masked_fill(torch.arange(table.shape[-1], device=device) >= counts[..., None], torch.inf)
        chosen = table.gather(-1, keys.argsort(-1)[..., :rounds])  # (B, way, rounds) rows without replacement
        order = torch.rand(len(classes), rounds, self.n_way, generator=generator, device=device).argsort(-1)
        rows = chosen.mT.gather(-1, order).flatten(1)[:, :n_points]
        x = torch.from_numpy(self.x)[rows.cpu()].to(device)
        return x, order.flatten(1)[:, :n_points]

    def split(self, *fractions: float, generator: torch.Generator) -> tuple[Labelled, ...]:
        """Families over disjoint classes, the classes dealt at random in the given fractions.

        `train, validation, test = family.split(0.6, 0.2, 0.2, generator=g)`. A part with fewer than `n_way` classes
        is an error.
        """
        check_generator(generator)
        shares = [check_float(f"fractions[{i}]", f, above=0, maximum=1) for i, f in enumerate(fractions)]
        if not shares or sum(shares) > 1 + 1e-9:
            raise ValueError(f"fractions: expected positive numbers of sum at most 1, got {list(fractions)}")
        order = torch.randperm(len(self.classes), generator=generator, device=generator.device).cpu().numpy()
        edges = np.round(np.cumsum([0.0, *shares]) * len(order)).astype(int)
        return tuple(self.subset(self.classes[order[a:b]]) for a, b in pairwise(edges))

    def subset(self, classes: Sequence[Any] | np.ndarray) -> Labelled:
        """The same examples restricted to some classes."""
        if len(classes) < self.n_way:
            raise ValueError(f"classes: expected at least n_way = {self.n_way}, got {len(classes)}")
        unknown = [c for c in np.asarray(classes).tolist() if c not in self.classes.tolist()]
        if unknown:
            raise ValueError(f"classes: expected some of {describe(self.classes.tolist())}, got {unknown[0]!r}")
        keep = np.isin(self.y, np.asarray(classes))
        return Labelled(self.x[keep], self.y[keep], self.n_way, self.relabel)


def _as_examples(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    try:
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite and is refused below
            values = np.asarray(x.detach().cpu() if isinstance(x, Tensor) else x, dtype=np.float32)
    except (TypeError, ValueError):
        raise ValueError(f"x: expected an array of numbers (examples, *shape), got {describe(x)}") from None
    labels = np.asarray(y.detach().cpu() if isinstance(y, Tensor) else y)
    if values.ndim < 2 or values.size == 0:
        raise ValueError(f"x: expected a non-empty array of shape (examples, *shape), got shape {values.shape}")
    if labels.shape != values.shape[:1]:
        raise ValueError(f"y: expected {values.shape[0]} labels, one an example, got shape {labels.shape}")
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise ValueError("y: expected class labels, got values that are not finite")
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        raise ValueError(f"x: expected finite numbers, got {values[row].ravel()[:5]} in example {row}")
    return values, labels
