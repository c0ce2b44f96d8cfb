"""The Python that makes the playground's picture, with the library's public names and matplotlib alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from ctxlearn.playground.choices import Choice, build
from ctxlearn.playground.families import context
from ctxlearn.playground.state import State

_HOMES = ("ctxlearn", "ctxlearn.learners", "ctxlearn.references", "ctxlearn.tasks", "sklearn.ensemble")
"""Where the names that learners print themselves with are imported from; the first that has a name counts."""

_CLASSES = '''\
side = (2 * np.arange(SIDE) + 1) / SIDE - 1
grid = VIEW * np.stack(np.meshgrid(side, -side), axis=-1).reshape(-1, 2)


def probabilities(learner):
    """Of the classes at each cell of the grid, (SIDE^2, N_CLASSES)."""
    if hasattr(learner, "predict_proba"):
        found = np.zeros((len(grid), N_CLASSES))
        found[:, np.unique(y)] = learner.fit(x, y).predict_proba(grid)
        return found
    context_x, context_y = torch.tensor(x, dtype=torch.float32)[None], torch.tensor(y)[None]
    with torch.no_grad():
        state = learner.adapt(context_x, context_y)
        logits = learner.predict(state, torch.tensor(grid, dtype=torch.float32)[None])
    return logits[0, :, :N_CLASSES].double().softmax(-1).numpy()


regions = {name: probabilities(learner).argmax(1) for name, learner in learners.items()}
colours = ListedColormap(COLOURS[:N_CLASSES])
figure, axes = plt.subplots(1, len(regions), figsize=(3 * len(regions), 3.2), squeeze=False, layout="constrained")
for axis, (name, region) in zip(axes[0], regions.items(), strict=True):
    look = {"cmap": colours, "vmin": 0, "vmax": N_CLASSES - 1}
    axis.imshow(region.reshape(SIDE, SIDE), extent=(-VIEW, VIEW, -VIEW, VIEW), alpha=0.35, **look)
    axis.scatter(x[:, 0], x[:, 1], c=y, edgecolors="black", **look)
    axis.set_title(name)
plt.savefig("playground.png")
'''
_NUMBERS = '''\
grid = np.linspace(-VIEW, VIEW, SIDE)[:, None]


def means(learner):
    """Of the answers at each input of the grid, (SIDE,)."""
    if hasattr(learner, "fit"):
        return learner.fit(x, y).predict(grid)
    context_x, context_y = torch.tensor(x, dtype=torch.float32)[None], torch.tensor(y, dtype=torch.float32)[None]
    with torch.no_grad():
        state = learner.adapt(context_x, context_y)
        return learner.predict(state, torch.tensor(grid, dtype=torch.float32)[None])[0].double().numpy()


curves = {name: means(learner) for name, learner in learners.items()}
figure, axis = plt.subplots(layout="constrained")
for (name, curve), colour in zip(curves.items(), COLOURS, strict=False):
    axis.plot(grid[:, 0], curve, label=name, color=colour)
axis.scatter(x[:, 0], y, color="black", zorder=3)
axis.set_ylim(-VIEW, VIEW)
axis.legend()
plt.savefig("playground.png")
'''


def script(state: State, known: Mapping[str, Choice], side: int, colours: tuple[str, ...]) -> str:
    """A Python file that draws what the panels of a state show; learners that do not fit the points are left out.

    Args:
        state: what to draw.
        known: the learners, by key.
        side: cells of the grid along each axis.
        colours: of the classes, or of the learners' lines.

    Raises:
        ValueError: no points, or no learner that fits them.
    """
    if not state.points:
        raise ValueError("points: place a point first")
    written = {}
    for key in state.learners:
        try:
            model = build(known, key, state)
        except ValueError:  # its panel says why
            continue
        written[known[key].title] = known[key].code or repr_of(model)
    if not written:
        raise ValueError("learners: none of those chosen fits these points")
    x, y = context(state)
    classes = state.mode == "classes"
    lines = [
        '"""A picture of ctxlearn\'s playground."""',
        "",
        "import matplotlib.pyplot as plt",
        "import numpy as np",
        "import torch",
        *(["from matplotlib.colors import ListedColormap"] if classes else []),
        *_imports(" ".join(written.values())),
        "",
        f"SIDE, VIEW, N_CLASSES = {side}, {state.view:g}, {state.n_classes}"
        if classes
        else f"SIDE, VIEW = {side}, {state.view:g}",
        f"COLOURS = {list(colours)}",
        f"x = np.array({_rounded(x.tolist())})",
        f"y = np.array({_rounded(y.tolist())})",
        "learners = {",
        *(f"    {title!r}: {code}," for title, code in written.items()),
        "}",
        "",
        _CLASSES if classes else _NUMBERS,
    ]
    return "\n".join(lines)


def repr_of(model: Any) -> str:
    """How a learner or an estimator is written in Python: as it prints itself."""
    from ctxlearn.configurable import Configurable, configurable_repr

    return configurable_repr(model) if isinstance(model, Configurable) else repr(model)


def _imports(code: str) -> list[str]:
    homes: dict[str, list[str]] = {}
    for name in sorted(set(re.findall(r"\b(?:[A-Z]\w+|load)(?=\()", code))):
        home = next((home for home in _HOMES if name in _names_of(home)), None)
        if home is not None:
            homes.setdefault(home, []).append(name)
    return [f"from {home} import {', '.join(names)}" for home, names in sorted(homes.items())]


def _names_of(home: str) -> set[str]:
    module = import_module(home)
    return {*dir(module), *getattr(module, "__all__", ())}  # some are loaded when first used


def _rounded(values: Any) -> Any:
    return [_rounded(value) for value in values] if isinstance(values, list) else round(values, 2)
