"""Choosing a format: on validation tasks, by loss, with all that was tried kept."""

import pandas as pd
import pytest
import tiny_lm
import torch

from ctxlearn.language import CANDIDATES, LanguageModel, TextFormat, choose_format, load_language_model
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.tasks import ClassPrototype, LinearRegression

SOME = {"lines": TextFormat(), "two digits": TextFormat(digits=2), "runs together": TextFormat(before_input="\n")}


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    return load_language_model(tiny_lm.write_folder(tmp_path_factory.mktemp("lm")))


def test_the_format_of_least_loss_is_chosen_and_all_that_was_tried_is_kept(lm, tmp_path):
    choice = choose_format(
        lm, ClassPrototype(), SOME, n_context=(2, 5), n_query=3, n_tasks=4, out=tmp_path / "tried.csv"
    )
    usable = choice.tried[choice.tried["refused"] == ""]
    means = usable.groupby("format")["loss"].mean()
    assert set(means.index) == {"lines", "two digits"}
    assert choice.name == means.idxmin()
    assert choice.format == SOME[choice.name]
    refused = choice.tried[choice.tried["format"] == "runs together"]
    assert refused["refused"].str.contains("joins").all()
    assert len(choice.tried) == 6
    kept = pd.read_csv(tmp_path / "tried.csv", keep_default_na=False)
    assert kept["format"].tolist() == choice.tried["format"].tolist()


def test_the_loss_is_that_of_the_learner_on_validation_tasks(lm):
    choice = choose_format(lm, ClassPrototype(), {"lines": TextFormat()}, n_context=(4, 2), n_query=3, n_tasks=4)
    tasks = ClassPrototype().sample(4, 7, generator=generator_for(0, Stream.VALIDATION))
    learner = LanguageModel(lm, 2, 2)
    for n in (4, 2):
        output = learner(tasks.x[:, 4 - n : 4], tasks.y[:, 4 - n : 4], tasks.x[:, 4:])
        row = choice.tried[choice.tried["n_context"] == n].iloc[0]
        assert row["loss"] == pytest.approx(float(learner.loss(output, tasks.y[:, 4:])), abs=1e-5)


def test_regression_is_chosen_for_by_squared_error(lm):
    tasks = LinearRegression(2).sample(3, 6, generator=torch.Generator().manual_seed(0))
    formats = {"one digit": TextFormat(label_digits=1), "two digits": TextFormat()}
    choice = choose_format(lm, tasks, formats, n_context=(4,), n_query=2)
    torch.testing.assert_close(
        torch.tensor(choice.tried["score"].to_numpy()), torch.tensor(choice.tried["loss"].to_numpy())
    )


def test_the_candidates_can_be_used(lm):
    for format in CANDIDATES.values():
        LanguageModel(lm, 2, 3, format)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"formats": {}}, "formats: "),
        ({"formats": {"a": "lines"}}, "formats: "),
        ({"formats": {"a": SOME["runs together"]}}, "formats: expected one that this model can read"),
        ({"tasks": "prototype"}, "tasks: "),
        ({"n_context": ()}, "n_context: "),
        ({"n_context": (-1,)}, "n_context: "),
        ({"n_query": 0}, "n_query: "),
        ({"n_tasks": 1}, "n_tasks: "),
        ({"labellings": "both"}, "labellings: "),
        ({"out": 3}, "out: "),
    ],
    ids=str,
)
def test_arguments_are_checked(lm, options, message):
    given = {
        "tasks": ClassPrototype(),
        "formats": {"lines": TextFormat()},
        "n_context": (2,),
        "n_query": 1,
        "n_tasks": 2,
    }
    with pytest.raises(ValueError, match=rf"^{message}"):
        choose_format(lm, **{**given, **options})


def test_tasks_with_too_few_points_are_refused(lm):
    tasks = ClassPrototype().sample(2, 5, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match=r"^tasks: expected at least 2 tasks of 48 points"):
        choose_format(lm, tasks)
