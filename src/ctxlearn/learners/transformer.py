"""A transformer that learns in context, with set attention."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ctxlearn.checks import check_int, describe
from ctxlearn.learners.base import Learner, one_hot
from ctxlearn.learners.blocks import Block, BlockConfig, Memory
from ctxlearn.learners.encoders import Encoder
from ctxlearn.seeding import initial_weights


class InContextTransformer(Learner):
    """A transformer that reads a labelled set and answers for new points in one pass.

    One token a point: Linear([encoder(x), label, is_query]); the label is one-hot, the value itself for regression,
    and zero for a query. Context points attend to the context, queries to the context and not to each other; there
    are no positions, so the order of the context means nothing. `adapt` computes each block's keys and values of the
    context once; `predict` runs the queries against them.

    Args:
        n_features: an int d or the shape of one input.
        n_classes: C >= 2, or None for regression.
        width: of the stream.
        depth: number of equal blocks.
        heads: attention heads of each.
        encoder: None for a one-hidden-layer MLP, "identity", or a module from (M, *shape) to (M, e).
        blocks: the blocks one by one, in place of depth and heads.
        seed: of the initial weights.

    Raises:
        ValueError: sizes that do not fit together.
    """

    n_features: int | tuple[int, ...]

    def __init__(
        self,
        n_features: int | tuple[int, ...],
        n_classes: int | None,
        width: int = 64,
        depth: int = 4,
        heads: int = 4,
        encoder: nn.Module | str | None = None,
        blocks: Sequence[BlockConfig] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(n_features, n_classes)
        self.width = check_int("width", width, minimum=1)
        if blocks is None:
            blocks = [BlockConfig(heads=heads)] * check_int("depth", depth, minimum=1)
        listed = isinstance(blocks, Sequence) and len(blocks) > 0
        if not listed or not all(isinstance(block, BlockConfig) for block in blocks):
            raise ValueError(f"blocks: expected a non-empty list of BlockConfig, got {describe(blocks)}")
        self._n_labels = 1 if self.n_classes is None else self.n_classes
        with initial_weights(seed):
            self.encoder = Encoder(encoder, n_features, width)
            self.embed = nn.Linear(self.encoder.n_outputs + self._n_labels + 1, width)
            self.blocks = nn.ModuleList(Block(width, block) for block in blocks)
            self.out_norm: nn.Module = nn.LayerNorm(width) if blocks[-1].norm == "pre" else nn.Identity()
            self.out = nn.Linear(width, self._n_labels)

    def adapt(self, context_x: Tensor, context_y: Tensor) -> list[Memory]:
        context_x, context_y = self.check_context(context_x, context_y)
        label = context_y[..., None] if self.n_classes is None else one_hot(context_y, self.n_classes, context_x.dtype)
        z = self._embed(context_x, label, is_query=0.0)
        memories: list[Memory] = []
        for i, block in enumerate(self.blocks):
            assert isinstance(block, Block)
            memories.append(block.remember(z))
            if i + 1 < len(self.blocks):  # nothing reads the context's stream after the last block's keys
                z = block(z, memories[-1])
        return memories

    def predict(self, state: list[Memory], query_x: Tensor) -> Tensor:
        query_x = self.check_query(query_x, n_tasks=state[0].keys.shape[0])
        z = self._embed(query_x, query_x.new_zeros(*query_x.shape[:2], self._n_labels), is_query=1.0)
        for block, memory in zip(self.blocks, state, strict=True):
            z = block(z, memory)
        out: Tensor = self.out(self.out_norm(z))
        return out[..., 0] if self.n_classes is None else out

    def _embed(self, x: Tensor, label: Tensor, is_query: float) -> Tensor:
        flag = torch.full((*x.shape[:2], 1), is_query, dtype=x.dtype, device=x.device)
        tokens: Tensor = self.embed(torch.cat([self.encoder(x), label, flag], dim=-1))
        return tokens
