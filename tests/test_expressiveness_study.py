"""The study `expressiveness`: its page runs end to end, its claims are decided right."""

import json

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from ctxlearn.learners import ProtoNet
from ctxlearn.recorded import configuration, instantiate
from ctxlearn.studies import reproduce
from ctxlearn.studies.arms import BAYES_MIXTURE, FAMILIES, ICL, MADE_FOR, MIXTURE
from ctxlearn.studies.expressiveness import STUDY
from ctxlearn.studies.expressiveness.exactness import Exact, decide_exactness, digits
from ctxlearn.studies.expressiveness.neighbours import decide_space, nearest
from ctxlearn.studies.expressiveness.ridge_rates import SIZES, Rates, chebyshev_steps, decide_rates, equal_steps
from ctxlearn.studies.expressiveness.space import PLACES, disagreement, distance_matrix, embed
from ctxlearn.studies.expressiveness.space_drawing import Group, Point, draw_plane
from ctxlearn.studies.expressiveness.starts import (
    ARMS,
    CONSTRUCTED,
    RANDOM,
    STANDARD,
    Starts,
    StartsAsProtoNet,
    decide_starts,
    starting_points,
)
from ctxlearn.studies.optimal import STUDY as OPTIMAL


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


def test_trainings_are_those_of_optimal_but_for_the_starts():
    for profile in ("smoke", "quick", "paper"):
        theirs = {t.hash for t in OPTIMAL.trainings(profile, 1).values()}
        own = {name: t.hash not in theirs for name, t in STUDY.trainings(profile, 1).items()}
        assert all(name.split(",")[0] in ARMS for name, new in own.items() if new)
        longest = max(int(name.split(", ")[1].split()[0]) for name in own if name.startswith(STANDARD))
        assert not own[f"{STANDARD}, {longest} steps"]


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


def made_up(n_seeds, distances, n_tasks=200):
    """Decisions in which a model differs from each other learner at a given rate."""
    found = {}
    for seed in range(n_seeds):
        random = np.random.default_rng(seed)
        found[seed] = {}
        for place in PLACES:
            model = random.integers(0, 2, (n_tasks, 2, 8)).astype(float)
            others = {
                name: np.where(random.random(model.shape) < rate, 1 - model, model) for name, rate in distances.items()
            }
            found[seed][place] = {**{f"{ICL} on {p}": model for p in (*FAMILIES, MIXTURE)}, **others}
    return found


def space_claims(bayes, rivals, n_seeds):
    rates = {BAYES_MIXTURE: bayes, **{f"Bayes of {place}": bayes for place in PLACES}}
    rates |= {f"{name} on {place}": rivals for place, name in MADE_FOR.items()}
    decided = made_up(n_seeds, {**rates, "1-NN": 0.4})
    return decided, {c.id: c for c in decide_space(decided)}


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
    verdicts = {c.id: c.verdict for c in decide_starts(Starts(accuracy, noise, (0, 10, 20)))}
    assert verdicts == {
        "construction-beats-random-start-10-steps": "holds",
        "construction-beats-random-start-20-steps": "fails",
        "construction-at-least-standard": "fails",
    }


def test_claims_of_exactness_count_digits():
    def row(group, error):
        return Exact(group, group, "context", 4, 2, 9, 1, "softmax", error, 1e-5, 3.0, 12)

    claims = decide_exactness([row("a", 1e-12), row("a", 1e-10), row("b", 1e-8), row("c", 0.0)], 1)
    assert [c.verdict for c in claims] == ["holds", "fails", "holds"]
    assert claims[0].value == pytest.approx(10)
    assert digits(0.0) == 16


def test_claims_of_rates_are_about_the_worst():
    error = {(name, k): np.array([0.1, 0.2]) for name in SIZES for k in (1, 2)}
    bound = {key: 0.3 if key[0] == SIZES[0] else 0.15 for key in error}
    assert [c.verdict for c in decide_rates(Rates(error, bound, 5.0, 2, 4))] == ["holds", "fails"]


@pytest.mark.parametrize("k", [1, 2, 3, 8, 32])
def test_steps_contract_every_curvature_as_much_as_their_rates_say(k):
    low, high = 0.2, 5.0
    curvature = np.linspace(low, high, 500)
    for steps, kappa, factor in ((equal_steps, high / low, 1), (chebyshev_steps, (high / low) ** 0.5, 2)):
        sizes = steps(k, low, high)
        assert len(sizes) == k
        left = np.abs(np.prod([1 - size * curvature for size in sizes], axis=0)).max()
        assert left <= factor * ((kappa - 1) / (kappa + 1)) ** k * (1 + 1e-9)


def test_points_of_the_plane_are_found_again():
    points = np.random.default_rng(0).normal(size=(12, 2))
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    plane = embed(distances)
    assert plane.stress < 1e-6
    assert np.linalg.norm(plane.points[:, None] - plane.points[None], axis=-1) == pytest.approx(distances, abs=1e-6)
    corners = embed(1 - np.eye(4))  # four points at equal distances do not fit in the plane
    assert corners.stress > 0.1
    assert embed(np.zeros((3, 3))).stress == 0


def test_disagreement_is_a_share_and_ties_count_half():
    first, second = np.array([[[0, 1, 1, 0.5]]]), np.array([[[0, 0, 1, 1]]])
    assert disagreement(first, second) == pytest.approx([37.5])
    matrix = distance_matrix({"a": first, "b": second})
    assert matrix == pytest.approx(np.array([[0, 37.5], [37.5, 0]]))


def test_no_label_lies_on_another():
    random = np.random.default_rng(0)
    points = [Point("a", f"some algorithm {i}", tuple(place)) for i, place in enumerate(random.normal(size=(25, 2)))]
    points.append(Point("a", "", (0.0, 0.0)))
    figure = draw_plane(points, {"a": Group("words", "#000000", "o")}, title="t", width=9, height=7)
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    boxes = [t.get_window_extent(renderer) for t in figure.axes[0].texts]
    assert len(boxes) == 25
    overlaps = [(i, j) for i in range(25) for j in range(i) if boxes[i].padded(-1).overlaps(boxes[j].padded(-1))]
    assert not overlaps
