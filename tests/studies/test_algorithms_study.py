"""The study that names the algorithms of trained models."""

import json

import numpy as np
import pandas as pd
import pytest

from ctxlearn.identification import default_candidates, identify
from ctxlearn.lab import Cell, Study, answer, reproduce_study
from ctxlearn.lab.page import Page
from ctxlearn.lab.samples import Paired, Samples
from ctxlearn.references import LogisticRegression, NearestNeighbor, Ridge
from ctxlearn.studies import reproduce
from ctxlearn.studies.algorithms import FACTORS, MIXED, NOISES, OWN, decide_claims, identified, restored, ridges
from ctxlearn.studies.arms import BAYES_FAMILY, BAYES_MIXTURE, FAMILIES, MADE_FOR
from ctxlearn.tasks import ClassPrototype, LinearRegression


def paired(values):
    return Paired(values, tuple(range(len(values))), ("t",) * len(values))


def agreement(bayes, made_for, others, n_seeds=3):
    """Agreement in % that is the same in all tasks up to a little noise."""
    noise = np.random.default_rng(0)
    values = {}
    for family, own in MADE_FOR.items():
        for model in (OWN, MIXED):
            for candidate in (BAYES_FAMILY, BAYES_MIXTURE, *MADE_FOR.values()):
                level = bayes if candidate.startswith("Bayes") else made_for if candidate == own else others
                values[family, model, candidate] = paired(100 * level + noise.normal(size=(n_seeds, 40)))
    return Samples(values)


def distances(best):
    noise = np.random.default_rng(1)
    return Samples(
        {(s, f): paired(np.log2(f / best) ** 2 + 0.01 * noise.normal(size=(3, 40))) for s in NOISES for f in FACTORS}
    )


@pytest.mark.parametrize(
    ("made", "best", "verdicts"),
    [
        ((0.95, 0.9, 0.8), 1.0, {"single-family": "holds", "mixture": "holds", "changes": "holds", "ridge": "holds"}),
        ((0.9, 0.95, 0.97), 1.0, {"single-family": "fails", "mixture": "fails", "changes": "fails", "ridge": "holds"}),
    ],
)
def test_claims_follow_what_was_measured(made, best, verdicts):
    claims = decide_claims(agreement(*made), distances(best))
    assert len({c.id for c in claims}) == len(claims) == 13
    for claim in claims:
        assert claim.verdict == verdicts[claim.group], claim.id


def test_a_wrong_penalty_is_found_out():
    verdicts = {c.id: c.verdict for c in decide_claims(agreement(0.9, 0.9, 0.9), distances(4.0)) if c.group == "ridge"}
    assert all(v == ("fails" if name.endswith("-4") else "holds") for name, v in verdicts.items())


def test_a_ridge_is_nearest_to_its_own_penalty(tmp_path):
    def plan(_, seed):
        return [
            Cell(
                (noise,),
                LinearRegression(5, noise=noise),
                {"model": Ridge(5, None, penalty=2 * noise**2, intercept=False)}
                | {f"{f:g}": Ridge(5, None, penalty=f * noise**2, intercept=False) for f in FACTORS},
                seed,
                12,
                6,
                measures=(answer,),
            )
            for noise in NOISES
        ]

    def present(_, numbers):
        found = ridges(numbers)
        for noise in NOISES:
            by_factor = {factor: found[noise, factor].mean() for factor in FACTORS}
            assert min(by_factor, key=by_factor.get) == 2.0
            assert by_factor[2.0] < 1e-9
        return Page("t", "a", "f", "s", [], found.frame("noise", "factor"))

    reproduce_study(Study("ridges", {"quick": None}, plan, present), jobs=1, out=tmp_path, progress=False)


def test_an_identification_is_what_its_facts_say():
    family, candidates = ClassPrototype(), {"1-NN": NearestNeighbor(2, 2)}
    facts = identified([LogisticRegression(2, 2)], family, [2, 4], 32, candidates)["facts"]
    again = restored(json.loads(json.dumps(facts, sort_keys=True)))
    direct = identify(
        LogisticRegression(2, 2),
        {**candidates, **default_candidates(2, 2)},
        probes=family,
        lengths=[2, 4],
        n_contexts=32,
    )
    pd.testing.assert_frame_equal(again.results, direct.results)
    assert (again.verdicts, again.blends, again.order_dependence) == (
        direct.verdicts,
        direct.blends,
        direct.order_dependence,
    )
    assert str(again) == str(direct)


def test_the_study_runs_and_writes_its_page(tmp_path):
    result = reproduce("algorithms", profile="smoke", out=tmp_path, progress=False)
    assert {c.group for c in result.claims} == {"single-family", "mixture", "changes", "ridge"}
    shown = {f"{model}, shown {family}" for model in (OWN, MIXED) for family in FAMILIES}
    assert shown < set(result.results["model"])
    page = (tmp_path / "report.html").read_text()
    assert "none of these" in page
    assert len(list((tmp_path / "figures").glob("*.png"))) == 2 + len(shown)
