"""What the study of language models measures besides accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ctxlearn.episodes import Tasks
from ctxlearn.identification import default_candidates, identify
from ctxlearn.language.choosing import choose_format
from ctxlearn.language.language_model import LanguageModel
from ctxlearn.language.rounded import Rounded
from ctxlearn.language.sensitivity import bits_per_label, written_differently
from ctxlearn.language.text_format import TextFormat
from ctxlearn.learners import Learner
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies.language.settings import FORMATS, SCALE, VARIED, WORDS, opened
from ctxlearn.tasks import TaskFamily

MAPPING, VARYING = 101, 102
"""Further numbers of the random stream, so that maps and variations have tasks of their own."""


def language_model(source: str, dtype: str, device_map: str | None, format: TextFormat) -> LanguageModel:
    """The language model as a learner of two features and two classes."""
    return LanguageModel(opened(source, dtype, device_map), 2, 2, format)


def bits(answers: Tensor, tasks: Tasks) -> Tensor:
    """What each label costs, (B, N)."""
    return bits_per_label(answers, tasks.y)


def mapped(learner: Learner, family: TaskFamily, seed: int, n_context: int, steps: int) -> dict[str, Any]:
    """Probability of class 1 on a grid (1, steps, steps), first axis first, after one context (1, n, 2)."""
    tasks = family.sample(1, n_context, generator=generator_for(seed, Stream.TEST, MAPPING))
    side = torch.linspace(-SCALE, SCALE, steps)
    with torch.inference_mode():
        told = learner(tasks.x, tasks.y, torch.cartesian_prod(side, side)[None]).float().softmax(-1)[..., 1]
    return {"map": told.view(1, steps, steps).cpu().numpy(), "x": tasks.x.numpy(), "y": tasks.y.numpy()}


def varied(
    learner: LanguageModel, family: TaskFamily, seed: int, n_tasks: int, n_points: int, orders: int
) -> dict[str, Any]:
    """`written_differently`, half of the points being the examples."""
    generator = generator_for(seed, Stream.TEST, VARYING)
    tasks, formats = family.sample(n_tasks, n_points, generator=generator), {name: FORMATS[name] for name in VARIED}
    found = written_differently(
        learner, tasks, formats, WORDS, n_context=n_points // 2, orders=orders, generator=generator
    )
    return {f"varied {name}": values for name, values in found.items()}


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
