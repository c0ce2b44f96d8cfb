"""The strongest selector here: a transformer that is trained to say which of several frozen learners to trust, query by query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ctxlearn.learners import BlockConfig, Committee, InContextTransformer, Learner
from ctxlearn.learners.base import State
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.tasks import TaskFamily

LARGEST_ODDS = 6.0
"""Log-odds beyond this are no surer."""
CHUNK = 128
"""Tasks whose answers are computed at once."""


class Gated(NamedTuple):
    """What the learners and the gate made of the context."""

    states: list[State]
    gate: State


class TrainedGate(Committee):
    """Learners of two classes, weighted for each query by a causal transformer.

    The gate reads every point with its label and with what each learner answered for it from the points before it, and
    reads of a query its x and the learners' answers. So it can see which learners have been right so far, and where.

    Args:
        learners: two or more, whose weights are not trained here.
        hard: ask the learner of the largest weight alone, in place of mixing the probabilities.
        width: of the gate.
        depth: its blocks.
        seed: of its initial weights.
    """

    def __init__(
        self, learners: list[Learner], hard: bool = False, width: int = 32, depth: int = 2, seed: int = 0
    ) -> None:
        super().__init__(learners)
        self.learners.requires_grad_(False)
        self.hard = hard
        blocks = [BlockConfig(heads=2, hidden=2 * width, activation="relu")] * depth
        self.gate = InContextTransformer(
            2 + len(learners), len(learners), width=width, blocks=blocks, mask="causal", seed=seed
        )

    def adapt(self, context_x: Tensor, context_y: Tensor) -> Gated:
        x, y = self.check_context(context_x, context_y)
        known = self.log_p_prefixes(x, y) if x.shape[1] else x.new_zeros(len(x), 0, len(self.members), 2)
        return Gated([member.adapt(x, y) for member in self.members], self.gate.adapt(read(x, known), y))

    def predict(self, state: Gated, query_x: Tensor) -> Tensor:
        log_p = torch.stack(self.answers("predict", state.states, query_x), dim=2).log_softmax(-1)
        return self.mix(self.gate.predict(state.gate, read(query_x, log_p)), log_p)

    def predict_prefixes(self, x: Tensor, y: Tensor) -> Tensor:
        x, y = self.check_context(x, y, names=("x", "y"))
        log_p = self.log_p_prefixes(x, y)
        return self.mix(self.gate.predict_prefixes(read(x, log_p), y), log_p)

    def log_p_prefixes(self, x: Tensor, y: Tensor) -> Tensor:
        """The learners' log-probabilities of each point from those before it, (B, N, M, 2)."""
        return torch.stack([member.predict_prefixes(x, y) for member in self.members], dim=2).log_softmax(-1)

    def mix(self, scores: Tensor, log_p: Tensor) -> Tensor:
        """Scores of the learners (B, q, M) and their log-probabilities (B, q, M, 2) as one log-probability (B, q, 2)."""
        if self.hard:
            best = scores.argmax(-1)[..., None, None].expand(*log_p.shape[:2], 1, 2)
            return log_p.gather(2, best)[:, :, 0]
        return (scores.log_softmax(-1)[..., None] + log_p).logsumexp(2)


def read(x: Tensor, log_p: Tensor) -> Tensor:
    """Points (B, n, 2) and the learners' answers (B, n, M, 2) as the gate's inputs (B, n, 2 + M)."""
    odds = (log_p[..., 1] - log_p[..., 0]).clamp(-LARGEST_ODDS, LARGEST_ODDS)
    return torch.cat([x, odds / LARGEST_ODDS], dim=-1)


def fit_gate(learners: Mapping[str, Learner], family: TaskFamily, options: Mapping[str, Any], seed: int) -> TrainedGate:
    """A soft gate over frozen learners, trained on tasks of a family by the log-loss of its mixture.

    Args:
        learners: by name.
        family: where the training tasks come from.
        options: n_tasks, n_points, steps, tasks_per_step and learning_rate.
        seed: of the tasks and the gate.
    """
    gate = TrainedGate(list(learners.values()), seed=seed).eval()
    generator = generator_for(seed, Stream.TRAINING)
    tasks = family.sample(int(options["n_tasks"]), int(options["n_points"]), generator=generator)
    with torch.no_grad():
        parts = zip(torch.split(tasks.x, CHUNK), torch.split(tasks.y, CHUNK), strict=True)
        log_p = torch.cat([gate.log_p_prefixes(x, y) for x, y in parts])
    features = read(tasks.x, log_p)
    steps, size = int(options["steps"]), int(options["tasks_per_step"])
    optimizer = torch.optim.Adam(gate.gate.parameters(), float(options["learning_rate"]))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    for _ in range(steps):
        rows = torch.randint(len(tasks), (size,), generator=generator)
        mixed = gate.mix(gate.gate.predict_prefixes(features[rows], tasks.y[rows]), log_p[rows])
        loss = -mixed.gather(2, tasks.y[rows][..., None]).mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
    return gate
