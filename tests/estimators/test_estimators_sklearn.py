"""scikit-learn's own checks of both estimators, with the models that come with the package; none is expected to fail."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from ctxlearn import InContextClassifier, InContextRegressor


@parametrize_with_checks([InContextClassifier(), InContextRegressor()])
def test_scikit_learns_check(estimator, check):
    check(estimator)
