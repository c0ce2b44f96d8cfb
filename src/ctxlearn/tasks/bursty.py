"""Sequences of images and labels in which classes come in bursts: can a learner use its context, its weights, or both?"""

from __future__ import annotations

import torch
from torch import Tensor

from ctxlearn.checks import check_choice, check_float, check_int
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.tasks.base import TaskFamily, normal

SLOTS = 33
"""Classes that a sequence may have: at most 32 in its context, and one that only the query may have."""


class BurstySequences(TaskFamily):
    """Points of many classes with fixed labels, whose last point can be answered from the context, or from memory alone.

    A world has `n_image_classes` classes, each with a mean m ~ N(0, I) and one of C labels. A point of a class is
    (m + noise z) / sqrt(1 + noise^2), z ~ N(0, I). In a bursty sequence the points before the last come from few classes, `burst`
    points each in random order, and the last point is of one of them. In the others every point is of another class.
    Train on the last point alone: `RandomSplit(min_context=n_points - 1)`.

    Args:
        n_features: d >= 1.
        n_classes: C labels, >= 2.
        n_image_classes: classes of the world, at least 33.
        burst: points of a class in a bursty sequence, >= 1.
        bursty: share of bursty sequences among those of training, in [0, 1].
        noise: of points around their class's mean, >= 0.
        skew: a, >= 0: the k-th class is drawn with a probability proportional to k^-a (Zipf's law).
        tasks: "training"; "in_context": bursty sequences of classes that are new in each, with labels of their own, which only
            the context tells; or "in_weights": sequences whose last point is of a class of the world that the context lacks, so that only
            weights can tell its label.
        world: seed of the classes' means.

    Source: Chan et al. 2022, "Data distributional properties drive emergent in-context learning in transformers"; Reddy 2023, "The
    mechanistic basis of data dependence and abrupt learning in an in-context classification task", section 2, whose inputs are ours
    over sqrt d.
    """

    n_features: int
    n_classes: int

    def __init__(
        self,
        n_features: int = 32,
        n_classes: int = 8,
        n_image_classes: int = 256,
        burst: int = 2,
        bursty: float = 0.9,
        noise: float = 0.1,
        skew: float = 0.0,
        tasks: str = "training",
        world: int = 0,
    ) -> None:
        self.n_features = check_int("n_features", n_features, minimum=1)
        self.n_classes = check_int("n_classes", n_classes, minimum=2)
        self.n_image_classes = check_int("n_image_classes", n_image_classes, minimum=SLOTS)
        self.burst = check_int("burst", burst, minimum=1)
        self.bursty = check_float("bursty", bursty, minimum=0, maximum=1)
        self.noise = check_float("noise", noise, minimum=0)
        self.skew = check_float("skew", skew, minimum=0)
        self.tasks_of = check_choice("tasks", tasks, ("training", "in_context", "in_weights"))
        self.world = check_int("world", world, minimum=0)
        drawn = generator_for(self.world, Stream.REFERENCE)
        self.means = normal((self.n_image_classes, self.n_features), drawn)
        self.labels = torch.arange(self.n_image_classes) % self.n_classes

    def measuring(self, tasks: str) -> BurstySequences:
        """The family of the same world with other sequences: "in_context", "in_weights" or "training"."""
        sizes = (self.n_features, self.n_classes, self.n_image_classes, self.burst, self.bursty, self.noise, self.skew)
        return BurstySequences(*sizes, tasks=tasks, world=self.world)

    def sample_parameters(self, n_tasks: int, *, generator: torch.Generator) -> dict[str, Tensor]:
        """{"means": (B, 33, d), "labels": (B, 33), "bursty": (B,)}: the classes that a sequence may have, in order."""
        device = generator.device
        if self.tasks_of == "in_context":
            means = normal((n_tasks, SLOTS, self.n_features), generator)
            keys = torch.rand(n_tasks, -(-SLOTS // self.n_classes), self.n_classes, generator=generator, device=device)
            labels = keys.argsort(-1).flatten(1)[:, :SLOTS]  # the first C classes have different ones, and so on
            return {"means": means, "labels": labels, "bursty": torch.ones(n_tasks, dtype=torch.bool, device=device)}
        weights = torch.arange(1, self.n_image_classes + 1, device=device) ** -self.skew
        classes = torch.multinomial(weights.expand(n_tasks, -1), SLOTS, generator=generator)
        share = self.bursty if self.tasks_of == "training" else 0.0
        bursty = torch.rand(n_tasks, generator=generator, device=device) < share
        return {"means": self.means.to(device)[classes], "labels": self.labels.to(device)[classes], "bursty": bursty}

    def sample_points(
        self, parameters: dict[str, Tensor], n_points: int, *, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        means, labels, bursty = parameters["means"], parameters["labels"], parameters["bursty"]
        size = (len(means), n_points - 1)
        places = torch.rand(size, generator=generator, device=generator.device).argsort(1)
        slots = torch.where(bursty[:, None], places // self.burst, places) % (SLOTS - 1)
        asked = torch.randint(max(1, n_points - 1), (len(means), 1), generator=generator, device=generator.device)
        last = slots.gather(1, asked) if n_points > 1 else torch.zeros_like(asked)
        slots = torch.cat([slots, torch.where(bursty[:, None], last, SLOTS - 1)], dim=1)
        own = means.gather(1, slots[..., None].expand(-1, -1, means.shape[2]))
        x = (own + self.noise * normal(own.shape, generator)) / (1 + self.noise**2) ** 0.5
        return x, labels.gather(1, slots)
