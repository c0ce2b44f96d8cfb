"""What labels of a table may depend on: functions of the inputs, and ways in which inputs and label come about together.

A mechanism has two functions. `sample` draws the latents of B tasks from {"used": which columns there are, "relevant":
which of these matter, (B, d) float of zeros and ones} and the sizes d and s. `draw` gives points: inputs (B, n, d) and s scores
(B, n, s): for classification the class with the largest one is the label; for regression the first is it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ctxlearn.tasks.base import normal
from ctxlearn.tasks.tabular.sampling import chance, choice, integers, log_uniform, uniform

HIDDEN = 16
TREES, DEPTH = 6, 4
PROTOTYPES = 16


class Mechanism(NamedTuple):
    """A function of the inputs: its latents, and the scores (B, n, s) of inputs (B, n, d)."""

    sample: Callable[[Tensor, Tensor, int, torch.Generator], dict[str, Tensor]]
    scores: Callable[[dict[str, Tensor], Tensor], Tensor]


def _weights(relevant: Tensor, n_outputs: int, generator: torch.Generator) -> Tensor:
    """Weights (B, d, n_outputs) of the columns that matter, some more than others, for scores of variance about one."""
    n_tasks, d = relevant.shape
    importance = relevant * (log_uniform((n_tasks, 1), 0.05, 1.5, generator) * normal((n_tasks, d), generator)).exp()
    importance = importance / importance.square().sum(1, keepdim=True).clamp(min=1e-6).sqrt()
    return importance[..., None] * normal((n_tasks, d, n_outputs), generator)


def _sample_linear(used: Tensor, relevant: Tensor, n_scores: int, generator: torch.Generator) -> dict[str, Tensor]:
    return {"weights": _weights(relevant, n_scores, generator)}


def _linear(p: dict[str, Tensor], x: Tensor) -> Tensor:
    return x @ p["weights"]


def activate(z: Tensor, kind: Tensor) -> Tensor:
    """One of six activations for each task: `kind` (B,) int64."""
    kind = kind[:, None, None]
    out = torch.where(kind == 0, z.tanh(), z.relu())
    out = torch.where(kind == 2, (2 * z).sin(), out)
    out = torch.where(kind == 3, z.sign(), out)
    out = torch.where(kind == 4, (-z.square()).exp(), out)
    return torch.where(kind == 5, z, out)


def _sample_neural(used: Tensor, relevant: Tensor, n_scores: int, generator: torch.Generator) -> dict[str, Tensor]:
    n_tasks = len(relevant)
    few = integers((n_tasks, 1, 1), 1, HIDDEN, generator)
    active = (torch.arange(HIDDEN, device=generator.device) < few).float()
    return {
        "first": _weights(relevant, HIDDEN, generator) * log_uniform((n_tasks, 1, 1), 0.5, 3.0, generator),
        "first_bias": normal((n_tasks, 1, HIDDEN), generator),
        "second": active.mT * normal((n_tasks, HIDDEN, HIDDEN), generator) / few.sqrt(),
        "deep": chance((n_tasks, 1, 1), 0.4, generator).float(),
        "last": active.mT * normal((n_tasks, HIDDEN, n_scores), generator) / few.sqrt(),
        "kind": integers((n_tasks,), 0, 4, generator),
    }


def _neural(p: dict[str, Tensor], x: Tensor) -> Tensor:
    hidden = activate(x @ p["first"] + p["first_bias"], p["kind"])
    deeper = activate(2 * hidden @ p["second"] + p["first_bias"], p["kind"])
    return torch.where(p["deep"] > 0, deeper, hidden) @ p["last"]


def _sample_trees(used: Tensor, relevant: Tensor, n_scores: int, generator: torch.Generator) -> dict[str, Tensor]:
    n_tasks = len(relevant)
    nodes = TREES * (2**DEPTH - 1)
    columns = torch.multinomial(relevant + 1e-9, nodes, replacement=True, generator=generator)
    # a tree that ends early has the same value in all leaves under a node
    leaves = normal((n_tasks, TREES, 2**DEPTH, n_scores), generator)
    depth = integers((n_tasks, 1, 1, 1), 1, DEPTH, generator)
    place = torch.arange(2**DEPTH, device=generator.device)[:, None]
    first = (place // 2 ** (DEPTH - depth)) * 2 ** (DEPTH - depth)
    leaves = leaves.gather(2, first.expand_as(leaves))
    trees = torch.arange(TREES, device=generator.device) < choice((n_tasks, 1), [3, 2, 1, 1, 1, 1], generator) + 1
    return {
        "columns": columns.view(n_tasks, TREES, -1),
        "thresholds": uniform((n_tasks, 1, 1), 0.2, 1.0, generator) * normal((n_tasks, TREES, 2**DEPTH - 1), generator),
        "leaves": leaves * trees[:, :, None, None],
    }


def _trees(p: dict[str, Tensor], x: Tensor) -> Tensor:
    scores = x.new_zeros(*x.shape[:2], p["leaves"].shape[-1])
    for k in range(TREES):
        columns, thresholds, leaves = p["columns"][:, k], p["thresholds"][:, k], p["leaves"][:, k]
        node = torch.zeros(x.shape[:2], dtype=torch.int64, device=x.device)
        for _ in range(DEPTH):
            seen = x.gather(2, columns.gather(1, node)[..., None])[..., 0]
            node = 2 * node + 1 + (seen > thresholds.gather(1, node)).long()
        leaf = node - (2**DEPTH - 1)
        scores = scores + leaves.gather(1, leaf[..., None].expand_as(scores))
    return scores


def _sample_prototypes(used: Tensor, relevant: Tensor, n_scores: int, generator: torch.Generator) -> dict[str, Tensor]:
    n_tasks, d = relevant.shape
    values = normal((n_tasks, PROTOTYPES, n_scores), generator)
    nearest = torch.arange(PROTOTYPES, device=generator.device) % n_scores
    own = 3 * (nearest[:, None] == torch.arange(n_scores, device=generator.device)).float()
    of_classes = 0.7 if n_scores > 1 else 0.0
    few = integers((n_tasks, 1, 1), min(n_scores, PROTOTYPES // 2), PROTOTYPES, generator)
    absent = torch.arange(PROTOTYPES, device=generator.device) >= few
    return {
        "weights": _weights(relevant, 1, generator)[..., 0].abs(),
        "prototypes": normal((n_tasks, PROTOTYPES, d), generator),
        "values": torch.where(chance((n_tasks, 1, 1), of_classes, generator), own, values),
        "absent": absent.float() * 1e4,
        "sharpness": log_uniform((n_tasks, 1, 1), 0.5, 20.0, generator),
    }


def _prototypes(p: dict[str, Tensor], x: Tensor) -> Tensor:
    """Values of the prototypes, mixed by nearness: of the nearest alone where it is sharp."""
    root = p["weights"][:, None, :]
    x, prototypes = x * root, p["prototypes"] * root
    distance = x.square().sum(-1, keepdim=True) - 2 * x @ prototypes.mT + prototypes.square().sum(-1)[:, None, :]
    return (-p["sharpness"] * distance - p["absent"]).softmax(-1) @ p["values"]


MECHANISMS = {
    "linear": Mechanism(_sample_linear, _linear),
    "trees": Mechanism(_sample_trees, _trees),
    "neural": Mechanism(_sample_neural, _neural),
    "prototypes": Mechanism(_sample_prototypes, _prototypes),
}
