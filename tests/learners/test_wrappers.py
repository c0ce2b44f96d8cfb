"""What learners around learners hand on."""

import pytest
import torch
import zoo

from ctxlearn.estimators.models import scaled_by_context
from ctxlearn.language import Rounded, TextFormat
from ctxlearn.learners import (
    CNP,
    Committee,
    ContextScaled,
    GradientAdaptation,
    Guided,
    InContextTransformer,
    KernelFeatures,
    ManyClass,
    MissingAware,
    ProtoNet,
    Wrapper,
)
from ctxlearn.learners.advice import n_told
from ctxlearn.learners.quantiles import mixture_quantiles, quantile_levels
from ctxlearn.references import AlgorithmSelection, Ensemble, TrainedGate
from ctxlearn.tasks import Amortization, ClassPrototype
from ctxlearn.testing import check_learner
from ctxlearn.training import Adaptable

D = 2
ADVICE = ("ridge", "near", "match")


def inner(n_classes=None, n_features=D, gaps=True, seed=0):
    encoder = MissingAware(n_features, 8, hidden=8) if gaps else None
    options = {"readout": "quantiles"} if n_classes is None else {}
    return InContextTransformer(
        n_features, n_classes, width=16, depth=1, heads=2, encoder=encoder, seed=seed, **options
    ).eval()


def wrapped(kind, n_classes=None, gaps=True):
    """A wrapper of that kind, and a learner that it holds."""
    if kind is KernelFeatures:
        own = inner(n_classes, D + 3 * (n_classes or 1), gaps)
        return KernelFeatures(own), own
    if kind is Guided:
        own = inner(n_classes, D + n_told(ADVICE, n_classes), gaps)
        return Guided(own, D, D).eval(), own
    own = inner(n_classes, gaps=gaps)
    other = inner(n_classes, gaps=gaps, seed=1)
    made = {
        ContextScaled: lambda: ContextScaled(own),
        Adaptable: lambda: Adaptable(own, GradientAdaptation(1, learned="tensor")),
        Ensemble: lambda: Ensemble([own, other]),
        AlgorithmSelection: lambda: AlgorithmSelection([own, other]),
        Rounded: lambda: Rounded(own, TextFormat()),
        ManyClass: lambda: ManyClass(own, (n_classes or 0) + 1),
    }
    return made[kind]().eval(), own


KINDS = [ContextScaled, KernelFeatures, Guided, Rounded, Adaptable, Ensemble, AlgorithmSelection, ManyClass]
OF_NUMBERS = [kind for kind in KINDS if kind is not ManyClass]


def episode(n_classes=None, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(3, 9, D, generator=generator)
    y = torch.randn(3, 9, generator=generator)
    if n_classes is not None:
        y = torch.randint(n_classes, (3, 9), generator=generator)
    return x[:, :6], y[:, :6], x[:, 6:], y[:, 6:]


def subclasses(kind):
    found = {kind}
    for child in kind.__subclasses__():
        found |= subclasses(child)
    return {c for c in found if c.__module__.startswith("ctxlearn.")}


def test_every_wrapper_of_the_library_is_held_to_the_contract():
    apart = {Wrapper, Committee, TrainedGate}  # a gate reads points in their order; test_gate.py holds it
    assert subclasses(Wrapper) | subclasses(Committee) == {*KINDS, *apart}


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrapper_keeps_the_contract_of_learners(kind):
    check_learner(wrapped(kind, 3)[0])
    if kind is not ManyClass:
        check_learner(wrapped(kind)[0])


@pytest.mark.parametrize("kind", OF_NUMBERS)
def test_a_distribution_inside_is_one_outside(kind):
    learner, _ = wrapped(kind)
    x, y, q, _ = episode()
    with torch.no_grad():
        state = learner.adapt(x, y)
        quantiles = learner.predict_distribution(state, q)
        mean = learner.predict(state, q)
    assert quantiles.shape == (3, 3, 20)
    assert (quantiles.diff(dim=-1) >= -1e-6).all()
    assert torch.allclose(quantiles.mean(-1), mean, atol=0.05)


@pytest.mark.parametrize("kind", [ContextScaled, KernelFeatures, Adaptable])
def test_what_is_trained_inside_is_trained_outside(kind):
    learner, own = wrapped(kind)
    x, y, q, told = episode()
    output = learner.predict_for_loss(learner.adapt(x, y), q)
    assert output.shape == (3, 3, 20)
    assert torch.equal(learner.loss(output, told), own.loss(output, told))
    assert not torch.equal(learner.loss(output, told), learner.loss(output.mean(-1), told))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gaps", [True, False])
def test_missing_values_are_taken_where_they_are_inside(kind, gaps):
    learner, own = wrapped(kind, 3, gaps)
    x, y, q, _ = episode(3)
    x[0, 0, 0] = q[0, 1, 1] = torch.nan
    assert own.accepts_missing == gaps
    assert learner.accepts_missing == (gaps or kind is ContextScaled)
    if learner.accepts_missing:
        assert learner(x, y, q).isfinite().all()
    else:
        with pytest.raises(ValueError, match="missing value"):
            learner(x, y, q)


def test_selection_by_evidence_takes_no_missing_values_since_the_families_do_not():
    families = [ClassPrototype(2, 2), Amortization(2)]
    members = [inner(2), inner(2, seed=1)]
    assert not AlgorithmSelection(members, "evidence", families=families).accepts_missing


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_features_is_promised_to_mean_nothing_where_it_does(kind):
    n_classes = 3
    own = ContextScaled(inner(n_classes))
    made = {
        ContextScaled: lambda: ContextScaled(own, sort=False),
        KernelFeatures: lambda: KernelFeatures(ContextScaled(inner(n_classes, D + 9))),
        Guided: lambda: Guided(ContextScaled(inner(n_classes, D + n_told(ADVICE, n_classes))), D, D),
        Rounded: lambda: Rounded(own, TextFormat()),
        Adaptable: lambda: Adaptable(own, GradientAdaptation(1)),
        Ensemble: lambda: Ensemble([own, own]),
        AlgorithmSelection: lambda: AlgorithmSelection([own, own]),
        ManyClass: lambda: ManyClass(own, 4),
    }
    learner = made[kind]().eval()
    assert learner.ignores_feature_order == (kind not in (KernelFeatures, Guided))
    if learner.ignores_feature_order:
        x = torch.randn(1, 28, D, generator=torch.Generator().manual_seed(0))
        y = (torch.arange(24) % learner.n_classes)[None]  # two of each class, lest features tie
        x, q = x[:, :24], x[:, 24:]
        assert torch.allclose(learner(x, y, q), learner(x.flip(-1), y, q.flip(-1)), atol=1e-5)


def test_what_scales_already_is_not_scaled_again():
    scaled = ContextScaled(inner(3)).eval()
    x, y, q, _ = episode(3)
    expected = scaled(x, y, q)
    for learner in (scaled, Adaptable(scaled, GradientAdaptation(1)), Ensemble([scaled, scaled])):
        found = scaled_by_context(learner)
        assert type(found) is type(learner)
        probabilities = found(x, y, q).softmax(-1)
        assert torch.allclose(probabilities, expected.softmax(-1), atol=1e-6)
        large = found((x + 1e9).double(), y, (q + 1e9).double())  # in single precision nothing would be left of x
        exact = scaled((x + 1e9).double(), y, (q + 1e9).double())
        assert torch.allclose(large.softmax(-1), exact.softmax(-1), atol=1e-6)
    plain = scaled_by_context(Ensemble([scaled, ProtoNet(2, 3)]))
    assert isinstance(plain, ContextScaled)


def test_the_mixture_of_one_distribution_is_itself():
    quantiles = torch.randn(4, 20, generator=torch.Generator().manual_seed(0)).sort(-1).values
    for m in (1, 2, 3):
        same = quantiles[:, None].expand(4, m, 20)
        weights = torch.rand(4, m, generator=torch.Generator().manual_seed(1))
        equal = torch.full((4, m), 1 / m)
        assert torch.allclose(mixture_quantiles(same, equal), quantiles, atol=1e-6)
        assert torch.allclose(mixture_quantiles(same, weights / weights.sum(-1, keepdim=True)), quantiles, atol=1e-5)
    two = torch.stack([quantiles, quantiles + 100], dim=1)
    assert torch.allclose(mixture_quantiles(two, torch.tensor([1.0, 0.0]).expand(4, 2)), quantiles, atol=1e-5)


def test_a_mixture_of_distributions_has_the_quantiles_of_their_mixed_function():
    levels = quantile_levels()
    near, far = torch.special.ndtri(levels), 3 + 2 * torch.special.ndtri(levels)
    found = mixture_quantiles(torch.stack([near, far]), torch.tensor([0.3, 0.7], dtype=torch.float64))
    reached = 0.3 * torch.special.ndtr(found) + 0.7 * torch.special.ndtr((found - 3) / 2)
    assert torch.allclose(reached, levels, atol=0.03)


def test_an_ensemble_of_members_without_distributions_says_so():
    learner = Ensemble([CNP(2, None, width=8), inner()])
    x, y, q, _ = episode()
    with pytest.raises(ValueError, match="CNP predicts no distribution"):
        learner.predict_distribution(learner.adapt(x, y), q)


def test_wrappers_refuse_what_is_no_learner():
    for make in (Wrapper, ContextScaled, KernelFeatures, lambda x: Adaptable(x, GradientAdaptation(1))):
        with pytest.raises(ValueError, match="learner: expected a Learner, got 3"):
            make(3)
    for make in (Ensemble, AlgorithmSelection):
        with pytest.raises(ValueError, match="learners: expected a list of two or more learners"):
            make([zoo.references()["1-NN"]])
