"""Families in the plane: their rules as a reader would write them, their Bayes predictors against brute force."""

import math

import pytest
import torch

from ctxlearn.evaluation import score_prefixes
from ctxlearn.learners import ProtoNet
from ctxlearn.references import BayesOptimal, KernelRegression, LogisticRegression, NearestNeighbor
from ctxlearn.tasks import (
    Amortization,
    Band,
    Checkerboard,
    Circle,
    HalfPlane,
    Mixture,
    OffsetHalfPlane,
    QuadraticForm,
    RotatedAmortization,
    RotatedEllipse,
    Stripes,
    TwoBumps,
    Wedge,
    Xor,
)
from ctxlearn.tasks.plane import PlaneFamily

FAMILIES = [
    HalfPlane(),
    OffsetHalfPlane(),
    Wedge(),
    Band(),
    Stripes(),
    Checkerboard(),
    Xor(),
    QuadraticForm(),
    Circle(),
    RotatedEllipse(),
    TwoBumps(),
    RotatedAmortization(),
    RotatedAmortization(turn=180),
]
EXACT = [HalfPlane(), Xor(), RotatedAmortization(turn=180), RotatedAmortization(2.0, turn=-30)]
every_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


def drawn(family, n_tasks=4000, n_points=8, seed=0):
    return family.sample(n_tasks, n_points, generator=torch.Generator().manual_seed(seed), with_parameters=True)


@every_family
def test_classes_are_equally_frequent_over_tasks_and_neither_is_rare_within_one(family):
    share = drawn(family, 8000, 64).y.double().mean(1)
    assert abs(float(share.mean()) - 0.5) <= 4.5 * float(share.std()) / len(share) ** 0.5
    assert float(((share > 0.1) & (share < 0.9)).double().mean()) > 0.9


@every_family
def test_inputs_are_normal_with_the_scale_asked_for(family):
    spread = type(family)(**{**family._arguments, "scale": 3.0})
    tasks = drawn(spread)
    x = tasks.x
    if isinstance(family, RotatedAmortization):
        assert abs(float(x.mean(1).var(0).mean()) - (1 + 9 / 8)) < 0.15  # the mean is hidden and normal
        x = x - tasks.parameters["latents"][:, None, :2]
    assert abs(float(x.mean())) < 0.05
    assert float(x.square().mean()) == pytest.approx(9.0, rel=0.03)


@every_family
def test_one_seed_draws_one_set_of_tasks_and_the_global_state_is_left_alone(family):
    before = torch.random.get_rng_state()
    first, again, other = drawn(family), drawn(family), drawn(family, seed=1)
    assert torch.equal(first.x, again.x)
    assert torch.equal(first.y, again.y)
    assert not torch.equal(first.y, other.y)
    assert torch.equal(before, torch.random.get_rng_state())


@every_family
def test_labels_are_what_the_likelihood_allows(family):
    tasks = drawn(family, 200)
    latents = {"latents": tasks.parameters["latents"].double()[:, None]}
    right, wrong = (family.log_likelihood(latents, tasks.x.double(), y)[:, 0] for y in (tasks.y, 1 - tasks.y))
    assert float((right > wrong).double().mean()) > 0.999  # the rest is rounding at a boundary
    assert torch.allclose((right - wrong).abs(), torch.tensor(15.0, dtype=torch.float64))


def test_rules_are_those_of_their_docstrings():
    """Each family's rule written a second time, from its geometric parameters."""

    def labels(family, rule):
        tasks = drawn(family, 300, 40)
        z = tasks.parameters["latents"].double()[:, None]
        phi = torch.special.ndtr(z)
        angle = torch.atan2(z[..., 1], z[..., 0])
        u = angle.cos() * tasks.x[..., 0] + angle.sin() * tasks.x[..., 1]
        v = -angle.sin() * tasks.x[..., 0] + angle.cos() * tasks.x[..., 1]
        agreement = (rule(z, phi, angle, u, v, tasks.x.double()) == (tasks.y == 1)).double().mean()
        assert float(agreement) > 0.999, family.name

    labels(HalfPlane(), lambda z, phi, angle, u, v, x: u > 0)
    labels(OffsetHalfPlane(offset=2.0), lambda z, phi, angle, u, v, x: u > 4 * phi[..., 2] - 2)
    labels(
        Wedge(),
        lambda z, phi, angle, u, v, x: torch.atan2(v, u).abs() < math.pi * (0.25 + 0.5 * phi[..., 2]),
    )
    labels(
        Band(),
        lambda z, phi, angle, u, v, x: ((u - phi[..., 3] + 0.5).abs() < 0.4 + 0.6 * phi[..., 2]) == (z[..., 4] >= 0),
    )

    def wave(z, at, width):
        return torch.sin(math.pi * at / width + torch.atan2(z[..., 1], z[..., 0]))

    labels(Stripes(), lambda z, phi, angle, u, v, x: wave(z[..., [4, 3]].flip(-1), u, 0.8 + 0.8 * phi[..., 2]) > 0)
    labels(
        Checkerboard(),
        lambda z, phi, angle, u, v, x: (
            wave(z[..., 3:5], u, 1.2 + 0.8 * phi[..., 2]) * wave(z[..., 5:7], v, 1.2 + 0.8 * phi[..., 2]) > 0
        ),
    )
    labels(Xor(), lambda z, phi, angle, u, v, x: torch.cos(2 * torch.atan2(x[..., 1], x[..., 0]) - angle) > 0)
    labels(
        Circle(),
        lambda z, phi, angle, u, v, x: (
            ((x - 0.3 * z[..., :2]).norm(dim=-1) < 0.8 + 0.8 * phi[..., 2]) == (z[..., 3] >= 0)
        ),
    )

    def ellipse(z, phi, angle, u, v, x):
        r, k = 0.9 + 0.7 * phi[..., 2], 1.5 + 1.5 * phi[..., 3]
        along = (angle / 2).cos() * x[..., 0] + (angle / 2).sin() * x[..., 1]
        across = -(angle / 2).sin() * x[..., 0] + (angle / 2).cos() * x[..., 1]
        return ((along / (r * k.sqrt())) ** 2 + (across / (r / k.sqrt())) ** 2 < 1) == (z[..., 4] >= 0)

    labels(RotatedEllipse(), ellipse)

    def bumps(z, phi, angle, u, v, x):
        distance = torch.minimum((x - z[..., :2]).norm(dim=-1), (x - z[..., 2:4]).norm(dim=-1))
        return (distance < 0.8 + 0.5 * phi[..., 4]) == (z[..., 5] >= 0)

    labels(TwoBumps(), bumps)


def test_flipped_amortization_has_the_opposite_labels_and_no_turn_is_amortization_itself():
    flipped, same = RotatedAmortization(turn=180), RotatedAmortization(turn=0)
    assert flipped.name == "flipped-amortization"
    for family, equal in ((flipped, False), (same, True)):
        tasks = drawn(family)
        rule = tasks.x.sum(-1) <= tasks.parameters["latents"][:, None, :2].sum(-1)
        assert float((rule == (tasks.y == 1)).double().mean()) == pytest.approx(float(equal), abs=1e-3)
    tasks = drawn(Amortization(), 20, 10)
    first, second = BayesOptimal(same), BayesOptimal(Amortization())
    assert torch.allclose(
        first.predict_prefixes(tasks.x, tasks.y), second.predict_prefixes(tasks.x, tasks.y), atol=1e-5
    )


@every_family
def test_bayes_agrees_with_a_large_sample_of_the_prior(family):
    """Every answer lies within five standard errors of brute force, which weighs 100,000 tasks of the prior."""
    tasks = drawn(family, 10, 7, seed=1)
    sample = family.sample_parameters(100_000, generator=torch.Generator().manual_seed(2))
    brute, bayes = BayesOptimal(family, pool=sample), BayesOptimal(family)
    p, expected = (b.predict_prefixes(tasks.x, tasks.y).exp()[..., 1].double() for b in (bayes, brute))
    each = [
        family.log_likelihood(
            {"latents": sample["latents"].double()[None]}, tasks.x.double(), torch.full_like(tasks.y, c)
        )
        for c in (0, 1)
    ]
    known = torch.where(tasks.y[:, None] == 1, each[1], each[0])
    weights = (known.cumsum(2) - known + torch.logaddexp(*each)).softmax(1)  # the points before, and the query's x
    size = 1 / weights.square().sum(1)
    error = (expected * (1 - expected) * (1 / size + 1 / bayes.effective_sample_size(tasks.x, tasks.y))).sqrt()
    judged = size > 100
    assert float(judged.double().mean()) > 0.9
    assert bool(((p - expected).abs() <= 5 * error + 2e-3)[judged].all())


@pytest.mark.parametrize("family", EXACT, ids=repr)
def test_exact_posteriors_agree_with_a_dense_grid_and_with_particles(family):
    tasks = drawn(family, 12, 25)
    exact = BayesOptimal(family).predict_prefixes(tasks.x, tasks.y).exp()
    assert bool(BayesOptimal(family).effective_sample_size(tasks.x, tasks.y).isinf().all())
    sampled = BayesOptimal(family, method="particles").predict_prefixes(tasks.x, tasks.y).exp()
    assert float((exact - sampled).abs().mean()) < 0.01
    if family.n_latents > 2:
        return
    angles = 2 * math.pi * (torch.arange(60_000) + 0.5) / 60_000
    grid = {"latents": torch.stack([angles.cos(), angles.sin()], dim=-1)}
    dense = BayesOptimal(family, pool=grid).predict_prefixes(tasks.x, tasks.y).exp()
    assert float((exact - dense).abs().max()) < 0.01
    assert float((exact - dense).abs().mean()) < 1e-3


@every_family
def test_no_learner_beats_bayes(family):
    tasks = drawn(family, 150, 32)
    best = score_prefixes(BayesOptimal(family), tasks)
    others = {
        "1-NN": NearestNeighbor(2),
        "kernel": KernelRegression(0.5, n_features=2),
        "logistic regression": LogisticRegression(2),
        "nearest class mean": ProtoNet(2, 2, encoder="identity"),
        "Bayes of other families": BayesOptimal(Mixture([HalfPlane(), Xor()])),
    }
    for name, learner in others.items():
        gain = (score_prefixes(learner, tasks) - best)[:, 1:].mean(1)
        assert float(gain.mean()) <= 3 * float(gain.std()) / len(gain) ** 0.5 + 1e-12, name


def test_a_mixture_of_the_plane_tells_its_families_apart():
    mixture = Mixture([Xor(), HalfPlane(), Circle()])
    tasks = drawn(mixture, 60, 40)
    posterior = BayesOptimal(mixture).family_posterior(tasks.x, tasks.y)
    assert float((posterior.argmax(-1) == tasks.component).double().mean()) > 0.9


class Diamond(PlaneFamily):
    """A family of one's own: two methods."""

    n_latents = 1

    def geometry(self, z):
        return {"size": 1.2 * z[..., 0].exp()}

    def score(self, geometry, x, y):
        return geometry["size"] - x.abs() - y.abs()


def test_a_family_of_ones_own_is_a_score_and_has_a_bayes_predictor():
    tasks = drawn(Diamond(), 30, 20)
    accuracy = score_prefixes(BayesOptimal(Diamond()), tasks)[:, 5:].mean()
    assert accuracy > score_prefixes(LogisticRegression(2), tasks)[:, 5:].mean() + 0.05


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HalfPlane(scale=0), "scale: expected a finite number > 0"),
        (lambda: OffsetHalfPlane(offset=-1), "offset: expected a finite number > 0"),
        (lambda: Wedge(angle=80), "angle: expected a finite number >= 90"),
        (lambda: Band(width_low=2.0, width_high=1.0), "width_low: expected width_low <= width_high, got 2 and 1"),
        (lambda: Stripes(width_low=0), "width_low: expected a finite number > 0"),
        (lambda: Checkerboard(width_high=float("nan")), "width_high: expected a finite number > 0"),
        (lambda: Circle(centre=0), "centre: expected a finite number > 0"),
        (lambda: RotatedEllipse(ratio_low=4), "ratio_low: expected ratio_low <= ratio_high, got 4 and 3"),
        (lambda: TwoBumps(spread="wide"), "spread: expected a finite number > 0"),
        (lambda: RotatedAmortization(turn=400), "turn: expected a finite number >= -360"),
    ],
)
def test_bad_parameters_are_named(make, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        make()


def test_golden_numbers_of_a_seed_stay():
    # python -c "import torch; from ctxlearn.tasks import *; t = Band().sample(2, 3, generator=torch.Generator()
    #   .manual_seed(0)); print(t.x[:, 0].tolist(), t.y.tolist())"
    tasks = drawn(Band(), 2, 3)
    assert torch.allclose(tasks.x[:, 0], torch.tensor([[-0.5966353, 0.1820365], [-0.5663175, 0.3731146]]), atol=1e-5)
    assert tasks.y.tolist() == [[1, 1, 1], [1, 0, 0]]
