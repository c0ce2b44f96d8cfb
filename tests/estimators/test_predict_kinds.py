"""What people keep in tables, through the command and through Python: read right, so that the shipped model answers right."""

import io

import numpy as np
import pandas as pd
import pytest

from ctxlearn import InContextClassifier, InContextRegressor
from ctxlearn.cli import main

N_CONTEXT, N_QUERY = 40, 60


def swap(text, thousands, decimal):
    return text.translate(str.maketrans(",.", thousands + decimal))


def day(form):
    return lambda v: (pd.Timestamp("2020-06-15") + pd.Timedelta(days=int(v / 20))).strftime(form)


NUMBERS = {
    "plain": lambda v: f"{v:.2f}",
    "thousands": lambda v: f"{v:,.0f}",
    "decimal comma": lambda v: f"{v / 1e4:.3f}".replace(".", ","),
    "dollars": lambda v: f"${v:.2f}",
    "euros": lambda v: swap(f"{v:,.2f}", ".", ",") + " €",
    "kilograms": lambda v: f"{v:.1f} kg",
    "brackets": lambda v: f"({-v:.1f})" if v < 0 else f"{v:.1f}",
    "underscores": lambda v: f"{int(v):_}",
    "percent": lambda v: f"{v / 100:.1f}%",
    "Unicode minus": lambda v: f"{v:.1f}".replace("-", "\u2212"),
    "narrow blanks": lambda v: f"{v:,.0f}".replace(",", "\u202f"),
    "apostrophes": lambda v: f"{v:,.1f}".replace(",", "'"),
    "scientific": lambda v: f"{v:.3e}",
    "day first": day("%d/%m/%Y"),
    "month first": day("%m/%d/%Y"),
    "points": day("%d.%m.%Y"),
    "ISO": day("%Y-%m-%d"),
    "names of months": day("%b %d, %Y"),
    "moments": day("%Y-%m-%dT%H:%M:%S"),
}


def command(tmp_path, capsys, context, query, *options):
    """The table that `ctxlearn predict` writes for two frames, and what it says."""
    context.to_csv(tmp_path / "context.csv", index=False)
    query.to_csv(tmp_path / "query.csv", index=False)
    files = ["--context", str(tmp_path / "context.csv"), "--query", str(tmp_path / "query.csv")]
    assert main(["predict", *files, "--target", "y", *options]) == 0
    out, err = capsys.readouterr()
    return pd.read_csv(io.StringIO(out), dtype=str, keep_default_na=False), err


def right_answers(tmp_path, capsys, table, y, *options):
    """How many of the query's labels the command finds; Python must find the same."""
    context, query = table[:N_CONTEXT], table[N_CONTEXT:].reset_index(drop=True)
    told, _ = command(tmp_path, capsys, context.assign(y=y[:N_CONTEXT]), query, *options)
    if not options:
        in_python = InContextClassifier().fit(context, y[:N_CONTEXT]).predict(query)
        assert told["prediction"].tolist() == in_python.tolist()
    return int((told["prediction"] == y[N_CONTEXT:]).sum())


def signs(seed=0):
    """Values about zero, and their sign as a label."""
    rng = np.random.default_rng(seed)
    values = rng.choice([-1, 1], N_CONTEXT + N_QUERY) * rng.uniform(600, 30_000, N_CONTEXT + N_QUERY)
    values[0] = 641.0  # below 1,000, where the comma of `6,037` shows what it is
    return values, np.where(values > 0, "up", "down")


@pytest.mark.parametrize("form", NUMBERS)
def test_a_number_or_a_date_in_any_form_is_one(form, tmp_path, capsys):
    values, y = signs()
    table = pd.DataFrame({"x": [NUMBERS[form](v) for v in values]})
    assert right_answers(tmp_path, capsys, table, y) >= N_QUERY - 3


@pytest.mark.parametrize("change", [str.upper, str.lower, str.title, lambda v: f" {v} ", lambda v: v])
def test_categories_may_differ_by_case_and_blanks(change, tmp_path, capsys):
    _, y = signs()
    names = np.where(y == "up", "Male", "Female")
    context, query = (
        pd.DataFrame({"sex": names[:N_CONTEXT]}),
        pd.DataFrame({"sex": [change(v) for v in names[N_CONTEXT:]]}),
    )
    told, said = command(tmp_path, capsys, context.assign(y=y[:N_CONTEXT]), query)
    assert (told["prediction"] == y[N_CONTEXT:]).all()
    assert (" read as " in said) == (change("Male").strip() != "Male")


def test_categories_that_a_gap_made_floats_are_the_same(tmp_path, capsys):
    _, y = signs()
    codes = pd.Series(np.where(y == "up", 3, 7))
    context = pd.DataFrame({"code": codes[:N_CONTEXT], "y": y[:N_CONTEXT]})
    query = pd.DataFrame({"code": codes[N_CONTEXT:].where(np.arange(N_QUERY) > 0)})  # 3.0 and 7.0 in the file
    told, _ = command(tmp_path, capsys, context, query, "--categorical", "code")
    assert (told["prediction"] == y[N_CONTEXT:])[1:].all()


def test_free_text_is_read_by_its_words(tmp_path, capsys):
    _, y = signs()
    rng = np.random.default_rng(0)
    words = ["house", "tree", "river", "small", "green", "old", "fast", "round", "window", "street"]
    said = [" ".join(rng.permutation([*rng.choice(words, 5), "fine" if v == "up" else "broken"])) for v in y]
    assert right_answers(tmp_path, capsys, pd.DataFrame({"note": said}), y) >= N_QUERY - 3


def test_a_key_changes_no_answer(tmp_path, capsys):
    values, y = signs()
    table = pd.DataFrame({"x": values})
    keyed = table.assign(id=[f"R-{7 * n:05}" for n in range(len(table))])
    told = []
    for frame in (table, keyed):
        context, query = frame[:N_CONTEXT].assign(y=y[:N_CONTEXT]), frame[N_CONTEXT:]
        told.append(command(tmp_path, capsys, context, query)[0])
    pd.testing.assert_frame_equal(*told)


@pytest.mark.parametrize("wild", [500.0, 9999.0, -1e6, 1e12])
def test_one_wild_cell_does_not_ruin_a_column(wild):
    found = []
    for seed in range(20):
        x = np.random.default_rng(seed).normal(50, 10, (540, 3))
        y = (x[:, 0] + x[:, 1] / 2 > 75).astype(int)
        context = x[:40].copy()
        context[5, 0] = wild
        found.append((InContextClassifier().fit(context, y[:40]).predict(x[40:]) == y[40:]).mean())
    assert np.mean(found) > 0.879  # a random forest, which does not look at sizes


@pytest.mark.parametrize("prices", [[100, 120, 140, 165, 180, 200, 225, 240], [7, 6, 5, 4, 3, 2, 1, 0]])
def test_few_numbers_that_do_not_repeat_are_numbers(prices, tmp_path, capsys):
    sizes = np.arange(50, 130, 10)
    told, said = command(tmp_path, capsys, pd.DataFrame({"size": sizes, "y": prices}), pd.DataFrame({"size": [75]}))
    assert "regression of y from 8 rows of 1 column: its values are numbers that mostly do not repeat" in said
    assert list(told) == ["row", "prediction", "q0.05", "q0.95"]
    expected = InContextRegressor().fit(pd.DataFrame({"size": sizes}), prices).predict(pd.DataFrame({"size": [75]}))
    assert float(told["prediction"][0]) == expected[0]


def test_a_long_context_is_read_in_part_and_said_in_one_line(tmp_path, capsys):
    values = np.random.default_rng(0).normal(size=1100)
    table = pd.DataFrame({"x": values, "y": np.where(values > 0, "up", "down")})
    told, said = command(tmp_path, capsys, table, table[["x"]][:20], "--max-context", "300")
    assert sum("a context of 1100 rows: each of 2 views reads 300 of them" in line for line in said.splitlines()) == 1
    assert ".py" not in said
    assert (told["prediction"] == table["y"][:20]).mean() > 0.9
