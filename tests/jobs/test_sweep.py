"""A grid of trainings in one table; all runs of a folder; who is told of a training."""

import sys
from types import SimpleNamespace

import pandas as pd
import pytest

import ctxlearn
from ctxlearn.cli import main
from ctxlearn.learners import InContextTransformer, MatchNet
from ctxlearn.tasks import ClassPrototype, Mixture, PairwiseMetric
from ctxlearn.training import RunFolderError, TensorBoard, TrainingConfig, WeightsAndBiases, read_run

CONFIG = TrainingConfig(steps=3, tasks_per_step=4, n_points=5, log_every=1, progress=False)
MODEL = InContextTransformer(2, 2, width=8, depth=1)


def sweep(grid, folder, **changes):
    given = {"config": CONFIG, "jobs": 1, "progress": False, **changes}
    return ctxlearn.sweep(MODEL, ClassPrototype(), given.pop("config"), grid, out=folder, **given)


def test_every_combination_is_trained_and_the_best_is_first(tmp_path):
    grid = {"training.learning_rate": [1e-3, 1e-2], "learner.width": [8, 16], "source.scale": [1.0]}
    found = sweep(grid, tmp_path, test=ClassPrototype(), n_tasks=5)
    table = found.table
    assert len(table) == 4
    assert table["validation_loss"].is_monotonic_increasing
    assert list(table.columns) == [*grid, "validation_loss", "score", "low", "high", "run"]
    for row in table.to_dict("records"):
        run = read_run(row["run"])
        assert run.learner.width == row["learner.width"]
        assert run.facts["validation_loss"] == row["validation_loss"]
    assert found.best.width == table["learner.width"][0]
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "sweep.csv"), table, check_dtype=False)


def test_a_sweep_is_the_trainings_one_by_one_and_a_larger_grid_trains_what_is_new(tmp_path):
    one = sweep({"training.seed": [3]}, tmp_path / "sweep")
    alone = ctxlearn.train(
        InContextTransformer(2, 2, width=8, depth=1),
        ClassPrototype(),
        TrainingConfig(**{**vars(CONFIG), "seed": 3}),
        out=tmp_path / "alone",
    )
    assert read_run(one.table["run"][0]).facts == alone.facts
    written = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("model.safetensors")}
    more = sweep({"training.seed": [3, 4]}, tmp_path / "sweep", jobs=2)
    assert len(more.table) == 2
    assert all(p.stat().st_mtime_ns == when for p, when in written.items())


def test_arguments_of_arguments_can_be_swept(tmp_path):
    mixture = Mixture([PairwiseMetric(), ClassPrototype()])
    found = ctxlearn.sweep(
        MODEL, mixture, CONFIG, {"source.families.1.scale": [1.0, 2.0]}, out=tmp_path, jobs=1, progress=False
    )
    assert set(found.table["source.families.1.scale"]) == {1.0, 2.0}
    assert found.table["run"].nunique() == 2


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ({}, "grid: expected values by setting"),
        ({"training.learning_rate": 1e-3}, "expected a list"),
        ({"training.learning_rat": [1e-3]}, "did you mean 'training.learning_rate'"),
        ({"learner.wide": [3]}, "has no argument 'wide'"),
        ({"width": [3]}, "grid: unknown name 'width'"),
        ({"training.learning_rate": [-1.0]}, "learning_rate: expected"),
    ],
)
def test_a_grid_that_cannot_be_is_refused_before_anything_is_trained(grid, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        sweep(grid, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_prints_the_table(tmp_path, capsys):
    command = ["sweep", "--learner", "MatchNet", "--learner.n_features", "2", "--learner.n_classes", "2"]
    command += ["--family", "ClassPrototype", "--training.steps", "2", "--training.n_points", "5"]
    command += ["--training.progress", "false", "--out", str(tmp_path / "out"), "--jobs", "1"]
    assert main([*command, "--grid", "training.learning_rate=1e-3,3e-3", "--n_tasks=4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["training.learning_rate", "validation_loss", "score", "low", "high", "run"]
    assert {line.split()[0] for line in lines[1:3]} == {"0.001", "0.003"}
    assert lines[3].endswith("sweep.csv")
    for wrong, words in (([], "--grid"), (["--grid", "a"], "SETTING=VALUE"), (["--grid"], "expected a value")):
        assert main([*command, *wrong]) == 2
        assert words in capsys.readouterr().err


def test_runs_are_one_table_finished_or_not(tmp_path):
    for seed in (0, 1):
        config = TrainingConfig(steps=3, tasks_per_step=4, n_points=5, seed=seed, progress=False)
        ctxlearn.train(MatchNet(2, 2), ClassPrototype(scale=2.0), config, out=tmp_path / "some" / f"run-{seed}")
    unfinished = tmp_path / "some" / "run-1"
    (unfinished / "model.safetensors").unlink()
    (unfinished / "checkpoints" / "step-00000003.safetensors").unlink()
    table = ctxlearn.runs(tmp_path)
    assert table["run"].tolist() == ["some/run-0", "some/run-1"]
    assert table["finished"].tolist() == [True, False]
    assert table["step"].tolist() == [3, 0]
    assert table["validation_loss"].isna().tolist() == [False, True]
    assert (table["learner"] == "MatchNet").all()
    assert table["training.seed"].tolist() == [0, 1]
    assert (table["source.family.scale"] == 2.0).all()
    assert len(ctxlearn.runs(tmp_path / "some" / "run-0")) == 1
    (tmp_path / "nothing").mkdir()
    assert ctxlearn.runs(tmp_path / "nothing").empty
    with pytest.raises(ValueError, match="folder: expected a folder that exists"):
        ctxlearn.runs(tmp_path / "nowhere")
    (tmp_path / "some" / "run-1" / "config.yaml").write_text("a: [")
    with pytest.raises(RunFolderError, match="cannot be read"):
        ctxlearn.runs(tmp_path)


class Heard:
    def __init__(self):
        self.metrics, self.ended = [], []

    def on_metrics(self, step, metrics):
        self.metrics.append((step, metrics))

    def on_end(self, run):
        self.ended.append(run)


def train(folder, *callbacks):
    return ctxlearn.train(MatchNet(2, 2), ClassPrototype(), CONFIG, out=folder, callbacks=callbacks)


def test_callbacks_hear_every_row_and_change_nothing(tmp_path):
    heard = Heard()
    told, silent = train(tmp_path / "told", heard), train(tmp_path / "silent")
    assert told.facts == silent.facts
    table = told.metrics
    assert [step for step, _ in heard.metrics] == table["step"].tolist() == [0, 1, 2]
    for (_, metrics), row in zip(heard.metrics, table.to_dict("records"), strict=True):
        assert set(metrics) == {"loss", "gradient_norm", "rate"}
        assert metrics["loss"] == pytest.approx(row["loss"])
    assert [run.folder for run in heard.ended] == [told.folder]
    again = Heard()
    train(tmp_path / "told", again)
    assert not again.metrics
    assert not again.ended
    with pytest.raises(ValueError, match=r"callbacks\[0\]: expected the methods on_metrics and on_end"):
        train(tmp_path / "third", print)


class Writer:
    """In TensorBoard's place, which is not among the packages of the tests."""

    def __init__(self, log_dir):
        self.folder, self.scalars, self.closed = log_dir, [], False

    def add_scalar(self, name, value, step):
        self.scalars.append((name, step))

    def add_text(self, name, text, step):
        self.text = (name, text, step)

    def close(self):
        self.closed = True


def test_tensorboard_is_handed_the_metrics(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=Writer))
    board = TensorBoard(tmp_path / "board")
    run = train(tmp_path / "run", board)
    writer = board._writer
    assert writer.folder == str(tmp_path / "board")
    assert [step for name, step in writer.scalars if name == "loss"] == [0, 1, 2]
    assert writer.text == ("run", str(run.folder), 3)
    assert writer.closed


def test_weights_and_biases_is_offline_unless_asked(tmp_path, monkeypatch):
    calls = SimpleNamespace(init=[], log=[], finished=0, summary={})

    def init(**options):
        calls.init.append(options)
        return SimpleNamespace(
            log=lambda metrics, step: calls.log.append((step, metrics)),
            summary=calls.summary,
            finish=lambda: setattr(calls, "finished", calls.finished + 1),
        )

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    run = train(tmp_path / "run", WeightsAndBiases("mine", tmp_path))
    assert calls.init == [{"project": "mine", "dir": str(tmp_path), "mode": "offline"}]
    assert [step for step, _ in calls.log] == [0, 1, 2]
    assert calls.summary["validation_loss"] == run.facts["validation_loss"]
    assert calls.finished == 1
    with pytest.raises(ValueError, match="mode: expected 'offline' or 'online'"):
        WeightsAndBiases("mine", mode="disabled")


@pytest.mark.parametrize(
    ("make", "extra"), [(lambda: TensorBoard("x"), "tensorboard"), (lambda: WeightsAndBiases("x"), "wandb")]
)
def test_a_logger_that_is_not_installed_is_named(make, extra, monkeypatch):
    for name in ("wandb", "torch.utils.tensorboard"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError, match=rf"pip install 'ctxlearn\[{extra}\]'"):
        make()
