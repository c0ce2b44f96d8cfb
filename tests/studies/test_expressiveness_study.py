"""The study `expressiveness`: its page runs end to end, its claims are decided right."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from ctxlearn.configurable import configuration, instantiate
from ctxlearn.expressiveness.initialization import StartsAsProtoNet
from ctxlearn.jobs.calls import trainings_in
from ctxlearn.jobs.cells import all_measurements
from ctxlearn.lab import Paired, Samples
from ctxlearn.learners import ProtoNet
from ctxlearn.studies import optimal, reproduce
from ctxlearn.studies.arms import BAYES_MIXTURE, FAMILIES, ICL, MADE_FOR, MIXTURE
from ctxlearn.studies.expressiveness import PROFILES, STUDY, distances, exactness, initialization, ridge_rates
from ctxlearn.studies.expressiveness.distances import PLACES, disagreement, distance_matrix, draw_plane, nearest
from ctxlearn.studies.expressiveness.initialization import ARMS, CONSTRUCTED, RANDOM, STANDARD, starting_points


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
    assert {p.stem for p in (smoke.folder / "figures").glob("*.png")} == {
        "ridge-rates",
        "space",
        "space-radial",
        "starts",
    }


def test_a_page_is_drawn_again_without_measuring(smoke, tmp_path):
    again = reproduce(
        "expressiveness", profile="smoke", jobs=1, out=tmp_path / "again", runs=smoke.folder / "runs", progress=False
    )
    assert smoke.jobs_done > 0
    assert again.jobs_done == 0
    for name in ("report.html", "claims.json", "results.csv", "exactness.csv", "disagreement.csv"):
        assert (again.folder / name).read_bytes() == (smoke.folder / name).read_bytes()


def test_trainings_are_those_of_optimal_but_for_the_starts():
    for sizes in PROFILES.values():
        theirs = {t.hash for t in optimal.trainings(sizes.trained, 1).values()}
        planned = all_measurements(STUDY.plan(sizes, 1))
        own = {t.hash: t.name for m in planned for t in trainings_in(m.call)}
        new = {name for run, name in own.items() if run not in theirs}
        budgets = {arm: [*sizes.start_steps] for arm in ARMS}
        budgets[STANDARD] = budgets[STANDARD][:-1]  # the last one is the study's
        assert new == {f"{arm}, {steps} steps, seed 1" for arm in ARMS for steps in budgets[arm]}


def test_a_start_is_protonet_and_is_rebuilt_from_its_arguments():
    generator = torch.Generator().manual_seed(0)
    x, query = torch.randn(5, 9, 2, generator=generator), torch.randn(5, 4, 2, generator=generator)
    y = torch.randint(2, (5, 9), generator=generator)
    rule = ProtoNet(2, 2, encoder="identity")
    states = []
    for seed in (0, 1):
        start = starting_points(seed)[CONSTRUCTED]
        again = instantiate(configuration(start))
        assert isinstance(again, StartsAsProtoNet)
        for name, value in start.state_dict().items():
            assert torch.equal(value, again.state_dict()[name])
        states.append(start.state_dict())
        with torch.no_grad():
            pair = [learner(x, y, query).log_softmax(-1) for learner in (rule, start)]
        assert torch.allclose(*pair, atol=1e-4)
        arms = starting_points(seed)
        assert arms[RANDOM].block_configs == start.block_configs
        assert {n: p.shape for n, p in arms[RANDOM].state_dict().items()} == {n: p.shape for n, p in states[-1].items()}
    assert any(not torch.equal(states[0][name], states[1][name]) for name in states[0])


def paired(values):
    return Paired(np.asarray(values), tuple(range(len(values))), tuple(f"tasks {i}" for i in range(len(values))))


def made_up(n_seeds, distances, n_tasks=200):
    """Decisions in which a model differs from each other learner at a given rate."""
    found = {}
    random = np.random.default_rng(0)
    for place in PLACES:
        model = random.integers(0, 2, (n_seeds, n_tasks, 16)).astype(float)
        found |= {(f"{ICL} on {p}", place): paired(model) for p in (*FAMILIES, MIXTURE)}
        for name, rate in distances.items():
            found[name, place] = paired(np.where(random.random(model.shape) < rate, 1 - model, model))
    return Samples(found)


def space_claims(bayes, rivals, n_seeds):
    rates = {BAYES_MIXTURE: bayes, **{f"Bayes of {place}": bayes for place in PLACES}}
    rates |= {f"{name} on {place}": rivals for place, name in MADE_FOR.items()}
    decided = made_up(n_seeds, {**rates, "1-NN": 0.4})
    return decided, {c.id: c for c in distances.claims(decided)}


@pytest.mark.parametrize("n_seeds", [1, 3])
def test_claims_of_nearness_follow_the_distances(n_seeds):
    decided, near = space_claims(0.05, 0.2, n_seeds)
    assert {c.verdict for c in near.values()} == {"holds"}
    assert all(c.low <= c.value <= c.high for c in near.values())
    assert near["icl-mixture-nearest-to-bayes"].value == pytest.approx(15, abs=2)
    assert nearest(decided, f"{ICL} on {MIXTURE}", tuple(FAMILIES), 1)[0][0].startswith("Bayes")
    _, far = space_claims(0.2, 0.05, n_seeds)
    assert {c.verdict for c in far.values()} == {"fails"}
    _, level = space_claims(0.1, 0.1, n_seeds)
    assert "holds" not in {level["icl-mixture-nearest-to-bayes"].verdict}


def test_claims_about_starts_follow_the_accuracies():
    random = np.random.default_rng(0)
    noise = random.normal(size=(1, 400))
    accuracy = {(arm, k): 80 + noise + random.normal(size=(1, 400)) for arm in ARMS for k in (0, 10, 20)}
    accuracy[CONSTRUCTED, 10] += 3
    accuracy[CONSTRUCTED, 20] -= 3
    found = Samples({(arm, k, MIXTURE): paired(values) for (arm, k), values in accuracy.items()})
    verdicts = {c.id: c.verdict for c in initialization.claims(found, (10, 20))}
    assert verdicts == {
        "construction-beats-random-start-10-steps": "holds",
        "construction-beats-random-start-20-steps": "fails",
        "construction-at-least-standard": "fails",
    }


def test_claims_of_exactness_count_digits():
    errors = (("a", 1e-12), ("a", 1e-10), ("b", 1e-8), ("c", 0.0))
    row = {"mask": "context", "n_context": 4, "n_contexts": 12, "seed": 0}
    table = pd.DataFrame([{**row, "group": group, "name": group, "error64": error} for group, error in errors])
    found = exactness.claims(table)
    assert [c.verdict for c in found] == ["holds", "fails", "holds"]
    assert found[0].value == found[0].low == found[0].high == pytest.approx(10)
    assert (found[0].n_tasks, found[0].seeds) == (24, 1)
    assert exactness.digits(0.0) == 16


def test_a_mask_that_only_one_step_is_exact_under_says_so():
    rows = [("1 steps", "full"), ("2 steps", "full"), ("1 steps", "causal")]
    assert exactness.masks_of(pd.DataFrame(rows, columns=["name", "mask"])) == "full, causal (k = 1)"


def test_claims_of_rates_are_about_the_worst():
    error = {name: np.array([[0.1, 0.1], [0.2, 0.2]]) for name in ridge_rates.SCHEDULES}
    bound = {name: np.full(2, value) for name, value in zip(ridge_rates.SCHEDULES, (0.3, 0.15), strict=True)}
    rates = ridge_rates.Rates((1, 2), error, bound, 5.0)
    assert [c.verdict for c in ridge_rates.claims(rates)] == ["holds", "fails"]


def test_disagreement_is_a_share_and_ties_count_half():
    first, second = np.array([[[0, 1, 1, 0.5]]]), np.array([[[0, 0, 1, 1]]])
    decided = Samples({("a", "here"): paired(first), ("b", "here"): paired(second)})
    assert disagreement(decided, "a", "b", ("here",)).values == pytest.approx(np.array([[37.5]]))
    matrix = distance_matrix({"a": first[0], "b": second[0]})
    assert matrix == pytest.approx(np.array([[0, 37.5], [37.5, 0]]))


def test_no_label_lies_on_another():
    random = np.random.default_rng(0)
    names = [f"some algorithm {i}" for i in range(25)] + [f"{ICL} on {MIXTURE}, seed 1"]
    figure = draw_plane(names, np.concatenate([random.normal(size=(25, 2)), np.zeros((1, 2))]), title="t")
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    boxes = [t.get_window_extent(renderer) for t in figure.axes[0].texts]
    assert len(boxes) == 25
    overlaps = [(i, j) for i in range(25) for j in range(i) if boxes[i].padded(-1).overlaps(boxes[j].padded(-1))]
    assert not overlaps
