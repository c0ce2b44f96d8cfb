"""Which format suits a model: tried on validation tasks, with all that was tried kept."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from ctxlearn.checks import check_int, describe
from ctxlearn.episodes import Tasks
from ctxlearn.evaluation.curves import score_output
from ctxlearn.language.language_model import LanguageModel
from ctxlearn.language.loading import CausalLM
from ctxlearn.language.text_format import TextFormat
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.storage import write_text
from ctxlearn.tasks import TaskFamily

CANDIDATES: dict[str, TextFormat] = {
    "lines": TextFormat(),
    "lines, two digits": TextFormat(digits=2),
    "lines, blanks between": TextFormat(between=" "),
    "arrow": TextFormat(before_label=" -> "),
    "input and label": TextFormat(before_input="Input: ", between=" ", before_label="\nLabel: "),
    "turns of a chat": TextFormat(chat="turns"),
    "one turn of a chat": TextFormat(chat="one turn"),
}
"""What `choose_format` tries by default."""


@dataclass(frozen=True)
class FormatChoice:
    """What `choose_format` found.

    Attributes:
        format: the one with the least mean loss.
        name: its name.
        tried: one row per format and context length: `format`, `n_context`, `score` (accuracy, or squared error), `loss` (nats, or
            squared error) and its standard error over tasks `loss_se`, `label_mass`, `tokens` per task, and `refused`: why a format could not be
            used with this model, or an empty string.
    """

    format: TextFormat
    name: str
    tried: pd.DataFrame


def choose_format(
    lm: CausalLM,
    tasks: TaskFamily | Tasks,
    formats: Mapping[str, TextFormat] | None = None,
    *,
    n_context: Sequence[int] = (8, 32),
    n_query: int = 16,
    n_tasks: int = 16,
    labellings: str = "all",
    seed: int = 0,
    out: Path | str | None = None,
) -> FormatChoice:
    """Try formats on the same validation tasks, and choose the one with the least loss.

    Choose on other tasks than those you report on, better still on other families: the choice is a fit.

    Args:
        lm: what `load_language_model` gives.
        tasks: a family, of which tasks are drawn apart from all training and test tasks of the seed; or tasks.
        formats: by name; None for `CANDIDATES`. Those that the model's tokens refuse are kept with the reason.
        n_context: context lengths; the loss is the mean over them.
        n_query: queries per task, those after the longest context, the same at every length.
        n_tasks: of a family, how many to draw, >= 2.
        labellings: see `LanguageModel`.
        seed: of the draw.
        out: a CSV file to write `tried` to.

    Raises:
        ValueError: no format that can be used, tasks with too few points, or a number out of range.
    """
    formats = CANDIDATES if formats is None else formats
    if not isinstance(formats, Mapping) or not formats or not all(isinstance(f, TextFormat) for f in formats.values()):
        raise ValueError(f"formats: expected a non-empty mapping from names to TextFormats, got {describe(formats)}")
    if out is not None and not isinstance(out, str | os.PathLike):
        raise ValueError(f"out: expected a path or None, got {describe(out)}")
    lengths = [check_int("n_context", n, minimum=0) for n in n_context]
    if not lengths:
        raise ValueError("n_context: expected at least one context length, got none")
    check_int("n_query", n_query, minimum=1)
    needed = max(lengths) + n_query
    if isinstance(tasks, TaskFamily):
        check_int("n_tasks", n_tasks, minimum=2)
        tasks = tasks.sample(n_tasks, needed, generator=generator_for(seed, Stream.VALIDATION))
    elif not isinstance(tasks, Tasks):
        raise ValueError(f"tasks: expected a TaskFamily or Tasks, got {describe(tasks)}")
    if tasks.n_points < needed or tasks.n_tasks < 2:
        raise ValueError(
            f"tasks: expected at least 2 tasks of {needed} points, got {tasks.n_tasks} of {tasks.n_points};"
            " ask for shorter contexts or fewer queries"
        )
    rows = [
        row for name, format in formats.items() for row in _try(lm, tasks, name, format, lengths, n_query, labellings)
    ]
    tried = pd.DataFrame(rows)
    usable = tried[tried["refused"] == ""]
    if usable.empty:
        raise ValueError(f"formats: expected one that this model can read, got none; the first: {rows[0]['refused']}")
    if out is not None:
        write_text(Path(out), tried.to_csv(index=False))
    best = str(usable.groupby("format", sort=False)["loss"].mean().idxmin())
    return FormatChoice(formats[best], best, tried)


def _try(
    lm: CausalLM, tasks: Tasks, name: str, format: TextFormat, lengths: list[int], n_query: int, labellings: str
) -> list[dict[str, object]]:
    shape = tuple(tasks.x.shape[2:])
    n_features = shape[0] if len(shape) == 1 else shape
    try:
        learner = LanguageModel(lm, n_features, tasks.n_classes, format, labellings=labellings)
    except ValueError as error:
        if not str(error).startswith(("format:", "labels:", "chat:", "names:")):
            raise
        return [{"format": name, "n_context": n, "refused": str(error)} for n in lengths]
    longest, rows = max(lengths), []
    query_x, query_y = tasks.x[:, longest : longest + n_query], tasks.y[:, longest : longest + n_query]
    for n in lengths:
        with torch.inference_mode():
            state = learner.adapt(tasks.x[:, longest - n : longest], tasks.y[:, longest - n : longest])
            output = learner.predict(state, query_x)
            mass = learner.label_mass(state, query_x)
        losses = torch.stack([learner.loss(o[None], y[None]) for o, y in zip(output, query_y, strict=True)]).double()
        rows.append(
            {
                "format": name,
                "n_context": n,
                "score": float(score_output(output, query_y, tasks.n_classes).double().mean()),
                "loss": float(losses.mean()),
                "loss_se": float(losses.std() / len(losses) ** 0.5),
                "label_mass": float(mass.mean()),
                "tokens": learner.cost(n, n_query).tokens,
                "refused": "",
            }
        )
    return rows
