"""The study `expressiveness`: its page runs end to end, its claims are decided right."""

import json

import pytest

from ctxlearn.studies import reproduce


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies") / "expressiveness"
    return reproduce("expressiveness", profile="smoke", jobs=2, out=folder, progress=False)


def test_the_smoke_profile_runs_and_every_construction_is_exact(smoke):
    claims = {c["id"]: c for c in json.loads((smoke.folder / "claims.json").read_text())}
    exact = [c for c in claims.values() if c["group"] == "exact"]
    assert len(exact) == 10
    assert all(c["verdict"] == "holds" for c in exact)
    assert claims["ridge-equal-rate"]["verdict"] == claims["ridge-chebyshev-rate"]["verdict"] == "holds"
    for claim in claims.values():
        assert claim["low"] <= claim["value"] <= claim["high"]
    assert {p.name for p in smoke.folder.glob("*.csv")} == {"results.csv", "exactness.csv", "disagreement.csv"}
