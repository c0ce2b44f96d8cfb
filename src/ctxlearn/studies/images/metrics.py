"""Accuracy of learners on episodes of unseen scripts, of kinds of script, and of handwritten digits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from ctxlearn import lab
from ctxlearn.evaluation.queries import score_queries
from ctxlearn.learners import Learner, ManyClass
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies.images import settings
from ctxlearn.studies.images.settings import CLASSICAL, CURRICULUM, ICL, PIXELS, RANDOM, SHIFTED, Sizes, shifted
from ctxlearn.tasks import TaskFamily, glyphs
from ctxlearn.tasks.digits import digits

SCRIPTS, DIGITS = "unseen scripts", "handwritten digits"
NEW_ALPHABETS, NEW_KINDS = "unseen alphabets", "syllabaries and logographs"
GROUPED = "in groups"


def families(way: int) -> dict[str, Callable[[int], TaskFamily]]:
    """Where test episodes come from, by number of ways: nothing of it is in training or validation."""
    return {SCRIPTS: scripts, DIGITS: digits} if way <= 10 else {SCRIPTS: scripts}


def scripts(way: int, kinds: Sequence[str] | None = None) -> TaskFamily:
    """Scripts of the test split, of some kinds or of all."""
    return glyphs("test", way, None if kinds is None else list(kinds))


def episode_measurements(
    sizes: Sizes, trained: Mapping[tuple[str, int], lab.Training], seed: int
) -> list[lab.Measurement]:
    """All learners on the same episodes of each place and number of ways."""
    few, many = sizes.ways[0], sizes.ways[-1]
    found = []

    def ask(place: str, way: int, family: lab.Call, contestants: Mapping[str, lab.Contestant]) -> None:
        for name, learner in {**contestants, PIXELS: settings.fresh_learner(PIXELS, sizes, way, seed)}.items():
            first = sizes.n_grouped if name == GROUPED else sizes.n_tasks
            asked = lab.call(episode_accuracy, learner, family, way, list(sizes.shots), sizes.n_tasks, first, seed)
            found.append(lab.Measurement((name, place, way), seed, asked, f"{place}, {way}-way, seed {seed}"))

    groups = lab.call(in_groups, trained[ICL, few], many)
    further: dict[int, dict[str, lab.Contestant]] = {
        few: {RANDOM: trained[RANDOM, few]},
        many: {CURRICULUM: trained[CURRICULUM, many], GROUPED: groups},
    }
    for way in sizes.ways:
        plain = {name: trained[name, way] for name in (ICL, *CLASSICAL)}
        for place, make in families(way).items():
            ask(place, way, lab.call(make, way), {**plain, **(further.get(way, {}) if place == SCRIPTS else {})})
    kinds = {each: trained[each, few] for name in SHIFTED for each in (name, shifted(name))}
    for place, kept in ((NEW_ALPHABETS, settings.ALPHABETS), (NEW_KINDS, settings.OTHERS)):
        ask(place, few, lab.call(scripts, few, kept), kinds)
    return found


def in_groups(learner: Learner, way: int) -> ManyClass:
    """A learner of few ways that is shown groups of the classes."""
    return ManyClass(learner, way)


def episode_accuracy(
    learner: Learner,
    family: TaskFamily,
    way: int,
    shots: Sequence[int],
    n_tasks: int,
    first: int,
    seed: int,
    threads: int,
) -> dict[str, np.ndarray]:
    """Share of right answers in each episode at each of K numbers of shots, one query per class: "accuracy" (T, K).

    Args:
        learner: who answers.
        family: of the episodes.
        way: N.
        shots: of the contexts; an episode with fewer shots has the first points, and the same queries.
        n_tasks: episodes.
        first: answer only so many of them.
        seed: of the episodes.
        threads: side by side.
    """
    tasks = family.sample(n_tasks, way * (settings.MOST_SHOTS + 1), generator=generator_for(seed, Stream.TEST, way))
    asked = tasks.tasks(torch.arange(min(first, n_tasks)))
    return {
        "accuracy": np.stack([score_queries(learner, asked, way * k, way, threads=threads) for k in shots], axis=-1)
    }


def accuracies(sizes: Sizes, numbers: lab.Numbers) -> lab.Samples:
    """Per learner, place, N and K: share of right answers in each episode; those of one place, N and K have the same episodes."""
    found = numbers["accuracy"].items()
    return lab.Samples({(*key, k): each.at(i) for key, each in found for i, k in enumerate(sizes.shots)})


def gain(accuracy: lab.Samples, name: str, baseline: str, place: str, way: int, shots: int) -> lab.Paired:
    """One learner's accuracy in % minus another's, on the episodes that the first one answered."""
    own = accuracy[name, place, way, shots]
    return 100 * own - 100 * accuracy[baseline, place, way, shots].first(own.n_tasks)
