"""How alike a predictor and known algorithms are on one context."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ctxlearn.checks import check_inputs, check_labels
from ctxlearn.identification.candidates import default_candidates
from ctxlearn.identification.predictors import as_answers
from ctxlearn.identification.probes import probes_of
from ctxlearn.identification.responses import respond
from ctxlearn.identification.views import products, views_of


def agreement(
    predictor: object,
    context_x: Tensor,
    context_y: Tensor,
    query_x: Tensor,
    candidates: Mapping[str, object] | None = None,
    *,
    n_classes: int | None = 2,
    seed: int = 0,
) -> dict[str, float]:
    """Compare a predictor with algorithms on one context alone: the total of `identify`, best first.

    One context decides nothing: use `identify` for a verdict with intervals. This shows what the answers look like here.

    Args:
        predictor: as for `identify`.
        context_x: (n, *shape), n >= 1.
        context_y: (n,) int64, or numbers.
        query_x: (q, *shape), q >= 2.
        candidates: by name; None for `default_candidates`.
        n_classes: C, or None for regression.
        seed: of the labels that are changed, one at a time.

    Returns:
        The cosine of all views in [-1, 1] for each candidate; 1 is the same algorithm.

    Raises:
        ValueError: a context or queries that cannot be read, or a predictor that answers something else than scores.
    """
    shape = tuple(context_x.shape[1:]) or (1,)
    x = check_inputs("context_x", context_x[None], shape)
    y = check_labels("context_y", context_y[None], (1, len(context_x)), n_classes)
    queries = check_inputs("query_x", query_x[None], shape)
    if x.shape[1] < 1 or queries.shape[1] < 2:
        raise ValueError(
            f"expected a context of at least 1 point and 2 queries or more, got {x.shape[1]} and {queries.shape[1]}"
        )
    probes = probes_of(x, y, queries, n_classes, torch.Generator().manual_seed(seed))
    known = default_candidates(shape[0] if len(shape) == 1 else shape, n_classes) if candidates is None else candidates
    own = views_of(respond(as_answers("predictor", predictor, n_classes), probes, threads=1), probes)
    found = {}
    for name, candidate in known.items():
        theirs = views_of(respond(as_answers(f"candidates[{name!r}]", candidate, n_classes), probes, threads=1), probes)
        found[name] = float(products(own, theirs).cosines(np.ones((1, 1)))[0])
    return dict(sorted(found.items(), key=lambda item: -item[1]))
