import json
import os
import subprocess
import sys

import pandas as pd
import pytest
import runs
import torch
import zoo
from hypothesis import given
from hypothesis import strategies as st

from ctxlearn import TrainingConfig, train
from ctxlearn.configurable import argument, configuration, instantiate, with_argument
from ctxlearn.learners import InContextTransformer
from ctxlearn.tasks import ClassPrototype, LinearRegression, Mixture, PairwiseMetric, Radial
from ctxlearn.training import (
    AllPrefixes,
    Curriculum,
    RunFolderError,
    SelfPaced,
    Smooth,
    Stairs,
    kept_learners,
    load,
    run_settings,
)
from ctxlearn.training.run_folder import run_hash

SCALES = {"scale": Stairs(0.5, 2.0, 0.5, every=2)}
PACED = {"scale": SelfPaced(0.5, 2.0, 0.5, target=[0.72, 0.7, 0.1], window=2, patience=4)}


def scaled(plans):
    """A curriculum for `runs.small`, whose learner has 2 features and 2 classes."""
    return Curriculum(ClassPrototype(scale=2.0), 2, 5, plans)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_stairs_rise_and_stay():
    plan = Stairs(2, 5, 1, every=3)
    assert [plan.value(step) for step in range(12)] == [2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5]
    assert all(isinstance(plan.value(step), int) for step in range(12))
    assert [Stairs(4.0, 1.0, -2.0, every=1).value(step) for step in range(4)] == [4.0, 2.0, 1.0, 1.0]


def test_a_smooth_plan_goes_in_a_line_and_rounds_ints():
    assert [Smooth(0.0, 1.0, over=4).value(step) for step in range(6)] == [0, 0.25, 0.5, 0.75, 1, 1]
    assert [Smooth(2, 4, over=8).value(step) for step in range(10)] == [2, 2, 3, 3, 3, 3, 4, 4, 4, 4]
    assert [Smooth(4, 2, over=2).value(step) for step in range(4)] == [4, 3, 2, 2]


@given(
    start=st.integers(-5, 5),
    distance=st.integers(1, 6),
    increment=st.integers(1, 3),
    sign=st.sampled_from([-1, 1]),
    every=st.integers(1, 5),
    seed=st.integers(0, 3),
)
def test_the_controls_take_the_same_steps_at_the_same_values_and_end_at_full_difficulty(
    start, distance, increment, sign, every, seed
):
    settings = (start, start + sign * distance, sign * increment, every)
    rising = Stairs(*settings)
    length = every * len(rising.values()[:-1])
    way = [rising.value(step) for step in range(length)]
    assert way == sorted(way, reverse=sign < 0)
    for order in ("reversed", "shuffled"):
        control = Stairs(*settings, order=order, seed=seed)
        other = [control.value(step) for step in range(length)]
        assert sorted(other) == sorted(way)
        assert [control.value(step) for step in (length, length + 7)] == [rising.stop] * 2
        if order == "reversed":
            assert other == way[::-1]


def test_shuffling_follows_its_seed():
    ways = [[Stairs(0, 9, 1, 5, "shuffled", seed).value(step) for step in range(45)] for seed in (0, 0, 1)]
    assert ways[0] == ways[1] != ways[2]
    assert [Smooth(0.0, 1.0, 4, "reversed").value(step) for step in range(5)] == [0.75, 0.5, 0.25, 0.0, 1.0]


def climb(plan, losses):
    values = []
    for step, loss in enumerate(losses):
        values.append(plan.value(step))
        plan.observe(step, torch.tensor(loss, dtype=torch.float64))
    return [*values, plan.value(len(losses))]


def test_a_self_paced_plan_leaves_a_stair_when_the_mean_loss_on_it_is_low_enough():
    plan = SelfPaced(1, 4, 1, target=0.5, window=2)
    assert climb(plan, [0.9, 0.2, 0.7, 0.3, 0.1, 0.1, 9.0]) == [1, 1, 1, 2, 2, 3, 3, 3]
    # begun again, it knows nothing of the training before
    assert climb(plan, [0.9, 0.9]) == [1, 1, 1]
    assert climb(SelfPaced(1, 3, 1, target=[0.5, 0.1], window=1), [0.4, 0.4, 0.1, 9.0]) == [1, 2, 2, 3, 3]


def test_patience_bounds_the_steps_on_a_stair():
    assert climb(SelfPaced(1, 3, 1, target=0.0, window=2, patience=3), [1.0] * 6) == [1, 1, 1, 2, 2, 2, 3]


def test_a_self_paced_plan_goes_on_from_what_it_gave_away():
    losses = [0.9, 0.2, 0.7, 0.3, 0.1, 0.1]
    whole = SelfPaced(1, 4, 1, target=0.5, window=2)
    expected = climb(whole, losses)
    for cut in range(1, len(losses)):
        first, second = (SelfPaced(1, 4, 1, target=0.5, window=2) for _ in range(2))
        climb(first, losses[:cut])
        second.load_state_dict(json.loads(json.dumps(first.state_dict())))
        rest = []
        for step in range(cut, len(losses)):
            rest.append(second.value(step))
            second.observe(step, torch.tensor(losses[step], dtype=torch.float64))
        assert rest == expected[cut:-1]


def test_batches_have_the_planned_difficulty_and_validation_the_full_one():
    source = Curriculum(
        LinearRegression(4), 3, 9, {"active": Stairs(1, 4, 1, every=2), "n_points": Stairs(3, 9, 3, every=1)}
    )
    seen = [source.batch(step, 0, generator()) for step in range(8)]
    assert [tasks.n_points for tasks in seen] == [3, 6, 9, 9, 9, 9, 9, 9]
    assert [int((tasks.x != 0).any(0).any(0).sum()) for tasks in seen] == [1, 1, 2, 2, 3, 3, 4, 4]
    whole = source.validation_batch(0, generator())
    assert whole.n_points == 9
    assert (whole.x != 0).all()
    assert source.facts(2) == {"difficulty.active": 2, "difficulty.n_points": 9}
    assert torch.equal(seen[-1].x, LinearRegression(4).sample(3, 9, generator=generator()).x)


def test_families_inside_of_others_and_classes_are_planned_too():
    family = Mixture([ClassPrototype(2, 4), Radial(scale=3.0)])
    source = Curriculum(
        family, 64, 8, {"families.0.n_classes": Stairs(2, 4, 1, 1), "families.1.scale": Smooth(1.0, 3.0, 2)}
    )
    assert [int(source.batch(step, 0, generator()).y.max()) for step in range(3)] == [1, 2, 3]
    assert argument(with_argument(family, "families.1.scale", 1.5), "families.1.scale") == 1.5
    assert argument(family, "families.1.scale") == 3.0


def test_a_curriculum_is_built_again_from_its_configuration():
    for plans in (SCALES, PACED, {"n_points": Smooth(2, 5, 4, "shuffled", 3)}):
        source = scaled(plans)
        again = instantiate(json.loads(json.dumps(configuration(source))))
        assert configuration(again) == configuration(source)
        assert torch.equal(again.batch(1, 0, generator()).x, source.batch(1, 0, generator()).x)
    settings = [run_settings(runs.transformer(), scaled(p), TrainingConfig(**runs.SMALL)) for p in (SCALES, PACED)]
    assert len({run_hash(s) for s in settings}) == 2


@pytest.mark.parametrize("plans", [SCALES, PACED, {"n_points": Stairs(2, 5, 1, 2, "shuffled")}])
@pytest.mark.parametrize("stopped_at", [4, 5, 7])
def test_a_stopped_run_goes_on_to_the_same_bits_whatever_its_threads(plans, stopped_at, tmp_path, monkeypatch):
    same = {"shards": 4, "tasks_per_step": 8, "keep_every": 4}
    whole = runs.small(tmp_path / "whole", source=scaled(plans), **same, threads=1)
    draw = Curriculum.batch

    def stop(self, step, shard, generator):
        if step == stopped_at:
            raise runs.Stopped
        return draw(self, step, shard, generator)

    with monkeypatch.context() as patch:
        patch.setattr(Curriculum, "batch", stop)
        with pytest.raises(runs.Stopped):
            runs.small(tmp_path / "stopped", source=scaled(plans), **same, threads=2)
    went_on = runs.small(tmp_path / "stopped", source=scaled(plans), **same, threads=2)
    assert runs.result(went_on.folder) == runs.result(whole.folder)
    for (step, kept), (other, again) in zip(kept_learners(whole.folder), kept_learners(went_on.folder), strict=True):
        assert step == other
        assert all(torch.equal(a, b) for a, b in zip(kept.parameters(), again.parameters(), strict=True))


def test_the_difficulty_is_logged_and_other_runs_have_the_columns_they_had(tmp_path):
    run = runs.small(tmp_path / "curriculum", source=scaled(SCALES))
    assert list(run.metrics["difficulty.scale"]) == [0.5, 1.0, 1.5, 2.0, 2.0, 2.0, 2.0]
    plain = runs.small(tmp_path / "plain")
    expected = ["step", "loss", "gradient_norm", "rate", "validation_loss"]
    assert list(pd.read_csv(plain.folder / "metrics.csv").columns) == expected
    assert list(run.metrics.columns) == [*expected, "difficulty.scale"]


def test_a_self_paced_training_moves_by_its_losses(tmp_path):
    run = runs.small(tmp_path, source=scaled(PACED), log_every=1)
    plan = SelfPaced(0.5, 2.0, 0.5, target=[0.72, 0.7, 0.1], window=2, patience=4)
    # metrics.csv has the losses of all steps in the weights' precision, as the plan saw them
    expected = climb(plan, list(run.metrics["loss"]))[:-1]
    assert list(run.metrics["difficulty.scale"]) == expected
    assert len(set(expected)) > 1


PROCESSES = """
import sys
import runs
from ctxlearn.tasks import ClassPrototype
from ctxlearn.training import Curriculum, SelfPaced

if __name__ == "__main__":
    plan = SelfPaced(0.5, 2.0, 0.5, target=[0.72, 0.7, 0.1], window=2, patience=4)
    source = Curriculum(ClassPrototype(scale=2.0), 2, 5, {"scale": plan})
    runs.small(sys.argv[1], source=source, shards=4, tasks_per_step=8, log_every=1, processes=2)
"""


def test_two_processes_move_a_self_paced_plan_at_the_same_steps(tmp_path):
    (tmp_path / "job.py").write_text(PROCESSES)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(runs.PLACES), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "job.py", "two"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    alone = runs.small(tmp_path / "alone", source=scaled(PACED), shards=4, tasks_per_step=8, log_every=1)
    two = pd.read_csv(tmp_path / "two" / "metrics.csv")
    assert list(two["difficulty.scale"]) == list(alone.metrics["difficulty.scale"])
    assert two["difficulty.scale"].nunique() > 1
    for a, b in zip(load(tmp_path / "two").parameters(), alone.learner.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-5)


def test_a_source_used_again_begins_anew(tmp_path):
    source = scaled(PACED)
    first = runs.small(tmp_path / "first", source=source)
    assert runs.result(runs.small(tmp_path / "second", source=source).folder) == runs.result(first.folder)


def test_points_are_planned_under_every_objective(tmp_path):
    source = Curriculum(LinearRegression(2), 2, 5, {"n_points": Stairs(1, 5, 2, every=3)})
    learner = InContextTransformer(
        2, None, width=8, depth=1, heads=1, tokens="interleaved", mask="causal", positions="learned", max_points=4
    )
    config = TrainingConfig(**runs.SMALL)
    run = train(learner, source, config, out=tmp_path, objective=AllPrefixes())
    assert list(run.metrics["difficulty.n_points"]) == [1, 1, 3, 5, 5, 5, 5]


def test_kept_weights_are_those_of_shorter_runs(tmp_path):
    same = {"schedule": "constant", "warmup_steps": 1}
    run = runs.small(tmp_path / "long", keep_every=4, **same)
    kept = dict(kept_learners(run.folder))
    assert list(kept) == [4, 8, 12]
    for steps in (8, 12):
        short = runs.small(tmp_path / f"{steps}", steps=steps, **same).learner
        assert all(torch.equal(a, b) for a, b in zip(kept[steps].parameters(), short.parameters(), strict=True))
    assert not kept[4].training


def test_keeping_weights_changes_no_result_and_averaged_runs_keep_averages(tmp_path):
    plain = runs.small(tmp_path / "plain", averaging=0.8)
    keeping = runs.small(tmp_path / "keeping", averaging=0.8, keep_every=6)
    assert runs.result(plain.folder) == runs.result(keeping.folder)
    last = dict(kept_learners(keeping.folder))[12]
    assert all(torch.equal(a, b) for a, b in zip(last.parameters(), load(plain.folder).parameters(), strict=True))
    with pytest.raises(RunFolderError, match="kept no weights"):
        list(kept_learners(plain.folder))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Stairs(2, 8, -1, 100), r"increment: expected a step from start = 2 towards stop = 8, got -1"),
        (lambda: Stairs(2, 2, 1, 100), "there is nothing to plan"),
        (lambda: Stairs(2, 8, 1, 0), "every: expected an integer >= 1"),
        (lambda: Stairs("two", 8, 1, 10), "start: expected a finite number"),
        (lambda: Stairs(2, 8, 1, 10, "backwards"), "order: unknown name"),
        (lambda: Smooth(3, 3, 10), "stop: expected another value"),
        (lambda: Smooth(3, 4, 0), "over: expected an integer"),
        (lambda: SelfPaced(1, 4, 1, target=[0.5, 0.5]), "target: expected one number, or 3"),
        (lambda: SelfPaced(1, 4, 1, target="low"), "target: expected a finite number"),
        (lambda: SelfPaced(1, 4, 1, target=0.1, window=5, patience=4), "patience: expected an integer >= 5"),
        (lambda: scaled({}), "plans: expected a dict"),
        (lambda: scaled({"scale": 3}), "plans: expected a dict"),
        (
            lambda: scaled({"scael": Stairs(1, 2, 1, 1)}),
            r"plans\['scael'\].*no argument 'scael'; it has .*scale.*n_points",
        ),
        (lambda: scaled({"scale": Stairs(1, 3, 1, 1)}), r"plans\['scale'\]: expected a plan that stops at 2\.0"),
        (lambda: scaled({"scale": Stairs(-1, 2, 1, 1)}), "class-prototype refuses the value -1: scale"),
        (lambda: scaled({"n_points": Stairs(0, 5, 1, 1)}), "n_points: expected an integer >= 1"),
        (lambda: scaled({"n_points": Stairs(1, 6, 1, 1)}), "stops at 5"),
        (lambda: scaled({"n_features": Stairs(1, 2, 1, 1)}), "inputs of one shape.*active"),
        (lambda: scaled({"n_classes": Stairs(4, 2, -1, 1)}), "at most the 2 classes"),
        (lambda: Curriculum(LinearRegression(4), 2, 5, {"active": Stairs(1, 4, 1.5, 1)}), "refuses the value 1.0"),
        (lambda: Curriculum(LinearRegression(4, active=3), 2, 5, {"active": Stairs(1, 4, 1, 1)}), "stops at 3"),
        (lambda: Curriculum(Mixture([PairwiseMetric()]), 2, 5, {"families": Stairs(1, 4, 1, 1)}), "name of a number"),
        (lambda: Curriculum("linear", 2, 5, SCALES), "family: expected a TaskFamily"),
        (lambda: Curriculum(zoo.Lines(), 0, 5, SCALES), "n_tasks"),
    ],
)
def test_impossible_plans_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
