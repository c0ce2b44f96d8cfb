"""Adapting to a new script from some episodes of it, by gradient steps: in-context learning plainly, M2 by its own steps too."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from ctxlearn.episodes import Tasks
from ctxlearn.learners import Learner
from ctxlearn.progress import progress_bar
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies.base import Workload
from ctxlearn.studies.domains.adapting import take_inner_steps
from ctxlearn.studies.images.measuring import answer
from ctxlearn.studies.images.settings import ICL, M2, Settings, run_name
from ctxlearn.tasks import Glyphs, Labelled
from ctxlearn.threads import Workers
from ctxlearn.training import Adaptable, RandomShots, adapt_to_domain

OWN = "M2, its own steps"
Adapted = dict[tuple[str, int], np.ndarray]
"""By arm and episodes adapted to (0: none): accuracy on each new script, (S, D)."""


@dataclass(frozen=True)
class Script:
    """A script that no training saw, in two halves of disjoint characters.

    Attributes:
        name: its code.
        adaptation: episodes of the one half, as many as the largest size has; smaller sizes have the first of them.
        probe: one-shot episodes of the other half.
    """

    name: str
    adaptation: Tasks
    probe: Tasks


def meet(settings: Settings, seed: int) -> list[Script]:
    """Test scripts, drawn among those with enough characters for two halves."""
    way, meta = settings.ways[0], settings.meta
    scripts = Glyphs("test", 2 * way)
    generator = generator_for(seed, Stream.TEST, 3)
    drawn = torch.randperm(len(scripts.names), generator=generator)[: meta.n_scripts].tolist()
    met = []
    for name in sorted(scripts.names[i] for i in drawn):
        whole = scripts.labelled_of(name)
        here, there = Labelled(whole.x, whole.y, way).split(0.5, 0.5, generator=generator)
        adaptation = here.sample(max(meta.sizes), (2 * meta.shots + 1) * way, generator=generator)
        met.append(Script(name, adaptation, there.sample(meta.n_probe, 2 * way, generator=generator)))
    return met


def measure_adapting(settings: Settings, learners: Mapping[int, Mapping[str, Learner]], workload: Workload) -> Adapted:
    """Both arms on new scripts, as they are and adapted to each number of episodes."""
    found: dict[tuple[str, int], list[np.ndarray]] = {}
    n_scripts = len(learners) * settings.meta.n_scripts
    with progress_bar(n_scripts, "adapting", shown=workload.progress) as bar, Workers(workload.threads) as workers:
        for seed, named in learners.items():
            arms = {arm: named[run_name(arm, settings.ways[0])] for arm in (ICL, M2)}
            each = workers.map(partial(_adapted, settings, arms, seed, bar), meet(settings, seed))
            for key in each[0]:
                found.setdefault(key, []).append(np.array([scores[key] for scores in each]))
    return {key: np.stack(values) for key, values in found.items()}


def _adapted(
    settings: Settings, arms: Mapping[str, Learner], seed: int, bar: Any, script: Script
) -> dict[tuple[str, int], float]:
    way, meta = settings.ways[0], settings.meta

    def accuracy(learner: Learner) -> float:
        return float(answer(learner, script.probe, way, way, threads=1).mean())

    found = {(arm, 0): accuracy(learner) for arm, learner in arms.items()}
    for size in meta.sizes:
        tasks = script.adaptation.tasks(torch.arange(size))
        for arm, learner in arms.items():
            tuned = adapt_to_domain(
                learner,
                tasks,
                held_out=0.125,
                steps=meta.adaptation_steps,
                batch=16,
                check_every=max(1, meta.adaptation_steps // 4),
                learning_rate=3e-4,
                objective=RandomShots(),
                seed=seed,
            )
            found[arm, size] = accuracy(tuned)
        own = copy.deepcopy(arms[M2])
        assert isinstance(own, Adaptable)
        take_inner_steps(own, tasks, RandomShots())
        found[OWN, size] = accuracy(own)
    found[OWN, 0] = found[M2, 0]
    bar.update()
    return found
