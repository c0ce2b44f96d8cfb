"""Numbers and things that nobody means: one error that names what was given, and soon."""

import time

import numpy as np
import pytest
import torch
import zoo
from hypothesis import given
from hypothesis import strategies as st

from ctxlearn import Tasks, evaluate
from ctxlearn.checks import check_float, check_int, describe
from ctxlearn.cli import main
from ctxlearn.configurable import configuration
from ctxlearn.evaluation import (
    answer_prefixes,
    hindsight,
    paired_differences,
    score_output,
    score_prefixes,
    task_interval,
)
from ctxlearn.evaluation.statistics import mean_interval, simultaneous_level
from ctxlearn.learners import MAML, InContextTransformer, ManyClass, ProtoNet
from ctxlearn.references import BayesOptimal, GradientDescent, LogisticRegression, NearestNeighbor, Ridge
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.tasks import Amortization, ClassPrototype, PairwiseMetric, Pool, Radial, TwoLayerNetwork
from ctxlearn.training import Curriculum, SelfPaced, Smooth, Stairs, TrainingConfig

HUGE = 2**63
REFUSED = {
    "stairs too small": (lambda: Stairs(1, 3, 1e-30, every=4), "increment"),
    "stairs of a subnormal": (lambda: Stairs(1, 3, 1e-320, every=4), "increment"),
    "a million stairs": (lambda: Stairs(0, 10**6, 1, every=1), "increment"),
    "stairs self-paced": (lambda: SelfPaced(1, 3, 1e-30, 0.1), "increment"),
    "stairs shuffled": (lambda: Stairs(0, 10, 1, every=10**9, order="shuffled"), "order"),
    "a line shuffled": (lambda: Smooth(0, 10, over=10**12, order="shuffled"), "order"),
    "stairs of huge integers": (lambda: Stairs(0, 10**400, 1, every=1), "stop"),
    "classes in pairs": (lambda: ManyClass(NearestNeighbor(), n_classes=1000), "n_classes"),
    "logistic regression": (lambda: LogisticRegression(n_classes=1000), "n_classes"),
    "a pool": (lambda: Pool(Radial(), size=HUGE), "size"),
    "a large pool": (lambda: Pool(Radial(), size=10**12), "size"),
    "a pool of networks": (lambda: Pool(TwoLayerNetwork(), size=10**7), "size"),
    "an empty pool of parameters": (lambda: BayesOptimal(ClassPrototype(), pool={}), "pool"),
    "a pool of a list": (lambda: BayesOptimal(ClassPrototype(), pool=[]), "pool"),
    "a pool of text": (lambda: BayesOptimal(ClassPrototype(), pool="x"), "pool"),
    "a pool of no tasks": (lambda: BayesOptimal(PairwiseMetric(), pool=torch.zeros(0, 2, 2)), "pool"),
    "blocks": (lambda: InContextTransformer(2, 2, 8, depth=10**9), "depth"),
    "steps of descent": (lambda: GradientDescent(steps=10**9), "steps"),
    "inner steps": (lambda: MAML(2, 2, steps=10**9), "steps"),
    "a seed": (lambda: ProtoNet(2, 2, seed=HUGE), "seed"),
    "steps of training": (lambda: TrainingConfig(steps=HUGE), "steps"),
    "a digit too many": (lambda: TrainingConfig(steps=1, learning_rate=10**400), "learning_rate"),
    "digits by the thousand": (lambda: TrainingConfig(steps=10**5000), "steps"),
    "tasks": (lambda: Radial().sample(HUGE, 2, generator=generator_for(0, Stream.TEST)), "n_tasks"),
    "tasks to evaluate": (lambda: evaluate({"a": NearestNeighbor()}, Radial(), n_tasks=HUGE), "n_tasks"),
    "scores of a list": (lambda: task_interval(["a", "b"], bounded=True), "scores"),
    "scores beyond one": (lambda: task_interval([1, 2, 3], bounded=True), "scores"),
    "one score": (lambda: task_interval([1.0], bounded=False), "scores"),
    "a score": (lambda: task_interval(1.0, bounded=False), "scores"),
    "outputs of a list": (lambda: score_output([[0.0, 1.0]], torch.zeros(1, dtype=torch.int64), 2), "output"),
    "labels of a list": (lambda: score_output(torch.zeros(1, 2), [0], 2), "y"),
    "labels out of range": (lambda: score_output(torch.zeros(1, 2), torch.tensor([5]), 2), "y"),
    "tasks of a list": (lambda: answer_prefixes(NearestNeighbor(), [1, 2]), "tasks"),
    "a learner of a list": (
        lambda: answer_prefixes([1], Radial().sample(2, 3, generator=generator_for(0, Stream.TEST))),
        "learner",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_nobody_means_is_refused_by_name_and_soon(name):
    call, argument = REFUSED[name]
    start = time.process_time()
    with pytest.raises(ValueError, match=rf"^{argument}: ") as caught:
        call()
    assert time.process_time() - start < 2
    assert len(str(caught.value)) < 500


def test_lists_of_scores_are_taken():
    low, high = task_interval([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0]], bounded=True)
    expected = task_interval(np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0]]), bounded=True)
    assert np.array_equal([low, high], expected)


def test_many_stairs_are_cheap():
    plan = Stairs(0.0, 1.0, 1e-5, every=10**9)
    assert plan.value(5 * 10**9) == pytest.approx(5e-5)
    assert plan.value(10**15) == 1.0


@given(
    value=st.integers()
    | st.integers(2**62, 2**66)
    | st.just(10**5000)
    | st.booleans()
    | st.floats()
    | st.text(max_size=3)
)
def test_checks_of_numbers_take_what_a_tensor_holds_and_name_the_rest(value):
    whole = isinstance(value, int) and not isinstance(value, bool)
    if whole and 0 <= value < HUGE:
        assert check_int("n", value, minimum=0) == value
    else:
        with pytest.raises(ValueError, match=r"^n: expected an integer"):
            check_int("n", value, minimum=0)
    real = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e308
    if real:
        assert check_float("n", value) == value
    elif not isinstance(value, float):
        with pytest.raises(ValueError, match=r"^n: expected a finite number"):
            check_float("n", value)
    assert len(describe(value)) < 120


SOLVERS = [
    name
    for name, learner in zoo.learners().items()
    if isinstance(learner.n_features, int) and not name.startswith("MAML")  # whose divergence is an error of its own
]


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("size", [1e-30, 1e30, 1e38, 1e150, 1e300])
def test_values_of_any_size_are_answered_or_refused_by_name(name, size):
    learner = zoo.learners()[name]
    generator = torch.Generator().manual_seed(0)
    x = size * torch.randn(2, 6, learner.n_features, generator=generator, dtype=torch.float64)
    y = torch.randint(0, 2, (2, 6), generator=generator) if learner.n_classes else x[..., 0].clone()
    for call in (lambda: learner(x, y, x), lambda: learner.predict_prefixes(x, y)):
        with torch.no_grad(), np.errstate(all="ignore"):
            assert refused(call, "context_x", "context_y", "x", "y", "query_x", "earlier_x") or call().shape[:2] == (
                2,
                6,
            )


def refused(call, *names):
    """Whether a call is refused, by the name of one of its arguments."""
    try:
        call()
    except ValueError as error:
        return str(error).split(":", maxsplit=1)[0] in names
    return False


ANYTHING = (
    st.none() | st.booleans() | st.integers(-3, 70) | st.floats() | st.text(max_size=3)
    | st.lists(st.floats() | st.integers(-2, 2) | st.text(max_size=2), max_size=3)
    | st.sampled_from([torch.ones(2), torch.zeros(2, 3, dtype=torch.int64), np.ones((3, 2)), NearestNeighbor(), Radial(), {}, {"a": 1}])
)  # fmt: skip
TASKS = Radial().sample(2, 4, generator=generator_for(0, Stream.TEST))
FUNCTIONS = {
    "task_interval": lambda v: task_interval(v, bounded=False),
    "task_interval bounded": lambda v: task_interval(v, bounded=True),
    "task_interval level": lambda v: task_interval(np.ones((3, 2)), bounded=True, level=v),
    "mean_interval": mean_interval,
    "mean_interval level": lambda v: mean_interval(np.arange(3.0), level=v),
    "mean_interval seed": lambda v: mean_interval(np.arange(3.0), seed=v, resamples=9),
    "simultaneous_level": lambda v: simultaneous_level(0.95, v),
    "score_output": lambda v: score_output(v, torch.zeros(2, dtype=torch.int64), 2),
    "score_output y": lambda v: score_output(torch.zeros(2, 2), v, 2),
    "score_output C": lambda v: score_output(torch.zeros(2, 2), torch.zeros(2, dtype=torch.int64), v),
    "answer_prefixes": lambda v: answer_prefixes(v, TASKS),
    "answer_prefixes tasks": lambda v: answer_prefixes(NearestNeighbor(), v),
    "answer_prefixes threads": lambda v: answer_prefixes(NearestNeighbor(), TASKS, threads=v),
    "score_prefixes": lambda v: score_prefixes(NearestNeighbor(), v),
    "evaluate": lambda v: evaluate(v, Radial(), n_tasks=2, n_points=2),
    "evaluate family": lambda v: evaluate({"a": NearestNeighbor()}, v, n_tasks=2, n_points=2),
    "evaluate seed": lambda v: evaluate({"a": NearestNeighbor()}, Radial(), n_tasks=2, n_points=2, seed=v),
    "hindsight": lambda v: hindsight({"a": NearestNeighbor()}, Radial(), n_tasks=2, lengths=v, n_queries=2),
    "paired_differences": lambda v: paired_differences(v, "a"),
    "Stairs": lambda v: Stairs(v, 3, 1, every=1),
    "Smooth": lambda v: Smooth(0, v, over=2),
    "SelfPaced": lambda v: SelfPaced(0, 3, 1, v),
    "Curriculum": lambda v: Curriculum(Radial(), 2, 4, {"scale": v}),
    "Pool": lambda v: Pool(v, 3),
    "Pool size": lambda v: Pool(Radial(), v),
    "BayesOptimal pool": lambda v: BayesOptimal(Amortization(), pool=v),
    "ManyClass": lambda v: ManyClass(NearestNeighbor(), v),
    "Ridge": lambda v: Ridge(penalty=v),
    "Tasks": lambda v: Tasks(v, v, 2),
    "configuration": configuration,
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
@given(value=ANYTHING)
def test_whatever_a_function_is_given_it_answers_or_names_what_was_wrong(name, value):
    try:
        with np.errstate(all="ignore"):
            FUNCTIONS[name](value)
    except ValueError as error:
        said = str(error)
    else:
        return
    assert " " in said  # a sentence, not a bare value


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        ("../p/good", "expected the name of a TaskFamily, or an import path"),
        ("./mine.py", "expected the name of a TaskFamily, or an import path"),
        ("a b.C", "expected the name of a TaskFamily, or an import path"),
        (".", "expected the name of a TaskFamily, or an import path"),
        ("..", "expected the name of a TaskFamily, or an import path"),
        ("mine.", "expected the name of a TaskFamily, or an import path"),
        ("broken.Family", "the module broken cannot be imported: SyntaxError: "),
        ("raising.Family", "the module raising cannot be imported: KeyError: 'x'"),
    ],
)
@pytest.mark.parametrize("command", ["evaluate run", "train --learner ProtoNet --training.steps 3 --out r"])
def test_a_family_that_is_no_name_is_one_line(family, expected, command, tmp_path, monkeypatch, capsys):
    (tmp_path / "broken.py").write_text("class Family(:\n")
    (tmp_path / "raising.py").write_text("{}['x']\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    assert main([*command.split(), "--family", family]) == 2
    _, err = capsys.readouterr()
    assert expected in err
    assert err.count("\n") == 1


def test_control_characters_are_shown_in_every_message(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    bad = "\x1b[31m\x07\x9b2J"
    for arguments in (
        ["evaluate", bad, "--family", "Radial"],
        ["evaluate", "run", "--family", bad],
        ["predict", "--context", bad, "--target", "x", "--query", "y"],
        [bad],
        ["list", bad],
        ["train", "--config", bad, "--out", "r"],
        ["train", "--" + bad],
        ["reproduce", bad],
        ["identify", bad],
    ):
        assert main(arguments) in (1, 2)
        out, err = capsys.readouterr()
        assert not set("\x1b\x07\x9b") & set(out + err), arguments
        assert "\\x1b[31m" in err
