"""How a task is written as text, before any tokenizer is asked."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ctxlearn.checks import check_choice, check_float, check_int, describe

CHATS = ("none", "turns", "one turn")


class Layout(NamedTuple):
    """The strings between the parts of a prompt.

    A prompt is `start`, then per example the input, `answer`, the label and `end`; then the query's input and `ask`. The label is
    what the model is to write next. Where `ask` is `answer`, each example is itself a question that has been answered.
    """

    start: str
    answer: str
    end: str
    ask: str


@dataclass(frozen=True)
class TextFormat:
    r"""How inputs, labels and what stands between them are written; the default is one line per example, `3,7 A\n`.

    Attributes:
        labels: the word for each class, at least as many as there are classes; None for A, B, C, ...
        digits: digits per number, in [1, 4]: numbers are written as integers from 0 to 10^digits - 1.
        label_digits: digits of a label of regression, in [1, 3].
        pad: fill numbers up with leading zeros.
        scale: which numbers fill the digits. "context": per feature, 2.5 standard deviations of a next point about the mean, as
            the context suggests them (about 0 or the one point, with deviation 1, where it has fewer than two different values). A number s > 0: from -s to s,
            whatever the context; all prefixes of a task then take one pass. Numbers beyond the end are written as the end.
        names: the features' names, as many as there are features: `height: 3, weight: 7` with `names=("height", "weight")`.
        between: what stands between two features.
        before_input: what stands before each input.
        before_label: what stands between an input and its label.
        after_label: what stands after each label.
        instruction: what stands before all examples.
        missing: what is written for NaN.
        chat: "none"; "turns": each input is a message of the user and each label one of the assistant, in the tokenizer's chat
            template; "one turn": all examples and the query are one message of the user, and the label begins the assistant's.

    Raises:
        ValueError: labels that are empty, blank or equal; a number out of range; the field is named.
    """

    labels: Sequence[str] | None = None
    digits: int = 1
    label_digits: int = 2
    pad: bool = True
    scale: float | str = "context"
    names: Sequence[str] | None = None
    between: str = ","
    before_input: str = ""
    before_label: str = " "
    after_label: str = "\n"
    instruction: str = ""
    missing: str = "?"
    chat: str = "none"

    def __post_init__(self) -> None:
        check_int("digits", self.digits, minimum=1, maximum=4)
        check_int("label_digits", self.label_digits, minimum=1, maximum=3)
        check_choice("chat", self.chat, CHATS)
        if isinstance(self.scale, str):
            check_choice("scale", self.scale, ("context",))
        else:
            check_float("scale", self.scale, above=0)
        if not isinstance(self.pad, bool):
            raise ValueError(f"pad: expected True or False, got {describe(self.pad)}")
        for name in ("between", "before_input", "before_label", "after_label", "instruction", "missing"):
            if not isinstance(getattr(self, name), str):
                raise ValueError(f"{name}: expected a string, got {describe(getattr(self, name))}")
        if not self.after_label and self.chat == "none":
            raise ValueError("after_label: expected something that ends an example ('\\n', say), got an empty string")
        for name in ("labels", "names"):
            words = getattr(self, name)
            if words is None:
                continue
            if isinstance(words, str) or not isinstance(words, Sequence) or not all(isinstance(w, str) for w in words):
                raise ValueError(f"{name}: expected a sequence of strings, got {describe(words)}")
            object.__setattr__(self, name, tuple(words))  # a file gives a list
        for i, word in enumerate(self.labels or ()):
            if not word.strip() or word != word.strip():
                raise ValueError(f"labels: expected words without blanks around them, got {word!r}")
            if word in (self.labels or ())[:i]:
                raise ValueError(f"labels: expected a different word per class, got {word!r} twice")

    def words(self, n_classes: int | None) -> list[str]:
        """What a label may be: a word per class, or every number of `label_digits` digits for regression.

        Raises:
            ValueError: fewer words than classes.
        """
        if n_classes is None:
            return [self.number(k, self.label_digits) for k in range(10**self.label_digits)]
        words = string.ascii_uppercase if self.labels is None else self.labels
        if len(words) < n_classes:
            raise ValueError(f"labels: expected a word for each of the {n_classes} classes, got {len(words)}")
        return list(words[:n_classes])

    def number(self, k: int, digits: int) -> str:
        """A non-negative integer as it is written."""
        return f"{k:0{digits}d}" if self.pad else str(k)

    def input(self, values: Sequence[int | None]) -> str:
        """An input as it is written: per feature an integer in [0, 10^digits), or None where it is missing."""
        cells = [self.missing if k is None else self.number(k, self.digits) for k in values]
        if self.names is not None:
            cells = [f"{name}: {cell}" for name, cell in zip(self.names, cells, strict=True)]
        return self.before_input + self.between.join(cells)

    def layout(self, tokenizer: Any) -> Layout:
        """The strings between the parts.

        Raises:
            ValueError: a chat format, and a tokenizer without a template or with one whose parts depend on each other.
        """
        if self.chat == "none":
            return Layout(self.instruction, self.before_label, self.after_label, self.before_label)
        if tokenizer is None or not getattr(tokenizer, "chat_template", None):
            raise ValueError(
                f"chat: expected a model with a chat template for {self.chat!r}, got one without; use 'none'"
            )
        if self.chat == "one turn":
            head, tail = _cut(tokenizer, 1)
            return Layout(head + self.instruction, self.before_label, self.after_label, tail)
        head, answer, end, again, second, ask = _cut(tokenizer, 5)
        if (answer, end) != (again, second) or ask != answer:
            raise ValueError(
                "chat: expected a template that writes every turn alike, got one that does not"
                f" ({answer!r} and {again!r}, {end!r} and {second!r}); use 'one turn'"
            )
        return Layout(head + self.instruction, answer, end, ask)


class Wording:
    """The words and separators of a format for one kind of tasks.

    A prompt that ends in a blank is no prompt that models have seen: tokenizers put the blank at the head of the word that follows. So
    blanks in front of a label belong to the label.

    Args:
        format: how tasks are written.
        tokenizer: needed for a chat template only.
        n_features: d, numbers in an input.
        n_classes: C, or None for regression.

    Attributes:
        words: what a label may be.
        start_text: in front of the first example; what ends an example where the format says nothing.
        answer_text: between an input and its label.
        label_texts: each label as it stands in a context.
        end_text: after a label.
        ask_text: after the query's input.
        asked_texts: each label as it is to follow.

    Raises:
        ValueError: fewer words than classes, or another number of names than features.
    """

    def __init__(self, format: TextFormat, tokenizer: Any, n_features: int, n_classes: int | None) -> None:
        if format.names is not None and len(format.names) != n_features:
            raise ValueError(f"names: expected a name for each of the {n_features} features, got {len(format.names)}")
        self.format = format
        self.words = format.words(n_classes)
        layout = format.layout(tokenizer)
        self.start_text, self.end_text = layout.start or layout.end, layout.end
        self.answer_text, self.ask_text = layout.answer.rstrip(" "), layout.ask.rstrip(" ")
        blank, asked_blank = layout.answer[len(self.answer_text) :], layout.ask[len(self.ask_text) :]
        self.label_texts = [blank + word for word in self.words]
        self.asked_texts = [asked_blank + word for word in self.words]

    def context(self, inputs: Sequence[str], labels: Sequence[int]) -> str:
        """Written inputs and the numbers of their labels' words, as the text in front of a query."""
        examples = zip(inputs, labels, strict=True)
        return self.start_text + "".join(
            text + self.answer_text + self.label_texts[label] + self.end_text for text, label in examples
        )


def _cut(tokenizer: Any, n_messages: int) -> list[str]:
    """What a chat template writes around `n_messages` messages (user and assistant in turn) and before an answer."""
    marks = [f"MESSAGE{k}HERE" for k in range(n_messages)]
    messages = [{"role": ("user", "assistant")[k % 2], "content": mark} for k, mark in enumerate(marks)]
    text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    parts = []
    for mark in marks:
        before, found, text = text.partition(mark)
        if not found:
            raise ValueError(
                "chat: expected a template that writes messages as they are, got one that changes them; use 'none'"
            )
        parts.append(before)
    return [*parts, text]
