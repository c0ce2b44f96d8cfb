"""The families whose tasks the playground draws, by name, and the tasks themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ctxlearn.checks import unknown_name
from ctxlearn.playground.state import MOST_POINTS, Point, State
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.tasks import (
    Amortization,
    Band,
    Checkerboard,
    Circle,
    ClassPrototype,
    DecisionTree,
    HalfPlane,
    LinearRegression,
    Mixture,
    OffsetHalfPlane,
    PairwiseMetric,
    QuadraticForm,
    Radial,
    RotatedAmortization,
    RotatedEllipse,
    Stripes,
    TaskFamily,
    TwoBumps,
    TwoLayerNetwork,
    Wedge,
    Xor,
)

FRESH = 400
"""Points of a drawn task that nobody has seen, on which learners are scored."""
_KEY = 20
"""Key of the playground's stream beside those of evaluation."""


@dataclass(frozen=True)
class FamilyChoice:
    """A family to choose.

    Attributes:
        mode: of the state.
        about: one line for the reader.
        most_classes: the most classes its tasks can have; None for numbers.
        build: makes it for a number of classes.
    """

    mode: str
    about: str
    most_classes: int | None
    build: Callable[[int], TaskFamily]


FAMILIES = {
    "PairwiseMetric": FamilyChoice(
        "classes", "similarity to hidden directions", 5, lambda c: PairwiseMetric(n_classes=c)
    ),
    "ClassPrototype": FamilyChoice("classes", "the nearest hidden prototype", 5, lambda c: ClassPrototype(n_classes=c)),
    "Amortization": FamilyChoice("classes", "above or below the mean", 2, lambda _: Amortization()),
    "Radial": FamilyChoice("classes", "inside or outside a circle", 2, lambda _: Radial()),
    "Mixture": FamilyChoice(
        "classes",
        "one of the first three",
        2,
        lambda _: Mixture([PairwiseMetric(), ClassPrototype(), Amortization()]),
    ),
    "HalfPlane": FamilyChoice("classes", "a half-plane through the origin", 2, lambda _: HalfPlane()),
    "OffsetHalfPlane": FamilyChoice("classes", "a half-plane that passes the origin", 2, lambda _: OffsetHalfPlane()),
    "Wedge": FamilyChoice("classes", "a wedge with its tip at the origin", 2, lambda _: Wedge()),
    "Xor": FamilyChoice("classes", "opposite quadrants share a class", 2, lambda _: Xor()),
    "Band": FamilyChoice("classes", "between two parallel lines", 2, lambda _: Band()),
    "Stripes": FamilyChoice("classes", "parallel stripes", 2, lambda _: Stripes()),
    "Checkerboard": FamilyChoice("classes", "a checkerboard at an angle", 2, lambda _: Checkerboard()),
    "QuadraticForm": FamilyChoice("classes", "a random conic section", 2, lambda _: QuadraticForm()),
    "Circle": FamilyChoice("classes", "inside or outside a circle near the origin", 2, lambda _: Circle()),
    "RotatedEllipse": FamilyChoice("classes", "inside or outside an ellipse", 2, lambda _: RotatedEllipse()),
    "TwoBumps": FamilyChoice("classes", "near either of two places", 2, lambda _: TwoBumps()),
    "RotatedAmortization": FamilyChoice(
        "classes", "a half-plane through the hidden mean", 2, lambda _: RotatedAmortization()
    ),
    "LinearRegression": FamilyChoice("numbers", "a line with noise", None, lambda _: LinearRegression(1, noise=0.5)),
    "TwoLayerNetwork": FamilyChoice("numbers", "a bent line", None, lambda _: TwoLayerNetwork(1, noise=0.2)),
    "DecisionTree": FamilyChoice(
        "numbers", "steps", None, lambda _: DecisionTree(1, depth=2, noise=0.2, threshold_spread=1.0)
    ),
}


def family_of(state: State) -> TaskFamily:
    """The family that a state names.

    Raises:
        ValueError: there is none of that name in the state's mode.
    """
    known = {name: choice for name, choice in FAMILIES.items() if choice.mode == state.mode}
    if state.family not in known:
        unknown_name("family", state.family, known)
    choice = known[state.family]
    return choice.build(min(state.classes, choice.most_classes or 2))


def task_points(state: State) -> tuple[Tensor, Tensor]:
    """The points of the state's task, x (200 + 400, d) and y (600,): those to draw, then the fresh ones.

    Raises:
        ValueError: the state has no task, or an unknown family.
    """
    if state.seed is None:
        raise ValueError("seed: expected the seed of a task; draw a task first")
    generator = generator_for(state.seed, Stream.TEST, _KEY)
    tasks = family_of(state).sample(1, MOST_POINTS + FRESH, generator=generator)
    return tasks.x[0], tasks.y[0]


def fresh_points(state: State) -> tuple[Tensor, Tensor]:
    """Points of the state's task that are never drawn, x (400, d) and y (400,)."""
    x, y = task_points(state)
    return x[MOST_POINTS:], y[MOST_POINTS:]


def with_drawn_points(state: State) -> State:
    """The state with the first `drawn` points of its task in place of its points, and a view that shows them."""
    x, y = task_points(state)
    x, y = x[: state.drawn], y[: state.drawn]
    if state.mode == "numbers":
        points = tuple(Point(round(float(a), 2), round(float(b), 2)) for a, b in zip(x[:, 0], y, strict=True))
    else:
        points = tuple(
            Point(round(float(a), 2), round(float(b), 2), int(c)) for (a, b), c in zip(x, y.tolist(), strict=True)
        )
    farthest = max((max(abs(point.x), abs(point.y)) for point in points), default=0.0)
    return replace(state, points=points, view=float(max(4, int(farthest) + 1)))


def context(state: State) -> tuple[Tensor, Tensor]:
    """The points as a learner reads them: x (n, 2) and classes (n,), or x (n, 1) and numbers (n,)."""
    if state.mode == "numbers":
        x = torch.tensor([[point.x] for point in state.points], dtype=torch.float32).reshape(-1, 1)
        return x, torch.tensor([point.y for point in state.points], dtype=torch.float32)
    x = torch.tensor([[point.x, point.y] for point in state.points], dtype=torch.float32).reshape(-1, 2)
    return x, torch.tensor([point.label for point in state.points], dtype=torch.int64)
