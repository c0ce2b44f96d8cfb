"""Adapting to a new script from some episodes of it, by gradient steps: in-context learning plainly, M2 by its own steps too."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from ctxlearn import lab
from ctxlearn.episodes import Tasks
from ctxlearn.evaluation.queries import score_queries
from ctxlearn.inner_loop.fine_tuning import take_inner_steps
from ctxlearn.learners import Learner
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies.images.settings import ICL, M2, Meta, Sizes
from ctxlearn.tasks import Glyphs, Labelled
from ctxlearn.threads import Workers
from ctxlearn.training import Adaptable, RandomShots, fine_tune

OWN = "M2, its own steps"
FINE_TUNING, INNER_STEPS = "fine-tuning", "inner steps"


class Script(NamedTuple):
    """A script that no training saw, in two halves of disjoint characters.

    Attributes:
        name: its code.
        adaptation: episodes of the one half, as many as the largest size has; smaller sizes have the first of them.
        probe: one-shot episodes of the other half.
    """

    name: str
    adaptation: Tasks
    probe: Tasks


def meet(way: int, meta: Meta, seed: int) -> list[Script]:
    """Test scripts, drawn among those with enough characters for two halves."""
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


def script_measurements(
    sizes: Sizes, trained: Mapping[tuple[str, int], lab.Training], seed: int
) -> list[lab.Measurement]:
    """Both arms on new scripts, fine-tuned; M2 by its own inner steps, too."""
    way = sizes.ways[0]
    arms = {ICL: (ICL, FINE_TUNING), M2: (M2, FINE_TUNING), OWN: (M2, INNER_STEPS)}
    found = []
    for arm, (name, how) in arms.items():
        asked = lab.call(adapted_accuracy, trained[name, way], how, way, sizes.meta, seed)
        found.append(lab.Measurement((arm, "new scripts"), seed, asked, f"new scripts, seed {seed}"))
    return found


def adapted_accuracy(
    learner: Learner, how: str, way: int, meta: Meta, seed: int, threads: int
) -> dict[str, np.ndarray]:
    """Accuracy on D new scripts, unadapted and adapted to each number of episodes: "adapted" (D, 1 + sizes)."""
    with Workers(threads) as workers:
        each = workers.map(partial(_on_script, learner, how, way, meta, seed), meet(way, meta, seed))
    return {"adapted": np.array(each)}


def _on_script(learner: Learner, how: str, way: int, meta: Meta, seed: int, script: Script) -> list[float]:
    found = [learner]
    for size in meta.sizes:
        tasks = script.adaptation.tasks(torch.arange(size))
        if how == FINE_TUNING:
            tuned = fine_tune(
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
        else:
            tuned = copy.deepcopy(learner)
            assert isinstance(tuned, Adaptable)
            take_inner_steps(tuned, tasks, RandomShots())
        found.append(tuned)
    return [float(score_queries(each, script.probe, way, way).mean()) for each in found]


def adapted_accuracies(sizes: Sizes, numbers: lab.Numbers) -> lab.Samples:
    """Per arm and episodes adapted to (0: none): share of right answers on each new script."""
    adapted = (0, *sizes.meta.sizes)
    found = numbers["adapted"].items()
    return lab.Samples({(key[0], size): each.at(i) for key, each in found for i, size in enumerate(adapted)})
