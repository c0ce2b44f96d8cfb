"""A language model on this machine as a learner."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ctxlearn.checks import check_int, describe
from ctxlearn.language.loading import CausalLM
from ctxlearn.language.passes import Branch, KeysValues, read_branches, read_contexts, read_sequences, rows_of
from ctxlearn.language.text_format import TextFormat
from ctxlearn.language.text_learner import Row, TextContext, TextLearner
from ctxlearn.language.tokens import Prompts

QUERIES = 64
"""Most queries in one pass: the mask of a pass grows with their square, and 256 cost many times four times 64."""
_TOKENS = 2048
"""Tokens of contexts that are read side by side."""
_NUMBERS = 1 << 25
"""Most numbers in the next-token distributions of one pass."""


@dataclass(frozen=True)
class Cost:
    """What a task costs, over all ways in which it is written.

    Attributes:
        tokens: tokens that the model reads; where labels differ in length, those of labels that are equally frequent.
        seconds: how long that takes at the speed of a short pass measured just now, with torch's threads as they are.
        cache_bytes: memory that the contexts' keys and values take.
        fits: whether `cache_bytes` is within the learner's budget; if not, contexts are read again for every 64 queries, which
            `tokens` and `seconds` count in.
    """

    tokens: int
    seconds: float
    cache_bytes: int
    fits: bool


@dataclass(frozen=True)
class _Part:
    """Some rows that were read together, and their keys and values where the budget allowed to keep them."""

    rows: tuple[list[int], ...]
    keys_values: KeysValues | None


class LanguageModel(TextLearner):
    """A language model as a learner: the context is read as text once, and each query is a branch of it.

    `adapt` keeps the keys and values of the context; `predict` reads at most 64 queries a pass as branches that do not see each
    other, without copying what was kept per query; `predict_prefixes` is one causal pass where the format's `scale` is a number, labels are
    single tokens and nothing is calibrated or reordered, and otherwise asks after every prefix. Labels of several tokens are scored whole.

    The order of the context matters to a language model: `orders` averages over some.

    Args:
        lm: what `load_language_model` gives.
        n_features: an int d or the shape of one input.
        n_classes: C >= 2, or None for regression.
        format: how tasks are written; see `choose_format`.
        labellings: "one", "cyclic" or "all" ways of naming the classes; see `TextLearner`.
        orders: orders of the examples to average over.
        calibrate: contextual calibration.
        cache_bytes: most memory for keys and values per state. Contexts beyond it are read again for every pass.

    Raises:
        ValueError: a value out of range, or a format whose parts run together in this model's tokens; the argument is named.
    """

    def __init__(
        self,
        lm: CausalLM,
        n_features: int | tuple[int, ...],
        n_classes: int | None,
        format: TextFormat = TextFormat(),  # noqa: B008 (frozen)
        *,
        labellings: str = "all",
        orders: int = 1,
        calibrate: bool = False,
        cache_bytes: int = 2**31,
    ) -> None:
        super().__init__(n_features, n_classes, format, labellings, orders, calibrate)
        if not isinstance(lm, CausalLM):
            raise ValueError(f"lm: expected what load_language_model gives, got {describe(lm)}")
        self.lm = lm
        self.cache_bytes = check_int("cache_bytes", cache_bytes, minimum=0)
        self.prompts = Prompts(format, lm.tokenizer, self._n_values, self.n_classes)
        self._speed: tuple[float, int] | None = None
        self.eval()

    def prompt(self, state: TextContext, query: Tensor, task: int = 0, way: int = 0) -> str:
        """The exact text that is read before a label, but for tokens that the tokenizer puts in front of every text.

        Args:
            state: what `adapt` returned.
            query: one input, of shape (*shape).
            task: of which of the B tasks.
            way: which of the labellings and orders, in [0, n_ways).

        Raises:
            ValueError: a query of another shape, or a number out of range.
        """
        n_tasks = len(state.x_range.centre)
        check_int("task", task, minimum=0, maximum=n_tasks - 1)
        check_int("way", way, minimum=0, maximum=len(state.labellings) - 1)
        if not isinstance(query, Tensor) or tuple(query.shape) != self._shape:
            raise ValueError(f"query: expected one input of shape {self._shape}, got {describe(query)}")
        row = state.rows[task * len(state.labellings) + way]
        x = self._queries(state, query.expand(n_tasks, 1, *query.shape))
        return (
            self.prompts.context(row.inputs, row.labels)
            + self._written(state.x_range, x)[task][0]
            + self.prompts.ask_text
        )

    def cost(self, n: int, q: int) -> Cost:
        """What `adapt` to n points and `predict` of q queries cost per task, before it is done.

        The first call measures the speed of the model by one short pass.
        """
        check_int("n", n, minimum=0)
        check_int("q", q, minimum=0)
        prompts, zeros = self.prompts, self.format.input([0] * self._n_values)
        ids = prompts.inputs([zeros])[0]
        per_example = len(prompts.example_ids(ids, 0)) - len(prompts.labels[0]) + prompts.mean_label
        context = len(prompts.start) + round(n * per_example)
        asked = q + (1 if self.calibrate and q else 0)
        passes = -(-asked // self._queries_per_pass())
        seconds, size = self._measured()
        cache = context * size * self.n_ways
        fits = cache <= self.cache_bytes
        readings = 1 if fits else passes
        tokens = self.n_ways * (context * readings + asked * (len(ids) + len(prompts.ask) + prompts.tree.n_nodes - 1))
        return Cost(tokens, tokens * seconds, cache, fits)

    @property
    def reads_prefixes_at_once(self) -> bool:
        """Whether `predict_prefixes` is one causal pass: no prefix is written otherwise than in the whole task."""
        one_token = self.prompts.tree.counts.shape[1] == 1 and self.prompts.same_question
        fixed = not isinstance(self.format.scale, str)
        once = self.training or self.orders == 1
        return one_token and fixed and once and not self.calibrate and self.n_classes is not None

    def predict_prefixes(self, x: Tensor, y: Tensor) -> Tensor:
        x, y = self.check_context(x, y, names=("x", "y"))
        if not self.reads_prefixes_at_once or x.shape[1] == 0:
            return super().predict_prefixes(x, y)
        rows, reads = [], []
        for row in self._rows(x, y)[0]:
            tokens, places = list(self.prompts.start), []
            for ids, label in zip(self.prompts.inputs(row.inputs), row.labels, strict=True):
                places.append(len(tokens) + len(ids) + len(self.prompts.ask) - 1)
                tokens += self.prompts.example_ids(ids, label)
            rows.append(tokens[: places[-1] + 1])
            reads.append(places)
        self._check_length(max(map(len, rows)))
        targets = self.prompts.tree.targets[:, 0]
        scores = [
            read_sequences(self.lm.model, rows[i:j], reads[i:j], targets)[..., 0]
            for i, j in self._slices([len(row) for row in rows], len(reads[0]))
        ]
        found = torch.cat(scores)
        output = self._averaged(self._ways(), found.view(len(x), self.n_ways, *found.shape[1:]))
        return output.to(x.dtype)

    def _read(self, rows: Sequence[Row]) -> list[_Part]:
        tokens = [self._tokens(row) for row in rows]
        parts, left = [], self.cache_bytes
        for i, j in self._slices([len(t) for t in tokens], 1):
            part = tuple(tokens[i:j])
            self._check_length(max(map(len, part)))
            size = len(part) * max(map(len, part)) * self._cache_size()
            keys_values = read_contexts(self.lm.model, part) if size <= left else None
            left -= size if keys_values is not None else 0
            parts.append(_Part(part, keys_values))
        return parts

    def _score(self, read: list[_Part], queries: Sequence[Sequence[str]]) -> Tensor:
        scores, start = [], 0
        for part in read:
            asked = [
                [self._branch(ids) for ids in self.prompts.inputs(row)]
                for row in queries[start : start + len(part.rows)]
            ]
            start += len(part.rows)
            scores.append(self._score_part(part, asked))
        return torch.cat(scores)

    def _score_part(self, part: _Part, asked: list[list[tuple[list[int], list[int], list[int]]]]) -> Tensor:
        tree, width = self.prompts.tree, self._queries_per_pass()
        n_rows = max(1, _NUMBERS // (min(width, len(asked[0])) * tree.n_nodes * self._n_vocabulary()))
        counts = tree.counts.to(self.lm.model.device)
        blocks = []
        for i in range(0, len(part.rows), n_rows):
            rows = part.rows[i : i + n_rows]
            pieces = []
            for k in range(0, len(asked[0]), width):
                branches = [
                    [Branch(tokens, parents, len(row), reads) for tokens, parents, reads in of_row[k : k + width]]
                    for row, of_row in zip(rows, asked[i : i + n_rows], strict=True)
                ]
                self._check_length(
                    max(len(r) + len(b.tokens) for r, of_row in zip(rows, branches, strict=True) for b in of_row)
                )
                kept = part.keys_values
                keys_values = rows_of(kept, i, i + n_rows) if kept is not None else read_contexts(self.lm.model, rows)
                found = read_branches(self.lm.model, keys_values, branches, tree.targets, tree.nodes)
                pieces.append(torch.where(counts, found, 0.0).sum(-1))
            blocks.append(torch.cat(pieces, dim=1))
        return torch.cat(blocks)

    def _branch(self, ids: list[int]) -> tuple[list[int], list[int], list[int]]:
        """A query's tokens and those of the labels' tree behind it, their parents, and where to read."""
        tokens = [*ids, *self.prompts.ask]
        root = len(tokens) - 1
        parents = list(range(-1, root))
        for parent, token in zip(self.prompts.tree.parents, self.prompts.tree.tokens, strict=True):
            parents.append(root + parent)
            tokens.append(token)
        return tokens, parents, list(range(root, len(tokens)))

    def _tokens(self, row: Row) -> list[int]:
        tokens = list(self.prompts.start)
        for ids, label in zip(self.prompts.inputs(row.inputs), row.labels, strict=True):
            tokens += self.prompts.example_ids(ids, label)
        return tokens

    def _slices(self, lengths: Sequence[int], n_reads: int) -> list[tuple[int, int]]:
        """Rows to read side by side, as (start, stop)."""
        most = max(1, _NUMBERS // (n_reads * self._n_vocabulary()))
        found, start = [], 0
        for stop in range(1, len(lengths) + 1):
            more = lengths[start : stop + 1]
            if stop == len(lengths) or len(more) > most or len(more) * max(more) > _TOKENS:
                found.append((start, stop))
                start = stop
        return found

    def _n_vocabulary(self) -> int:
        return int(self.lm.model.config.get_text_config(decoder=True).vocab_size)

    def _queries_per_pass(self) -> int:
        return max(1, min(QUERIES, _NUMBERS // (self.prompts.tree.n_nodes * self._n_vocabulary())))

    def _check_length(self, n_tokens: int) -> None:
        longest = self.lm.longest
        if longest is not None and n_tokens > longest:
            raise ValueError(
                f"context_x: expected a prompt of at most the {longest} tokens that {self.lm.source} reads, got {n_tokens};"
                " give fewer points, or write them with fewer digits"
            )

    def _cache_size(self) -> int:
        """Bytes of keys and values per token."""
        config = self.lm.model.config.get_text_config(decoder=True)
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        return 2 * int(config.num_hidden_layers) * int(heads) * int(width) * int(self.lm.model.dtype.itemsize)

    def _measured(self) -> tuple[float, int]:
        """Seconds and bytes of cache per token."""
        if self._speed is None:
            longest = self.lm.longest or 256
            row = (self.prompts.start * 256)[: min(256, longest)]
            with torch.no_grad():
                read_contexts(self.lm.model, [row[:8]])  # the first pass of a process takes longer
                begin = time.perf_counter()
                read_contexts(self.lm.model, [row])
                self._speed = ((time.perf_counter() - begin) / len(row), self._cache_size())
        return self._speed
