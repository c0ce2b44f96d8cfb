"""Passes of a causal language model: a context once, then many branches of it that do not see each other.

Rows are prompts. Those of one pass are filled up on the right; no token that counts ever sees a filler.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

KeysValues = list[tuple[Tensor, Tensor]]
"""Per layer the keys and values of R rows of L tokens, (R, heads, L, head_dim) each."""


@dataclass
class Branch:
    """Tokens that go on after a place of a row's context, or after an earlier token of the same branch list.

    Attributes:
        tokens: the tokens, in an order in which parents come before their children.
        parents: of each its predecessor in `tokens`, or -1 for the context.
        after: how many of the context's tokens the branch sees.
        reads: positions in `tokens` after which the next token's distribution is wanted.
    """

    tokens: list[int]
    parents: list[int]
    after: int
    reads: list[int]


def filled(rows: Sequence[Sequence[int]], device: torch.device) -> Tensor:
    """Rows of tokens as one tensor (R, L) int64, filled up with zeros."""
    longest = max(len(row) for row in rows)
    return torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows], dtype=torch.int64, device=device)


def read_contexts(model: Any, rows: Sequence[Sequence[int]]) -> KeysValues:
    """Keys and values of rows of at least one token each, by one causal pass.

    Without a mask: under causal attention no token sees the fillers to its right.
    """
    cache = _cache()
    model(input_ids=filled(rows, model.device), past_key_values=cache, use_cache=True, logits_to_keep=1)
    return [(layer.keys, layer.values) for layer in cache.layers]


def _cache(keys_values: KeysValues | None = None) -> Any:
    """A cache of transformers around keys and values, to which a pass appends lists of its own."""
    from transformers import DynamicCache  # takes seconds to import

    return DynamicCache(keys_values)


def rows_of(keys_values: KeysValues, start: int, stop: int) -> KeysValues:
    """Some rows of a cache, not copied."""
    return [(k[start:stop], v[start:stop]) for k, v in keys_values]


def read_branches(
    model: Any, keys_values: KeysValues, branches: Sequence[Sequence[Branch]], targets: Tensor, nodes: Tensor
) -> Tensor:
    """Log-probabilities of tokens after branches of each row, in one pass under a 4-D mask.

    Args:
        model: the language model.
        keys_values: of R rows' contexts. It stays as it is: new keys go behind a list of its own, and are dropped.
        branches: per row q branches that read at M places each.
        targets: (K, T) tokens.
        nodes: (K, T) positions in a branch's `reads`, after which each of them is read.

    Returns:
        (R, q, K, T).
    """
    device = model.device
    packed = [_Packed(row) for row in branches]
    cached = keys_values[0][0].shape[2]
    ids = filled([p.tokens for p in packed], device)
    n_new = ids.shape[1]
    # one mask for all branches of a pass is (tokens x (cached + tokens)): that is why the learner asks 64 queries at a time
    seen = torch.zeros(len(packed), n_new, cached + n_new, dtype=torch.bool)
    positions = torch.zeros(len(packed), n_new, dtype=torch.int64)
    for r, p in enumerate(packed):
        p.fill(seen[r], positions[r], cached)
    hidden = torch.zeros(seen.shape, dtype=model.dtype).masked_fill(~seen, torch.finfo(model.dtype).min)
    where = torch.tensor([p.reads for p in packed])  # (R, q M)
    kept = torch.unique(where)  # of all rows together, sorted
    logits = model(
        input_ids=ids,
        attention_mask=hidden[:, None].to(device),
        position_ids=positions.to(device),
        past_key_values=_cache(keys_values),
        use_cache=True,
        logits_to_keep=kept.to(device),
    ).logits
    places = torch.searchsorted(kept, where).to(device)
    n_branches = len(branches[0])
    return _log_probabilities(logits, places.view(len(packed), n_branches, -1), targets.to(device), nodes.to(device))


def read_sequences(
    model: Any, rows: Sequence[Sequence[int]], reads: Sequence[Sequence[int]], targets: Tensor
) -> Tensor:
    """Log-probabilities of tokens within rows, in one causal pass.

    Args:
        model: the language model.
        rows: R rows of tokens.
        reads: per row q positions after which is read.
        targets: (K,) tokens.

    Returns:
        (R, q, K, 1).
    """
    where = torch.tensor([list(r) for r in reads])
    kept = torch.unique(where)
    logits = model(input_ids=filled(rows, model.device), use_cache=False, logits_to_keep=kept.to(model.device)).logits
    places = torch.searchsorted(kept, where).to(model.device)
    nodes = torch.zeros(len(targets), 1, dtype=torch.int64, device=model.device)
    return _log_probabilities(logits, places[..., None], targets[:, None].to(model.device), nodes)


def _log_probabilities(logits: Tensor, places: Tensor, targets: Tensor, nodes: Tensor) -> Tensor:
    """From logits (R, P, V): for places (R, q, M), targets (K, T) and nodes (K, T), log-probabilities (R, q, K, T)."""
    at = places[..., nodes]  # (R, q, K, T)
    rows = torch.arange(len(logits), device=logits.device).view(-1, 1, 1, 1)
    total = logits.float().logsumexp(-1)
    return logits[rows, at, targets].float() - total[rows, at]


class _Packed:
    """The branches of one row as one sequence of tokens."""

    def __init__(self, branches: Sequence[Branch]) -> None:
        self.branches = branches
        self.tokens = [token for branch in branches for token in branch.tokens]
        self.reads: list[int] = []
        start = 0
        for branch in branches:
            self.reads += [start + position for position in branch.reads]
            start += len(branch.tokens)

    def fill(self, seen: Tensor, positions: Tensor, cached: int) -> None:
        """Set who sees whom, (L, cached + L), and where tokens stand, (L,)."""
        start = 0
        for branch in self.branches:
            for i, parent in enumerate(branch.parents):
                here = start + i
                if parent < 0:
                    seen[here, : branch.after] = True
                    positions[here] = branch.after
                else:
                    seen[here] = seen[start + parent]
                    positions[here] = positions[start + parent] + 1
                seen[here, cached + here] = True
            start += len(branch.tokens)
        for here in range(
            start, len(positions)
        ):  # fillers: a row of nothing but hidden tokens would be NaN in some kernels
            seen[here, cached + here] = True
