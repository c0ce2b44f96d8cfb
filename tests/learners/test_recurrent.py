"""Recurrent learners: equal to plain loops, one memory for context and queries, gradients of second order, resumption."""

import pytest
import runs
import torch
import torch.nn.functional as F
from torch.func import functional_call

from ctxlearn.evaluation import score_prefixes
from ctxlearn.inner_loop import Functional, GradientAdaptation
from ctxlearn.learners import InContextRecurrent, MissingAware
from ctxlearn.learners.mixers import MIXERS, WINDOW
from ctxlearn.learners.scan import Writes, ask, scan
from ctxlearn.tasks import HalfPlane, LinearRegression
from ctxlearn.testing import check_learner
from ctxlearn.training import AllPrefixes, TrainingConfig, train

every_mixer = pytest.mark.parametrize("mixer", MIXERS)
LINEAR = [name for name in MIXERS if name != "gru"]


def learner(mixer, n_classes=2, **changes):
    return InContextRecurrent(2, n_classes, mixer, **({"width": 16, "depth": 2, "heads": 2} | changes))


def numbers(*size, seed=0):
    return torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def some_writes(n_tokens, seed=0):
    keys = numbers(2, 3, n_tokens, 4, seed=seed + 1)
    return Writes(
        numbers(2, 3, n_tokens, 4, seed=seed),
        F.normalize(keys, dim=-1),
        numbers(2, 3, n_tokens, 5, seed=seed + 2),
        -F.softplus(numbers(2, 3, n_tokens, seed=seed + 3)),
        torch.sigmoid(numbers(2, 3, n_tokens, seed=seed + 4)),
    )


def loop(writes, memory, delta):
    """The recurrence as it is written: one token after another."""
    read = []
    for query, key, value, log_decay, strength in zip(*(tensor.unbind(2) for tensor in writes), strict=True):
        decayed = log_decay.exp()[..., None, None] * memory
        wrong = value - (decayed @ key[..., None])[..., 0] if delta else value
        memory = decayed + strength[..., None, None] * wrong[..., :, None] * key[..., None, :]
        read.append((memory @ query[..., None])[..., 0])
    return torch.stack(read, dim=2), memory


@pytest.mark.parametrize("delta", [False, True])
@pytest.mark.parametrize("n_tokens", [1, 2, 7, 64, 65, 150])
def test_the_scan_is_the_loop_whatever_the_chunks(delta, n_tokens):
    writes, start = some_writes(n_tokens), numbers(2, 3, 5, 4, seed=9)
    expected = loop(writes, start, delta)
    for chunk in (1, 5, 64, 1000):
        for found, wanted in zip(scan(writes, start, delta, chunk), expected, strict=True):
            assert torch.allclose(found, wanted, rtol=1e-9, atol=1e-9)
    single = Writes(*(tensor.float() for tensor in writes))
    for found, wanted in zip(scan(single, start.float(), delta), expected, strict=True):
        assert float((found - wanted).abs().max()) < 1e-5 * float(wanted.abs().max())


@pytest.mark.parametrize("delta", [False, True])
def test_tokens_that_are_asked_on_their_own_read_what_each_would_next(delta):
    writes, start = some_writes(6), numbers(2, 3, 5, 4, seed=9)
    for i in range(6):
        one = Writes(*(tensor[:, :, i : i + 1] for tensor in writes))
        assert torch.allclose(ask(writes, start, delta)[:, :, i : i + 1], scan(one, start, delta)[0])


def test_the_memory_forgets_and_no_tokens_leave_it_as_it_is():
    start = numbers(2, 3, 5, 4)
    read, same = scan(some_writes(0), start, delta=True)
    assert read.shape == (2, 3, 0, 5)
    assert torch.equal(same, start)
    forgetful = some_writes(200)._replace(log_decay=torch.full((2, 3, 200), -30.0, dtype=torch.float64))
    last = Writes(*(tensor[:, :, -1:] for tensor in forgetful))
    assert torch.allclose(scan(forgetful, start, True)[1], scan(last, torch.zeros_like(start), True)[1], atol=1e-9)


@pytest.mark.parametrize("delta", [False, True])
def test_the_scan_has_exact_first_and_second_derivatives(delta):
    writes, start = some_writes(5), numbers(2, 3, 5, 4, seed=9)
    few = [tensor[:1, :1].clone().requires_grad_() for tensor in (*writes, start)]

    def read(*given):
        return scan(Writes(*given[:5]), given[5], delta, chunk=3)[0]

    assert torch.autograd.gradcheck(read, few)
    assert torch.autograd.gradgradcheck(read, few)


@pytest.mark.parametrize("form", LINEAR)
def test_linear_attention_is_its_definition_token_by_token(form):
    mixer, z = MIXERS[form](8, 2).double(), numbers(3, 9, 8)
    found, (memory, last) = mixer(z)
    state = z.new_zeros(3, 2, 4, 4)
    for t in range(9):
        seen = [z[:, s] if s >= 0 else torch.zeros_like(z[:, 0]) for s in range(t - WINDOW + 1, t + 1)]
        local = F.silu(sum(one * weight for one, weight in zip(seen, mixer.window[0], strict=True)))
        q, k, v = (part.view(3, 2, 4) for part in mixer.query_key_value(local).chunk(3, -1))
        rates = mixer.rates(local)
        step = F.softplus(rates[:, :2])
        decay = torch.exp(-step * mixer.log_decay.exp())[..., None, None]
        if form == "delta":
            q, k = q / q.norm(dim=-1, keepdim=True), k / k.norm(dim=-1, keepdim=True)
            strength = torch.sigmoid(rates[:, 2:])[..., None, None]
            identity = torch.eye(4, dtype=z.dtype)
            state = decay * state @ (identity - strength * k[..., :, None] * k[..., None, :])
            state = state + strength * v[..., :, None] * k[..., None, :]
        else:
            strength = step[..., None, None] if form == "selective" else 1.0
            state = decay * state + strength * v[..., :, None] * (k / 2)[..., None, :]
        read = (state @ q[..., None])[..., 0] + (v if form == "selective" else 0.0)
        expected = mixer.out(mixer.read_norm(read).flatten(1) * F.silu(mixer.gate(z[:, t])))
        assert torch.allclose(found[:, t], expected, atol=1e-10)
    assert torch.allclose(memory, state, atol=1e-10)
    assert torch.equal(last, z[:, -WINDOW + 1 :])


def test_the_gated_recurrent_unit_is_that_of_torch():
    mixer, z = MIXERS["gru"](8, 1).double(), numbers(3, 9, 8)
    reference = torch.nn.GRU(8, 8, batch_first=True).double()
    with torch.no_grad():
        for name, own in (("ih", mixer.inputs), ("hh", mixer.recurrent)):
            getattr(reference, f"weight_{name}_l0").copy_(own.weight)
            getattr(reference, f"bias_{name}_l0").copy_(own.bias)
    expected, last = reference(z)
    found, memory = mixer(z)
    assert torch.allclose(found, mixer.out(expected), atol=1e-12)
    assert torch.allclose(memory, last[0], atol=1e-12)


@every_mixer
def test_the_contract_of_learners_is_kept(mixer):
    check_learner(learner(mixer, 3), permutation_invariant=False)
    check_learner(learner(mixer, None).double(), permutation_invariant=False, tolerance=1e-9)


def test_encoders_of_images_and_of_missing_values_are_taken():
    check_learner(InContextRecurrent((2, 3, 3), 2, width=8, depth=1, heads=2), permutation_invariant=False)
    takes_gaps = InContextRecurrent(3, 2, width=8, depth=1, heads=2, encoder=MissingAware(3, 8, hidden=8))
    check_learner(takes_gaps, permutation_invariant=False)


@every_mixer
def test_the_memory_has_one_size_and_one_pass_is_as_good_as_many_far_beyond_a_chunk(mixer):
    one = learner(mixer).double()
    tasks = HalfPlane().sample(2, 150, generator=torch.Generator().manual_seed(0))
    x, y = tasks.x.double(), tasks.y
    sizes = {tuple(t.shape for t in _tensors(one.adapt(x[:, :n], y[:, :n]).memories)) for n in (1, 10, 150)}
    assert len(sizes) == 1
    rows = one.predict_prefixes(x, y)
    for n in (0, 40, 149):
        assert torch.allclose(rows[:, n : n + 1], one(x[:, :n], y[:, :n], x[:, n : n + 1]), atol=1e-9)


def _tensors(tree):
    return [tree] if isinstance(tree, torch.Tensor) else [t for part in tree for t in _tensors(part)]


@every_mixer
def test_gradients_of_second_order_are_those_of_finite_differences(mixer):
    one = learner(mixer, None, width=4, depth=1, heads=1).double()
    tasks = LinearRegression(2).sample(2, 4, generator=torch.Generator().manual_seed(0))
    x, y, function = tasks.x.double(), tasks.y.double(), Functional(one)
    adaptation = GradientAdaptation(2, 0.05)

    def adapted_loss(parameters):
        def loss(given):
            return function(given, lambda m: m.loss(m.predict_prefixes(x[:1], y[:1]), y[:1]))

        moved = adaptation.adapt(loss, parameters).parameters
        return function(moved, lambda m: m.loss(m.predict_prefixes(x[1:], y[1:]), y[1:]))

    parameters = {name: p.detach().clone().requires_grad_() for name, p in one.named_parameters()}
    whole = torch.autograd.grad(adapted_loss(parameters), list(parameters.values()), allow_unused=True)
    along = {name: numbers(*p.shape, seed=i) for i, (name, p) in enumerate(parameters.items())}
    ahead, behind = (
        adapted_loss({n: (p + sign * 1e-5 * along[n]).detach().requires_grad_() for n, p in parameters.items()}).item()
        for sign in (1, -1)
    )
    slope = sum((g * along[n]).sum().item() for n, g in zip(parameters, whole, strict=True) if g is not None)
    assert slope == pytest.approx((ahead - behind) / 2e-5, rel=1e-5)


@every_mixer
def test_functional_calls_reach_every_weight(mixer):
    one = learner(mixer)
    x, y = torch.randn(1, 3, 2), torch.tensor([[0, 1, 0]])
    zeroed = {name: torch.zeros_like(p) for name, p in one.named_parameters()}
    assert torch.equal(functional_call(one, zeroed, (x, y, x)), torch.zeros(1, 3, 2))
    assert not torch.equal(one(x, y, x), torch.zeros(1, 3, 2))


@every_mixer
def test_a_run_that_is_stopped_goes_on_to_the_same_bits(mixer, tmp_path, monkeypatch):
    whole = runs.small(tmp_path / "whole", learner=learner(mixer), objective=AllPrefixes(), optimizer="muon")
    runs.stop_at(monkeypatch, 7)
    with pytest.raises(runs.Stopped):
        runs.small(tmp_path / "run", learner=learner(mixer), objective=AllPrefixes(), optimizer="muon")
    monkeypatch.undo()
    again = runs.small(tmp_path / "run", learner=learner(mixer), objective=AllPrefixes(), optimizer="muon")
    for name, value in whole.learner.state_dict().items():
        assert torch.equal(value, again.learner.state_dict()[name])


@every_mixer
def test_each_learns_half_planes(mixer, tmp_path):
    config = TrainingConfig(
        steps=400 if mixer == "gru" else 200, tasks_per_step=32, n_points=12, shards=1, progress=False
    )
    trained = train(
        learner(mixer, width=32), HalfPlane(), config, out=tmp_path / "run", objective=AllPrefixes()
    ).learner
    tasks = HalfPlane().sample(300, 12, generator=torch.Generator().manual_seed(9))
    assert float(score_prefixes(trained, tasks)[:, 6:].mean()) > 0.75


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mixer": "lstm"}, "mixer: unknown name 'lstm'. Known: delta, gated, gru, selective"),
        ({"heads": 3}, "heads: expected a divisor of width 16, got 3 heads"),
        ({"depth": 0}, "depth: expected"),
        ({"hidden": 0}, "hidden: expected"),
    ],
)
def test_bad_arguments_are_named(changes, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        InContextRecurrent(2, 2, **({"width": 16} | changes))
