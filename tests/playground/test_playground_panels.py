import base64

import numpy as np
import pytest
import torch

import ctxlearn
from ctxlearn.learners import CNP, MAML, InContextTransformer
from ctxlearn.playground import Point, State
from ctxlearn.playground.answers import grid, influence, probabilities
from ctxlearn.playground.choices import build, choices, load_runs
from ctxlearn.playground.families import context, with_drawn_points
from ctxlearn.playground.panels import ANSWERS, alike, leaning, offered, panel, score
from ctxlearn.references import NearestNeighbor
from ctxlearn.tasks import ClassPrototype

KNOWN = choices()
QUICK = ("bayes", "logistic", "means", "cosine", "kernel", "nearest")


def task(**fields):
    return with_drawn_points(State(**{"seed": 3, "drawn": 20, **fields}))


def decoded(found):
    p = np.frombuffer(base64.b64decode(found["p"]), dtype=np.uint8)
    return p.reshape(found["side"], found["side"], found["classes"]) / 255


@pytest.mark.parametrize("key", [key for key, choice in KNOWN.items() if choice.classes is not None])
@pytest.mark.parametrize("family", ["PairwiseMetric", "Amortization"])
def test_panels_hold_probabilities_of_every_cell(key, family):
    p = decoded(panel(KNOWN, task(family=family), {"learner": key, "side": "8"}))
    assert p.shape == (8, 8, 2)
    np.testing.assert_allclose(p.sum(-1), 1, atol=2 / 255)
    assert p.min() < 0.5 < p.max()


@pytest.mark.parametrize("key", QUICK[1:])
@pytest.mark.parametrize("labels", [(), (0,), (2, 2), (0, 4)])
def test_every_learner_answers_for_few_points_and_up_to_five_classes(key, labels):
    state = State(points=tuple(Point(i, 1 - i, label) for i, label in enumerate(labels)))
    p = decoded(panel(KNOWN, state, {"learner": key, "side": "4"}))
    assert p.shape[2] == state.n_classes


@pytest.mark.parametrize("key", ["shipped", "forest"])
@pytest.mark.parametrize("labels", [(), (1,), (0, 4)])
def test_estimators_answer_for_few_points_and_up_to_five_classes(key, labels):
    state = State(points=tuple(Point(i, 1 - i, label) for i, label in enumerate(labels)))
    p = decoded(panel(KNOWN, state, {"learner": key, "side": "4"}))
    assert p.shape[2] == state.n_classes
    absent = [c for c in range(state.n_classes) if c not in labels]
    if labels:
        assert p[..., absent].max() == 0
    else:
        np.testing.assert_allclose(p, 0.5, atol=1 / 255)


def test_the_grid_is_the_plane_from_the_top_left():
    places = grid(4.0, 4)
    assert places[0].tolist() == [-3, 3]
    assert places[1].tolist() == [-1, 3]
    assert places[-1].tolist() == [3, -3]


def test_a_point_rules_its_neighbourhood_in_the_panel_of_the_nearest_neighbour():
    state = State(points=(Point(-3, 3, 0), Point(3, -3, 1)))
    winner = decoded(panel(KNOWN, state, {"learner": "nearest", "side": "4"})).argmax(-1)
    assert winner[0, 0] == 0
    assert winner[3, 3] == 1


def test_bayes_is_not_beaten_on_average_over_tasks():
    scores = {key: [] for key in ("bayes", "nearest", "means", "cosine")}
    for seed in range(12):
        for key, found in scores.items():
            found.append(score(KNOWN, task(family="Amortization", seed=seed), {"learner": key})["score"])
    means = {key: np.mean(found) for key, found in scores.items()}
    assert means["bayes"] == max(means.values())
    assert means["bayes"] > 0.9


def test_what_a_nearest_neighbour_leans_on_is_the_nearest_point_alone():
    state = State(points=(Point(0, 0, 0), Point(2, 0, 1), Point(3, 0, 1), Point(0.5, 3, 1)))
    found = leaning(KNOWN, state, {"learner": "nearest", "x": "0.1", "y": "0.2"})
    assert found["p"][0] > 0.99
    assert found["leans"][0] > 0.99
    assert found["leans"][1:] == [0, 0, 0]


@pytest.mark.parametrize("key", ["means", "logistic", "forest", "shipped"])
def test_leaving_each_point_out_is_what_it_says(key):
    state = task(drawn=10)
    assert (
        min(torch.bincount(context(state)[1])) > 1
    )  # a class that is gone with its only point is no answer of an estimator
    x, y = context(state)
    place = torch.tensor([0.5, -0.5])
    whole, leans = influence(build(KNOWN, key, state), x, y, place, 2)
    best = int(whole.argmax())
    for i in range(10):
        kept = [j for j in range(10) if j != i]
        without = probabilities(build(KNOWN, key, state), x[kept][None], y[kept][None], place[None], 2)[0, 0, best]
        assert leans[i] == pytest.approx(whole[best] - without, abs=1e-5)


def test_each_algorithm_agrees_with_itself():
    names = {
        "nearest": "1-NN",
        "means": "nearest class mean",
        "cosine": "cosine softmax",
        "logistic": "logistic regression",
    }
    for key, name in names.items():
        bars = alike(KNOWN, task(), {"learner": key})["bars"]
        assert bars[0] == {"name": name, "total": 1.0}
        assert [bar["total"] for bar in bars] == sorted((bar["total"] for bar in bars), reverse=True)


@pytest.mark.parametrize("family", ["LinearRegression", "DecisionTree", "TwoLayerNetwork"])
@pytest.mark.parametrize("key", [key for key, choice in KNOWN.items() if choice.numbers is not None])
def test_panels_of_numbers_have_a_line_and_ordered_bands(key, family):
    state = task(mode="numbers", family=family, learners=())
    asked = {"learner": key, "side": "8"}
    if key == "bayes" and family != "LinearRegression":
        with pytest.raises(ValueError, match="no exact Bayes predictor"):
            panel(KNOWN, state, asked)
        return
    found = panel(KNOWN, state, asked)
    assert len(found["mean"]) == 17
    assert (found["bands"] is not None) == (key in ("shipped", "bayes"))
    if found["bands"] is not None:
        bands = np.array(found["bands"])
        assert bands.shape == (5, 17)
        assert (np.diff(bands, axis=0) >= 0).all()
    assert 0 < score(KNOWN, state, {"learner": key})["score"] < 5
    assert alike(KNOWN, state, {"learner": key})["bars"]


@pytest.fixture(scope="module")
def run_folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    config = ctxlearn.TrainingConfig(steps=2, n_points=6, tasks_per_step=8, progress=False)
    made = {
        "icl": InContextTransformer(2, 2, width=16, depth=1, heads=2),
        "maml": MAML(2, 2),
        "cnp": CNP(2, 2),
    }
    for name, learner in made.items():
        ctxlearn.train(learner, ClassPrototype(), config, out=folder / name)
    return folder


def test_models_of_runs_are_shown_first_and_fill_what_needed_training(run_folders):
    folders = [str(run_folders / name) for name in ("icl", "maml", "cnp")]
    known = choices(load_runs(folders))
    assert not {"cnp", "maml"} & set(known)
    found = offered(known, State(), {})
    assert found["defaults"]["classes"][:3] == ["run1", "run2", "run3"]
    for key in ("run1", "run2", "run3"):
        p = decoded(panel(known, task(), {"learner": key, "side": "4"}))
        np.testing.assert_allclose(p.sum(-1), 1, atol=2 / 255)
        with pytest.raises(ValueError, match="knows 2 classes, and there are points of 3"):
            panel(known, State(points=(Point(0, 0, 2),)), {"learner": key})


def test_a_run_of_more_features_is_read_as_a_table(tmp_path):
    config = ctxlearn.TrainingConfig(steps=2, n_points=6, tasks_per_step=8, progress=False)
    learner = InContextTransformer(5, 3, width=16, depth=1, heads=2)
    ctxlearn.train(learner, ClassPrototype(5, 3), config, out=tmp_path / "wide")
    known = choices(load_runs([str(tmp_path / "wide")]))
    p = decoded(panel(known, task(), {"learner": "run1", "side": "4"}))
    assert p.shape == (4, 4, 2)


def test_a_run_that_cannot_be_shown_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match="expected a learner of 2 features or more"):
        choices([(tmp_path, NearestNeighbor(1, 2))])


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"learner": "nobody"}, "learner"),
        ({"learner": "cnp"}, "must be trained first"),
        ({"learner": "ridge"}, "numbers only"),
        ({"learner": "means", "side": "1"}, "side"),
        ({"learner": "means", "side": "9999999"}, "side"),
        ({"learner": "means", "side": "x"}, "side"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_the_reason(asked, message):
    with pytest.raises(ValueError, match=message):
        panel(KNOWN, task(), asked)


def test_places_that_are_none_are_refused():
    for place in ("", "nan", "1e99", "left"):
        with pytest.raises(ValueError, match="x: expected"):
            leaning(KNOWN, task(), {"learner": "means", "x": place, "y": "0"})


def test_bayes_says_where_points_have_more_classes_than_its_family():
    with pytest.raises(ValueError, match="2 classes here, and there are points of 3"):
        panel(KNOWN, State(points=(Point(0, 0, 2),)), {"learner": "bayes"})


def test_answers_are_all_functions_of_the_state_alone():
    first = {about: ANSWERS[about](KNOWN, task(), {"learner": "means", "x": "0", "y": "0"}) for about in ANSWERS}
    again = {about: ANSWERS[about](KNOWN, task(), {"learner": "means", "x": "0", "y": "0"}) for about in ANSWERS}
    assert first == again
