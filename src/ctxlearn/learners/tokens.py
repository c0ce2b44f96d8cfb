"""Learners that read points as tokens: a point and its label in one, or the point first and then its label."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ctxlearn.learners.base import Learner, one_hot
from ctxlearn.learners.encoders import Encoder


class TokenLearner(Learner):
    """What such learners share: how points become tokens. Their constructor sets the attributes.

    Attributes:
        tokens: "merged" or "interleaved".
        encoder: of points.
        embed: from [encoder(x), label, is_query] to a token.
        label_codes: what stands for each class, (C, C); None for one-hot labels.
    """

    tokens: str
    encoder: Encoder
    embed: nn.Linear
    label_codes: Tensor | None

    @property
    def _n_labels(self) -> int:
        """Numbers that code a label."""
        return 1 if self.n_classes is None else self.n_classes

    def _context_tokens(self, x: Tensor, y: Tensor) -> Tensor:
        """Points (B, n) with their labels as tokens (B, T, width)."""
        vectors = self.encoder(x)
        label = y[..., None] if self.n_classes is None else one_hot(y, self.n_classes, vectors.dtype)
        if self.label_codes is not None:
            label = label @ self.label_codes.to(label.dtype)
        if self.tokens == "merged":
            return self._embed(vectors, label, is_query=0.0)
        pairs = [self._query_tokens(x), self._embed(torch.zeros_like(vectors), label, is_query=0.0)]
        return torch.stack(pairs, dim=2).flatten(1, 2)

    def _query_tokens(self, x: Tensor) -> Tensor:
        """Points (B, q) without labels as tokens (B, q, width)."""
        return self._embed(self.encoder(x), x.new_zeros(*x.shape[:2], self._n_labels), is_query=1.0)

    def _embed(self, vectors: Tensor, label: Tensor, is_query: float) -> Tensor:
        flag = vectors.new_full((*vectors.shape[:2], 1), is_query)
        tokens: Tensor = self.embed(torch.cat([vectors, label, flag], dim=-1))
        return tokens.to(self.embed.weight.dtype)  # of mixed precision: blocks add to a stream in full
