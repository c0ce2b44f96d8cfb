"""The claims of the study `tables`. What is asked was fixed before the model was measured on the untouched tables."""

from __future__ import annotations

import pandas as pd

from ctxlearn.evaluation.statistics import CLAIM_LEVEL, Interval, mean_interval, simultaneous_level, verdict
from ctxlearn.studies.claims import Claim, decide
from ctxlearn.studies.tables.contestants import RANKED, SHIPPED
from ctxlearn.studies.tables.ranking import lead, rank, table_scores

FEW = 32
"""Up to this many rows the shipped model shall have the best average rank."""
MANY = 64
"""At this many it shall not be significantly behind the best."""
MARGIN = 0.01
"""Accuracy that counts as no loss at `MANY` rows."""
MEASURED = {"accuracy": "accuracy", "log_loss": "log-loss", "auc": "area under the ROC curve"}


def decide_claims(draws: pd.DataFrame, sizes: tuple[int, ...], side: str) -> list[Claim]:
    """Every claim.

    Args:
        draws: what was measured on the tables that the claims are about.
        sizes: of the contexts.
        side: which tables these are, "untouched" or "development".
    """
    few = tuple(n for n in sizes if n <= FEW)
    name = f"best-rank-up-to-{FEW}"
    return [
        _best_rank(draws, "accuracy", few, name, f"up to {FEW} rows", 1, side),
        _not_behind(draws, side),
        _nearly_as_accurate(draws, side),
        *(_best_rank(draws, "accuracy", (n,), f"best-rank-at-{n}", "each size", len(sizes), side) for n in sizes),
        _best_rank(draws, "log_loss", few, f"{name}-by-log-loss", "other measures", 2, side),
        _best_rank(draws, "auc", few, f"{name}-by-auc", "other measures", 2, side),
    ]


def _best_rank(
    draws: pd.DataFrame, measure: str, sizes: tuple[int, ...], id: str, group: str, together: int, side: str
) -> Claim:
    found = lead(rank(table_scores(draws, measure, sizes, RANKED), measure), SHIPPED, together=together)
    where = f"{sizes[0]} rows" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]} rows"
    return _claim(
        id,
        f"With {where} of context the shipped model has the best average rank by {MEASURED[measure]} on the {side} tables",
        f"average rank of the best rival ({found.rival}) minus the model's, of {len(RANKED)} learners, over tables",
        (found.value, found.low, found.high, found.n_tables),
        threshold=0.0,
        together=together,
        group=group,
    )


def _not_behind(draws: pd.DataFrame, side: str) -> Claim:
    ranking = rank(table_scores(draws, "accuracy", (MANY,), RANKED), "accuracy")
    found = lead(ranking, SHIPPED, together=2)
    return _claim(
        f"not-behind-at-{MANY}",
        f"With {MANY} rows of context the shipped model's average rank by accuracy on the {side} tables is not significantly behind the best",
        f"average rank of the best rival ({found.rival}) minus the model's, against Nemenyi's critical difference of "
        f"{ranking.critical_difference:.2f} ranks over {found.n_tables} tables",
        (found.value, found.low, found.high, found.n_tables),
        threshold=-ranking.critical_difference,
        together=2,
        group=f"{MANY} rows",
    )


def _nearly_as_accurate(draws: pd.DataFrame, side: str) -> Claim:
    scores = table_scores(draws, "accuracy", (MANY,), RANKED)
    rival = str(scores.drop(columns=SHIPPED).mean().idxmax())
    return decide(
        f"accuracy-at-{MANY}",
        f"With {MANY} rows of context the shipped model's accuracy on the {side} tables is less than {100 * MARGIN:g} point behind that of the best rival",
        f"accuracy of the model minus that of {rival}, the most accurate rival on average, paired over tables",
        (scores[SHIPPED] - scores[rival]).to_numpy()[None],
        threshold=-MARGIN,
        together=2,
        group=f"{MANY} rows",
    )


def _claim(
    id: str,
    claim: str,
    statistic: str,
    found: tuple[float, float, float, int],
    *,
    threshold: float,
    together: int,
    group: str,
) -> Claim:
    value, low, high, n_tables = found
    interval = Interval(value, low, high, n_tables, 1, simultaneous_level(CLAIM_LEVEL, together))
    return Claim(
        id,
        f"{claim} (this trained model; one seed)",
        statistic,
        value,
        low,
        high,
        threshold,
        "above",
        verdict(interval, threshold, "above"),
        n_tables,
        1,
        group,
    )


def differences(draws: pd.DataFrame, sizes: tuple[int, ...]) -> pd.DataFrame:
    """Accuracy of the shipped model minus each rival's, paired over tables: one row a rival and context size, 95 % intervals."""
    rows = []
    for n in sizes:
        scores = table_scores(draws, "accuracy", (n,), RANKED)
        for rival in RANKED:
            if rival != SHIPPED:
                interval = mean_interval((scores[SHIPPED] - scores[rival]).to_numpy())
                rows.append(
                    {
                        "rival": rival,
                        "n_context": n,
                        "difference": interval.value,
                        "low": interval.low,
                        "high": interval.high,
                        "n_tables": interval.n_tasks,
                    }
                )
    return pd.DataFrame(rows)
