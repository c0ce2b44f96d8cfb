"""Adaptation by gradient steps: against finite differences, hand-written formulas and learn2learn's semantics."""

import copy
import gc
import threading
import weakref

import pytest
import torch
import torch.nn.functional as F
from inner import assert_gradient_is_the_finite_difference, named, network, points, squared
from torch import nn

from ctxlearn.learners import (
    AdaptationDiverged,
    DifferentiableAttention,
    Functional,
    GradientAdaptation,
    InContextTransformer,
    reptile_loss,
)
from ctxlearn.seeding import initial_weights


def two_blocks():
    return InContextTransformer(2, None, width=8, depth=2, heads=2).double()


def task_loss(learner, x, y):
    """The loss of an in-context learner on tasks x (B, N, d): the meta level's samples are tasks."""
    function, n = Functional(learner), x.shape[1] // 2

    def objective(module, x, y):
        return module.loss(module(x[:, :n], y[:, :n], x[:, n:]), y[:, n:])

    return lambda p: function(p, objective, x, y)


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("learned", ["none", "tensor", "entry"])
def test_the_meta_gradient_of_a_transformer_is_the_finite_difference(recompute, learned, generator):
    learner = two_blocks()
    inner, outer = (
        task_loss(
            learner,
            torch.randn(3, 6, 2, generator=generator, dtype=torch.float64),
            torch.randn(3, 6, generator=generator, dtype=torch.float64),
        )
        for _ in range(2)
    )
    adaptation = GradientAdaptation(3, 0.1, recompute=recompute, learned=learned, per_step=True)
    sizes = adaptation.step_sizes(named(learner))
    parameters = [*learner.parameters(), *([] if sizes is None else sizes.parameters())]

    def value():
        return outer(adaptation.adapt(inner, named(learner), step_sizes=sizes).parameters)

    assert_gradient_is_the_finite_difference(value, parameters, generator)


def test_math_attention_is_needed_and_stays_in_its_thread(generator):
    q, k, v = (torch.randn(2, 2, 5, 4, generator=generator, requires_grad=True) for _ in range(3))

    def second_derivative():
        out = F.scaled_dot_product_attention(q, k, v)
        (first,) = torch.autograd.grad(out.square().sum(), q, create_graph=True)
        return torch.autograd.grad(first.square().sum(), q)[0]

    with pytest.raises(RuntimeError, match="not implemented"):
        second_derivative()
    outcome = []

    def elsewhere():
        try:
            second_derivative()
        except RuntimeError as error:
            outcome.append(error)

    with DifferentiableAttention():
        assert torch.isfinite(second_derivative()).all()
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        math = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=0.3)
    assert len(outcome) == 1
    assert torch.allclose(math, F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=0.3), atol=1e-6)


def test_an_encoder_layer_of_torch_is_differentiated_twice(generator):
    with initial_weights(0):
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, activation="gelu", batch_first=True).double()
    x = torch.randn(2, 5, 8, generator=generator, dtype=torch.float64)
    function = Functional(layer)

    def loss(p):
        return function(p, lambda m, x: m(x).square().mean(), x)

    def value():
        return loss(GradientAdaptation(2, 0.1).adapt(loss, named(layer)).parameters)

    assert_gradient_is_the_finite_difference(value, list(layer.parameters()), generator)


def test_a_step_is_the_formula_and_first_order_takes_the_inner_gradient_for_a_constant(generator):
    module = network()
    inner, outer = squared(module, *points(generator)), squared(module, *points(generator))
    parameters = named(module)
    by_hand = dict(parameters)
    for _ in range(3):
        gradients = torch.autograd.grad(inner(by_hand), list(by_hand.values()), create_graph=True)
        by_hand = {name: p - 0.2 * g for (name, p), g in zip(by_hand.items(), gradients, strict=True)}
    second = torch.autograd.grad(outer(by_hand), list(parameters.values()), retain_graph=True)
    # the derivative of the adapted parameters is taken for the identity: the gradient at the adapted ones
    first = torch.autograd.grad(outer(by_hand), list(by_hand.values()))
    for first_order, expected in ((False, second), (True, first)):
        adapted = GradientAdaptation(3, 0.2, first_order).adapt(inner, parameters)
        found = torch.autograd.grad(outer(adapted.parameters), list(parameters.values()))
        for name, p in by_hand.items():
            assert torch.allclose(adapted.parameters[name], p, atol=1e-12)
        for a, b in zip(found, expected, strict=True):
            assert torch.allclose(a, b, atol=1e-12)
    assert not torch.allclose(second[0], first[0], rtol=1e-3)


def test_steps_taken_twice_are_twice_the_steps_and_the_module_stays_as_it_was(generator):
    module = network()
    loss, before = squared(module, *points(generator)), {n: p.clone() for n, p in named(module).items()}
    once = GradientAdaptation(4, 0.1).adapt(loss, named(module)).parameters
    half = GradientAdaptation(2, 0.1)
    twice = half.adapt(loss, half.adapt(loss, named(module)).parameters, names=tuple(once)).parameters
    for name, p in named(module).items():
        assert torch.allclose(once[name], twice[name], atol=1e-14)
        assert torch.equal(p, before[name])
        assert p.grad is None


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("steps", [0, 1, 4])
def test_exactly_so_many_steps_are_taken(steps, recompute, generator):
    module, calls = network(), []
    inner = squared(module, *points(generator))

    def counted(parameters):
        calls.append(1)
        return inner(parameters)

    adapted = GradientAdaptation(steps, 0.1, recompute=recompute).adapt(counted, named(module))
    assert len(calls) == steps
    assert adapted.losses.shape == (steps,)
    if steps:
        inner(adapted.parameters).backward()
        assert len(calls) == (2 * steps if recompute else steps)


def test_frozen_parameters_and_those_outside_the_pattern_stay_and_the_latter_are_trained(generator):
    module = network()
    module[0].bias.requires_grad_(False)
    inner, outer = squared(module, *points(generator)), squared(module, *points(generator))
    for recompute in (False, True):
        adapted = GradientAdaptation(2, 0.1, parameters=["2.*"], recompute=recompute).adapt(inner, named(module))
        for name, p in named(module).items():
            assert (adapted.parameters[name] is p) == (not name.startswith("2."))
        found = torch.autograd.grad(outer(adapted.parameters), module[0].weight)[0]
        # what the body's gradient would be if the head had not depended on the body
        cut = {n: p.detach() if n.startswith("2.") else p for n, p in adapted.parameters.items()}
        assert not torch.allclose(found, torch.autograd.grad(outer(cut), module[0].weight)[0], rtol=1e-3)
    everywhere = GradientAdaptation(2, 0.1).adapt(inner, named(module)).parameters
    assert everywhere["0.bias"] is module[0].bias
    assert not any(torch.equal(p, everywhere[n]) for n, p in named(module).items() if n != "0.bias")


def test_a_parameter_that_the_loss_does_not_depend_on_is_not_moved(generator):
    module = nn.ModuleDict({"used": network(), "unused": nn.Linear(2, 2)}).double()
    x, y = points(generator)
    function = Functional(module)

    def loss(p):
        return function(p, lambda m, x: (m["used"](x)[..., 0] - y).square().mean(), x)

    for recompute in (False, True):
        adapted = GradientAdaptation(2, 0.1, recompute=recompute).adapt(loss, named(module)).parameters
        assert torch.equal(adapted["unused.weight"], module["unused"].weight)
        gradients = torch.autograd.grad(loss(adapted), list(named(module).values()), allow_unused=True)
        assert sum(g is not None and bool(g.any()) for g in gradients) == 4


class Saved:
    """A tensor that autograd keeps for the backward pass."""

    def __init__(self, tensor):
        self.tensor = tensor


def kept_by(function):
    """Numbers that autograd keeps because of `function()`, each once, and its result."""
    alive = weakref.WeakSet()

    def pack(tensor):
        saved = Saved(tensor)
        alive.add(saved)
        return saved

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved.tensor):
        result = function()
    gc.collect()
    return sum({s.tensor.data_ptr(): s.tensor.numel() for s in alive}.values()), result


def test_recomputation_keeps_the_parameters_of_each_step_and_changes_no_gradient(generator):
    module = network(hidden=7)
    loss = squared(module, *points(generator, n=500))
    n_parameters = sum(p.numel() for p in module.parameters())
    kept, gradients = {}, {}
    for recompute in (False, True):
        for steps in (2, 6):
            adaptation = GradientAdaptation(steps, 0.3, recompute=recompute)
            kept[steps], adapted = kept_by(lambda a=adaptation: a.adapt(loss, named(module)).parameters)
            gradients[recompute] = torch.autograd.grad(loss(adapted), list(module.parameters()))
        grown = (kept[6] - kept[2]) / 4
        assert (grown <= n_parameters) if recompute else (grown > 500 * 7)
    for a, b in zip(gradients[False], gradients[True], strict=True):
        assert torch.allclose(a, b, rtol=1e-12, atol=1e-14)


def test_recomputation_refuses_a_loss_that_hides_a_tensor_to_be_trained(generator):
    module, (x, y) = network(), points(generator)
    hidden = torch.ones((), dtype=torch.float64, requires_grad=True)
    inner = squared(module, x, y)
    plain = GradientAdaptation(2, 0.1).adapt(lambda p: hidden * inner(p), named(module)).parameters
    assert torch.autograd.grad(inner(plain), hidden)[0] != 0
    with pytest.raises(ValueError, match="recompute: the loss depends on a tensor of shape"):
        GradientAdaptation(2, 0.1, recompute=True).adapt(lambda p: hidden * inner(p), named(module))


@pytest.mark.parametrize("learned", ["tensor", "entry"])
@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("first_order", [False, True])
def test_learned_step_sizes_start_as_configured_and_have_gradients(learned, per_step, first_order, generator):
    module = network()
    inner = squared(module, *points(generator))
    adaptation = GradientAdaptation(
        3, [0.1, 0.2, 0.3] if per_step else 0.2, first_order, learned=learned, per_step=per_step
    )
    sizes = adaptation.step_sizes(named(module))
    for name, p in named(module).items():
        expected = (3 if per_step else 1, *(p.shape if learned == "entry" else ()))
        assert tuple(sizes.by_name()[name].shape) == expected
    start = adaptation.adapt(inner, named(module)).parameters
    adapted = adaptation.adapt(inner, named(module), step_sizes=sizes).parameters
    for name in start:
        assert torch.allclose(start[name], adapted[name], atol=1e-14)
    gradients = torch.autograd.grad(inner(adapted), list(sizes.parameters()))
    assert all(bool(g.flatten(1).any(1).all()) if g.ndim > 1 else bool(g.all()) for g in gradients)
    assert GradientAdaptation().step_sizes(named(module)) is None


def test_tasks_on_a_leading_axis_are_adapted_each_on_its_own(generator):
    module, n_tasks = network(), 3
    x = torch.randn(n_tasks, 6, 2, generator=generator, dtype=torch.float64)
    y = torch.randn(n_tasks, 6, generator=generator, dtype=torch.float64)
    function = Functional(module)

    def losses(p):
        return function.each(p, {}, lambda m, x, y: (m(x)[..., 0] - y).square().mean(), x, y)

    start = {name: p.expand(n_tasks, *p.shape) for name, p in named(module).items()}
    for recompute in (False, True):
        adapted = GradientAdaptation(3, 0.2, recompute=recompute).adapt(losses, start)
        assert adapted.losses.shape == (3, n_tasks)
        for b in range(n_tasks):
            alone = GradientAdaptation(3, 0.2).adapt(squared(module, x[b], y[b]), named(module))
            assert torch.allclose(adapted.losses[:, b], alone.losses, atol=1e-12)
            for name, p in alone.parameters.items():
                assert torch.allclose(adapted.parameters[name][b], p, atol=1e-12)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_the_steps_are_taken_where_gradients_are_off(mode, generator):
    module = network()
    x, y = points(generator)
    expected = GradientAdaptation(3, 0.2).adapt(squared(module, x, y), named(module)).parameters
    with mode():
        found = GradientAdaptation(3, 0.2).adapt(squared(module, x, y), named(module)).parameters
        assert not torch.is_grad_enabled()
    for name, p in expected.items():
        assert torch.equal(found[name], p)
        assert not found[name].requires_grad


def test_buffers_of_the_module_do_not_change(generator):
    module = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)).double()
    before = {name: b.clone() for name, b in module.named_buffers()}
    x, y = points(generator)
    GradientAdaptation(2, 0.1).adapt(squared(module, x, y), named(module))
    function = Functional(module)
    start = {name: p.expand(2, *p.shape) for name, p in named(module).items()}
    both = GradientAdaptation(2, 0.1).adapt(
        lambda p: function.each(
            p, {}, lambda m, x, y: (m(x)[..., 0] - y).square().mean(), *(t.expand(2, *t.shape) for t in (x, y))
        ),
        start,
    )
    assert both.finite.all()
    for name, b in module.named_buffers():
        assert torch.equal(b, before[name])


class Twice(nn.Module):
    """A layer under two names, and a parameter under two."""

    def __init__(self):
        super().__init__()
        with initial_weights(0):
            self.first = self.again = nn.Linear(2, 2)
            self.other = nn.Linear(2, 2)
        self.other.bias = self.first.bias
        self.register_buffer("shift", torch.ones(2))

    def forward(self, x):
        return self.again(self.first(x)).tanh() + self.other(x) + self.shift


@pytest.mark.parametrize("given", [[], ["first.weight"], ["again.weight"], ["other.bias"], ["other.weight", "shift"]])
def test_what_stands_under_two_names_is_one_tensor_before_and_after_a_partial_call(given, generator):
    module = Twice()
    x = torch.randn(5, 2, generator=generator)
    held = {**dict(module.named_parameters(remove_duplicate=False)), **dict(module.named_buffers())}
    new = {name: held[name].detach() + 1 for name in given}
    changed = copy.deepcopy(module)
    with torch.no_grad():
        for name, value in new.items():
            changed.get_parameter(name).copy_(value) if name != "shift" else changed.shift.copy_(value)
    function = Functional(module)
    plain = module(x)
    for _ in range(2):
        assert torch.equal(function(new, lambda m: m(x)), changed(x))
        assert torch.equal(function({}, lambda m: m(x)), plain)
    with pytest.raises(ZeroDivisionError):
        function(new, lambda m: 1 / 0)
    assert torch.equal(function({}, lambda m: m(x)), plain)
    # the user's module holds what it held
    after = {**dict(module.named_parameters(remove_duplicate=False)), **dict(module.named_buffers())}
    assert {name: id(t) for name, t in after.items()} == {name: id(t) for name, t in held.items()}


def test_a_name_that_the_module_does_not_have_is_refused():
    with pytest.raises(ValueError, match=r"parameters: unknown name 'first.weigth'; did you mean 'first.weight'"):
        Functional(Twice())({"first.weigth": torch.ones(2, 2)}, lambda m: m)


def test_threads_share_a_module(generator):
    module = network()
    data = [points(generator) for _ in range(8)]
    expected = [GradientAdaptation(20, 0.05).adapt(squared(module, *d), named(module)).parameters for d in data]
    found = [None] * len(data)

    def work(i):
        found[i] = GradientAdaptation(20, 0.05).adapt(squared(module, *data[i]), named(module)).parameters

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(data))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for a, b in zip(expected, found, strict=True):
        for name, p in a.items():
            assert torch.equal(p, b[name])


def test_reptiles_direction_is_from_the_initial_to_the_adapted_parameters(generator):
    module = network()
    adaptation = GradientAdaptation(3, 0.2, first_order=True)
    adapted = adaptation.adapt(squared(module, *points(generator)), named(module)).parameters
    found = torch.autograd.grad(reptile_loss(named(module), adapted), list(module.parameters()))
    for g, (name, p) in zip(found, named(module).items(), strict=True):
        assert torch.allclose(g, p.detach() - adapted[name].detach())
    several = {name: torch.stack([p, p + 1]) for name, p in adapted.items()}
    found = torch.autograd.grad(reptile_loss(named(module), several), list(module.parameters()))
    for g, (name, p) in zip(found, named(module).items(), strict=True):
        assert torch.allclose(g, p.detach() - adapted[name].detach() - 0.5)


def test_divergence_is_named_with_its_step_and_task_or_handed_back(generator):
    module, n_tasks = network().float(), 3
    x = torch.randn(n_tasks, 6, 2, generator=generator)
    y = torch.randn(n_tasks, 6, generator=generator)
    y[1] *= 1e15
    function = Functional(module)

    def losses(p):
        return function.each(p, {}, lambda m, x, y: (m(x)[..., 0] - y).square().mean(), x, y)

    start = {name: p.expand(n_tasks, *p.shape) for name, p in named(module).items()}
    with pytest.raises(
        AdaptationDiverged, match=r"step \d of 5 inner steps, task or domain 1 of 3: the loss is"
    ) as caught:
        GradientAdaptation(5, 50.0).adapt(losses, start)
    assert caught.value.index == 1
    result = GradientAdaptation(5, 50.0, divergence="return").adapt(losses, start)
    assert result.finite.tolist() == [True, False, True], result.losses
    assert bool(result.losses[: caught.value.step, 1].isfinite().all())
    assert not bool(result.losses[caught.value.step, 1].isfinite())
    with pytest.raises(AdaptationDiverged, match="after 1 inner steps: a parameter is not finite") as caught:
        GradientAdaptation(1, 1e30).adapt(squared(module, x[1], y[1]), named(module))
    assert (caught.value.step, caught.value.index) == (1, None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": -1}, "steps"),
        ({"step_size": 0.0}, "step_size"),
        ({"step_size": "fast"}, "step_size"),
        ({"step_size": [0.1]}, "step_size: expected a number, or 5 of them"),
        ({"learned": "layer"}, "learned"),
        ({"divergence": "ignore"}, "divergence"),
        ({"first_order": 1}, "first_order"),
        ({"parameters": []}, "parameters"),
        ({"parameters": 3}, "parameters"),
    ],
)
def test_bad_settings_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        GradientAdaptation(**arguments)


def test_a_pattern_that_matches_nothing_and_a_loss_of_something_else_are_refused():
    module = network()
    with pytest.raises(
        ValueError, match=r"parameters: 'head\.\*' matches no parameter that is free to move; these are: 0"
    ):
        GradientAdaptation(parameters="head.*").adapt(lambda p: p["0.weight"].sum(), named(module))
    with pytest.raises(ValueError, match="loss: expected a tensor that depends on the parameters"):
        GradientAdaptation().adapt(lambda p: torch.zeros(()), named(module))
