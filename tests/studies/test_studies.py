import hashlib
import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from ctxlearn.lab import Study
from ctxlearn.studies import reproduce
from ctxlearn.studies.names import PROFILES, STUDIES
from ctxlearn.studies.reproduction import find_study

WRITTEN = ("results.csv", "claims.json", "report.html", "real_data.csv")
FIELDS = {"id", "claim", "statistic", "value", "low", "high", "threshold", "verdict", "n_tasks", "seeds"}


def digests(folder):
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in WRITTEN}


def weights(folder):
    return {p.parent.name: p.stat().st_mtime_ns for p in (folder / "runs").glob("*/model.safetensors")}


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies") / "optimal"
    return reproduce("optimal", profile="smoke", jobs=2, out=folder, progress=False)


def test_every_file_is_written(smoke):
    assert all((smoke.folder / name).is_file() for name in WRITTEN)
    figures = {p.name for p in (smoke.folder / "figures").iterdir()}
    assert figures == {f"{Path(f).stem}.{kind}" for f in figures for kind in ("png", "svg")}
    assert len(figures) >= 8


def test_claims_carry_every_field_and_a_verdict_that_follows_from_them(smoke):
    claims = json.loads((smoke.folder / "claims.json").read_text())
    assert len({c["id"] for c in claims}) == len(claims) >= 12
    best = Counter(c["group"] for c in claims if c["group"].startswith("best-"))  # of specialists and simple rules
    assert best == {"best-single-family": 3, "best-mixture": 3}
    for claim in claims:
        assert set(claim) >= FIELDS
        assert claim["low"] <= claim["value"] <= claim["high"]
        above, below = claim["low"] > claim["threshold"], claim["high"] < claim["threshold"]
        good, bad = (above, below) if claim["better"] == "above" else (below, above)
        assert claim["verdict"] == ("holds" if good else "fails" if bad else "undecided")
        assert claim["seeds"] == 1
        assert "this trained model" in claim["claim"]


def test_results_are_a_tidy_table(smoke):
    table = pd.read_csv(smoke.folder / "results.csv")
    assert {"learner", "family", "n_context", "seed", "mean", "low", "high", "n_tasks"} <= set(table.columns)
    assert ((table["low"] <= table["mean"]) & (table["mean"] <= table["high"])).all()
    assert not table.drop(columns="trained_on").isna().any().any()


def test_the_page_needs_nothing_outside_itself_and_every_figure_has_words(smoke):
    class Page(HTMLParser):
        images = 0

        def handle_starttag(self, tag, attrs):
            given = dict(attrs)
            assert tag not in ("script", "link", "iframe")
            if tag == "img":
                Page.images += 1
                assert given["src"].startswith("data:")
                assert len(given["alt"]) > 20

    text = (smoke.folder / "report.html").read_text()
    Page().feed(text)
    assert Page.images >= 4
    assert not re.search(r"(src|href)=\"(?!data:)", text)


def test_one_job_gives_the_same_bytes_as_two(smoke, tmp_path):
    reproduce("optimal", profile="smoke", jobs=1, out=tmp_path / "alone", progress=False)
    assert digests(tmp_path / "alone") == digests(smoke.folder)


def test_a_finished_study_trains_and_measures_nothing_again(smoke):
    before = weights(smoke.folder)
    again = reproduce("optimal", profile="smoke", jobs=1, out=smoke.folder, progress=False)
    assert again.jobs_done == 0
    assert weights(smoke.folder) == before
    assert digests(again.folder) == digests(smoke.folder)


def test_a_killed_study_goes_on_to_the_same_bytes_and_trains_nothing_twice(smoke, tmp_path):
    folder = tmp_path / "killed"
    command = f"from ctxlearn.studies import reproduce; reproduce('optimal', profile='smoke', jobs=2, out={str(folder)!r}, progress=False)"
    process = subprocess.Popen([sys.executable, "-c", command])
    while process.poll() is None and len(weights(folder)) < 3:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = weights(folder)
    assert done
    assert not (folder / "claims.json").exists()
    reproduce("optimal", profile="smoke", jobs=2, out=folder, progress=False)
    assert digests(folder) == digests(smoke.folder)
    now = weights(folder)
    assert {name: now[name] for name in done} == done


def test_a_folder_of_another_study_or_profile_is_refused(smoke, tmp_path):
    with pytest.raises(ValueError, match="profile smoke"):
        reproduce("optimal", profile="quick", out=smoke.folder)
    (tmp_path / "letter.txt").write_text("dear reader")
    with pytest.raises(ValueError, match=r"letter\.txt"):
        reproduce("optimal", profile="smoke", out=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"study": "optimel"}, "study.*optimal"),
        ({"study": "optimal", "profile": "smok"}, "profile.*smoke"),
        ({"study": "optimal", "seeds": 0}, "seeds"),
        ({"study": "optimal", "jobs": 0}, "jobs"),
    ],
)
def test_bad_arguments_are_named(arguments, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        reproduce(**arguments, out=tmp_path / "out")


def test_selection_finds_the_runs_of_optimal_and_trains_none(smoke, tmp_path):
    before = weights(smoke.folder)
    result = reproduce(
        "selection", profile="smoke", out=tmp_path / "selection", runs=smoke.folder / "runs", progress=False
    )
    assert weights(smoke.folder) == before
    assert (tmp_path / "selection" / "report.html").is_file()
    assert Counter(c.group for c in result.claims) == {
        "radial": 5, "radial-causal": 5, "shift": 3, "posterior-off-distribution": 2
    }  # fmt: skip


def test_diversity_compares_pools_with_both_bayes_predictors(tmp_path):
    result = reproduce("diversity", profile="smoke", out=tmp_path / "diversity", progress=False)
    assert {c.id for c in result.claims} >= {"few-tasks-are-memorised", "many-tasks-are-learned"}
    assert set(result.results["trained_on"]) == {"2^2", "2^4", "unlimited"}
    # of all predictors the prior's Bayes has the least error on new tasks, whatever was trained
    unseen = result.results[result.results["family"].str.endswith("unseen")]
    least = unseen[unseen["learner"] == "Bayes of the prior (ridge)"]["mean"].max()
    assert (unseen[unseen["learner"] == "in-context model"]["mean"] > least).all()


@pytest.mark.parametrize("name", STUDIES)
def test_every_name_is_of_a_study_with_every_profile(name):
    study = find_study(name)
    assert isinstance(study, Study)
    assert study.name == name
    assert list(study.profiles) == list(PROFILES) == ["smoke", "quick", "paper"]
