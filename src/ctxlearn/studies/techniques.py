"""Deep learning one level up: do augmentation, mining, averaging and ensembling of tasks and learners help as they do of samples?

Where training data are few, a network learns them by heart, and augmentation helps. One level up the data are tasks: the
learner is trained on few distinct ones and tested on new ones. Refuted, for a technique, by new tasks on which the
learner trained with it is no better than the one trained without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ctxlearn import lab
from ctxlearn.learners import BlockConfig, InContextTransformer, Learner
from ctxlearn.references import Ensemble
from ctxlearn.tasks import Amortization, Augmented, ClassPrototype, Deformed, Mixture, PairwiseMetric, Pool, TaskFamily
from ctxlearn.training import HardestTasks, Objective, RandomSplit, TrainingConfig

BASELINE, UNLIMITED, ENSEMBLE = "none", "tasks without limit", "ensemble of three"
TECHNIQUES = {
    "rotated inputs": "Training tasks turned at random",
    "permuted labels": "Training tasks with their classes renamed at random",
    "mixed families": "A third of the training tasks each from this family and two others",
    "hardest tasks": "Training on the worse half of each batch of tasks",
    "averaged weights": "A running average of the weights (decay 0.99)",
    ENSEMBLE: "The mean answer of three training seeds, at three times the compute",
}
DEFORMATIONS = {
    "stretched inputs": "Training tasks with each input stretched by a factor of 1/2 to 2 at random",
    "moved inputs": "Training tasks moved at random, by as much as their points differ",
}
"""Augmentations that make tasks which the test prior hardly draws, decided as a group of their own."""
TRAINED = (*(name for name in TECHNIQUES if name != ENSEMBLE), *DEFORMATIONS, UNLIMITED)
MEMBERS = 3
LEARNER, FAMILY = "InContextTransformer", "class-prototype"


@dataclass(frozen=True)
class Sizes:
    """Sizes of one profile."""

    n_features: int  # d
    n_points: int  # N points per task
    size: int  # distinct training tasks
    steps: int  # optimiser steps of each training
    tasks_per_step: int  # B
    width: int  # of the models
    depth: int  # blocks
    n_seeds: int  # training seeds of each technique per seed of the study; as many times three of the baseline
    n_tasks: int  # test tasks per training seed


PROFILES = {
    "smoke": Sizes(2, 6, 4, 4, 6, 8, 1, 2, 16),
    "quick": Sizes(3, 20, 32, 600, 64, 32, 3, 3, 1000),
    "paper": Sizes(8, 50, 256, 30_000, 128, 128, 6, 8, 5000),
}


def training_seeds(sizes: Sizes, seed: int) -> list[int]:
    """The training seeds that belong to one seed of the study."""
    return [sizes.n_seeds * seed + k for k in range(sizes.n_seeds)]


def family_of(sizes: Sizes) -> TaskFamily:
    """The tasks on which everything is tested. Turned, or with other names of classes, they are as likely."""
    return ClassPrototype(sizes.n_features)


def source_of(sizes: Sizes, technique: str, own: int) -> TaskFamily:
    """Where a technique's training tasks come from. Each training seed has a pool of its own, the same for all techniques."""
    family = family_of(sizes)
    if technique == UNLIMITED:
        return family
    pool = Pool(family, sizes.size, own)
    if technique == "rotated inputs":
        return Augmented(pool, rotate=True, permute_labels=False)
    if technique == "permuted labels":
        return Augmented(pool, rotate=False, permute_labels=True)
    if technique in DEFORMATIONS:
        return Deformed(pool, stretch=2.0) if technique == "stretched inputs" else Deformed(pool, shift=1.0)
    if technique == "mixed families":
        others = [PairwiseMetric(sizes.n_features), Amortization(sizes.n_features)]
        return Mixture([pool, *(Pool(other, sizes.size, own) for other in others)])
    return pool


def training(sizes: Sizes, technique: str, own: int, member: int = 0) -> lab.Training:
    """One training. Techniques start from the weights of the baseline's first member and see its random numbers."""
    seed = MEMBERS * own + member
    objective: Objective = HardestTasks(RandomSplit()) if technique == "hardest tasks" else RandomSplit()
    learner = InContextTransformer(
        sizes.n_features,
        2,
        width=sizes.width,
        blocks=[BlockConfig(heads=2, hidden=2 * sizes.width, activation="relu")] * sizes.depth,
        seed=seed,
    )
    config = TrainingConfig(
        steps=sizes.steps,
        tasks_per_step=sizes.tasks_per_step,
        n_points=sizes.n_points,
        shards=1,
        seed=seed,
        averaging=0.99 if technique == "averaged weights" else 0.0,
    )
    return lab.Training(f"{technique}, seed {seed}", learner, source_of(sizes, technique, own), config, objective)


def plan(sizes: Sizes, seed: int) -> list[lab.Cell]:
    """Every technique on new tasks of the family, the same for all techniques of a training seed."""
    family = family_of(sizes)
    cells = []
    for own in training_seeds(sizes, seed):
        members = [training(sizes, BASELINE, own, member) for member in range(MEMBERS)]
        arms = {technique: training(sizes, technique, own) for technique in TRAINED}
        contestants = {BASELINE: members[0], **arms, ENSEMBLE: lab.call(ensemble, members)}
        named = {(LEARNER, name): contestant for name, contestant in contestants.items()}
        cells.append(lab.Cell((FAMILY,), family, named, own, sizes.n_tasks, sizes.n_points))
    return cells


def ensemble(members: Sequence[Learner]) -> Ensemble:
    """The ensemble of trained learners."""
    return Ensemble(members)


def accuracies(numbers: lab.Numbers) -> lab.Samples:
    """By technique: accuracy in % on new tasks, mean over n >= 1."""
    return numbers["score"].part(LEARNER, None, FAMILY).averaged(100)


def claims(accuracy: lab.Samples) -> list[lab.Claim]:
    """One claim per technique."""
    statistic = "accuracy with minus without, percentage points, mean over n >= 1, paired over tasks and pools"

    def better(technique: str, words: str) -> lab.Says:
        gain = accuracy[technique] - accuracy[BASELINE]
        id, sentence = technique.replace(" ", "-"), f"{words}: better on new tasks than training without"
        return lab.Says(id, sentence, statistic, gain)

    groups = {"techniques": TECHNIQUES, "no symmetries": DEFORMATIONS}
    says = {group: [better(*about) for about in named.items()] for group, named in groups.items()}
    return [claim for group, members in says.items() for claim in lab.together(group, members)]


def present(sizes: Sizes, numbers: lab.Numbers) -> lab.Page:
    """The page; its words are in `techniques.md`."""
    accuracy = accuracies(numbers)
    names = (BASELINE, *TECHNIQUES, *DEFORMATIONS, UNLIMITED)
    gains = lab.Samples({(name,): accuracy[name] - accuracy[BASELINE] for name in names[1:]})
    rows = [
        {
            "technique": name,
            "accuracy": lab.cell(accuracy[name]),
            "difference from none": lab.cell(gains[name], sign=True) if (name,) in gains else "",
        }
        for name in names
    ]
    figure = lab.forest(
        lab.interval_rows(gains),
        by="name",
        styles={UNLIMITED: lab.Style(lab.GREY)},
        x_label="accuracy on new tasks, with minus without (percentage points)",
    )
    return lab.page_from_template(
        Path(__file__).with_suffix(".md"),
        claims(accuracy),
        numbers["score"].frame("learner", "trained_on", "family"),
        figures={"techniques": figure},
        tables={"accuracy": rows},
        values={"sizes": sizes, "n_seeds": len(accuracy[BASELINE].seeds), "UNLIMITED": UNLIMITED},
    )


STUDY = lab.Study("techniques", PROFILES, plan, present)
