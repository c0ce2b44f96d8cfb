"""Tables whose inputs and label come about together: clusters of each class, and graphs of causes."""

from __future__ import annotations

import torch
from torch import Tensor

from ctxlearn.tasks.base import normal
from ctxlearn.tasks.tabular.inputs import draw_noise
from ctxlearn.tasks.tabular.mechanisms import activate
from ctxlearn.tasks.tabular.sampling import chance, integers, log_uniform, uniform

LAYERS, NODES = 3, 9
CERTAIN = 20.0
"""Score of the class that a point was drawn from."""


def sample_clusters(
    relevant: Tensor, loadings: Tensor, n_classes: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """Two Gaussian clusters a class, often the same one; one covariance for all classes, or one for each.

    Args:
        relevant: which columns the means differ in, (B, d).
        loadings: of the factors that the columns share, (B, f, d): means may differ along these.
        n_classes: C.
        generator: of the draws.
    """
    n_tasks, d = relevant.shape
    importance = relevant * (uniform((n_tasks, 1), 0.0, 1.2, generator) * normal((n_tasks, d), generator)).exp()
    means = normal((n_tasks, n_classes, d), generator)
    along = normal((n_tasks, n_classes, loadings.shape[1]), generator) @ loadings
    aligned = chance((n_tasks, 1, 1), 0.5, generator) * uniform((n_tasks, 1, 1), 0.0, 1.0, generator)
    means = (aligned.sqrt() * along + (1 - aligned).sqrt() * means) * importance[:, None, :]
    distance = log_uniform((n_tasks, 1, 1), 1.2, 10.0, generator)
    means = means * distance / (2 * importance.square().sum(1)[:, None, None]).sqrt()
    apart = chance((n_tasks, 1, 1), 0.25, generator) * uniform((n_tasks, 1, 1), 0.2, 1.0, generator)
    second = means.roll(1, 0) * apart  # of another task: as far apart as means are
    own = chance((n_tasks, 1, 1), 0.5, generator) * uniform((n_tasks, 1, 1), 0.1, 0.8, generator)
    scales = (own * (normal((n_tasks, n_classes, d), generator) + normal((n_tasks, n_classes, 1), generator))).exp()
    flipped = chance((n_tasks, n_classes, d), 0.5, generator) & chance((n_tasks, 1, 1), 0.25, generator)
    return {
        "means": torch.stack([means - second, means + second], dim=2).flatten(1, 2),
        "scales": torch.where(flipped, -scales, scales),
    }


def draw_clusters(
    parameters: dict[str, Tensor],
    inputs: dict[str, Tensor],
    log_shares: Tensor,
    n_points: int,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Inputs (B, n, d) and scores (B, n, C) of points whose class is drawn by the shares exp(log_shares), (B, C)."""
    label = torch.multinomial(log_shares.softmax(-1), n_points, replacement=True, generator=generator)
    noise = draw_noise(inputs, n_points, generator)
    scale = parameters["scales"].gather(1, label[..., None].expand_as(noise))
    cluster = 2 * label + chance(label.shape, 0.5, generator)
    x = parameters["means"].gather(1, cluster[..., None].expand_as(noise)) + scale * noise
    classes = torch.arange(log_shares.shape[1], device=label.device)
    return x, CERTAIN * (label[..., None] == classes).to(x.dtype)


def sample_graph(n_tasks: int, n_features: int, n_scores: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Layers of nodes, each an activation of a few of the layer before it, plus noise; columns and scores are nodes.

    So a column may be a cause of the label, an effect of it, or share a cause with it; direct causes and effects are
    more often among the columns than others. The first score is a node; the others are nodes too, and with the first sums of a few.
    """
    n_nodes = LAYERS * NODES
    parents = chance((n_tasks, LAYERS - 1, NODES, NODES), 2.5 / NODES, generator)
    weights = normal((n_tasks, LAYERS - 1, NODES, NODES), generator) * parents
    weights = weights / weights.square().sum(2, keepdim=True).clamp(min=0.25).sqrt()
    edges = torch.zeros(n_tasks, n_nodes, n_nodes, dtype=torch.bool, device=generator.device)
    for k in range(LAYERS - 1):
        edges[:, k * NODES : (k + 1) * NODES, (k + 1) * NODES : (k + 2) * NODES] = parents[:, k]
    target = integers((n_tasks, 1), NODES, n_nodes - 1, generator)
    place = target[..., None].expand(-1, n_nodes, 1)
    beside = edges.gather(2, place)[..., 0] | edges.mT.gather(2, place)[..., 0]
    rank = torch.rand((n_tasks, n_nodes), generator=generator, device=generator.device) - 0.5 * beside.float()
    order = rank.scatter(1, target, torch.inf).argsort(-1)  # the target last: it is no column
    nodes = torch.arange(n_nodes, device=generator.device)
    scored = torch.cat([target, integers((n_tasks, n_scores - 1), 0, n_nodes - 1, generator)], dim=1)
    own = (nodes[None, :, None] == scored[:, None, :]).float()
    more = normal(own.shape, generator) * chance(own.shape, 1.5 / n_nodes, generator)
    columns = torch.arange(n_features, device=generator.device) % (n_nodes - 1)
    quiet = log_uniform((n_tasks, 1, 1), 0.1, 1.0, generator)
    return {
        "weights": weights,
        "kinds": integers((n_tasks, LAYERS - 1), 0, 5, generator),
        "noise": quiet * log_uniform((n_tasks, LAYERS, NODES), 0.05, 1.0, generator),
        "columns": order[:, columns],
        "scores": own + more * chance((n_tasks, 1, 1), 0.5, generator),
    }


def draw_graph(parameters: dict[str, Tensor], n_points: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Inputs (B, n, d) and scores (B, n, s)."""
    n_tasks = len(parameters["weights"])
    noise = normal((n_tasks, n_points, LAYERS, NODES), generator)
    layers = [noise[:, :, 0]]
    for k in range(LAYERS - 1):
        caused = activate(1.5 * layers[-1] @ parameters["weights"][:, k], parameters["kinds"][:, k])
        layers.append(caused + noise[:, :, k + 1] * parameters["noise"][:, k + 1, None, :])
    nodes = torch.cat(layers, dim=-1)
    columns = parameters["columns"][:, None, :].expand(-1, n_points, -1)
    return nodes.gather(2, columns), nodes @ parameters["scores"]
