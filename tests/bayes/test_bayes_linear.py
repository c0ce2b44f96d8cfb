import pytest
import torch

from ctxlearn.references import AlgorithmSelection, BayesOptimal, LinearGaussian
from ctxlearn.tasks import LinearRegression, Radial, SparseLinearRegression
from ctxlearn.testing import check_learner


def points(generator, n_tasks=6, n=9, d=4, noise=0.5):
    x = torch.randn(n_tasks, n, d, generator=generator, dtype=torch.float64)
    w = torch.randn(n_tasks, d, generator=generator, dtype=torch.float64)
    return x, (x @ w[..., None])[..., 0] + noise * torch.randn(n_tasks, n, generator=generator, dtype=torch.float64)


def prior(generator, d=4):
    a = torch.randn(d, d, generator=generator, dtype=torch.float64)
    return torch.randn(d, generator=generator, dtype=torch.float64), a @ a.T / d + 0.1 * torch.eye(
        d, dtype=torch.float64
    )


def test_mean_variance_and_evidence_are_the_textbooks(generator):
    x, y = points(generator)
    mean, covariance = prior(generator)
    bayes = LinearGaussian(mean, covariance, noise=0.5)
    means, variances = bayes.predict_normal_prefixes(x, y)
    evidence = bayes.log_evidence_prefixes(x, y)
    for i in range(x.shape[1]):
        X, q = x[:, :i], x[:, i]
        K = X @ covariance @ X.mT + 0.25 * torch.eye(i, dtype=torch.float64)
        gain = torch.linalg.solve(K, X @ covariance).mT  # (B, d, i)
        w = mean + (gain @ (y[:, :i] - X @ mean)[..., None])[..., 0]
        S = covariance - gain @ X @ covariance
        assert torch.allclose(means[:, i], (w * q).sum(-1), atol=1e-9)
        assert torch.allclose(variances[:, i], ((S @ q[..., None])[..., 0] * q).sum(-1) + 0.25, atol=1e-9)
        if i:
            normal = torch.distributions.MultivariateNormal(X @ mean, K)
            assert torch.allclose(evidence[:, i], normal.log_prob(y[:, :i]), atol=1e-8)
            assert torch.allclose(bayes.log_evidence(X, y[:, :i]), evidence[:, i])
    assert (evidence[:, 0] == 0).all()


def test_without_noise_it_is_least_squares_and_then_exact(generator):
    x, y = points(generator, n=12, noise=0.0)
    bayes = LinearGaussian(n_features=4)
    error = (bayes.predict_prefixes(x, y) - y).square()
    assert (error[:, 4:] < 1e-7).all()
    X, Y = x[:, :3], y[:, :3]
    least = (torch.linalg.pinv(X) @ Y[..., None])[..., 0]
    assert torch.allclose(bayes.adapt(X, Y).mean, least, atol=1e-6)
    assert torch.isfinite(bayes.log_evidence_prefixes(x, y)).all()


def test_a_prior_for_each_task(generator):
    x, y = points(generator, n_tasks=3)
    means = torch.randn(3, 4, generator=generator, dtype=torch.float64)
    together = LinearGaussian(means, 0.09, 0.5).predict_prefixes(x, y)
    for task in range(3):
        alone = LinearGaussian(means[task], 0.09, 0.5).predict_prefixes(x[task : task + 1], y[task : task + 1])
        assert torch.allclose(together[task : task + 1], alone)
    with pytest.raises(ValueError, match="expected the 3 tasks"):
        LinearGaussian(means, 0.09, 0.5).adapt(x[:2], y[:2])


def test_excess_risk_with_a_known_domain(generator):
    # facts: w ~ N(mu, .3^2 I), d = 5, noise .5, mu known: .090 at n = 0, .053 at n = 4, .018 at n = 16 in excess risk / d
    mu = torch.randn(4000, 5, generator=generator, dtype=torch.float64)
    w = mu + 0.3 * torch.randn(4000, 5, generator=generator, dtype=torch.float64)
    x = torch.randn(4000, 17, 5, generator=generator, dtype=torch.float64)
    y = (x @ w[..., None])[..., 0] + 0.5 * torch.randn(4000, 17, generator=generator, dtype=torch.float64)
    bayes = LinearGaussian(mu, 0.09, 0.5)
    for n, expected in ((0, 0.090), (4, 0.053), (16, 0.018)):
        excess = (bayes.adapt(x[:, :n], y[:, :n]).mean - w).square().mean()
        assert float(excess) == pytest.approx(expected, abs=0.002)


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_it_keeps_the_contract_of_learners(noise):
    check_learner(LinearGaussian(0.0, 1.0, noise, n_features=3), tolerance=1e-3)


def test_degenerate_contexts_are_finite(generator):
    bayes = LinearGaussian(n_features=2)
    x = torch.ones(1, 6, 2)
    y = torch.tensor([[1.0, -1.0, 1.0, 2.0, 2.0, 5.0]])
    assert torch.isfinite(bayes.predict_prefixes(x, y)).all()
    assert torch.isfinite(bayes.predict_prefixes(0 * x, y)).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "n_features"),
        ({"mean": torch.zeros(3), "n_features": 2}, "expected one number of features"),
        ({"covariance": torch.zeros(2, 3)}, "covariance: expected a number"),
        ({"covariance": torch.tensor([[1.0, 2.0], [0.0, 1.0]])}, "symmetric"),
        ({"covariance": -1.0, "n_features": 2}, "positive"),
        ({"noise": -1.0, "n_features": 2}, "noise"),
        ({"mean": float("nan"), "n_features": 2}, "finite"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        LinearGaussian(**arguments)


def test_the_bayes_predictor_of_linear_regression_is_exact(generator):
    family = LinearRegression(4, noise=0.5, active=3)
    tasks = family.sample(6, 9, generator=generator)
    x, y = tasks.x.double(), tasks.y.double()
    bayes = BayesOptimal(family)
    mean, variance = bayes.predict_normal(bayes.adapt(x[:, :8], y[:, :8]), x[:, 8:])
    assert torch.allclose(bayes.predict_prefixes(x, y)[:, 8:], mean, atol=1e-12)
    for task in range(6):
        seen, query = x[task, :8], x[task, 8]
        gram = torch.linalg.inv(seen @ seen.T + 0.25 * torch.eye(8, dtype=torch.float64))
        assert float(mean[task, 0]) == pytest.approx(float(query @ seen.T @ gram @ y[task, :8]), abs=1e-9)
        left = query @ query - query @ seen.T @ gram @ seen @ query + 0.25
        assert float(variance[task, 0]) == pytest.approx(float(left), abs=1e-9)
    evidence = bayes.log_evidence_prefixes(x, y)
    assert torch.allclose(bayes.log_evidence(x, y), evidence[:, 9])
    assert bayes.log_evidence(x, y, x[:, :2]).shape == (6, 2)
    assert bayes.effective_sample_size(x, y).isinf().all()
    check_learner(bayes, tolerance=1e-3)


def test_evidence_picks_the_noise_that_tasks_have(generator):
    families = [LinearRegression(3, noise=noise) for noise in (0.1, 1.0)]
    learners = [BayesOptimal(family) for family in families]
    selection = AlgorithmSelection(learners, "evidence", families=families)
    for k, family in enumerate(families):
        tasks = family.sample(50, 20, generator=generator)
        chosen = selection.choices(tasks.x, tasks.y)
        assert float(chosen[:, 19, k].mean()) > 0.9


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: BayesOptimal(SparseLinearRegression(5)),
            "^family: expected .* LinearRegression .*see also LinearGaussian",
        ),
        (lambda: BayesOptimal(LinearRegression(2), method="particles"), "^family: expected"),
        (
            lambda: BayesOptimal(LinearRegression(2)).log_joint_prefixes(torch.ones(1, 2, 2), torch.ones(1, 2)),
            "^log_joint",
        ),
        (
            lambda: BayesOptimal(LinearRegression(2)).family_posterior(torch.ones(1, 2, 2), torch.ones(1, 2)),
            "^family_post",
        ),
        (
            lambda: BayesOptimal(Radial()).predict_distribution(None, None),
            "^predict_distribution: expected .*regression",
        ),
    ],
)
def test_what_regression_or_classes_do_not_have_is_said(call, message):
    with pytest.raises(ValueError, match=message):
        call()
