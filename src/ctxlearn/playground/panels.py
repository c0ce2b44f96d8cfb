"""What the page asks for, as JSON-able data: a function of the state and of what was asked about it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from ctxlearn.colours import COLOURS
from ctxlearn.identification import agreement
from ctxlearn.playground.answers import accuracy, error, grid, influence, line, numbers, probabilities
from ctxlearn.playground.choices import Choice, build
from ctxlearn.playground.families import FAMILIES, context, fresh_points, with_drawn_points
from ctxlearn.playground.script import script
from ctxlearn.playground.state import DEFAULT_LEARNERS, LETTERS, MOST_CLASSES, MOST_POINTS, State

FINE = 48
"""Cells along each axis once a drag has ended; the script draws as many."""
FINEST = 64
QUERIES = 48
"""Places of the plane at which agreement is looked at."""

Known = Mapping[str, Choice]
Asked = Mapping[str, str]
"""What else is in the URL's query: `learner`, `side`, `x`, `y`."""


def offered(known: Known, state: State, asked: Asked) -> dict[str, Any]:
    """What there is to choose from, and how it is drawn."""
    return {
        "learners": [
            {"key": key, "title": c.title, "about": c.about or c.missing, "missing": c.missing, "modes": c.modes()}
            for key, c in known.items()
        ],
        "families": [
            {"name": name, "about": f.about, "mode": f.mode, "most": f.most_classes} for name, f in FAMILIES.items()
        ],
        "defaults": {mode: _defaults(known, mode) for mode in DEFAULT_LEARNERS},
        "letters": LETTERS,
        "colours": COLOURS,
        "most": {"classes": MOST_CLASSES, "points": MOST_POINTS},
        "fine": FINE,
        "query": state.query(),
    }


def _defaults(known: Known, mode: str) -> list[str]:
    """Six panels to begin with: runs first."""
    runs = [key for key, choice in known.items() if key.startswith("run") and mode in choice.modes()]
    return [*runs, *DEFAULT_LEARNERS[mode]][:6]


def panel(known: Known, state: State, asked: Asked) -> dict[str, Any]:
    """A learner's answers all over the plane.

    For classes: probabilities in 255ths, base64, row by row from the top, classes last. For numbers: means and quantiles
    at equally spaced inputs.
    """
    model, (x, y) = build(known, asked.get("learner", ""), state), context(state)
    side = _side(asked)
    if state.mode == "numbers":
        found = numbers(model, x, y, line(state.view, 2 * side + 1))
        bands = None if found.quantiles is None else found.quantiles.T.round(4).tolist()
        return {"mean": found.mean.round(4).tolist(), "bands": bands}
    p = probabilities(model, x[None], y[None], grid(state.view, side), state.n_classes)[0]
    content = base64.b64encode((255 * p).round().astype(np.uint8).tobytes()).decode("ascii")
    return {"side": side, "classes": state.n_classes, "p": content}


def score(known: Known, state: State, asked: Asked) -> dict[str, Any]:
    """A learner's accuracy on fresh points of the task, or its root mean squared error."""
    model, (x, y) = build(known, asked.get("learner", ""), state), context(state)
    if state.mode == "numbers":
        return {"score": error(model, x, y, *fresh_points(state))}
    return {"score": accuracy(model, x, y, *fresh_points(state), state.n_classes)}


def leaning(known: Known, state: State, asked: Asked) -> dict[str, Any]:
    """What a learner answers at a place, and how much each point adds to the probability of that."""
    if state.mode == "numbers":
        raise ValueError("leave-one-out is shown for classes only")
    place = torch.tensor([_coordinate(asked, "x"), _coordinate(asked, "y")])
    model, (x, y) = build(known, asked.get("learner", ""), state), context(state)
    p, leans = influence(model, x, y, place, state.n_classes)
    return {"p": p.round(4).tolist(), "leans": leans.round(4).tolist()}


def alike(known: Known, state: State, asked: Asked) -> dict[str, Any]:
    """Agreement of a learner with each known algorithm on these points, best first."""
    model, (x, y) = build(known, asked.get("learner", ""), state), context(state)
    if not len(y):
        raise ValueError("place a point first")
    generator = torch.Generator().manual_seed(0)
    places = state.view * (2 * torch.rand(QUERIES, x.shape[1], generator=generator) - 1)
    n_classes = None if state.mode == "numbers" else state.n_classes
    found = agreement(model, x, y, places, n_classes=n_classes)
    return {"bars": [{"name": name, "total": round(total, 3)} for name, total in found.items()]}


def task(known: Known, state: State, asked: Asked) -> dict[str, Any]:
    """The state with the points of its task."""
    return {"query": with_drawn_points(state).query()}


def python(known: Known, state: State, asked: Asked) -> dict[str, Any]:
    """The Python that makes the same picture."""
    return {"code": script(state, known, FINE, COLOURS)}


ANSWERS: dict[str, Callable[[Known, State, Asked], dict[str, Any]]] = {
    "offered": offered,
    "panel": panel,
    "score": score,
    "leaning": leaning,
    "alike": alike,
    "task": task,
    "python": python,
}
"""By the name under which the page asks."""


def _side(asked: Asked) -> int:
    text = asked.get("side", str(FINE))
    if not (text.isascii() and text.isdigit() and 2 <= int(text[:4]) <= FINEST):
        raise ValueError(f"side: expected 2 to {FINEST} cells, got {text[:20]!r}")
    return int(text)


def _coordinate(asked: Asked, name: str) -> float:
    try:
        value = float(asked.get(name, ""))
    except ValueError as wrong:
        raise ValueError(f"{name}: expected a number, got {asked.get(name, '')[:20]!r}") from wrong
    if not abs(value) <= 1e6:
        raise ValueError(f"{name}: expected a place of the plane, got {value}")
    return value
