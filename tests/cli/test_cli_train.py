"""`ctxlearn train` and `ctxlearn evaluate`, from flags, from YAML, with a user's own classes."""

import io
import os
import re
import shlex
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml
from toy_tables import blobs

import ctxlearn
import ctxlearn.studies
from ctxlearn.cli import main

FLAGS = shlex.split("--training.steps 3 --training.tasks_per_step 4 --training.n_points 6 --training.progress false")
STEPS = shlex.split("--training.steps 3 --training.progress false")
PROTO = shlex.split("--learner ProtoNet --learner.n_features 2 --learner.n_classes 2 --learner.width 8")
YAML = """
learner: {class_path: ProtoNet, init_args: {n_features: 2, n_classes: 2, width: 8}}
family: {class_path: PairwiseMetric}
training: {steps: 3, tasks_per_step: 4, n_points: 6, learning_rate: 1e-3, progress: false}
"""
OWN = """
    import torch

    from ctxlearn.learners import Learner
    from ctxlearn.tasks import TaskFamily

    class Sign(TaskFamily):
        def __init__(self, n_features: int = 2, flip: bool = False):
            self.n_features, self.n_classes, self.flip = n_features, 2, flip

        def sample_parameters(self, n_tasks, *, generator):
            return torch.randn(n_tasks, 1, self.n_features, generator=generator)

        def sample_points(self, parameters, n_points, *, generator):
            x = torch.randn(len(parameters), n_points, self.n_features, generator=generator)
            return x, ((x * parameters).sum(-1) > 0).long()

    class Line(Learner):
        def __init__(self, n_features: int = 2, n_classes: int = 2):
            super().__init__(n_features, n_classes)
            self.scale = torch.nn.Parameter(torch.zeros(n_classes))

        def adapt(self, context_x, context_y):
            return context_x.shape[0]

        def predict(self, state, query_x):
            return self.scale.expand(*query_x.shape[:2], -1)
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    monkeypatch.delitem(sys.modules, "own_things", raising=False)
    (tmp_path / "own_things.py").write_text(textwrap.dedent(OWN))
    (tmp_path / "small.yaml").write_text(YAML)


def done(capsys, *arguments):
    assert main(arguments) == 0, capsys.readouterr().err
    return capsys.readouterr().out.splitlines()


def model(folder):
    return (Path(folder) / "model.safetensors").read_bytes()


def test_flags_yaml_and_library_make_the_same_run(capsys):
    lines = done(
        capsys, "train", *PROTO, "--family", "PairwiseMetric", *FLAGS, "--training.learning_rate=1e-3", "--out", "a"
    )
    assert lines[0].startswith("validation loss ")
    assert lines[0].endswith(" after 3 steps")
    assert lines[1] == "a"
    done(capsys, "train", "--config", "small.yaml", "--out", "b")
    config = ctxlearn.TrainingConfig(steps=3, tasks_per_step=4, n_points=6, learning_rate=1e-3, progress=False)
    ctxlearn.train(ctxlearn.learners.ProtoNet(2, 2, width=8), ctxlearn.tasks.PairwiseMetric(), config, out="c")
    assert model("a") == model("b") == model("c")


def test_a_finished_run_is_not_trained_again_and_another_is_refused(capsys):
    done(capsys, "train", "--config", "small.yaml", "--out", "a")
    assert done(capsys, "train", "--config", "small.yaml", "--out", "a")[0].endswith("(was finished before)")
    assert main(["train", "--config", "small.yaml", "--out", "a", "--training.seed", "1"]) == 1
    assert "training.seed: it has 0, this run 1" in capsys.readouterr().err


def test_overrides_win_over_the_file_wherever_they_stand(capsys):
    done(capsys, "train", "--training.seed", "4", "--config", "small.yaml", "--training.seed", "5", "--out", "a")
    done(capsys, "train", "--config", "small.yaml", "--family", "Radial", "--family.scale", "2", "--out", "b")
    assert yaml.safe_load(Path("a/config.yaml").read_text())["training"]["seed"] == 5
    family = yaml.safe_load(Path("b/config.yaml").read_text())["source"]["init_args"]["family"]
    assert family["init_args"] == {"n_features": 2, "scale": 2.0}


def test_a_printed_configuration_and_a_runs_own_are_configurations(capsys):
    blocks = ["--learner.depth", "1", "--learner.heads", "2", "--learner.blocks", "[{heads: 2}, {heads: 4}]"]
    learner = ["--learner", "InContextTransformer", "--learner.n_features", "2", "--learner.n_classes", "2"]
    mixture = ["--family", "Mixture", "--family.families", "[PairwiseMetric, {class_path: Radial}]"]
    command = ["train", *learner, "--learner.width", "8", *blocks, *mixture, *FLAGS, "--objective", "AllPrefixes"]
    with pytest.raises(SystemExit) as stop:
        main([*command, "--print_config"])
    assert not stop.value.code
    Path("printed.yaml").write_text(capsys.readouterr().out)
    done(capsys, *command, "--out", "a")
    done(capsys, "train", "--config", "printed.yaml", "--out", "b")
    done(capsys, "train", "--config", "a/config.yaml", "--training.progress", "false", "--out", "c")
    assert model("a") == model("b") == model("c")
    assert "RandomSplit" not in Path("a/config.yaml").read_text()


def test_own_classes_need_no_registration(capsys):
    own = ["--learner", "own_things.Line", "--family", "own_things.Sign", "--family.flip", "true"]
    done(capsys, "train", *own, *FLAGS, "--out", "line")
    lines = done(capsys, "evaluate", "line", "--family", "own_things.Sign", "--n_tasks", "9", "--n_points", "4")
    assert lines[2].split()[0] == "line"


def test_evaluate_compares_runs_and_references(capsys):
    done(capsys, "train", "--config", "small.yaml", "--out", "runs/one")
    done(capsys, "train", "--config", "small.yaml", "--training.seed", "1", "--out", "Chance")
    options = shlex.split("--family PairwiseMetric --family.scale 2 --n_tasks 40 --n_points 8 --seed 3")
    lines = done(capsys, "evaluate", "runs/one", "Chance", *options, "--out", "tables/t.csv")
    assert lines[0] == "pairwise-metric: accuracy in % on 40 tasks of 8 points, seed 3"
    assert lines[1].split() == ["context", "1", "2", "5", "7", "average"]
    names = ["one", "Chance", "NearestNeighbor", "LogisticRegression", "Chance (reference)"]
    assert [line.split("  ")[0] for line in lines[2:-1]] == names
    assert lines[-1] == "tables/t.csv"

    references, family = ctxlearn.references, ctxlearn.tasks.PairwiseMetric(scale=2.0)
    learners = [ctxlearn.load("runs/one"), ctxlearn.load("Chance")]
    learners += [references.NearestNeighbor(2, 2), references.LogisticRegression(2, 2), references.Chance(family)]
    expected = ctxlearn.evaluate(dict(zip(names, learners, strict=True)), family, n_tasks=40, n_points=8, seed=3)
    buffer = io.StringIO(expected.to_csv(index=False))
    pd.testing.assert_frame_equal(pd.read_csv("tables/t.csv"), pd.read_csv(buffer))
    row = expected[(expected["learner"] == "one") & (expected["n_context"] == 5)].iloc[0]
    assert f"{100 * row['mean']:.1f} +-{50 * (row['high'] - row['low']):.1f}" in lines[2]
    average = expected[(expected["learner"] == "one") & (expected["n_context"] > 0)]["mean"].mean()
    assert lines[2].split()[-2] == f"{100 * average:.1f}"


def test_runs_of_one_name_are_told_apart_by_their_paths(capsys):
    done(capsys, "train", "--config", "small.yaml", "--out", "a/run")
    done(capsys, "train", "--config", "small.yaml", "--training.seed", "1", "--out", "b/run")
    options = shlex.split("--family Radial --n_tasks 5 --n_points 3 --references none")
    lines = done(capsys, "evaluate", "a/run", "b/run", *options)
    assert [line.split()[0] for line in lines[2:]] == ["a/run", "b/run"]


def test_folders_that_hold_no_finished_run(capsys):
    Path("empty").mkdir()
    assert main(["evaluate", "empty", "--family", "Radial"]) == 1
    assert "empty holds no run" in capsys.readouterr().err
    done(capsys, "train", "--config", "small.yaml", "--out", "half")
    Path("half/model.safetensors").unlink()
    assert main(["evaluate", "half", "--family", "Radial"]) == 1
    assert "half holds a run that is not finished" in capsys.readouterr().err
    Path("half/model.safetensors").write_bytes(b"half")
    assert main(["evaluate", "half", "--family", "Radial"]) == 1
    error = capsys.readouterr().err
    assert "model.safetensors is truncated" in error
    assert "Traceback" not in error


def test_control_c_ends_quietly_and_the_same_command_goes_on(capsys):
    command = ["train", "--config", "small.yaml", "--training.steps", "100000", "--training.checkpoint_every", "5"]
    code = (  # a test run in the background hands on an ignored SIGINT
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        " from ctxlearn.cli import main; sys.exit(main())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, *command, "--out", "run"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        deadline = time.monotonic() + 600
        while max(Path("run/checkpoints").glob("step-*"), default=Path()).stem < "step-00000010":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=600)[1]
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, error
    assert "Traceback" not in error
    assert error.rstrip().endswith(f"ctxlearn {' '.join(command)} --out run")


def test_the_examples_of_the_documentation_run(monkeypatch, capsys):
    """Every console line of docs/commands.md, in its order and with its files, but with smaller numbers."""
    studied = []
    monkeypatch.setattr(
        ctxlearn.studies,
        "reproduce",
        lambda study, **options: studied.append(study) or SimpleNamespace(folder=Path("results"), claims=[]),
        raising=False,
    )
    text = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()
    smaller = {"train": FLAGS, "evaluate": ["--n_tasks", "4", "--n_points", "5"]}
    smaller["identify"] = ["--n_contexts", "32"]
    smaller["sweep"] = [*FLAGS, "--jobs", "1"]
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    x, species = blobs(24)
    rows = pd.DataFrame(x, columns=["length", "width", "weight"])
    rows.assign(species=[f"kind {c}" for c in species]).to_csv("train.csv", index=False)
    rows.assign(zip_code=species, price=rows["length"]).to_csv("houses.csv", index=False)
    rows.head(3).assign(zip_code=0).to_csv("new.csv", index=False)
    for kind, body in re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        if kind == "console":
            for line in body.splitlines():
                program, command, *rest = shlex.split(line)
                assert program == "ctxlearn"
                less = (
                    STEPS if "curriculum.yaml" in rest else smaller.get(command, [])
                )  # its source has numbers of its own
                done(capsys, command, *rest, *less)
        else:
            Path(body.split("\n", 1)[0].removeprefix("# ")).write_text(body)
    assert studied == ["optimal", "optimal"]
    assert Path("shifted.csv").is_file()
    assert Path("predicted.csv").is_file()
