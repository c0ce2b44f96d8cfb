"""Accuracy of the Bayes-optimal predictors and of simple rules under them, at some context lengths, with standard errors.

    python -m benchmarks.bayes_table              # 2,000 tasks a family, about a minute on 2 cores
    python -m benchmarks.bayes_table --tasks 10000   # the size at which a gain over an exact oracle would be news
    python -m benchmarks.bayes_table --tasks 10000 --runs results/selection-quick/runs   # and the learners trained there

Also: the ceiling of the mixture of the three training families, the largest standardised gain of any rule over the
oracle (above 3 would refute that it is one), and the time and memory that each oracle took.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import numpy as np
import torch

from ctxlearn.evaluation import score_prefixes
from ctxlearn.lab import Store
from ctxlearn.learners import Learner, MatchNet, ProtoNet
from ctxlearn.references import BayesOptimal, LogisticRegression, MeanThreshold, NearestNeighbor
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies import optimal
from ctxlearn.tasks import Amortization, ClassPrototype, Mixture, PairwiseMetric, Radial, TaskFamily

LENGTHS = [0, 1, 2, 4, 8, 16, 32, 49]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=2000, help="tasks a family")
    parser.add_argument("--particles", type=int, default=2000, help="tasks where the predictor samples")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=Path, help="folder of runs of the study selection, profile quick")
    options = parser.parse_args()
    trained = {} if options.runs is None else trained_learners(options.runs)
    training: list[TaskFamily] = [ClassPrototype(), PairwiseMetric(), Amortization()]
    mixture = BayesOptimal(Mixture(training))
    print(f"{'accuracy in % (standard error)':44}" + "".join(f"{f'n = {n}':>12}" for n in LENGTHS) + "   n = 1..49")
    for family in [*training, Radial()]:
        sampled = isinstance(family, ClassPrototype)
        tasks = family.sample(
            options.particles if sampled else options.tasks, 50, generator=generator_for(options.seed, Stream.TEST)
        )
        start = time.perf_counter(), time.process_time()
        oracle = BayesOptimal(family)
        best = score_prefixes(oracle, tasks)
        took = time.perf_counter() - start[0], time.process_time() - start[1]
        row(f"{family.name}: Bayes", best)
        rules: dict[str, Learner] = {
            "1-NN": NearestNeighbor(2),
            "ProtoNet, identity embedding": ProtoNet(2, 2, encoder="identity"),
            "summed cosine": MatchNet(2, 2, encoder="identity", attention="sum"),
            "logistic regression": LogisticRegression(2),
        }
        if isinstance(family, Amortization):
            rules["threshold at sum u / (n + 2)"] = MeanThreshold(2)
        rules |= trained
        gains = {}
        for name, rule in rules.items():
            scores = score_prefixes(rule, tasks)
            row(f"... {name}", scores)
            gains[name] = standardised(scores - best)
        if not isinstance(family, Radial):
            few = tasks.tasks(torch.arange(min(options.particles, tasks.n_tasks)))
            scores = score_prefixes(mixture, few)
            row("... Bayes of the mixture", scores)
            gains["Bayes of the mixture"] = standardised(scores - best[: len(scores)])
        name = max(gains, key=lambda key: gains[key])
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(
            f"    largest gain over the oracle, in standard errors: {gains[name]:.2f} ({name})."
            f" {tasks.n_tasks} tasks: {took[0]:.1f} s, {took[1]:.1f} s of processor time; at most {memory} MB so far",
            flush=True,
        )


def trained_learners(folder: Path) -> dict[str, Learner]:
    """What the study optimal trained in its quick profile, first seed, as far as it is there."""
    store = Store(folder)
    found = {" on ".join(key): t.hash for key, t in optimal.trainings(optimal.PROFILES["quick"], 0).items()}
    return {name: store.load_run({"run": run}) for name, run in found.items() if store.run_path(run).is_dir()}


def row(name: str, scores: np.ndarray) -> None:
    """One line of the table."""
    mean, error = 100 * scores.mean(0), 100 * scores.std(0) / len(scores) ** 0.5
    cells = "".join(f"{f'{mean[n]:.1f} ({error[n]:.1f})':>12}" for n in LENGTHS)
    over = 100 * scores[:, 1:].mean(1)
    print(f"{name:44}{cells}{f'{over.mean():.2f} ({over.std() / len(over) ** 0.5:.2f})':>15}", flush=True)


def standardised(gain: np.ndarray) -> float:
    """The largest mean gain in standard errors over context lengths 1..49; paired on the tasks."""
    error = gain[:, 1:].std(0) / len(gain) ** 0.5
    return float(np.max(gain[:, 1:].mean(0) / np.maximum(error, 1e-9)))


if __name__ == "__main__":
    main()
