"""How an answer is scored: accuracy, log-loss, area under the ROC curve, and how often it is as right as it says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

MIXED_IN = 0.01
"""Share of the uniform distribution mixed into everyone's probabilities before log-loss is taken.

A forest, or neighbours that agree, says 0 where it means "not seen", and one such answer would make the mean infinite."""
N_BINS = 10


def log_losses(shares: NDArray[np.float64], y: NDArray[np.int64]) -> NDArray[np.float64]:
    """-log of the probability of each row's class, (q,), in nats."""
    mixed = (1 - MIXED_IN) * shares + MIXED_IN / shares.shape[1]
    losses: NDArray[np.float64] = -np.log(mixed[np.arange(len(y)), y])
    return losses


def area_under_curve(shares: NDArray[np.float64], y: NDArray[np.int64]) -> float:
    """Area under the ROC curve, for more than two classes the mean of each against the rest; NaN where one class is asked.

    Classes that no query has, or all have, are left out of the mean. Ties count half.
    """
    columns = [1] if shares.shape[1] == 2 else range(shares.shape[1])
    areas = []
    for c in columns:
        inside = y == c
        n_in, n_out = int(inside.sum()), int((~inside).sum())
        if n_in and n_out:
            ranks = rankdata(shares[:, c])[inside].sum()
            areas.append((ranks - n_in * (n_in + 1) / 2) / (n_in * n_out))
    return float(np.mean(areas)) if areas else float("nan")


def calibration_counts(shares: NDArray[np.float64], y: NDArray[np.int64]) -> NDArray[np.float64]:
    """Answers by confidence, the probability of the class answered: (10 bins, [answers, sum of confidence, right])."""
    best = shares.argmax(1)
    confidence = shares[np.arange(len(y)), best]
    bins = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
    rows = (np.ones(len(y)), confidence, (best == y).astype(float))
    return np.stack([np.bincount(bins, weights=row, minlength=N_BINS) for row in rows], axis=1)
