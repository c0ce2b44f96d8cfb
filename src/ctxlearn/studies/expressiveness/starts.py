"""What a construction is worth as a start: trainings that begin at a learner written by hand, or at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ctxlearn.evaluation.curves import score_prefixes
from ctxlearn.expressiveness import construct
from ctxlearn.learners import InContextTransformer, Learner, ProtoNet
from ctxlearn.references import BayesOptimal
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies.arms import BAYES_MIXTURE, icl_learner, mixture
from ctxlearn.studies.base import Workload
from ctxlearn.studies.claims import Claim, decide
from ctxlearn.studies.store import Training
from ctxlearn.training import TrainingConfig

CONSTRUCTED, RANDOM, STANDARD = "starts as ProtoNet", "starts at random", "standard model"
ARMS = (CONSTRUCTED, RANDOM, STANDARD)


class StartsAsProtoNet(InContextTransformer):
    """A transformer whose initial weights are the construction of ProtoNet on the inputs themselves.

    Untrained it is the nearest-class-mean rule, up to rounding. It is rebuilt from its arguments alone, so a run can
    name it; a trained one is an `InContextTransformer` like any other.

    Args:
        n_features: an int d or the shape of one input.
        n_classes: C >= 2.
        width: of the stream; what the construction does not need is spare.
        hidden: hidden units of each block, likewise.
        seed: of the spare weights.

    Raises:
        ValueError: a width or number of hidden units that is too small.
    """

    def __init__(
        self, n_features: int | tuple[int, ...], n_classes: int, width: int = 64, hidden: int = 128, seed: int = 0
    ) -> None:
        rule = ProtoNet(n_features, n_classes, encoder="identity")
        built = construct(rule, width=width, hidden=hidden, seed=seed).float()
        super().__init__(
            n_features,
            n_classes,
            width=width,
            encoder="identity",
            blocks=built.block_configs,
            mask=built.mask,
            readout=built.readout,
            seed=seed,
        )
        self.load_state_dict(built.state_dict())


def starting_points(seed: int) -> dict[str, InContextTransformer]:
    """The three arms before any training: the construction, the same architecture at random, and the standard model."""
    built = StartsAsProtoNet(2, 2, seed=seed)
    fresh = InContextTransformer(
        2, 2, width=built.width, encoder="identity", blocks=built.block_configs, mask=built.mask, seed=seed
    )
    return {CONSTRUCTED: built, RANDOM: fresh, STANDARD: icl_learner(seed)}


def start_trainings(configs: Mapping[int, TrainingConfig], last: Training, seed: int) -> dict[str, Training]:
    """Every arm on the mixture for several numbers of steps, each a training of its own with its own schedule.

    Args:
        configs: by number of steps.
        last: the standard model's longest training, which other studies have too.
        seed: of the weights.
    """
    found = {}
    for steps, config in configs.items():
        for name, learner in starting_points(seed).items():
            title = f"{name}, {steps} steps"
            shared = name == STANDARD and steps == last.config.steps
            found[title] = last if shared else Training(f"{title}, seed {seed}", learner, mixture(), config)
    return found


@dataclass(frozen=True)
class Starts:
    """What was measured.

    Attributes:
        accuracy: per arm and number of steps, 0 included: (S, T) in %, mean over n >= 1, on tasks of the mixture.
        best: (S, T') of the Bayes predictor of the mixture, on the first tasks of the same.
        steps: numbers of steps, 0 first.
    """

    accuracy: dict[tuple[str, int], np.ndarray]
    best: np.ndarray
    steps: Sequence[int]


def measure_starts(
    steps: Sequence[int],
    learners: Mapping[int, Mapping[str, Learner]],
    *,
    n_tasks: int,
    bayes_tasks: int,
    n_points: int,
    workload: Workload,
) -> Starts:
    """Every arm after every number of steps, on the same new tasks of the mixture; other tasks each seed."""
    parts: dict[tuple[str, int], list[np.ndarray]] = {}
    best = []
    for seed, named in learners.items():
        tasks = mixture().sample(n_tasks, n_points, generator=generator_for(seed, Stream.TEST, 1))
        for arm, fresh in starting_points(seed).items():
            for number in (0, *steps):
                learner = named[f"{arm}, {number} steps"] if number else fresh
                scored = score_prefixes(
                    learner,
                    tasks,
                    name=f"{arm}, {number} steps",
                    threads=workload.threads,
                    progress=workload.progress,
                )
                parts.setdefault((arm, number), []).append(100 * scored[:, 1:].mean(1))
        few = tasks.tasks(torch.arange(min(bayes_tasks, n_tasks)))
        scored = score_prefixes(
            BayesOptimal(mixture()), few, name=BAYES_MIXTURE, threads=workload.threads, progress=workload.progress
        )
        best.append(100 * scored[:, 1:].mean(1))
    return Starts({key: np.stack(part) for key, part in parts.items()}, np.stack(best), (0, *steps))


def decide_starts(starts: Starts) -> list[Claim]:
    """Is the construction a better start than random weights, and as good as the standard model?"""
    budgets = starts.steps[1:]
    unit = "points of accuracy, mean over n >= 1, same tasks of the mixture"
    claims = [
        decide(
            f"construction-beats-random-start-{number}-steps",
            f"Trained on the mixture for {number:,} steps, the transformer that starts as ProtoNet is better than the same one"
            " started at random",
            f"started as ProtoNet minus started at random, {unit}",
            starts.accuracy[CONSTRUCTED, number] - starts.accuracy[RANDOM, number],
            together=len(budgets),
            group="starts",
        )
        for number in budgets
    ]
    last = budgets[-1]
    claims.append(
        decide(
            "construction-at-least-standard",
            f"Trained on the mixture for {last:,} steps, the transformer that starts as ProtoNet is at least as good as the"
            " standard model",
            f"started as ProtoNet minus standard model, {unit}",
            starts.accuracy[CONSTRUCTED, last] - starts.accuracy[STANDARD, last],
            group="starts-standard",
        )
    )
    return claims
