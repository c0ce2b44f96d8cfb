"""What the study of language models measures besides accuracy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ctxlearn.episodes import Tasks
from ctxlearn.evaluation.curves import score_output
from ctxlearn.identification import default_candidates, identify
from ctxlearn.language.choosing import choose_format
from ctxlearn.language.language_model import LanguageModel
from ctxlearn.language.rounded import Rounded
from ctxlearn.language.text_format import TextFormat
from ctxlearn.learners import Learner
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies.language.settings import SCALE, opened
from ctxlearn.tasks import TaskFamily

MAPPED, VARIED = 101, 102
"""Further numbers of the random stream, so that maps and variations have tasks of their own."""


def language_model(source: str, dtype: str, device_map: str | None, format: TextFormat) -> LanguageModel:
    """The language model as a learner of two features and two classes."""
    return LanguageModel(opened(source, dtype, device_map), 2, 2, format)


def bits(answers: Tensor, tasks: Tasks) -> Tensor:
    """What each label costs, (B, N): minus the logarithm to base 2 of the probability that it was given."""
    told = answers.double().log_softmax(-1).gather(-1, tasks.y[..., None].to(answers.device))[..., 0]
    return -told / math.log(2)


def mapped(learner: Learner, family: TaskFamily, seed: int, n_context: int, steps: int) -> dict[str, Any]:
    """Probability of class 1 on a grid (1, steps, steps), first axis first, after one context (1, n, 2)."""
    tasks = family.sample(1, n_context, generator=generator_for(seed, Stream.TEST, MAPPED))
    side = torch.linspace(-SCALE, SCALE, steps)
    with torch.inference_mode():
        told = learner(tasks.x, tasks.y, torch.cartesian_prod(side, side)[None]).float().softmax(-1)[..., 1]
    return {"map": told.view(1, steps, steps).cpu().numpy(), "x": tasks.x.numpy(), "y": tasks.y.numpy()}


def varied(
    learner: LanguageModel,
    family: TaskFamily,
    seed: int,
    n_tasks: int,
    n_points: int,
    formats: Mapping[str, TextFormat],
    words: Sequence[Sequence[str]],
    orders: int,
) -> dict[str, Any]:
    """Bits per label and accuracy by format, words and order of the examples, (T, F, W, O); the mean over half of the points."""
    n = n_points // 2
    generator = generator_for(seed, Stream.TEST, VARIED)
    tasks = family.sample(n_tasks, n_points, generator=generator)
    place = torch.rand(orders, n_tasks, n, generator=generator).argsort(-1)
    x = tasks.x[:, :n].expand(orders, -1, -1, -1).gather(2, place[..., None].expand(-1, -1, -1, 2)).flatten(0, 1)
    y = tasks.y[:, :n].expand(orders, -1, -1).gather(2, place).flatten(0, 1)
    asked = Tasks(tasks.x[:, n:].repeat(orders, 1, 1), tasks.y[:, n:].repeat(orders, 1), tasks.n_classes)
    found: dict[str, list[Tensor]] = {"bits": [], "score": []}
    for format in formats.values():
        for labels in words:
            reader = LanguageModel(learner.lm, 2, 2, replace(format, labels=tuple(labels)), labellings="one")
            with torch.inference_mode():
                answers = reader(x, y, asked.x).cpu()
            found["bits"].append(bits(answers, asked).mean(-1))
            found["score"].append(score_output(answers, asked.y, 2).double().mean(-1))
    shape = (len(formats), len(words), orders, n_tasks)
    return {name: torch.stack(parts).view(shape).permute(3, 0, 1, 2).numpy() for name, parts in found.items()}


def shares(values: np.ndarray) -> dict[str, float]:
    """How much of the variance of values (T, F, W, O) is of which factor; orders are drawn anew for every task."""
    effects: dict[tuple[int, ...], np.ndarray] = {}
    squares: dict[tuple[int, ...], float] = {}
    for size in range(5):
        for kept in combinations(range(4), size):
            mean = values.mean(axis=tuple(set(range(4)) - set(kept)), keepdims=True)
            effects[kept] = mean - sum((effect for lower, effect in effects.items() if set(lower) < set(kept)), 0.0)
            squares[kept] = float(np.square(effects[kept]).mean())
    total = sum(square for kept, square in squares.items() if kept)
    names: dict[str, list[tuple[int, ...]]] = {
        "task": [(0,)],
        "format": [(1,)],
        "label words": [(2,)],
        "order of the examples": [(3,), (0, 3)],
        "format, by task": [(0, 1)],
        "label words, by task": [(0, 2)],
        "format with label words": [(1, 2)],
    }
    found = {name: sum(squares[kept] for kept in parts) / total for name, parts in names.items()}
    return {**found, "the rest": 1 - sum(found.values())}


def identified(
    models: Sequence[Learner],
    rivals: Mapping[str, Learner],
    format: TextFormat,
    family: TaskFamily,
    lengths: Sequence[int],
    n_contexts: int,
    tolerance: float,
    threads: int = 1,
) -> dict[str, object]:
    """The facts of an `Identification` of the first model, with the others as replicates; candidates see the digits."""
    candidates = {name: Rounded(candidate, format) for name, candidate in default_candidates(2, 2).items()}
    found = identify(
        models[0],
        {**candidates, **rivals},
        replicates=models[1:],
        probes=family,
        lengths=lengths,
        n_contexts=n_contexts,
        tolerance=tolerance,
        threads=threads,
    )
    table = found.results
    return {"facts": {"columns": list(table.columns), "results": table.to_dict("list"), **found.facts()}}


def formats_tried(
    source: str,
    dtype: str,
    device_map: str | None,
    family: TaskFamily,
    formats: Mapping[str, TextFormat],
    n_tasks: int,
    n_points: int,
    seed: int,
) -> dict[str, object]:
    """The facts of a `FormatChoice` at a quarter of the points and at three quarters."""
    lengths = [n_points // 4, 3 * n_points // 4]
    lm = opened(source, dtype, device_map)
    queries = n_points - lengths[1]
    choice = choose_format(lm, family, formats, n_context=lengths, n_query=queries, n_tasks=n_tasks, seed=seed)
    return {"facts": {"name": choice.name, "tried": choice.tried.fillna(0.0).to_dict("list")}}
