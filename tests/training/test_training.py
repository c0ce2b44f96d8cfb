import copy

import pytest
import runs
import torch
import zoo

from ctxlearn import TrainingConfig, train
from ctxlearn.learners import CNP, InContextTransformer, MatchNet, ProtoNet
from ctxlearn.references import NearestNeighbor
from ctxlearn.seeding import Stream, generator_for, initial_weights
from ctxlearn.tasks import ClassPrototype, Mixture
from ctxlearn.training import AllPrefixes, FamilySource, RandomSplit, RunFolderError, load, run_settings
from ctxlearn.training.objective import of_task_classes
from ctxlearn.training.run_folder import run_hash


def weights(learner):
    return torch.cat([p.detach().flatten() for p in learner.parameters()])


@pytest.mark.parametrize("name", runs.VARIANTS)
def test_the_same_command_gives_the_same_bits(name, tmp_path):
    for folder in ("first", "second"):
        runs.small(tmp_path / folder, **runs.VARIANTS[name])
    assert runs.result(tmp_path / "first") == runs.result(tmp_path / "second")


def test_the_number_of_threads_and_other_run_time_options_change_no_bit(tmp_path):
    same = {"shards": 4, "tasks_per_step": 8}
    expected = runs.small(tmp_path / "a", **same)
    others = [{"threads": 2}, {"threads": 4}, {"threads": None}, {"checkpoint_every": 0}, {"checkpoint_every": 1}]
    for i, changes in enumerate(others):
        run = runs.small(tmp_path / str(i), **same | changes)
        assert runs.result(run.folder) == runs.result(expected.folder)
        assert run.facts == expected.facts


@pytest.mark.parametrize(
    "changes", [{"seed": 1}, {"shards": 1}, {"learning_rate": 0.01}, {"averaging": 0.5}, {"n_points": 6}]
)
def test_settings_that_change_the_result_are_in_the_hash(changes, tmp_path):
    settings = [
        run_settings(runs.transformer(), ClassPrototype(), TrainingConfig(**runs.SMALL | some))
        for some in ({}, changes)
    ]
    assert run_hash(settings[0]) != run_hash(settings[1])


@pytest.mark.parametrize(
    "changes", [{"checkpoint_every": 1}, {"threads": 7}, {"progress": True}, {"processes": 2}, {"accelerator": "cpu"}]
)
def test_run_time_options_are_not_in_the_hash(changes):
    settings = [
        run_settings(runs.transformer(), ClassPrototype(), TrainingConfig(**runs.SMALL | some))
        for some in ({}, changes)
    ]
    assert run_hash(settings[0]) == run_hash(settings[1])


def test_initial_weights_learner_source_and_objective_are_in_the_hash():
    config = TrainingConfig(steps=1)
    family = ClassPrototype()
    hashes = {
        run_hash(run_settings(learner, source, config, objective))
        for learner, source, objective in [
            (runs.transformer(), family, None),
            (runs.transformer(seed=1), family, None),
            (runs.transformer(depth=3), family, None),
            (runs.transformer(), ClassPrototype(scale=2), None),
            (runs.transformer(), runs.Watched(), None),
            (runs.transformer(), family, RandomSplit(1)),
            (runs.transformer(), family, AllPrefixes()),
        ]
    }
    assert len(hashes) == 7
    other = runs.transformer()
    with torch.no_grad():
        next(other.parameters()).mul_(1.001)
    assert run_hash(run_settings(other, family, config)) not in hashes


def test_a_finished_run_is_loaded_and_not_trained_again(tmp_path, monkeypatch):
    first = runs.small(tmp_path)
    steps = runs.record_steps(monkeypatch)
    again = runs.small(tmp_path)
    assert steps == []
    assert torch.equal(weights(first.learner), weights(again.learner))
    assert again.facts == first.facts
    assert torch.equal(weights(load(tmp_path)), weights(first.learner))
    assert list(first.metrics["step"]) == [0, 2, 4, 6, 8, 10, 11]


def test_a_folder_of_another_run_is_refused_with_the_first_difference(tmp_path):
    runs.small(tmp_path)
    with pytest.raises(RunFolderError, match=r"training\.seed: it has 0, this run 5"):
        runs.small(tmp_path, seed=5)
    with pytest.raises(RunFolderError, match=r"learner\.init_args\.depth: it has 2, this run 1"):
        runs.small(tmp_path, learner=runs.transformer(depth=1))
    with pytest.raises(RunFolderError, match="initial_weights"):
        runs.small(tmp_path, learner=load(tmp_path))


def test_a_folder_of_something_else_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(RunFolderError, match=r"holds no run \(found thesis.tex\)"):
        runs.small(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_loading_what_is_no_run_or_not_finished_says_so(tmp_path, monkeypatch):
    with pytest.raises(RunFolderError, match=r"no config\.yaml"):
        load(tmp_path / "nowhere")
    runs.stop_at(monkeypatch, 5)
    with pytest.raises(runs.Stopped):
        runs.small(tmp_path / "run")
    with pytest.raises(RunFolderError, match="not finished"):
        load(tmp_path / "run")


def test_shards_can_be_drawn_again_alone(tmp_path, monkeypatch):
    drawn = {}

    def keep(self, n_tasks, n_points, *, generator, **_):
        tasks = ClassPrototype.sample(self, n_tasks, n_points, generator=generator)
        drawn[tuple(tasks.x.flatten()[:3].tolist())] = tasks
        return tasks

    family = type("Kept", (ClassPrototype,), {"sample": keep})()
    config = TrainingConfig(**runs.SMALL | {"seed": 3, "shards": 4, "threads": 2})
    monkeypatch.setattr("ctxlearn.training.trainer.configuration", lambda value: str(type(value)))
    monkeypatch.setattr("ctxlearn.training.trainer.finish_from", None)
    train(runs.transformer(), family, config, out=tmp_path)
    source = FamilySource(ClassPrototype(), config.tasks_per_shard, config.n_points)
    for step, shard in ((0, 0), (7, 2), (11, 3)):
        again = source.batch(step, shard, generator_for(3, Stream.TRAINING, step, shard))
        kept = drawn[tuple(again.x.flatten()[:3].tolist())]
        assert torch.equal(kept.x, again.x)
        assert torch.equal(kept.y, again.y)


def test_training_construction_and_sampling_leave_the_global_random_state_alone(tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("the accelerators' random state was seeded")

    monkeypatch.setattr(torch.cuda, "manual_seed_all", refuse)
    before = torch.random.get_rng_state()
    runs.small(tmp_path, validate_every=2)
    zoo.learners()
    ClassPrototype().sample(3, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("learner", [InContextTransformer, MatchNet, ProtoNet, CNP])
@pytest.mark.parametrize("objective", [RandomSplit(), AllPrefixes()])
def test_training_lowers_the_loss_of_every_learner(learner, objective, tmp_path):
    family = Mixture(zoo.three_families())
    made = learner(2, 2, width=16)
    tasks = family.sample(256, 8, generator=torch.Generator().manual_seed(1))

    @torch.no_grad()
    def loss():
        return float(made.loss(made.predict_prefixes(tasks.x, tasks.y), tasks.y))

    before = loss()
    changes = {"steps": 60, "tasks_per_step": 32, "n_points": 8, "learning_rate": 5e-3, "threads": 2}
    train(made, family, TrainingConfig(**runs.SMALL | changes), out=tmp_path, objective=objective)
    assert loss() < 0.98 * before


def test_a_regression_learner_is_trained(tmp_path):
    changes = {"steps": 60, "tasks_per_step": 32, "n_points": 12, "learning_rate": 5e-3, "validate_every": 20}
    learner = InContextTransformer(2, None, width=16, depth=2, heads=2)
    run = train(learner, zoo.Lines(), TrainingConfig(**runs.SMALL | changes), out=tmp_path)
    validation = run.metrics["validation_loss"].dropna().tolist()
    assert validation[-1] < validation[0]


def test_a_learner_with_more_outputs_than_classes_is_trained_on_the_classes_there_are(tmp_path):
    learner = InContextTransformer(2, 5, width=8, depth=1, heads=1)
    before = learner.out.bias.detach().clone()
    train(learner, ClassPrototype(), TrainingConfig(**runs.SMALL), out=tmp_path)
    changed = learner.out.bias != before
    assert changed.tolist() == [True, True, False, False, False]
    assert of_task_classes(torch.zeros(2, 3, 5), 2).shape == (2, 3, 2)


def test_best_weights_are_those_of_the_lowest_validation_loss(tmp_path):
    run = runs.small(tmp_path, select="best", validate_every=1, learning_rate=0.1, steps=20)
    validation = run.metrics["validation_loss"]
    assert run.facts["chosen"] == "best"
    assert run.facts["validation_loss"] == pytest.approx(validation.min(), rel=1e-12)
    assert run.facts["step"] == int(validation.argmin()) + 1 < 20
    last = runs.small(tmp_path / "last", validate_every=1, learning_rate=0.1, steps=20)
    assert last.facts == last.facts | {"chosen": "last", "step": 20}


def test_averaged_weights_are_the_running_average(tmp_path):
    steps = [weights(runs.small(tmp_path / f"{n}", steps=n, schedule="constant").learner) for n in range(1, 7)]
    average = weights(runs.transformer())
    for step, now in enumerate(steps):
        average = torch.lerp(average, now, 1 - min(0.9, (1 + step) / (10 + step)))
    run = runs.small(tmp_path / "averaged", steps=6, schedule="constant", averaging=0.9)
    assert torch.allclose(weights(run.learner), average, atol=1e-6)


def test_frozen_parameters_stay_as_they_are(tmp_path):
    learner = MatchNet(2, 2, encoder=FrozenFirst())
    before = copy.deepcopy(learner.encoder.module)
    runs.small(tmp_path, learner=learner, optimizer="muon", averaging=0.5)
    assert torch.equal(learner.encoder.module.layer.weight, before.layer.weight)
    assert not torch.equal(learner.encoder.module.last.weight, before.last.weight)


class FrozenFirst(zoo.Scaled):
    def __init__(self):
        super().__init__()
        self.layer.requires_grad_(False)
        with initial_weights(0):
            self.last = torch.nn.Linear(3, 2)

    def forward(self, x):
        return self.last(super().forward(x))


def test_every_replica_of_a_learner_is_in_training_mode(tmp_path):
    modes = set()

    class Noting(RandomSplit):
        def __call__(self, learner, batch, generator):
            if torch.is_grad_enabled():
                modes.add(learner.training)
            return super().__call__(learner, batch, generator)

    runs.small(tmp_path, learner=runs.transformer().eval(), objective=Noting(), shards=4)
    assert modes == {True}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("learner", lambda: (NearestNeighbor(2, 2), ClassPrototype(), TrainingConfig(steps=1))),
        ("learner", lambda: (ClassPrototype(), ClassPrototype(), TrainingConfig(steps=1))),
        ("learner", lambda: (runs.transformer(n_features=3), ClassPrototype(), TrainingConfig(steps=1))),
        ("learner", lambda: (runs.transformer(), ClassPrototype(2, 3), TrainingConfig(steps=1))),
        ("learner", lambda: (runs.transformer(), zoo.Lines(), TrainingConfig(steps=1))),
        ("source", lambda: (runs.transformer(), [ClassPrototype()], TrainingConfig(steps=1))),
        ("config", lambda: (runs.transformer(), ClassPrototype(), {"steps": 1})),
        ("shards", lambda: (runs.transformer(), ClassPrototype(), TrainingConfig(steps=1, processes=4))),
    ],
)
def test_arguments_that_do_not_fit_are_refused_before_anything_is_written(name, arguments, tmp_path):
    with pytest.raises(ValueError, match=f"^{name}: expected|^{name}: .* has no parameters"):
        train(*arguments(), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("out", [None, 3, ["run"]])
def test_a_folder_that_is_no_path_is_refused(out):
    with pytest.raises(ValueError, match=r"^out: expected a path, got"):
        runs.small(out)
