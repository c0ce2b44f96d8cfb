"""`ctxlearn predict`: what it writes, which task it takes a target for, and what it refuses."""

import io

import numpy as np
import pandas as pd
import pytest
from ctxlearn.cli.csv_files import CsvFile
from runs import small
from tables import blobs, untrained

import ctxlearn
from ctxlearn.cli import main
from ctxlearn.cli.predict import read_target
from ctxlearn.training import FamilySource

FLOWERS = pd.DataFrame(blobs(24, 2, 3, spread=0.5)[0], columns=["width", "height"]).round(3)
FLOWERS["colour"] = np.array(["red", "blue", "white"])[np.arange(24) % 3]
FLOWERS["kind"] = np.array(["rose", "iris", "lily"])[np.arange(24) % 3]
KNOWN, NEW = FLOWERS[:16], FLOWERS[16:]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Runs of one step, for classes and for numbers."""
    folder = tmp_path_factory.mktemp("models")
    for name, n_classes in {"classifier": 3, "regressor": None}.items():
        family = ctxlearn.tasks.ClassPrototype(4, 3) if n_classes else ctxlearn.tasks.LinearRegression(n_features=4)
        source = FamilySource(family, n_tasks=2, n_points=6)
        learner = untrained(4, n_classes, width=8)
        small(folder / name, learner=learner, source=source, steps=1, warmup_steps=0, tasks_per_step=2)
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
    np.testing.assert_allclose(table.iloc[:, 2:], classifier.predict_proba(NEW[inputs]), rtol=1e-5)
    assert table["prediction"].tolist() == classifier.predict(NEW[inputs]).tolist()
    assert said == ["classification of kind from 16 rows of 3 columns; left out of new.csv: number"]


def test_numbers_come_with_quantiles(models, capsys):
    arguments = ("--model", models["regressor"])
    table, said = predict(capsys, *arguments, target="width")
    assert list(table) == ["row", "prediction"]
    assert said[0] == "regression of width from 16 rows of 3 columns"
    table, _ = predict(capsys, *arguments, "--quantiles", "0.1", "0.5", "0.9", target="width")
    assert list(table) == ["row", "prediction", "q0.1", "q0.5", "q0.9"]
    assert (table["q0.1"] <= table["q0.5"]).all()


def test_predictions_are_compared_with_what_is_known(models, capsys):
    table, said = predict(capsys, "--model", models["classifier"])
    right = int((table["prediction"] == NEW["kind"].to_numpy()).sum())
    assert said[1] == f"new.csv: {right} of the 8 rows whose kind is known are predicted right"
    NEW.assign(width=[1.0] + 7 * [None]).to_csv("new.csv", index=False)
    table, said = predict(capsys, "--model", models["regressor"], target="width")
    error = abs(table["prediction"][0] - 1)
    assert said[1] == f"new.csv: mean absolute error {error:.4g} in the 1 rows whose width is known"


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
    assert list(table)[-6:] == [f"{word}_{place}" for place in (1, 2, 3) for word in ("because", "by")]
    estimator = (ctxlearn.InContextClassifier if target == "kind" else ctxlearn.InContextRegressor)(model)
    influence = estimator.fit(KNOWN.drop(columns=target), KNOWN[target]).influence(NEW.drop(columns=target))
    sizes = np.sort(np.abs(influence), axis=1)[:, :-4:-1]
    np.testing.assert_allclose(table[["by_1", "by_2", "by_3"]].abs(), sizes, rtol=1e-5)
    for place in (1, 2, 3):
        picked = influence[np.arange(8), table[f"because_{place}"]]
        np.testing.assert_allclose(table[f"by_{place}"], picked, rtol=1e-5)


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (["a", "b"], "auto", ["a", "b"]),
        (["1", "2.0"], "auto", [1, 2]),
        (["0.5", "2"], "auto", None),
        ([str(n) for n in range(11)], "auto", None),
        ([str(n) for n in range(11)], "classification", list(range(11))),
        (["0.5", "2"], "classification", ["0.5", "2"]),
        (["1", "2"], "regression", None),
    ],
)
def test_the_task_follows_from_the_target(values, task, classes):
    found, classified = read_target(CsvFile("--context", "f.csv", {"y": values}), "y", task)
    assert classified == (classes is not None)
    assert found == (classes if classified else [float(v) for v in values])


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
    assert failing(capsys, "--query new.csv", 2) == "missing context, target"
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
        (",kind\n1,x\n", "bad.csv: expected a different name for each column in the first line, got a column without"),
        ("kind\nx\n", "bad.csv: expected columns to predict kind from, got that column alone"),
        ("a,kind\n1,x\n2,\n3,NA\n", "bad.csv: column 'kind', row 1 and 1 more: expected a value in every row"),
        ("a,kind\n1,x\n2,y\n3,x\nmany,y\n", "bad.csv: column 'a', row 3: expected a number, as in most rows"),
        ("a,kind\n1,x\ninf,y\n", "bad.csv: column 'a', row 1: expected finite numbers, or NaN for missing, got inf"),
        (b"a,kind\n\xff,x\n", "bad.csv: it is no CSV file in UTF-8 ("),
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
    assert failing(capsys, command, 1).startswith("known.csv: column 'colour', row 0: expected a number, got 'red'")


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
