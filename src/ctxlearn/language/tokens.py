"""Prompts as tokens, and labels as a tree of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ctxlearn.language.text_format import TextFormat, Wording


@dataclass(frozen=True)
class LabelTree:
    """The tokens of all labels as a tree: labels that begin alike share nodes.

    Node 0 is the end of the prompt. Every other node is a token that some label goes on after.

    Attributes:
        parents: of each node from 1 on, its parent; a parent comes before its children.
        tokens: of each node from 1 on, its token.
        nodes: (K, T) int64: after which node the t-th token of label k is read.
        targets: (K, T) int64: that token.
        counts: (K, T) bool: whether label k has a t-th token.
    """

    parents: tuple[int, ...]
    tokens: tuple[int, ...]
    nodes: Tensor
    targets: Tensor
    counts: Tensor

    @property
    def n_nodes(self) -> int:
        """Places at which the next token's distribution is read, per query."""
        return len(self.parents) + 1


def label_tree(labels: Sequence[Sequence[int]]) -> LabelTree:
    """The tree of labels' tokens, none of which may be the beginning of another."""
    numbers: dict[tuple[int, ...], int] = {(): 0}
    parents, tokens = [], []
    for label in labels:
        for t in range(1, len(label)):
            path = tuple(label[:t])
            if path not in numbers:
                numbers[path] = len(numbers)
                parents.append(numbers[path[:-1]])
                tokens.append(path[-1])
    longest = max(len(label) for label in labels)
    nodes = torch.zeros(len(labels), longest, dtype=torch.int64)
    targets, counts = torch.zeros_like(nodes), torch.zeros_like(nodes, dtype=torch.bool)
    for k, label in enumerate(labels):
        for t, token in enumerate(label):
            nodes[k, t], targets[k, t], counts[k, t] = numbers[tuple(label[:t])], token, True
    return LabelTree(tuple(parents), tuple(tokens), nodes, targets, counts)


class Prompts(Wording):
    """A `TextFormat` in the tokens of one model.

    Parts are tokenized one by one, each behind what it follows in a prompt, so that a context's tokens do not depend on the
    query and equal inputs have equal tokens. That the whole text has the same tokens is checked on examples when this is made.

    Args:
        format: how tasks are written.
        tokenizer: the model's.
        n_features: d, numbers in an input.
        n_classes: C, or None for regression.

    Attributes:
        start: tokens in front of the first example, at least one.
        labels: the tokens of each label in a context, without what stands after it.
        tree: the tokens by which labels are scored.
        same_question: whether a query is asked as the examples are.

    Raises:
        ValueError: labels that cannot be told apart, or a format whose parts run into each other in this tokenizer.
    """

    def __init__(self, format: TextFormat, tokenizer: Any, n_features: int, n_classes: int | None) -> None:
        super().__init__(format, tokenizer, n_features, n_classes)
        self.tokenizer = tokenizer
        # a chat template writes its own beginning
        special = list(tokenizer("", add_special_tokens=True)["input_ids"]) if format.chat == "none" else []
        special = special[:1] if special and special[0] == tokenizer.bos_token_id else []
        self._sample = format.input([0] * n_features)
        self._head = self._between("", self.start_text, self._sample)
        self.start = special + self._head
        self.end = self._between(self.words[0], self.end_text, self._sample)
        self.answer = self._between(self._sample, self.answer_text, self.label_texts[0])
        self.ask = self._between(self._sample, self.ask_text, self.asked_texts[0])
        self.labels = [self._after(self._sample + self.answer_text, text) for text in self.label_texts]
        asked = [self._after(self._sample + self.ask_text, text) for text in self.asked_texts]
        self.same_question = self.ask == self.answer and asked == self.labels
        self.tree = label_tree(self._told_apart(asked))
        self._check_boundaries(n_features)

    def __deepcopy__(self, memo: object) -> Prompts:
        """Itself: nothing in it changes, and copying a tokenizer takes long."""
        return self

    @property
    def mean_label(self) -> float:
        """Tokens of a label in a context, the mean over labels."""
        return sum(map(len, self.labels)) / len(self.labels)

    def inputs(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of written inputs."""
        different = {text: self._after(self.end_text, text) for text in dict.fromkeys(texts)}
        return [different[text] for text in texts]

    def example_ids(self, ids: Sequence[int], label: int) -> list[int]:
        """The tokens of an example, from those of its input."""
        return [*ids, *self.answer, *self.labels[label], *self.end]

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []

    def _after(self, before: str, text: str) -> list[int]:
        """The tokens of `text` behind `before`: some tokenizers write a first word in another way than a later one."""
        if not text:
            return []
        head, whole = self._ids(before), self._ids(before + text)
        return whole[len(head) :] if whole[: len(head)] == head and len(whole) > len(head) else self._ids(text)

    def _between(self, before: str, text: str, after: str) -> list[int]:
        r"""The tokens of `text` between two others: `\n\n` is one token at the end of a text and two in front of a word, say."""
        whole, head, tail = self._ids(before + text + after), self._ids(before), self._after(text, after)
        middle = whole[len(head) : len(whole) - len(tail)]
        return middle if whole == head + middle + tail else self._after(before, text)

    def _told_apart(self, labels: list[list[int]]) -> list[list[int]]:
        """Labels' tokens of which none begins another, with what stands after a label where that is needed."""
        for tokens in (labels, [label + self.end[:1] for label in labels]):
            clash = _beginning(tokens)
            if clash is None:
                return tokens
        assert clash is not None
        first, second = (self.words[k] for k in clash)
        raise ValueError(
            f"labels: expected words that can be told apart by their tokens, got {first!r} and {second!r}; choose other words"
        )

    def _check_boundaries(self, n_features: int) -> None:
        top = 10**self.format.digits - 1
        values: list[list[int | None]] = [
            [0] * n_features,
            [top] * n_features,
            [None] * n_features,
            [top // 3] * n_features,
        ]
        values += [[(7 * i + k) % (top + 1) for i in range(n_features)] for k in range(8)]
        texts = [self.format.input(v) for v in values]
        ids = self.inputs(texts)
        step = max(1, len(self.words) // 32)  # of the numbers of regression some
        for i, label in enumerate([*range(0, len(self.words), step), len(self.words) - 1]):
            k = i % len(texts)
            parts = [(self.start_text, self._head)]
            for j in (k, (k + 1) % len(texts)):
                parts += [
                    (texts[j], ids[j]),
                    (self.answer_text, self.answer),
                    (self.label_texts[label], self.labels[label]),
                    (self.end_text, self.end),
                ]
            asked = self._after(texts[k] + self.ask_text, self.asked_texts[label])
            self._check_joint([*parts, (texts[k], ids[k]), (self.ask_text, self.ask), (self.asked_texts[label], asked)])

    def _check_joint(self, parts: list[tuple[str, list[int]]]) -> None:
        text, apart = "".join(t for t, _ in parts), [token for _, ids in parts for token in ids]
        whole = self._ids(text)
        if whole == apart:
            return
        at = next(
            (i for i, (a, b) in enumerate(zip(whole, apart, strict=False)) if a != b), min(len(whole), len(apart))
        )
        ends = list(itertools.accumulate(len(ids) for _, ids in parts))
        piece = next((part[0] for part, end in zip(parts, ends, strict=True) if end > at), parts[-1][0])
        shown = self.tokenizer.decode(whole[at : at + 1]) if at < len(whole) else ""
        raise ValueError(
            f"format: expected parts whose tokens stay apart, got {piece!r}, which this tokenizer joins with what is beside it"
            f" as {shown!r} (in {text[-60:]!r}); choose another separator or other labels"
        )


def _beginning(labels: list[list[int]]) -> tuple[int, int] | None:
    """Two labels of which the first's tokens begin the second's, or are the same."""
    for i, first in enumerate(labels):
        for j, second in enumerate(labels):
            if i != j and second[: len(first)] == first:
                return i, j
    return None
