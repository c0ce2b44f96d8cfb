"""The transformer's blocks: attention to a memory of tokens, then an MLP, each added to the stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ctxlearn.checks import check_choice, check_int, describe
from ctxlearn.learners.attention import MIXERS, Memory, in_blocks

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "gelu": F.gelu, "leaky_relu": F.leaky_relu}


@dataclass(frozen=True)
class BlockConfig:
    """One block of an `InContextTransformer`.

    Attributes:
        heads: attention heads.
        head_width: width of each head; None means width / heads.
        hidden: hidden units of the MLP; None means 4 x width.
        activation: "relu", "gelu" or "leaky_relu" (slope 0.01).
        norm: "pre" (layer norm before attention and before the MLP) or "none".
        attention: "softmax"; "linear", the sum of (q.k) v; or "linear_mean", that sum over the number of tokens seen.
            Scores are divided by sqrt(head_width).
        normalised: queries and keys of length one, and a learned factor of each head's scores in place of
            1 / sqrt(head_width).
        memory: learned key and value slots that every token sees besides the context (a slot of zeros is PyTorch's
            `add_zero_attn`).
    """

    heads: int = 4
    head_width: int | None = None
    hidden: int | None = None
    activation: str = "gelu"
    norm: str = "pre"
    attention: str = "softmax"
    normalised: bool = False
    memory: int = 0

    def __post_init__(self) -> None:
        check_int("heads", self.heads, minimum=1)
        if self.head_width is not None:
            check_int("head_width", self.head_width, minimum=1)
        if self.hidden is not None:
            check_int("hidden", self.hidden, minimum=1)
        check_choice("activation", self.activation, ACTIVATIONS)
        check_choice("norm", self.norm, ("pre", "none"))
        check_choice("attention", self.attention, MIXERS)
        if not isinstance(self.normalised, bool):
            raise ValueError(f"normalised: expected True or False, got {describe(self.normalised)}")
        check_int("memory", self.memory, minimum=0)


class Block(nn.Module):
    """z += attention(z, memory); z += MLP(z)."""

    def __init__(self, width: int, config: BlockConfig) -> None:
        super().__init__()
        if config.head_width is None and width % config.heads:
            raise ValueError(f"heads: expected a divisor of width {width} (or a head_width), got {config.heads} heads")
        self.heads = config.heads
        self.slots = config.memory
        head_width = config.head_width or width // config.heads
        inner = config.heads * head_width
        hidden = config.hidden or 4 * width
        self.mix = MIXERS[config.attention]
        self.scale = 1.0 if config.normalised else head_width**-0.5
        self.activation = ACTIVATIONS[config.activation]
        normed = config.norm == "pre"
        self.attention_norm: nn.Module = nn.LayerNorm(width) if normed else nn.Identity()
        self.mlp_norm: nn.Module = nn.LayerNorm(width) if normed else nn.Identity()
        self.query = nn.Linear(width, inner)
        self.key_value = nn.Linear(width, 2 * inner)
        self.attention_out = nn.Linear(inner, width)
        self.mlp_in = nn.Linear(width, hidden)
        self.mlp_out = nn.Linear(hidden, width)
        self.sharpness: nn.Parameter | None = None
        if config.normalised:
            self.sharpness = nn.Parameter(torch.full((config.heads, 1, 1), head_width**0.5))
        if config.memory:
            self.slot_keys = nn.Parameter(torch.randn(config.heads, config.memory, head_width) * head_width**-0.5)
            self.slot_values = nn.Parameter(torch.zeros(config.heads, config.memory, head_width))

    def remember(self, z: Tensor, n_tokens: int | None = None) -> Memory:
        """Keys and values of tokens (B, T, width), behind those of the slots; `n_tokens` of them count in a mean."""
        memory = self._keys_values(self.attention_norm(z))
        if self.slots:
            keys, values = (s.expand(z.shape[0], -1, -1, -1) for s in (self._unit(self.slot_keys), self.slot_values))
            memory = Memory(torch.cat([keys, memory.keys], 2), torch.cat([values, memory.values], 2), z.shape[1])
        return memory if n_tokens is None else memory._replace(n_tokens=n_tokens)

    def forward(self, z: Tensor, memory: Memory, until: int | None = None, itself: bool = False) -> Tensor:
        """Tokens after the block.

        Args:
            z: (B, m, width).
            memory: what they attend to; nothing at all contributes zero.
            until: token i sees the memory's tokens up to i + until; None for all.
            itself: each attends to itself too.
        """
        normed = self.attention_norm(z)
        queries = self._unit(self._heads(self.query(normed)))
        if self.sharpness is not None:
            queries = queries * self.sharpness
        own = self._keys_values(normed) if itself else None
        mixed = in_blocks(self.mix, queries, memory, until, own, self.scale)
        z = z + self.attention_out(mixed.transpose(1, 2).flatten(2))
        hidden: Tensor = self.mlp_out(self.activation(self.mlp_in(self.mlp_norm(z))))
        return z + hidden

    def among(self, z: Tensor, n: int, last: bool = False) -> Tensor:
        """Tokens (B, m, width) after the block, where all attend to the first n: `remember` and `forward` in fewer operations.

        The norms' weights are put into the maps after them, whose gradients then cost nothing. Slots and `normalised` are not for this.

        Args:
            z: tokens before the block.
            n: how many are attended to.
            last: return those after the first n alone.
        """
        normed = _normed(self.attention_norm, z)
        keys, values = (
            self._heads(part) for part in _mapped(self.attention_norm, self.key_value, normed[:, :n]).chunk(2, -1)
        )
        if last:
            z, normed = z[:, n:], normed[:, n:]
        queries = self._heads(_mapped(self.attention_norm, self.query, normed))
        mixed = self.mix(queries, Memory(keys, values, n), None, None, self.scale)
        z = z + self.attention_out(mixed.transpose(1, 2).flatten(2))
        hidden: Tensor = self.mlp_out(self.activation(_mapped(self.mlp_norm, self.mlp_in, _normed(self.mlp_norm, z))))
        return z + hidden

    def _keys_values(self, normed: Tensor) -> Memory:
        keys, values = self.key_value(normed).chunk(2, dim=-1)
        return Memory(self._unit(self._heads(keys)), self._heads(values), normed.shape[1])

    def _unit(self, vectors: Tensor) -> Tensor:
        return vectors if self.sharpness is None else F.normalize(vectors, dim=-1)

    def _heads(self, z: Tensor) -> Tensor:
        return z.view(*z.shape[:2], self.heads, z.shape[2] // self.heads).transpose(1, 2)


def _normed(norm: nn.Module, z: Tensor) -> Tensor:
    """What a norm makes of z before its weights."""
    return F.layer_norm(z, norm.normalized_shape, eps=norm.eps) if isinstance(norm, nn.LayerNorm) else z


def _mapped(norm: nn.Module, linear: nn.Linear, normed: Tensor) -> Tensor:
    """A norm's weights and a linear map after it, as one map."""
    if not isinstance(norm, nn.LayerNorm):
        return F.linear(normed, linear.weight, linear.bias)
    return F.linear(normed, linear.weight * norm.weight, linear.bias + (linear.weight * norm.bias).sum(1))
