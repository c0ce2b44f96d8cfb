"""The claims of the study `tables`. What is asked was fixed before the model was measured on the untouched tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ctxlearn import lab
from ctxlearn.real_tables.models import RANKED, SHIPPED
from ctxlearn.real_tables.ranking import Lead, rank, table_scores

FEW = 32
"""Up to this many rows the shipped model should have the best average rank."""
MANY = 64
"""At this many it should not be significantly behind the best."""
MARGIN = 0.01
"""Accuracy that counts as no loss at `MANY` rows."""
MEASURED = {"accuracy": "accuracy", "log_loss": "log-loss", "auc": "area under the ROC curve"}


def decide_claims(draws: pd.DataFrame, sizes: tuple[int, ...], side: str) -> list[lab.Claim]:
    """Every claim.

    Args:
        draws: what was measured on the tables that the claims are about.
        sizes: of the contexts.
        side: which tables these are, "untouched" or "development".
    """
    few = tuple(n for n in sizes if n <= FEW)
    name = f"best-rank-up-to-{FEW}"
    groups = {
        f"up to {FEW} rows": [_best_rank(draws, "accuracy", few, name, side)],
        f"{MANY} rows": [_not_behind(draws, side), _nearly_as_accurate(draws, side)],
        "each size": [_best_rank(draws, "accuracy", (n,), f"best-rank-at-{n}", side) for n in sizes],
        "other measures": [
            _best_rank(draws, "log_loss", few, f"{name}-by-log-loss", side),
            _best_rank(draws, "auc", few, f"{name}-by-auc", side),
        ],
    }
    return [claim for group, says in groups.items() for claim in lab.together(group, says)]


def _best_rank(draws: pd.DataFrame, measure: str, sizes: tuple[int, ...], id: str, side: str) -> lab.Says:
    lead = Lead(rank(table_scores(draws, measure, sizes, RANKED), measure), SHIPPED)
    where = f"{sizes[0]} rows" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]} rows"
    return lab.Says(
        id,
        f"With {where} of context the shipped model has the best average rank by {MEASURED[measure]} on the {side} tables",
        f"average rank of the best rival ({lead.rival}) minus the model's, of {len(RANKED)} learners, over tables",
        lead,
    )


def _not_behind(draws: pd.DataFrame, side: str) -> lab.Says:
    ranking = rank(table_scores(draws, "accuracy", (MANY,), RANKED), "accuracy")
    lead = Lead(ranking, SHIPPED)
    return lab.Says(
        f"not-behind-at-{MANY}",
        f"With {MANY} rows of context the shipped model's average rank by accuracy on the {side} tables is not significantly behind the best",
        f"average rank of the best rival ({lead.rival}) minus the model's, against Nemenyi's critical difference of "
        f"{ranking.critical_difference:.2f} ranks over {lead.n_tables} tables",
        lead,
        threshold=-ranking.critical_difference,
    )


def _nearly_as_accurate(draws: pd.DataFrame, side: str) -> lab.Says:
    scores = table_scores(draws, "accuracy", (MANY,), RANKED)
    rival = str(scores.drop(columns=SHIPPED).mean().idxmax())
    gap = np.asarray((scores[SHIPPED] - scores[rival]).to_numpy())
    return lab.Says(
        f"accuracy-at-{MANY}",
        f"With {MANY} rows of context the shipped model's accuracy on the {side} tables is less than {100 * MARGIN:g} point behind that of the best rival",
        f"accuracy of the model minus that of {rival}, the most accurate rival on average, paired over tables",
        lab.Paired(gap[None], (0,), ("tables",)),
        threshold=-MARGIN,
    )
