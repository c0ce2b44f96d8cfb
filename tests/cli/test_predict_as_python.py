"""A table gives the same answer, bit for bit, as a file to the command and as a frame to the estimators."""

import io
import string

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from runs import small
from toy_tables import untrained

import ctxlearn
from ctxlearn.cli import main
from ctxlearn.training import FamilySource

FLOATS = st.floats(-1e12, 1e12, allow_nan=False).map(lambda v: float(f"{v:.6g}"))
NAMES = st.lists(st.text(string.ascii_letters + "äöß é-", min_size=1, max_size=8), min_size=2, max_size=4)
WORDS = ["red", "green", "big", "small", "house", "tree", "river"]


def column(kind, n):
    """A strategy of n cells as pandas has them."""
    if kind == "floats":
        return st.lists(FLOATS | st.none(), min_size=n, max_size=n).map(lambda v: pd.Series(v, dtype=float))
    if kind == "integers":
        return st.lists(st.integers(-(2**40), 2**40), min_size=n, max_size=n).map(pd.Series)
    if kind == "large integers":
        return st.lists(st.integers(2**53, 2**53 + 8), min_size=n, max_size=n).map(pd.Series)
    if kind == "truths":
        return st.lists(st.booleans(), min_size=n, max_size=n).map(pd.Series)
    if kind == "names":
        return NAMES.flatmap(lambda names: st.lists(st.sampled_from([*names, None]), min_size=n, max_size=n)).map(text)
    if kind == "written numbers":
        forms = st.sampled_from(["{:,.2f}", "${:,.2f}", "{:.1f} kg", "{:_.0f}"])
        numbers = st.lists(st.floats(-1e6, 1e6), min_size=n, max_size=n)
        return st.builds(lambda form, values: text([form.format(v) for v in values]), forms, numbers)
    if kind == "days":
        days = st.lists(st.dates() | st.none(), min_size=n, max_size=n)
        return days.map(lambda v: pd.Series(pd.to_datetime(v)).astype("datetime64[us]"))
    if kind == "moments":
        return st.lists(st.datetimes(), min_size=n, max_size=n).map(lambda v: pd.Series(v, dtype="datetime64[us]"))
    sentence = st.lists(st.sampled_from(WORDS), min_size=3, max_size=6).map(" ".join)
    return st.lists(sentence, min_size=n, max_size=n).map(text)


def text(values):
    return pd.Series([None if v is None or not v.strip() else v.strip() for v in values], dtype=object)


KINDS = ("floats", "integers", "large integers", "truths", "names", "written numbers", "days", "moments", "sentences")


@st.composite
def frames(draw):
    """A table of 12 to 16 rows and one to four columns."""
    n = draw(st.integers(12, 16))
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=4))
    return pd.DataFrame({f"{kind} {i}": draw(column(kind, n)) for i, kind in enumerate(kinds)})


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of a run of one step."""
    folder = tmp_path_factory.mktemp("model") / "run"
    source = FamilySource(ctxlearn.tasks.ClassPrototype(4, 3), n_tasks=2, n_points=6)
    small(
        folder, learner=untrained(4, 3, width=8), source=source, steps=1, warmup_steps=0, tasks_per_step=4, n_points=6
    )
    return str(folder)


@pytest.mark.filterwarnings("ignore::ctxlearn.estimators.TableWarning")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(frame=frames())
def test_a_file_and_its_frame_give_the_same_bits(frame, model, tmp_path, capsys):
    y = np.array(["p", "q", "r"])[np.arange(len(frame)) % 3]
    n = len(frame) - 4
    context, query = frame[:n], frame[n:]
    context.assign(target=y[:n]).to_csv(tmp_path / "context.csv", index=False)
    query.to_csv(tmp_path / "query.csv", index=False)
    command = ["--context", str(tmp_path / "context.csv"), "--query", str(tmp_path / "query.csv"), "--quiet"]
    status = main(["predict", "--target", "target", "--model", model, *command])
    out, err = capsys.readouterr()
    estimator = ctxlearn.InContextClassifier(model)
    if status == 1:
        event("refused by both")
        with pytest.raises(ValueError, match=r"X: column|no column is left"):
            estimator.fit(context, y[:n]).predict_proba(query)
        return
    assert status == 0, err
    table = pd.read_csv(io.StringIO(out), dtype=str)
    expected = estimator.fit(context, y[:n]).predict_proba(query)
    np.testing.assert_array_equal(table.iloc[:, 2:].to_numpy().astype(float), expected)
