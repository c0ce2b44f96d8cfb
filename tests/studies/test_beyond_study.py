import itertools
import json

import numpy as np
import pandas as pd
import pytest

from ctxlearn import lab
from ctxlearn.studies import reproduce
from ctxlearn.studies.beyond import (
    COUNTS,
    FAMILIES,
    FAR,
    HELD_OUT,
    PLACES,
    PROFILES,
    candidates,
    draw_of,
    plan,
    training,
)
from ctxlearn.studies.beyond.claims import AT_HOME, MODEL, SELECTORS, SOFT, TASK, Found, decide_claims, name_of
from ctxlearn.studies.beyond.metrics import chosen

SMOKE = PROFILES["smoke"]


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies") / "beyond"
    return reproduce("beyond", profile="smoke", jobs=1, out=folder, progress=False)


def test_three_draws_hold_out_every_family_once_and_train_on_the_others():
    for first in (0, 3, 6):
        draws = [draw_of(first + i) for i in range(3)]
        assert sorted(name for draw in draws for name in draw.held_out) == sorted(FAMILIES)
        for draw in draws:
            assert sorted((*draw.held_out, *draw.trained_on)) == sorted(FAMILIES)
            assert len(draw.held_out) == HELD_OUT
            assert len(draw.trained_on) == max(COUNTS)
    assert draw_of(0).held_out != draw_of(3).held_out


def test_nothing_that_is_asked_about_a_held_out_family_was_trained_on_it():
    for seed in range(2):
        for one in plan(PROFILES["quick"], seed):
            assert isinstance(one, lab.Measurement)
            who, draw = one.key[:2]
            if who == "in-context" or who in ("MatchNet", "ProtoNet", "MAML"):
                place = one.key[3]
                families = one.call.arguments["learner"].source
                names = {f.name for f in getattr(families, "families", [families])}
                held = draw_of(int(str(draw).split()[1])).held_out
                assert not names & {*held, FAR}
                assert place in {*held, FAR} or place in names


def test_a_model_of_one_family_is_its_specialist_and_all_learners_of_a_place_see_the_same_tasks():
    sizes = PROFILES["quick"]
    assert training(sizes, "in-context", ["xor"], 0).hash == candidates(sizes, ["xor"], 0)["xor"].hash
    by_place = {}
    for one in plan(sizes, 0):
        if one.key[0] != "gate":
            by_place.setdefault(one.key[3], set()).add(one.pairing)
    assert set(by_place) == set(PLACES)
    assert all(len(pairings) == 1 for pairings in by_place.values())


def test_a_model_is_trained_for_as_long_as_its_specialists_together():
    sizes = PROFILES["quick"]
    for count in sizes.counts:
        families = draw_of(0).trained_on[:count]
        own = [candidates(sizes, families, 0)[name] for name in families]
        assert training(sizes, "in-context", families, 0).config.steps == sum(one.config.steps for one in own)


def test_the_smoke_study_has_a_page_with_its_map_and_results_of_every_learner(smoke):
    page = (smoke.folder / "report.html").read_text()
    assert "its numbers mean nothing" in page
    assert all(f"K = {count}" in page for count in SMOKE.counts)
    table = pd.read_csv(smoke.folder / "results.csv")
    assert set(table["learner"]) >= {MODEL, *SELECTORS, "1-NN", "MAML"}
    assert table["mean"].between(0, 100).all()
    places = {name for number in range(SMOKE.n_draws) for name in draw_of(number).held_out} | {FAR}
    assert set(table["family"]) == places
    for claim in json.loads((smoke.folder / "claims.json").read_text()):
        assert claim["low"] <= claim["value"] <= claim["high"]


def test_hindsight_per_query_bounds_every_choice_among_the_candidates(smoke):
    table = pd.read_csv(smoke.folder / "results.csv")
    means = table.pivot_table(index=["trained_on", "family"], columns="learner", values="mean")
    bound = means["hindsight per query"]
    assert (
        means[["trained gate", "trained gate, hard", "leave-one-out", "hindsight per task"]].le(bound + 1e-9, axis=0)
    ).all(axis=None)


def made_up(lead, lacks=0.0, n_draws=4):
    """Results in which the model leads the gate by `lead[K]` points on average, and hindsight by a point less."""
    numbers = np.random.default_rng(0)
    away, held = {}, {}
    for number in range(n_draws):
        held[f"draw {number}"] = ("a", "b")
    for draw, count, place in itertools.product(held, lead, ("a", "b")):
        base = 80 + numbers.normal(size=(1, 20))
        values = {MODEL: base + lead[count] + 0.1 * numbers.normal(size=(1, 20)), SOFT: base, TASK: base + 1}
        for name, one in values.items():
            away[name, name_of(count, draw), place] = lab.Paired(one, (0,), (place,))
    gaps = {(draw, count): np.array([lacks]) for draw in held for count in lead}
    return Found(lab.Samples(away), gaps, held, list(lead), 1)


def verdicts(measured):
    return {claim.id: claim.verdict for claim in decide_claims(measured)}


def test_claims_find_a_lead_that_is_there_and_none_where_there_is_none():
    assert set(verdicts(made_up({1: -2.0, 2: -1.0, 4: 2.0, 8: 5.0})).values()) == {"holds"}
    assert set(verdicts(made_up({1: 5.0, 2: 2.0, 4: 0.0, 8: -3.0})).values()) == {"fails"}
    between = verdicts(made_up({1: 0.5, 2: 0.5, 4: 0.5, 8: 0.5}))
    assert (between["icl-exceeds-gate"], between["icl-exceeds-hindsight"]) == ("holds", "fails")


def test_the_slope_is_that_of_least_squares():
    measured = made_up({1: 0.0, 2: 1.0, 4: 2.0, 8: 3.0})
    slope = next(claim for claim in decide_claims(measured) if claim.id == "lead-over-gate-grows")
    assert slope.value == pytest.approx(1.0, abs=0.05)
    assert slope.seeds == 4


def test_models_that_lack_too_much_at_home_get_no_verdict():
    assert decide_claims(made_up({1: 1.0, 8: 9.0}, lacks=AT_HOME + 0.1)) == []
    measured = made_up({1: 1.0, 8: 9.0})
    measured.lacks["draw 0", 8][:] = 3.0
    assert {claim.seeds for claim in decide_claims(measured)} == {3}


def test_a_choice_takes_the_value_of_the_candidate_with_most_trust():
    by = [np.array([[1.0, 0.0]]), np.array([[0.5, 2.0]])]
    assert chosen(by, [np.array([[10.0, 20.0]]), np.array([[30.0, 40.0]])]).tolist() == [[10.0, 40.0]]
