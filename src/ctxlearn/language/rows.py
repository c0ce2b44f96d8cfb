"""Rows of a table as text: a language model reads the labelled ones and names the label of others."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ctxlearn.checks import check_choice, check_int, describe
from ctxlearn.language.calibration import Calibration, fit_calibration
from ctxlearn.language.language_model import LanguageModel
from ctxlearn.language.loading import CausalLM
from ctxlearn.language.text_format import TextFormat
from ctxlearn.language.text_learner import Row
from ctxlearn.seeding import Stream, generator_for

CALIBRATIONS = ("leave-one-out", "content-free", "none")
CONTENT_FREE = "N/A"


@dataclass(frozen=True)
class RowsCost:
    """What rows cost, before they are read.

    Attributes:
        tokens: that the model reads.
        seconds: how long that takes at the speed of a short pass measured just now.
        longest: tokens of the longest prompt.
    """

    tokens: int
    seconds: float
    longest: int


class RowClassifier:
    """A language model that answers for rows of text from labelled ones.

    A prompt is the labelled rows, each followed by a line with its label, and then the row asked about. Labels stand as they are;
    where their tokens cannot be told apart, letters stand for them. The labelled rows are read in several orders, and the
    log-probabilities of the labels are averaged. Nothing is read before the first answer.

    A language model prefers some labels whatever it is asked. "leave-one-out" learns from the labelled rows how much: each is
    asked about after the others, and a slope and an offset per label are fitted to what comes out. This reads the context as
    many times as it has rows. "content-free" subtracts what the labels get for a row that says nothing (Zhao et al. 2021).

    Args:
        lm: what `load_language_model` gives.
        rows: n labelled rows.
        codes: the numbers of their labels, n integers in [0, C).
        labels: C >= 2 different ones.
        target: what the label is called.
        orders: of the labelled rows, drawn from `seed`.
        calibration: "leave-one-out", "content-free" or "none".
        seed: of the orders.

    Attributes:
        words: what stands for each label.

    Raises:
        ValueError: an argument out of range, or more tokens than the model reads; the argument is named.
    """

    def __init__(
        self,
        lm: CausalLM,
        rows: Sequence[str],
        codes: Sequence[int],
        labels: Sequence[str],
        *,
        target: str = "label",
        orders: int = 2,
        calibration: str = "leave-one-out",
        seed: int = 0,
    ) -> None:
        check_choice("calibration", calibration, CALIBRATIONS)
        if not isinstance(lm, CausalLM):
            raise ValueError(f"lm: expected what load_language_model gives, got {describe(lm)}")
        if len(labels) < 2:
            raise ValueError(f"labels: expected two or more, got {len(labels)}")
        self._rows, self._codes = _lines(rows), list(codes)
        if len(self._rows) != len(self._codes) or not self._rows:
            raise ValueError(f"codes: expected one per row, got {len(self._codes)} for {len(self._rows)} rows")
        for code in self._codes:
            check_int("codes", code, minimum=0, maximum=len(labels) - 1)
        self.calibration = calibration
        self.orders = check_int("orders", orders, minimum=1)
        self._learner, self.words = _reader(lm, [str(label) for label in labels], one_line(target) or "label")
        generator = generator_for(check_int("seed", seed, minimum=0), Stream.REFERENCE, len(self._rows))
        self._orders = [torch.randperm(len(self._rows), generator=generator).tolist() for _ in range(self.orders)]
        self._read: Any = None
        self._calibration: Calibration | None = None
        self._check_length(self.cost([]).longest, f"{len(self._rows)} labelled rows")

    def cost(self, rows: Sequence[str]) -> RowsCost:
        """What the labelled rows, their calibration and these rows cost, each in every order."""
        prompts = self._learner.prompts
        own, theirs = ([len(ids) for ids in prompts.inputs(part)] for part in (self._rows, _lines(rows)))
        rest = len(prompts.answer) + len(prompts.end) + max(map(len, prompts.labels))
        context = len(prompts.start) + sum(own) + len(own) * rest
        asked = [length + len(prompts.ask) + prompts.tree.n_nodes for length in theirs]
        tokens = context + sum(asked)
        if self.calibration == "leave-one-out":
            tokens += len(own) * context
        tokens *= self.orders
        sample = self._learner.cost(8, 0)
        return RowsCost(tokens, tokens * sample.seconds / sample.tokens, context + max(asked, default=0))

    def log_probabilities(self, rows: Sequence[str]) -> NDArray[np.float64]:
        """Of the labels of q rows, (q, C); they sum to one in each row.

        Raises:
            ValueError: a row that is too long.
        """
        if not rows:
            return np.empty((0, len(self.words)))
        lines = _lines(rows)
        self._check_length(self.cost(lines).longest, f"{len(self._rows)} labelled rows and the longest row asked about")
        with torch.inference_mode():
            if self._calibration is None:
                self._read = self._learner._read([self._context(order) for order in self._orders])
                self._calibration = self._calibrated()
            scores = self._learner._score(self._read, [lines] * self.orders)
        return self._calibration(_together(scores))

    def prompt(self, row: str) -> str:
        """The text that is read before the label of a row, in the first order."""
        context, prompts = self._context(self._orders[0]), self._learner.prompts
        return prompts.context(context.inputs, context.labels) + one_line(row) + prompts.ask_text

    def _context(self, order: Sequence[int]) -> Row:
        return Row(tuple(self._rows[i] for i in order), tuple(self._codes[i] for i in order))

    def _calibrated(self) -> Calibration:
        n, n_classes = len(self._rows), len(self.words)
        if self.calibration == "content-free":
            scores = self._learner._score(self._read, [[CONTENT_FREE]] * self.orders)
            return Calibration(1.0, -_together(scores)[0])
        if self.calibration == "none" or n < 2:
            return Calibration(1.0, np.zeros(n_classes))
        told = torch.zeros(self.orders, n, n_classes)
        for k, order in enumerate(self._orders):
            for left in range(n):  # one by one: n contexts side by side would take gigabytes
                without = self._learner._read([self._context([i for i in order if i != left])])
                told[k, left] = self._learner._score(without, [[self._rows[left]]])[0, 0].cpu()
        return fit_calibration(_together(told), np.array(self._codes))

    def _check_length(self, n_tokens: int, what: str) -> None:
        longest = self._learner.lm.longest
        if longest is not None and n_tokens > longest:
            raise ValueError(
                f"X: expected a prompt of at most the {longest} tokens that {self._learner.lm.source} reads, got {n_tokens} with {what};"
                " give fewer rows, leave out columns (--only, --drop), or shorten the text"
            )


def one_line(text: str) -> str:
    """Text without line breaks and double blanks, since a line break ends a row."""
    return " ".join(str(text).split())


def _lines(rows: Sequence[str]) -> list[str]:
    return [one_line(row) or CONTENT_FREE for row in rows]


def _together(scores: Tensor) -> NDArray[np.float64]:
    """Log-probabilities of words in each order (orders, q, C), as log-probabilities among the labels (q, C)."""
    found: NDArray[np.float64] = scores.double().log_softmax(-1).mean(0).log_softmax(-1).cpu().numpy()
    return found


def _reader(lm: CausalLM, labels: list[str], target: str) -> tuple[LanguageModel, list[str]]:
    """A learner that writes labels as they are, or by letters where it must."""
    given = [one_line(label) for label in labels]
    letters = [_letters(k) for k in range(len(labels))]
    layouts: tuple[dict[str, Any], ...] = (
        {"before_label": f"\n{target}: "},
        {"before_label": f" {target}: "},
        {"before_label": " -> "},
    )
    refused = ""
    for words in (given, letters):
        for layout in layouts:
            try:
                format = TextFormat(labels=words, **layout)
                return LanguageModel(lm, 1, len(labels), format, labellings="one"), words
            except ValueError as error:
                if not str(error).startswith(("labels:", "format:")):
                    raise
                refused = str(error)
    raise ValueError(refused)


def _letters(k: int) -> str:
    """A, B, ..., Z, AA, AB, ..."""
    first, last = divmod(k, 26)
    return (_letters(first - 1) if first else "") + string.ascii_uppercase[last]
