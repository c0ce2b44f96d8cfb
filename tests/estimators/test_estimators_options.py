"""Arguments, tags, labels and bounds of the estimators; what they warn of, show and refuse."""

import importlib
import os
import pickle
import subprocess
import sys
import threading
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter
from toy_tables import blobs, neighbour, plane, ridge, untrained

from ctxlearn import InContextClassifier, InContextRegressor
from ctxlearn.checks import trusted_values
from ctxlearn.estimators import ContextWarning
from ctxlearn.estimators.classes import ClassPredictor
from ctxlearn.estimators.devices import find_device
from ctxlearn.estimators.models import find_learner, scaled_by_context
from ctxlearn.estimators.numbers import NumberPredictor
from ctxlearn.learners import Learner

MODEL, NUMBERS = untrained(), untrained(n_classes=None)
FACES = [(InContextClassifier, MODEL), (InContextRegressor, NUMBERS)]


class Slow(Learner):
    """Answers with the first class once it is let go on."""

    def __init__(self, n_features=3, n_classes=3):
        super().__init__(n_features, n_classes)
        self.__dict__.update(asked=threading.Event(), may_answer=threading.Event())

    def __deepcopy__(self, memo):
        return self

    def adapt(self, context_x, context_y):
        return len(context_x)

    def predict(self, state, query_x):
        self.asked.set()
        assert self.may_answer.wait(300)
        return query_x.new_zeros(state, query_x.shape[1], self.n_classes)


# sparse tables


@pytest.mark.parametrize(
    "form", [sparse.csr_matrix, sparse.csc_matrix, sparse.coo_array, sparse.csr_array, sparse.lil_array]
)
def test_a_sparse_table_is_the_table_with_its_zeros(form):
    x, y = blobs(40, 5, 3)
    x[np.random.default_rng(0).random(x.shape) < 0.6] = 0
    expected = InContextClassifier(MODEL).fit(x, y).predict_proba(x)
    np.testing.assert_array_equal(InContextClassifier(MODEL).fit(form(x), y).predict_proba(form(x)), expected)
    np.testing.assert_array_equal(InContextClassifier(MODEL).fit(x, y).predict_proba(form(x)), expected)
    frame = pd.DataFrame.sparse.from_spmatrix(sparse.csr_matrix(x))
    np.testing.assert_array_equal(InContextClassifier(MODEL).fit(frame, y).predict_proba(frame), expected)


def test_the_default_encoder_of_scikit_learn_in_a_pipeline():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.choice(list("xyz"), 60), "b": rng.choice(list("pq"), 60)})
    for estimator, y in ((InContextClassifier(), np.where(frame["a"] == "x", "yes", "no")),
                         (InContextRegressor(), 3.0 * (frame["a"] == "x") + (frame["b"] == "p"))):  # fmt: skip
        pipeline = make_pipeline(OneHotEncoder(), estimator).fit(frame[:40], y[:40])
        assert pipeline.score(frame[40:], y[40:]) > 0.95


def test_a_huge_sparse_table_is_refused_before_memory_runs_out():
    huge = sparse.csr_array((1_000_000, 10_000))
    with pytest.raises(
        ValueError,
        match=r"X: expected a sparse table that takes at most 4 GiB .* got 1000000 rows of 10000 columns, 74.5 GiB",
    ):
        InContextClassifier(MODEL).fit(huge, np.arange(1_000_000) % 2)
    fitted = InContextClassifier(MODEL).fit(*blobs(20, 3, 2))
    with pytest.raises(ValueError, match="give fewer rows at a time"):
        fitted.predict(sparse.csr_array((10**9, 3)))


# probabilities


def test_log_probabilities():
    x, y = blobs(40, 3, 3, spread=1)
    classifier = InContextClassifier(MODEL).fit(x, y)
    np.testing.assert_allclose(np.exp(classifier.predict_log_proba(x)), classifier.predict_proba(x), atol=1e-15)
    assert (InContextClassifier(MODEL).fit(x, ["only"] * 40).predict_log_proba(x) == 0).all()
    sure = InContextClassifier(MODEL).fit(x, y)
    sure.predict_proba = lambda X: np.eye(3)
    np.testing.assert_array_equal(sure.predict_log_proba(x), np.where(np.eye(3) == 1, 0, -np.inf))


# weights


@pytest.mark.parametrize(("face", "model"), FACES)
def test_weights_are_refused_with_what_to_do_instead_and_not_advertised(face, model):
    x, y = blobs(20, 3, 2)
    with pytest.raises(TypeError, match=r"sample_weight: .* no weights; repeat rows .* numpy\.repeat"):
        face(model).fit(x, y, sample_weight=np.ones(20))
    with pytest.raises(TypeError, match="fit: expected X and y, got groups, too"):
        face(model).fit(x, y, groups=y)
    np.testing.assert_array_equal(
        face(model).fit(x, y, sample_weight=None).predict(x), face(model).fit(x, y).predict(x)
    )
    assert not has_fit_parameter(face(model), "sample_weight")
    assert "sample_weight" not in get_routing_for_object(face(model)).fit.requests


def test_bagging_draws_rows_where_there_are_no_weights():
    x, y = blobs(40, 3, 3)
    assert (
        BaggingClassifier(InContextClassifier(neighbour()), n_estimators=3, random_state=0).fit(x, y).score(x, y) > 0.9
    )


# devices


class Elsewhere(Learner):
    """Says that its weights are on another device."""

    def adapt(self, context_x, context_y):
        return None

    def predict(self, state, query_x):
        return query_x

    def parameters(self, recurse=True):
        yield torch.zeros(1, device="meta")


def test_which_device_is_meant(monkeypatch):
    assert find_device("auto", MODEL, loaded=True) == find_device("cpu", MODEL, loaded=False) == torch.device("cpu")
    assert find_device(torch.device("cpu"), MODEL, loaded=False) == torch.device("cpu")
    assert find_device("auto", Elsewhere(3, 3), loaded=False) == torch.device("meta")  # where its weights are
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert find_device("auto", MODEL, loaded=True) == torch.device("cuda")
    assert find_device("auto", MODEL, loaded=False) == torch.device("cpu")
    assert find_device("cpu", MODEL, loaded=True) == torch.device("cpu")


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "meta", 0, None, ""])
def test_a_device_that_is_not_there_is_refused(device):
    with pytest.raises(ValueError, match='device: expected "auto"'):
        InContextClassifier(MODEL, device=device).fit(*blobs())
    with pytest.raises(ValueError, match='device: expected "auto"'):
        ClassPredictor(MODEL, device=device).fit(*blobs())


@pytest.mark.parametrize("kind", ["classifier", "regressor"])
@pytest.mark.parametrize("n", [30, 2500])
def test_a_shipped_model_computes_on_its_own_device_alone(kind, n):
    """On "meta", as on an accelerator, an operator on tensors of two devices is an error."""
    own = scaled_by_context(find_learner(None, kind)).to("meta")
    x = torch.zeros(2, n, own.n_features, dtype=torch.float64, device="meta")
    y = torch.zeros(2, n, dtype=torch.int64 if kind == "classifier" else torch.float64, device="meta")
    with torch.no_grad(), trusted_values():
        assert own.predict(own.adapt(x, y), x[:, :5]).device.type == "meta"


@pytest.mark.parametrize(("face", "model"), FACES)
def test_the_device_is_an_argument_and_no_part_of_a_file(face, model, tmp_path):
    x, y = blobs(20, 3, 2)
    fitted = face(model, device="cpu").fit(x, y)
    assert clone(fitted).device == "cpu"
    np.testing.assert_array_equal(fitted.predict(x), face(model).fit(x, y).predict(x))
    fitted.save(tmp_path / "file")
    assert face.load(tmp_path / "file").device == "auto"
    np.testing.assert_array_equal(face.load(tmp_path / "file", device="cpu").predict(x), fitted.predict(x))
    with pytest.raises(ValueError, match="device"):
        face.load(tmp_path / "file", device="nowhere")


def test_an_estimator_from_a_machine_with_another_device_can_be_unpickled_and_moved():
    x, y = blobs(20, 3, 2)
    fitted = InContextClassifier(MODEL).fit(x, y)
    expected = fitted.predict_proba(x)
    fitted.device = "cuda:99"
    again = pickle.loads(pickle.dumps(fitted))
    with pytest.raises(ValueError, match="device"):
        again.predict(x)
    np.testing.assert_array_equal(again.set_params(device="cpu").predict_proba(x), expected)


# categorical features


def test_declared_categories_are_categories_however_they_are_named():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, 60) * 1000
    frame = pd.DataFrame({"size": rng.normal(size=60), "zip": codes, "new": rng.normal(size=60) > 0})
    y = np.isin(codes, [0, 3000]).astype(int)
    expected = InContextClassifier(MODEL).fit(frame.astype({"zip": "category"}), y).predict_proba(frame)
    for named in (
        ["zip"],
        "zip",
        [1],
        np.array([1]),
        (1,),
        [False, True, False],
        np.array([False, True, False]),
        pd.Index(["zip"]),
    ):
        classifier = InContextClassifier(MODEL, categorical_features=named).fit(frame, y)
        np.testing.assert_array_equal(classifier.predict_proba(frame), expected)
    values = frame.to_numpy(dtype=float)
    from_array = InContextClassifier(MODEL, categorical_features=[1]).fit(values, y)
    np.testing.assert_array_equal(from_array.predict_proba(values), expected)
    assert np.abs(InContextClassifier(MODEL).fit(values, y).predict_proba(values) - expected).max() > 1e-6
    renamed = frame.set_axis([10, 20, 30], axis=1)  # integers are names where all names are
    found = InContextClassifier(MODEL, categorical_features=[20]).fit(renamed, y)
    np.testing.assert_array_equal(found.predict_proba(renamed), expected)
    assert frame["zip"].dtype == codes.dtype  # the user's own table is left as it was


def test_declared_categories_are_kept_in_files(tmp_path):
    frame = pd.DataFrame({"a": np.arange(20.0), "b": np.arange(20) % 4})
    for named in (["b"], np.array([1]), np.array([False, True]), None):
        fitted = InContextClassifier(MODEL, categorical_features=named).fit(frame, np.arange(20) % 2)
        fitted.save(tmp_path / "file")
        again = InContextClassifier.load(tmp_path / "file")
        np.testing.assert_array_equal(again.predict_proba(frame), fitted.predict_proba(frame))
        assert again.categorical_features == (None if named is None else np.asarray(named).tolist())
        again.fit(frame, np.arange(20) % 2)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        (["zap"], "categorical_features: unknown name 'zap'; did you mean 'zip'"),
        ([3], "categorical_features: expected columns of X, 0 to 2, got 3"),
        ([-1], "expected columns of X, 0 to 2, got -1"),
        ([True, False], "expected a mask of 3 Booleans, one per column, got 2"),
        ([1.0], "expected names of columns, positions or a mask of Booleans, got 1.0"),
        (5, "expected names of columns, positions or a mask of 3 Booleans, got 5"),
        ([None], "expected names of columns, positions or a mask of Booleans, got None"),
    ],
)
def test_categorical_features_that_are_not_there(named, message):
    frame = pd.DataFrame({"size": [1.0, 2], "zip": [3, 4], "new": [True, False]})
    with pytest.raises(ValueError, match=message):
        InContextClassifier(MODEL, categorical_features=named).fit(frame, [0, 1])


# tags


@pytest.mark.parametrize(("face", "model"), FACES)
def test_tags_say_what_is_taken(face, model):
    tags = get_tags(face(model)).input_tags
    assert tags.allow_nan
    assert tags.categorical
    assert tags.sparse
    assert tags.string


# bounds


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 30), st.sampled_from(["counts", "zeros", "prices", "losses"]))
def test_labels_on_one_side_of_zero_are_predicted_there(seed, n, kind):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    y = {
        "counts": rng.poisson(0.7, n),
        "zeros": np.where(rng.random(n) < 0.8, 0.0, rng.exponential(size=n)),
        "prices": rng.lognormal(0, 2, n),
        "losses": -rng.lognormal(0, 2, n),
    }[kind]
    regressor = InContextRegressor(NUMBERS).fit(x, y)
    asked = rng.normal(size=(9, 2)) * 5
    sign = -1 if kind == "losses" else 1
    found = regressor.predict_quantiles(asked, np.linspace(0.025, 0.975, 7))
    assert (sign * found >= 0).all()
    assert (np.diff(found, axis=1) >= 0).all()
    assert (sign * regressor.predict(asked) >= 0).all()
    mirrored = InContextRegressor(NUMBERS).fit(x, -np.asarray(y, dtype=float)).predict_quantiles(asked, [0.5])
    assert (sign * mirrored <= 0).all()


def test_labels_on_both_sides_are_not_held_back():
    x = np.linspace(-1, 1, 20)[:, None]
    regressor = InContextRegressor(ridge()).fit(x, 5 * x[:, 0])
    assert regressor.predict([[-2.0]])[0] < -8
    held = InContextRegressor(ridge()).fit(x[10:], 5 * x[10:, 0])
    assert held.predict([[-2.0]])[0] == 0
    np.testing.assert_allclose(held.influence([[-2.0]]), 0, atol=1e-9)


def test_what_is_known_of_all_labels_counts_where_views_read_some(tmp_path):
    x = np.linspace(-1, 1, 400)[:, None]
    y = np.abs(x[:, 0])
    y[0] = -1e-3
    with pytest.warns(ContextWarning):
        regressor = InContextRegressor(ridge(), max_context=20).fit(x, np.where(y < 0, y, x[:, 0] + 1))
    assert regressor.predict([[-9.0]])[0] < 0
    regressor.save(tmp_path / "file")
    assert InContextRegressor.load(tmp_path / "file").predict([[-9.0]])[0] < 0


@pytest.mark.parametrize("exponent", [-1010, -600, -301, 301, 520, 1000])
def test_labels_of_any_size(exponent):
    x, y = plane()
    expected = InContextRegressor(NUMBERS).fit(x, y - 50)
    found = InContextRegressor(NUMBERS).fit(x, np.ldexp(y - 50, exponent))
    np.testing.assert_allclose(found.predict(x), np.ldexp(expected.predict(x), exponent), rtol=1e-12)
    np.testing.assert_allclose(
        found.predict_quantiles(x), np.ldexp(expected.predict_quantiles(x), exponent), rtol=1e-12
    )
    np.testing.assert_allclose(found.influence(x[:2]), np.ldexp(expected.influence(x[:2]), exponent), rtol=1e-12)


def test_predictions_beyond_float64_are_a_matter_of_y():
    x = np.linspace(-1, 1, 20)[:, None]
    regressor = InContextRegressor(ridge()).fit(x, 1.7e308 * x[:, 0])
    assert np.isfinite(regressor.predict(x * 0.9)).all()
    with pytest.raises(ValueError, match="y: predictions for these labels exceed the largest number"):
        regressor.predict(x * 50)


# labels


@pytest.mark.parametrize(
    ("y", "classes", "dtype"),
    [
        (["007", "7", "07", "7"], ["007", "07", "7"], "<U3"),
        (pd.Series(["01", "1", "1", "NA"]), ["01", "1", "NA"], object),
        (pd.Series([2, 1, 2, 1], dtype="Int64"), [1, 2], np.int64),
        (pd.Series([2, 1, 2, 1], dtype="uint8[pyarrow]") if importlib.util.find_spec("pyarrow") else [2, 1], [1, 2], None),
        (pd.Series([True, False, True, False], dtype="boolean"), [False, True], bool),
        (pd.Series(["b", "a", "b", "a"], dtype="category"), ["a", "b"], object),
        (pd.Series([3, 1, 3, 1], dtype="category"), [1, 3], np.int64),
        ([1234567890123456781, 1234567890123456783] * 2, [1234567890123456781, 1234567890123456783], np.int64),
        ([10**25, 10**25 + 1] * 2, [10**25, 10**25 + 1], object),
        (np.array([1, 0, 1, 0], dtype=np.int8), [0, 1], np.int8),
    ],
)  # fmt: skip
def test_labels_stay_as_they_are(y, classes, dtype):
    x = np.arange(2.0 * len(y)).reshape(len(y), 2)
    for fitted in (InContextClassifier(neighbour()).fit(x, y), ClassPredictor(neighbour()).fit(x, y)):
        assert fitted.classes_.tolist() == classes
        assert dtype is None or fitted.classes_.dtype == dtype
        assert fitted.predict(x).tolist() == list(y)
        assert [type(label) for label in fitted.predict(x).tolist()] == [type(label) for label in classes[:1]] * len(y)


GAPS = [
    pd.Series(["a", pd.NA, "b", "b"], dtype="string"),
    pd.array([1, pd.NA, 2, 2], dtype="Int64"),
    pd.array([True, pd.NA, False, False], dtype="boolean"),
    np.array([1, pd.NA, 2, 2], dtype=object),
    pd.Series(["a", None, "b", "b"], dtype="category"),
    [1.0, np.nan, 2.0, 2.0],
    ["a", np.nan, "b", "b"],
    ["a", None, "b", "b"],
]


@pytest.mark.parametrize("y", GAPS, ids=repr)
@pytest.mark.parametrize("face", [InContextClassifier, InContextRegressor, ClassPredictor, NumberPredictor])
def test_a_row_without_a_label_is_named(face, y):
    with pytest.raises(ValueError, match=r"^Input y contains NaN: row 1 has no label; leave it out$"):
        face().fit(np.arange(8.0).reshape(4, 2), y)


@pytest.mark.parametrize(
    ("face", "label", "message"),
    [
        (InContextClassifier, ["a", 1], r"labels of one kind, got text, '1' \(str\) in row 0, and 1 \(int\) in row 501"),
        (InContextClassifier, [1.5, 2.0], "Unknown label type: continuous.* got 1.5 in row 500; InContextRegressor"),
        (InContextClassifier, [b"a", b"b"], "Unknown label type: bytes.* in row 0"),
        (InContextClassifier, [1j, 2j], "Unknown label type: complex128"),
        (InContextClassifier, [np.inf, 1.0], "contains infinity.* row 500"),
        (InContextRegressor, ["x", "y"], r"y: expected numbers, got 'x' \(str\) in row 500; InContextClassifier"),
        (InContextRegressor, [10**400, 1], r"y: expected numbers, got 1000.* in row 500"),
        (InContextRegressor, [-np.inf, 1.0], "contains infinity.* row 500"),
        (InContextRegressor, [1j, 2j], "y: expected numbers, got complex128"),
        (InContextRegressor, [np.datetime64("2020-01-01")] * 2, "y: expected numbers, got datetime64"),
    ],
)  # fmt: skip
def test_a_label_that_is_none_is_named_in_a_short_message(face, label, message):
    first = (
        label[0] if isinstance(label[0], np.datetime64 | bytes | complex) else "1" if isinstance(label[0], str) else 1
    )
    with pytest.raises(ValueError, match=message) as caught:
        face().fit(np.arange(1004.0).reshape(502, 2), [*[first] * 500, *label])
    assert len(str(caught.value)) < 300


# warnings


@pytest.mark.parametrize("face", [InContextClassifier, InContextRegressor, ClassPredictor, NumberPredictor])
def test_a_context_read_in_part_is_a_warning_of_its_own_kind_at_the_users_line(face):
    x, y = blobs(50, 3, 2)
    with pytest.warns(ContextWarning, match=r"larger max_context \(--max-context\)") as told:
        face(max_context=20).fit(x, y)
    assert told[0].filename == __file__
    assert issubclass(ContextWarning, UserWarning)


@pytest.mark.parametrize(("face", "model"), FACES)
def test_what_influence_costs_is_said_beforehand(face, model, monkeypatch):
    x, y = blobs(30, 3, 2)
    fitted = face(model).fit(x, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted.influence(x[:1])
    monkeypatch.setattr("ctxlearn.estimators.predictor.COSTLY_ROWS", 20)
    with pytest.warns(ContextWarning, match="without each of its 30 rows, which takes 30 times") as told:
        fitted.influence(x[:1])
    assert told[0].filename == __file__
    monkeypatch.setattr("ctxlearn.estimators.predictor.INFLUENCE_ROWS", 20)
    with pytest.raises(ValueError, match="influence: expected a context of at most 20 rows, got 30"):
        fitted.influence(x[:1])


# without scikit-learn


def test_the_core_answers_as_the_estimators_do(tmp_path):
    x, y = blobs(40, 3, 3)
    core, face = ClassPredictor(MODEL).fit(x, y), InContextClassifier(MODEL).fit(x, y)
    np.testing.assert_array_equal(core.predict_proba(x), face.predict_proba(x))
    np.testing.assert_array_equal(core.influence(x[:2]), face.influence(x[:2]))
    core.save(tmp_path / "file")
    np.testing.assert_array_equal(InContextClassifier.load(tmp_path / "file").predict(x), face.predict(x))
    numbers, regressor = NumberPredictor(NUMBERS).fit(x, y), InContextRegressor(NUMBERS).fit(x, y)
    np.testing.assert_array_equal(numbers.predict_quantiles(x), regressor.predict_quantiles(x))
    for wrong, message in ((x[:, :2], "X: expected 3 columns, as in fit, got 2"), (3, "X: expected a table of rows")):
        with pytest.raises(ValueError, match=message):
            core.predict(wrong)
    with pytest.raises(ValueError, match="not fitted yet"):
        ClassPredictor(MODEL).predict(x)
    with pytest.raises(ValueError, match="y: expected 40 labels, one per row of X, got 39"):
        ClassPredictor(MODEL).fit(x, y[:-1])


HEAVY = (
    "torch._dynamo",
    "torch._inductor",
    "sympy",
    "lightning_fabric",
    "ctxlearn.training.loop",
    "matplotlib",
    "scipy",
    "sklearn",
)


def test_predicting_from_the_shell_imports_only_what_it_needs(tmp_path):
    pd.DataFrame({"a": range(8), "b": list("uvuvuvuv"), "y": [0, 1] * 4}).to_csv(tmp_path / "c.csv", index=False)
    code = (
        "import sys; from ctxlearn.cli import main\n"
        "for y in ('y', 'a'):\n"
        "    options = ['--task', 'regression'] if y == 'a' else []\n"
        "    assert main(['predict', '--context', 'c.csv', '--target', y, '--query', 'c.csv', '--out', 'o.csv', *options]) == 0\n"
        f"print('found', [m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "found []"


def test_an_estimator_needs_no_training_loop():
    code = (
        "import sys, numpy as np; from ctxlearn import InContextClassifier\n"
        "InContextClassifier().fit(np.arange(8.0)[:, None], [0, 1] * 4).predict([[1.0]])\n"
        f"print([m for m in {HEAVY[:6]!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# threads, progress, interruption


def test_threads_are_found_as_they_were_after_overlapping_predictions():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        x, y = blobs(20, 3, 3)
        models = [Slow(), Slow()]
        fitted = [InContextClassifier(model).fit(x, y) for model in models]
        after, done = {}, [threading.Event(), threading.Event()]

        def work(number):
            fitted[number].predict(x)
            done[number].set()
            assert done[1].wait(300)
            after[number] = torch.get_num_threads()

        threads = [threading.Thread(target=work, args=(number,)) for number in (0, 1)]
        for model, thread in zip(models, threads, strict=True):
            thread.start()
            assert model.asked.wait(300)
        for model, over in zip(models, done, strict=True):
            model.may_answer.set()
            assert over.wait(300)
        for thread in threads:
            thread.join()
        new = threading.Thread(target=lambda: after.update(new=torch.get_num_threads()))
        new.start()
        new.join()
        assert after == {0: 3, 1: 3, "new": 3}
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_progress_of_long_work_is_shown_where_somebody_watches_or_asks(monkeypatch, capsys):
    x, y = blobs(20, 3, 3)
    monkeypatch.setattr("ctxlearn.estimators.inference.LONG_SECONDS", 1e-9)
    classifier = InContextClassifier(MODEL).fit(x, y)
    classifier.predict(np.zeros((600, 3)))
    assert capsys.readouterr().err == ""  # nobody watches
    classifier.shows_progress = True
    classifier.fit(x, y).predict(np.zeros((600, 3)))
    classifier.influence(x)
    captured = capsys.readouterr()
    assert "predicting: 100%" in captured.err
    assert "600/600" in captured.err
    assert "leaving rows out: 100%" in captured.err
    assert captured.out == ""
    monkeypatch.setattr("ctxlearn.estimators.inference.LONG_SECONDS", 1000)
    classifier.fit(x, y).predict(np.zeros((600, 3)))
    assert capsys.readouterr().err == ""  # it was soon over


@pytest.mark.skipif(os.name == "nt", reason="there are no such signals")
def test_ctrl_c_ends_a_long_prediction_and_its_threads():
    code = """
import os, signal, threading, time
import numpy as np, torch
from ctxlearn import InContextClassifier
x = np.random.default_rng(0).normal(size=(200, 5))
classifier = InContextClassifier().fit(x, np.arange(200) % 3)
before, threads = torch.get_num_threads(), threading.active_count()
rows = np.zeros((3_000_000, 5))
threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    classifier.predict(rows)
except KeyboardInterrupt:
    deadline = time.monotonic() + 300
    while threading.active_count() > threads and time.monotonic() < deadline:
        time.sleep(0.01)  # the timer's own thread ends, too
    print("stopped", threading.active_count() - threads, torch.get_num_threads() - before)
classifier.predict(x)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=False)
    assert done.stdout.split() == ["stopped", "0", "0"], done.stderr
