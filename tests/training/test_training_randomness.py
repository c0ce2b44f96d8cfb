"""Dropout and statistics of batches: a run is the same to the bit all the same."""

import pytest
import runs
import torch
from torch import nn

from ctxlearn.configurable import Configurable
from ctxlearn.learners import CNP, MAML, ProtoNet
from ctxlearn.seeding import initial_weights
from ctxlearn.testing import check_learner


class Dropping(Configurable, nn.Module):
    """An encoder with dropout, from its `begin`-th training pass on."""

    def __init__(self, begin=0):
        super().__init__()
        with initial_weights(0):
            self.layers = nn.Sequential(nn.Linear(2, 8), nn.ReLU())
        self.begin = begin
        self.passes = 0

    def forward(self, x):
        self.passes += self.training
        return nn.functional.dropout(self.layers(x), 0.5, self.training and self.passes > self.begin)


class Normalised(Configurable, nn.Module):
    """An encoder with statistics of batches, and a buffer that is replaced, not written to."""

    def __init__(self):
        super().__init__()
        with initial_weights(0):
            self.layers = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.ReLU())
        self.register_buffer("largest", torch.zeros(()))

    def forward(self, x):
        if self.training:
            self.largest = torch.maximum(self.largest, x.detach().abs().max())
        return self.layers(x)


def dropping(begin=0):
    return ProtoNet(2, 2, encoder=Dropping(begin), width=8)


def normalised():
    return CNP(2, 2, encoder=Normalised(), width=8)


SHARDS = {"shards": 3, "tasks_per_step": 6}


@pytest.mark.parametrize("learner", [dropping, normalised, lambda: dropping(5)], ids=["dropout", "batches", "late"])
def test_a_run_is_the_same_again_on_any_threads_and_after_a_stop(learner, tmp_path, monkeypatch):
    expected = runs.small(tmp_path / "a", learner=learner(), **SHARDS)
    for threads in (1, 3):
        runs.small(tmp_path / f"b{threads}", learner=learner(), **SHARDS, threads=threads)
        assert runs.result(tmp_path / f"b{threads}") == runs.result(expected.folder)
    if learner not in (dropping, normalised):  # what counts its own passes cannot go on
        return
    for stop in (4, 7):
        runs.stop_at(monkeypatch, stop)
        with pytest.raises(runs.Stopped):
            runs.small(tmp_path / f"c{stop}", learner=learner(), **SHARDS, threads=2)
        monkeypatch.setattr("runs.on_batch", None)
        runs.small(tmp_path / f"c{stop}", learner=learner(), **SHARDS, threads=2)
        assert runs.result(tmp_path / f"c{stop}") == runs.result(expected.folder)


def test_shards_and_steps_drop_different_units_and_another_seed_others(tmp_path):
    seen = []

    class Source(runs.Watched):
        def batch(self, step, shard, generator):
            seen.append(torch.rand(()).item())
            return super().batch(step, shard, generator)

    runs.small(tmp_path / "a", learner=dropping(), source=Source(), **SHARDS)
    assert len(set(seen)) == len(seen) == 3 * runs.SMALL["steps"]
    first = list(seen)
    runs.small(tmp_path / "b", learner=dropping(), source=Source(), **SHARDS, seed=1)
    assert not set(seen[len(first) :]) & set(first)


@pytest.mark.parametrize("learner", [dropping, normalised])
def test_the_global_random_state_is_left_alone(learner, tmp_path):
    before = torch.get_rng_state()
    runs.small(tmp_path, learner=learner(), **SHARDS, threads=2)
    assert torch.equal(before, torch.get_rng_state())


def test_running_statistics_are_the_mean_over_the_shards_of_every_step(tmp_path):
    run = runs.small(tmp_path / "three", learner=normalised(), **SHARDS, threads=3)
    norm = run.learner.encoder.module.layers[1]
    steps = runs.SMALL["steps"]
    assert steps < int(norm.num_batches_tracked) <= 2 * steps  # queries at every step, and contexts that have points
    assert (norm.running_mean != 0).any()
    assert (norm.running_var != 1).any()
    assert float(run.learner.encoder.module.largest) > 1
    assert torch.equal(run.learner.encoder.module.largest, runs.ctxlearn.load(run.folder).encoder.module.largest)


def test_recomputed_inner_steps_drop_what_they_dropped_before():
    found = []
    for recompute in (False, True):
        learner = MAML(2, 2, encoder=Dropping(), steps=2, recompute=recompute, width=8).train()
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            x = torch.randn(3, 6, 2, generator=torch.Generator().manual_seed(1))
            y = torch.arange(6).remainder(2).expand(3, 6)
            loss = learner.loss(learner(x, y, x), y)
            found.append((loss.detach(), torch.autograd.grad(loss, list(learner.parameters()))))
    assert torch.equal(found[0][0], found[1][0])
    for a, b in zip(found[0][1], found[1][1], strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_a_learner_that_is_random_in_use_breaks_the_contract():
    class Always(ProtoNet):
        def predict(self, state, query_x):
            found = super().predict(state, query_x)
            return found + 1e-7 * torch.randn_like(found)

    with pytest.raises(AssertionError, match="drew from the global random generator"):
        check_learner(Always(2, 2))


def test_a_learner_whose_training_depends_on_more_than_torchs_generator_breaks_the_contract():
    class Drifting(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.passes = nn.Linear(2, 4), 0

        def forward(self, x):
            self.passes += self.training
            return self.layer(x) * (1 + 0.1 * self.passes)

    with pytest.raises(AssertionError, match="in training"):
        check_learner(ProtoNet(2, 2, encoder=Drifting()))


def test_dropout_and_statistics_of_batches_keep_the_contract():
    check_learner(dropping())
    check_learner(normalised())
