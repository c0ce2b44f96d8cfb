import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score
from sklearn.naive_bayes import GaussianNB

from ctxlearn.jobs.calls import trainings_in
from ctxlearn.real_tables import models, sources
from ctxlearn.real_tables.baselines import RIVALS, Rival
from ctxlearn.real_tables.metrics import area_under_curve, calibration_counts, log_losses
from ctxlearn.real_tables.models import MAJORITY, NAMES, RANKED, SHIPPED
from ctxlearn.real_tables.preprocessing import Encoder
from ctxlearn.real_tables.ranking import Lead, critical_difference, groups, rank, table_scores
from ctxlearn.real_tables.scoring import MEASURES
from ctxlearn.real_tables.sources import KNOWN, TABLES, TablesMissing, is_development
from ctxlearn.real_tables.splits import MOST_QUERIES, SIZES, draw_rows, sizes_for
from ctxlearn.real_tables.summaries import calibration_error
from ctxlearn.real_tables.tasks import FEWEST_ROWS, LARGEST_SHARE, SMALLEST_CLASS, TASKS, task_data
from ctxlearn.studies import reproduce
from ctxlearn.studies.tables import STUDY
from ctxlearn.studies.tables.claims import decide_claims
from ctxlearn.studies.tables.metrics import Measured, measure
from ctxlearn.studies.tables.page import page_of
from ctxlearn.studies.tables.settings import DEVELOPMENT, PROFILES, UNTOUCHED

BY_NAME = {task.name: task for task in TASKS}


class Stand(Rival):
    """In the shipped model's place, so that these tests are of the study."""

    tuning = "none"

    def _fitted(self, x, y):
        return GaussianNB(var_smoothing=1e-2).fit(x, y)


class Another(Stand):
    """It answers otherwise."""

    def _fitted(self, x, y):
        return GaussianNB(var_smoothing=1.0).fit(x, y)


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "shipped", Stand)
        folder = tmp_path_factory.mktemp("tables") / "tables"
        yield reproduce("tables", profile="smoke", jobs=1, out=folder, progress=False)


def test_it_runs_from_end_to_end_on_development_tables_only(smoke):
    claims = json.loads((smoke.folder / "claims.json").read_text())
    assert len({c["id"] for c in claims}) == len(claims)
    assert all(c["low"] <= c["value"] <= c["high"] for c in claims)
    assert all("development tables" in c["claim"] for c in claims)
    table = smoke.results
    assert set(table["learner"]) == set(NAMES)
    assert set(table["side"]) == {"development"}
    assert ((table["low"] <= table["mean"]) & (table["mean"] <= table["high"])).all()
    assert {p.suffix for p in (smoke.folder / "figures").iterdir()} == {".png", ".svg"}
    for name in ("outcomes", "calibration", "times"):
        assert not pd.read_csv(smoke.folder / f"{name}.csv").empty


def test_what_is_measured_is_found_again_and_a_changed_model_is_measured_anew(smoke, monkeypatch):
    def done():
        return reproduce("tables", profile="smoke", jobs=1, out=smoke.folder, progress=False).jobs_done

    samples = smoke.folder / "runs" / "samples"
    before = {p.name for p in samples.iterdir()}
    monkeypatch.setattr(models, "shipped", Stand)
    assert done() == 0
    monkeypatch.setattr(models, "shipped", Another)
    assert done() == len(PROFILES["smoke"].tasks)
    assert before < {p.name for p in samples.iterdir()}


def test_processes_give_the_same_numbers(smoke, tmp_path):
    """But for times; the shipped model itself is what other processes see."""
    beside = reproduce("tables", profile="smoke", jobs=2, out=tmp_path / "beside", progress=False)
    kept = ["learner", "family", "n_context", "mean", "low", "high", "log_loss", "auc"]
    alone, beside = (r.results.query("learner != @SHIPPED")[kept].reset_index(drop=True) for r in (smoke, beside))
    pd.testing.assert_frame_equal(alone, beside)


def test_a_part_is_measured_at_every_size_that_has_a_row_of_each_class():
    found = measure(MAJORITY, "glass: kind", [4, 16], 2, known="", rows="")
    assert found["facts"] == {"sizes": [16]}
    assert found["measures"].shape == (2, 1, len(MEASURES))
    assert found["calibration"][0, :, 0].sum() == 2 * MOST_QUERIES


def test_there_are_no_training_seeds():
    assert all(not list(trainings_in(m.call)) for m in STUDY.plan(PROFILES["smoke"], 0))
    with pytest.raises(ValueError, match="seeds: the study tables trains nothing"):
        STUDY.plan(PROFILES["quick"], 1)


def test_the_split_is_the_rule_that_was_written_down():
    drawn = {table.name for table in TABLES if is_development(table.name)} - set(KNOWN)
    assert drawn == {"penguins", "glass", "food expenditure"}
    assert {task.table for task in DEVELOPMENT}.isdisjoint(task.table for task in UNTOUCHED)
    assert len(TASKS) >= 25
    assert len(UNTOUCHED) >= 25
    assert len({task.table for task in UNTOUCHED}) >= 15
    assert {task.table for task in TASKS} == {table.name for table in TABLES}
    assert PROFILES["quick"].draws >= 100
    assert PROFILES["quick"].tasks == UNTOUCHED
    assert all(task.development for task in PROFILES["smoke"].tasks)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_every_task_keeps_the_rules(task):
    data = task_data(task)
    counts = np.bincount(data.y, minlength=len(data.classes))
    assert 2 <= len(data.classes) <= 10
    assert counts.min() >= SMALLEST_CLASS
    assert counts.max() <= LARGEST_SHARE * len(data.y)
    assert len(data.y) == len(data.x) >= FEWEST_ROWS
    assert not {task.target, *task.without} & set(data.x.columns)
    for name in data.x.columns:
        if name not in data.categorical:
            values = data.x[name].to_numpy()
            assert not np.isinf(values).any()
            # a column that follows from the label would give a perfect rank correlation
            if len(data.classes) == 2:
                known = ~np.isnan(values)
                assert abs(2 * area_under_curve(np.c_[-values, values][known], data.y[known]) - 1) < 0.9999


def test_public_domain_is_what_statsmodels_says():
    for table in TABLES:
        if table.package == "statsmodels":
            module = __import__(f"statsmodels.datasets.{table.place.split('/')[1]}.data", fromlist=["COPYRIGHT"])
            assert "public domain" in module.COPYRIGHT.lower()
    assert all(table.licence and table.origin for table in TABLES)


def test_a_missing_package_is_named_with_the_command_that_installs_it():
    with pytest.raises(TablesMissing, match=r"needs the package nowhere-data.*pip install 'ctxlearn\[tables\]'"):
        sources.package_file("nowhere-data", "x.csv")
    with pytest.raises(TablesMissing, match=r"statsmodels has no file x\.csv"):
        sources.package_file("statsmodels", "x.csv")


@pytest.mark.parametrize("name", ["glass: kind", "iris: species", "penguins: sex"])
def test_draws_are_nested_have_every_class_and_never_ask_about_a_row_shown(name):
    task = BY_NAME[name]
    y = task_data(task).y
    context, queries = draw_rows(task, y, 3)
    again = draw_rows(task, y, 3)
    assert np.array_equal(context, again[0])
    assert np.array_equal(queries, again[1])
    assert not np.array_equal(context, draw_rows(task, y, 4)[0])
    n_classes = len(np.unique(y))
    for n in sizes_for(n_classes, SIZES):
        assert len(np.unique(y[context[:n]])) == n_classes
    assert not set(context) & set(queries)
    assert len(set(context)) == max(SIZES)
    assert 30 <= len(set(queries)) == len(queries) <= MOST_QUERIES
    assert min(sizes_for(7, SIZES)) == 8


def test_scores_against_their_definitions():
    rng = np.random.default_rng(0)
    for n_classes in (2, 4):
        shares = rng.dirichlet(np.ones(n_classes), 60).round(1) + 0.01
        shares /= shares.sum(1, keepdims=True)
        y = rng.integers(0, n_classes, 60)
        asked = shares[:, 1] if n_classes == 2 else shares
        expected = roc_auc_score(y, asked, multi_class="ovr", average="macro")
        assert area_under_curve(shares, y) == pytest.approx(expected)
        counts = calibration_counts(shares, y)
        assert counts[:, 0].sum() == 60
        assert counts[:, 1].sum() == pytest.approx(shares.max(1).sum())
        assert counts[:, 2].sum() == (shares.argmax(1) == y).sum()
    assert np.isnan(area_under_curve(shares, np.zeros(60, dtype=int)))
    sure = log_losses(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0, 0]))
    assert sure == pytest.approx([-np.log(0.005), -np.log(0.995)])


def test_categories_that_look_like_numbers_in_a_few_rows_stay_categories():
    """Some contexts of four cars have the drive "4" alone; "f" and "r" come later."""
    task = BY_NAME["cars 1999-2008: miles per gallon above median"]
    data = task_data(task)
    assert {"4", "f", "r"} == set(data.x["drv"].cat.categories)
    only = np.flatnonzero(data.x["drv"] == "4")
    other = np.flatnonzero(data.x["drv"] == "r")[:2]
    context = np.concatenate([only[data.y[only] == label][:2] for label in (0, 1)])
    shares = models.contestant(SHIPPED, 0).fit(data.x.iloc[context], data.y[context]).predict_proba(data.x.iloc[other])
    assert shares.sum(1) == pytest.approx(1.0)


def test_rivals_learn_take_gaps_and_categories_and_one_row_of_a_class():
    task = BY_NAME["penguins: species"]
    data = task_data(task)
    context, queries = draw_rows(task, data.y, 0)
    asked = data.x.iloc[queries].copy()
    asked["island"] = asked["island"].cat.add_categories("Elsewhere")
    asked.loc[asked.index[:3], "island"] = "Elsewhere"
    asked.loc[asked.index[:3], "body_mass_g"] = np.nan
    for name, rival in RIVALS.items():
        for n in (3, 32):
            shares = rival(0).fit(data.x.iloc[context[:n]], data.y[context[:n]]).predict_proba(asked)
            assert shares.shape == (len(queries), 3)
            assert shares.sum(1) == pytest.approx(1.0)
            again = rival(0).fit(data.x.iloc[context[:n]], data.y[context[:n]]).predict_proba(asked)
            assert np.array_equal(shares, again)
        if name != MAJORITY:
            assert (shares.argmax(1) == data.y[queries]).mean() > 0.85, name


def test_encoding_uses_the_context_alone():
    context = pd.DataFrame({"a": [1.0, 3.0, np.nan], "b": ["u", "v", "u"], "c": [5.0, 5.0, 5.0]})
    encoder = Encoder().fit(context)
    found = encoder.transform(context)
    assert found[:, 0] == pytest.approx([-1.22474487, 1.22474487, 0.0])
    assert found[:, 1] == pytest.approx(0.0)
    assert np.array_equal(found[:, 2:], [[1, 0], [0, 1], [1, 0]])
    other = pd.DataFrame({"a": [np.nan], "b": ["w"], "c": [6.0]})
    assert np.array_equal(encoder.transform(other), [[0, 1, 0, 0]])


def made_up(lead_of_model, *, spread=0.02, sizes=SIZES, draws=6, tasks=UNTOUCHED):
    """Draws in which every rival is alike, and the model better by `lead_of_model` in accuracy."""
    rng = np.random.default_rng(0)
    rows = []
    for task in tasks:
        base = rng.uniform(0.6, 0.8)
        for k, name in enumerate(NAMES):
            own = spread * rng.standard_normal() + (lead_of_model if name == SHIPPED else 0.002 * k)
            for n in sizes:
                accuracy = np.clip(base + own + 0.02 * np.log2(n) + 0.01 * rng.standard_normal(draws), 0, 1)
                rows.append(
                    pd.DataFrame(
                        {
                            "learner": name,
                            "task": task.name,
                            "n_context": n,
                            "draw": np.arange(draws),
                            "accuracy": accuracy,
                            "log_loss": 1.5 * (1 - accuracy),
                            "auc": 0.5 + accuracy / 2,
                            "fit_seconds": 1e-3 * (k + 1),
                            "predict_seconds": 1e-3,
                        }
                    )
                )
    return pd.concat(rows, ignore_index=True)


def verdicts(draws):
    return {claim.id: claim.verdict for claim in decide_claims(draws, SIZES, "untouched")}


def test_claims_hold_fail_or_stay_open_as_the_numbers_say():
    ahead = verdicts(made_up(0.2))
    assert set(ahead.values()) == {"holds"}
    behind = verdicts(made_up(-0.2))
    assert set(behind.values()) == {"fails"}
    alike = verdicts(made_up(0.01))
    assert alike["best-rank-up-to-32"] != "holds"


def test_a_table_counts_once_and_ranks_are_those_of_scipy():
    draws = made_up(0.05, spread=0.05)
    scores = table_scores(draws, "accuracy", (8, 16), RANKED)
    assert list(scores.columns) == list(RANKED)
    assert len(scores) == len({task.table for task in UNTOUCHED})
    own = draws[draws["n_context"].isin((8, 16)) & (draws["learner"] == SHIPPED)]
    digits = own[own["task"].str.startswith("digits")].groupby(["task", "n_context"])["accuracy"].mean()
    assert scores.loc["digits", SHIPPED] == pytest.approx(digits.groupby("task").mean().mean())
    ranking = rank(scores, "accuracy")
    assert ranking.ranks.sum(1) == pytest.approx(7 * 8 / 2)
    assert ranking.p_value == stats.friedmanchisquare(*scores.to_numpy().T).pvalue
    assert critical_difference(5, 30) == pytest.approx(2.728 * np.sqrt(5 * 6 / (6 * 30)), rel=1e-3)  # Demsar's table
    turned = rank(-scores, "log_loss")
    assert np.array_equal(turned.ranks, ranking.ranks)


def test_the_lead_is_over_the_best_rival_and_alike_learners_are_joined():
    ranking = rank(table_scores(made_up(0.2), "accuracy", SIZES, RANKED), "accuracy")
    found = Lead(ranking, SHIPPED)
    value = found.interval(0.9).value
    assert value == pytest.approx(min(v for k, v in ranking.average.items() if k != SHIPPED) - 1)
    assert ranking.average[found.rival] == pytest.approx(1 + value)
    assert Lead(ranking, found.rival).interval(0.9).value < 0
    for first, last in groups(ranking):
        assert 0 < last - first <= ranking.critical_difference
    apart = replace(ranking, critical_difference=0.0)
    assert groups(apart) == []


def test_figures_have_labelled_axes_and_tables_every_learner_and_task():
    counts = [{"learner": name, "n_context": n} for name in NAMES for n in SIZES]
    calibration = pd.DataFrame(counts).assign(task=UNTOUCHED[0].name, bin=9, answers=100, confidence=95, right=90)
    page = page_of(PROFILES["quick"], Measured(made_up(0.03), calibration))
    for figure in (figure for section in page.sections for figure in section.figures):
        assert len(figure.alternative) > 20
        for axis in figure.drawing.axes:
            assert figure.name == "tables-ranks" or (axis.get_xlabel() and axis.get_ylabel())
    listed = [table for section in page.sections if section.title == "Every task" for table in section.tables]
    assert [len(table.rows) for table in listed] == [len(RANKED) - 1, len(UNTOUCHED), len(UNTOUCHED)]


def test_the_calibration_error_is_zero_where_probabilities_are_what_they_say():
    exact = pd.DataFrame(
        {"learner": SHIPPED, "n_context": 8, "bin": [7, 9], "answers": [100, 100], "confidence": [75, 95]}
    )
    assert calibration_error(exact.assign(right=exact["confidence"]), SHIPPED, 8) == 0
    assert calibration_error(exact.assign(right=[65, 95]), SHIPPED, 8) == pytest.approx(0.05)
