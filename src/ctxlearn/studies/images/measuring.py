"""Accuracy of learners on episodes of unseen scripts, of kinds of script, and of handwritten digits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from ctxlearn.episodes import Tasks
from ctxlearn.evaluation.curves import score_output
from ctxlearn.evaluation.statistics import mean_interval
from ctxlearn.learners import Learner, MoreWays
from ctxlearn.progress import progress_bar
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies.base import Workload
from ctxlearn.studies.images.settings import (
    ALPHABETS,
    CLASSICAL,
    CURRICULUM,
    ICL,
    MOST_SHOTS,
    OTHERS,
    PIXELS,
    RANDOM,
    SHIFTED,
    Settings,
    fresh_learner,
    run_name,
    shifted,
)
from ctxlearn.tasks import Labelled, TaskFamily, glyphs
from ctxlearn.threads import Workers, one_thread_per_operator

SCRIPTS, DIGITS = "unseen scripts", "handwritten digits"
NEW_ALPHABETS, NEW_KINDS = "unseen alphabets", "syllabaries and logographs"
GROUPED = "in groups"
CHUNK = 10
Accuracies = dict[tuple[str, int, int, str], np.ndarray]
"""By where episodes are from, N, K and learner: share of right answers in each episode, (S, T). Learners of one place, N and K
have the same episodes; one with fewer has the first of them."""


def families(way: int) -> dict[str, TaskFamily]:
    """Where test episodes come from: nothing of it is in training or validation."""
    found: dict[str, TaskFamily] = {SCRIPTS: glyphs("test", way)}
    if way <= 10:
        found[DIGITS] = digits(way)
    return found


def digits(way: int) -> Labelled:
    """scikit-learn's handwritten digits, 8 x 8 pixels, scaled to the glyphs' size: handwriting that nobody here rendered."""
    x, y = load_digits(return_X_y=True)
    small = torch.from_numpy(x.astype(np.float32) / 16).view(-1, 1, 8, 8)
    large = torch.nn.functional.interpolate(small, size=(24, 24), mode="bilinear")
    return Labelled(torch.nn.functional.pad(large, (2, 2, 2, 2)), y, way)


def measure(settings: Settings, learners: Mapping[int, Mapping[str, Learner]], workload: Workload) -> Accuracies:
    """All learners on the same episodes: K shots, one query a class."""
    found: dict[tuple[str, int, int, str], list[np.ndarray]] = {}
    contests = [(seed, *contest) for seed, named in learners.items() for contest in _contests(settings, named, seed)]
    n_measured = sum(len(contestants) for *_, contestants in contests) * len(settings.shots)
    with progress_bar(n_measured, "measuring", shown=workload.progress) as bar:
        for seed, place, way, family, contestants in contests:
            tasks = family.sample(
                settings.n_tasks, way * (MOST_SHOTS + 1), generator=generator_for(seed, Stream.TEST, way)
            )
            for name, learner in contestants.items():
                asked = tasks
                if name == GROUPED:
                    asked = tasks.tasks(torch.arange(settings.n_grouped))
                for shots in settings.shots:
                    scores = answer(learner, asked, way * shots, way, workload.threads)
                    found.setdefault((place, way, shots, name), []).append(scores)
                    bar.update()
    return {key: np.stack(values) for key, values in found.items()}


def _contests(
    settings: Settings, named: Mapping[str, Learner], seed: int
) -> Iterator[tuple[str, int, TaskFamily, dict[str, Learner]]]:
    """Where episodes are from, their number of ways, their family, and who meets there."""
    few, many = settings.ways[0], settings.ways[-1]
    for way in settings.ways:
        contestants = {name: named[run_name(name, way)] for name in (ICL, *CLASSICAL)}
        contestants[PIXELS] = fresh_learner(PIXELS, settings, way, seed)
        for place, family in families(way).items():
            more: dict[str, Learner] = {}
            if place == SCRIPTS and way == few:
                more[RANDOM] = named[run_name(RANDOM, few)]
            if place == SCRIPTS and way == many:
                more[CURRICULUM] = named[run_name(CURRICULUM, many)]
                more[GROUPED] = MoreWays(named[run_name(ICL, few)], many)
            yield place, way, family, contestants | more
    kinds = {name: named[run_name(name, few)] for name in SHIFTED}
    kinds |= {shifted(name): named[run_name(shifted(name), few)] for name in SHIFTED}
    kinds[PIXELS] = fresh_learner(PIXELS, settings, few, seed)
    for place, kept in ((NEW_ALPHABETS, ALPHABETS), (NEW_KINDS, OTHERS)):
        yield place, few, glyphs("test", few, kept), kinds


def answer(learner: Learner, tasks: Tasks, n_context: int, n_queries: int, threads: int) -> np.ndarray:
    """Share of the last points of each task that a learner gets right from its first ones, (T,)."""

    def part(rows: Tensor) -> Tensor:
        few = tasks.tasks(rows)
        x, y = few.x, few.y
        with torch.inference_mode():
            out = learner(x[:, :n_context], y[:, :n_context], x[:, -n_queries:])
        return score_output(out, y[:, -n_queries:], tasks.n_classes).double().mean(1)

    learner.eval()
    with one_thread_per_operator(), Workers(threads) as workers:
        parts = workers.map(
            part, [torch.arange(i, min(i + CHUNK, tasks.n_tasks)) for i in range(0, tasks.n_tasks, CHUNK)]
        )
    return torch.cat(parts).numpy()


def results(measured: Accuracies) -> pd.DataFrame:
    """One row a place, N, K, learner and seed."""
    rows = []
    for (place, way, shots, name), values in measured.items():
        for seed, part in enumerate(values):
            columns = {"learner": name, "family": f"{place}, {way}-way", "n_context": way * shots, "seed": seed}
            rows.append(columns | mean_interval(part).as_columns())
    return pd.DataFrame(rows)
