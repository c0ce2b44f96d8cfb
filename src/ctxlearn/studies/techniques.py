"""Deep learning one level up: do augmentation, mining, averaging and ensembling of tasks and learners help as they do of samples?

Where training data are few, a network learns them by heart, and augmentation helps. One level up the data are tasks: the
learner is trained on few distinct ones and tested on new ones. Refuted, for a technique, by new tasks on which the
learner trained with it is no better than the one trained without.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ctxlearn.evaluation.curves import score_prefixes
from ctxlearn.evaluation.statistics import mean_interval
from ctxlearn.learners import BlockConfig, InContextTransformer, Learner
from ctxlearn.references import Ensemble
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies.base import Figure, Findings, Section, Study, Table, Workload, count
from ctxlearn.studies.claims import Claim, decide
from ctxlearn.studies.drawing import new_figure
from ctxlearn.studies.scores import Scores
from ctxlearn.studies.store import Training
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
class Settings:
    """Sizes of one profile.

    Attributes:
        n_features: d.
        n_points: N points a task.
        size: distinct training tasks.
        steps: optimiser steps of each training.
        tasks_per_step: B.
        width: of the models.
        depth: blocks.
        n_seeds: training seeds of each technique per seed of the study; as many times three of the baseline.
        n_tasks: test tasks a training seed.
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
    "smoke": Settings(2, 6, 4, 4, 6, 8, 1, 2, 16),
    "quick": Settings(3, 20, 32, 600, 64, 32, 3, 3, 1000),
    "paper": Settings(8, 50, 256, 30_000, 128, 128, 6, 8, 5000),
}


class Techniques(Study):
    """The rest of the map from samples to tasks that the paper proposes, in one table."""

    def trainings(self, profile: str, seed: int) -> dict[str, Training]:
        settings = PROFILES[profile]
        found = {}
        for own in training_seeds(settings, seed):
            for member in range(MEMBERS):
                name = run_name(BASELINE, own, member)
                found[name] = _training(settings, BASELINE, own, member)
            for technique in (*TECHNIQUES, UNLIMITED):
                if technique != ENSEMBLE:
                    found[run_name(technique, own)] = _training(settings, technique, own)
        return found

    def findings(self, profile: str, learners: Mapping[int, Mapping[str, Learner]], workload: Workload) -> Findings:
        settings = PROFILES[profile]
        scores = measure(settings, learners, workload)
        claims = decide_claims(settings, scores)
        return Findings(
            title="Do the techniques of deep learning work one level up?",
            asked="Augmentation, mining of hard examples, weight averaging and ensembles make networks better that are trained on few"
            " samples. If the samples are tasks, and the network learns to learn from them, do they still?",
            found=_found(claims),
            sure=f"{count(scores.n_seeds, 'training seed')} of each technique, all paired with the baseline's on the same"
            f" {count(settings.n_tasks, 'new task')} a seed. One family, one model size, {settings.size} training tasks, and each"
            " technique with one setting, fixed beforehand; another number of training tasks may give another order.",
            claims=claims,
            results=scores.results(),
            sections=[_section(settings, scores)],
        )


def training_seeds(settings: Settings, seed: int) -> list[int]:
    """The training seeds that belong to one seed of the study."""
    return [settings.n_seeds * seed + k for k in range(settings.n_seeds)]


def run_name(technique: str, own: int, member: int = 0) -> str:
    """The name of a training among those of one seed of the study."""
    return f"{technique}, {own}" + (f", member {member}" if technique == BASELINE else "")


def family_of(settings: Settings) -> TaskFamily:
    """The tasks on which everything is tested. Turned, or with other names of classes, they are as likely."""
    return ClassPrototype(settings.n_features)


def source_of(settings: Settings, technique: str) -> TaskFamily:
    """Where a technique's training tasks come from."""
    family = family_of(settings)
    if technique == UNLIMITED:
        return family
    pool = Pool(family, settings.size)
    if technique == "rotated inputs":
        return Augmented(pool, rotate=True, permute_labels=False)
    if technique == "permuted labels":
        return Augmented(pool, rotate=False, permute_labels=True)
    if technique == "mixed families":
        others = [PairwiseMetric(settings.n_features), Amortization(settings.n_features)]
        return Mixture([pool, *(Pool(other, settings.size) for other in others)])
    return pool


def _training(settings: Settings, technique: str, own: int, member: int = 0) -> Training:
    """One training. Techniques start from the weights of the baseline's first member and see its random numbers."""
    seed = MEMBERS * own + member
    objective: Objective = HardestTasks(RandomSplit()) if technique == "hardest tasks" else RandomSplit()
    learner = InContextTransformer(
        settings.n_features,
        2,
        width=settings.width,
        blocks=[BlockConfig(heads=2, hidden=2 * settings.width, activation="relu")] * settings.depth,
        seed=seed,
    )
    config = TrainingConfig(
        steps=settings.steps,
        tasks_per_step=settings.tasks_per_step,
        n_points=settings.n_points,
        shards=1,
        seed=seed,
        averaging=0.99 if technique == "averaged weights" else 0.0,
    )
    return Training(f"{technique}, seed {seed}", learner, source_of(settings, technique), config, objective)


def measure(settings: Settings, learners: Mapping[int, Mapping[str, Learner]], workload: Workload) -> Scores:
    """Accuracy of every technique on new tasks of the family, the same for all techniques of a training seed."""
    family = family_of(settings)
    values: dict[str, list[np.ndarray]] = {}
    for seed, named in sorted(learners.items()):
        for own in training_seeds(settings, seed):
            members = [named[run_name(BASELINE, own, m)] for m in range(MEMBERS)]
            arms: dict[str, Learner] = {BASELINE: members[0], ENSEMBLE: Ensemble(members)}
            arms |= {t: named[run_name(t, own)] for t in (*TECHNIQUES, UNLIMITED) if t != ENSEMBLE}
            tasks = family.sample(settings.n_tasks, settings.n_points, generator=generator_for(own, Stream.TEST))
            for name, learner in arms.items():
                scored = score_prefixes(learner, tasks, threads=workload.threads)
                values.setdefault(name, []).append(scored)
    stacked = {(LEARNER, name, family.name): np.stack(v) for name, v in values.items()}
    return Scores(stacked, len(values[BASELINE]))


def _accuracy(settings: Settings, scores: Scores, technique: str) -> np.ndarray:
    return scores.per_task(LEARNER, technique, family_of(settings).name)


def decide_claims(settings: Settings, scores: Scores) -> list[Claim]:
    """One claim a technique, decided together."""
    baseline = _accuracy(settings, scores, BASELINE)
    return [
        decide(
            technique.replace(" ", "-"),
            f"{words}: better on new tasks than training without",
            "accuracy with minus without, percentage points, mean over n >= 1, paired over tasks",
            _accuracy(settings, scores, technique) - baseline,
            together=len(TECHNIQUES),
            group="techniques",
        )
        for technique, words in TECHNIQUES.items()
    ]


def _found(claims: list[Claim]) -> str:
    by_verdict = {
        verdict: [c.id.replace("-", " ") for c in claims if c.verdict == verdict]
        for verdict in ("holds", "fails", "undecided")
    }
    words = {"holds": "Better with", "fails": "Worse with", "undecided": "Undecided for"}
    return " ".join(f"{words[verdict]} {', '.join(names)}." for verdict, names in by_verdict.items() if names)


def _section(settings: Settings, scores: Scores) -> Section:
    baseline = _accuracy(settings, scores, BASELINE)
    rows, shown = [], {}
    for technique in (BASELINE, *TECHNIQUES, UNLIMITED):
        accuracy = _accuracy(settings, scores, technique)
        whole, gain = mean_interval(accuracy), mean_interval(accuracy - baseline)
        cells = [f"{whole.value:.2f} [{whole.low:.2f}, {whole.high:.2f}]"]
        if technique == BASELINE:
            cells.append("")
        else:
            shown[technique] = gain
            cells.append(f"{gain.value:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}]")
        rows.append([technique, *cells])
    figure, axes = new_figure(1, 1, width=7.0, height=3.2)
    axis = axes[0][0]
    places = np.arange(len(shown))[::-1]
    for place, (technique, gain) in zip(places, shown.items(), strict=True):
        colour = "#999999" if technique == UNLIMITED else "#0072B2"
        axis.plot([gain.low, gain.high], [place, place], color=colour, linewidth=1.6)
        axis.plot(gain.value, place, "o", color=colour)
    axis.axvline(0, color="#000000", linewidth=0.8)
    axis.set_yticks(places, list(shown))
    axis.set_xlabel("accuracy on new tasks, with minus without (percentage points)")
    return Section(
        "One setting, one technique at a time",
        [
            f"The learner, a set transformer, is trained on {settings.size} class-prototype tasks (d = {settings.n_features},"
            f" N = {settings.n_points}, fresh points at every step) and tested on new tasks. Turned tasks, and tasks with other"
            " names of classes, are as likely under the family, so both kinds of augmentation make training tasks that could"
            f' have been drawn. "{UNLIMITED}" draws new training tasks at every step: what more tasks would be worth.',
        ],
        [
            Figure(
                "techniques",
                figure,
                "What each technique adds on new tasks, with 95 % intervals over training seeds.",
                "A dot with its interval for each technique; the table below has the numbers.",
            )
        ],
        [
            Table(
                "Accuracy in % on new tasks, mean over n >= 1, and the paired difference, with 95 % intervals over training seeds",
                ["technique", "accuracy", "difference from none"],
                rows,
            )
        ],
    )


STUDY = Techniques()
