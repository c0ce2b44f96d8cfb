"""What the playground shows, as one immutable value and as the query of a URL."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode

from ctxlearn.checks import check_choice, check_int

MODES = ("classes", "numbers")
MOST_CLASSES, MOST_POINTS, FARTHEST, WIDEST = 5, 200, 1000.0, 100.0
LETTERS = "ABCDE"
LARGEST_SEED = 2**31 - 1
_POINT = re.compile(r"([A-E])(-?\d+(?:\.\d+)?)_(-?\d+(?:\.\d+)?)")

DEFAULT_LEARNERS = {
    "classes": ("shipped", "bayes", "logistic", "means", "nearest", "forest"),
    "numbers": ("shipped", "bayes", "ridge", "kernel", "nearest", "forest"),
}
"""The panels to begin with."""


@dataclass(frozen=True)
class Point:
    """A labelled point of the plane; with numbers to predict, x is the input and y the label.

    Attributes:
        x: horizontal place.
        y: vertical place.
        label: class, 0 to 4; 0 with numbers.
    """

    x: float
    y: float
    label: int = 0

    def __post_init__(self) -> None:
        for name, value in (("x", self.x), ("y", self.y)):
            if not math.isfinite(value) or abs(value) > FARTHEST:
                raise ValueError(f"points: expected {name} within {FARTHEST:g} of zero, got {value}")
        check_int("label", self.label, minimum=0, maximum=MOST_CLASSES - 1)

    def __str__(self) -> str:
        return f"{LETTERS[self.label]}{_number(self.x)}_{_number(self.y)}"


@dataclass(frozen=True)
class State:
    """Everything that a picture depends on.

    Attributes:
        mode: "classes", or "numbers" for regression on one input.
        points: the labelled points, at most 200.
        learners: keys of the panels, in their order.
        family: name of the family whose tasks are drawn, and whose Bayes predictor is shown.
        classes: how many classes the family's tasks have, 2 to 5, where the family can have more than 2.
        seed: of the task that the points were drawn from; None where they were placed by hand.
        drawn: how many points of that task have been drawn.
        view: the plane is shown from -view to view.

    Raises:
        ValueError: a value out of range; it is named.
    """

    mode: str = "classes"
    points: tuple[Point, ...] = ()
    learners: tuple[str, ...] = DEFAULT_LEARNERS["classes"]
    family: str = "PairwiseMetric"
    classes: int = 2
    seed: int | None = None
    drawn: int = 0
    view: float = 4.0

    def __post_init__(self) -> None:
        check_choice("mode", self.mode, MODES)
        check_int("classes", self.classes, minimum=2, maximum=MOST_CLASSES)
        check_int("drawn", self.drawn, minimum=0, maximum=MOST_POINTS)
        if self.seed is not None:
            check_int("seed", self.seed, minimum=0, maximum=LARGEST_SEED)
        if len(self.points) > MOST_POINTS:
            raise ValueError(f"points: expected at most {MOST_POINTS}, got {len(self.points)}; delete some")
        if not (math.isfinite(self.view) and 0 < self.view <= WIDEST):
            raise ValueError(f"view: expected a half-width above 0 and at most {WIDEST:g}, got {self.view}")
        if len(set(self.learners)) < len(self.learners):
            raise ValueError(f"learners: expected each once, got {', '.join(self.learners)}")

    @property
    def n_classes(self) -> int:
        """Classes that learners answer for: those of the points, and of the task if one was drawn; at least 2."""
        placed = max((point.label for point in self.points), default=0) + 1
        return max(2, placed, self.classes if self.seed is not None else 2)

    def query(self) -> str:
        """The state as the query of a URL; `from_query` reads it."""
        fields = {
            "mode": self.mode,
            "points": "~".join(map(str, self.points)),
            "learners": "~".join(self.learners),
            "family": self.family,
            "classes": str(self.classes),
            "view": _number(self.view),
        }
        if self.seed is not None:
            fields |= {"seed": str(self.seed), "drawn": str(self.drawn)}
        return urlencode(fields)

    @classmethod
    def from_query(cls, query: str) -> State:
        """The state that a URL's query describes; what is not said is as at the beginning.

        Raises:
            ValueError: a value that cannot be read or is out of range; it is named.
        """
        given = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
        mode = given.get("mode", "classes")
        learners = given.get("learners")
        return cls(
            mode=mode,
            points=_points(given.get("points", "")),
            learners=DEFAULT_LEARNERS.get(mode, ()) if learners is None else tuple(filter(None, learners.split("~"))),
            family=given.get("family", "LinearRegression" if mode == "numbers" else "PairwiseMetric"),
            classes=_whole(given, "classes", 2),
            seed=_whole(given, "seed", 0) if "seed" in given else None,
            drawn=_whole(given, "drawn", 0),
            view=_real(given, "view", 4.0),
        )


def _points(text: str) -> tuple[Point, ...]:
    points = []
    for word in filter(None, text.split("~")):
        found = _POINT.fullmatch(word)
        if found is None:
            raise ValueError(f"points: expected a class and two numbers, such as A1.5_-0.25, got {word[:40]!r}")
        points.append(Point(float(found[2]), float(found[3]), LETTERS.index(found[1])))
    return tuple(points)


def _whole(given: Mapping[str, str], name: str, default: int) -> int:
    text = given.get(name, str(default))
    if not re.fullmatch(r"\d{1,10}", text, re.ASCII):
        raise ValueError(f"{name}: expected a whole number, got {text[:40]!r}")
    return int(text)


def _real(given: Mapping[str, str], name: str, default: float) -> float:
    text = given.get(name, str(default))
    if not re.fullmatch(r"\d{1,4}(\.\d{1,9})?", text, re.ASCII):
        raise ValueError(f"{name}: expected a number above zero, got {text[:40]!r}")
    return float(text)


def _number(value: float) -> str:
    """A number with two decimals at most, which is finer than a screen shows."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
