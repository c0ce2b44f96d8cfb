"""The estimators' answers: from the context's keys and values, against one forward pass a query."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.training import seconds
from ctxlearn import InContextClassifier
from ctxlearn.estimators.models import scaled_by_context
from ctxlearn.threads import available_cores, one_thread_per_operator

CONTEXT, FEATURES, ROWS = 40, 8, 1000


def main() -> None:
    """Print milliseconds for one row and for a thousand, and the ratio."""
    rng = np.random.default_rng(0)
    y = np.arange(CONTEXT) % 3
    x = rng.normal(size=(CONTEXT, FEATURES)) + y[:, None]
    rows = rng.normal(size=(ROWS, FEATURES))
    print(f"\nclassifier, context of {CONTEXT} rows, {FEATURES} features, 3 classes, {available_cores()} cores")
    for n_estimators in (1, 2, 8):
        classifier = InContextClassifier(n_estimators=n_estimators).fit(x, y)
        fit = seconds(lambda: classifier.fit(x, y), 9)  # noqa: B023
        one = seconds(lambda: classifier.predict_proba(rows[:1]), 51)  # noqa: B023
        many = seconds(lambda: classifier.predict_proba(rows), 9)  # noqa: B023
        print(f"{classifier.n_views_} views: fit {1000 * fit:.1f} ms, one row {1000 * one:.1f} ms,"
              f" {ROWS} rows {1000 * many:.0f} ms")  # fmt: skip
        each = seconds(lambda: one_pass_a_query(classifier, rows[:50]), 3) * ROWS / 50  # noqa: B023
        print(f"  one forward pass a query in place of {ROWS} rows: {1000 * each:.0f} ms; ratio {each / many:.0f}")


def one_pass_a_query(classifier: InContextClassifier, rows: np.ndarray) -> None:
    """What a model does that is given the context and one query each time."""
    fitted, learner = classifier._fitted, scaled_by_context(classifier.learner_)
    context = fitted.views.context(fitted.x, fitted.y, learner.n_features)
    queries = fitted.views.inputs(torch.from_numpy(rows), learner.n_features)
    with one_thread_per_operator(), torch.inference_mode():
        for i in range(len(rows)):
            learner(*context, queries[:, i : i + 1])
