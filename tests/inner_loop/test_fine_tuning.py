import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctxlearn import fine_tune, train
from ctxlearn.episodes import Tasks
from ctxlearn.inner_loop.fine_tuning import FineTuning, descend, fine_tuning_of, held_out_loss
from ctxlearn.inner_loop.meta_learning import Adaptable
from ctxlearn.learners import GradientAdaptation, InContextTransformer, ProtoNet
from ctxlearn.references import NearestNeighbor
from ctxlearn.tasks import ClassPrototype, GaussianHalfSpaces, GaussianWeights
from ctxlearn.training import AllPrefixes, Objective, TrainingConfig

DOMAINS = GaussianWeights(2, spread=0.2)


def transformer(**changes):
    settings = {"n_features": 2, "n_classes": None, "width": 16, "depth": 1, "heads": 2, "mask": "causal"}
    return InContextTransformer(**settings | changes)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    config = TrainingConfig(steps=150, tasks_per_step=32, n_points=6, progress=False, threads=1)
    folder = tmp_path_factory.mktemp("adaptation")
    return train(transformer(), DOMAINS.pooled(), config, out=folder / "run", objective=AllPrefixes()).learner


def weights(learner):
    return {name: value.clone() for name, value in learner.state_dict().items()}


def same(a, b):
    return all(torch.equal(value, b[name]) for name, value in a.items())


def domain(seed=3, mean=1.5):
    from ctxlearn.tasks.domains import Domain

    assert seed
    return Domain(DOMAINS, {"mean": [mean, -mean]})


def test_it_improves_on_a_domain_and_says_how(trained, generator):
    before = weights(trained)
    tasks = domain().sample(64, 6, generator=generator)
    adapted = fine_tune(trained, tasks, steps=60, learning_rate=3e-3)
    assert same(before, weights(trained))
    assert fine_tuning_of(trained) is None
    record = fine_tuning_of(adapted)
    assert record.adapted
    assert record.loss_after < record.loss_before
    assert (record.n_tasks, record.n_held_out) == (48, 16)
    assert record.losses[record.checks.index(record.steps)] == record.loss_after == min(record.losses)
    new = domain().sample(400, 6, generator=generator)
    assert held_out_loss(adapted, new) < held_out_loss(trained, new) - 0.05


def test_it_is_deterministic_by_seed(trained):
    first, again, other = (fine_tune(trained, domain(), n_tasks=20, n_points=6, steps=10, seed=s) for s in (1, 1, 2))
    assert same(weights(first), weights(again))
    assert fine_tuning_of(first) == fine_tuning_of(again)
    assert not same(weights(first), weights(other))


@given(st.sampled_from(["adamw", "sgd"]), st.sampled_from([1e-3, 0.05, 1.0, 1e4]), st.integers(4, 9), st.integers(0, 5))
def test_it_is_never_worse_on_the_held_out_tasks(optimizer, rate, n_tasks, seed):
    learner = transformer(seed=seed)
    tasks = domain().sample(n_tasks, 4, generator=torch.Generator().manual_seed(seed))
    adapted = fine_tune(learner, tasks, optimizer=optimizer, learning_rate=rate, steps=6, check_every=2, seed=seed)
    record = fine_tuning_of(adapted)
    assert record.loss_after <= record.loss_before
    order = torch.randperm(n_tasks, generator=_split(seed))
    kept = tasks.tasks(order[: record.n_held_out])
    assert held_out_loss(adapted, kept) == record.loss_after
    assert held_out_loss(learner, kept) == record.loss_before
    assert record.adapted == (not same(weights(learner), weights(adapted)))


def _split(seed):
    from ctxlearn.seeding import Stream, generator_for

    return generator_for(seed, Stream.VALIDATION)


class Worse(Objective):
    """Makes the learner worse, always."""

    def __call__(self, learner, batch, generator):
        return -AllPrefixes()(learner, batch, generator)


def test_the_given_weights_come_back_where_adapting_does_not_help(trained, generator):
    tasks = domain().sample(16, 6, generator=generator)
    kept = fine_tune(trained, tasks, objective=Worse(), steps=40, check_every=1, patience=3)
    assert same(weights(trained), weights(kept))
    record = fine_tuning_of(kept)
    assert (record.adapted, record.steps, record.stopped) == (False, 0, "no better for long")
    assert record.loss_after == record.loss_before
    assert record.checks == (0, 1, 2, 3)


def test_what_explodes_is_not_kept(trained, generator):
    tasks = domain().sample(16, 6, generator=generator)
    kept = fine_tune(trained, tasks, optimizer="sgd", learning_rate=1e30, steps=40, check_every=1)
    assert fine_tuning_of(kept).stopped == "not finite"
    assert same(weights(trained), weights(kept))


@pytest.mark.parametrize(
    "learner",
    [
        InContextTransformer(2, 2, width=8, depth=1, heads=2),
        InContextTransformer(2, 3, width=8, depth=1, heads=2, mask="causal"),
        ProtoNet(2, 2),
        Adaptable(InContextTransformer(2, 2, width=8, depth=1, heads=2), GradientAdaptation(2, 0.1, learned="tensor")),
    ],
    ids=["set", "causal", "ProtoNet", "Adaptable"],
)
def test_set_and_causal_learners_of_classes(learner):
    family = GaussianHalfSpaces(2).sample_domain(generator=torch.Generator().manual_seed(0))
    adapted = fine_tune(learner, family, n_tasks=24, n_points=5, steps=30, learning_rate=5e-3, check_every=3)
    assert fine_tuning_of(adapted).adapted
    assert type(adapted) is type(learner)
    assert not adapted.training


def test_some_parameters_can_be_tuned_alone(trained):
    adapted = fine_tune(trained, domain(), n_tasks=32, n_points=6, steps=20, parameters="out.*")
    after, moved = adapted.state_dict(), set()
    for name, value in trained.state_dict().items():
        if not torch.equal(value, after[name]):
            moved.add(name)
    assert moved == {"out.weight", "out.bias"}
    with pytest.raises(ValueError, match=r"parameters: 'head\.\*' matches no parameter"):
        fine_tune(trained, domain(), n_tasks=8, n_points=6, parameters="head.*")


def test_descend_takes_each_task_once_a_pass_and_yields_after_each_step(trained, generator):
    seen = []

    class Seen(AllPrefixes):
        def __call__(self, learner, batch, generator):
            seen.append(batch.y[:, 0].tolist())
            return super().__call__(learner, batch, generator)

    tasks = domain().sample(8, 3, generator=generator)
    learner = copy.deepcopy(trained)
    steps = list(descend(learner, tasks, steps=4, batch=4, objective=Seen()))
    assert steps == [(i, True) for i in (1, 2, 3, 4)]
    for first, second in (seen[:2], seen[2:]):
        assert sorted(first + second) == sorted(tasks.y[:, 0].tolist())


def test_inference_mode_is_no_obstacle(trained):
    with torch.inference_mode():
        adapted = fine_tune(trained, domain(), n_tasks=16, n_points=6, steps=10)
    assert fine_tuning_of(adapted).adapted


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"learner": NearestNeighbor()}, "learner: expected one with parameters.*NearestNeighbor"),
        ({"learner": "mine"}, "learner: expected a Learner"),
        ({"tasks": "data"}, "tasks: expected Tasks or a family"),
        ({"tasks": ClassPrototype()}, "tasks: expected tasks of regression"),
        ({"tasks": GaussianWeights(3).pooled()}, r"tasks\.x"),
        ({"n_tasks": 3}, "n_tasks: expected an integer >= 4"),
        ({"n_points": 1}, "at least 2 points"),
        ({"held_out": 0}, "held_out"),
        ({"held_out": 1.0}, "held_out"),
        ({"optimizer": "adam"}, "optimizer.*adamw"),
        ({"learning_rate": -1}, "learning_rate"),
        ({"steps": 0}, "steps"),
        ({"batch": 0}, "batch"),
        ({"check_every": 0}, "check_every"),
        ({"patience": 0}, "patience"),
        ({"objective": "loss"}, "objective"),
    ],
)
def test_bad_arguments_are_named(arguments, words, trained):
    given = {"learner": trained, "tasks": domain(), "n_tasks": 8, "n_points": 6, "steps": 2} | arguments
    learner, tasks = given.pop("learner"), given.pop("tasks")
    with pytest.raises(ValueError, match=words):
        fine_tune(learner, tasks, **given)


def test_too_few_tasks_are_refused_with_the_number_needed(trained, generator):
    with pytest.raises(ValueError, match="at least 4 tasks"):
        fine_tune(trained, domain().sample(3, 6, generator=generator))
    fewest = fine_tune(trained, domain().sample(4, 6, generator=generator), steps=5)
    assert isinstance(fine_tuning_of(fewest), FineTuning)
    assert (fine_tuning_of(fewest).n_tasks, fine_tuning_of(fewest).n_held_out) == (2, 2)


def test_tasks_of_too_many_classes_are_refused():
    x, y = torch.zeros(6, 4, 2), torch.zeros(6, 4, dtype=torch.int64)
    with pytest.raises(ValueError, match="at most the learner's 2 classes"):
        fine_tune(ProtoNet(2, 2), Tasks(x, y, 3))
