"""Free text as numbers: the words that tell rows apart, and what they have in common; scikit-learn's TF-IDF does the counting."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ctxlearn.tables.cells import Numbers, Text

ENOUGH = 10
"""Fewest rows of text from which something can be learned."""
N_WORDS, N_TOPICS, MOST_ROWS, MOST_WORDS = 32, 4, 1000, 2000
_WORD = re.compile(r"\w+")


def n_words(cell: str) -> int:
    """Words in a cell."""
    return len(_WORD.findall(cell))


def shares_words(cells: Sequence[str]) -> bool:
    """Whether some words stand in two cells or more, so that one row may say something of another."""
    seen = Counter(word for cell in cells for word in set(_WORD.findall(cell.lower())))
    return any(count > 1 for count in seen.values())


@dataclass(frozen=True)
class TextEncoder:
    """Numbers of a text: TF-IDF of the words that vary most between the context's rows, and its leading singular directions.

    Attributes:
        words: of two rows or more, with their inverse document frequencies.
        idf: of each word.
        shown: places of the words that are features of their own, at most `N_WORDS`.
        topics: singular directions over all words, at most `N_TOPICS` rows.
    """

    words: tuple[str, ...]
    idf: tuple[float, ...]
    shown: tuple[int, ...]
    topics: tuple[tuple[float, ...], ...]

    @classmethod
    def learn(cls, cells: Sequence[str]) -> TextEncoder | None:
        """From the texts of the context; None where no word stands in two of them."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        if not shares_words(cells):
            return None
        different = sorted(cells)[:: max(1, len(cells) // MOST_ROWS)]  # in an order that rows do not change
        vectorizer = TfidfVectorizer(token_pattern=r"\w+", min_df=2, max_features=MOST_WORDS)
        try:
            found = vectorizer.fit_transform(different).toarray()
        except ValueError:  # scikit-learn's way to say that no word is left
            return None
        rows_with = (found > 0).sum(0)
        order = np.argsort(-(rows_with * (len(found) - rows_with)), kind="stable")
        varied = order[rows_with[order] < len(found)][:N_WORDS]
        directions = np.linalg.svd(found, full_matrices=False)
        topics = directions.Vh[: int((directions.S[:N_TOPICS] > 1e-9).sum())]
        return cls(
            tuple(str(word) for word in vectorizer.get_feature_names_out()),
            tuple(vectorizer.idf_.tolist()),
            tuple(int(place) for place in sorted(varied)),
            tuple(tuple(row) for row in topics.tolist()),
        )

    @property
    def n_features(self) -> int:
        """Numbers per text."""
        return len(self.shown) + len(self.topics)

    def features(self, cells: Text) -> Numbers:
        """Numbers of texts, (n, n_features); NaN where missing."""
        found = np.full((len(cells), self.n_features), np.nan)
        present = [place for place, cell in enumerate(cells) if cell is not None]
        if present:
            weights = self._vectorizer.transform([cells[place] for place in present]).toarray()
            topics = weights @ np.array(self.topics).reshape(len(self.topics), len(self.words)).T
            found[present] = np.hstack([weights[:, list(self.shown)], topics])
        return found

    @cached_property
    def _vectorizer(self) -> Any:
        from sklearn.feature_extraction.text import TfidfVectorizer

        made = TfidfVectorizer(token_pattern=r"\w+", vocabulary=list(self.words))
        made.idf_ = np.array(self.idf)
        return made
