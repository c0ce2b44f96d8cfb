"""The transformer's blocks: attention to the context, then an MLP, each added to the stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from ctxlearn.checks import check_choice, check_int

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "gelu": F.gelu, "leaky_relu": F.leaky_relu}


@dataclass(frozen=True)
class BlockConfig:
    """One block of an `InContextTransformer`.

    Attributes:
        heads: attention heads.
        head_width: width of each head; None means width / heads.
        hidden: hidden units of the MLP; None means 4 x width.
        activation: "relu", "gelu" or "leaky_relu".
        norm: "pre" (layer norm before attention and before the MLP) or "none".
    """

    heads: int = 4
    head_width: int | None = None
    hidden: int | None = None
    activation: str = "gelu"
    norm: str = "pre"

    def __post_init__(self) -> None:
        check_int("heads", self.heads, minimum=1)
        if self.head_width is not None:
            check_int("head_width", self.head_width, minimum=1)
        if self.hidden is not None:
            check_int("hidden", self.hidden, minimum=1)
        check_choice("activation", self.activation, ACTIVATIONS)
        check_choice("norm", self.norm, ("pre", "none"))


class Memory(NamedTuple):
    """What queries attend to in one block: keys and values of the context, each (B, heads, n, head_width)."""

    keys: Tensor
    values: Tensor


class Block(nn.Module):
    """z += attention(z, memory); z += MLP(z). Every token attends to the context and to nothing else."""

    def __init__(self, width: int, config: BlockConfig) -> None:
        super().__init__()
        if config.head_width is None and width % config.heads:
            raise ValueError(f"heads: expected a divisor of width {width} (or a head_width), got {config.heads} heads")
        self.heads = config.heads
        inner = config.heads * (config.head_width or width // config.heads)
        hidden = config.hidden or 4 * width
        self.activation = ACTIVATIONS[config.activation]
        normed = config.norm == "pre"
        self.attention_norm: nn.Module = nn.LayerNorm(width) if normed else nn.Identity()
        self.mlp_norm: nn.Module = nn.LayerNorm(width) if normed else nn.Identity()
        self.query = nn.Linear(width, inner)
        self.key_value = nn.Linear(width, 2 * inner)
        self.attention_out = nn.Linear(inner, width)
        self.mlp_in = nn.Linear(width, hidden)
        self.mlp_out = nn.Linear(hidden, width)

    def remember(self, context: Tensor) -> Memory:
        """Keys and values of context tokens (B, n, width)."""
        keys, values = self.key_value(self.attention_norm(context)).chunk(2, dim=-1)
        return Memory(self._heads(keys), self._heads(values))

    def forward(self, z: Tensor, memory: Memory) -> Tensor:
        """Tokens (B, m, width) after attending to a memory of n points; an empty memory contributes zero."""
        queries = self._heads(self.query(self.attention_norm(z)))
        if memory.keys.shape[2]:
            mixed = F.scaled_dot_product_attention(queries, memory.keys, memory.values)
        else:
            mixed = queries * 0.0  # the sum over no points, kept on the graph so that every parameter has a gradient
        z = z + self.attention_out(mixed.transpose(1, 2).flatten(2))
        hidden: Tensor = self.mlp_out(self.activation(self.mlp_in(self.mlp_norm(z))))
        return z + hidden

    def _heads(self, z: Tensor) -> Tensor:
        return z.view(*z.shape[:2], self.heads, z.shape[2] // self.heads).transpose(1, 2)
