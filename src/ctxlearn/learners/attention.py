"""Kinds of attention: how a token mixes the values of what it sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Memory(NamedTuple):
    """What tokens attend to in one block.

    Attributes:
        keys: (B, heads, S + T, head_width), the block's S learned slots first, then T tokens.
        values: likewise.
        n_tokens: how many tokens "linear_mean" divides by where all of them are seen.
    """

    keys: Tensor
    values: Tensor
    n_tokens: int


Mixer = Callable[[Tensor, Memory, Tensor | None, Memory | None, float], Tensor]
"""Queries (B, heads, m, head_width), a memory, which of its tokens each query sees (m, S + T; None for all), each
query's own key and value where it attends to itself too (a Memory of m tokens), and the factor of all scores."""


def softmax(queries: Tensor, memory: Memory, visible: Tensor | None, own: Memory | None, scale: float) -> Tensor:
    """The sum of a_i v_i, where the a_i are the softmax of scale q.k_i; over nothing it is zero."""
    if own is None:
        if memory.keys.shape[2] == 0:
            return queries * 0.0  # kept on the graph, so that every parameter has a gradient
        return F.scaled_dot_product_attention(queries, memory.keys, memory.values, attn_mask=visible, scale=scale)
    scores = queries @ memory.keys.mT
    if visible is not None:
        scores = scores.masked_fill(~visible, -torch.inf)
    alone = (queries * own.keys).sum(-1, keepdim=True)
    weights = (scale * torch.cat([scores, alone], dim=-1)).softmax(-1)
    return weights[..., :-1] @ memory.values + weights[..., -1:] * own.values


def linear(queries: Tensor, memory: Memory, visible: Tensor | None, own: Memory | None, scale: float) -> Tensor:
    """The sum of scale (q.k_i) v_i."""
    scores = queries @ memory.keys.mT
    if visible is not None:
        scores = scores * visible
    mixed = scores @ memory.values
    if own is not None:
        mixed = mixed + (queries * own.keys).sum(-1, keepdim=True) * own.values
    return scale * mixed


def linear_mean(queries: Tensor, memory: Memory, visible: Tensor | None, own: Memory | None, scale: float) -> Tensor:
    """`linear` divided by the number of tokens that are seen; slots do not count."""
    mixed = linear(queries, memory, visible, own, scale)
    if visible is None:
        return mixed / max(1, memory.n_tokens)
    slots = visible.shape[1] - memory.n_tokens
    return mixed / visible[:, slots:].sum(-1, keepdim=True).clamp(min=1)


MIXERS: dict[str, Mixer] = {"softmax": softmax, "linear": linear, "linear_mean": linear_mean}
