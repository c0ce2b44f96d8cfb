"""How much of an answer is decided by how the examples are written: the format, the label words, and their order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ctxlearn.checks import check_generator, check_int, describe
from ctxlearn.episodes import Tasks
from ctxlearn.evaluation.curves import score_output
from ctxlearn.language.language_model import LanguageModel
from ctxlearn.language.text_format import TextFormat

FACTORS: dict[str, list[tuple[int, ...]]] = {
    "task": [(0,)],
    "format": [(1,)],
    "label words": [(2,)],
    "order of the examples": [(3,), (0, 3)],
    "format, by task": [(0, 1)],
    "label words, by task": [(0, 2)],
    "format with label words": [(1, 2)],
}
"""Sources of variance by the axes that they depend on. Orders are drawn anew for every task, so both their effects are one."""


def written_differently(
    learner: LanguageModel,
    tasks: Tasks,
    formats: Mapping[str, TextFormat],
    words: Sequence[Sequence[str]],
    *,
    n_context: int,
    orders: int = 2,
    generator: torch.Generator,
) -> dict[str, NDArray[np.float64]]:
    """Answers to the same queries after the same examples, written in every format, with all words and in several orders.

    Args:
        learner: whose model is asked; its own format does not matter. Each way of writing is read alone, without averages.
        tasks: T tasks of classification.
        formats: F, by name.
        words: W times a word for each class.
        n_context: examples per task; the points after them are the queries.
        orders: O orders of the examples, drawn for each task.
        generator: of the orders.

    Returns:
        "bits" per label and "accuracy", each the mean over a task's queries, (T, F, W, O).

    Raises:
        ValueError: no such learner, tasks with too few points, or a format that the model cannot read.
    """
    if not isinstance(learner, LanguageModel) or learner.n_classes is None:
        raise ValueError(f"learner: expected a LanguageModel of classes, got {describe(learner)}")
    n = check_int("n_context", n_context, minimum=1, maximum=tasks.n_points - 1)
    check_int("orders", orders, minimum=1)
    check_generator(generator)
    place = torch.rand(orders, tasks.n_tasks, n, generator=generator).argsort(-1)
    pick = torch.arange(tasks.n_tasks)[None, :, None]
    x, y = tasks.x[pick, place].flatten(0, 1), tasks.y[pick, place].flatten(0, 1)
    asked = tasks.tasks(torch.arange(tasks.n_tasks).repeat(orders))
    query_x, query_y = asked.x[:, n:], asked.y[:, n:]
    found: dict[str, list[Tensor]] = {"bits": [], "accuracy": []}
    for format in formats.values():
        for labels in words:
            written = replace(format, labels=tuple(labels))
            reader = LanguageModel(learner.lm, learner.n_features or 1, learner.n_classes, written, labellings="one")
            with torch.inference_mode():
                answers = reader(x, y, query_x).cpu()
            found["bits"].append(bits_per_label(answers, query_y).mean(-1))
            found["accuracy"].append(score_output(answers, query_y, learner.n_classes).double().mean(-1))
    shape = (len(formats), len(words), orders, tasks.n_tasks)
    return {name: torch.stack(parts).view(shape).permute(3, 0, 1, 2).numpy() for name, parts in found.items()}


def bits_per_label(answers: Tensor, y: Tensor) -> Tensor:
    """What each label costs: minus the logarithm to base 2 of the probability that logits (..., C) give it, (...) float64."""
    told = answers.double().log_softmax(-1).gather(-1, y[..., None].to(answers.device))[..., 0]
    return -told / math.log(2)


def variance_shares(values: NDArray[np.float64]) -> dict[str, float]:
    """How much of the variance of values (T, F, W, O) is of which of `FACTORS`, and the rest; they add up to 1."""
    effects: dict[tuple[int, ...], NDArray[np.float64]] = {}
    for size in range(5):
        for kept in combinations(range(4), size):
            mean = values.mean(axis=tuple(set(range(4)) - set(kept)), keepdims=True)
            lower = [effect for other, effect in effects.items() if set(other) < set(kept)]
            effects[kept] = mean - sum(lower, np.zeros(1))
    squares = {kept: float(np.square(effect).mean()) for kept, effect in effects.items() if kept}
    total = sum(squares.values())
    found = {name: sum(squares[kept] for kept in parts) / total for name, parts in FACTORS.items()}
    return {**found, "the rest": 1 - sum(found.values())}
