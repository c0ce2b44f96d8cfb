"""Logistic regression as advice: what it says, what it says of points left out, and learners that use it."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from ctxlearn.learners import CNP, Blended, ContextScaled, Guided, InContextTransformer, MissingAware
from ctxlearn.learners.advice import KINDS, PENALTIES, advise, n_told
from ctxlearn.learners.levels import PLACES, find_levels
from ctxlearn.learners.ridge_logistic import fit_logistic

C = 3


def contexts(generator, n=40, d=4, n_tasks=3, n_classes=C):
    x = torch.randn(n_tasks, n, d, generator=generator, dtype=torch.float64)
    scores = x @ torch.randn(n_tasks, d, n_classes, generator=generator, dtype=torch.float64)
    noise = -(-torch.rand(scores.shape, generator=generator, dtype=torch.float64).log()).log()
    y = (scores + noise).argmax(-1)
    y[:, :n_classes] = torch.arange(n_classes)
    return x, y


def indicators(y, n_classes=C):
    return torch.nn.functional.one_hot(y, n_classes).double()


@pytest.mark.parametrize("penalty", PENALTIES[:2])
@pytest.mark.parametrize(("n", "d"), [(12, 3), (60, 5), (30, 40)])
def test_the_fit_is_logistic_regression(penalty, n, d, generator):
    x, y = contexts(generator, n, d)
    query = torch.randn(3, 20, d, generator=generator, dtype=torch.float64)
    weights, _ = fit_logistic(x, indicators(y), [penalty])
    found = (query @ weights[0]).softmax(-1)
    for b in range(3):
        known = LogisticRegression(C=1 / penalty, fit_intercept=False, max_iter=1000).fit(x[b].numpy(), y[b].numpy())
        assert np.abs(found[b].numpy() - known.predict_proba(query[b].numpy())).max() < 0.03


def left_out_by_hand(features, labels, penalties):
    """Scores of each point by a fit to all others."""
    scores = []
    for i in range(features.shape[1]):
        rest = [j for j in range(features.shape[1]) if j != i]
        weights, _ = fit_logistic(features[:, rest], labels[:, rest], penalties)
        scores.append(features[:, [i]] @ weights)
    return torch.cat(scores, dim=2)


@pytest.mark.parametrize(
    ("n_classes", "n", "d", "too_good", "too_bad"),
    [
        (2, 16, 4, (0.01, 0.02, 0.15), (0.01, 0.02, 0.1)),
        (3, 16, 20, (0.01, 0.02, 0.1), (0.1, 0.2, 0.3)),
        (3, 40, 4, (0.01, 0.02, 0.05), (0.1, 0.2, 0.3)),
        (6, 40, 20, (0.05, 0.1, 0.5), (0.1, 0.1, 0.1)),
    ],
)
def test_left_out_points_are_scored_about_as_by_a_fit_without_them(n_classes, n, d, too_good, too_bad, generator):
    x, y = contexts(generator, n, d, n_tasks=24, n_classes=n_classes)
    features = torch.cat([x, torch.full_like(x[..., :1], 3.0)], dim=2)
    labels = indicators(y, n_classes)
    _, near = fit_logistic(features, labels, PENALTIES)
    exact = left_out_by_hand(features, labels, PENALTIES)
    near, exact = (-(labels * scores.log_softmax(-1)).sum(-1).mean((1, 2)) for scores in (near, exact))
    assert (near - exact > -torch.tensor(too_good)).all(), (near, exact)
    assert (near - exact < torch.tensor(too_bad)).all(), (near, exact)


def test_a_fit_by_points_is_one_by_features(generator):
    x, y = contexts(generator, n=12, d=11)
    labels = indicators(y)
    alone = fit_logistic(x, labels, PENALTIES)
    wide = torch.cat([x, torch.zeros(3, 12, 5, dtype=torch.float64)], dim=2)  # now more features than points
    padded = fit_logistic(wide, labels, PENALTIES)
    assert torch.allclose(alone[0], padded[0][:, :, :11], atol=1e-8)
    assert torch.allclose(alone[1], padded[1], atol=1e-6)


def test_trust_goes_to_what_predicts_points_left_out(generator):
    x, y = contexts(generator, n=60)
    linear, _ = advise(x, y, C, ("logistic",))
    shuffled, _ = advise(x, y[:, torch.randperm(60, generator=generator)], C, ("logistic",))
    assert (linear.trust[:, -1] < 0.01).all()
    assert shuffled.trust[:, -1].mean() > 0.2
    assert torch.allclose(linear.trust.sum(1), torch.ones(3, dtype=torch.float64))


def test_matching_tells_categories_whose_codes_have_no_order(generator):
    x = torch.randint(6, (4, 80, 2), generator=generator).double()
    y = (x[..., 0] % 2).long()  # codes 0, 2, 4 against 1, 3, 5
    scaled = (x - 2.5) / 1.7
    plain, matched = (advise(scaled[:, :60], y[:, :60], 2, kinds)[0] for kinds in (("logistic",), ("match",)))
    right = [(a.blend(scaled[:, 60:]).argmax(-1) == y[:, 60:]).double().mean() for a in (plain, matched)]
    assert right[0] < 0.8
    assert right[1] > 0.95


def test_what_is_told_has_the_size_that_is_announced(generator):
    x, y = contexts(generator)
    for kinds in (("ridge",), ("logistic", "match"), tuple(KINDS)):
        for n in (0, 1, 40):
            advice, told = advise(x[:, :n], y[:, :n], C, kinds)
            assert told.shape == (3, n, n_told(kinds, C))
            features, blend = advice.of(x), advice.blend(x)
            assert features.shape == (3, 40, n_told(kinds, C))
            assert features.isfinite().all()
            assert torch.allclose(blend.exp().sum(-1), torch.ones(3, 40, dtype=torch.float64), atol=1e-6)


def guided(n_classes=C, d=4):
    kinds = tuple(kind for kind in KINDS if n_classes or kind != "logistic")
    told = 2 + n_told(kinds, n_classes)
    inner = InContextTransformer(told, n_classes, width=16, depth=2, heads=2, encoder=MissingAware(told, 16, hidden=16))
    return ContextScaled(Guided(inner, n_features=d, shown=2, advice=kinds)).eval()


@pytest.mark.parametrize("n_classes", [C, None])
def test_all_columns_count_also_those_that_are_not_shown(n_classes, generator):
    x, y = contexts(generator)
    learner = guided(n_classes)
    with torch.no_grad():
        state = learner.adapt(x, y if n_classes else x[..., 0] + y)
        last = state.scaling.order[0, 0, -1]
        moved = x.clone()
        moved[..., last] += 1
        assert not torch.allclose(learner.predict(state, x)[0], learner.predict(state, moved)[0], atol=1e-4)


@pytest.mark.parametrize("n_classes", [C, None])
def test_gaps_the_order_of_rows_and_other_tasks_do_no_harm(n_classes, generator):
    x, y = contexts(generator)
    x = x.masked_fill(torch.rand(x.shape, generator=generator) < 0.2, torch.nan)
    x[0, :, 1:] = 1.0  # tasks with other numbers of columns and of values
    x[1, :, 2] = (x[1, :, 2] > 0).double()
    y[0] = y[0].clamp(max=1)
    y = y if n_classes else x[..., 0].nan_to_num() + y
    order = torch.randperm(40, generator=generator)
    learner = guided(n_classes)
    with torch.no_grad():
        found = learner(x, y, x)
        assert torch.allclose(found, learner(x[:, order], y[:, order], x), atol=1e-4)
        assert torch.allclose(found, torch.cat([learner(x[[b]], y[[b]], x[[b]]) for b in range(3)]), atol=1e-4)


def test_advice_of_a_number_is_ridge_regression_and_matching(generator):
    x = torch.randint(6, (4, 80, 2), generator=generator).double()
    y = (x[..., 0] % 2) + 0.5 * (x[..., 1] % 3)
    scaled = (x - 2.5) / 1.7
    advice, left_out = advise(scaled[:, :60], y[:, :60], None, ("ridge", "match"))
    told = advice.of(scaled[:, 60:])
    assert told.shape[2] == left_out.shape[2] == n_told(("ridge", "match"), None)
    apart = (told[..., :4] - y[:, 60:, None]).square().mean((0, 1))
    assert apart[3] < 0.1 * apart[0]  # codes have no order
    inside = (left_out[..., 3] - y[:, :60]).square().mean()
    assert inside < 0.1 * apart[0]


def test_levels_are_one_hot_in_the_context_and_nothing_elsewhere(generator):
    x = torch.tensor([[3.0, 1.5], [1.0, 2.5], [3.0, torch.nan], [torch.nan, 3.5], [1.0, 4.5], [3.0, 1.5]])[None]
    levels = find_levels(x)
    assert levels.n_places == 2  # the second column has four values in six rows: no category
    expected = [[0, 1], [1, 0], [0, 1], [0, 0], [1, 0], [0, 1]]
    assert levels.indicators(x).tolist() == [expected]
    assert levels.indicators(torch.tensor([[[2.0, 1.5], [torch.inf, 0.0], [9.0, torch.nan]]])).sum() == 0


def test_levels_have_a_fixed_number_of_places():
    x = torch.arange(150.0).repeat(2)[None, :, None].expand(1, 300, 2)
    levels = find_levels(x)
    assert levels.n_places == PLACES
    assert (levels.indicators(x).sum(2) <= 1).all()
    assert (levels.indicators(x)[0].sum(1) == (x[0, :, 0] < PLACES)).all()


def test_a_blend_is_between_the_two_and_at_its_ends_is_either(generator):
    x, y = contexts(generator)
    inner = CNP(4, C, width=8)
    with torch.no_grad():
        own, half, linear = (ContextScaled(Blended(inner, share)).eval()(x, y, x) for share in (0.0, 0.5, 1.0))
        assert torch.allclose(own.softmax(-1), ContextScaled(inner)(x, y, x).softmax(-1), atol=1e-5)
        assert torch.allclose(half, 0.5 * own + 0.5 * linear, atol=1e-5)
        assert (linear.argmax(-1) == y).double().mean() > (own.argmax(-1) == y).double().mean()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Guided("logistic", 4, 2), "learner: expected a Learner"),
        (lambda: Guided(CNP(4, C), 4, 2), "learner: expected one of 25 features"),
        (lambda: Guided(CNP(4, None), 4, 2), "learner: expected one of 10 features"),
        (lambda: Guided(CNP(4, None), 4, 2, ["logistic"]), "advice: unknown name 'logistic'"),
        (lambda: Guided(CNP(26, C), 4, 5), "shown: expected"),
        (lambda: Guided(CNP(26, C), 4, 2, ["logistics"]), "did you mean 'logistic'"),
        (lambda: Guided(CNP(26, C), 4, 2, []), "advice: expected some of"),
        (lambda: Blended(CNP(4, None)), "learner: expected a Learner of classes"),
        (lambda: Blended(CNP(4, C), 1.5), "share: expected"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
