"""A run or a saved estimator from a stranger runs no code."""

import subprocess
import sys
import textwrap

import pytest
import strangers
import torch

from ctxlearn import InContextClassifier, load
from ctxlearn.cli import main
from ctxlearn.configurable import DATACLASSES, configuration, instantiate
from ctxlearn.estimators.models import find_learner
from ctxlearn.estimators.serialization import FORMAT
from ctxlearn.learners import MatchNet
from ctxlearn.storage import save_tensors
from ctxlearn.training.run import read_run
from ctxlearn.trust import find_class

EVIL = """
    import dataclasses
    import pathlib

    import torch

    from ctxlearn import Configurable
    from ctxlearn.learners import MatchNet

    pathlib.Path(__file__).with_name("ran").write_text("code of a stranger ran")

    class X(MatchNet):
        pass

    class Outer:
        class Inner(MatchNet):
            pass

    @dataclasses.dataclass
    class Data:
        n: int = 1

    class Holds(MatchNet):
        def __init__(self, n_features, n_classes, data=None):
            super().__init__(n_features, n_classes, width=4)
            self.data = data
"""
CALLS = {
    "load": lambda place: load(place / "run"),
    "read_run": lambda place: read_run(place / "run"),
    "find_learner": lambda place: find_learner(place / "run", "classifier"),
    "fit": lambda place: InContextClassifier(place / "run").fit([[0.0, 1.0], [1.0, 0.0]], [0, 1]),
    "classifier": lambda place: InContextClassifier.load(place / "file"),
}
COMMANDS = {
    "evaluate": "evaluate run --family Radial",
    "identify": "identify run",
    "replicates": "identify good --replicates run",
    "predict": "predict --context table.csv --target y --query table.csv --model run",
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with evil.py, the current one and last on the path, as at the command line."""
    (tmp_path / "evil.py").write_text(textwrap.dedent(EVIL))
    (tmp_path / "table.csv").write_text("a,b,y\n1,2,x\n2,3,z\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if not name.startswith(("ctxlearn", "torch", "numpy", "pandas", "scipy", "sklearn", "matplotlib")):
            del sys.modules[name]


def naming(place, path, arguments=None):
    """A run, and a saved estimator, whose learner is of the class at `path`."""
    recipe = {"class_path": path, "init_args": {"n_features": 2, "n_classes": 2} if arguments is None else arguments}
    strangers.run(place / "run", recipe, {})
    strangers.run(place / "good", configuration(MatchNet(2, 2, width=4)), MatchNet(2, 2, width=4).state_dict())
    save_tensors(place / "file", {}, {"format": FORMAT, "kind": "classifier", "learner": recipe})


FOREIGN = [
    "evil.X",
    "evil.Outer.Inner",
    "antigravity.X",
    "unittest.__main__.X",
    "idlelib.idle.X",
    "this.X",
    "evil.evil.X",
]


@pytest.mark.parametrize("path", FOREIGN)
def test_a_class_outside_of_ctxlearn_is_refused_before_its_module_is_imported(path, place):
    naming(place, path)
    before = set(sys.modules)
    for name, call in CALLS.items():
        with pytest.raises(ValueError, match=rf"module {path.split('.')[0]}, .*trusted=\['{path.split('.')[0]}'\]"):
            call(place)
        assert not {m for m in set(sys.modules) - before if not m.startswith("ctxlearn")}, name
    assert not (place / "ran").exists()


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_the_commands_refuse_it_in_one_line_that_says_what_to_write(command, place, capsys):
    naming(place, "evil.X")
    assert main(command.split()) == 1
    _, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert "the module evil" in err
    assert "--trust evil" in err
    assert not (place / "ran").exists()


@pytest.mark.parametrize(
    "command", ["evaluate run --family Radial --n_tasks 4 --n_points 3", "identify run --lengths 1"]
)
@pytest.mark.parametrize("trust", ["--trust evil", "--trust=evil", "--trust other --trust evil"])
def test_what_is_trusted_is_loaded(command, trust, place, monkeypatch):
    naming(place, "evil.X")
    called = []
    monkeypatch.setattr(
        "ctxlearn.training.load", lambda *a, trusted: called.append(trusted) or load(*a, trusted=trusted)
    )
    strangers.run(
        place / "run",
        configuration(MatchNet(2, 2, width=4)) | {"class_path": "evil.X"},
        MatchNet(2, 2, width=4).state_dict(),
    )
    name, rest = command.split(" ", 1)
    if name == "evaluate":
        assert main([name, *trust.split(), *rest.split()]) == 0
        assert (place / "ran").exists()
    else:
        monkeypatch.setattr("ctxlearn.identification.identify", lambda learner, **_: Found(learner))
        assert main([name, *trust.split(), *rest.split()]) == 0
    assert called == [trust.replace("--trust", "").replace("=", " ").split()]


class Found:
    """Stands for an identification."""

    n_contexts = 1

    def __init__(self, learner):
        assert type(learner).__name__ == "X"
        import pandas as pd

        self.results = pd.DataFrame(columns=["candidate", "n_context", "rank"])

    def write(self, folder):
        pass


def test_trust_is_of_a_module_with_what_is_below_it_and_of_no_other(place):
    weights = MatchNet(2, 2, width=4).state_dict()
    strangers.run(place / "run", configuration(MatchNet(2, 2, width=4)) | {"class_path": "evil.X"}, weights)
    for trusted in (["evi"], ["evil.X"], ["evil2"], ["other"], []):
        with pytest.raises(ValueError, match="the module evil"):
            load(place / "run", trusted=trusted)
        assert not (place / "ran").exists()
    for wrong in ("evil", [3], None, ["a b"], ["../evil"]):
        with pytest.raises(ValueError, match=r"^trusted: expected"):
            find_class("evil.X", wrong)
    learner = load(place / "run", trusted=["evil"])
    assert type(learner).__module__ == "evil"
    assert all(torch.equal(a, b) for a, b in zip(learner.state_dict().values(), weights.values(), strict=True))
    assert type(load(place / "run")).__name__ == "X"  # imported by the program itself now
    fitted = InContextClassifier(learner).fit([[0.0, 1.0], [1.0, 0.0]], [0, 1])
    fitted.save(place / "file")
    del sys.modules["evil"]
    with pytest.raises(ValueError, match="the module evil"):
        InContextClassifier.load(place / "file")
    assert InContextClassifier.load(place / "file", trusted=["evil"]).predict([[0.0, 1.0]]).shape == (1,)


def test_an_estimator_is_told_to_take_the_learner(place):
    naming(place, "evil.X")
    with pytest.raises(ValueError, match=r"model=ctxlearn\.load\('.*run', trusted="):
        InContextClassifier(str(place / "run")).fit([[0.0, 1.0], [1.0, 0.0]], [0, 1])


WRONG_PATHS = [
    "ctxlearn.studies.worker.os.system",
    "ctxlearn.studies.worker.subprocess.Popen",
    "ctxlearn.training.run.Path",
    "ctxlearn.learners.base.nn.Module",
    "ctxlearn.learners.base.Learner.__class__",
    "ctxlearn.learners.base.Learner.__base__",
    "ctxlearn.checks.describe",
    "ctxlearn.no.such.Thing",
    "ctxlearn",
    "ctxlearn.",
    ".ctxlearn.learners.MatchNet",
    "..a.b",
    "ctxlearn..learners.MatchNet",
    "ctxlearn.learners.metric.MatchNet.",
    "os.system",
    "builtins.dict",
    "pathlib.Path",
    "torch.nn.Linear",
    "torch.nn.modules.container.Sequential",
    "collections.OrderedDict",
    "evil/../x.Y",
    "ctxlearn.learners\x00.X",
    "",
    " ",
    3,
    None,
    [],
    {},
    True,
]


@pytest.mark.parametrize("path", WRONG_PATHS, ids=repr)
@pytest.mark.parametrize("nested", [False, True])
def test_whatever_a_class_path_is_only_configurable_classes_are_built(path, nested, place):
    part = {"class_path": path, "init_args": {}}
    recipe = configuration(strangers.learner())
    recipe = {**recipe, "init_args": {**recipe["init_args"], "encoder": part}} if nested else part
    strangers.run(place / "run", recipe)
    with pytest.raises(ValueError, match="class_path"):
        load(place / "run")
    with pytest.raises(ValueError, match="class_path"):
        instantiate(part)


@pytest.mark.parametrize(
    "path",
    [
        "torch._inductor.output_code.CompiledAOTI",
        "dataclasses.Field",
        "ctxlearn.training.run_folder.Checkpoint",
        "ctxlearn.lab.study.Study",
        "ctxlearn.episodes.Tasks",
        "ctxlearn.training.run.Run",
    ],
)
def test_no_dataclass_but_the_listed_ones_is_a_nested_argument(path, place):
    __import__(path.rpartition(".")[0])
    arguments = {"filename": "stranger.so", "device_type": "cpu"} if "AOTI" in path else {}
    recipe = configuration(strangers.learner())
    recipe["init_args"]["blocks"] = [{"class_path": path, "init_args": arguments}]
    strangers.run(place / "run", recipe)
    with pytest.raises(ValueError, match="expected a subclass of Configurable, got"):
        load(place / "run")


def test_no_learner_out_of_a_file_reads_files_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.setattr("ctxlearn.tasks.image_data.folder_images", lambda *_: pytest.fail("files were looked at"))
    images = {"class_path": "ctxlearn.tasks.images.ImageFolder", "init_args": {"path": "/"}}
    family = {"class_path": "ctxlearn.tasks.domains.Pooled", "init_args": {"domains": images}}
    recipe = {"class_path": "ctxlearn.baselines.chance.Chance", "init_args": {"family": family}}
    with pytest.raises(ValueError, match="ImageFolder reads files of this machine"):
        load(strangers.run(tmp_path / "run", recipe, {}))


def test_the_listed_dataclasses_are_those_that_arguments_of_ours_are():
    listed = {find_class(path) for path in DATACLASSES}
    assert {cls.__name__ for cls in listed} == {
        "BlockConfig",
        "GradientAdaptation",
        "LoRA",
        "TextFormat",
        "TrainingConfig",
    }


def test_a_dataclass_of_ones_own_needs_trust_even_where_its_module_is_imported(place):
    import evil

    learner = evil.Holds(2, 2, evil.Data(3))
    strangers.run(place / "run", configuration(learner), learner.state_dict())
    with pytest.raises(
        ValueError, match=r"Data; a dataclass of your own is built if you trust its module: trusted=\['evil'\]"
    ):
        load(place / "run")
    assert load(place / "run", trusted=["evil"]).data == evil.Data(3)


# ---- the current folder never hides the standard library


@pytest.mark.parametrize("command", ["list", "evaluate run --family Radial --n_tasks 4 --n_points 3"])
def test_a_file_in_the_current_folder_hides_no_library(command, tmp_path):
    strangers.run(tmp_path / "run")
    for name in ("queue", "statistics", "json", "logging", "numbers", "select"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a file of the current folder was imported')")
    done = subprocess.run(
        [sys.executable, "-m", "ctxlearn", *command.split()], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.count("imported")) == (0, 0)


def test_a_worker_finds_ones_own_classes_and_the_standard_library(tmp_path):
    for name in ("queue", "statistics", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a file of the current folder was imported')")
    (tmp_path / "mine.py").write_text("from ctxlearn.learners import MatchNet\nclass Mine(MatchNet): pass\n")
    code = """
        import os, sys
        if __name__ == "__main__":
            here = os.getcwd()
            sys.path[:] = [p for p in sys.path if p not in ("", here)] + [here]
            from pathlib import Path
            from mine import Mine
            import ctxlearn
            from ctxlearn.lab import Cell, Page, Study, Training, tally
            from ctxlearn.tasks import Radial

            def plan(sizes, seed):
                config = ctxlearn.TrainingConfig(steps=2, tasks_per_step=2, n_points=4)
                training = Training("one", Mine(2, 2, width=4), Radial(), config)
                return [Cell(("radial",), Radial(), {"mine": training}, seed, 4, 5)]

            def present(sizes, numbers):
                print("mine", numbers["score"].frame("learner", "family")["learner"].unique().tolist())
                return Page("", "", tally([]), "", [], numbers["score"].frame("learner", "family"), [])

            ctxlearn.reproduce(Study("one", {"smoke": {}}, plan, present), out="out", jobs=1, progress=False)
    """
    (tmp_path / "study.py").write_text(textwrap.dedent(code))
    done = subprocess.run([sys.executable, "-P", "study.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("mine ['mine']\n", 0), done.stderr
