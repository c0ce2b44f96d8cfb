"""A transformer that learns in context."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from ctxlearn.checks import check_choice, check_int, describe
from ctxlearn.learners.attention import Memory
from ctxlearn.learners.base import full_precision
from ctxlearn.learners.blocks import Block, BlockConfig
from ctxlearn.learners.encoders import Encoder
from ctxlearn.learners.quantiles import QUANTILES, pinball
from ctxlearn.learners.tokens import TokenLearner
from ctxlearn.seeding import initial_weights

DEEPEST = 10_000
"""Most blocks; more would not be a network but a slip of the pen."""
LOG_FLOOR = 1e-9
"""Outputs of a "log" read-out below this count as this."""


class Read(NamedTuple):
    """A context after reading.

    Attributes:
        tokens: of the context, (B, T, width).
        memories: per block, what queries attend to; none under the "full" mask, where queries change the context.
        n_points: n; the query's position.
    """

    tokens: Tensor
    memories: list[Memory]
    n_points: int


class InContextTransformer(TokenLearner):
    """A transformer that reads labelled points and answers for new ones in one pass.

    Tokens are Linear([encoder(x), label, is_query]). A label is one-hot, the value itself for regression. Merged
    tokens hold a point and its label (zero for a query); interleaved ones are x_1, y_1, x_2, y_2, ..., what a language
    model would read, where an x has no label and is_query 1, a y has no x. `adapt` computes each block's keys and values of the
    context once; `predict` runs the queries against them, none of which sees another.

    By default attention is over a set: context points attend to the context, queries to the context, and there are no
    positions, so the order of the context means nothing.

    Args:
        n_features: an int d or the shape of one input.
        n_classes: C >= 2, or None for regression.
        width: of the stream.
        depth: number of equal blocks, at most 10,000.
        heads: attention heads of each.
        encoder: None for a one-hidden-layer MLP, "identity", or a module from (M, *shape) to (M, e).
        blocks: the blocks one by one, in place of depth and heads.
        seed: of the initial weights.
        tokens: "merged" or "interleaved".
        mask: who attends to what. "context": all tokens to the context. "context_and_self": a query to itself too.
            "full": the context to the query as well, so that each query is a sequence of its own. "causal": each
            token to itself and those before it; `predict_prefixes` is then one pass, to be trained with `AllPrefixes`.
        positions: "none", or "learned" (one vector for each place in the sequence; queries have the place after the
            context).
        max_points: longest context that learned positions allow.
        readout: "linear", or "log": the logarithm of the linear read-out (at least 1e-9), for networks that compute
            probabilities; or, for regression, "quantiles": 20 quantiles of the label, which `RandomSplit` trains by the
            pinball loss. `predict_distribution` gives them, `predict` their mean.
        labels: how a context's classes are coded: "onehot", or "equiangular", a simplex of C unit vectors at equal angles
            (Fifty et al. 2024, CAML), fixed, of which the read-out is the inner product with each. Either way a task may
            use fewer than the C classes.

    Raises:
        ValueError: sizes or choices that do not fit together.
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
        tokens: str = "merged",
        mask: str = "context",
        positions: str = "none",
        max_points: int = 128,
        readout: str = "linear",
        labels: str = "onehot",
    ) -> None:
        super().__init__(n_features, n_classes)
        self.width = check_int("width", width, minimum=1)
        if blocks is None:
            blocks = [BlockConfig(heads=heads)] * check_int("depth", depth, minimum=1, maximum=DEEPEST)
        listed = isinstance(blocks, Sequence) and len(blocks) > 0
        if not listed or not all(isinstance(block, BlockConfig) for block in blocks):
            raise ValueError(f"blocks: expected a non-empty list of BlockConfig, got {describe(blocks)}")
        self.block_configs = tuple(blocks)
        self.tokens = check_choice("tokens", tokens, ("merged", "interleaved"))
        self.mask = check_choice("mask", mask, ("context", "context_and_self", "full", "causal"))
        check_choice("positions", positions, ("none", "learned"))
        self.max_points = check_int("max_points", max_points, minimum=1)
        self.readout = check_choice("readout", readout, ("linear", "log", "quantiles"))
        if readout == "quantiles" and n_classes is not None:
            raise ValueError(f'readout: "quantiles" are of regression (n_classes=None), got {n_classes} classes')
        if readout == "log" and n_classes is None:
            raise ValueError('readout: expected "linear" for regression (n_classes=None), got "log"')
        if check_choice("labels", labels, ("onehot", "equiangular")) == "equiangular" and n_classes is None:
            raise ValueError('labels: expected "onehot" for regression (n_classes=None), got "equiangular"')
        if tokens == "interleaved" and mask != "causal" and positions == "none":
            raise ValueError(
                'tokens: interleaved tokens need positions="learned" or mask="causal"; without an order nothing says'
                " which label belongs to which input"
            )
        self._tokens_per_point = 2 if tokens == "interleaved" else 1
        self.register_buffer(
            "label_codes", _simplex(self._n_labels) if labels == "equiangular" else None, persistent=False
        )
        with initial_weights(seed):
            self.encoder = Encoder(encoder, n_features, width)
            self.accepts_missing = self.encoder.accepts_missing
            self.embed = nn.Linear(self.encoder.n_outputs + self._n_labels + 1, width)
            self.blocks = nn.ModuleList(Block(width, block) for block in blocks)
            self.out_norm: nn.Module = nn.LayerNorm(width) if blocks[-1].norm == "pre" else nn.Identity()
            self.out = nn.Linear(width, QUANTILES if readout == "quantiles" else self._n_labels)
            self.positions: nn.Parameter | None = None
            if positions == "learned":
                self.positions = nn.Parameter(0.02 * torch.randn(self._tokens_per_point * max_points + 1, width))
            if readout == "log":  # start as equal probabilities, where the logarithm has a gradient
                with torch.no_grad():
                    self.out.weight.mul_(0.1)
                    self.out.bias.fill_(1 / self._n_labels)

    def adapt(self, context_x: Tensor, context_y: Tensor) -> Read:
        context_x, context_y = self.check_context(context_x, context_y)
        n = context_x.shape[1]
        self._check_length("context_x", n)
        z = self._placed(self._context_tokens(context_x, context_y))
        state = Read(z, [], n)
        if self.mask == "full":
            return state
        until = 0 if self.mask == "causal" else None
        for i, block in enumerate(self._blocks):
            state.memories.append(block.remember(z))
            if i + 1 < len(self.blocks):  # nothing reads the context's stream after the last block's keys
                z = block(z, state.memories[-1], until)
        return state

    def predict(self, state: Read, query_x: Tensor) -> Tensor:
        return self._means(self.predict_for_loss(state, query_x))

    def predict_distribution(self, state: Read, query_x: Tensor) -> Tensor:
        if self.readout != "quantiles":
            raise ValueError(
                f'readout: expected "quantiles" for a predictive distribution, got a model with "{self.readout}"'
            )
        return self.predict_for_loss(state, query_x)

    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        """The base's; of quantiles (..., K) and labels (...) twice the mean pinball loss over labels and levels."""
        if self.readout != "quantiles" or output.ndim == y.ndim:
            return super().loss(output, y)
        return pinball(output, y.to(output))

    def predict_for_loss(self, state: Read, query_x: Tensor) -> Tensor:
        query_x = self.check_query(query_x, n_tasks=state.tokens.shape[0])
        z = self._placed(self._query_tokens(query_x), place=self._tokens_per_point * state.n_points)
        if self.mask == "full":
            return self._read(self._sequence_each(state.tokens, z))
        itself = self.mask != "context"
        for block, memory in zip(self._blocks, state.memories, strict=True):
            counted = memory.n_tokens + self._counts_itself * itself
            z = block(z, memory._replace(n_tokens=counted), itself=itself)
        return self._read(z)

    def answer_together(self, context_x: Tensor, context_y: Tensor, query_x: Tensor) -> Tensor:
        """`predict_for_loss` after `adapt`, contexts and queries in one pass: half as many operations, for training on accelerators.

        Args:
            context_x: (B, n, *shape), n >= 1.
            context_y: (B, n).
            query_x: (B, q, *shape).

        Raises:
            ValueError: a mask other than "context", positions, or blocks with slots or normalised queries and keys.
        """
        plain = self.mask == "context" and self.positions is None
        if not plain or any(block.memory or block.normalised for block in self.block_configs):
            raise ValueError(
                'mask: expected "context", no positions, and blocks without memory or normalised=True to answer in one pass'
            )
        context_x, context_y = self.check_context(context_x, context_y)
        query_x = self.check_query(query_x, n_tasks=len(context_x))
        context = self._context_tokens(context_x, context_y)
        z = torch.cat([context, self._query_tokens(query_x)], dim=1)
        for i, block in enumerate(self._blocks):
            z = block.among(z, context.shape[1], last=i + 1 == len(self.blocks))
        return self._read(z)

    def predict_prefixes(self, x: Tensor, y: Tensor) -> Tensor:
        if self.mask != "causal":
            return super().predict_prefixes(x, y)
        x, y = self.check_context(x, y, names=("x", "y"))
        self._check_length("x", x.shape[1] - 1, "points before the last")
        context = self._context_tokens(x, y)
        if self.tokens == "interleaved":  # each x is its own query; the last y is read by none
            z = self._placed(context[:, :-1])
            for block in self._blocks:
                z = block(z, block.remember(z), until=0)
            return self._means(self._read(z[:, ::2]))
        context, z = self._placed(context), self._placed(self._query_tokens(x))
        for i, block in enumerate(self._blocks):
            memory = block.remember(context)
            z = block(z, memory, until=-1, itself=True)
            if i + 1 < len(self.blocks):
                context = block(context, memory, until=0)
        return self._means(self._read(z))

    @property
    def _blocks(self) -> list[Block]:
        return cast("list[Block]", list(self.blocks))

    @property
    def _counts_itself(self) -> int:
        """In a mean an interleaved x counts itself, as it is a token of the context later on; a merged query does not."""
        return self._tokens_per_point - 1

    def _check_length(self, name: str, n: int, what: str = "points") -> None:
        if self.positions is not None and n > self.max_points:
            raise ValueError(
                f"{name}: expected at most {self.max_points} {what}, which this model's learned positions allow, got {n};"
                " a larger max_points must be trained"
            )

    def _placed(self, tokens: Tensor, place: int | None = None) -> Tensor:
        """Tokens with their positions: their order, or all at one place of the sequence."""
        if self.positions is None:
            return tokens
        return tokens + (self.positions[: tokens.shape[1]] if place is None else self.positions[place])

    def _sequence_each(self, context: Tensor, queries: Tensor) -> Tensor:
        """Each query after a pass with the context over which both see each other, (B, q, width)."""
        n_tasks, n_tokens, n_queries = *context.shape[:2], queries.shape[1]
        copies = context[:, None].expand(-1, n_queries, -1, -1)
        z = torch.cat([copies, queries[:, :, None]], dim=2).flatten(0, 1)
        for block in self._blocks:
            z = block(z, block.remember(z, n_tokens + self._counts_itself))
        return z[:, -1].view(n_tasks, n_queries, self.width)

    def _read(self, z: Tensor) -> Tensor:
        with full_precision(z):
            out: Tensor = self.out(self.out_norm(z))
        if self.label_codes is not None:
            out = out @ self.label_codes.to(out.dtype)  # the codes are symmetric
        if self.readout == "log":
            out = out.clamp(min=LOG_FLOOR).log()
        if self.readout == "quantiles":
            return out.sort(dim=-1).values  # never worse by the pinball loss (Chernozhukov et al. 2010), and monotone
        return out[..., 0] if self.n_classes is None else out

    def _means(self, output: Tensor) -> Tensor:
        return output.mean(-1) if self.readout == "quantiles" else output


def _simplex(n: int) -> Tensor:
    """N unit vectors whose inner products are all -1 / (n - 1), (n, n): the corners of a simplex, as a symmetric matrix."""
    corners: Tensor = (n / (n - 1)) ** 0.5 * (torch.eye(n) - 1 / n)
    return corners
