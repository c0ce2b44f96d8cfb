"""The study that names the algorithms of trained models."""

import numpy as np
import pytest

from ctxlearn.references import Ridge
from ctxlearn.studies import algorithms
from ctxlearn.studies.algorithms import FACTORS, MIXED, NOISES, OWN, Agreement, decide_claims, measure_ridges
from ctxlearn.studies.arms import BAYES_FAMILY, BAYES_MIXTURE, FAMILIES, MADE_FOR
from ctxlearn.studies.base import Workload
from ctxlearn.studies.reproduction import reproduce


def agreement(bayes, made_for, others, n_seeds=3):
    """Agreement that is the same in all tasks up to a little noise."""
    noise = np.random.default_rng(0)
    values = {}
    for family, own in MADE_FOR.items():
        for model in (OWN, MIXED):
            for candidate in (BAYES_FAMILY, BAYES_MIXTURE, *MADE_FOR.values()):
                level = bayes if candidate.startswith("Bayes") else made_for if candidate == own else others
                values[family, model, candidate] = level + 0.01 * noise.normal(size=(n_seeds, 40, 5))
    return Agreement(values)


def ridges(best):
    noise = np.random.default_rng(1)
    return {
        (s, f): np.log2(f / best) ** 2 + 0.01 * noise.normal(size=(3, 40)) for s in NOISES for f in FACTORS
    }  # fmt: skip


@pytest.mark.parametrize(
    ("made", "best", "verdicts"),
    [
        ((0.95, 0.9, 0.8), 1.0, {"single-family": "holds", "mixture": "holds", "changes": "holds", "ridge": "holds"}),
        ((0.9, 0.95, 0.97), 1.0, {"single-family": "fails", "mixture": "fails", "changes": "fails", "ridge": "holds"}),
    ],
)
def test_claims_follow_what_was_measured(made, best, verdicts):
    claims = decide_claims(agreement(*made), ridges(best))
    assert len({c.id for c in claims}) == len(claims) == 13
    for claim in claims:
        assert claim.verdict == verdicts[claim.group], claim.id


def test_a_wrong_penalty_is_found_out():
    verdicts = {c.id: c.verdict for c in decide_claims(agreement(0.9, 0.9, 0.9), ridges(4.0)) if c.group == "ridge"}
    assert all(v == ("fails" if name.endswith("-4") else "holds") for name, v in verdicts.items())


def test_a_ridge_is_nearest_to_its_own_penalty():
    named = {
        algorithms.regression_name(noise): Ridge(5, None, penalty=2 * noise**2, intercept=False) for noise in NOISES
    }
    found = measure_ridges(algorithms.PROFILES["smoke"], {0: named}, Workload(1, False))
    for noise in NOISES:
        by_factor = {factor: found[noise, factor].mean() for factor in FACTORS}
        assert min(by_factor, key=by_factor.get) == 2.0
        assert by_factor[2.0] < 1e-9


def test_the_study_runs_and_writes_its_page(tmp_path):
    result = reproduce("algorithms", profile="smoke", out=tmp_path, progress=False)
    assert {c.group for c in result.claims} == {"single-family", "mixture", "changes", "ridge"}
    shown = {f"{model}, shown {family}" for model in (OWN, MIXED) for family in FAMILIES}
    assert shown < set(result.results["model"])
    page = (tmp_path / "report.html").read_text()
    assert "none of these" in page
    assert len(list((tmp_path / "figures").glob("*.png"))) == 2 + len(shown)
