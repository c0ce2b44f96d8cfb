"""What carries information from token to token in a recurrent learner, through a memory of fixed size."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ctxlearn.learners.scan import Writes, ask, scan

Memory = Any
"""What a mixer keeps of the tokens so far: a tensor, or a tuple of them, with the tasks on the first axis."""
WINDOW = 4
"""Tokens that the convolution of linear attention sees: a label's token sees its point."""
SLOWEST, FASTEST = 1e-3, 1e-1
"""Range of the decay per token of freshly made heads: memories of ten to a thousand tokens."""


class Mixer(nn.Module, ABC):
    """Reads tokens in order."""

    @abstractmethod
    def forward(self, z: Tensor) -> tuple[Tensor, Memory]:
        """What tokens (B, T, width) read from those before them, (B, T, width), and the memory after the last."""

    @abstractmethod
    def ask(self, z: Tensor, memory: Memory) -> Tensor:
        """What tokens (B, q, width) read that come next after the memory, each on its own, (B, q, width)."""


class GatedRecurrentUnit(Mixer):
    """A GRU, token by token: the memory is one vector, (B, width).

    Written out, since `torch.nn.GRU` keeps a second list of its weights, which functional calls do not reach.

    Source: Cho et al. 2014, in the form of `torch.nn.GRU`.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.inputs, self.recurrent = nn.Linear(width, 3 * width), nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        memory, read = z.new_zeros(z.shape[0], z.shape[2]), [z[:, :0]]
        for token in self.inputs(z).unbind(1):
            memory = self._step(token, memory)
            read.append(memory[:, None])
        return self.out(torch.cat(read, dim=1)), memory

    def ask(self, z: Tensor, memory: Tensor) -> Tensor:
        out: Tensor = self.out(self._step(self.inputs(z), memory[:, None]))
        return out

    def _step(self, token: Tensor, memory: Tensor) -> Tensor:
        """The memory after one more token, whose projected inputs are (..., 3 width)."""
        reset, update, new = token.chunk(3, dim=-1)
        h_reset, h_update, h_new = self.recurrent(memory).chunk(3, dim=-1)
        candidate = torch.tanh(new + torch.sigmoid(reset + h_reset) * h_new)
        return torch.lerp(candidate, memory, torch.sigmoid(update + h_update))


class LinearAttention(Mixer):
    """Gated linear attention: the memory is a matrix per head, and the last tokens before the convolution.

    Args:
        width: of the tokens.
        heads: H.
        form: "selective", "gated" or "delta"; see `InContextRecurrent`.
    """

    def __init__(self, width: int, heads: int, form: str) -> None:
        super().__init__()
        self.heads, self.form = heads, form
        self.window = nn.Parameter(torch.randn(1, WINDOW, width) * WINDOW**-0.5)  # of three axes: no map of the stream
        self.query_key_value = nn.Linear(width, 3 * width)
        self.rates = nn.Linear(width, 2 * heads if form == "delta" else heads)
        self.log_decay = nn.Parameter(torch.zeros(heads))
        self.gate, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.read_norm = nn.LayerNorm(width // heads)
        rate = SLOWEST * (FASTEST / SLOWEST) ** torch.rand(heads)
        with torch.no_grad():  # so that the softplus of the bias is this rate
            self.rates.bias[:heads] = rate.expm1().log()

    def forward(self, z: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        before = z.new_zeros(z.shape[0], WINDOW - 1, z.shape[2])
        tokens = torch.cat([before, z], dim=1)
        seen = torch.stack([tokens[:, i : i + z.shape[1]] for i in range(WINDOW)], dim=2)
        per_head = z.shape[2] // self.heads
        empty = z.new_zeros(z.shape[0], self.heads, per_head, per_head)
        writes = self._writes(seen)
        read, memory = scan(writes, empty, self.form == "delta")
        return self._leave(read, writes, z), (memory, tokens[:, tokens.shape[1] - WINDOW + 1 :])

    def ask(self, z: Tensor, memory: tuple[Tensor, Tensor]) -> Tensor:
        before = memory[1][:, None].expand(-1, z.shape[1], -1, -1)
        writes = self._writes(torch.cat([before, z[:, :, None]], dim=2))
        return self._leave(ask(writes, memory[0], self.form == "delta"), writes, z)

    def _writes(self, seen: Tensor) -> Writes:
        """From each token and those before it, (B, T, WINDOW, width)."""
        local = F.silu((seen * self.window).sum(2))
        query, key, value = (self._split(part) for part in self.query_key_value(local).chunk(3, dim=-1))
        rates = self.rates(local).mT
        step = F.softplus(rates[:, : self.heads])  # (B, H, T)
        log_decay = -step * self.log_decay.exp()[:, None]
        if self.form == "delta":
            query, key = F.normalize(query, dim=-1), F.normalize(key, dim=-1)
            return Writes(query, key, value, log_decay, torch.sigmoid(rates[:, self.heads :]))
        # the step of a state-space model scales what is written as well as the decay
        strength = step if self.form == "selective" else torch.ones_like(step)
        return Writes(query, key * key.shape[-1] ** -0.5, value, log_decay, strength)

    def _leave(self, read: Tensor, writes: Writes, z: Tensor) -> Tensor:
        """What is read, (B, H, T, v), normed, gated by the token itself and projected: (B, T, width)."""
        if self.form == "selective":  # the model's direct path from input to output
            read = read + writes.value
        together = self.read_norm(read).transpose(1, 2).flatten(2)
        out: Tensor = self.out(together * F.silu(self.gate(z)))
        return out

    def _split(self, z: Tensor) -> Tensor:
        """(B, T, width) to (B, H, T, width / H)."""
        return z.view(*z.shape[:2], self.heads, z.shape[2] // self.heads).transpose(1, 2)


MIXERS: dict[str, Callable[[int, int], Mixer]] = {
    "gru": GatedRecurrentUnit,
    **{form: functools.partial(LinearAttention, form=form) for form in ("selective", "gated", "delta")},
}
