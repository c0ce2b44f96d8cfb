"""Learners behind scaling by the context, missing values, and quantiles."""

import math

import pytest
import torch
from torch import nn

from ctxlearn.episodes import Tasks
from ctxlearn.learners import CNP, MLP, ContextScaled, InContextTransformer, MissingAware, ProtoNet, quantile_levels
from ctxlearn.learners.quantiles import pinball
from ctxlearn.references import LinearGaussian
from ctxlearn.tasks import LinearRegression
from ctxlearn.training import AllPrefixes, RandomSplit

D = 5


def transformer(n_classes, readout="linear"):
    encoder = MissingAware(D, 16, hidden=16)
    return InContextTransformer(D, n_classes, width=16, depth=2, heads=2, encoder=encoder, readout=readout)


def classifier(sort=True):
    return ContextScaled(transformer(3), sort=sort).eval()


def regressor():
    return ContextScaled(transformer(None, "quantiles")).eval()


@pytest.fixture
def episode(generator):
    x, query = torch.randn(4, 12, D, generator=generator), torch.randn(4, 7, D, generator=generator)
    return x, torch.randint(3, (4, 12), generator=generator), query


def same(first, second, tolerance=1e-4):
    assert torch.allclose(first, second, rtol=tolerance, atol=tolerance), float((first - second).abs().max())


@pytest.mark.parametrize("size", [1e-20, 1e-3, 1e4, 1e30])
def test_units_of_features_mean_nothing(episode, size, generator):
    x, y, query = episode
    factor = size * (torch.rand(D, generator=generator) + 0.5) * torch.tensor([1.0, -1.0, 1.0, 1.0, -1.0])
    shift = factor * torch.randn(D, generator=generator)
    flipped = torch.tensor([1.0, -1.0, 1.0, 1.0, -1.0])  # a negative factor is the mirrored feature
    for learner in (classifier(), classifier(sort=False)):
        same(
            learner(x * factor + shift, y, query * factor + shift),
            learner(x * flipped, y, query * flipped),
            tolerance=1e-3,
        )


def test_sorted_features_may_come_in_any_order(episode, generator):
    x, y, query = episode
    order = torch.randperm(D, generator=generator)
    learner = classifier()
    same(learner(x[..., order], y, query[..., order]), learner(x, y, query))
    unsorted = classifier(sort=False)
    assert not torch.allclose(unsorted(x[..., order], y, query[..., order]), unsorted(x, y, query), atol=1e-3)


def test_a_feature_that_tells_the_classes_comes_first(episode):
    x, y, query = episode
    x = x.clone()
    x[..., 3] = y + 0.01 * x[..., 3]
    x[..., 1] = 7.0
    state = classifier().adapt(x, y)
    order = state.scaling.order[:, 0]
    assert (order[:, 0] == 3).all()
    assert (order[:, -1] == 1).all()
    scaled = state.scaling(query)
    assert not scaled[..., -1].any()


def test_a_feature_that_follows_the_number_comes_first_also_with_gaps(generator):
    x = torch.randn(6, 30, D, generator=generator)
    y = 5.0 - 3 * x[..., 2] + 0.1 * torch.randn(6, 30, generator=generator)
    x = x.masked_fill(torch.rand(x.shape, generator=generator) < 0.3, torch.nan)
    assert (regressor().adapt(x, y).scaling.order[:, 0, 0] == 2).all()


def test_features_constant_in_the_context_are_left_out_and_the_others_are_louder(episode):
    x, y, query = episode
    x, changed = x.clone(), query.clone()
    x[..., 2:] = 3.0
    changed[..., 2:] = 1e9
    learner = classifier()
    same(learner(x, y, query), learner(x, y, changed))
    scaled = learner.adapt(x, y).scaling(x)
    expected = math.sqrt(D / 2) * math.sqrt(11 / 12) / math.sqrt(1 + 1 / 12)
    same(scaled[..., :2].std(1, correction=0), torch.full((4, 2), expected))


def test_missing_values_count_in_no_statistic(episode):
    x, y, query = episode
    gappy = x.clone()
    gappy[:, ::3, 1] = torch.nan
    kept = x[:, [i for i in range(12) if i % 3], 1]
    scaled = classifier(sort=False).adapt(gappy, y).scaling(gappy)[..., 1]
    there = ~scaled.isnan()
    assert torch.equal(there, ~gappy[..., 1].isnan())
    same(scaled[there].view(4, 8), (kept - kept.mean(1, keepdim=True)) / (kept.std(1, keepdim=True) * math.sqrt(9 / 8)))
    assert classifier()(gappy, y, query.masked_fill(query > 1, torch.nan)).isfinite().all()


def test_a_learner_that_takes_no_gaps_gets_the_mean_in_their_place(episode):
    x, y, query = episode
    learner = ContextScaled(ProtoNet(D, 3, encoder="identity"), sort=False)
    gappy = query.clone()
    gappy[:, 0, 2] = torch.nan
    filled = query.clone()
    filled[:, 0, 2] = x[..., 2].mean(1)
    same(learner(x, y, gappy), learner(x, y, filled))


def test_a_column_missing_throughout_is_no_column(episode):
    x, y, query = episode
    absent, zero = x.clone(), x.clone()
    absent[..., 4], zero[..., 4] = torch.nan, 0.0
    learner = classifier()
    same(learner(absent, y, query), learner(zero, y, query))


def test_far_queries_grow_with_the_logarithm_and_wild_ones_are_missing(episode):
    x, y, query = episode
    scaling = classifier(sort=False).adapt(x, y).scaling
    signs = query.sign()
    sizes = [float(scaling(size * signs).abs().max()) for size in (2.0, 8.0, 16.0)]
    assert sizes == sorted(sizes)
    assert sizes[1] > 4
    assert sizes[2] < 4 + math.log(100)
    assert scaling(1e4 * signs).isnan().all()
    assert scaling(3e38 * signs).isnan().all()


@pytest.mark.parametrize("n", [0, 1, 2])
def test_small_contexts_have_an_answer(episode, n, generator):
    x, y, query = episode
    assert classifier()(x[:, :n], y[:, :n], query).isfinite().all()
    numbers = torch.randn(4, 12, generator=generator)
    assert regressor()(x[:, :n], numbers[:, :n], query).isfinite().all()


def test_predictions_follow_units_of_the_label(episode, generator):
    x, _, query = episode
    y = torch.randn(4, 12, generator=generator)
    learner = regressor()
    plain, moved = (learner.adapt(x, labels) for labels in (y, 250 * y - 1000))
    same((learner.predict(moved, query) + 1000) / 250, learner.predict(plain, query), tolerance=1e-3)
    spread = learner.predict_distribution(moved, query)
    same((spread + 1000) / 250, learner.predict_distribution(plain, query), tolerance=1e-3)


def test_equal_labels_are_predicted_about(episode):
    x, _, query = episode
    y = torch.full((4, 12), 40.0)
    assert (regressor()(x, y, query) - 40).abs().max() < 10


def test_quantiles_are_in_order_and_their_mean_is_the_prediction(episode, generator):
    x, _, query = episode
    y = torch.randn(4, 12, generator=generator)
    for learner in (regressor(), regressor().learner):
        state = learner.adapt(x, y)
        spread = learner.predict_distribution(state, query)
        assert spread.shape == (4, 7, len(quantile_levels()))
        assert (spread.diff(dim=-1) >= 0).all()
        same(spread.mean(-1), learner.predict(state, query), tolerance=1e-5)


def test_quantiles_of_a_sample_have_the_least_pinball_loss(generator):
    y = torch.randn(20000, generator=generator).double()
    best = torch.quantile(y, quantile_levels())
    least = pinball(best.expand(len(y), -1), y)
    for other in (best + 0.1, best - 0.1, 1.2 * best, 0.8 * best):
        assert pinball(other.expand(len(y), -1), y) > least
    same(pinball(y[:, None] * 0 + 0.5, y), (y - 0.5).abs().mean(), tolerance=1e-9)


def test_random_splits_train_all_quantiles_and_prefixes_their_mean(generator):
    x, y = torch.randn(2, 9, D, generator=generator), torch.randn(2, 9, generator=generator)
    learner, tasks = regressor(), Tasks(x, y, None)
    objective = RandomSplit(min_context=8)
    spread = learner.predict_distribution(learner.adapt(x[:, :8], y[:, :8]), x[:, 8:])
    same(objective(learner, tasks, generator), pinball(spread, y[:, 8:]))
    same(AllPrefixes()(learner, tasks, generator), (learner.predict_prefixes(x, y) - y).square().mean())


def test_the_exact_posterior_gives_quantiles_too(generator):
    family = LinearRegression(3, noise=0.5)
    bayes = LinearGaussian(0.0, 1.0, 0.5, 3)
    tasks = family.sample(300, 20, generator=generator)
    episode = tasks.split(5)
    state = bayes.adapt(episode.context_x, episode.context_y)
    spread = bayes.predict_distribution(state, episode.query_x)
    inside = (episode.query_y > spread[..., 0]) & (episode.query_y < spread[..., -1])
    assert abs(float(inside.float().mean()) - 0.95) < 0.015
    same(spread.mean(-1), bayes.predict(state, episode.query_x))


def test_an_encoder_that_knows_gaps_tells_them_from_zeros():
    encoder = MissingAware(2, 4, seed=3)
    x = torch.tensor([[0.0, 1.0], [torch.nan, 1.0]])
    out = encoder(x)
    assert out.isfinite().all()
    assert not torch.equal(out[0], out[1])
    assert torch.equal(MissingAware(2, 4, seed=3)(x), out)
    assert InContextTransformer(2, 2, encoder=encoder).accepts_missing
    assert not InContextTransformer(2, 2, encoder=MLP(2, 4)).accepts_missing
    assert ProtoNet(2, 2, encoder=encoder).accepts_missing is False  # it averages; nobody says what a gap is there


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ContextScaled(nn.Linear(2, 2)), "learner: expected a Learner"),
        (
            lambda: ContextScaled(InContextTransformer((2, 2), 2)),
            "learner: expected one whose n_features is an integer",
        ),
        (lambda: ContextScaled(ProtoNet(2, 2), sort="yes"), "sort: expected True or False"),
        (lambda: InContextTransformer(2, 3, readout="quantiles"), 'readout: "quantiles" are of regression'),
        (lambda: CNP(2, None).predict_distribution(None, torch.zeros(1, 1, 2)), "CNP predicts no distribution"),
        (lambda: transformer(None).predict_distribution(None, torch.zeros(1, 1, D)), 'readout: expected "quantiles"'),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_large_numbers_in_double_precision_keep_their_differences_in_front_of_single_precision(episode):
    x, y, query = episode
    query, shift = query.double(), 1e9
    with torch.no_grad():
        learner = classifier()
        same(learner(x.double(), y, query), learner(x.double() + shift, y, query + shift))
        learner = regressor()
        numbers = learner(x.double(), x[..., 0].double() + shift, query)
        same(numbers - shift, learner(x.double(), x[..., 0].double(), query), tolerance=1e-5)
