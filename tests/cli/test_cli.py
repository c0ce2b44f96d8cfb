"""The command line without any training: help, listing, options, exit statuses."""

import inspect
import os
import subprocess
import sys
from abc import ABC
from dataclasses import fields
from types import SimpleNamespace

import pytest

import ctxlearn
import ctxlearn.learners
import ctxlearn.references
import ctxlearn.studies
import ctxlearn.tasks
import ctxlearn.training
from ctxlearn.cli import COMMANDS, catalogue, evaluate, identify, main, predict, train
from ctxlearn.studies.names import PROFILES, STUDIES

BASES = {
    "families": ctxlearn.tasks.TaskFamily,
    "domains": ctxlearn.tasks.Domains,
    "learners": ctxlearn.learners.Learner,
    "references": ctxlearn.learners.Learner,
    "objectives": ctxlearn.training.Objective,
    "sources": ctxlearn.training.Source,
    "plans": ctxlearn.training.Plan,
}
LIGHT = [["--help"], ["--version"], ["list"], ["list", "ProtoNet"], *([command, "--help"] for command in COMMANDS)]


def test_help_and_list_import_nothing_that_is_slow_to_import():
    """Each in turn in one fresh process. What that is worth in time is in `make bench`."""
    code = f"""
import sys, contextlib, io
from ctxlearn.cli import main
for arguments in {LIGHT!r}:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            assert main(arguments) == 0
        except SystemExit as stop:
            assert not stop.code
    assert out.getvalue()
    for slow in ("torch", "pandas", "scipy", "matplotlib", "lightning_fabric", "sklearn"):
        assert slow not in sys.modules, (arguments, slow)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def shown(capsys, *arguments):
    try:
        status = main(arguments)
    except SystemExit as stop:
        status = stop.code or 0
    assert status == 0
    return capsys.readouterr().out


def test_version(capsys):
    assert shown(capsys, "--version").strip() == f"ctxlearn {ctxlearn.__version__}"


def test_no_arguments_show_the_help(capsys):
    assert shown(capsys) == shown(capsys, "--help")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_a_command_does_with_examples_and_defaults(command, capsys):
    text = shown(capsys, command, "--help")
    assert f"ctxlearn {command}" in text.split("example", 1)[1]
    assert "default" in text
    assert command in shown(capsys, "--help")


@pytest.mark.parametrize("kind", BASES)
def test_catalogue_is_what_importing_would_show(kind):
    room, base = getattr(ctxlearn, catalogue.KINDS[kind][0]), BASES[kind]
    public = {name: getattr(room, name) for name in room.__all__}
    true = {
        name: (inspect.getdoc(value) or "").split("\n", maxsplit=1)[0]
        for name, value in public.items()
        if isinstance(value, type) and issubclass(value, base) and ABC not in value.__bases__
    }
    assert {entry.name: entry.summary for entry in catalogue.entries(kind)} == true
    for entry in catalogue.entries(kind):
        assert inspect.getdoc(public[entry.name]) in catalogue.description(entry)
        module, _, name = entry.path.rpartition(".")
        assert getattr(sys.modules[module], name) is public[entry.name]


def test_training_options_are_the_fields_of_the_config():
    options = {o.name: o for o in catalogue.training_options()}
    true = fields(ctxlearn.TrainingConfig)
    assert list(options) == [f.name for f in true]
    config = ctxlearn.TrainingConfig(steps=1)
    assert all(o.default == getattr(config, o.name) for o in options.values() if not o.required)
    assert [o.name for o in options.values() if o.required] == ["steps"]
    assert all(o.help for o in options.values())


def test_list_shows_everything(capsys):
    text = shown(capsys, "list")
    for name in ("PairwiseMetric", "InContextTransformer", "NearestNeighbor", *STUDIES):
        assert name in text
    for kind in ("families", "domains", "learners", "references", "studies"):
        one = shown(capsys, "list", kind)
        assert one.strip() in text
    assert "encoder: None for" in shown(capsys, "list", "ProtoNet")
    assert "Figure 2" in shown(capsys, "list", "optimal")


def options_of(parser):
    return {name for name in parser._option_string_actions if not name.endswith(".help") and name[:2] == "--"}


def reproduce_and_list_options(monkeypatch):
    """The parsers of the commands that build theirs inside `run`."""
    found = {}

    class StopError(Exception):
        pass

    def keep(parser, arguments):
        found[parser.prog.split()[-1]] = options_of(parser)
        raise StopError

    for command in ("reproduce", "listing"):
        module = __import__(f"ctxlearn.cli.{command}", fromlist=["run"])
        monkeypatch.setattr(module, "parse", keep)
        with pytest.raises(StopError):
            module.run([])
    return found


def test_options_are_frozen(monkeypatch):
    assert list(COMMANDS) == ["reproduce", "train", "sweep", "evaluate", "identify", "predict", "playground", "list"]
    found = reproduce_and_list_options(monkeypatch)
    assert found["reproduce"] == {"--help", "--profile", "--seeds", "--jobs", "--out", "--runs", "--cluster"}
    assert found["list"] == {"--help"}

    training = {f"--training.{f.name}" for f in fields(ctxlearn.TrainingConfig)}
    expected = {"--help", "--config", "--print_config", "--learner", "--family", "--source", "--objective", "--out"}
    assert options_of(train.build_parser(None)) == expected | training
    given = train.Given(train.base_classes(), train.known_keys())
    assert options_of(train.build_parser(given)) == expected | training | {"--hash", "--version", "--initial_weights"}

    expected = {"--help", "--family", "--n_tasks", "--n_points", "--seed", "--references", "--trust", "--out"}
    assert options_of(evaluate.build_parser(None)) == expected
    assert {name for name in options_of(evaluate.build_parser(given)) if name != "--family+"} == expected
    expected = {"--help", "--replicates", "--lengths", "--n_contexts", "--seed", "--trust", "--out"}
    assert options_of(identify.build_parser()) == expected
    expected = {
        "--help",
        "--context",
        "--target",
        "--query",
        "--fill",
        "--model",
        "--language",
        "--task",
        "--quantiles",
        "--explain",
        "--trust",
    }
    expected |= {"--drop", "--only", "--categorical", "--na", "--decimal", "--dates", "--sep", "--encoding"}
    expected |= {"--max-context", "--seed", "--key", "--keep", "--out", "--columns-out", "--quiet", "--language"}
    assert options_of(predict.build_parser()) == expected


def test_profiles_and_studies_are_in_the_help(capsys):
    text = shown(capsys, "reproduce", "--help")
    assert all(name in text for name in [*STUDIES, *PROFILES])


def claim(**changed):
    facts = {"id": "icl-wins", "claim": "It wins.", "value": 1.25, "low": -0.5, "high": 3.0, "threshold": 0.0}
    return SimpleNamespace(**{**facts, "better": "above", "verdict": "undecided", **changed})


def test_reproduce_passes_everything_on_and_shows_the_claims(monkeypatch, capsys, tmp_path):
    calls = []

    def reproduce(study, **options):
        calls.append((study, options))
        return SimpleNamespace(folder=tmp_path, claims=[claim(), claim(id="b", verdict="holds", value=1e-17)])

    monkeypatch.setattr(ctxlearn.studies, "reproduce", reproduce, raising=False)
    text = shown(capsys, "reproduce", "optimal")
    assert calls.pop() == (
        "optimal",
        {"profile": None, "seeds": 1, "jobs": None, "out": None, "runs": None, "cluster": None},
    )
    lines = text.splitlines()
    assert lines[-1] == str(tmp_path / "report.html")
    assert lines[1].split() == ["undecided", "icl-wins", "1.25", "[-0.5,", "3]", ">", "0"]
    assert lines[2].split()[:3] == ["holds", "b", "0"]
    given = "reproduce optimal --profile smoke --seeds 3 --jobs=2 --out a --runs r --cluster ray"
    shown(capsys, *given.split())
    assert calls.pop() == (
        "optimal",
        {"profile": "smoke", "seeds": 3, "jobs": 2, "out": "a", "runs": "r", "cluster": "ray"},
    )


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (ValueError("seeds: expected\nmore"), 1, "ctxlearn: error: seeds: expected more"),
        (ctxlearn.training.StorageError("cannot write x"), 1, "ctxlearn: error: cannot write x"),
        (ctxlearn.training.StorageError(28, "cannot write x"), 1, "ctxlearn: error: cannot write x"),
        (FileNotFoundError(2, "No such file or directory", "x"), 1, "ctxlearn: error: x: No such file or directory"),
        (ctxlearn.training.TrainingDiverged("step 3: nan"), 1, "ctxlearn: error: step 3: nan"),
    ],
)
def test_errors_of_the_library_are_one_line_without_traceback(error, status, text, monkeypatch, capsys):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(ctxlearn.studies, "reproduce", fail, raising=False)
    assert main(["reproduce", "optimal"]) == status
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith(text)
    assert err.count("\n") == 1
    assert "Traceback" not in err

    monkeypatch.setenv("CTXLEARN_TRACEBACK", "1")
    assert main(["reproduce", "optimal"]) == status
    assert "Traceback" in capsys.readouterr().err


def test_a_defect_keeps_its_traceback(monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("sizes differ")

    monkeypatch.setattr(ctxlearn.studies, "reproduce", fail, raising=False)
    with pytest.raises(RuntimeError, match="sizes differ"):
        main(["reproduce", "optimal"])


def test_interruption_says_how_to_go_on(monkeypatch, capsys):
    def fail(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(ctxlearn.studies, "reproduce", fail, raising=False)
    assert main(["reproduce", "optimal", "--out", "a folder"]) == 130
    assert capsys.readouterr().err.rstrip().endswith("ctxlearn reproduce optimal --out 'a folder'")


def test_a_closed_pipe_is_no_error():
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "ctxlearn", "list"]
    done = subprocess.run(command, check=False, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")
