import json

import pytest
import runs
import torch

from ctxlearn import load
from ctxlearn.inner_loop.meta_learning import Adaptable, DomainBatch, DomainSource, MetaAdaptation
from ctxlearn.learners import AdaptationDiverged, Functional, GradientAdaptation, InContextTransformer
from ctxlearn.tasks import ClassPrototype, GaussianHalfSpaces, GaussianWeights, LinearRegression, PairwiseMetric
from ctxlearn.training import AllPrefixes, RandomSplit, Source

TWO = GradientAdaptation(2, 0.05)


def causal(n_classes=None, **changes):
    return InContextTransformer(
        **{"n_features": 2, "n_classes": n_classes, "width": 8, "depth": 2, "heads": 2, "mask": "causal"} | changes
    )


class Watched(Source):
    """Domains, drawn in sight of a test."""

    def __init__(self, n_domains=2, shift=0.0, domain=0, places=1):
        self.source = DomainSource(GaussianWeights(2), n_domains, 4, 3, 5)
        self.shift, self.domain, self.places = shift, domain, places

    def batch(self, step, shard, generator):
        if runs.on_batch is not None:
            runs.on_batch(step, shard)
        batch = self.source.batch(step, shard, generator)
        if step >= 2 and shard < self.places and self.shift:
            batch.adaptation[self.domain].y.add_(self.shift)
        return batch

    def validation_batch(self, index, generator):
        return self.source.validation_batch(index, generator)


def trained(out, objective=None, learner=None, source=None, **changes):
    objective = MetaAdaptation(TWO) if objective is None else objective
    settings = {"steps": 8, "shards": 2, "tasks_per_step": 2} | changes
    return runs.small(out, learner=learner or causal(), source=source or Watched(), objective=objective, **settings)


def gradient_of(objective, learner, batch, seed=0):
    parameters = list(learner.parameters())
    loss = objective(learner, batch, torch.Generator().manual_seed(seed))
    return loss, torch.autograd.grad(loss, parameters, materialize_grads=True, allow_unused=True)


def test_a_batch_has_fresh_tasks_of_the_very_domains_that_are_adapted_to(generator):
    domains = GaussianWeights(2, spread=1e-4, noise=0.0)
    batch = DomainSource(domains, 3, 4, 5, 6).batch(0, 0, generator)
    assert [t.x.shape for t in batch.adaptation] == [(4, 6, 2)] * 3
    assert [t.x.shape for t in batch.fresh] == [(5, 6, 2)] * 3
    weights = [torch.linalg.lstsq(t.x.flatten(0, 1), t.y.flatten()).solution for t in (*batch.adaptation, *batch.fresh)]
    for i in range(3):
        torch.testing.assert_close(weights[i], weights[3 + i], atol=2e-3, rtol=0)
    assert (weights[0] - weights[1]).abs().max() > 0.05
    assert not torch.equal(batch.adaptation[0].x[:1], batch.fresh[0].x[:1])


def test_domains_can_be_a_list_of_families(generator):
    families = [ClassPrototype(scale=1.0), PairwiseMetric()]
    batch = DomainSource(families, 40, 2, 3, 4).batch(0, 0, generator)
    assert {t.n_classes for t in batch.fresh} == {2}
    with pytest.raises(ValueError, match="one n_features"):
        DomainSource([ClassPrototype(), LinearRegression(3)])
    with pytest.raises(ValueError, match="domains: expected Domains"):
        DomainSource(ClassPrototype())


def test_the_loss_is_that_on_fresh_tasks_after_the_inner_steps(generator):
    learner, batch = causal(), DomainSource(GaussianWeights(2), 2, 4, 3, 5).batch(0, 0, generator)
    expected = []
    for adapting, fresh in zip(batch.adaptation, batch.fresh, strict=True):
        parameters = {name: p.detach().clone().requires_grad_() for name, p in learner.named_parameters()}
        function = Functional(learner)
        for _ in range(2):
            loss = function(parameters, lambda m, t=adapting: m.loss(m.predict_prefixes(t.x, t.y), t.y))
            step = torch.autograd.grad(loss, list(parameters.values()), materialize_grads=True, allow_unused=True)
            pairs = zip(parameters.items(), step, strict=True)
            parameters = {name: (p - 0.05 * g).detach().requires_grad_() for (name, p), g in pairs}
        expected.append(function(parameters, lambda m, t=fresh: m.loss(m.predict_prefixes(t.x, t.y), t.y)))
    for mode in (torch.enable_grad(), torch.no_grad()):
        with mode:
            found = MetaAdaptation(TWO)(learner, batch, generator)
        torch.testing.assert_close(found, torch.stack(expected).mean())


def test_second_order_is_the_derivative_and_first_order_another(generator):
    learner, batch = causal().double(), DomainSource(GaussianWeights(2), 1, 4, 3, 5).batch(0, 0, generator)
    _, whole = gradient_of(MetaAdaptation(TWO), learner, batch)
    _, first = gradient_of(MetaAdaptation(GradientAdaptation(2, 0.05, first_order=True)), learner, batch)
    direction = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in learner.parameters()]
    losses = []
    with torch.no_grad():
        for sign in (1, -2):
            for p, d in zip(learner.parameters(), direction, strict=True):
                p.add_(sign * 1e-5 * d)
            losses.append(MetaAdaptation(TWO)(learner, batch, generator))
    slope = float(losses[0] - losses[1]) / 2e-5
    assert sum(float((g * d).sum()) for g, d in zip(whole, direction, strict=True)) == pytest.approx(slope, rel=1e-4)
    assert sum(float((g * d).sum()) for g, d in zip(first, direction, strict=True)) != pytest.approx(slope, rel=1e-2)


def test_reptile_goes_to_the_mean_of_the_adapted_weights(generator):
    learner, batch = causal(), DomainSource(GaussianWeights(2), 2, 4, 3, 5).batch(0, 0, generator)
    _, gradients = gradient_of(MetaAdaptation(TWO, reptile=True), learner, batch)
    names = [name for name, _ in learner.named_parameters()]
    gaps = []
    for tasks in batch.adaptation:

        def loss(parameters, t=tasks):
            return Functional(learner)(parameters, lambda m: m.loss(m.predict_prefixes(t.x, t.y), t.y))

        with torch.no_grad():
            adapted = TWO.adapt(loss, dict(learner.named_parameters())).parameters
        gaps.append([(dict(learner.named_parameters())[n] - adapted[n]).detach() for n in names])
    for g, *both in zip(gradients, *gaps, strict=True):
        torch.testing.assert_close(g, torch.stack(both).mean(0))


def test_anil_trains_all_but_moves_the_head_alone(generator):
    learner, batch = causal(), DomainSource(GaussianWeights(2), 1, 4, 3, 5).batch(0, 0, generator)
    adaptation = GradientAdaptation(2, 0.05, parameters="out.*")
    _, gradients = gradient_of(MetaAdaptation(adaptation), learner, batch)
    assert float(gradients[0].abs().sum()) > 0
    tasks, function = batch.adaptation[0], Functional(learner)

    def loss(parameters):
        return function(parameters, lambda m: m.loss(m.predict_prefixes(tasks.x, tasks.y), tasks.y))

    adapted = adaptation.adapt(loss, dict(learner.named_parameters())).parameters
    moved = {n for n, p in learner.named_parameters() if not torch.equal(p, adapted[n])}
    assert moved == {"out.weight", "out.bias"}


@pytest.mark.parametrize(
    "options",
    [{}, {"reptile": True}, {"inner": RandomSplit(1), "outer": RandomSplit()}, {"divergence": "skip"}],
    ids=str,
)
def test_a_stopped_run_ends_with_the_same_bits_on_any_number_of_threads(options, tmp_path, monkeypatch):
    trained(tmp_path / "whole", MetaAdaptation(TWO, **options))
    runs.stop_at(monkeypatch, 5)
    with pytest.raises(runs.Stopped):
        trained(tmp_path / "stopped", MetaAdaptation(TWO, **options), threads=2)
    monkeypatch.setattr("runs.on_batch", None)
    trained(tmp_path / "stopped", MetaAdaptation(TWO, **options), threads=2)
    assert runs.result(tmp_path / "stopped") == runs.result(tmp_path / "whole")


def test_recomputed_inner_steps_give_the_same_weights(tmp_path):
    weights = []
    for recompute in (False, True):
        adaptation = GradientAdaptation(2, 0.05, recompute=recompute)
        objective = MetaAdaptation(adaptation, inner=RandomSplit(1))
        weights.append(trained(tmp_path / str(recompute), objective).learner.state_dict())
    for name, value in weights[0].items():
        torch.testing.assert_close(value, weights[1][name], rtol=1e-2, atol=1e-3)


def test_learned_step_sizes_are_trained_with_the_learner_and_loaded_again(tmp_path, generator):
    adaptation = GradientAdaptation(2, 0.05, learned="tensor", per_step=True)
    learner = Adaptable(causal(), adaptation)
    run = trained(tmp_path / "run", MetaAdaptation(), learner)
    loaded = load(tmp_path / "run")
    sizes = loaded.step_sizes.by_name()
    assert all(s.shape == (2,) for s in sizes.values())
    assert any(not torch.allclose(s, torch.tensor(0.05)) for s in sizes.values())
    tasks = GaussianWeights(2).pooled().sample(3, 4, generator=generator)
    with torch.no_grad():
        answer = loaded.predict_prefixes(tasks.x, tasks.y)
        assert torch.equal(answer, run.learner.learner.predict_prefixes(tasks.x, tasks.y))
        assert torch.equal(loaded(tasks.x, tasks.y, tasks.x), run.learner.learner(tasks.x, tasks.y, tasks.x))


def test_training_makes_the_inner_steps_worth_more_on_regression_and_classification(tmp_path):
    for domains, n_classes in ((GaussianWeights(2), None), (GaussianHalfSpaces(2), 2)):
        source = DomainSource(domains, 1, 12, 12, 6)
        learner = causal(n_classes, width=16)
        adaptation = GradientAdaptation(2, 0.02 if n_classes is None else 0.2)
        test = [source.validation_batch(0, torch.Generator().manual_seed(i)) for i in range(12)]

        def gain(learner, test=test, adaptation=adaptation):
            with torch.no_grad():
                losses = [
                    [float(MetaAdaptation(steps)(learner, b, torch.Generator())) for b in test]
                    for steps in (adaptation, GradientAdaptation(0))
                ]
            return sum(losses[0]) / len(test), sum(losses[1]) / len(test)

        untrained, _ = gain(learner)
        out = tmp_path / str(n_classes)
        trained(out, MetaAdaptation(adaptation), learner, source, steps=40, learning_rate=5e-3)
        after, before = gain(learner)
        assert after < untrained
        assert after < before


def test_divergence_stops_the_run_and_names_step_shard_domain_and_inner_step(tmp_path):
    with pytest.raises(
        AdaptationDiverged, match=r"training step 2, shard 0, domain 1 of 2: step 0 of 2 inner"
    ) as caught:
        trained(tmp_path / "run", source=Watched(shift=1e30, domain=1))
    assert (caught.value.index, caught.value.step) == (1, 0)


def test_divergence_is_skipped_and_counted_also_after_a_resume_on_any_number_of_threads(tmp_path, monkeypatch):
    def go(name, threads):
        objective = MetaAdaptation(TWO, divergence="skip")
        trained(tmp_path / name, objective, source=Watched(shift=1e30, places=2), threads=threads)
        return objective.skipped

    assert go("whole", 1) == 12  # a domain in each of two shards at steps 2..7
    runs.stop_at(monkeypatch, 5)
    with pytest.raises(runs.Stopped):
        go("stopped", 2)
    monkeypatch.setattr("runs.on_batch", None)
    assert go("stopped", 2) == 12
    assert runs.result(tmp_path / "stopped") == runs.result(tmp_path / "whole")
    skipped = (tmp_path / "whole" / "metrics.csv").read_text()
    assert "nan" not in skipped


def test_a_step_all_of_whose_domains_diverge_moves_nothing_by_itself(tmp_path):
    objective = MetaAdaptation(TWO, divergence="skip")
    run = trained(tmp_path / "run", objective, source=Watched(1, shift=1e30, places=2), schedule="constant")
    assert objective.skipped == 12
    assert all(bool(p.isfinite().all()) for p in run.learner.parameters())


def test_a_plain_arm_is_the_pooled_family_with_all_prefixes(tmp_path):
    run = runs.small(
        tmp_path / "run", learner=causal(), source=GaussianWeights(2).pooled(), objective=AllPrefixes(), steps=3
    )
    config = json.loads(json.dumps(run.facts))
    assert config["step"] == 3


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: MetaAdaptation(adaptation=3), "adaptation: expected a GradientAdaptation"),
        (lambda: MetaAdaptation(TWO, inner="all"), "inner: expected an Objective"),
        (lambda: MetaAdaptation(TWO, reptile=1), "reptile"),
        (lambda: MetaAdaptation(TWO, divergence="skipp"), "skip"),
        (lambda: DomainSource(GaussianWeights(2), n_adaptation=0), "n_adaptation"),
        (lambda: Adaptable(causal(), 5), "adaptation"),
        (lambda: Adaptable(5, TWO), "learner"),
        (lambda: MetaAdaptation()(causal(), DomainBatch((), ()), torch.Generator()), "Adaptable"),
        (lambda: MetaAdaptation(TWO)(Adaptable(causal(), TWO), DomainBatch((), ()), torch.Generator()), "both"),
        (
            lambda: MetaAdaptation(GradientAdaptation(learned="entry"))(
                causal(), DomainBatch((), ()), torch.Generator()
            ),
            "Adaptable",
        ),
        (
            lambda: MetaAdaptation(TWO)(
                causal(), GaussianWeights(2).pooled().sample(2, 3, generator=torch.Generator()), torch.Generator()
            ),
            "DomainSource",
        ),
    ],
)
def test_bad_input_is_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()
