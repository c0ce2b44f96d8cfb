"""What kernel regressions on the context tell an advised learner."""

import pytest
import torch

from ctxlearn.learners import InContextTransformer, KernelFeatures, Learner
from ctxlearn.learners.kernel_features import ADVISERS
from ctxlearn.references import Ridge

D, C = 4, 3


class Heard(Learner):
    """Answers with what it is told of a query: the last features."""

    def __init__(self, n_features, n_classes):
        super().__init__(n_features, n_classes)
        self.told = None

    def adapt(self, context_x, context_y):
        return context_x

    def predict(self, state, query_x):
        return query_x

    def predict_for_loss(self, state, query_x):
        return state


def advised(n_classes):
    return KernelFeatures(Heard(D + len(ADVISERS) * (n_classes or 1), n_classes))


@pytest.fixture
def episode(generator):
    x, query = torch.randn(5, 9, D, generator=generator), torch.randn(5, 6, D, generator=generator)
    return x, torch.randint(C, (5, 9), generator=generator), query


def test_features_come_through_and_advice_follows(episode):
    x, y, query = episode
    learner = advised(C)
    assert learner.n_features == D
    state = learner.adapt(x, y)
    told = learner.predict(state, query)
    assert told.shape == (5, 6, D + 3 * C)
    assert torch.equal(told[..., :D], query)
    assert torch.equal(learner.predict_for_loss(state, query)[..., :D], x)


def test_a_context_point_is_told_what_the_others_say_of_it(episode):
    x, y, _ = episode
    learner = advised(C)
    told = learner.predict_for_loss(learner.adapt(x, y), x[:, :0])
    for i in range(9):
        rest = [j for j in range(9) if j != i]
        without = learner.adapt(x[:, rest], y[:, rest])
        alone = learner.predict(without, x[:, i : i + 1])[:, 0]
        assert torch.allclose(told[:, i], alone, atol=1e-5)


def test_the_linear_advice_is_ridge_regression(generator):
    x, query = torch.randn(3, 8, D, generator=generator), torch.randn(3, 5, D, generator=generator)
    y = torch.randn(3, 8, generator=generator)
    learner = advised(None)
    told = learner.predict(learner.adapt(x, y), query)[..., D:]
    with_ones = [torch.cat([p / D**0.5, torch.ones_like(p[..., :1])], dim=-1) for p in (x, query)]
    for k, (kernel, penalty) in enumerate(ADVISERS):
        if kernel == "linear":
            ridge = Ridge(D + 1, None, penalty=penalty, intercept=False)
            assert torch.allclose(told[..., k], ridge(with_ones[0], y, with_ones[1]), atol=1e-4)


def test_points_far_from_all_others_are_told_the_average_by_neighbours(episode):
    x, y, query = episode
    learner = advised(C)
    told = learner.predict(learner.adapt(x, y), query + 1000.0)[..., D + 2 * C :]
    assert told.isfinite().all()
    assert (told.amax(1) - told.amin(1)).abs().max() < 1e-6


def test_gaps_are_zeros_for_the_advice(episode):
    x, y, query = episode

    class Gappy(Heard):
        accepts_missing = True

    learner = KernelFeatures(Gappy(D + 3 * C, C))
    gappy = query.clone()
    gappy[:, 0, 1] = torch.nan
    state = learner.adapt(x, y)
    told, filled = (learner.predict(state, q)[..., D:] for q in (gappy, gappy.nan_to_num()))
    assert torch.equal(told, filled)
    assert learner.predict(state, gappy)[:, 0, 1].isnan().all()
    with pytest.raises(ValueError, match="query_x: expected finite numbers, got a missing value"):
        advised(C).predict(state, gappy)


@pytest.mark.parametrize("n", [0, 1])
def test_little_context_gives_little_advice(episode, n):
    x, y, query = episode
    learner = advised(C)
    state = learner.adapt(x[:, :n], y[:, :n])
    assert not learner.predict_for_loss(state, query)[..., D:].abs().gt(1e-6).any()
    assert learner.predict(state, query).isfinite().all()


def test_equal_points_of_different_labels_are_no_trouble(episode):
    x, y, query = episode
    learner = advised(C)
    assert learner(x[:, :1].expand_as(x), y, query).isfinite().all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: KernelFeatures("ridge"), "learner: expected a Learner"),
        (
            lambda: KernelFeatures(InContextTransformer(9, 3)),
            "expected one of more than 9 features, the last 9 for advice",
        ),
        (lambda: KernelFeatures(InContextTransformer((4, 4), None)), "more than 3 features"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
