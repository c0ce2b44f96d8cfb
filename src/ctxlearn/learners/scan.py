"""The recurrence of gated linear attention, computed for all tokens at once.

A matrix S of each head is the memory. Token t lets it decay, writes, and reads:

    S_t = a_t S_{t-1} + u_t k_t',    o_t = S_t q_t,

with u_t = b_t v_t, or under the delta rule u_t = b_t (v_t - a_t S_{t-1} k_t): what is written is what the memory had wrong about k_t.
Within a chunk, u solves a triangular system and o is a masked product, so only chunks are gone through in order.

Source: Yang et al. 2024, "Gated delta networks", eq. 10 and section 3.3; without the delta rule and with k, v, q for B, x, C it is the
state-space duality of Dao and Gu 2024.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

CHUNK = 64
"""Tokens that are computed at once."""


class Writes(NamedTuple):
    """What T tokens of H heads do to the memory.

    Attributes:
        query: q, (B, H, T, k).
        key: k, (B, H, T, k).
        value: v, (B, H, T, v).
        log_decay: log a <= 0, (B, H, T).
        strength: b, (B, H, T).
    """

    query: Tensor
    key: Tensor
    value: Tensor
    log_decay: Tensor
    strength: Tensor


def scan(writes: Writes, memory: Tensor, delta: bool, chunk: int = CHUNK) -> tuple[Tensor, Tensor]:
    """What each token reads, (B, H, T, v), and the memory after the last, (B, H, v, k).

    Args:
        writes: of T >= 0 tokens, in order.
        memory: before the first, (B, H, v, k).
        delta: whether the delta rule is used.
        chunk: tokens computed at once; changes no result but for rounding.
    """
    read = [writes.value[:, :, :0]]
    for start in range(0, writes.key.shape[2], chunk):
        part = Writes(*(tensor[:, :, start : start + chunk] for tensor in writes))
        out, memory = _scan_chunk(part, memory, delta)
        read.append(out)
    return torch.cat(read, dim=2), memory


def _scan_chunk(writes: Writes, memory: Tensor, delta: bool) -> tuple[Tensor, Tensor]:
    query, key, value, log_decay, strength = writes
    total = log_decay.cumsum(-1)  # log of the decay since the chunk's beginning
    order = torch.ones(total.shape[-1], total.shape[-1], dtype=torch.bool, device=total.device).tril()
    since = (total[..., :, None] - total[..., None, :]).masked_fill(~order, -torch.inf).exp()  # (B, H, T, T)
    from_start = total.exp()[..., None]
    written = strength[..., None] * value
    if delta:
        earlier = since * (key @ key.mT) * strength[..., None]
        eye = torch.eye(key.shape[2], dtype=key.dtype, device=key.device)
        system = earlier.tril(-1) + eye
        known = strength[..., None] * from_start * (key @ memory.mT)
        written = torch.linalg.solve_triangular(system, written - known, upper=False, unitriangular=True)
    out = from_start * (query @ memory.mT) + (since * (query @ key.mT)) @ written
    left = (total[..., -1:] - total).exp()[..., None]
    memory = from_start[:, :, -1:] * memory + (left * written).mT @ key
    return out, memory


def ask(writes: Writes, memory: Tensor, delta: bool) -> Tensor:
    """What each of T tokens reads that come next after the memory on their own, none after another: (B, H, T, v)."""
    query, key, value, log_decay, strength = writes
    decay = log_decay.exp()[..., None]
    written = value - decay * (key @ memory.mT) if delta else value
    out: Tensor = decay * (query @ memory.mT) + strength[..., None] * written * (query * key).sum(-1, keepdim=True)
    return out
