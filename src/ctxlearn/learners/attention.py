"""Kinds of attention: how a token mixes the values of what it sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ctxlearn.threads import stop_if_nobody_waits

SCORES = 1 << 22
"""Most scores of a head that are computed at once: those of a context of 2,048 tokens."""


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


def in_blocks(
    mix: Mixer, queries: Tensor, memory: Memory, until: int | None, own: Memory | None, scale: float
) -> Tensor:
    """`mix`, with at most `SCORES` scores per task and head at a time, so that memory is linear in the number of tokens.

    Args:
        mix: how to mix.
        queries: (B, heads, m, head_width).
        memory: S slots, which all queries see, and T tokens.
        until: query i sees the tokens up to i + until; None for all.
        own: each query's own key and value, where it attends to itself too.
        scale: the factor of all scores.

    Returns:
        (B, heads, m, head_width).
    """
    n_queries, n_seen = queries.shape[2], memory.keys.shape[2]
    size = max(1, SCORES // max(1, n_seen))
    if n_queries <= size:
        return mix(queries, memory, _visible(0, n_queries, memory, until), own, scale)
    mixed = []
    for first in range(0, n_queries, size):
        stop_if_nobody_waits()
        part = slice(first, first + size)
        alone = None if own is None else Memory(own.keys[:, :, part], own.values[:, :, part], own.n_tokens)
        some = queries[:, :, part]
        mixed.append(mix(some, memory, _visible(first, some.shape[2], memory, until), alone, scale))
    return torch.cat(mixed, dim=2)


def _visible(first: int, n_queries: int, memory: Memory, until: int | None) -> Tensor | None:
    """Which slots and tokens the queries from `first` on see, (m, S + T); None where all."""
    if until is None:
        return None
    device, n_seen = memory.keys.device, memory.keys.shape[2]
    place = torch.arange(n_seen, device=device) - (n_seen - memory.n_tokens)  # slots come before all tokens
    return place <= torch.arange(first, first + n_queries, device=device)[:, None] + until


MIXERS: dict[str, Mixer] = {"softmax": softmax, "linear": linear, "linear_mean": linear_mean}
