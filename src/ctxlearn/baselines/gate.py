"""A trained selector: a transformer that says which of several frozen learners to trust, query by query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ctxlearn.checks import check_float, check_int, describe
from ctxlearn.learners.base import Learner, State
from ctxlearn.learners.blocks import BlockConfig
from ctxlearn.learners.transformer import InContextTransformer
from ctxlearn.learners.wrapper import Committee
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.tasks.base import TaskFamily

LEAST = -6.0
"""Log-probabilities below this tell the gate no more."""
CHUNK = 128
"""Tasks whose answers are computed at once."""


class Gated(NamedTuple):
    """What the learners and the gate made of the context."""

    states: list[State]
    gate: State


class TrainedGate(Committee):
    """Learners weighted, for each query, by a causal transformer that is trained to.

    The gate reads each point with its label and with what every learner answered for it from the points before it; of a
    query it reads x and the learners' answers. So it sees which learners have been right so far, and where. `fit_gate` trains it.

    Args:
        learners: two or more classifiers of flat inputs, in a mapping by name or in a list; their weights are frozen.
        hard: ask the learner of the largest weight alone, in place of mixing the probabilities. This has no gradient: train a
            soft gate and set its attribute `hard`.
        width: of the gate.
        depth: its blocks.
        seed: of its initial weights.

    Raises:
        ValueError: learners that do not fit together, of regression, or whose number of features is not one number.
    """

    def __init__(
        self,
        learners: Mapping[str, Learner] | Sequence[Learner],
        hard: bool = False,
        width: int = 32,
        depth: int = 2,
        seed: int = 0,
    ) -> None:
        members = list(learners.values() if isinstance(learners, Mapping) else learners)
        super().__init__(members)
        if self.n_classes is None or not isinstance(self.n_features, int):
            raise ValueError(
                f"learners: expected classifiers whose n_features is one number, got {describe(members[0])} with"
                f" n_features = {self.n_features} and n_classes = {self.n_classes}"
            )
        self.accepts_missing = False
        self.hard = hard
        self.learners.requires_grad_(False)
        m = len(members)
        blocks = [BlockConfig(heads=2, hidden=2 * width, activation="relu")] * check_int("depth", depth, minimum=1)
        self.gate = InContextTransformer(
            self.n_features + m * self.n_classes,
            max(m, self.n_classes),
            width=width,
            blocks=blocks,
            mask="causal",
            seed=seed,
        ).requires_grad_(not hard)

    def adapt(self, context_x: Tensor, context_y: Tensor) -> Gated:
        x, y = self.check_context(context_x, context_y)
        states = [member.adapt(x, y) for member in self.members]
        known = self.log_p_prefixes(x, y) if x.shape[1] else x.new_zeros(len(x), 0, len(states), self.n_classes or 0)
        return Gated(states, self.gate.adapt(gate_inputs(x, known), y))

    def predict(self, state: Gated, query_x: Tensor) -> Tensor:
        query_x = self.check_query(query_x, n_tasks=state.gate.tokens.shape[0])
        log_p = torch.stack(self.answers("predict", state.states, query_x), dim=2).log_softmax(-1)
        return self.mix(self.gate.predict(state.gate, gate_inputs(query_x, log_p)), log_p)

    def predict_prefixes(self, x: Tensor, y: Tensor) -> Tensor:
        x, y = self.check_context(x, y, names=("x", "y"))
        log_p = self.log_p_prefixes(x, y)
        return self.mix(self.gate.predict_prefixes(gate_inputs(x, log_p), y), log_p)

    def log_p_prefixes(self, x: Tensor, y: Tensor) -> Tensor:
        """The learners' log-probabilities of each point from those before it, (B, N, M, C)."""
        return torch.stack([member.predict_prefixes(x, y) for member in self.members], dim=2).log_softmax(-1)

    def mix(self, scores: Tensor, log_p: Tensor) -> Tensor:
        """The gate's scores (B, q, M or more) and the learners' log-probabilities (B, q, M, C) as one of (B, q, C)."""
        scores = scores[..., : log_p.shape[2]]
        if self.hard:
            best = scores.argmax(-1)[..., None, None].expand(*log_p.shape[:2], 1, log_p.shape[3])
            return log_p.gather(2, best)[:, :, 0]
        return (scores.log_softmax(-1)[..., None] + log_p).logsumexp(2)


def gate_inputs(x: Tensor, log_p: Tensor) -> Tensor:
    """Points (B, n, d) and the learners' log-probabilities (B, n, M, C) as what the gate reads, (B, n, d + M C)."""
    return torch.cat([x, 1 - log_p.clamp(min=LEAST).flatten(2) / LEAST], dim=-1)


def fit_gate(
    learners: Mapping[str, Learner] | Sequence[Learner],
    family: TaskFamily,
    *,
    n_tasks: int = 4096,
    n_points: int = 32,
    steps: int = 1000,
    tasks_per_step: int = 64,
    learning_rate: float = 3e-3,
    seed: int = 0,
) -> TrainedGate:
    """A soft gate over frozen learners, trained on tasks of a family by the log-loss of its mixture.

    The learners answer once for all training tasks, so a step costs the gate alone. Adam, its rate falling to zero.

    Args:
        learners: as for `TrainedGate`; they are put in evaluation mode.
        family: where the training tasks come from.
        n_tasks: distinct training tasks.
        n_points: N points per task; every prefix of them is a context.
        steps: optimiser steps.
        tasks_per_step: tasks per step, drawn with replacement.
        learning_rate: Adam's, in the first step.
        seed: of the tasks and of the gate.

    Raises:
        ValueError: learners as for `TrainedGate`; sizes below 1.
    """
    check_int("steps", steps, minimum=1)
    check_int("tasks_per_step", tasks_per_step, minimum=1)
    check_float("learning_rate", learning_rate, above=0)
    gate = TrainedGate(learners, seed=seed).eval()
    generator = generator_for(seed, Stream.TRAINING)
    tasks = family.sample(n_tasks, n_points, generator=generator)
    with torch.no_grad():
        parts = zip(torch.split(tasks.x, CHUNK), torch.split(tasks.y, CHUNK), strict=True)
        log_p = torch.cat([gate.log_p_prefixes(x, y) for x, y in parts])
    inputs = gate_inputs(tasks.x, log_p)
    optimizer = torch.optim.Adam(gate.gate.parameters(), learning_rate)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * (1 - step / steps)
        rows = torch.randint(n_tasks, (tasks_per_step,), generator=generator)
        mixed = gate.mix(gate.gate.predict_prefixes(inputs[rows], tasks.y[rows]), log_p[rows])
        optimizer.zero_grad()
        torch.autograd.backward(gate.loss(mixed, tasks.y[rows]))
        optimizer.step()
    return gate
