"""A table's rows as text, for a language model to read."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ctxlearn.checks import check_int
from ctxlearn.language.loading import CausalLM
from ctxlearn.language.rows import CONTENT_FREE, RowClassifier, RowsCost, one_line

CALIBRATED_ROWS = 32
"""Most labelled rows each of which is left out in turn; the calibration of more is by a row that says nothing."""
COSTLY_SECONDS = 60.0


class LanguageWarning(UserWarning):
    """What a language model makes of a table: its cost, or letters in place of labels."""


class LanguageRows:
    """A language model that has the labelled rows of a table before it.

    Args:
        language: what `load_language_model` takes, or gives.
        table: (n, d), the labelled rows.
        y: their labels, (n,).
        orders: of the rows.
        seed: of the orders.
        target: what the label is called.

    Attributes:
        classes_: the labels, sorted, (C,).

    Raises:
        ValueError: a model that is not there, or a table that it cannot read; with what to do.
    """

    def __init__(
        self, language: Any, table: Any, y: NDArray[Any], *, orders: int = 2, seed: int = 0, target: str = "label"
    ) -> None:
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.rows = row_texts(table)
        if len(self.rows) != len(codes):
            raise ValueError(f"y: expected {len(self.rows)} labels, one per row of X, got {len(codes)}")
        self._reader: RowClassifier | None = None
        if len(self.classes_) < 2:
            return
        lm = language if isinstance(language, CausalLM) else CausalLM(language)
        self._reader = RowClassifier(
            lm,
            self.rows,
            codes.tolist(),
            [str(label) for label in self.classes_],
            target=target,
            orders=check_int("n_estimators", orders, minimum=1),
            calibration="leave-one-out" if len(self.rows) <= CALIBRATED_ROWS else "content-free",
            seed=seed,
        )

    @property
    def letters(self) -> dict[str, str]:
        """What stands for labels whose tokens cannot be told apart; empty where they stand as they are."""
        given = [one_line(str(label)) for label in self.classes_]
        words = given if self._reader is None else self._reader.words
        return {} if words == given else dict(zip(map(str, self.classes_), words, strict=True))

    def cost(self, table: Any) -> RowsCost:
        """What an answer for the rows of a table costs, before anything is read."""
        return RowsCost(0, 0.0, 0) if self._reader is None else self._reader.cost(row_texts(table))

    def predict_proba(self, table: Any) -> NDArray[np.float64]:
        """Probabilities of the classes, (q, C)."""
        texts = row_texts(table)
        if self._reader is None:
            return np.ones((len(texts), 1))
        return np.exp(self._reader.log_probabilities(texts))

    def warn(self, table: Any, tell: Callable[[str], None] | None = None) -> None:
        """Say what is not as expected, before the rows of a table are answered; by a warning, unless told how."""
        say = tell or (lambda text: warnings.warn(text, LanguageWarning, stacklevel=4))
        if self.letters:
            shown = ", ".join(f"{word} for {label!r}" for label, word in self.letters.items())
            say(f"labels: letters stand for labels that the model's tokens do not tell apart: {shown}")
        cost = self.cost(table)
        if cost.seconds > COSTLY_SECONDS:
            say(
                f"the language model reads {cost.tokens:,} tokens, about {cost.seconds:.0f} seconds; fewer rows cost less"
            )


def row_texts(table: Any) -> list[str]:
    """Each row of a table (q, d) as `column: value; column: value`, without what is missing."""
    frame = table if isinstance(table, pd.DataFrame) else pd.DataFrame(np.asarray(table, dtype=object))
    names = [one_line(str(name)) if isinstance(name, str) else f"column {name}" for name in frame.columns]
    columns = [[_cell(value) for value in frame.iloc[:, k]] for k in range(len(names))]
    rows = (
        "; ".join(f"{n}: {c}" for n, c in zip(names, cells, strict=True) if c) for cells in zip(*columns, strict=True)
    )
    return [row or CONTENT_FREE for row in rows]


def _cell(value: Any) -> str:
    if value is None or value is pd.NaT or value is pd.NA:
        return ""
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{value:g}"
    return one_line(str(value))
