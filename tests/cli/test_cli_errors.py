"""What cannot be read: one line that says where, what was expected, and the nearest name; status 2."""

import shlex
import sys
import textwrap

import pytest

from ctxlearn.cli import main

MINE = """
    import math

    import torch

    from ctxlearn.learners import Learner
    from ctxlearn.tasks import PairwiseMetric, TaskFamily

    class Half(TaskFamily):
        def __init__(self, n_features: int = 2): ...
        def sample_parameters(self, n_tasks, *, generator): ...

    class Neither(TaskFamily):
        def sample_parameters(self, n_tasks, *, generator): ...
        def sample_points(self, parameters, n_points, *, generator): ...

    class NoPredict(Learner):
        def adapt(self, context_x, context_y): ...

    class Foreign:
        def sample(self): ...

    class Faulty(PairwiseMetric):
        def sample_points(self, parameters, n_points, *, generator):
            return math.sqrt(-1)
"""
YAML = """
learner:
  class_path: InContextTransformer
  init_args: {n_features: 2, n_classes: 2, width: 8, depth: 1, blocks: [{heads: 2}]}
family: {class_path: Mixture, init_args: {families: [{class_path: PairwiseMetric}, ClassPrototype]}}
training: {steps: 3, schedule: cosine, learning_rate: 1e-3}
"""
FLAGS = shlex.split("--learner ProtoNet --learner.n_features 2 --learner.n_classes 2 --training.steps 3 --out run")


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    (tmp_path / "mine.py").write_text(textwrap.dedent(MINE))
    (tmp_path / "broken.py").write_text("import not_there_at_all\n")
    (tmp_path / "good.yaml").write_text(YAML)


def failing(capsys, *arguments, status=2):
    assert main(arguments) == status
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("ctxlearn: error: ")
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    return err.removeprefix("ctxlearn: error: ").rstrip()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("reproduc", "unknown command 'reproduc'; did you mean reproduce? known: reproduce, train, sweep, evaluate, "),
        ("xyz", "unknown command 'xyz'; known: reproduce, train, sweep, evaluate, "),
        ("--vers", "unknown option --vers; did you mean --version? ctxlearn --help shows all"),
        ("reproduce optmal", "unknown study 'optmal'; did you mean optimal? known: "),
        ("reproduce optimal --profile quik", "unknown profile 'quik'; did you mean quick? known: smoke, quick, paper"),
        ("reproduce optimal --sed 1", "unknown option --sed; did you mean --seeds?"),
        ("reproduce optimal --seeds 0", "seeds: expected a number >0, got 0"),
        ("reproduce optimal --jobs two", "jobs: "),
        ("reproduce optimal more", "unexpected argument 'more'"),
        ("reproduce", "missing study"),
        ("list famlies", "unknown kind or name 'famlies'; did you mean families?"),
        ("list Protonet", "unknown kind or name 'Protonet'; did you mean ProtoNet?"),
        ("evaluate --family Radial", "missing runs"),
        ("evaluate run", "missing family"),
        ("evaluate run --family Radal", "--family: no TaskFamily is called Radal; did you mean Radial? known: Amort"),
        ("evaluate run --family Radial --family.scal 3", "--family.scal: unknown key of Radial; did you mean scale?"),
        ("evaluate run --family Radial --references some", "unknown value of --references 'some'"),
        ("evaluate run --family Radial --n_tasks 1", "--n_tasks: expected 2 or more"),
        ("evaluate run --family Radial --n_points 1", "--n_points: expected 2 or more"),
    ],
)
def test_commands_and_options(arguments, expected, capsys):
    assert failing(capsys, *arguments.split()).startswith(expected)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--learner ProtoNe", "--learner: no Learner is called ProtoNe; did you mean ProtoNet? known: "),
        ("--family PairwiseMetrics", "--family: no TaskFamily is called PairwiseMetrics; did you mean PairwiseMetric?"),
        ("--family Radial --training.steps 1e3", "training.steps: expected int, got 1000.0 (write 1000,"),
        ("--family Radial --training.steps many", "training.steps: expected int, got many"),
        ("--family Radial --training.step 3", "unknown option --training.step; did you mean --training.steps?"),
        ("--family Radial --training.learning_rate=fast", "training.learning_rate: expected float, got fast"),
        ("--family Radial --learner.n_feature 3", "--learner.n_feature: unknown key of ProtoNet; did you mean n_feat"),
        ("--family Radial --learner.n_features wide", "learner.n_features: "),
        (
            "--family Mixture --family.families [Radal]",
            "family.families: there is no class Radal; did you mean Radial?",
        ),
        ("--family mine.Half", "--family: mine.Half lacks the method sample_points, which a TaskFamily must have"),
        ("--learner mine.NoPredict", "--learner: mine.NoPredict lacks the method predict, which a Learner must have"),
        ("--family mine.Foreign", "--family: mine.Foreign is not a TaskFamily; derive it from ctxlearn.tasks.TaskFa"),
        ("--family mine.Hal", "--family: the module mine has no class Hal; did you mean Half?"),
        ("--family min.Half", "--family: there is no module min, in this folder or installed; did you mean mine?"),
        ("--family broken.Half", "--family: the module broken cannot be imported: No module named 'not_there_at_all'"),
        ("", "expected either --family or --source, got neither"),
        ("--config god.yaml", "--config: there is no file god.yaml; did you mean good.yaml?"),
    ],
)
def test_options_of_train(arguments, expected, capsys):
    assert failing(capsys, "train", *FLAGS, *arguments.split()).startswith(expected)


def test_arguments_that_a_class_needs_are_named(capsys):
    arguments = shlex.split("--learner ProtoNet --family Radial --training.steps 3 --out run")
    assert failing(capsys, "train", *arguments) == "learner: missing n_features, n_classes"
    assert failing(capsys, "train", *FLAGS[:-4], "--family", "Radial") == "missing out, training.steps"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("training:", "trainin:", ": trainin: unknown key; did you mean training? known: learner, family, source"),
        ("steps:", "step:", ": training.step: unknown key; did you mean steps? known: steps, "),
        ("steps: 3", "steps: 1e3", ": training.steps: expected int, got 1000.0 (write 1000,"),
        ("steps: 3", "steps: [3]", ": training.steps: expected int, got [3]"),
        ("width:", "widht:", ": learner.init_args.widht: unknown key of InContextTransformer; did you mean width?"),
        ("width: 8", "width: wide", ": learner.width: expected int, got wide"),
        ("heads: 2", "head: 2", ": learner.blocks: unknown key head"),
        ("heads: 2", "heads: two", ": learner.blocks.heads: expected int, got two"),
        ("class_path: InC", "clas_path: InC", ": learner.clas_path: unknown key; did you mean class_path?"),
        ("InContextTransformer", "IncontextTransformer", ": learner.class_path: no Learner is called Incontext"),
        (
            "PairwiseMetric}",
            "PairwiseMetrik}",
            ": family.families: there is no class PairwiseMetrik; did you mean Pair",
        ),
        *(
            (
                "ClassPrototype]",
                f"{path}]",
                f": family.families: expected a class, got {path}; settings may name nothing of ",
            )
            for path in ("os.system", "subprocess.run", "builtins.eval", "shutil.rmtree", "importlib.import_module")
        ),
        ("PairwiseMetric}", "PairwiseMetric, init_args: {scal: 1}}", ": family.init_args.families.init_args.scal: "),
        ("PairwiseMetric}", "mine.Half}", ": family.init_args.families.class_path: mine.Half lacks the method sample_"),
        ("families:", "familes:", ": family.init_args.familes: unknown key of Mixture; did you mean families?"),
        ("Mixture", "mine.Half", ": family.class_path: mine.Half lacks the method sample_points"),
        ("training: {", "training: 3 #", ": training: expected keys (steps, "),
        ("family: {", "family: 3 #", ": family: expected a TaskFamily"),
        ("training: {", "training: [", ", line 6, column "),
        (YAML, "- 3", ": expected keys (learner, family, "),
        (YAML, "", ": expected keys (learner, family, "),
    ],
)
def test_yaml_errors_name_file_and_key(old, new, expected, capsys, tmp_path):
    assert old in YAML
    (tmp_path / "bad.yaml").write_text(YAML.replace(old, new))
    assert failing(capsys, "train", "--config", "bad.yaml", "--out", "run").startswith(f"bad.yaml{expected}")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--learner.wdth 3", "--learner.wdth: unknown key of InContextTransformer; did you mean width?"),
        ("--training.stps 3", "unknown option --training.stps; did you mean --training.steps?"),
        ("--source FamilySource", "source: missing family, n_tasks, n_points"),
    ],
)
def test_overrides_of_a_file(arguments, expected, capsys):
    command = ["train", "--config", "good.yaml", "--out", "run", *arguments.split()]
    assert failing(capsys, *command).startswith(expected)


@pytest.mark.parametrize(
    ("replaced", "arguments", "expected"),
    [
        (("width: 8", "width: 0"), "", "good.yaml: learner.width: expected an integer >= 1, got 0 (int)"),
        (("steps: 3", "steps: 0"), "", "good.yaml: training.steps: expected an integer >= 1, got 0 (int)"),
        (("cosine", "cosin"), "", "good.yaml: training.schedule: unknown name 'cosin'; did you mean 'cosine'?"),
        (("", ""), "--learner.n_features 0", "--learner.n_features: expected an integer >= 1, got 0 (int)"),
        (("", ""), "--training.clip -1", "--training.clip: expected a finite number > 0, got -1.0 (float)"),
        (("", ""), "--learner.n_features 3", "learner: expected n_features = 2, as mixture has, got 3"),
        (("", ""), "--family mine.Neither", "family: Neither sets no attribute n_features; set it in its __init__"),
        (("", ""), "--family mine.Faulty --training.progress no", "math domain error [ValueError in "),
    ],
)
def test_values_that_the_library_refuses_say_where_they_were_given(replaced, arguments, expected, capsys, tmp_path):
    (tmp_path / "good.yaml").write_text(YAML.replace(*replaced))
    command = ["train", "--config", "good.yaml", "--out", "run", *arguments.split()]
    assert failing(capsys, *command, status=1).startswith(expected)
