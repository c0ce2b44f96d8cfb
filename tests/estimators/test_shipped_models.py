"""The models that come with the package, on tasks of their own prior that no training has seen."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

from ctxlearn import InContextClassifier, InContextRegressor
from ctxlearn.estimators.models import find_learner
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.tasks import TabularClassification, TabularRegression

N_CONTEXT, N_TASKS = 32, 40


def tasks(family):
    """Contexts and queries without gaps, one task after the other."""
    drawn = family(missing=0).sample(N_TASKS, 3 * N_CONTEXT, generator=generator_for(0, Stream.TEST))
    for x, y in zip(drawn.x.double().numpy(), drawn.y.numpy(), strict=True):
        yield x[:N_CONTEXT], y[:N_CONTEXT], x[N_CONTEXT:], y[N_CONTEXT:]


@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_they_are_small_and_take_what_the_estimators_promise(kind):
    learner = find_learner(None, kind)
    assert sum(p.numel() for p in learner.parameters()) <= 1_200_000
    assert learner.accepts_missing
    assert learner.ignores_feature_order
    assert learner.n_features == 100
    assert learner.n_classes == (10 if kind == "classifier" else None)


def test_the_classifier_is_right_more_often_than_neighbours_and_as_sure_as_it_should_be():
    ahead, surety, right = [], [], []
    for x, y, asked, answers in tasks(TabularClassification):
        proba = InContextClassifier().fit(x, y).predict_proba(asked)
        classes = np.unique(y)
        hit = classes[proba.argmax(1)] == answers
        scaler = StandardScaler().fit(x)
        nearest = KNeighborsClassifier(1).fit(scaler.transform(x), y)
        ahead.append(hit.mean() - nearest.score(scaler.transform(asked), answers))
        known = np.isin(answers, classes)
        surety.append(proba.max(1)[known].mean())
        right.append(hit[known].mean())
    assert np.mean(ahead) - 2 * np.std(ahead) / N_TASKS**0.5 > 0
    gap = np.array(surety) - right
    assert abs(gap.mean()) < 0.05 + 2 * gap.std() / N_TASKS**0.5


def test_the_regressor_is_nearer_than_neighbours_and_its_quantiles_cover_what_they_say():
    ahead, covered = [], []
    for x, y, asked, answers in tasks(TabularRegression):
        regressor = InContextRegressor().fit(x, y)
        scaler = StandardScaler().fit(x)
        nearest = KNeighborsRegressor(3).fit(scaler.transform(x), y)
        errors = [
            np.abs(p - answers).mean() for p in (nearest.predict(scaler.transform(asked)), regressor.predict(asked))
        ]
        ahead.append(errors[0] - errors[1])
        low, high = regressor.predict_quantiles(asked, [0.05, 0.95]).T
        covered.append(((answers >= low) & (answers <= high)).mean())
    assert np.mean(ahead) - 2 * np.std(ahead) / N_TASKS**0.5 > 0
    assert abs(np.mean(covered) - 0.9) < 0.05 + 2 * np.std(covered) / N_TASKS**0.5
