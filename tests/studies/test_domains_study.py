import copy
import json
import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from ctxlearn.evaluation.new_domains import error_on, errors_along
from ctxlearn.inner_loop.fine_tuning_search import NOT_AT_ALL, OWN, Way, best_way, ways_to_try
from ctxlearn.jobs.calls import trainings_in
from ctxlearn.jobs.cells import all_measurements
from ctxlearn.lab import Paired, Samples
from ctxlearn.learners import AdaptationDiverged
from ctxlearn.seeding import Stream
from ctxlearn.studies import reproduce
from ctxlearn.studies.domains import STUDY
from ctxlearn.studies.domains.claims import decide_claims, passed
from ctxlearn.studies.domains.metrics import (
    CHANCE,
    GIVEN,
    KNOWN,
    UNKNOWN,
    Measured,
    adapted_error,
    met_by,
    unadapted_error,
)
from ctxlearn.studies.domains.page import draw, page_of
from ctxlearn.studies.domains.settings import GATE, ICL, M2, PROFILES, fresh_learner, icl_training, m2_training
from ctxlearn.training import Adaptable

PARTS = PROFILES["quick"]
SMALL = PROFILES["smoke"]["regression"]
RATES = {"adamw": SMALL.adamw_rates, "sgd": SMALL.sgd_rates}


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    folder = tmp_path_factory.mktemp("domains") / "domains"
    return reproduce("domains", profile="smoke", jobs=2, out=folder, progress=False)


def test_it_runs_from_end_to_end_and_its_numbers_have_their_form(smoke):
    claims = json.loads((smoke.folder / "claims.json").read_text())
    groups = Counter(c["group"] for c in claims)
    assert groups == {"regression, the test": 1, "regression": 7, "classification": 4}
    assert all(c["low"] <= c["value"] <= c["high"] for c in claims)
    assert all("this trained model" in c["claim"] for c in claims)
    table = smoke.results
    assert set(table["learner"]) == {M2, ICL, KNOWN, UNKNOWN, GIVEN, CHANCE}
    assert np.isfinite(table[["mean", "low", "high"]].to_numpy()).all()
    assert ((table["low"] <= table["mean"]) & (table["mean"] <= table["high"])).all()
    whole = table[(table["family"] == "regression") & (table["n_context"] == -1)].groupby("learner")["mean"].min()
    assert whole[KNOWN] < whole[UNKNOWN] < whole[CHANCE]
    names = {p.name for p in (smoke.folder / "figures").iterdir()}
    assert names == {f"domains-{part}.{kind}" for part in PARTS for kind in ("png", "svg")}
    assert (smoke.folder / "ways_regression.csv").is_file()


def test_one_job_gives_the_same_numbers_as_two(smoke, tmp_path):
    runs = tmp_path / "runs"  # trainings are found again, measurements are not
    shutil.copytree(smoke.folder / "runs", runs, ignore=shutil.ignore_patterns("samples"))
    alone = reproduce("domains", profile="smoke", jobs=1, out=tmp_path / "alone", runs=runs, progress=False)
    assert 0 < alone.jobs_done < smoke.jobs_done
    for name in ("results.csv", "claims.json", "report.html", "ways_regression.csv", "ways_classification.csv"):
        assert (alone.folder / name).read_bytes() == (smoke.folder / name).read_bytes()


def test_in_context_learning_gets_at_least_the_compute_of_m2():
    for profile in PROFILES.values():
        for name, part in profile.items():
            m2, icl = m2_training(name, part, 0), icl_training(name, part, 0)
            inner = part.n_domains * part.n_tasks * part.inner_steps
            assert m2.config.shards * m2.source.n_adaptation * part.inner_steps == inner
            passes = part.meta_steps * (5 * inner + part.n_domains * part.n_tasks)
            assert 0 <= icl.config.steps * icl.config.tasks_per_step - passes < part.batch
            inside = m2.learner.learner
            assert all(torch.equal(p, q) for p, q in zip(inside.parameters(), icl.learner.parameters(), strict=True))


def test_the_quick_profile_is_the_test_that_was_fixed():
    part = PARTS["regression"]
    assert part.sizes == (64, 256, 1024)
    assert part.n_validation == 8
    assert part.n_test >= 24
    assert (part.domains.spread, part.domains.noise, part.domains.n_features, part.n_points) == (0.3, 0.5, 5, 11)
    trained = {t.name for m in all_measurements(STUDY.plan(PARTS, 0)) for t in trainings_in(m.call)}
    assert trained == {f"{arm}, {name}, seed 0" for name in PARTS for arm in (M2, ICL)}


def test_domains_met_are_new_for_each_stream_and_seed_and_the_same_again():
    one, again = (met_by(SMALL, 0, Stream.TEST) for _ in range(2))
    assert torch.equal(one[1].probe.x, again[1].probe.x)
    others = [met_by(SMALL, seed, stream)[0] for seed, stream in ((0, Stream.VALIDATION), (1, Stream.TEST))]
    latents = [m.family.latents["mean"] for m in (*one[:2], *others)]
    assert len({tuple(mean.tolist()) for mean in latents}) == 4


def test_following_a_way_changes_no_learner_and_own_steps_are_those_of_training():
    met = met_by(SMALL, 0, Stream.TEST)[0]
    learner = Adaptable(fresh_learner(SMALL, 0), SMALL.adaptation).eval()
    before = copy.deepcopy(learner.state_dict())
    plain = error_on(learner, met)
    ways = ways_to_try(learner, RATES, 4)
    assert (OWN, 0.0) in ways
    assert (OWN, 0.0) not in ways_to_try(learner.learner, RATES, 4)
    for (optimizer, rate), at in ways.items():
        scores = errors_along(learner, met, 4, optimizer, rate, at)
        assert list(scores) == at
        assert not np.array_equal(scores[at[0]], plain)
    assert all(torch.equal(value, before[name]) for name, value in learner.state_dict().items())


def test_a_way_that_explodes_counts_as_infinitely_bad_and_is_not_chosen():
    met = met_by(SMALL, 0, Stream.TEST)[0]
    learner = fresh_learner(SMALL, 0).eval()
    scores = errors_along(learner, met, 4, "sgd", 1e30, [1, 3])
    assert np.isinf(scores[3]).all()
    ways = {Way("sgd", 1e30, 3): scores[3][None], Way("sgd", 0.1, 3): np.full((1, 5), 2.0)}
    assert best_way(ways, np.full((1, 5), 1.0)) == NOT_AT_ALL
    assert best_way(ways, np.full((1, 5), 3.0)) == Way("sgd", 0.1, 3)


def test_the_way_is_chosen_on_validation_domains_and_an_adaptation_that_explodes_counts_as_none():
    part = replace(SMALL, adamw_rates=(), sgd_rates=(1e30,))
    learner = fresh_learner(part, 0).eval()
    plain = unadapted_error(learner, part, 0, 1)["error"]
    assert plain.shape == (part.n_test, part.n_points)
    exploding = adapted_error(learner, part, part.sizes[0], 0, 2)
    assert Way(**exploding["facts"]["way"]) == NOT_AT_ALL
    assert np.array_equal(exploding["error"], plain)
    scores = [error_on(learner, met).mean() for met in met_by(part, 0, Stream.VALIDATION)]
    assert exploding["facts"]["validation"] == pytest.approx(np.mean(scores))
    good = adapted_error(learner, SMALL, SMALL.sizes[1], 0, 1)
    way = Way(**good["facts"]["way"])
    assert way.steps
    assert good["facts"]["validation"] < exploding["facts"]["validation"]
    met = met_by(SMALL, 0, Stream.TEST)[0]
    followed = errors_along(learner, met, SMALL.sizes[1], way.optimizer, way.rate, [way.steps])[way.steps]
    assert np.array_equal(good["error"][0], followed)


def test_a_way_that_diverges_on_a_test_domain_only_is_counted(monkeypatch):
    part, learner = replace(SMALL, n_validation=1), fresh_learner(SMALL, 0).eval()
    seen = []

    def diverging(learner, met, size, optimizer, rate, at):
        seen.append(met)
        good = {step: np.zeros(part.n_points) for step in at}
        validation = len(seen) <= len(ways_to_try(learner, RATES, part.limits[0]))
        return good if validation else {step: np.full(part.n_points, np.inf) for step in at}

    monkeypatch.setattr("ctxlearn.evaluation.new_domains.errors_along", diverging)
    found = adapted_error(learner, part, part.sizes[0], 0, 1)
    assert found["facts"]["diverged"] == part.n_test
    assert np.array_equal(found["error"], unadapted_error(learner, part, 0, 1)["error"])


def test_own_steps_that_explode_count_as_infinitely_bad():
    met = met_by(SMALL, 0, Stream.TEST)[0]
    learner = Adaptable(fresh_learner(SMALL, 0), replace(SMALL.adaptation, step_size=1e30)).eval()
    assert np.isinf(errors_along(learner, met, 4, OWN, 0.0, [2])[2]).all()
    with pytest.raises(AdaptationDiverged):
        learner.adaptation.adapt(lambda p: p["out.bias"].sum() * torch.inf, dict(learner.learner.named_parameters()))


def paired(values):
    seeds = tuple(range(len(values)))
    return Paired(values, seeds, tuple(f"domains of seed {seed}" for seed in seeds))


def made_up(part, gains, *, seeds=3, gate=0.35, spread=0.01, name="regression"):
    """Measurements in which M2's advantage at each size is as given."""
    rng = np.random.default_rng(0)
    n = part.n_points
    base = 0.4 + 0.1 * rng.standard_normal((seeds, part.n_test, 1))
    noise = spread * rng.standard_normal((3, seeds, part.n_test, 1))
    values = {(ICL, 0): base + 1.5 + noise[0], (M2, 0): base + 8 + noise[1]}
    for size, gain in zip(part.sizes, gains, strict=True):
        values[ICL, size] = base
        values[M2, size] = base - gain + spread * rng.standard_normal((seeds, part.n_test, 1))
        if name == "regression":
            values[GIVEN, size] = base - 0.2
    values |= {(KNOWN, 0): base - 0.25, (UNKNOWN, 0): base + 1.2 + noise[2], (CHANCE, 0): base + 5}
    validation = np.full((seeds, part.n_validation, n), gate) + spread * rng.standard_normal((seeds, 8, 1))
    ways = pd.DataFrame(
        [
            {"seed": s, "arm": a, "tasks": size, "optimizer": OWN, "rate": 0.0, "steps": 5, "validation": 0.4}
            for s in range(seeds)
            for a in (M2, ICL)
            for size in part.sizes
        ]
    )
    values = Samples({key: paired(np.broadcast_to(v, (*v.shape[:2], n))) for key, v in values.items()})
    return Measured(values, paired(validation), ways, 0)


def verdicts(gains, **changes):
    part = PARTS["regression"]
    measured = made_up(part, gains, **changes)
    claims = decide_claims({"regression": part}, {"regression": measured})
    return {c.id.removeprefix("regression-"): c.verdict for c in claims}, passed(part, measured)


@pytest.mark.parametrize("seeds", [1, 3])
def test_claims_on_made_up_numbers(seeds):
    clear, won = verdicts((0.08, 0.01, 0.0), seeds=seeds)
    assert won is True
    assert set(clear.values()) == {"holds"}
    none, won = verdicts((0.0, 0.0, 0.0), spread=0.02, seeds=seeds)
    assert won is False
    assert none["m2-wins-at-64"] != "holds"
    assert none["m2-wins-clearly-at-64"] == "fails"
    worse, won = verdicts((-0.08, -0.05, -0.05), seeds=seeds)
    assert won is False
    assert (worse["m2-wins-at-64"], worse["m2-no-worse-at-1024"]) == ("fails", "fails")
    small, won = verdicts((0.01, 0.0, 0.0), spread=0.001, seeds=seeds)
    assert won is False  # the lower bound is above 0, but the mean is below what was asked for
    assert (small["m2-wins-at-64"], small["m2-wins-clearly-at-64"]) == ("holds", "fails")


def test_a_seed_that_did_not_converge_makes_the_outcome_undecided_and_is_named_not_dropped():
    part = PARTS["regression"]
    measured = made_up(part, (0.08, 0.01, 0.0), seeds=3)
    measured.validation.values[1] += 0.2
    assert passed(part, measured) is None
    other = made_up(PARTS["classification"], (0.0, 0.0, 0.0), seeds=3, name="classification")
    page = page_of(PARTS, {"regression": measured, "classification": other}, pd.DataFrame())
    assert page.found.startswith("undecided")
    assert f"The gate of convergence is {GATE:g}: not reached by seed 1, which" in page.sections[0].paragraphs[2]
    claims = {c.id: c for c in page.claims}
    assert claims["regression-m2-wins-at-64"].seeds == 3


def test_both_parts_are_drawn_with_all_their_lines():
    for name, part in PARTS.items():
        axes = draw(name, part, made_up(part, (0.05, 0.0, 0.0), name=name)).axes
        labels = {text for axis in axes for text in axis.get_legend_handles_labels()[1]}
        assert {KNOWN, UNKNOWN, "M2, adapted", "M2, not adapted"} <= labels
        assert any(label.startswith("chance") for label in labels)
        assert all(axis.get_xlabel() and axis.get_ylabel() for axis in axes)
