import matplotlib as mpl
import numpy as np
import pytest

from ctxlearn.playground import Point, State
from ctxlearn.playground.answers import numbers, probabilities
from ctxlearn.playground.choices import Choice, build, choices
from ctxlearn.playground.families import context, with_drawn_points
from ctxlearn.playground.panels import COLOURS, FINE, grid, line
from ctxlearn.playground.script import script

KNOWN = choices()


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """Runs a script in an empty folder, and gives back what it defined."""
    monkeypatch.chdir(tmp_path)
    mpl.use("agg")

    def run(code):
        names = {}
        exec(compile(code, "playground.py", "exec"), names)
        assert (tmp_path / "playground.png").read_bytes().startswith(b"\x89PNG")
        return names

    yield run
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.mark.parametrize("classes", [2, 3])
def test_the_script_makes_the_same_regions(ran, classes):
    learners = ("shipped", "bayes", "logistic", "means", "cosine", "kernel", "nearest", "forest")
    learners = tuple(key for key in learners if classes == 2 or key != "bayes")
    state = with_drawn_points(State(seed=4, drawn=15, classes=classes, learners=learners))
    regions = ran(script(state, KNOWN, FINE, COLOURS))["regions"]
    assert list(regions) == [KNOWN[key].title for key in learners]
    x, y = context(state)
    for key in learners:
        own = probabilities(build(KNOWN, key, state), x[None], y[None], grid(state.view, FINE), classes)[0].argmax(1)
        assert (own == regions[KNOWN[key].title]).mean() > 0.995


def test_the_script_makes_the_same_curves(ran):
    learners = ("shipped", "bayes", "ridge", "kernel", "nearest", "forest")
    state = with_drawn_points(State(mode="numbers", family="LinearRegression", seed=4, drawn=15, learners=learners))
    curves = ran(script(state, KNOWN, FINE, COLOURS))["curves"]
    x, y = context(state)
    for key in learners:
        own = numbers(build(KNOWN, key, state), x, y, line(state.view, FINE)).mean
        np.testing.assert_allclose(curves[KNOWN[key].title], own, atol=1e-4)


def test_titles_of_any_text_are_only_text(ran):
    title = 'it\'s "a" run\\'
    known = {"run1": Choice(title, "", classes=KNOWN["means"].classes)}
    state = State(points=(Point(0, 0, 0), Point(1, 1, 1)), learners=("run1",))
    assert list(ran(script(state, known, FINE, COLOURS))["regions"]) == [title]


def test_learners_that_do_not_fit_are_left_out():
    state = State(points=(Point(0, 0, 0), Point(1, 1, 3)), learners=("bayes", "means", "cnp"))
    code = script(state, KNOWN, FINE, COLOURS)
    assert "BayesOptimal" not in code
    assert "ProtoNet" in code


@pytest.mark.parametrize(
    ("state", "named"), [(State(), "points"), (State(points=(Point(0, 0, 4),), learners=("bayes", "cnp")), "learners")]
)
def test_what_makes_no_picture_is_refused_by_name(state, named):
    with pytest.raises(ValueError, match=f"^{named}"):
        script(state, KNOWN, FINE, COLOURS)
