"""A run or a saved estimator from a stranger runs no code, costs nothing, and is what its configuration says."""

import contextlib
import copy
import re
import resource
import subprocess
import sys
import textwrap
import time

import pytest
import strangers
import torch
import yaml
import zoo

from ctxlearn import InContextClassifier, load
from ctxlearn.cli import main
from ctxlearn.estimators.models import SHIPPED, find_learner
from ctxlearn.learners import InContextTransformer, MatchNet
from ctxlearn.recorded import DATACLASSES, configuration, digest, instantiate
from ctxlearn.references import BayesOptimal, Chance
from ctxlearn.storage import CorruptFileError, save_tensors
from ctxlearn.tasks import PairwiseMetric, Pool, Radial
from ctxlearn.training import RunFolderError, kept_learners
from ctxlearn.training.run import read_run
from ctxlearn.trust import find_class

EVIL = """
    import dataclasses
    import pathlib

    import torch

    from ctxlearn import Recorded
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
    save_tensors(place / "file", {}, {"format": 1, "kind": "classifier", "learner": recipe})


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
def test_whatever_a_class_path_is_only_recorded_classes_are_built(path, nested, place):
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
        "ctxlearn.training.folder.Checkpoint",
        "ctxlearn.studies.base.Workload",
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
    with pytest.raises(ValueError, match="expected a subclass of Recorded, got"):
        load(place / "run")


def test_no_learner_out_of_a_file_reads_files_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.setattr("ctxlearn.tasks.written.folder_images", lambda *_: pytest.fail("files were looked at"))
    images = {"class_path": "ctxlearn.tasks.images.ImageFolder", "init_args": {"path": "/"}}
    family = {"class_path": "ctxlearn.tasks.domains.Pooled", "init_args": {"domains": images}}
    recipe = {"class_path": "ctxlearn.references.classical.Chance", "init_args": {"family": family}}
    with pytest.raises(ValueError, match="ImageFolder reads files of this machine"):
        load(strangers.run(tmp_path / "run", recipe, {}))


def test_the_listed_dataclasses_are_those_that_arguments_of_ours_are():
    listed = {find_class(path) for path in DATACLASSES}
    assert {cls.__name__ for cls in listed} == {"BlockConfig", "GradientAdaptation", "TrainingConfig"}


def test_a_dataclass_of_ones_own_needs_trust_even_where_its_module_is_imported(place):
    import evil

    learner = evil.Holds(2, 2, evil.Data(3))
    strangers.run(place / "run", configuration(learner), learner.state_dict())
    with pytest.raises(
        ValueError, match=r"Data; a dataclass of your own is built if you trust its module: trusted=\['evil'\]"
    ):
        load(place / "run")
    assert load(place / "run", trusted=["evil"]).data == evil.Data(3)


# ---- the configuration is what the model is


def edits(recipe):
    arguments = recipe["init_args"]
    arguments["heads"] = 4
    yield "heads"
    arguments["heads"], arguments["mask"] = 2, "causal"
    yield "mask"
    arguments["mask"], arguments["width"] = "context", 16
    yield "width"


@pytest.mark.parametrize("which", ["heads", "mask", "width"])
def test_an_edited_configuration_is_refused_with_the_way_to_train_it(which, tmp_path):
    strangers.run(tmp_path / "run")
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    for done in edits(config["learner"]):
        if done == which:
            break
    (tmp_path / "run" / "config.yaml").write_text(yaml.safe_dump(config))
    for call in (load, read_run, lambda folder: list(kept_learners(folder))):
        with pytest.raises(RunFolderError, match=r"was edited: .* ctxlearn train --config .*config\.yaml --out"):
            call(tmp_path / "run")


@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_the_hashes_of_the_shipped_models_are_those_of_their_configurations(kind):
    held = yaml.safe_load((SHIPPED / kind / "config.yaml").read_text())
    name = held.pop("hash")
    assert digest(held) == name
    assert load(SHIPPED / kind).training is False


def test_comments_order_and_style_of_a_configuration_are_no_edit(tmp_path):
    strangers.run(tmp_path / "run")
    path = tmp_path / "run" / "config.yaml"
    config = yaml.safe_load(path.read_text())
    path.write_text("# mine\n" + yaml.safe_dump(dict(reversed(config.items())), default_flow_style=True))
    load(tmp_path / "run")


# ---- no cost before the check


def with_value(recipe, path, value):
    recipe = copy.deepcopy(recipe)
    part = recipe
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    return recipe


def integers(recipe, path=()):
    if isinstance(recipe, dict | list):
        for key, value in recipe.items() if isinstance(recipe, dict) else enumerate(recipe):
            yield from integers(value, (*path, key))
    elif isinstance(recipe, int) and not isinstance(recipe, bool) and "seed" not in path:
        yield path


LARGE = {
    **{name: learner for name, learner in zoo.learners().items() if "own encoder" not in name and "pool" not in name},
    "Bayes of a pool": BayesOptimal(Pool(PairwiseMetric(), 10)),
    "chance of a pool": Chance(Pool(Radial(), 10)),
    "equiangular": InContextTransformer(2, 5, 8, 1, 2, labels="equiangular", positions="learned"),
}
LARGE = {n: learner for n, learner in LARGE.items() if "zoo." not in str(configuration(learner))}


@pytest.mark.parametrize("name", LARGE)
def test_a_configuration_larger_than_its_weights_costs_neither_time_nor_memory(name, tmp_path):
    recipe, weights = configuration(LARGE[name]), LARGE[name].state_dict()
    for path in integers(recipe):
        for value in (16_384, 10**9, 2**63):
            strangers.run(tmp_path / "run", with_value(recipe, path, value), weights)
            before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
            with contextlib.suppress(ValueError):
                load(tmp_path / "run")
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
            assert grown < 600, (path, value)
            assert time.process_time() - start < 5, (path, value)


def test_a_width_of_16384_is_refused_at_once(tmp_path):
    recipe = configuration(strangers.learner())
    strangers.run(tmp_path / "run", with_value(recipe, ("init_args", "width"), 16_384))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CorruptFileError, match="asks for a learner much larger than the weights that it holds"):
        load(tmp_path / "run")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


SHAPES = {
    "a missing tensor": lambda w: w.pop("out.bias"),
    "one too many": lambda w: w.update(extra=torch.zeros(3)),
    "another shape": lambda w: w.update({"out.bias": torch.zeros(3)}),
    "another name": lambda w: w.update({"out.bios": w.pop("out.bias")}),
    "integers": lambda w: w.update({"out.bias": torch.zeros(2, dtype=torch.int64)}),
    "complex numbers": lambda w: w.update({"out.bias": torch.zeros(2, dtype=torch.complex64)}),
    "Booleans": lambda w: w.update({"out.bias": torch.zeros(2, dtype=torch.bool)}),
    "nothing": lambda w: w.clear(),
}


@pytest.mark.parametrize("name", SHAPES)
def test_weights_that_do_not_fit_the_configuration_are_refused(name, tmp_path):
    weights = dict(strangers.learner().state_dict())
    SHAPES[name](weights)
    strangers.run(tmp_path / "run", None, weights)
    with pytest.raises(CorruptFileError, match=r"model\.safetensors"):
        load(tmp_path / "run")


@pytest.mark.parametrize("precision", [torch.float64, torch.bfloat16])
def test_weights_of_another_precision_are_taken_in_that_of_the_learner(precision, tmp_path):
    weights = {name: tensor.to(precision) for name, tensor in strangers.learner().state_dict().items()}
    strangers.run(tmp_path / "run", None, weights)
    assert {t.dtype for t in load(tmp_path / "run").state_dict().values()} == {torch.float32}


@pytest.mark.parametrize("name", [n for n in zoo.learners() if "pool" not in n])
def test_every_learner_comes_back_as_it_was(name, tmp_path):
    learner = zoo.learners()[name]
    with torch.no_grad():
        for p in learner.parameters():
            p.add_(0.25)
    strangers.run(tmp_path / "run", configuration(learner), learner.state_dict())
    again = load(tmp_path / "run", trusted=["zoo"])
    assert configuration(again) == configuration(learner)
    assert [n for n, _ in again.named_parameters()] == [n for n, _ in learner.named_parameters()]
    for (name, mine), theirs in zip(learner.named_parameters(), again.parameters(), strict=True):
        assert torch.equal(mine, theirs), name
        assert mine.dtype == theirs.dtype
        assert mine.requires_grad == theirs.requires_grad
    for mine, theirs in zip(learner.buffers(), again.buffers(), strict=True):
        assert torch.equal(mine, theirs)
    fresh = instantiate(configuration(again), trusted=["zoo"])  # its arguments hold real weights too
    assert not any(t.is_meta for t in [*again.parameters(), *fresh.parameters()])


class Odd(MatchNet):
    """What a learner of a user's own may do in its constructor."""

    def __init__(self, n_features=2, n_classes=2):
        super().__init__(n_features, n_classes, width=4)
        self.scale = float(torch.ones(3).sum())  # reads a value
        self.register_buffer("table", torch.arange(3.0), persistent=False)
        self.fixed = torch.full((2,), 3.0)
        self.tied = self.encoder


class Tied(MatchNet):
    def __init__(self, n_features=2, n_classes=2):
        super().__init__(n_features, n_classes, width=4)
        self.one = torch.nn.Parameter(torch.ones(2))
        self.other = self.one
        self.fixed = torch.full((2,), 3.0)


@pytest.mark.parametrize("cls", [Odd, Tied])
def test_learners_of_ones_own_come_back_with_all_that_no_file_holds(cls, tmp_path):
    learner = cls()
    strangers.run(tmp_path / "run", configuration(learner), learner.state_dict())
    again = load(tmp_path / "run")
    assert torch.equal(again.fixed, torch.full((2,), 3.0))
    assert [id(p) for p in again.parameters()] == list(dict.fromkeys(id(p) for p in again.parameters()))
    if cls is Tied:
        assert again.one is again.other
    else:
        assert torch.equal(again.table, torch.arange(3.0))
        assert again.scale == 3.0


# ---- limits of YAML and JSON


def bombs():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]" for k in range(1, 9)]
    return {
        "aliases": "\n".join(lines),
        "itself": "learner: &a {class_path: x, init_args: {n_features: *a}}",
        "nested lists": "learner: " + "[" * 3000 + "]" * 3000,
        "nested mappings": "learner: " + "{a: " * 3000 + "1" + "}" * 3000,
        "many values": "learner: [" + "1, " * 200_000 + "1]",
        "not YAML": "learner: [",
        "tabs": "learner:\n\t- x",
        "a tag": "learner: !!python/object/apply:os.system [echo hello]",
        "a date": "hash: 2020-01-01",
        "a year too many": "hash: 99999-99-99",
        "a list as a key": "? [a, b]\n: 1\nhash: x",
        "a long number": f"hash: x\nlearner: {'9' * 5000}",
        "nothing": "",
        "only a hash": "hash: x",
        "a list": "- hash",
        "text": "hash",
        "two documents": "hash: x\n---\nhash: y",
        "bytes": b"\xff\xfe\x00hash: x",
        "a control character": "hash: \x07",
    }


@pytest.mark.parametrize("name", bombs())
def test_whatever_a_configuration_file_says_is_read_within_limits_or_refused(name, tmp_path, monkeypatch, capsys):
    strangers.run(tmp_path / "run")
    content = bombs()[name]
    content = content if isinstance(content, bytes) else content.encode()
    (tmp_path / "run" / "config.yaml").write_bytes(content)
    start = time.process_time()
    with pytest.raises(RunFolderError, match=r"config\.yaml"):
        load(tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", "run", "--family", "Radial"]) == 1
    assert main(["train", "--config", "run/config.yaml", "--out", "new"]) == 2
    assert time.process_time() - start < 5
    _, err = capsys.readouterr()
    assert err.count("\n") == 2
    assert "Traceback" not in err


def test_aliases_that_are_few_are_read(tmp_path):
    strangers.run(tmp_path / "run")
    path = tmp_path / "run" / "config.yaml"
    config = yaml.safe_load(path.read_text())
    one = config["learner"]["init_args"]["blocks"][0] if config["learner"]["init_args"]["blocks"] else {"x": 1}
    config["training"] = {"a": one, "b": one}
    config["hash"] = digest({k: v for k, v in config.items() if k != "hash"})
    text = yaml.safe_dump(config)
    assert "*id" in text
    path.write_text(text)
    with pytest.raises(CorruptFileError, match="is not of the run"):  # read; its weights are of another
        load(tmp_path / "run")


RECIPES = {
    "null": None,
    "text": "InContextTransformer",
    "a list": [1],
    "no class_path": {"init_args": {}},
    "init_args: null": {"class_path": "ctxlearn.learners.metric.MatchNet", "init_args": None},
    "init_args: a list": {"class_path": "ctxlearn.learners.metric.MatchNet", "init_args": [2, 2]},
    "an unknown argument": {"class_path": "ctxlearn.learners.metric.MatchNet", "init_args": {"n_feature": 2}},
    "a missing argument": {"class_path": "ctxlearn.learners.metric.MatchNet", "init_args": {"n_features": 2}},
    "arguments of no name": {"class_path": "ctxlearn.learners.metric.MatchNet", "init_args": {3: 4, 5: 6}},
    "a key beside": {"class_path": "ctxlearn.learners.metric.MatchNet", "init_arg": {}},
    "values of odd types": {
        "class_path": "ctxlearn.learners.metric.MatchNet",
        "init_args": {"n_features": {"a": 1}, "n_classes": [[]], "encoder": {"b": None}},
    },
    "a family": {"class_path": "ctxlearn.tasks.classification.Radial", "init_args": {}},
    "an abstract class": {
        "class_path": "ctxlearn.learners.base.Learner",
        "init_args": {"n_features": 2, "n_classes": 2},
    },
    "width": configuration(strangers.learner(width=16)),
    "arrays": {"array": "float32", "shape": [2], "sha256": "0"},
}


@pytest.mark.parametrize("name", RECIPES)
def test_whatever_the_recipe_of_a_run_is_it_is_one_error_that_names_the_file(name, tmp_path, monkeypatch, capsys):
    strangers.run(tmp_path / "run", {})
    strangers.run(tmp_path / "run", RECIPES[name] if RECIPES[name] is not None else {"class_path": None})
    if RECIPES[name] is None:
        strangers.run(tmp_path / "run", settings=None, learner=None)
    with pytest.raises(ValueError, match=re.escape(str(tmp_path / "run"))):
        load(tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", "run", "--family", "Radial"]) == 1
    _, err = capsys.readouterr()
    assert err.startswith("ctxlearn: error: run/")
    assert err.count("\n") == 1


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
            from ctxlearn.studies.store import RunStore, Training
            from ctxlearn.tasks import Radial
            from ctxlearn.training import TrainingConfig
            training = Training("one", Mine(2, 2, width=4), Radial(), TrainingConfig(steps=2, tasks_per_step=2, n_points=4))
            store = RunStore(Path("runs"))
            store.train([training], jobs=1, progress=False)
            print(type(store.load(training)).__name__)
    """
    (tmp_path / "study.py").write_text(textwrap.dedent(code))
    done = subprocess.run([sys.executable, "-P", "study.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("Mine\n", 0), done.stderr
