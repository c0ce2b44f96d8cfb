import threading

import pytest
import runs
import torch
import torch.nn.functional as F
from inner import assert_gradient_is_the_finite_difference
from torch import nn

from ctxlearn import Configurable, TrainingConfig, evaluate, load, train
from ctxlearn.evaluation import score_prefixes
from ctxlearn.inner_loop import gradient, maml
from ctxlearn.learners import MAML, AdaptationDiverged, Functional, GradientAdaptation, ProtoNet
from ctxlearn.seeding import initial_weights
from ctxlearn.tasks import ClassPrototype, LinearRegression
from ctxlearn.training import Adaptable, DomainSource, MetaAdaptation, Objective, RandomSplit


def drawn(generator, n_classes=3, n_tasks=3, n=6, q=4, dtype=torch.float32, shape=(2,)):
    x = torch.randn(n_tasks, n + q, *shape, generator=generator, dtype=dtype)
    if n_classes is None:
        y = torch.randn(n_tasks, n + q, generator=generator, dtype=dtype)
    else:
        y = torch.randint(n_classes, (n_tasks, n + q), generator=generator)
    return x[:, :n], y[:, :n], x[:, n:], y[:, n:]


def small(n_classes=3, **options):
    return MAML(2, n_classes, **{"width": 6, "steps": 3, "step_size": 0.4} | options)


class ConvNet(Configurable, nn.Module):
    def __init__(self):
        super().__init__()
        with initial_weights(0):
            self.layers = nn.Sequential(
                nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()
            )

    def forward(self, x):
        return self.layers(x[:, None])


@pytest.mark.parametrize("n_classes", [3, None])
@pytest.mark.parametrize("first_order", [False, True])
def test_each_task_is_adapted_by_the_formula_and_so_are_its_gradients(n_classes, first_order, generator):
    learner = small(n_classes, first_order=first_order).double()
    x, y, queries, _ = drawn(generator, n_classes, dtype=torch.float64)
    outputs = []
    for b in range(len(x)):
        weights = dict(learner.network.named_parameters())
        for _ in range(3):
            out = torch.func.functional_call(learner.network, weights, (x[b],))
            loss = F.mse_loss(out[:, 0], y[b]) if n_classes is None else F.cross_entropy(out, y[b])
            gradients = torch.autograd.grad(loss, list(weights.values()), create_graph=not first_order)
            weights = {name: p - 0.4 * g for (name, p), g in zip(weights.items(), gradients, strict=True)}
        out = torch.func.functional_call(learner.network, weights, (queries[b],))
        outputs.append(out[:, 0] if n_classes is None else out)
    expected, found = torch.stack(outputs), learner(x, y, queries)
    assert torch.allclose(found, expected, atol=1e-12)
    parameters = list(learner.parameters())
    for a, b in zip(*(torch.autograd.grad(o.square().sum(), parameters) for o in (expected, found)), strict=True):
        assert torch.allclose(a, b, atol=1e-11)


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("learned", ["none", "tensor", "entry"])
@pytest.mark.parametrize("adapted", ["*", "head.*"])
def test_the_meta_gradient_is_the_finite_difference(recompute, learned, adapted, generator):
    with initial_weights(0):
        encoder = nn.Sequential(nn.Linear(2, 5), nn.Tanh())  # smooth, unlike the default's ReLU
    learner = small(encoder=encoder, adapted=adapted, learned=learned, recompute=recompute).double()
    x, y, queries, labels = drawn(generator, dtype=torch.float64)

    def value():
        return learner.loss(learner(x, y, queries), labels) + learner.loss(learner.predict_prefixes(x, y), y)

    assert_gradient_is_the_finite_difference(value, list(learner.parameters()), generator)


def test_an_empty_context_and_no_steps_leave_the_initial_weights(generator):
    x, y, queries, _ = drawn(generator)
    learner = small()
    expected = learner.network(queries.flatten(0, 1)).view(3, 4, 3)
    assert torch.allclose(learner(x[:, :0], y[:, :0], queries), expected, atol=1e-6)
    assert torch.allclose(small(steps=0)(x, y, queries), expected, atol=1e-6)
    assert not torch.allclose(learner(x, y, queries), expected, atol=1e-2)


def test_anil_moves_the_head_and_trains_everything(generator):
    x, y, queries, labels = drawn(generator)
    learner = small(adapted="head.*")
    state = learner.adapt(x, y)
    assert set(state.parameters) == {"head.weight", "head.bias"}
    learner.loss(learner.predict(state, queries), labels).backward()
    assert all(p.grad is not None and p.grad.any() for p in learner.parameters())


def test_a_frozen_encoder_is_not_adapted(generator):
    x, y, *_ = drawn(generator)
    encoder = nn.Linear(2, 4).requires_grad_(False)
    assert set(small(encoder=encoder).adapt(x, y).parameters) == {"head.weight", "head.bias"}
    with pytest.raises(ValueError, match="matches no parameter that is free"):
        small(encoder=encoder, adapted="encoder.*")


@pytest.mark.parametrize("n_classes", [3, None])
def test_prefixes_in_groups_are_the_prefixes_at_once(n_classes, generator, monkeypatch):
    x, y, *_ = drawn(generator, n_classes, n=9)
    learner = small(n_classes)
    together = learner.predict_prefixes(x, y)
    for largest in (1, 1000):
        monkeypatch.setattr(maml, "LARGEST", largest)
        assert torch.allclose(learner.predict_prefixes(x, y), together, atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"recompute": True, "learned": "tensor"}, {"adapted": "head.*"}])
def test_evaluation_needs_no_gradients_and_gives_the_same_bits_on_any_number_of_threads(options):
    learner, family = small(2, **options), ClassPrototype()
    tables = [
        evaluate({"MAML": learner}, family, n_tasks=300, n_points=5, threads=threads, per_task=True)
        for threads in (1, 2, 5)
    ]
    assert all(tables[0].equals(table) for table in tables[1:])
    tasks = family.sample(20, 5, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        inside = family.sample(20, 5, generator=torch.Generator().manual_seed(0))
        found = learner.predict_prefixes(inside.x, inside.y)
        state = learner.adapt(inside.x[:, :4], inside.y[:, :4])
        last = learner.predict(state, inside.x[:, 4:])
    expected = learner.predict_prefixes(tasks.x, tasks.y).detach()
    assert torch.allclose(found, expected, atol=1e-5)
    assert torch.allclose(last[:, 0], expected[:, 4], atol=1e-5)


def test_threads_that_share_a_learner_adapt_and_differentiate(generator):
    learner = small()
    episodes = [drawn(generator) for _ in range(8)]

    def gradient(episode):
        x, y, queries, labels = episode
        loss = learner.loss(learner(x, y, queries), labels)
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(learner.parameters()))])

    expected, found = [gradient(e) for e in episodes], [None] * len(episodes)

    def work(i):
        found[i] = gradient(episodes[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(episodes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))


@pytest.mark.parametrize("options", [{"learned": "entry", "per_step": True}, {"recompute": True, "learned": "none"}])
def test_training_gives_the_same_bits_on_any_number_of_threads_and_loads_again(options, tmp_path):
    settings = {**runs.SMALL, "steps": 5, "shards": 4, "tasks_per_step": 8}
    results = []
    for threads in (1, 4):
        config = TrainingConfig(**settings | {"threads": threads})
        run = train(small(2, **options), ClassPrototype(), config, out=tmp_path / str(threads))
        results.append(runs.result(run.folder))
    assert results[0] == results[1]
    loaded, x = load(tmp_path / "1"), torch.ones(1, 3, 2)
    y = torch.tensor([[0, 1, 0]])
    assert torch.equal(loaded(x, y, x), run.learner(x, y, x))


class Counted(RandomSplit):
    """Counts how often it is asked, and the inner steps taken meanwhile; never an empty context."""

    asked, taken = 0, 0

    def __init__(self):
        super().__init__(min_context=1)

    def __call__(self, learner, batch, generator):
        Counted.asked += 1
        return super().__call__(learner, batch, generator)


def test_a_run_that_was_stopped_takes_all_inner_steps_and_ends_with_the_same_bits(tmp_path, monkeypatch):
    take = gradient.Step.take

    def counted(*args, **kwargs):
        Counted.taken += 1
        return take(*args, **kwargs)

    monkeypatch.setattr(gradient.Step, "take", counted)
    options = {"learned": "entry", "recompute": True}
    runs.small(tmp_path / "whole", learner=small(2, **options), objective=Counted())
    whole = Counted.asked
    runs.stop_at(monkeypatch, 8)
    with pytest.raises(runs.Stopped):
        runs.small(tmp_path / "stopped", learner=small(2, **options), objective=Counted())
    monkeypatch.setattr("runs.on_batch", None)
    Counted.asked = Counted.taken = 0
    runs.small(tmp_path / "stopped", learner=small(2, **options), objective=Counted())
    assert 0 < Counted.asked < whole
    assert Counted.taken == 3 * Counted.asked
    assert runs.result(tmp_path / "stopped") == runs.result(tmp_path / "whole")


class OverTasks(Objective):
    """The meta level: an in-context learner is adapted on half of the tasks and judged on the others."""

    def __init__(self, recompute=False):
        self.adaptation = GradientAdaptation(2, 0.05, recompute=recompute)

    def __call__(self, learner, batch, generator):
        function, half = Functional(learner), batch.n_tasks // 2
        inner, outer = (batch.tasks(torch.arange(*ends)) for ends in ((0, half), (half, batch.n_tasks)))
        n = int(torch.randint(batch.n_points, (), generator=generator))  # drawn before: a step may be computed twice

        def loss(parameters, tasks):
            x, y = tasks.x, tasks.y
            return function(parameters, lambda m: m.loss(m(x[:, :n], y[:, :n], x[:, n:]), y[:, n:]))

        adapted = self.adaptation.adapt(lambda p: loss(p, inner), dict(learner.named_parameters()))
        return loss(adapted.parameters, outer)


def test_an_in_context_learner_is_trained_to_be_adapted_on_any_number_of_threads(tmp_path):
    results = []
    for recompute in (False, True):
        for threads in (1, 3):
            out = tmp_path / f"{recompute} {threads}"
            objective = OverTasks(recompute)
            runs.small(out, objective=objective, steps=4, shards=3, tasks_per_step=12, threads=threads)
            results.append(runs.result(out))
    assert results[0] == results[1]
    assert results[2] == results[3]


def test_training_makes_the_steps_useful(tmp_path):
    family = LinearRegression(2, noise=0.1)
    untrained = small(None, steps=3, step_size=0.05, width=16)
    config = TrainingConfig(**runs.SMALL | {"steps": 150, "tasks_per_step": 32, "n_points": 12, "learning_rate": 5e-3})
    trained = train(small(None, steps=3, step_size=0.05, width=16), family, config, out=tmp_path).learner
    tasks = family.sample(200, 12, generator=torch.Generator().manual_seed(1))
    gain = (score_prefixes(untrained, tasks) - score_prefixes(trained, tasks))[:, -3:].mean(1)
    assert gain.mean() > 4.5 * gain.std() / len(gain) ** 0.5
    by_length = score_prefixes(trained, tasks).mean(0)
    assert by_length[-3:].mean() < 0.7 * by_length[:2].mean()


def test_images_through_a_network_with_buffers(generator):
    learner = MAML((6, 6), 2, encoder=ConvNet(), steps=2)
    buffers = {name: b.clone() for name, b in learner.named_buffers()}
    x, y, queries, labels = drawn(generator, 2, n_tasks=2, n=4, q=3, shape=(6, 6))
    for mode in (True, False):
        learner.train(mode)
        learner.loss(learner(x, y, queries), labels).backward()
        assert all(torch.isfinite(p.grad).all() for p in learner.parameters())
    for name, b in learner.named_buffers():
        assert torch.equal(b, buffers[name])


def test_a_task_that_diverges_is_named_or_left_at_the_initial_weights(generator):
    x, y, queries, labels = drawn(generator, None)
    y = y.clone()
    y[1] = 1e25
    with pytest.raises(AdaptationDiverged, match="task or domain 1 of 3"):
        small(None)(x, y, queries)
    with pytest.raises(AdaptationDiverged) as caught:
        small(None).predict_prefixes(x, y)
    assert caught.value.__notes__ == ["that is task 1 of 3 with its first 1 points as context"]
    learner = small(None, divergence="keep")
    out = learner(x, y, queries)
    first = torch.cat([y[:, :1], torch.full_like(y[:, 1:], 1e25)], dim=1)
    second = small(None, divergence="keep").predict_prefixes(x, first)[:, :2]
    assert torch.allclose(second, learner.predict_prefixes(x, torch.zeros_like(y) + first[:, :1])[:, :2])
    good = torch.tensor([0, 2])
    assert torch.allclose(out[good], learner(x[good], y[good], queries[good]))
    assert torch.allclose(out[1], learner(x[1:2, :0], y[1:2, :0], queries[1:2])[0])
    learner.loss(out, labels).backward()
    assert all(torch.isfinite(p.grad).all() for p in learner.parameters())
    assert torch.isfinite(learner(x[1:2], y[1:2], queries[1:2])).all()
    with torch.inference_mode():
        assert torch.isfinite(learner.predict_prefixes(x, y)).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": -1}, "steps"),
        ({"step_size": 0}, "step_size"),
        ({"divergence": "return"}, "divergence"),
        ({"adapted": "tail.*"}, "matches no parameter"),
        ({"learned": "all"}, "learned"),
        ({"encoder": 3}, "encoder"),
        ({"width": 0}, "width"),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        MAML(2, 2, **options)


class Normalised(Configurable, nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.first, self.norm = nn.Linear(2, 4), layer

    def forward(self, x):
        return self.norm(self.first(x))


@pytest.mark.parametrize(
    "layer",
    [nn.BatchNorm1d(4), nn.BatchNorm1d(4, track_running_stats=False), nn.SyncBatchNorm(4)],
    ids=lambda layer: type(layer).__name__,
)
def test_batch_normalisation_is_refused_by_name_with_what_to_use_instead(layer):
    name = type(layer).__name__
    with pytest.raises(ValueError, match=rf"encoder: .* got {name} \(encoder.module.norm\).*GroupNorm"):
        MAML(2, 2, encoder=Normalised(layer))
    if name == "BatchNorm1d":
        learner = ProtoNet(2, 2, encoder=Normalised(layer))
        with pytest.raises(ValueError, match=r"learner: .* got BatchNorm1d .*GroupNorm"):
            Adaptable(learner, GradientAdaptation(1))
        batch = DomainSource([ClassPrototype()], 1, 2, 2, 4).batch(0, 0, torch.Generator())
        with pytest.raises(ValueError, match=r"learner: .* got BatchNorm1d .*GroupNorm"):
            MetaAdaptation(GradientAdaptation(1))(learner, batch, torch.Generator())


@pytest.mark.parametrize("layer", [nn.GroupNorm(2, 4), nn.LayerNorm(4)])
def test_other_normalisations_are_taken(layer):
    assert MAML(2, 2, encoder=Normalised(layer)).n_classes == 2


@pytest.mark.parametrize("grad", [True, False])
def test_a_state_is_adapted_further(grad, generator):
    learner = small(steps=2)
    x, y, queries, _ = drawn(generator, 3)
    with torch.set_grad_enabled(grad):
        twice = learner.adapt_further(learner.adapt(x, y), x, y)
        once = small(steps=4).adapt(x, y)
        assert torch.allclose(learner.predict(twice, queries), small(steps=4).predict(once, queries), atol=1e-6)
        begun = learner.adapt(x[:, :0], y[:, :0])
        assert torch.equal(
            learner.predict(learner.adapt_further(begun, x, y), queries), learner.predict(learner.adapt(x, y), queries)
        )
    if grad:
        loss = learner.predict(twice, queries).square().mean()
        assert all(g.abs().sum() > 0 for g in torch.autograd.grad(loss, list(learner.parameters())))
    with pytest.raises(ValueError, match=r"context_x: expected points of the \d+ tasks"):
        learner.adapt_further(twice, x[:1], y[:1])
