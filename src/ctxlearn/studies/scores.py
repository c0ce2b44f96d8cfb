"""What a study measured: accuracy per task and context length of every learner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ctxlearn.evaluation.curves import task_interval
from ctxlearn.studies.drawing import Curve


@dataclass(frozen=True)
class Scores:
    """Accuracy per task and context length of every learner that was measured.

    Attributes:
        values: (learner, trained on, family) -> (S, T, N); references are trained on "".
        n_seeds: S.
    """

    values: dict[tuple[str, str, str], np.ndarray]
    n_seeds: int

    def per_task(self, learner: str, trained_on: str, family: str) -> np.ndarray:
        """(S, T) accuracy in % of each task, averaged over the context lengths 1..N-1."""
        return np.asarray(100 * self.values[learner, trained_on, family][..., 1:].mean(-1))

    def curve(self, learner: str, trained_on: str, family: str) -> Curve:
        """Accuracy at each length: over tasks for one seed, over the seeds' means for several."""
        values = self.values[learner, trained_on, family]
        if self.n_seeds == 1:
            return Curve(values[0].mean(0), *task_interval(values[0], bounded=True))
        low, high = task_interval(values.mean(1), bounded=False)
        return Curve(values.mean((0, 1)), low, high)

    def results(self) -> pd.DataFrame:
        """The tidy table: one row a learner, family, context length and seed."""
        rows = []
        for (learner, trained_on, family), values in self.values.items():
            for seed, part in enumerate(values):
                low, high = task_interval(part, bounded=True)
                columns = {"learner": learner, "trained_on": trained_on, "family": family}
                rows.append(
                    pd.DataFrame(
                        {
                            **columns,
                            "n_context": np.arange(part.shape[1]),
                            "seed": seed,
                            "mean": part.mean(0),
                            "low": low,
                            "high": high,
                            "n_tasks": len(part),
                        }
                    )
                )
        return pd.concat(rows, ignore_index=True)
