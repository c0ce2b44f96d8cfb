"""What is measured of each learner on the tasks of a family: accuracy, and how far its context lets one trust it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ctxlearn.baselines.selection import leave_one_out
from ctxlearn.episodes import Tasks
from ctxlearn.evaluation.curves import score_output
from ctxlearn.learners import Learner
from ctxlearn.references import BayesOptimal, TrainedGate, fit_gate
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.tasks import TaskFamily

Options = Mapping[str, Any]
"""n_tasks, lengths (of contexts), n_queries and seed."""


def tasks_of(family: TaskFamily, options: Options) -> Tasks:
    """The test tasks: the longest context, then twice n_queries queries, half to choose a learner by, half to score it on."""
    n_points = max(options["lengths"]) + 2 * options["n_queries"]
    return family.sample(options["n_tasks"], n_points, generator=generator_for(options["seed"], Stream.TEST))


def at_lengths(tasks: Tasks, options: Options, what: Callable[[Tensor, Tensor, Tensor], Tensor]) -> np.ndarray:
    """`what` of a context's x and y and the queries' x, for each context length: (T, L, ...)."""
    queries = tasks.x[:, -2 * options["n_queries"] :]
    with torch.no_grad():
        found = [what(tasks.x[:, :n], tasks.y[:, :n], queries) for n in options["lengths"]]
    return np.asarray(torch.stack(found, dim=1).double().numpy())


def halves(right: np.ndarray, options: Options) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the first and over the second half of the queries of (T, L, 2 Q): (T, L) each."""
    n = int(options["n_queries"])
    return right[..., :n].mean(-1), right[..., n:].mean(-1)


def candidate(learner: Learner, family: TaskFamily, options: Options) -> dict[str, np.ndarray]:
    """Measures "by" and "on", accuracy on two halves of the queries, and "loo", leave-one-out log-likelihood, (T, L) each."""
    learner.eval()
    tasks = tasks_of(family, options)
    y = tasks.y[:, -2 * options["n_queries"] :]
    by, on = halves(at_lengths(tasks, options, lambda *given: score_output(learner(*given), y, 2)), options)
    trust = at_lengths(tasks, options, lambda x, known, _: -leave_one_out(learner, x, known).sum(1))
    return {"by": by, "on": on, "loo": trust}


def evidence(family: TaskFamily, place: TaskFamily, first: int, options: Options) -> dict[str, np.ndarray]:
    """Measures "evidence": log-evidence of each context under `family`, for the first tasks of `place`, (T, L)."""
    tasks = tasks_of(place, options).tasks(torch.arange(first))
    n = max(options["lengths"])
    found = BayesOptimal(family).log_evidence_prefixes(tasks.x[:, :n], tasks.y[:, :n])
    return {"evidence": np.asarray(found[:, list(options["lengths"])].numpy())}


def gates(
    learners: Mapping[str, Learner],
    source: TaskFamily,
    places: Mapping[str, TaskFamily],
    options: Options,
    training: Options,
    seed: int,
) -> dict[str, np.ndarray]:
    """Measures for each place "soft", "hard" and "any" (accuracy of the best answer to each query), (T, L) each."""
    soft = fit_gate(learners, source, **training, seed=seed)
    found = {}
    for place, family in places.items():
        tasks = tasks_of(family, options)
        y = tasks.y[:, -2 * options["n_queries"] :]
        right = at_lengths(tasks, options, lambda *given, y=y: _gate_scores(soft, y, *given))
        for i, name in enumerate(("soft", "hard", "any")):
            found[f"{name} {place}"] = halves(right[:, :, i], options)[1]
    return found


def _gate_scores(gate: TrainedGate, y: Tensor, x: Tensor, known: Tensor, queries: Tensor) -> Tensor:
    """Scores of the soft gate, of the hard one and of the best answer, (T, 3, 2 Q)."""
    state = gate.adapt(x, known)
    answers = torch.stack(gate.answers("predict", state.states, queries))
    gate.hard = False
    soft = gate.predict(state, queries)
    gate.hard = True
    hard = gate.predict(state, queries)
    gate.hard = False
    best = torch.stack([score_output(answer, y, 2) for answer in answers]).amax(0)
    return torch.stack([score_output(soft, y, 2), score_output(hard, y, 2), best], dim=1)


def chosen(by: Sequence[np.ndarray], values: Sequence[np.ndarray]) -> np.ndarray:
    """Per task and length the value of the candidate whose `by` is largest (the first of equals): arrays (..., T, L)."""
    best = np.stack(by).argmax(0)
    picked: np.ndarray = np.take_along_axis(np.stack(values), best[None], 0)[0]
    return picked
