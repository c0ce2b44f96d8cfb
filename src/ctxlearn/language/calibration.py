"""How a language model's preference for some labels is taken out again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

SLOPE_DEVIATION = 0.5
OFFSET_DEVIATION = 2.0
"""Standard deviations of the normal priors of the slope, about 1, and of the offsets, about 0: few rows move them little."""


@dataclass(frozen=True)
class Calibration:
    """Log-probabilities (q, C) become log softmax(slope * log-probabilities + offsets).

    Attributes:
        slope: above 1 for a model that is too timid, below for one that is too sure; at least 0.
        offsets: (C,).
    """

    slope: float
    offsets: NDArray[np.float64]

    def __call__(self, told: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated log-probabilities, (q, C)."""
        found: NDArray[np.float64] = log_softmax(self.slope * told + self.offsets, axis=1)
        return found


def fit_calibration(told: NDArray[np.float64], codes: NDArray[np.int64]) -> Calibration:
    """The likeliest calibration of log-probabilities (n, C) for n labels, under the priors.

    Source: Platt 1999, for several classes; the priors are those above.
    """
    n, n_classes = told.shape
    right = np.eye(n_classes)[codes]

    def cost(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        slope, offsets = theta[0], theta[1:]
        logs = log_softmax(slope * told + offsets, axis=1)
        gap = np.exp(logs) - right
        prior = ((slope - 1) / SLOPE_DEVIATION) ** 2 + np.square(offsets / OFFSET_DEVIATION).sum()
        slopes = np.concatenate(
            [
                [(gap * told).sum() + (slope - 1) / SLOPE_DEVIATION**2],
                gap.sum(0) + offsets / OFFSET_DEVIATION**2,
            ]
        )
        return float(-logs[np.arange(n), codes].sum() + prior / 2), slopes

    start = np.concatenate([[1.0], np.zeros(n_classes)])
    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None), *[(None, None)] * n_classes])
    return Calibration(float(found.x[0]), found.x[1:])
