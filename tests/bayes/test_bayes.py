"""Exact Bayes-optimal predictors against quadrature that knows only the family's prior and likelihood."""

import math

import numpy as np
import pytest
import torch

from ctxlearn.bayes.pairwise_prior import HalfPlaneAngle, curve
from ctxlearn.references import BayesOptimal
from ctxlearn.tasks import Amortization, ClassPrototype, Mixture, PairwiseMetric, Radial
from ctxlearn.testing import check_learner

EXACT = [
    Amortization(1, 0.5),
    Amortization(2),
    Amortization(2, 3.0),
    Radial(1),
    Radial(2),
    Radial(2, 4.0),
    Radial(20, 1.5),
    PairwiseMetric(2),
    PairwiseMetric(2, n_per_class=2, scale=3.0),
]


def named(family):
    return f"{family.name} {list(family._arguments.values())}"


def panels(edges, nodes=10):
    """Gauss-Legendre nodes and log-weights between consecutive edges."""
    at, weight = np.polynomial.legendre.leggauss(nodes)
    edges = np.unique(edges)
    low, width = edges[:-1, None], np.diff(edges)[:, None]
    points, weights = low + width * (at + 1) / 2, width * weight / 2
    return torch.from_numpy(points.ravel()), torch.from_numpy(np.log(weights.ravel()))


def quadrature(family, x):
    """Candidate parameters and log-weights (prior included) that integrate over the parameters, cut at the points x."""
    x = x.double().numpy()
    if isinstance(family, Radial):
        cuts = np.linalg.norm(x, axis=-1).clip(2, 4)
        radius, log_w = panels(np.concatenate([cuts, np.linspace(2, 4, 65)]))
        return {"radius": radius[None]}, log_w - math.log(2)
    if isinstance(family, Amortization):
        d = x.shape[-1]
        u, log_w = panels(np.concatenate([(x.sum(-1) / d**0.5).clip(-9, 9), np.linspace(-9, 9, 49)]))
        mean = u[:, None] / d**0.5 * torch.ones(d, dtype=torch.float64)
        log_w = log_w - 0.5 * u.square() - 0.5 * math.log(2 * math.pi)
        if d == 2:
            v, log_v = panels(np.linspace(-9, 9, 25), nodes=10)
            across = torch.tensor([1.0, -1.0], dtype=torch.float64) / 2**0.5
            mean = (mean[:, None] + v[:, None] * across).flatten(0, 1)
            log_w = (log_w[:, None] + log_v - 0.5 * v.square() - 0.5 * math.log(2 * math.pi)).flatten()
        return {"mean": mean[None]}, log_w
    prior = HalfPlaneAngle.of(family.n_per_class)
    angle = np.arctan2(x[:, 1], x[:, 0])
    cuts = np.concatenate([angle + np.pi / 2, angle - np.pi / 2]) % (2 * np.pi)
    edges = torch.from_numpy(np.unique(np.concatenate([cuts, np.linspace(0, 2 * np.pi, 721)])))
    middle = (edges[:-1] + edges[1:]) / 2
    direction = torch.stack([middle.cos(), middle.sin()], dim=-1)
    weights = torch.stack([direction, -direction], dim=1)[:, :, None].expand(-1, 2, family.n_per_class, 2)
    return {"weights": weights[None]}, prior.mass(edges[:-1], edges[1:]).log()


def brute_joint(family, x, y):
    """log p(x_1..i, y_1..i, x_i+1, c) of one task, (N, C), by quadrature."""
    rows = []
    for i in range(len(x)):
        parameters, log_w = quadrature(family, x[: i + 1])
        known = family.log_likelihood(parameters, x[None, :i].double(), y[None, :i]).sum(-1)[0]
        query = [
            family.log_likelihood(parameters, x[None, i : i + 1].double(), torch.tensor([[c]]))[0, :, 0] for c in (0, 1)
        ]
        rows.append(torch.stack([(log_w + known + q).logsumexp(0) for q in query]))
    return torch.stack(rows)


@pytest.mark.parametrize("family", EXACT, ids=named)
@pytest.mark.parametrize("labels", ["of the task", "contradictory"])
def test_exact_oracles_agree_with_quadrature(family, labels, generator):
    tasks = family.sample(3, 7, generator=generator)
    x, y = tasks.x, tasks.y
    if labels == "contradictory":
        y = torch.randint(2, y.shape, generator=generator)
    bayes = BayesOptimal(family)
    log_joint = bayes.log_joint_prefixes(x, y)
    for task in range(3):
        brute = brute_joint(family, x[task], y[task])
        assert torch.allclose(log_joint[task], brute, rtol=0, atol=1e-6)
    p = bayes.predict_prefixes(x.double(), y).exp()
    assert torch.allclose(p, log_joint.softmax(-1), rtol=0, atol=1e-12)


def test_the_prior_of_the_half_plane_angle_is_that_of_two_points_of_the_curve():
    # Fourier coefficients by the trapezoidal rule over both directions, whose error falls faster than 1e-9 here
    first = 2 * np.pi * (np.arange(256) + 0.25) / 1024
    second = 2 * np.pi * (np.arange(1024) + 0.75) / 1024
    chord = curve(first)[:, :, None] - curve(second)[:, None, :]
    angle = np.arctan2(chord[1], chord[0])
    edges = torch.linspace(0, 2 * math.pi, 2**16 + 1, dtype=torch.float64)
    mass = HalfPlaneAngle.of(1).mass(edges[:-1], edges[1:])
    assert float(mass.sum()) == pytest.approx(1, abs=1e-12)
    for m in (4, 8, 16, 32):
        wave = ((m * edges).sin().diff() / m / edges.diff() * mass).sum()
        assert float(wave) == pytest.approx(np.cos(m * angle).mean(), abs=2e-6)


@pytest.mark.parametrize("n_per_class", [2, 3])
def test_the_prior_of_the_half_plane_angle_for_several_points_a_class(n_per_class, generator):
    family = PairwiseMetric(2, n_per_class)
    w = family.sample_parameters(400_000, generator=generator)["weights"].sum(2)
    angle = torch.atan2(w[:, 0, 1] - w[:, 1, 1], w[:, 0, 0] - w[:, 1, 0]).remainder(math.pi / 2)
    edges = torch.linspace(0, math.pi / 2, 21, dtype=torch.float64)
    mass = 4 * HalfPlaneAngle.of(n_per_class).mass(edges[:-1], edges[1:])
    drawn = torch.histc(angle.double(), 20, 0, math.pi / 2) / len(angle)
    assert float(((drawn - mass) / (mass / len(angle)).sqrt()).square().sum()) < 45  # chi square of 19: p < 1e-3


@pytest.mark.parametrize("family", [*EXACT[1:], Mixture([Amortization(), PairwiseMetric(), Radial()])], ids=named)
def test_exact_oracles_keep_the_contract_of_learners(family):
    check_learner(BayesOptimal(family))


MIXTURE = Mixture([Amortization(), PairwiseMetric(), Radial()], weights=[1, 2, 3])


def test_a_mixture_weighs_its_families_by_their_evidence(generator):
    tasks = MIXTURE.sample(40, 8, generator=generator)
    x, y = tasks.x, tasks.y
    bayes, parts = BayesOptimal(MIXTURE), [BayesOptimal(family) for family in MIXTURE.families]
    joints = torch.stack([part.log_joint_prefixes(x, y) for part in parts], dim=2)
    weighted = joints + torch.tensor(MIXTURE.weights, dtype=torch.float64).log()[:, None]
    assert torch.allclose(bayes.log_joint_prefixes(x, y), weighted.logsumexp(2), atol=1e-10)
    posterior = bayes.family_posterior_prefixes(x, y, with_query=True)
    assert torch.allclose(posterior, weighted.logsumexp(3).softmax(2), atol=1e-10)
    predictive = torch.stack([part.predict_prefixes(x.double(), y).exp() for part in parts], dim=2)
    mixed = (posterior[..., None] * predictive).sum(2)
    assert torch.allclose(bayes.predict_prefixes(x.double(), y).exp(), mixed, atol=1e-10)


def test_the_posterior_over_families_is_calibrated(generator):
    tasks = MIXTURE.sample(4000, 6, generator=generator)
    posterior = BayesOptimal(MIXTURE).family_posterior_prefixes(tasks.x, tasks.y)
    assert torch.allclose(posterior[:, 0].mean(0), torch.tensor(MIXTURE.weights, dtype=torch.float64))
    for k in range(3):
        truth = (tasks.component == k).double()[:, None]
        error = (posterior[..., k] - truth)[:, 1:]
        assert (error.mean(0).abs() < 4 * error.std(0) / 4000**0.5).all()


def test_evidence_and_posterior_of_a_context_are_those_of_its_prefix(generator):
    tasks = MIXTURE.sample(5, 6, generator=generator)
    x, y = tasks.x, tasks.y
    bayes = BayesOptimal(MIXTURE)
    evidence = bayes.log_evidence_prefixes(x, y)
    with_query = bayes.log_evidence_prefixes(x, y, with_query=True)
    posterior = bayes.family_posterior_prefixes(x, y)
    assert evidence.shape == (5, 7)
    assert with_query.shape == (5, 6)
    for n in range(7):
        assert torch.allclose(bayes.log_evidence(x[:, :n], y[:, :n]), evidence[:, n], atol=1e-9)
        assert torch.allclose(bayes.family_posterior(x[:, :n], y[:, :n]), posterior[:, n], atol=1e-9)
    for n in range(6):
        query = x[:, n : n + 1]
        assert torch.allclose(bayes.log_evidence(x[:, :n], y[:, :n], query)[:, 0], with_query[:, n], atol=1e-9)
        assert torch.allclose(
            bayes.log_joint(x[:, :n], y[:, :n], query)[:, 0], bayes.log_joint_prefixes(x, y)[:, n], atol=1e-9
        )


def test_a_family_without_a_class_is_ruled_out_by_its_label(generator):
    mixture = Mixture([Radial(), ClassPrototype(2, 3)])
    tasks = ClassPrototype(2, 3).sample(6, 5, generator=generator)
    x, y = tasks.x, tasks.y
    y[:, 1] = 2
    bayes = BayesOptimal(mixture)
    posterior = bayes.family_posterior_prefixes(x, y)
    assert (posterior[:, 2:, 0] == 0).all()
    assert (posterior[:, 1, 0] > 0).all() or (y[:, 0] == 2).any()
    assert torch.isfinite(bayes.predict_prefixes(x, y)).all()


def test_everything_is_computed_in_float64(generator):
    tasks = Amortization().sample(20, 30, generator=generator)
    x, y = tasks.x, tasks.y
    bayes = BayesOptimal(Amortization())
    single, double = bayes.predict_prefixes(x, y), bayes.predict_prefixes(x.double(), y)
    assert single.dtype == torch.float32
    assert double.dtype == torch.float64
    assert torch.equal(single, double.float())
    assert bayes.log_joint_prefixes(x, y).dtype == torch.float64


DEGENERATE = {
    "no points": (torch.zeros(1, 0, 2), torch.zeros(1, 0, dtype=torch.int64)),
    "one class": (
        torch.randn(1, 9, 2, generator=torch.Generator().manual_seed(0)),
        torch.zeros(1, 9, dtype=torch.int64),
    ),
    "one point many times": (torch.ones(1, 9, 2), torch.ones(1, 9, dtype=torch.int64)),
    "one point with both labels": (torch.ones(1, 8, 2), torch.tensor([[0, 1] * 4])),
    "points at the origin": (torch.zeros(1, 4, 2), torch.tensor([[0, 1, 1, 1]])),
    "far points": (1e5 * torch.tensor([[[1.0, 2.0], [-1.0, 0.5], [2.0, 2.0]]]), torch.tensor([[0, 1, 1]])),
    "tiny points": (1e-20 * torch.tensor([[[1.0, 2.0], [-1.0, 0.5], [2.0, 2.0]]]), torch.tensor([[0, 1, 1]])),
}


@pytest.mark.filterwarnings("ignore::ctxlearn.references.EffectiveSampleSizeWarning")
@pytest.mark.parametrize("context", DEGENERATE)
@pytest.mark.parametrize(
    "bayes",
    [BayesOptimal(f) for f in [Amortization(), Radial(), PairwiseMetric(), ClassPrototype(), MIXTURE]],
    ids=lambda bayes: bayes.family.name,
)
def test_degenerate_contexts_give_finite_probabilities(bayes, context):
    x, y = DEGENERATE[context]
    queries = torch.cat([x, torch.randn(1, 5, 2, generator=torch.Generator().manual_seed(1)), torch.zeros(1, 1, 2)], 1)
    out = bayes(x, y, queries)
    assert torch.isfinite(out).all()
    assert torch.allclose(out.exp().sum(-1), torch.ones(()), atol=1e-5)
    assert torch.isfinite(bayes.log_evidence(x, y)).all()
    if x.shape[1]:
        assert torch.isfinite(bayes.predict_prefixes(x, y)).all()


def test_many_queries_are_answered_in_pieces(generator):
    tasks = Radial().sample(2, 10, generator=generator)
    x, y = tasks.x, tasks.y
    queries = 3 * torch.randn(2, 1500, 2, generator=generator)
    bayes = BayesOptimal(Radial())
    out = bayes(x, y, queries)
    assert torch.equal(out[:, 700:705], bayes(x, y, queries[:, 700:705]))
    assert bayes.effective_sample_size(x, y).isinf().all()
    with pytest.raises(ValueError, match="expected the Bayes predictor of a Mixture"):
        bayes.family_posterior(x, y)
