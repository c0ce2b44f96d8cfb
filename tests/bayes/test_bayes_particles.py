"""Bayes predictors by particles: against the exact ones, and on families of one's own."""

import copy
import math
import pickle

import numpy as np
import pytest
import torch
import zoo

from ctxlearn.references import BayesOptimal, EffectiveSampleSizeWarning
from ctxlearn.tasks import Amortization, ClassPrototype, Mixture, PairwiseMetric, Pool, Radial, TaskFamily
from ctxlearn.testing import check_learner


@pytest.mark.parametrize(
    "family",
    [Amortization(), Amortization(5, 2.0), Radial(), Radial(6, 1.5), PairwiseMetric(), PairwiseMetric(2, 2)],
    ids=lambda family: f"{family.name} {list(family._arguments.values())}",
)
def test_particles_agree_with_the_exact_oracle(family, generator):
    tasks = family.sample(16, 40, generator=generator)
    x, y = tasks.x, tasks.y
    exact, sampled = BayesOptimal(family), BayesOptimal(family, method="particles")
    difference = sampled.predict_prefixes(x, y).exp() - exact.predict_prefixes(x, y).exp()
    assert float(difference.abs().mean()) < 0.01
    assert float(difference.mean(0)[..., 0].abs().mean()) < 0.01  # no bias either
    error = sampled.log_evidence_prefixes(x, y) - exact.log_evidence_prefixes(x, y)
    assert float(error.square().mean().sqrt()) < 0.5
    assert (sampled.effective_sample_size(x, y) > 10).all()


def test_class_prototypes_on_a_line_agree_with_quadrature(generator):
    family = ClassPrototype(1)
    tasks = family.sample(12, 12, generator=generator)
    x, y = tasks.x, tasks.y
    p = BayesOptimal(family).predict_prefixes(x, y).exp()
    at, weight = np.polynomial.legendre.leggauss(10)
    errors = []
    for task in range(12):
        # prototypes m + h and m - h: the label changes at m, and with the sign of h
        edges = np.unique(np.concatenate([x[task, :, 0].double().numpy(), np.linspace(-6, 6, 25)]))
        middle = (edges[:-1, None] + np.diff(edges)[:, None] * (at + 1) / 2).ravel()
        middle_w = (np.diff(edges)[:, None] * weight / 2).ravel()
        half_edges = np.linspace(-6, 6, 25)
        half = (half_edges[:-1, None] + 0.5 * (at + 1) / 2).ravel()
        half_w = np.tile(0.5 * weight / 2, 24)
        m, h = (torch.from_numpy(a.ravel()) for a in np.meshgrid(middle, half, indexing="ij"))
        parameters = {"prototypes": torch.stack([m + h, m - h], dim=1)[None, :, :, None]}
        log_w = torch.from_numpy(np.log(np.outer(middle_w, half_w).ravel())) + family.log_prior(parameters)[0]
        points = x[task][None].double()
        likelihoods = torch.stack(
            [family.log_likelihood(parameters, points, torch.full((1, 12), c))[0] for c in (0, 1)], dim=-1
        )
        for i in range(12):
            truth = (log_w[:, None] + likelihoods[:, i]).logsumexp(0).softmax(0)
            errors.append(p[task, i].double() - truth)
            log_w = log_w + likelihoods[:, i, int(y[task, i])]
    assert float(torch.stack(errors).abs().mean()) < 0.01


def test_particles_keep_the_contract_of_learners():
    check_learner(BayesOptimal(ClassPrototype(2, 3)), permutation_invariant=False)


def test_a_context_has_one_answer_alone_in_a_batch_and_as_a_prefix(generator):
    tasks = ClassPrototype().sample(40, 20, generator=generator)
    x, y = tasks.x, tasks.y
    bayes = BayesOptimal(ClassPrototype())
    prefixes = bayes.predict_prefixes(x, y)
    for i in (3, 19):
        assert torch.allclose(bayes(x[5:6, :i], y[5:6, :i], x[5:6, i : i + 1])[0, 0], prefixes[5, i], atol=1e-5)
    again = BayesOptimal(ClassPrototype())
    assert torch.equal(again.predict_prefixes(x, y), prefixes)
    assert torch.equal(pickle.loads(pickle.dumps(bayes)).predict_prefixes(x, y), prefixes)
    assert torch.equal(copy.deepcopy(bayes).predict_prefixes(x, y), prefixes)


def test_nothing_touches_the_global_random_state(generator):
    tasks = ClassPrototype().sample(4, 10, generator=generator)
    x, y = tasks.x, tasks.y
    before = torch.random.get_rng_state()
    BayesOptimal(ClassPrototype()).predict_prefixes(x, y)
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_pool_of_tasks_is_enumerated(generator):
    family = ClassPrototype()
    pool = family.sample_parameters(4, generator=generator)
    x, y = family.sample_points(pool, 6, generator=generator)
    bayes = BayesOptimal(family, pool=pool)
    logits = bayes.predict_prefixes(x.double(), y)
    each = torch.stack(
        [
            family.log_likelihood({"prototypes": pool["prototypes"].double()[None]}, x.double(), torch.full((4, 6), c))
            for c in (0, 1)
        ],
        dim=-1,
    )  # (task, particle, point, class)
    known = each.gather(3, y[:, None, :, None].expand(-1, 4, -1, 1))[..., 0]
    for i in range(6):
        truth = (known[:, :, :i].sum(-1)[..., None] + each[:, :, i]).logsumexp(1).log_softmax(-1)
        assert torch.allclose(logits[:, i], truth, atol=1e-9)
        assert torch.allclose(bayes(x[:, :i], y[:, :i], x[:, i:]).double()[:, 0], truth, atol=1e-5)
    assert (bayes.predict_prefixes(*family.sample_points(pool, 40, generator=generator)).exp().sum(-1) - 1 < 1e-5).all()


def test_the_family_of_a_pool_is_its_tasks(generator):
    pool = Pool(ClassPrototype(), 5)
    tasks = pool.sample(3, 6, generator=generator)
    x, y = tasks.x, tasks.y
    given = BayesOptimal(ClassPrototype(), pool=pool.parameters)
    assert torch.equal(BayesOptimal(pool).predict_prefixes(x, y), given.predict_prefixes(x, y))
    with pytest.raises(ValueError, match=r"^pool: expected the parameters of at least one task"):
        BayesOptimal(Radial(), pool={"radius": torch.zeros(0)})


def test_a_large_pool_comes_close_to_the_prior(generator):
    pool = Amortization().sample_parameters(20_000, generator=generator)
    tasks = Amortization().sample(20, 6, generator=generator)
    x, y = tasks.x, tasks.y
    difference = BayesOptimal(Amortization(), pool=pool)(x, y, x).exp() - BayesOptimal(Amortization())(x, y, x).exp()
    assert float(difference.abs().mean()) < 0.03


class Coins(TaskFamily):
    """Labels thrown by a coin of the task, whatever x: the posterior is a Beta distribution."""

    def __init__(self):
        self.n_features, self.n_classes = 2, 2

    def sample_parameters(self, n_tasks, *, generator):
        return [torch.rand(n_tasks, generator=generator), torch.randn(n_tasks, 1, 2, generator=generator)]

    def sample_points(self, parameters, n_points, *, generator):
        x = torch.randn(len(parameters[0]), n_points, 2, generator=generator)
        return x, (torch.rand(len(x), n_points, generator=generator) < parameters[0][:, None]).long()

    def log_likelihood(self, parameters, x, y):
        p = parameters[0][..., None]
        label = torch.where(y[:, None] == 1, p, 1 - p).log()
        return label - 0.5 * x.square().sum(-1)[:, None]

    def log_prior(self, parameters):
        p, nuisance = parameters
        inside = torch.where((p > 0) & (p < 1), 0.0, -torch.inf)
        return inside - 0.5 * nuisance.square().sum((-1, -2))


def test_a_family_of_ones_own_needs_two_methods(generator):
    tasks = Coins().sample(30, 60, generator=generator)
    x, y = tasks.x, tasks.y
    bayes = BayesOptimal(Coins())
    p = bayes.predict_prefixes(x, y).exp()[..., 1]
    ones = y.cumsum(1) - y
    truth = (ones + 1) / (torch.arange(60) + 2)  # Laplace's rule
    assert float((p - truth).abs().mean()) < 0.01
    mixture = BayesOptimal(Mixture([Coins(), Radial()]))
    assert torch.isfinite(mixture.predict_prefixes(x[:4, :9], y[:4, :9])).all()


def test_a_family_without_likelihood_is_told_what_to_write(generator):
    class Prior(Coins):
        log_prior = TaskFamily.log_prior

    for family in (zoo.labelled(), Prior(), Mixture([Radial(), Mixture([zoo.labelled(shape=(2,))])])):
        with pytest.raises(ValueError, match=r"write its methods log_likelihood\(parameters, x, y\).*log_prior"):
            BayesOptimal(family)
    pool = Prior().sample_parameters(8, generator=generator)
    BayesOptimal(Prior(), pool=pool)  # enumeration needs no prior
    with pytest.raises(ValueError, match="log_likelihood"):
        zoo.labelled().log_likelihood(None, torch.zeros(1, 1, 3), torch.zeros(1, 1))
    with pytest.raises(ValueError, match="regression"):
        BayesOptimal(zoo.Lines())
    with pytest.raises(ValueError, match="expected a TaskFamily"):
        BayesOptimal("radial")
    with pytest.raises(ValueError, match="did you mean 'particles'"):
        BayesOptimal(Radial(), method="particle")


class Subclass(Radial):
    """Draws other tasks than `Radial`, so the exact form of `Radial` is not used."""

    low, high = 2.0, 3.0


def test_a_subclass_is_not_taken_for_its_parent(generator):
    tasks = Subclass().sample(8, 10, generator=generator)
    x, y = tasks.x, tasks.y
    assert not BayesOptimal(Subclass()).effective_sample_size(x, y).isinf().any()


class Broken(Coins):
    def __init__(self, how):
        super().__init__()
        self.how = how

    def log_likelihood(self, parameters, x, y):
        values = super().log_likelihood(parameters, x, y)
        return {"shape": values[..., 0], "nan": values * math.nan, "zero": values * 0 - math.inf}[self.how]


class Counts(Coins):
    def sample_parameters(self, n_tasks, *, generator):
        return torch.randint(5, (n_tasks,), generator=generator)


@pytest.mark.filterwarnings("ignore::ctxlearn.references.EffectiveSampleSizeWarning")
def test_a_likelihood_that_cannot_be_is_named(generator):
    tasks = Coins().sample(2, 5, generator=generator)
    x, y = tasks.x, tasks.y
    with pytest.raises(ValueError, match=r"Broken.log_likelihood: expected \(B, P, n\)"):
        BayesOptimal(Broken("shape"))(x, y, x)
    with pytest.raises(ValueError, match=r"Broken.log_likelihood: expected numbers, got NaN"):
        BayesOptimal(Broken("nan"))(x, y, x)
    assert torch.isfinite(BayesOptimal(Broken("zero"))(x, y, x)).all()
    with pytest.raises(ValueError, match="a random walk can move"):
        BayesOptimal(Counts())


def test_a_collapsed_sample_is_announced(generator):
    tasks = Radial(scale=20.0).sample(2, 6, generator=generator)
    x, y = tasks.x, tasks.y
    with pytest.warns(EffectiveSampleSizeWarning, match="give it more n_particles"):
        BayesOptimal(ClassPrototype(), n_particles=16)(x, y, x)
