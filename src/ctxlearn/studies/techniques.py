"""Deep learning one level up: do augmentation, mining, averaging and ensembling of tasks and learners help as they do of samples?

Where training data are few, a network learns them by heart, and augmentation helps. One level up the data are tasks: the
learner is trained on few distinct ones and tested on new ones. Refuted, for a technique, by new tasks on which the
learner trained with it is no better than the one trained without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ctxlearn import lab
from ctxlearn.learners import BlockConfig, InContextTransformer, Learner
from ctxlearn.references import Ensemble
from ctxlearn.tasks import Amortization, Augmented, ClassPrototype, Mixture, PairwiseMetric, Pool, TaskFamily
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
MEMBERS = 3
LEARNER = "InContextTransformer"


@dataclass(frozen=True)
class Sizes:
    """Sizes of one profile.

    Attributes:
        n_features: d.
        n_points: N points per task.
        size: distinct training tasks.
        steps: optimiser steps of each training.
        tasks_per_step: B.
        width: of the models.
        depth: blocks.
        n_seeds: training seeds of each technique per seed of the study; as many times three of the baseline.
        n_tasks: test tasks per training seed.
    """

    n_features: int
    n_points: int
    size: int
    steps: int
    tasks_per_step: int
    width: int
    depth: int
    n_seeds: int
    n_tasks: int


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
        arms = {t: training(sizes, t, own) for t in (*TECHNIQUES, UNLIMITED) if t != ENSEMBLE}
        contestants = {BASELINE: members[0], **arms, ENSEMBLE: lab.call(ensemble, members)}
        named = {(LEARNER, name): contestant for name, contestant in contestants.items()}
        cells.append(lab.Cell((family.name,), family, named, own, sizes.n_tasks, sizes.n_points))
    return cells


def ensemble(members: Sequence[Learner]) -> Ensemble:
    """The ensemble of trained learners."""
    return Ensemble(members)


def accuracies(numbers: lab.Numbers) -> lab.Samples:
    """By technique: accuracy in % on new tasks, mean over n >= 1."""
    return lab.Samples({(key[1],): 100 * found.averaged() for key, found in numbers["score"].items()})


def claims(accuracy: lab.Samples) -> list[lab.Claim]:
    """One claim per technique."""
    return lab.together(
        "techniques",
        [
            lab.Says(
                technique.replace(" ", "-"),
                f"{words}: better on new tasks than training without",
                "accuracy with minus without, percentage points, mean over n >= 1, paired over tasks and pools",
                accuracy[technique] - accuracy[BASELINE],
            )
            for technique, words in TECHNIQUES.items()
        ],
    )


def present(sizes: Sizes, numbers: lab.Numbers) -> lab.Page:
    """The page."""
    accuracy = accuracies(numbers)
    decided = claims(accuracy)
    n_seeds = len(accuracy[BASELINE].seeds)
    return lab.Page(
        title="Do the techniques of deep learning work one level up?",
        asked="Augmentation, mining of hard examples, weight averaging and ensembles make networks better that are trained on few"
        " samples. If the samples are tasks, and the network learns to learn from them, do they still?",
        found=_found(decided),
        sure=f"{lab.count(n_seeds, 'training seed')} of each technique, each with {sizes.size} training tasks of its own, and paired"
        f" with the baseline's on these and on the same {lab.count(sizes.n_tasks, 'new task')}. One family, one model size, and each"
        " technique with one setting, fixed beforehand; another number of training tasks may give another order.",
        claims=decided,
        results=numbers["score"].frame("learner", "trained_on", "family"),
        sections=[_section(sizes, accuracy)],
    )


def _found(claims: list[lab.Claim]) -> str:
    by_verdict = {
        verdict: [c.id.replace("-", " ") for c in claims if c.verdict == verdict]
        for verdict in ("holds", "fails", "undecided")
    }
    words = {"holds": "Better with", "fails": "Worse with", "undecided": "Undecided for"}
    return " ".join(f"{words[verdict]} {', '.join(names)}." for verdict, names in by_verdict.items() if names)


def _section(sizes: Sizes, accuracy: lab.Samples) -> lab.Section:
    order = (BASELINE, *TECHNIQUES, UNLIMITED)
    gains = {t: (accuracy[t] - accuracy[BASELINE]).interval() for t in order[1:]}
    drawing = lab.forest(
        lab.interval_rows(gains),
        by="name",
        styles={UNLIMITED: lab.Style(lab.GREY)},
        x_label="accuracy on new tasks, with minus without (percentage points)",
    )
    rows = [[t, lab.cell(accuracy[t].interval()), lab.cell(gains[t], sign=True) if t in gains else ""] for t in order]
    return lab.Section(
        "One setting, one technique at a time",
        [
            f"The learner, a set transformer, is trained on {sizes.size} class-prototype tasks (d = {sizes.n_features},"
            f" N = {sizes.n_points}, fresh points at every step) and tested on new tasks. Turned tasks, and tasks with other"
            " names of classes, are as likely under the family, so both kinds of augmentation make training tasks that could"
            f' have been drawn. "{UNLIMITED}" draws new training tasks at every step: what more tasks would be worth.',
        ],
        [
            lab.Figure(
                "techniques",
                drawing,
                "What each technique adds on new tasks, with 95 % intervals over training seeds and their pools of tasks.",
                "A dot with its interval for each technique; the table below has the numbers.",
            )
        ],
        [
            lab.Table(
                "Accuracy in % on new tasks, mean over n >= 1, and the paired difference, with 95 % intervals over training seeds and their pools of tasks",
                ["technique", "accuracy", "difference from none"],
                rows,
            )
        ],
    )


STUDY = lab.Study("techniques", PROFILES, plan, present)
