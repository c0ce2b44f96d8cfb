"""Domains: what their tasks share, and what knowing it is worth."""

import math

import pytest
import torch
from test_families import Z, assert_mean

from ctxlearn.configurable import configuration, instantiate
from ctxlearn.evaluation import score_prefixes
from ctxlearn.references import BayesOptimal, DomainBayes, LinearGaussian
from ctxlearn.tasks import (
    ClassPrototype,
    Domain,
    Domains,
    GaussianHalfSpaces,
    GaussianWeights,
    LinearRegression,
    Pooled,
    ScaledInputs,
)

ALL = {"weights": GaussianWeights(), "half-spaces": GaussianHalfSpaces(), "scaled": ScaledInputs()}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", ALL)
def test_a_domain_is_rebuilt_from_its_configuration(name):
    domain = ALL[name].sample_domain(generator=seeded())
    again = instantiate(configuration(domain))
    assert domain.name == again.name == ALL[name].name
    for family, copied in ((domain, again), (ALL[name].pooled(), instantiate(configuration(ALL[name].pooled())))):
        one, two = family.sample(3, 4, generator=seeded(1)), copied.sample(3, 4, generator=seeded(1))
        assert torch.equal(one.x, two.x)
        assert torch.equal(one.y, two.y)


@pytest.mark.parametrize("name", ALL)
def test_domains_of_one_seed_are_the_same_and_differ_from_each_other(name):
    first, second = (ALL[name].sample_domains(3, generator=seeded()) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert configuration(a) == configuration(b)
    assert len({str(configuration(domain)) for domain in first}) == 3


@pytest.mark.parametrize("domains", [GaussianWeights(4, 0.3, 2.0), GaussianHalfSpaces(4, 0.3, 2.0)], ids=["w", "h"])
def test_weights_crowd_around_the_domains_mean(domains):
    domain = domains.sample_domain(generator=seeded())
    weights = domain.sample_parameters(4000, generator=seeded(1))["weights"]
    for i in range(4):
        assert_mean(weights[:, i], float(domain.latents["mean"][i]))
    assert_mean((weights - domain.latents["mean"]).square(), 0.09)
    pooled = domains.pooled().sample_parameters(4000, generator=seeded(2))["weights"]
    assert_mean(pooled, 0.0)
    assert_mean(pooled.square(), 4 + 0.09)


def test_points_follow_the_definitions():
    tasks = GaussianWeights(noise=0.5).pooled().sample(4000, 3, generator=seeded(), with_parameters=True)
    error = tasks.y - (tasks.x @ tasks.parameters["weights"][..., None])[..., 0]
    assert_mean(error.square(), 0.25)
    tasks = GaussianHalfSpaces().pooled().sample(200, 3, generator=seeded(), with_parameters=True)
    assert torch.equal(tasks.y, ((tasks.x @ tasks.parameters["weights"][..., None])[..., 0] > 0).long())


def test_scaled_inputs_are_the_releases():
    domain = ScaledInputs().sample_domain(generator=seeded())
    latents = domain.latents
    tasks = domain.sample(4000, 3, generator=seeded(1), with_parameters=True)
    z = torch.linalg.solve(latents["map"].T, (tasks.x - latents["shift"]).mT).mT
    assert_mean(z, 0.0)
    assert_mean(z.square(), 1.0)
    assert_mean(z[..., 0] * z[..., 1], 0.0)
    weights = tasks.parameters["weights"] / latents["scale"]
    assert_mean(weights.square(), 1.0)
    assert torch.allclose(tasks.y, (tasks.x @ tasks.parameters["weights"][..., None])[..., 0])
    assert_mean(ScaledInputs().sample_latents(4000, generator=seeded(2))["scale"].square(), 64.0)


def test_knowing_the_domain_is_worth_nothing_where_only_inputs_are_scaled():
    tasks = ScaledInputs().pooled().sample(50, 5, generator=seeded())
    x, y = tasks.x.double(), tasks.y.double()
    small, large = (LinearGaussian(0.0, scale**2, 0.0, n_features=5).predict_prefixes(x, y) for scale in (0.5, 20.0))
    assert torch.allclose(small, large, rtol=1e-5, atol=1e-5)


def as_one_linear_model(domains, earlier_x, earlier_y, x, y):
    """Answers for a task from LinearGaussian over (mu, w_1 - mu, ..., w_m - mu, w - mu) at once, (B, N)."""
    m, n, d = earlier_x.shape[1:]
    size = d * (m + 2)

    def features(x, slot):
        wide = x.new_zeros(*x.shape[:-1], size)
        wide[..., :d] = x
        wide[..., d * (slot + 1) : d * (slot + 2)] = x
        return wide

    seen = torch.cat([features(earlier_x[:, t], t) for t in range(m)] + [features(x, m)], dim=1)
    labels = torch.cat([earlier_y.flatten(1), y], dim=1)
    variances = torch.full((size,), domains.spread**2, dtype=torch.float64)
    variances[:d] = domains.mean_scale**2
    answers = LinearGaussian(torch.zeros(size), torch.diag(variances), domains.noise).predict_prefixes(seen, labels)
    return answers[:, m * n :]


@pytest.mark.parametrize(("m", "n"), [(1, 1), (2, 2), (3, 6), (1, 0)])
@pytest.mark.parametrize("noise", [0.5, 0.05])
def test_bayes_after_earlier_tasks_is_that_of_one_linear_model(m, n, noise, generator):
    domains = GaussianWeights(3, 0.4, 1.5, noise)
    earlier_x = torch.randn(4, m, n, 3, generator=generator, dtype=torch.float64)
    earlier_y = torch.randn(4, m, n, generator=generator, dtype=torch.float64)
    x = torch.randn(4, 5, 3, generator=generator, dtype=torch.float64)
    y = torch.randn(4, 5, generator=generator, dtype=torch.float64)
    expected = as_one_linear_model(domains, earlier_x, earlier_y, x, y)
    found = DomainBayes(domains, earlier_x, earlier_y).predict_prefixes(x, y)
    assert torch.allclose(found, expected, atol=1e-7)
    alone = DomainBayes(domains, earlier_x[0], earlier_y[0]).predict_prefixes(x[:1], y[:1])
    assert torch.allclose(alone, expected[:1], atol=1e-7)


def test_without_noise_few_and_many_earlier_points_are_finite(generator):
    domains = GaussianWeights(3, noise=0.0)
    tasks = domains.pooled().sample(2, 6, generator=generator)
    x, y = tasks.x, tasks.y
    for n in (0, 1, 3, 8):
        tasks = domains.sample_domain(generator=generator).sample(4, max(1, n), generator=generator)
        bayes = DomainBayes(domains, tasks.x[:, :n], tasks.y[:, :n])
        assert torch.isfinite(bayes.predict_prefixes(x, y)).all()


def test_many_earlier_tasks_make_the_domain_known(generator):
    domains = GaussianWeights()
    domain = domains.sample_domain(generator=generator)
    earlier = domain.sample(5000, 20, generator=generator)
    learned, known = DomainBayes(domains, earlier.x, earlier.y), DomainBayes(domain)
    assert torch.allclose(learned.prior_mean, known.prior_mean, atol=0.03)
    assert torch.allclose(learned.prior_covariance, known.prior_covariance, atol=1e-4)
    assert torch.equal(known.prior_covariance, 0.3**2 * torch.eye(5, dtype=torch.float64))


TABLE = {
    "known": (0.090, 0.053, 0.018),
    0: (1.089, 0.360, 0.025),
    1: (0.219, 0.105, 0.021),
    4: (0.121, 0.072, 0.018),
    32: (0.096, 0.058, 0.018),
}
"""Excess risk / d after 0, 4 and 16 points, by how many tasks of 10 points were met before (d = 5, noise 0.5)."""


@pytest.mark.parametrize("earlier", TABLE)
def test_bayes_reproduces_the_table_of_excess_risks(earlier, generator):
    domains, n_domains = GaussianWeights(), 2000
    latents = domains.sample_latents(n_domains, generator=generator)
    parameters = domains.sample_parameters(latents, generator=generator)
    x, y = domains.sample_points(parameters, 16, generator=generator)
    if earlier == "known":
        bayes = LinearGaussian(latents["mean"], domains.spread**2, domains.noise)
    elif earlier == 0:
        bayes = DomainBayes(domains)
    else:
        rows = {name: value.repeat_interleave(earlier, dim=0) for name, value in latents.items()}
        met = domains.sample_points(domains.sample_parameters(rows, generator=generator), 10, generator=generator)
        bayes = DomainBayes(domains, *(t.view(n_domains, earlier, *t.shape[1:]) for t in met))
    for n, expected in zip((0, 4, 16), TABLE[earlier], strict=True):
        posterior = bayes.adapt(x[:, :n], y[:, :n])
        excess = (posterior.mean - parameters["weights"]).square()
        # what it believes its error to be is what it is, and hardly varies: the sharper of two estimates
        believed = posterior.covariance.diagonal(dim1=-2, dim2=-1).mean(1)
        assert_mean(excess.mean(1) - believed, 0.0)
        # the table is rounded, and an estimate itself
        assert float(believed.mean()) == pytest.approx(expected, abs=0.06 * expected + 5e-4)


def test_what_knowing_the_half_spaces_direction_is_worth():
    domains, gaps, first = GaussianHalfSpaces(), [], []
    unknown = BayesOptimal(domains.pooled())
    for k, domain in enumerate(domains.sample_domains(8, generator=seeded())):
        tasks = domain.sample(40, 7, generator=seeded(k + 1), with_parameters=True)
        known, pooled = score_prefixes(BayesOptimal(domain), tasks), score_prefixes(unknown, tasks)
        gaps.append(torch.tensor(known - pooled))
        weights = tasks.parameters["weights"]
        agreement = 1 - torch.cosine_similarity(weights, domain.latents["mean"][None]).arccos() / math.pi
        first.append(torch.tensor(known[:, 0]) - agreement)
    assert_mean(torch.stack(first).flatten(), 0.0)  # without a context: right where w and the domain's mean agree
    by_domain = torch.stack(gaps).mean(1)  # (domains, context lengths)
    for n, least in ((0, 0.2), (2, 0.1), (6, 0.0)):
        gap, error = float(by_domain[:, n].mean()), float(by_domain[:, n].std()) / 8**0.5
        assert gap - 2.4 * error > least, (n, gap, error)  # 2.4: one-sided 97.5 % of Student's t with 7


def test_the_half_spaces_bayes_predictor_is_the_share_of_consistent_directions(generator):
    domain = GaussianHalfSpaces(2, 0.8).sample_domain(generator=generator)
    tasks = domain.sample(10, 4, generator=generator)
    weights = domain.sample_parameters(200_000, generator=generator)["weights"]
    side = (torch.einsum("bnd,pd->bnp", tasks.x, weights) > 0).long()
    right = (side == tasks.y[..., None]).float()
    consistent = torch.cat([torch.ones_like(right[:, :1]), right.cumprod(1)[:, :-1]], dim=1)
    share = (consistent * side).sum(-1) / consistent.sum(-1)
    found = BayesOptimal(domain).predict_prefixes(tasks.x, tasks.y).exp()[..., 1]
    seldom = consistent.sum(-1) < 2000  # too few to tell
    assert float(seldom.float().mean()) < 0.2
    assert float(((found - share).abs() * ~seldom).max()) < Z * 0.5 / 512**0.5


class Shifted(Domains):
    """Domains of one's own: half-lines with a threshold near the domain's."""

    n_features, n_classes = 1, 2

    def sample_latents(self, n_domains, *, generator):
        return {"threshold": torch.randn(n_domains, generator=generator)}

    def sample_parameters(self, latents, *, generator):
        return latents["threshold"] + 0.1 * torch.randn(len(latents["threshold"]), generator=generator)

    def sample_points(self, parameters, n_points, *, generator):
        x = torch.randn(len(parameters), n_points, 1, generator=generator)
        return x, (x[..., 0] > parameters[:, None]).long()


def test_domains_of_ones_own(generator):
    from ctxlearn.testing import check_family

    domain = Shifted().sample_domain(generator=generator)
    assert domain.name == "shifted"
    check_family(domain)
    check_family(Shifted().pooled())
    tasks = domain.sample(2, 3, generator=generator)
    x, y = tasks.x, tasks.y
    with pytest.raises(ValueError, match=r"Shifted has no likelihood.*log_prior\(parameters, latents\)"):
        BayesOptimal(domain).predict_prefixes(x, y)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GaussianWeights(0), "n_features"),
        (lambda: GaussianWeights(spread=0.0), "spread"),
        (lambda: GaussianWeights(mean_scale=-1.0), "mean_scale"),
        (lambda: GaussianWeights(noise=-1.0), "noise"),
        (lambda: ScaledInputs(label_scale=0.0), "label_scale"),
        (lambda: GaussianWeights().sample_domains(0, generator=seeded()), "n: expected"),
        (lambda: GaussianWeights().sample_domain(generator=3), "generator"),
        (lambda: Domain(ClassPrototype(), {"mean": [0.0]}), "domains"),
        (lambda: Domain(GaussianWeights(), {}), "latents"),
        (lambda: Pooled("weights"), "domains"),
        (lambda: DomainBayes(LinearRegression()), "domains: expected GaussianWeights"),
        (lambda: DomainBayes(GaussianWeights(), torch.zeros(2, 3, 4), torch.zeros(2, 3)), "earlier_x: expected"),
        (lambda: DomainBayes(GaussianWeights(), torch.zeros(2, 3, 5)), "earlier_x: expected"),
        (lambda: DomainBayes(GaussianWeights(), torch.full((2, 3, 5), torch.nan), torch.zeros(2, 3)), "finite"),
        (
            lambda: DomainBayes(
                GaussianWeights().sample_domain(generator=seeded()), torch.zeros(2, 3, 5), torch.zeros(2, 3)
            ),
            "earlier_x: expected None",
        ),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
