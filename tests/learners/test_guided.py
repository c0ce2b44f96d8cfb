"""Logistic regression as advice: what it says, what it says of points left out, and learners that use it."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from ctxlearn.learners import CNP, Blended, ContextScaled, Guided, InContextTransformer, MissingAware
from ctxlearn.learners.advice import KINDS, PENALTIES, advise, n_told
from ctxlearn.learners.kernel_logistic import fit_logistic

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
    weights, _ = fit_logistic(x @ x.mT, indicators(y), penalty)
    found = (query @ x.mT @ weights).softmax(-1)
    for b in range(3):
        known = LogisticRegression(C=1 / penalty, fit_intercept=False, max_iter=1000).fit(x[b].numpy(), y[b].numpy())
        assert np.abs(found[b].numpy() - known.predict_proba(query[b].numpy())).max() < 0.03


@pytest.mark.parametrize("penalty", PENALTIES[:2])
def test_left_out_points_are_scored_about_as_by_a_fit_without_them(penalty, generator):
    x, y = contexts(generator, n=25)
    kernel, labels = x @ x.mT + 9, indicators(y)
    _, left_out = fit_logistic(kernel, labels, penalty)
    losses, inside = [], []
    for i in range(25):
        rest = [j for j in range(25) if j != i]
        weights, _ = fit_logistic(kernel[:, rest][:, :, rest], labels[:, rest], penalty)
        losses.append((kernel[:, [i]][:, :, rest] @ weights).log_softmax(-1)[:, 0])
        inside.append(left_out.log_softmax(-1)[:, i])
    exact, near = torch.stack(losses), torch.stack(inside)
    truth = labels.transpose(0, 1)
    assert abs(float((truth * (exact - near)).sum(-1).mean())) < 0.12
    assert np.corrcoef(exact.flatten(), near.flatten())[0, 1] > 0.98


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
    right = [(a.of(scaled[:, 60:])[1].argmax(-1) == y[:, 60:]).double().mean() for a in (plain, matched)]
    assert right[0] < 0.8
    assert right[1] > 0.95


def test_what_is_told_has_the_size_that_is_announced(generator):
    x, y = contexts(generator)
    for kinds in (("ridge",), ("logistic", "match"), tuple(KINDS)):
        for n in (0, 1, 40):
            advice, told = advise(x[:, :n], y[:, :n], C, kinds)
            assert told.shape == (3, n, n_told(kinds, C))
            features, blend = advice.of(x)
            assert features.shape == (3, 40, n_told(kinds, C))
            assert features.isfinite().all()
            assert torch.allclose(blend.exp().sum(-1), torch.ones(3, 40, dtype=torch.float64), atol=1e-6)


def guided(residual=False, d=4):
    told = 2 + n_told(tuple(KINDS), C)
    inner = InContextTransformer(told, C, width=16, depth=2, heads=2, encoder=MissingAware(told, 16, hidden=16))
    return ContextScaled(Guided(inner, n_features=d, shown=2, residual=residual)).eval()


def test_with_a_residual_it_starts_as_logistic_regression(generator):
    x, y = contexts(generator, n=140, n_tasks=20)
    learner = guided(residual=True)
    with torch.no_grad():
        learner.learner.learner.out.weight.zero_()
        learner.learner.learner.out.bias.zero_()
        right = (learner(x[:, :40], y[:, :40], x[:, 40:]).argmax(-1) == y[:, 40:]).double().mean()
    reference = []
    for b in range(20):
        known = LogisticRegression().fit(x[b, :40].numpy(), y[b, :40].numpy())
        reference.append(known.score(x[b, 40:].numpy(), y[b, 40:].numpy()))
    assert right > np.mean(reference) - 0.02


@pytest.mark.parametrize("residual", [True, False])
def test_all_columns_count_also_those_that_are_not_shown(residual, generator):
    x, y = contexts(generator)
    learner = guided(residual)
    with torch.no_grad():
        state = learner.adapt(x, y)
        last = state.scaling.order[0, 0, -1]
        moved = x.clone()
        moved[..., last] += 1
        assert not torch.allclose(learner.predict(state, x)[0], learner.predict(state, moved)[0], atol=1e-4)


def test_gaps_and_the_order_of_rows_do_no_harm(generator):
    x, y = contexts(generator)
    x = x.masked_fill(torch.rand(x.shape, generator=generator) < 0.2, torch.nan)
    order = torch.randperm(40, generator=generator)
    for learner in (guided(True), guided(False)):
        with torch.no_grad():
            assert torch.allclose(learner(x, y, x), learner(x[:, order], y[:, order], x), atol=1e-4)


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
        (lambda: Guided("logistic", 4, 2), "learner: expected a Learner of classes"),
        (lambda: Guided(CNP(4, None), 4, 2), "learner: expected a Learner of classes"),
        (lambda: Guided(CNP(4, C), 4, 2), "learner: expected one of 26 features"),
        (lambda: Guided(CNP(26, C), 4, 5), "shown: expected"),
        (lambda: Guided(CNP(26, C), 4, 2, ["logistics"]), "did you mean 'logistic'"),
        (lambda: Guided(CNP(26, C), 4, 2, []), "advice: expected some of"),
        (lambda: Guided(CNP(26, C), 4, 2, residual="yes"), "residual: expected True or False"),
        (lambda: Blended(CNP(4, None)), "learner: expected a Learner of classes"),
        (lambda: Blended(CNP(4, C), 1.5), "share: expected"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
