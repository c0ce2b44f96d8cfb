"""The estimators on models that need no training, or have had none: what holds whatever the model has learned."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from toy_tables import blobs, neighbour, plane, ridge, untrained

import ctxlearn
from ctxlearn import InContextClassifier, InContextRegressor
from ctxlearn.estimators.classes import classes_from_groups
from ctxlearn.learners import InContextTransformer
from ctxlearn.storage import CorruptFileError

MODEL, NUMBERS = untrained().double(), untrained(n_classes=None).double()
SINGLE = untrained()
"""Learners compute in the precision of their weights: the others in double, so that what should be equal is to 1e-9."""


def fitted(n_rows=40, n_classes=3, n_features=3, **arguments):
    x, y = blobs(n_rows, n_features, n_classes)
    return InContextClassifier(MODEL, **arguments).fit(x, y)


def test_without_permutations_the_answer_is_the_learners_own():
    x, y = blobs(30, 20, 4)
    found = InContextClassifier(MODEL, n_estimators=1).fit(x, y).predict_proba(x[:7])
    logits = MODEL(torch.tensor(x)[None], torch.tensor(y)[None], torch.tensor(x[:7])[None])
    np.testing.assert_allclose(found, logits[0, :, :4].softmax(-1).detach(), atol=1e-9)

    x, y = plane(30, 20)
    regressor = InContextRegressor(NUMBERS).fit(x, y)
    assert regressor.n_views_ == 1  # the order of features means nothing to this learner
    means = NUMBERS(torch.tensor(x)[None], torch.tensor(y)[None], torch.tensor(x[:7])[None])
    np.testing.assert_allclose(regressor.predict(x[:7]), means[0].detach(), rtol=1e-9)


@pytest.mark.parametrize("n_estimators", [1, 2, 8])
def test_an_answer_has_the_same_bits_whatever_else_is_asked(n_estimators):
    x, y = blobs(30, 5, 4, spread=1.5)
    classifier = InContextClassifier(SINGLE, n_estimators=n_estimators).fit(x, y)
    asked = np.random.default_rng(0).normal(size=(333, 5))
    expected = classifier.predict_proba(asked)
    order = np.random.default_rng(1).permutation(333)
    np.testing.assert_array_equal(classifier.predict_proba(asked[order]), expected[order])
    few = classifier.predict_proba(asked[:60])
    np.testing.assert_allclose(few, expected[:60], atol=1e-6)  # in pieces of another size
    for first, last in ((0, 1), (31, 32), (7, 45)):
        np.testing.assert_array_equal(classifier.predict_proba(asked[first:last]), few[first:last])
    in_double = InContextClassifier(copy.deepcopy(SINGLE).double(), n_estimators=n_estimators).fit(x, y)
    np.testing.assert_allclose(expected, in_double.predict_proba(asked), atol=1e-5)


@pytest.mark.parametrize(("n_rows", "seed"), [(1, 0), (2, 1), (7, 2), (7, 3), (40, 4), (40, 5)])
def test_an_answer_does_not_depend_on_what_else_is_asked(n_rows, seed):
    x, y = blobs(n_rows, 5, min(n_rows, 3), seed)
    asked = np.random.default_rng(seed).normal(size=(17, 5)) * 10.0 ** np.arange(5)
    asked[seed % 17, seed % 5] = np.nan
    together = InContextClassifier(MODEL).fit(x, y).predict_proba(asked)
    alone = [InContextClassifier(MODEL).fit(x, y).predict_proba(asked[i : i + 1])[0] for i in range(3)]
    np.testing.assert_allclose(together[:3], alone, atol=1e-11)
    np.testing.assert_allclose(together.sum(1), 1, atol=1e-12)
    value = InContextRegressor(NUMBERS).fit(x, x[:, 0])
    np.testing.assert_allclose(value.predict(asked)[:1], value.predict(asked[:1]), rtol=1e-9)


def test_many_rows_are_answered_in_pieces_of_bounded_size(monkeypatch):
    classifier = fitted(n_estimators=4)
    asked = np.random.default_rng(0).normal(size=(300, 3))
    whole = classifier.predict_proba(asked)
    sizes = []
    ask = type(classifier._reading)._ask
    monkeypatch.setattr("ctxlearn.estimators.inference.MANY", 48)
    monkeypatch.setattr(type(classifier._reading), "_ask", lambda *a: sizes.append(len(a[1])) or ask(*a))
    np.testing.assert_allclose(classifier.predict_proba(asked), whole, atol=1e-11)
    assert set(sizes) == {48 // classifier.n_views_}
    assert 300 <= sum(sizes) < 300 + sizes[0]


def test_units_and_the_order_of_rows_and_columns_mean_nothing():
    x, y = blobs(40, 5, 3, spread=0.5)
    expected = InContextClassifier(MODEL).fit(x, y).predict_proba(x)
    scaled = x * [1e-3, 1e6, 7, -0.0 + 2, 1e9] + [5, -3e6, 1, 0, 1e9]
    np.testing.assert_allclose(InContextClassifier(MODEL).fit(scaled, y).predict_proba(scaled), expected, atol=1e-6)
    single = (
        InContextClassifier(SINGLE).fit(scaled, y).predict_proba(scaled)
    )  # scaling is in double precision all the same
    np.testing.assert_allclose(single, expected, atol=1e-5)
    order = np.random.default_rng(0).permutation(40)
    np.testing.assert_allclose(InContextClassifier(MODEL).fit(x[order], y[order]).predict_proba(x), expected, atol=1e-9)
    columns = [3, 0, 4, 1, 2]
    moved = InContextClassifier(MODEL).fit(x[:, columns], y).predict_proba(x[:, columns])
    np.testing.assert_allclose(moved, expected, atol=1e-9)


def test_names_of_classes_mean_nothing():
    x, y = blobs(40, 3, 2, spread=2)
    expected = InContextClassifier(MODEL).fit(x, y)
    assert expected.n_views_ == 2  # there are no more orders of two classes
    swapped = InContextClassifier(MODEL).fit(x, 1 - y).predict_proba(x)
    np.testing.assert_allclose(swapped[:, ::-1], expected.predict_proba(x), atol=1e-9)
    for names in (["no", "yes"], [False, True], [-5, 7], [0.0, 1.0], pd.Categorical(["a", "b"])):
        labels = pd.Series(names)[y] if isinstance(names, pd.Categorical) else np.array(names)[y]
        named = InContextClassifier(MODEL).fit(x, labels)
        np.testing.assert_allclose(named.predict_proba(x), expected.predict_proba(x), atol=1e-12)
        assert set(named.predict(x)) <= set(named.classes_) == set(names)


@pytest.mark.parametrize("n_classes", [2, 3, 6])
def test_each_class_is_shown_under_each_label_as_often(n_classes):
    slots = fitted(n_classes=n_classes, n_estimators=n_classes)._fitted.views.slots
    assert (slots.sort(0).values == torch.arange(n_classes)[:, None]).all()
    assert (slots.sort(1).values == torch.arange(n_classes)).all()
    more = fitted(n_classes=n_classes, n_estimators=3 * n_classes)._fitted.views.slots
    assert len({tuple(row.tolist()) for row in more}) == len(more) >= min(n_classes, 2)


def test_views_follow_the_random_state():
    x, y = blobs(40, 3, 6, spread=2)

    def proba(state):
        return InContextClassifier(MODEL, random_state=state).fit(x, y).predict_proba(x)

    np.testing.assert_array_equal(proba(3), proba(3))
    assert np.abs(proba(3) - proba(4)).max() > 1e-6
    np.testing.assert_array_equal(proba(np.random.RandomState(0)), proba(np.random.RandomState(0)))
    assert len({proba(None).tobytes() for _ in range(10)}) > 1  # two of them may show the classes in the same order
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    proba(None)
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])
    assert torch.equal(torch.get_rng_state(), before[1])


def test_one_class_or_one_value_is_the_answer():
    x, _ = blobs(6)
    classifier = InContextClassifier(MODEL).fit(x, ["only"] * 6)
    assert classifier.predict(x).tolist() == ["only"] * 6
    np.testing.assert_array_equal(classifier.predict_proba(x), np.ones((6, 1)))
    for rows in (1, 6):
        regressor = InContextRegressor(NUMBERS).fit(x[:rows], np.full(rows, 3e6))
        np.testing.assert_array_equal(regressor.predict(x), np.full(6, 3e6))
        np.testing.assert_array_equal(regressor.predict_quantiles(x, [0.1, 0.9]), np.full((6, 2), 3e6))


def test_quantiles():
    x, y = plane()
    regressor = InContextRegressor(NUMBERS).fit(x, y)
    levels = np.linspace(0.025, 0.975, 20)
    found = regressor.predict_quantiles(x, levels)
    assert (np.diff(found, axis=1) >= 0).all()
    np.testing.assert_allclose(found.mean(1), regressor.predict(x), rtol=1e-9)
    between = regressor.predict_quantiles(x, [0.05])[:, 0]
    np.testing.assert_allclose(between, found[:, :2].mean(1), rtol=1e-9)
    again = InContextRegressor(NUMBERS).fit(x, 3 * y - 5)
    np.testing.assert_allclose(again.predict_quantiles(x), 3 * regressor.predict_quantiles(x) - 5, rtol=1e-6)
    for wrong in ([0.01], [0.5, 0.99], [np.nan], [[0.5]]):
        with pytest.raises(ValueError, match=r"levels: expected numbers in \[0\.025, 0\.975\]"):
            regressor.predict_quantiles(x, wrong)
    with pytest.raises(ValueError, match="Ridge predicts no distribution"):
        InContextRegressor(ridge()).fit(x, y).predict_quantiles(x)


def test_a_reference_is_a_model_too():
    x, y = blobs(60, 4, 3)
    classifier = InContextClassifier(neighbour()).fit(x[:30], y[:30])
    assert classifier.score(x[30:], y[30:]) == 1
    x, y = plane(60)
    np.testing.assert_allclose(InContextRegressor(ridge()).fit(x[:30], y[:30]).predict(x[30:]), y[30:], rtol=1e-6)


def test_missing_values_of_a_learner_that_takes_none_become_the_mean():
    x, y = blobs(30, 4, 3)
    x[3, 1] = x[7, 2] = np.nan
    filled = np.where(np.isnan(x), np.nanmean(x, axis=0), x)
    asked, mean = x[:5].copy(), np.nanmean(x, axis=0)
    asked[0, 3] = np.nan
    found = InContextClassifier(untrained(encoder=None)).fit(x, y).predict_proba(asked)
    gap = InContextClassifier(untrained(encoder=None)).fit(x, y).predict_proba(np.where(np.isnan(asked), mean, asked))
    np.testing.assert_allclose(found, gap, atol=1e-9)
    assert np.isfinite(InContextClassifier(neighbour()).fit(filled, y).predict_proba(asked)).all()


def test_a_longer_context_is_read_in_parts_of_it_and_said_so():
    x, y = blobs(200, 3, 8)
    y[:] = np.where(np.arange(200) < 9, y, 0)  # rare classes
    with pytest.warns(UserWarning, match="200 rows: each of 4 views reads 40 of them"):
        classifier = InContextClassifier(neighbour(), n_estimators=4, max_context=40).fit(x, y)
    views = classifier._fitted.views
    assert views.rows.shape == (4, 40)
    assert all(set(classifier._fitted.y[rows].tolist()) == set(range(8)) for rows in views.rows)
    assert len({tuple(rows.tolist()) for rows in views.rows}) == 4
    np.testing.assert_allclose(classifier.predict_proba(x).sum(1), 1)
    x, y = plane(200)
    with pytest.warns(UserWarning, match="200 rows"):
        assert InContextRegressor(ridge(), max_context=40).fit(x, y).score(x, y) > 0.99
    with pytest.raises(ValueError, match="at most max_context = 5 classes, one row each, got 9"):
        InContextClassifier(neighbour(), max_context=5).fit(*blobs(20, 3, 9))


@pytest.mark.filterwarnings("ignore:a context of 100000 rows")
def test_a_hundred_thousand_rows():
    x, y = blobs(100_000, 3, 3)
    classifier = InContextClassifier(neighbour(), max_context=100, n_estimators=2).fit(x, y)
    assert classifier.score(x[:20_000], y[:20_000]) == 1
    assert len(classifier._fitted.x) <= 200  # what no view reads is not kept


@pytest.mark.parametrize("known", [2, 3, 10])
def test_more_classes_than_the_learner_knows(known):
    x, y = blobs(104, 6, 26)
    names = np.array([chr(97 + c) for c in range(26)])
    classifier = InContextClassifier(neighbour(n_classes=known)).fit(x[:52], names[y[:52]])
    views = classifier._fitted.views
    assert int(views.slots.max()) < known
    assert len({tuple(codes.tolist()) for codes in views.slots.T}) == 26  # any two are apart somewhere
    sizes = torch.stack([(views.slots == label).sum(1) for label in range(known)])
    assert int(sizes.max()) - int(sizes.min()) <= 1
    np.testing.assert_allclose(classifier.predict_proba(x).sum(1), 1, atol=1e-12)
    np.testing.assert_array_equal(classifier.predict(x[52:]), names[y[52:]])


def test_classes_are_found_from_their_groups():
    generator = torch.Generator().manual_seed(0)
    true = torch.rand(5, 7, generator=generator, dtype=torch.float64) ** 3
    true = true / true.sum(1, keepdim=True)
    slots = torch.stack([(torch.arange(7) % 3)[torch.randperm(7, generator=generator)] for _ in range(12)])
    groups = torch.zeros(12, 5, 3, dtype=torch.float64)
    groups.scatter_add_(2, slots[:, None].expand(-1, 5, -1), true.expand(12, -1, -1))
    np.testing.assert_allclose(classes_from_groups(groups.log(), slots), true, atol=0.02)
    slots = torch.stack([torch.randperm(3, generator=generator) for _ in range(4)])
    logits = torch.randn(4, 5, 10, generator=generator, dtype=torch.float64)
    shares = logits[..., :3].softmax(-1).gather(2, slots[:, None].expand(-1, 5, -1)).mean(0)
    np.testing.assert_allclose(classes_from_groups(logits, slots), shares, atol=1e-14)


@pytest.mark.parametrize("sort", [True, False])
def test_more_features_than_the_learner_takes(sort):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 50))
    y = (x[:, 17] + x[:, 41] > 0).astype(int)
    model = untrained(8, 2)
    if not sort:
        model = InContextTransformer(8, 2, width=16, depth=1, heads=2)
    views = InContextClassifier(model, n_estimators=60 if not sort else 2).fit(x, y)._fitted.views
    shown = [set(row.tolist()) for row in views.features]
    assert all({17, 41} <= features and len(features) == 8 for features in shown)
    if not sort:
        assert set.union(*shown) == set(range(50))
    assert InContextRegressor(ridge(8)).fit(x, x[:, 3] + x[:, 33]).score(x, x[:, 3] + x[:, 33]) > 0.9


def test_influence_is_what_leaving_a_row_out_does():
    x, y = blobs(12, 4, 3, spread=1.5)
    classifier = InContextClassifier(MODEL).fit(x, y)
    found = classifier.influence(x[:5])
    assert found.shape == (5, 12)
    best = classifier.predict_proba(x[:5]).argmax(1)
    for row in (0, 4, 11):
        kept = np.arange(12) != row
        without = InContextClassifier(MODEL).fit(x[kept], y[kept]).predict_proba(x[:5])
        expected = classifier.predict_proba(x[:5]) - without
        np.testing.assert_allclose(found[:, row], expected[np.arange(5), best], atol=1e-9)
    x, y = plane(12)
    regressor = InContextRegressor(NUMBERS).fit(x, y)
    without = InContextRegressor(NUMBERS).fit(x[1:], y[1:]).predict(x[:5])
    np.testing.assert_allclose(regressor.influence(x[:5])[:, 0], regressor.predict(x[:5]) - without, atol=1e-7)


def test_the_row_of_most_influence_matters_more_than_another():
    x, y = blobs(30, 4, 3, spread=1.5)
    x, asked, y = x[:20], x[20:], y[:20]
    classifier = InContextClassifier(MODEL).fit(x, y)
    whole = classifier.predict_proba(asked)
    top = np.abs(classifier.influence(asked)).argmax(axis=1)
    other = np.random.default_rng(0).integers(20, size=10)
    moved = []
    for query, rows in enumerate(zip(top, other, strict=True)):
        for row in rows:
            rest = InContextClassifier(MODEL).fit(np.delete(x, row, 0), np.delete(y, row))
            best = whole[query].argmax()
            moved.append(abs(rest.predict_proba(asked[query : query + 1])[0, best] - whole[query, best]))
    of_top, of_other = np.array(moved).reshape(10, 2).T
    assert (of_top >= of_other - 1e-12).all()
    assert of_top.mean() > of_other.mean()


def test_influence_in_pieces_is_the_same(monkeypatch):
    x, y = blobs(12, 4, 3, spread=1.5)
    classifier = InContextClassifier(MODEL).fit(x, y)
    whole = classifier.influence(x)
    monkeypatch.setattr("ctxlearn.estimators.inference.CONTEXT_POINTS", 50)
    np.testing.assert_allclose(classifier.influence(x), whole, atol=1e-11)


@pytest.mark.filterwarnings("ignore:a context of")
def test_influence_needs_a_context_that_is_read_whole():
    with pytest.raises(ValueError, match="influence: expected a context of at most max_context = 10 rows"):
        fitted(max_context=10).influence(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="influence: expected a context of at least 2 rows"):
        fitted(n_rows=1, n_classes=1).influence(np.zeros((1, 3)))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (3, "model: expected None for the shipped model, the folder of a run, a Run or a Learner, got 3"),
        (NUMBERS, "model: expected a learner for a classifier, got one that predicts numbers; use InContextRegressor"),
        (neighbour((2, 3)), "model: expected a learner of rows of a table, whose n_features is an integer, got"),
        (neighbour(None), "model: expected a learner of rows of a table, whose n_features is an integer, got None"),
        ("no/such/run", "no/such/run holds no run"),
    ],
)
def test_models_that_cannot_be_used(model, message):
    with pytest.raises(ValueError, match=message):
        InContextClassifier(model).fit(*blobs())


def test_a_run_is_a_model(tmp_path):
    family = ctxlearn.tasks.ClassPrototype()
    learner = InContextTransformer(2, 2, width=8, depth=1, heads=2)
    config = ctxlearn.TrainingConfig(steps=1, tasks_per_step=2, n_points=4, progress=False, threads=1)
    run = ctxlearn.train(learner, family, config, out=tmp_path / "run")
    x, y = blobs(10, 2, 2)
    answers = [
        InContextClassifier(m).fit(x, y).predict_proba(x) for m in (run, run.learner, run.folder, str(run.folder))
    ]
    for found in answers[1:]:
        np.testing.assert_array_equal(found, answers[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_estimators": 0}, "n_estimators: expected an integer >= 1, got 0"),
        ({"n_estimators": 2.5}, "n_estimators: expected an integer >= 1, got 2.5"),
        ({"max_context": 1}, "max_context: expected an integer >= 2, got 1"),
        ({"random_state": "a"}, "random_state: expected an integer"),
    ],
)
def test_arguments_that_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        fitted(**arguments)


@pytest.mark.parametrize(
    ("estimator", "y", "message"),
    [
        (InContextClassifier, [0.5, 1.5, 2.5, 3.5], "Unknown label type: continuous.*InContextRegressor takes numbers"),
        (InContextClassifier, ["a", None, "b", "b"], "Input y contains NaN: row 1 has no label"),
        (InContextClassifier, [0, np.nan, 1, 1], "Input y contains NaN"),
        (InContextClassifier, [0, 1, 1], "inconsistent numbers of samples"),
        (InContextClassifier, np.eye(4), "y should be a 1d array"),
        (InContextRegressor, ["a", "b", "c", "d"], "y: expected numbers, got .*InContextClassifier takes classes"),
        (InContextRegressor, [0, np.inf, 1, 1], "Input y contains infinity"),
        (InContextRegressor, [0, None, 1, 1], "Input y contains NaN"),
    ],
)
def test_labels_that_cannot_be(estimator, y, message):
    model = MODEL if estimator is InContextClassifier else NUMBERS
    with pytest.raises(ValueError, match=message):
        estimator(model).fit(np.arange(8.0).reshape(4, 2), y)


def test_copies_pickles_and_searches():
    x, y = blobs(40, 3, 3, spread=1)
    classifier = InContextClassifier(MODEL).fit(x, y)
    expected = classifier.predict_proba(x)
    for again in (pickle.loads(pickle.dumps(classifier)), copy.deepcopy(classifier)):
        np.testing.assert_array_equal(again.predict_proba(x), expected)
    np.testing.assert_array_equal(clone(classifier).fit(x, y).predict_proba(x), expected)
    with pytest.raises(NotFittedError):
        clone(classifier).predict(x)
    search = GridSearchCV(InContextClassifier(neighbour()), {"n_estimators": [1, 2]}, cv=3).fit(x, y)
    assert search.best_score_ > 0.5
    pipeline = make_pipeline(FunctionTransformer(np.tanh), InContextRegressor(ridge())).fit(x, y)
    assert pickle.loads(pickle.dumps(pipeline)).predict(x).shape == (40,)


@pytest.mark.parametrize("labels", [["no", "yes", "perhaps"], [3, 1, 2], [0.0, 1.0, 2.0]])
def test_saved_and_loaded_it_answers_the_same(labels, tmp_path):
    x, y = blobs(40, 4, 3, spread=1)
    table = pd.DataFrame(
        {"a": x[:, 0], "b": pd.Categorical(np.array(["u", "v", "w"])[y]), "c": x[:, 1] > x[:, 1].mean()}
    )
    classifier = InContextClassifier(MODEL, random_state=5).fit(table, np.array(labels)[y])
    classifier.save(tmp_path / "deep" / "classifier.safetensors")
    again = InContextClassifier.load(tmp_path / "deep" / "classifier.safetensors")
    np.testing.assert_array_equal(again.predict_proba(table), classifier.predict_proba(table))
    np.testing.assert_array_equal(again.predict(table), classifier.predict(table))
    np.testing.assert_array_equal(again.influence(table[:2]), classifier.influence(table[:2]))
    assert again.classes_.dtype == classifier.classes_.dtype
    assert again.get_params() | {"model": MODEL} == classifier.get_params()
    np.testing.assert_array_equal(
        again.fit(table, y).predict(table), InContextClassifier(MODEL, random_state=5).fit(table, y).predict(table)
    )
    with pytest.raises(ValueError, match="feature names"):
        again.predict(table.rename(columns={"a": "z"}))
    again.fit(table, np.array(labels)[y]).save(tmp_path / "again")
    first = (tmp_path / "deep" / "classifier.safetensors").read_bytes()
    assert (tmp_path / "again").read_bytes() == first


def test_a_saved_regressor(tmp_path):
    x, y = plane()
    regressor = InContextRegressor(NUMBERS).fit(x, y)
    regressor.save(str(tmp_path / "r"))
    np.testing.assert_array_equal(
        InContextRegressor.load(tmp_path / "r").predict_quantiles(x), regressor.predict_quantiles(x)
    )
    constant = InContextRegressor(NUMBERS).fit(x, np.ones(40))
    constant.save(tmp_path / "c")
    np.testing.assert_array_equal(InContextRegressor.load(tmp_path / "c").predict(x), np.ones(40))


def test_files_that_cannot_be_read(tmp_path):
    fitted().save(tmp_path / "good")
    content = (tmp_path / "good").read_bytes()
    for name, changed in {
        "cut": content[:-9],
        "flipped": content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
    }.items():
        (tmp_path / name).write_bytes(changed)
        with pytest.raises(CorruptFileError, match=name):
            InContextClassifier.load(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="no file"):
        InContextClassifier.load(tmp_path / "absent")
    with pytest.raises(ValueError, match="expected a saved regressor, got a classifier"):
        InContextRegressor.load(tmp_path / "good")
    ctxlearn.storage.save_tensors(tmp_path / "other", {}, {})
    with pytest.raises(CorruptFileError, match="no estimator"):
        InContextClassifier.load(tmp_path / "other")
    with pytest.raises(NotFittedError):
        InContextClassifier().save(tmp_path / "new")
