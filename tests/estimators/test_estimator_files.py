"""Saved estimators that somebody has made or changed, and what estimators share: nothing."""

import numpy as np
import pytest
import strangers
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxlearn import InContextClassifier, InContextRegressor
from ctxlearn.estimators.models import find_learner
from ctxlearn.storage import CorruptFileError, load_tensors, save_tensors

CHANGES = {
    "no columns": lambda f, t: f.pop("columns"),
    "no kind": lambda f, t: f.pop("kind"),
    "no format": lambda f, t: f.pop("format"),
    "no seed": lambda f, t: f.pop("seed"),
    "no settings": lambda f, t: f.pop("settings"),
    "no names": lambda f, t: f.pop("names"),
    "no target": lambda f, t: [f.pop(k, None) for k in ("classes", "constant")],
    "no rows": lambda f, t: t.pop("x"),
    "no labels": lambda f, t: t.pop("y"),
    "no views": lambda f, t: [t.pop(k) for k in [k for k in t if k.startswith("views.")]],
    "no weights": lambda f, t: [t.pop(k) for k in [k for k in t if k.startswith("learner.")]],
    "no learner": lambda f, t: f.pop("learner"),
    "another kind": lambda f, t: f.update(kind="transformer"),
    "another format": lambda f, t: f.update(format=99),
    "a kind that is a list": lambda f, t: f.update(kind=["classifier"]),
    "settings of other names": lambda f, t: f.update(settings={"n_permutations": 3}),
    "settings of other types": lambda f, t: f["settings"].update(n_estimators="many"),
    "settings that are none": lambda f, t: f.update(settings=[1]),
    "a seed of text": lambda f, t: f.update(seed="x"),
    "a seed below zero": lambda f, t: f.update(seed=-1),
    "too few names": lambda f, t: f.update(names=["a"]),
    "names of numbers": lambda f, t: f.update(names=[1, 2]),
    "columns of text": lambda f, t: f.update(columns="ab"),
    "too few columns": lambda f, t: f["columns"].update(columns=f["columns"]["columns"][:1]),
    "rows of views + 1000": lambda f, t: t["views.rows"].add_(1000),
    "rows of views below zero": lambda f, t: t["views.rows"].sub_(1000),
    "features of views + 1000": lambda f, t: t["views.features"].add_(1000),
    "slots of views + 1000": lambda f, t: t["views.slots"].add_(1000) if t["views.slots"].numel() else t.clear(),
    "views of floats": lambda f, t: t.update({"views.rows": t["views.rows"].double()}),
    "views of one axis": lambda f, t: t.update({"views.rows": t["views.rows"][0]}),
    "views without views": lambda f, t: t.update({k: v[:0] for k, v in t.items() if k.startswith("views.")}),
    "more rows than labels": lambda f, t: t.update(x=torch.cat([t["x"], t["x"]])),
    "rows in single precision": lambda f, t: t.update(x=t["x"].float()),
    "labels + 1000": lambda f, t: t["y"].add_(1000) if t["y"].dtype == torch.int64 else t["y"].fill_(torch.nan),
    "infinite rows": lambda f, t: t["x"].fill_(torch.inf),
    "one weight less": lambda f, t: t.pop("learner.out.bias"),
    "a weight of another shape": lambda f, t: t.update({"learner.out.bias": torch.zeros(99)}),
    "a learner of other classes": lambda f, t: f["learner"]["init_args"].update(n_classes=3),
    "a learner of null": lambda f, t: f.update(learner=None),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    for name, estimator in zip(("classifier", "regressor"), strangers.estimators(), strict=True):
        estimator.save(folder / name)
    return folder


LOADERS = {"classifier": InContextClassifier.load, "regressor": InContextRegressor.load}


@pytest.mark.parametrize("kind", LOADERS)
@pytest.mark.parametrize("name", CHANGES)
def test_a_file_with_the_right_checksum_and_wrong_content_is_one_error_that_names_it(name, kind, saved, tmp_path):
    path = tmp_path / "file"
    path.write_bytes((saved / kind).read_bytes())
    try:
        strangers.edited(path, CHANGES[name])
    except (KeyError, AttributeError):
        pytest.fail(f"{name} changes nothing here")
    with pytest.raises(ValueError, match=r"file|another kind"):
        LOADERS[kind](path)


@pytest.mark.parametrize(
    "classes",
    [
        {"values": ["a", "b", "c"], "dtype": "<script>"},
        {"values": ["a", "b", "c"], "dtype": "<U1000000000"},
        {"values": ["a", "b", "c"], "dtype": "V8"},
        {"values": ["a", "b", "c"], "dtype": "<i8"},
        {"values": ["a", "b", "c"], "dtype": "O,O"},
        {"values": ["a", "b", "c"], "dtype": [["f", "O"]]},
        {"values": ["a", "b", "c"], "dtype": "datetime64[s]"},
        {"values": ["a", "b"], "dtype": "<U1"},
        {"values": ["a", ["b"], "c"], "dtype": "|O"},
        {"values": ["a", None, "c"], "dtype": "|O"},
        {"values": "abc", "dtype": "<U1"},
        {"values": {"a": 1}, "dtype": "<U1"},
        {"dtype": "<U1"},
        {"values": ["a", "b", "c"]},
        [],
        None,
        "abc",
    ],
    ids=repr,
)
def test_classes_are_text_numbers_or_booleans_and_as_many_as_there_are(classes, saved, tmp_path):
    path = tmp_path / "file"
    path.write_bytes((saved / "classifier").read_bytes())
    strangers.edited(path, lambda facts, _: facts.update(classes=classes))
    with pytest.raises(CorruptFileError, match="file is no estimator that this version can read"):
        InContextClassifier.load(path)


@pytest.mark.parametrize("constant", ["x", [], "inf", {}, True])
def test_the_constant_of_a_regressor_is_a_number(constant, saved, tmp_path):
    path = tmp_path / "file"
    path.write_bytes((saved / "regressor").read_bytes())
    strangers.edited(path, lambda facts, _: facts.update(constant=constant))
    with pytest.raises(CorruptFileError, match="constant"):
        InContextRegressor.load(path)


def test_deep_facts_are_refused(tmp_path):
    facts = {}
    for _ in range(900):
        facts = {"a": facts}
    save_tensors(tmp_path / "file", {}, {"format": 1, "kind": "classifier", "deep": facts})
    with pytest.raises(CorruptFileError, match="nests deeper than"):
        InContextClassifier.load(tmp_path / "file")
    with pytest.raises(CorruptFileError, match="nests deeper than"):
        load_tensors(tmp_path / "file")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.filterwarnings("ignore:X has feature names, but")
@settings(max_examples=150)
@given(data=st.data(), value=JSON)
@pytest.mark.parametrize("kind", LOADERS)
def test_whatever_stands_in_a_fact_it_is_read_or_refused_in_one_error(kind, data, value, saved, tmp_path_factory):
    tensors, facts = load_tensors(saved / kind)
    key = data.draw(st.sampled_from(sorted(facts)))
    path = tmp_path_factory.mktemp("fuzzed") / "file"
    save_tensors(path, tensors, facts | {key: value})
    try:
        estimator = LOADERS[kind](path)
    except ValueError:
        return
    rows = strangers.as_table([["u", 0.5]]) if kind == "classifier" else [[1.0, 2.0]]
    assert len(estimator.predict(rows)) == 1


def test_the_files_of_this_version_come_back(saved):
    for name, estimator in zip(LOADERS, strangers.estimators(), strict=True):
        again = LOADERS[name](saved / name)
        rows = strangers.as_table([["u", 0.5], ["w", 2.0]]) if name == "classifier" else np.array([[1.0, 2.0]])
        assert np.array_equal(again.predict(rows), estimator.predict(rows))


# ---- nothing is shared

X, Y = [[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]], [0, 1, 1]


def spoil(learner):
    with torch.no_grad():
        for p in learner.parameters():
            p.fill_(7.0)


def test_an_estimators_learner_is_its_own(tmp_path):
    given_learner = strangers.learner(n_features=2)
    folder = strangers.run(tmp_path / "run")
    for model in (None, str(folder), given_learner):
        first = InContextClassifier(model).fit(X, Y)
        expected = first.predict_proba(X)
        spoil(first.learner_)
        assert np.array_equal(first.predict_proba(X), expected)  # what was read was read
        second = InContextClassifier(model).fit(X, Y)
        assert np.array_equal(second.predict_proba(X), expected)
        shared = {p.data_ptr() for p in first.learner_.parameters()} & {
            p.data_ptr() for p in second.learner_.parameters()
        }
        assert not shared
    assert float(next(iter(given_learner.parameters())).detach().max()) < 7
    one, other = find_learner(None, "regressor"), find_learner(None, "regressor")
    assert not {p.data_ptr() for p in one.parameters()} & {p.data_ptr() for p in other.parameters()}
