"""`ctxlearn predict`: what it writes, what it says beside it, and what it refuses."""

import gzip
import io
import json
import os
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from runs import small
from toy_tables import blobs, untrained

import ctxlearn
from ctxlearn.cli import main
from ctxlearn.training import FamilySource

FLOWERS = pd.DataFrame(blobs(24, 2, 3, spread=0.5)[0], columns=["width", "height"]).round(3)
FLOWERS["colour"] = np.array(["red", "blue", "white"])[np.arange(24) % 3]
FLOWERS["kind"] = np.array(["rose", "iris", "lily"])[np.arange(24) % 3]
KNOWN, NEW = FLOWERS[:16], FLOWERS[16:]
REASONS = (("because", "by"), ("column", "column_by"))


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Runs of one step, for classes and for numbers."""
    folder = tmp_path_factory.mktemp("models")
    for name, n_classes in {"classifier": 3, "regressor": None}.items():
        family = ctxlearn.tasks.ClassPrototype(4, 3) if n_classes else ctxlearn.tasks.LinearRegression(n_features=4)
        source = FamilySource(family, n_tasks=2, n_points=6)
        learner = untrained(4, n_classes, width=8)
        small(folder / name, learner=learner, source=source, steps=1, warmup_steps=0, tasks_per_step=4, n_points=6)
    return {name: str(folder / name) for name in ("classifier", "regressor")}


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    KNOWN.to_csv("known.csv", index=False)
    NEW.to_csv("new.csv", index=False)


def predict(capsys, *arguments, target="kind"):
    """The table on standard output, and what is said beside it."""
    assert main(["predict", "--context", "known.csv", "--target", target, "--query", "new.csv", *arguments]) == 0
    out, err = capsys.readouterr()
    return pd.read_csv(io.StringIO(out)), err.splitlines()


def test_classes_come_with_probabilities(models, capsys):
    NEW.drop(columns="kind").iloc[:, ::-1].assign(number=range(8)).to_csv("new.csv", index=False)
    table, said = predict(capsys, "--model", models["classifier"])
    assert list(table) == ["row", "prediction", "p(iris)", "p(lily)", "p(rose)"]
    assert table["row"].tolist() == list(range(8))
    inputs = ["width", "height", "colour"]
    classifier = ctxlearn.InContextClassifier(models["classifier"]).fit(KNOWN[inputs], KNOWN["kind"])
    np.testing.assert_allclose(table.iloc[:, 2:], classifier.predict_proba(NEW[inputs]), rtol=1e-12)
    assert table["prediction"].tolist() == classifier.predict(NEW[inputs]).tolist()
    assert said[:2] == ["left out of new.csv: number", "columns of known.csv, as they are read:"]
    assert [line.split()[:2] for line in said[2:5]] == [
        ["width", "number"],
        ["height", "number"],
        ["colour", "category"],
    ]
    assert said[-1] == "classification of kind from 16 rows of 3 columns: its values are names"


def test_numbers_come_with_quantiles(models, capsys):
    arguments = ("--model", models["regressor"])
    table, said = predict(capsys, *arguments, target="width")
    assert list(table) == ["row", "prediction"]
    assert said[-2] == "regression of width from 16 rows of 3 columns: its values are numbers with decimals"
    table, _ = predict(capsys, *arguments, "--quantiles", "0.1", "0.5", "0.9", target="width")
    assert list(table) == ["row", "prediction", "q0.1", "q0.5", "q0.9"]
    assert (table["q0.1"] <= table["q0.5"]).all()


def test_predictions_are_compared_with_what_is_known(models, capsys):
    table, said = predict(capsys, "--model", models["classifier"])
    right = int((table["prediction"] == NEW["kind"].to_numpy()).sum())
    assert said[-1] == f"new.csv: {right} of the 8 rows whose kind is known are predicted right"
    NEW.assign(width=[1.0] + 7 * [None]).to_csv("new.csv", index=False)
    table, said = predict(capsys, "--model", models["regressor"], target="width")
    error = abs(table["prediction"][0] - 1)
    assert said[-1] == f"new.csv: mean absolute error {error:.6g} in the 1 rows whose width is known"


def test_the_table_is_written_where_asked(models, capsys):
    expected, _ = predict(capsys, "--model", models["classifier"])
    command = "predict --context known.csv --target kind --query new.csv --out deep/out.csv --model"
    assert main([*command.split(), models["classifier"]]) == 0
    assert capsys.readouterr().out == "deep/out.csv\n"
    pd.testing.assert_frame_equal(pd.read_csv("deep/out.csv"), expected)


@pytest.mark.parametrize("target", ["kind", "width"])
def test_reasons_are_the_rows_without_which_the_prediction_changes_most(target, models, capsys):
    model = models["classifier" if target == "kind" else "regressor"]
    table, _ = predict(capsys, "--explain", "--model", model, target=target)
    assert list(table)[-12:] == [f"{word}_{n}" for words in REASONS for n in (1, 2, 3) for word in words]
    estimator = (ctxlearn.InContextClassifier if target == "kind" else ctxlearn.InContextRegressor)(model)
    influence = estimator.fit(KNOWN.drop(columns=target), KNOWN[target]).influence(NEW.drop(columns=target))
    sizes = np.sort(np.abs(influence), axis=1)[:, :-4:-1]
    np.testing.assert_allclose(table[["by_1", "by_2", "by_3"]].abs(), sizes, rtol=1e-5)
    for place in (1, 2, 3):
        picked = influence[np.arange(8), table[f"because_{place}"]]
        np.testing.assert_allclose(table[f"by_{place}"], picked, rtol=1e-9)
    of_columns = pd.DataFrame(estimator.column_influence(NEW.drop(columns=target)), columns=KNOWN.columns.drop(target))
    for place in (1, 2, 3):
        picked = [of_columns.loc[row, name] for row, name in enumerate(table[f"column_{place}"])]
        np.testing.assert_allclose(table[f"column_by_{place}"], picked, rtol=1e-9)


def failing(capsys, command, status):
    assert main(["predict", *command.split()]) == status
    out, err = capsys.readouterr()
    assert not out
    assert err.count("\n") == 1, err
    return err.removeprefix("ctxlearn: error: ").rstrip()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--context knwn.csv", "--context: there is no file knwn.csv; did you mean known.csv?"),
        (
            "--target knd",
            "--target: known.csv has no column 'knd'; did you mean kind? it has width, height, colour, kind",
        ),
        ("--categorical colr", "--categorical: known.csv has no column 'colr'; did you mean colour?"),
        ("--task clasification", "unknown value of --task 'clasification'; did you mean classification?"),
        ("--quantiles 0.5", "--quantiles: the target kind is classified"),
        ("--quantile 0.5", "unknown option --quantile; did you mean --quantiles?"),
    ],
)
def test_a_wrong_command_line(arguments, expected, capsys):
    command = f"--context known.csv --target kind --query new.csv {arguments}"
    assert failing(capsys, command, 2).startswith(expected)


def test_what_is_needed_is_named(capsys):
    assert failing(capsys, "--query new.csv", 2) == "missing target"
    assert failing(capsys, "--query new.csv --target kind", 2) == "missing context"
    assert failing(capsys, "--target kind", 2) == "missing context, query; or --fill FILE"
    NEW.rename(columns={"height": "hight"}).to_csv("new.csv", index=False)
    command = "--context known.csv --target kind --query new.csv"
    assert failing(capsys, command, 2).startswith("--query: new.csv has no column 'height'; did you mean hight?")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "bad.csv: expected a header with the names of the columns, got an empty file"),
        ("a,kind\n", "bad.csv: expected rows below the header, got none"),
        ("a,kind\n1,x\n1,x,2\n", "bad.csv: row 1: expected 2 fields, as in the header, got 3"),
        ("a,a,kind\n1,2,x\n", "bad.csv: expected a different name for each column in the first line, got two columns"),
        ("kind\nx\n", "bad.csv: expected columns to predict kind from, got that column alone"),
        (
            "a,kind\n1,x\n2,\n3,NA\n",
            "bad.csv: column 'kind', row 1 and 1 more: expected a value in every row, as it is",
        ),
        (
            "a,kind\n1,x\n3,NA\n",
            "bad.csv: column 'kind', row 1: expected a value in every row, as it is the target, got 'NA'",
        ),
        ("a,kind\n1,x\n2,y\n3,x\nmany,y\n", "bad.csv: column 'a', row 3: expected a number, as in most rows"),
        ("a,kind\n1,x\ninf,y\n", "bad.csv: column 'a', row 1: expected finite numbers, or NaN for missing, got inf"),
        (b"a,kind\n\x81,x\n", "bad.csv: it is neither in UTF-8 nor in Windows-1252 ("),
    ],
)
def test_files_that_cannot_be_read(content, expected, models, capsys, tmp_path):
    (tmp_path / "bad.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    (tmp_path / "new.csv").write_text("a\n1\n")
    command = f"--context bad.csv --target kind --query new.csv --model {models['classifier']}"
    assert failing(capsys, command, 1).startswith(expected)


def test_values_that_the_context_does_not_have(models, capsys, tmp_path):
    command = f"--context known.csv --target kind --query new.csv --model {models['classifier']}"
    NEW.assign(width="wide").to_csv("new.csv", index=False)
    assert failing(capsys, command, 1).startswith(
        "new.csv: column 'width', row 0: expected a number, as in fit, got 'wide'"
    )
    command = command.replace("--target kind", "--target colour --task regression")
    assert failing(capsys, command, 1).startswith(
        "known.csv: column 'colour', row 0: expected a number, got 'red' in row"
    )


def test_unknown_categories_and_empty_fields_are_missing(models, capsys):
    NEW.assign(colour="violet").to_csv("new.csv", index=False)
    unseen, _ = predict(capsys, "--model", models["classifier"])
    NEW.assign(colour=np.nan).to_csv("new.csv", index=False)
    missing, _ = predict(capsys, "--model", models["classifier"])
    pd.testing.assert_frame_equal(unseen, missing)


def test_numbers_that_are_names(models, capsys):
    codes = KNOWN["colour"].map({"red": 7, "blue": 30, "white": 100})
    KNOWN.assign(colour=codes).to_csv("known.csv", index=False)
    NEW.assign(colour=55).to_csv("new.csv", index=False)
    between, _ = predict(capsys, "--model", models["classifier"])
    unknown, _ = predict(capsys, "--model", models["classifier"], "--categorical", "colour")
    NEW.assign(colour=np.nan).to_csv("new.csv", index=False)
    missing, _ = predict(capsys, "--model", models["classifier"], "--categorical", "colour")
    pd.testing.assert_frame_equal(unknown, missing)
    assert not np.allclose(between.iloc[:, 2:], missing.iloc[:, 2:])


def run(capsys, *arguments):
    """The table as it was written, all text."""
    assert main(["predict", *arguments]) == 0
    out, err = capsys.readouterr()
    return pd.read_csv(io.StringIO(out), dtype=str, keep_default_na=False), err


def test_a_table_with_gaps_is_filled_in(models, capsys):
    gaps = FLOWERS.assign(kind=FLOWERS["kind"].where(FLOWERS.index < 16), id=[f"f{n}" for n in range(24)])
    gaps.sample(frac=1, random_state=0).to_csv("gaps.csv", index=False)
    arguments = ("--target", "kind", "--model", models["classifier"])
    table, _ = run(capsys, "--fill", "gaps.csv", *arguments, "--key", "id", "--keep", "width", "kind")
    assert list(table)[:4] == ["id", "width", "kind", "prediction"]
    assert set(table["id"]) == {f"f{n}" for n in range(16, 24)}
    assert set(table["kind"]) == {""}
    expected, _ = run(capsys, "--context", "known.csv", "--query", "new.csv", *arguments)
    found = table.sort_values("id").reset_index(drop=True)
    np.testing.assert_allclose(found.iloc[:, 4:].astype(float), expected.iloc[:, 2:].astype(float), rtol=1e-4)
    by_row, _ = run(capsys, "--fill", "gaps.csv", *arguments, "--drop", "id")
    rows = pd.read_csv("gaps.csv")["kind"].isna().to_numpy().nonzero()[0]
    assert by_row["row"].astype(int).tolist() == rows.tolist()
    FLOWERS.to_csv("gaps.csv", index=False)
    command = "--fill gaps.csv --target kind"
    assert failing(capsys, command, 1).startswith("gaps.csv: expected rows without a value of kind, to be filled in")
    assert failing(capsys, f"{command} --query new.csv", 2).startswith("--fill: one table with gaps takes the place of")


def test_the_output_has_every_digit(models, capsys):
    times = pd.DataFrame({"n": range(20), "time": [1_700_000_000 + 3600 * n + n * n for n in range(20)]})
    times.to_csv("known.csv", index=False)
    times[:3].to_csv("new.csv", index=False)
    arguments = ("--context", "known.csv", "--query", "new.csv", "--target", "time", "--model", models["regressor"])
    table, _ = run(capsys, *arguments, "--keep", "all")
    estimator = ctxlearn.InContextRegressor(models["regressor"]).fit(times[["n"]], times["time"])
    assert [float(v) for v in table["prediction"]] == estimator.predict(times[["n"]][:3]).tolist()
    assert list(table) == ["row", "n", "time", "prediction"]


@pytest.mark.parametrize(
    "labels", [["007", "7", "08"], ["1234567890123456781", "1234567890123456783", "1"], ["1e3", "1000", "a"]]
)
def test_labels_are_written_as_they_were(labels, models, capsys):
    KNOWN.assign(kind=np.array(labels)[np.arange(16) % 3]).to_csv("known.csv", index=False)
    arguments = ("--context", "known.csv", "--query", "new.csv", "--target", "kind", "--model", models["classifier"])
    table, _ = run(capsys, *arguments)
    assert sorted(table.columns[2:]) == sorted(f"p({label})" for label in labels)
    assert set(table["prediction"]) <= set(labels)


def test_what_was_understood_is_written(models, capsys):
    strange = KNOWN.assign(
        id=[f"A{n:02}" for n in range(16)],
        price=[f"${n * 700 + 300:,}" for n in range(16)],
        day=[f"{n + 1:02}/11/2020" for n in range(16)],
        same="x",
        wild=[10**9 if n == 5 else n % 3 for n in range(16)],
        twin=KNOWN["kind"].str.upper(),
    )
    strange.to_csv("known.csv", index=False)
    strange.drop(columns="kind")[:4].assign(colour=["RED", " blue ", "violet", ""]).to_csv("new.csv", index=False)
    arguments = ["--context", "known.csv", "--query", "new.csv", "--target", "kind", "--model", models["classifier"]]
    _, said = run(capsys, *arguments, "--columns-out", "columns.json")
    told = json.loads(Path("columns.json").read_text())
    kinds = {column["name"]: column["kind"] for column in told["columns"]}
    assert kinds == {
        **{"width": "number", "height": "number", "colour": "category", "id": "key", "price": "number", "day": "date"},
        **{"same": "constant", "wild": "number", "twin": "category"},
    }
    colour = next(column for column in told["columns"] if column["name"] == "colour")
    assert (colour["query_unknown"], colour["query_missing"]) == (pytest.approx(1 / 3), 0.25)
    for warning in (
        "warning: colour: 'RED' read as 'red'",
        "warning: id: left out: all its values are different",
        "warning: same: it has one value in the context",
        "warning: wild: 1000000000 in row 5 is",
        "warning: twin: it says the target",
    ):
        assert warning in said
    assert told["target"] == {"name": "kind", "task": "classification", "why": "its values are names", "sure": True}
    _, said = run(capsys, *arguments, "--quiet")
    assert said == ""


def test_columns_are_chosen_and_matched(models, capsys):
    NEW.rename(columns={"width": "Width ", "height": "HEIGHT"}).to_csv("new.csv", index=False)
    arguments = ["--context", "known.csv", "--query", "new.csv", "--target", "kind", "--model", models["classifier"]]
    table, said = run(capsys, *arguments, "--drop", "colour")
    assert "column 'HEIGHT' of new.csv is read as 'height'" in said
    NEW.to_csv("new.csv", index=False)
    only, _ = run(capsys, *arguments, "--only", "width", "height")
    pd.testing.assert_frame_equal(table, only)
    assert failing(capsys, " ".join([*arguments, "--only", "width", "--drop", "height"]), 2).startswith(
        "--only: it names"
    )
    assert failing(capsys, " ".join([*arguments, "--drop", "widht"]), 2).startswith(
        "--drop: known.csv has no column 'widht'"
    )
    assert failing(capsys, " ".join([*arguments, "--key", "name"]), 2).startswith("--key: new.csv has no column 'name'")
    assert failing(capsys, " ".join([*arguments, "--keep", "name"]), 2).startswith(
        "--keep: new.csv has no column 'name'"
    )


def test_nothing_that_is_written_is_a_formula(models, capsys):
    labels = np.array(["=HYPERLINK(1)", "+1-1", "@SUM(1)"])[np.arange(16) % 3]
    KNOWN.assign(kind=labels).to_csv("known.csv", index=False)
    NEW.assign(**{"=note": "=1+1"}).to_csv("new.csv", index=False)
    arguments = ("--context", "known.csv", "--query", "new.csv", "--target", "kind", "--model", models["classifier"])
    table, _ = run(capsys, *arguments, "--keep", "=note")
    assert set(table["'=note"]) == {"'=1+1"}
    assert set(table["prediction"]) <= {f"'{label}" for label in labels}


def test_options_say_how_text_is_read(models, capsys):
    KNOWN.assign(width=[f"{n},{100 + n}" for n in range(1, 17)]).to_csv("known.csv", index=False)
    NEW.assign(width="1,500").to_csv("new.csv", index=False)
    arguments = ["--context", "known.csv", "--query", "new.csv", "--target", "kind", "--model", models["classifier"]]
    assert "'1,101' may be 1.101 or 1101" in failing(capsys, " ".join(arguments), 1)
    arguments += ["--only", "width"]
    decimal, said = run(capsys, *arguments, "--decimal", ",")
    assert "decimal comma; 1.101 to 16.116" in said
    thousands, said = run(capsys, *arguments, "--decimal", ".")
    assert "1101 to 16116" in said
    pd.testing.assert_frame_equal(decimal, thousands)  # a thousandth of it in both files
    NEW.to_csv("new.csv", index=False)
    KNOWN.assign(width=["-1"] * 3 + ["5"] * 13).to_csv("known.csv", index=False)
    _, said = run(capsys, *arguments, "height", "--na", "-1")
    assert "constant  always 5; 19 % missing" in said
    assert failing(capsys, " ".join([*arguments, "--sep", "ab"]), 2).startswith("--sep: expected one character")
    assert failing(capsys, " ".join([*arguments, "--dates", "day"]), 2).startswith("unknown value of --dates 'day'")


def test_files_come_through_pipes_and_standard_input(models, capsys, monkeypatch):
    arguments = ["--target", "kind", "--query", "new.csv", "--model", models["classifier"], "--quiet"]
    expected, _ = run(capsys, "--context", "known.csv", *arguments)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(Path("known.csv").read_bytes()))))
    table, _ = run(capsys, "--context", "-", *arguments, "--out", "-")
    pd.testing.assert_frame_equal(table, expected)
    os.mkfifo("pipe")
    writer = threading.Thread(target=lambda: Path("pipe").write_bytes(Path("known.csv").read_bytes()))
    writer.start()
    table, _ = run(capsys, "--context", "pipe", *arguments)
    writer.join()
    pd.testing.assert_frame_equal(table, expected)


def test_a_target_may_be_called_categorical(models, capsys):
    KNOWN.assign(kind=np.arange(16) * 100).to_csv("known.csv", index=False)
    command = ["--context", "known.csv", "--query", "new.csv", "--target", "kind", "--model"]
    _, said = run(capsys, *command, models["regressor"])
    assert "regression of kind" in said
    _, said = run(capsys, *command, models["classifier"], "--categorical", "kind")
    assert "classification of kind" in said
