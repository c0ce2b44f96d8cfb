"""A run costs nothing before it is checked, and is what its configuration says."""

import contextlib
import copy
import re
import resource
import time

import pytest
import strangers
import torch
import yaml
import zoo

from ctxlearn import load
from ctxlearn.cli import main
from ctxlearn.configurable import configuration, digest, instantiate
from ctxlearn.estimators.models import SHIPPED
from ctxlearn.learners import InContextTransformer, MatchNet
from ctxlearn.references import BayesOptimal, Chance
from ctxlearn.storage import CorruptFileError
from ctxlearn.tasks import PairwiseMetric, Pool, Radial
from ctxlearn.training import RunFolderError, kept_learners
from ctxlearn.training.run import read_run

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
    assert digest({key: value for key, value in held.items() if key != "version"}) == name
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
    config["hash"] = digest({k: v for k, v in config.items() if k not in ("hash", "version")})
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
