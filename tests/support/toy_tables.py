"""Small tables and learners for the tests of estimators and of the command `predict`."""

import numpy as np

from ctxlearn.learners import ContextScaled, InContextTransformer, MissingAware
from ctxlearn.references import NearestNeighbor, Ridge


def untrained(n_features=20, n_classes=10, **changes):
    """A learner of the shipped form, small and with its first weights."""
    sizes = {"width": 16, "depth": 2, "heads": 2, "encoder": MissingAware(n_features, 16)} | changes
    if n_classes is None:
        sizes |= {"readout": "quantiles"}
    return ContextScaled(InContextTransformer(n_features, n_classes, **sizes))


def neighbour(n_features=20, n_classes=10):
    """A learner that needs no training."""
    return NearestNeighbor(n_features, n_classes)


def ridge(n_features=20):
    """A regression learner that needs no training."""
    return Ridge(n_features, None)


def blobs(n_rows=40, n_features=3, n_classes=3, seed=0, spread=0.1):
    """Rows around the centre of their class, in units of all sizes; every class is there."""
    rng = np.random.default_rng(seed)
    y = np.arange(n_rows) % n_classes
    centres = rng.permutation(n_classes * 2)[:n_classes, None] + rng.normal(size=(n_classes, n_features))
    x = centres[y] + spread * rng.normal(size=(n_rows, n_features))
    return x * 10.0 ** (np.arange(n_features) % 5), y


def plane(n_rows=40, n_features=3, seed=0):
    """Rows with a number that is linear in them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_rows, n_features))
    return x, 50 + 7 * x @ rng.normal(size=n_features)
