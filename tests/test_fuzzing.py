"""Whatever is given, the outcome is right or one line that names what was given.

In this process, for speed. `HYPOTHESIS_PROFILE=long python -m pytest tests/test_fuzzing.py` draws a hundred times as many examples.
"""

import io
import os
import re
import sys
from contextlib import redirect_stderr, redirect_stdout

import pytest
import strangers
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxlearn import InContextClassifier, InContextRegressor, load
from ctxlearn.cli import COMMANDS, main
from ctxlearn.configurable import configuration, instantiate
from ctxlearn.lab import Sweep  # noqa: F401 (its module is replaced below)
from ctxlearn.learners import MatchNet
from ctxlearn.plain_data import DEEPEST, LARGEST, from_json, from_yaml
from ctxlearn.storage import load_tensors

TIMES = 100 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 1


def examples(n):
    return settings(max_examples=n * TIMES, derandomize=TIMES == 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a run, saved estimators and tables."""
    place = tmp_path_factory.mktemp("fuzzed")
    learner = MatchNet(2, 2, width=4)
    strangers.run(place / "run", configuration(learner), learner.state_dict())
    classifier, regressor = strangers.estimators()
    classifier.save(place / "classifier")
    regressor.save(place / "regressor")
    (place / "train.csv").write_text("a,b,y\n1,x,no\n2,y,yes\n3,x,no\n")
    (place / "good.yaml").write_text("learner: {class_path: MatchNet, init_args: {n_features: 2, n_classes: 2}}\n")
    return place


@pytest.fixture(autouse=True)
def _inside(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr("ctxlearn.training.train", stand_in)
    monkeypatch.setattr(
        sys.modules["ctxlearn.jobs.sweep"], "sweep", stand_in
    )  # the package has a function of this name
    monkeypatch.setattr("ctxlearn.evaluation.evaluate", stand_in)
    monkeypatch.setattr("ctxlearn.studies.reproduce", stand_in)
    monkeypatch.setattr("ctxlearn.identification.identify", stand_in)
    monkeypatch.setattr("ctxlearn.playground.app.serve", stand_in)


class Done(ValueError):  # noqa: N818
    """Raised in place of hours of work: all that was given has been read."""


def stand_in(*_, **__):
    raise Done("work begins")


def command(arguments):
    """Status, output and error of a command line, which must not end in a traceback."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            status = main(arguments)
        except SystemExit as stop:  # --help and --version
            status = stop.code or 0
    return status, out.getvalue(), err.getvalue()


def one_line(arguments):
    status, out, err = command(arguments)
    assert status in (0, 1, 2), arguments
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", out + err), arguments
    if status:
        assert err.rstrip("\n").rpartition("\n")[2].startswith("ctxlearn: error: "), (arguments, err)
        assert len(err.rstrip("\n").rpartition("\n")[2]) > len("ctxlearn: error: x"), arguments


VALUES = st.one_of(
    st.text(max_size=8),
    st.integers().map(str),
    st.sampled_from(["0", "-1", "1e3", "nan", "inf", "9" * 30, "9" * 5000, "null", "true", "[]", "{}", "[1, 2]", "{a: 1}"]),
    st.sampled_from(["[" * 100, "&a [*a]", "*a", "{class_path: os.system}", "!!python/name:os.system", "? [a]", "a: b: c", "%x"]),
    st.sampled_from(["", " ", ".", "..", "/", "../p/good", "~", "-", "--", "run", "train.csv", "good.yaml", "/dev/null", "x\x1b[31m"]),
    st.sampled_from(["Radial", "MatchNet", "Mixture", "ctxlearn.tasks.Radial", "os.path", "os.system", "builtins.dict", "y", "a"]),
)  # fmt: skip
OPTIONS = st.sampled_from(
    ["--family", "--family.scale", "--family.n_features", "--learner", "--learner.n_features", "--learner.n_classes", "--source",
     "--learner.encoder", "--objective", "--training.steps", "--training.seed", "--training.learning_rate", "--training", "--out",
     "--config", "--grid", "--n_tasks", "--n_points", "--seed", "--references", "--trust", "--lengths", "--replicates", "--n_contexts",
     "--context", "--query", "--target", "--model", "--task", "--categorical", "--quantiles", "--explain", "--profile", "--seeds",
     "--jobs", "--runs", "--help", "--version", "--print_config", "--hash", "--port", "--run", "--no-browser", "--language", "--cluster", "--family+", "--family.families", "-x", "--", "--é"]
)  # fmt: skip
LINES = st.lists(
    st.one_of(VALUES, OPTIONS, st.tuples(OPTIONS, VALUES), st.tuples(OPTIONS, VALUES).map("=".join)), max_size=6
)
STARTS = {
    "train": "--learner MatchNet --learner.n_features 2 --learner.n_classes 2 --family Radial --training.steps 2 --out r",
    "sweep": "--learner MatchNet --learner.n_features 2 --learner.n_classes 2 --family Radial --training.steps 2"
    " --grid training.seed=0,1 --jobs 1 --out s",
    "evaluate": "run --family Radial",
    "identify": "run",
    "predict": "--context train.csv --target y --query train.csv",
    "reproduce": "optimal --profile smoke",
    "playground": "--port 0 --no-browser",
    "list": "",
}


def flat(line):
    return [word for part in line for word in (part if isinstance(part, tuple) else (part,))]


@pytest.mark.parametrize("name", COMMANDS)
@examples(60)
@given(line=LINES)
def test_any_words_after_a_command(name, line):
    one_line([name, *flat(line)])


@pytest.mark.parametrize("name", COMMANDS)
@examples(60)
@given(line=LINES)
def test_any_words_after_a_command_line_that_is_right(name, line):
    one_line([name, *STARTS[name].split(), *flat(line)])


@examples(100)
@given(line=LINES)
def test_any_words_at_all(line):
    one_line(flat(line))


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
DATA = st.recursive(
    PLAIN | st.sampled_from(["MatchNet", "Radial", "ctxlearn.learners.metric.MatchNet", "os.system", 2**63, 10**9]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=4)
            | st.sampled_from(["class_path", "init_args", "learner", "hash", "n_features", "training"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


def changed(draw, tree):
    """A tree with one of its parts replaced, removed or renamed."""
    paths = [()]

    def walk(part, path):
        for key, value in part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ():
            paths.append((*path, key))
            walk(value, (*path, key))

    walk(tree, ())
    path = draw(st.sampled_from(paths))
    if not path:
        return draw(DATA)
    tree = yaml.safe_load(yaml.safe_dump(tree))
    part = tree
    for key in path[:-1]:
        part = part[key]
    what = draw(st.sampled_from(["replaced", "removed", "renamed"]))
    value = part.pop(path[-1])
    if what == "replaced" and isinstance(part, dict):
        part[path[-1]] = draw(DATA)
    elif what == "replaced":
        part.insert(path[-1], draw(DATA))
    elif what == "renamed" and isinstance(part, dict):
        part[draw(st.text(max_size=5))] = value
    return tree


CONFIG = {
    "learner": {"class_path": "InContextTransformer", "init_args": {"n_features": 2, "n_classes": 2, "width": 8, "depth": 1,
                "blocks": [{"class_path": "ctxlearn.learners.BlockConfig", "init_args": {"heads": 2}}]}},
    "family": {"class_path": "Mixture", "init_args": {"families": [{"class_path": "PairwiseMetric"}, {"class_path": "Radial"}]}},
    "training": {"steps": 3, "schedule": "cosine"},
}  # fmt: skip


@examples(120)
@given(data=st.data())
def test_any_change_of_a_file_of_settings(data):
    tree = changed(data.draw, CONFIG)
    with open("changed.yaml", "w", encoding="utf-8") as file:
        yaml.safe_dump(tree, file, allow_unicode=True)
    one_line(["train", "--config", "changed.yaml", "--out", "r"])


@examples(100)
@given(
    text=st.text(alphabet=st.sampled_from("ab:-[]{},&*!|>'\"#%@`? \n\t1.~\x00\x1b\ufeff"), max_size=40)
    | st.binary(max_size=40)
)
def test_any_text_as_a_file_of_settings(text):
    with open("text.yaml", "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    one_line(["train", "--config", "text.yaml", "--out", "r"])


@examples(150)
@given(data=st.data(), signed=st.booleans())
def test_any_change_of_the_configuration_of_a_run(data, signed, folder):
    held = yaml.safe_load((folder / "run" / "config.yaml").read_text())
    learner = MatchNet(2, 2, width=4)
    tree = changed(data.draw, {k: v for k, v in held.items() if k not in ("hash", "version")})
    if signed and isinstance(tree, dict) and "learner" in tree:
        strangers.run(folder / "changed", tree["learner"], learner.state_dict())
        if tree["learner"] is None:
            return
    else:
        strangers.run(folder / "changed", configuration(learner), learner.state_dict())
        (folder / "changed" / "config.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
    try:
        loaded = load(folder / "changed")
    except ValueError as error:
        said = str(error)
    else:
        assert configuration(loaded).keys() == configuration(learner).keys()
        return
    assert "changed" in said  # the folder's name
    one_line(["evaluate", "changed", "--family", "Radial"])


@examples(100)
@given(data=st.data())
@pytest.mark.parametrize("kind", [InContextClassifier, InContextRegressor])
def test_any_change_of_the_facts_of_a_saved_estimator(kind, data, folder):
    name = "classifier" if kind is InContextClassifier else "regressor"
    _, facts = load_tensors(folder / name)
    tree = changed(data.draw, facts)
    if not isinstance(tree, dict):
        return
    (folder / "edited").write_bytes((folder / name).read_bytes())

    def change(facts, _):
        facts.clear()
        facts.update(tree)

    strangers.edited(folder / "edited", change)
    try:
        kind.load(folder / "edited")
    except ValueError as error:
        said = str(error)
    else:
        return
    assert "edited" in said


@examples(200)
@given(content=st.binary(max_size=60), at=st.integers(0, 10**6), cut=st.booleans())
@pytest.mark.parametrize("name", ["run/model.safetensors", "classifier"])
def test_any_bytes_in_a_file_of_tensors(name, content, at, cut, folder):
    whole = (folder / name).read_bytes()
    at %= len(whole)
    damaged = whole[:at] + content + (b"" if cut else whole[at + len(content) :])
    (folder / "damaged").write_bytes(damaged)
    try:
        load_tensors(folder / "damaged")
    except ValueError as error:
        said = str(error)
    else:
        assert damaged == whole
        return
    assert "damaged" in said


@examples(300)
@given(data=DATA)
def test_anything_as_a_configuration_of_an_object(data):
    try:
        instantiate(data)
    except ValueError as error:
        said = str(error)
    else:
        return
    assert said


@examples(300)
@given(text=st.text(max_size=60) | DATA.map(yaml.safe_dump))
def test_any_text_as_yaml_is_what_the_plain_reader_makes_of_it(text):
    try:
        found = from_yaml(text)
    except (ValueError, yaml.YAMLError):
        return
    assert repr(found) == repr(yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


@examples(30)
@given(depth=st.integers(1, 200), width=st.integers(1, 40_000))
def test_limits_of_plain_data(depth, width):
    nested = "[" * depth + "]" * depth
    flat_list = "[" + "1," * width + "]"
    for text, allowed in ((nested, depth <= DEEPEST), (flat_list, width < LARGEST)):
        if allowed:
            from_yaml(text)
        else:
            with pytest.raises(ValueError, match=r"it (nests deeper|stands for more) than"):
                from_yaml(text)
    if depth <= DEEPEST:
        from_json(nested)
    else:
        with pytest.raises(ValueError, match="nests deeper than"):
            from_json(nested)


CELLS = st.text(max_size=6) | st.sampled_from(
    ["1", "-2.5", "NA", "", "x", "=1+1", "\x1b[31m", '"', "1e400", "nan", "∞"]
)
TABLES = st.lists(st.lists(CELLS, min_size=1, max_size=4).map(",".join), max_size=6).map("\n".join)


@examples(150)
@given(context=TABLES, query=TABLES, target=CELLS)
def test_any_tables(context, query, target):
    for name, text in (("context.csv", context), ("query.csv", query)):
        with open(name, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    one_line(["predict", "--context", "context.csv", "--query", "query.csv", f"--target={target}"])


def test_nothing_is_left_behind(folder):
    assert not [p for p in folder.rglob("*") if p.name.endswith(".tmp")]
