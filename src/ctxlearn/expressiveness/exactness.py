"""How exact a construction is: a transformer written by hand against the learner it was written for."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ctxlearn.expressiveness import circuit, construct
from ctxlearn.learners import Learner, ProtoNet
from ctxlearn.references import GradientDescent


def exact_masks(learner: Learner) -> list[str]:
    """The masks under which `construct` gives exactly this learner."""
    if isinstance(learner, ProtoNet):
        return ["context_and_self", "full", "causal"]
    several_steps = isinstance(learner, GradientDescent) and learner.steps > 1
    return ["context", "context_and_self", "full", *([] if several_steps else ["causal"])]


def compare(learner: Learner, contexts: Sequence[tuple[Tensor, Tensor, Tensor]]) -> list[dict[str, Any]]:
    """A learner and its construction, under every mask where that is exact.

    Args:
        learner: a classifier that has a construction; it stays as it is.
        contexts: x (B, n, d) and y (B, n) of contexts, and queries (B, q, d), in float64.

    Returns:
        One row per mask and context length: the transformer's blocks, width, heads (of each block that has some) and kinds of
        attention; n_context; error64 and error32, the largest |difference| of log-probabilities in either precision;
        log_odds, the learner's largest, so that one sees what the error is an error of; n_contexts compared.
    """
    learner = copy.deepcopy(learner).double().eval()
    rows = []
    for mask in exact_masks(learner):
        pair = learner, construct(learner, mask=mask)
        layers = [layer for layer in circuit(learner, mask=mask).layers if layer.heads]
        kinds = [("cosine " if one.normalised else "") + one.attention.replace("_mean", " / n") for one in layers]
        about = {
            "mask": mask,
            "blocks": len(pair[1].blocks),
            "width": pair[1].width,
            "heads": max(block.heads for block in pair[1].block_configs),
            "attention": ", ".join(dict.fromkeys(kinds)),
        }
        narrow = [copy.deepcopy(model).float() for model in pair]
        for x, y, query in contexts:
            wide = log_probabilities(pair, x, y, query)
            gaps = {
                "error64": wide[0] - wide[1],
                "error32": log_probabilities(narrow, x.float(), y, query.float()).diff(dim=0),
                "log_odds": wide[0, ..., 1] - wide[0, ..., 0],
            }
            most = {size: float(gap.abs().max()) for size, gap in gaps.items()}
            rows.append({**about, "n_context": x.shape[1], **most, "n_contexts": len(x)})
    return rows


@torch.no_grad()
def log_probabilities(pair: Sequence[Learner], x: Tensor, y: Tensor, query: Tensor) -> Tensor:
    """Of a learner and its construction (2, B, q, C), computed in the precision of the inputs, returned in float64."""
    return torch.stack([model(x, y, query).log_softmax(-1).double() for model in pair])
