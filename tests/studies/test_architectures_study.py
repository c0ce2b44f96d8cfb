import json

import pandas as pd
import pytest
import torch

from ctxlearn.lab.samples import Paired, Samples
from ctxlearn.studies import reproduce
from ctxlearn.studies.architectures import (
    ARMS,
    ATTENTION,
    COMPUTE,
    FAMILIES,
    LONG,
    LONGER,
    MIXERS,
    PARAMETERS,
    PROFILES,
    TRAINED,
    decide_claims,
    flops,
    learner,
    steps_of,
    training,
)

SMOKE, QUICK = PROFILES["smoke"], PROFILES["quick"]


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies") / "architectures"
    return reproduce("architectures", profile="smoke", jobs=1, out=folder, progress=False)


@pytest.mark.parametrize("profile", ["quick", "paper"])
def test_all_models_have_as_many_parameters_within_4_percent(profile):
    sizes = PROFILES[profile]
    counts = {arm: sum(p.numel() for p in learner(sizes, arm, 0).parameters()) for arm in ARMS}
    assert max(counts.values()) < 1.04 * min(counts.values()), counts


def test_equal_compute_pays_for_equal_operations():
    for arm in ARMS:
        spent = steps_of(QUICK, arm, COMPUTE) * flops(QUICK, arm)
        assert spent == pytest.approx(QUICK.steps * flops(QUICK, ATTENTION), rel=0.002)
        assert steps_of(QUICK, arm, PARAMETERS) == QUICK.steps
    product = 2 * QUICK.width**2 * 2 * QUICK.n_points  # of one matrix of the stream with every token
    assert flops(QUICK, ATTENTION) > 8 * QUICK.depth * product


def test_both_budgets_of_attention_are_one_training_and_all_arms_see_the_same_tasks():
    assert training(QUICK, ATTENTION, PARAMETERS, 0).hash == training(QUICK, ATTENTION, COMPUTE, 0).hash
    trainings = [training(QUICK, arm, PARAMETERS, 1) for arm in ARMS]
    assert {(t.config.seed, t.config.tasks_per_step, t.config.n_points) for t in trainings} == {(1, 32, 32)}


def test_the_smoke_study_has_one_row_per_architecture_and_contexts_beyond_training(smoke):
    page = (smoke.folder / "report.html").read_text()
    assert all(arm in page for arm in ARMS)
    table = pd.read_csv(smoke.folder / "results.csv", keep_default_na=False)
    assert set(table["learner"]) >= set(ARMS)
    for length, n_points in ((TRAINED, SMOKE.n_points), (LONG, LONGER * SMOKE.n_points)):
        assert set(table.loc[table["length"] == length, "n_context"]) == set(range(n_points))
    claims = json.loads((smoke.folder / "claims.json").read_text())
    assert [c["id"] for c in claims if c["group"] == "accuracy"] == [
        f"{m}-is-as-accurate-as-attention" for m in MIXERS.values()
    ]
    assert len([c for c in claims if c["group"] == "length"]) == 1 + len(MIXERS)


def test_claims_are_of_the_differences_that_they_name():
    n = SMOKE.n_points
    noise = torch.Generator().manual_seed(0)
    scores = {}
    for place in FAMILIES:
        for i, arm in enumerate(ARMS):
            for length, points in ((TRAINED, n), (LONG, LONGER * n)):
                values = 0.9 - 0.02 * i + 0.001 * torch.randn(1, 80, points, generator=noise)
                if length == LONG and arm == "GRU":
                    values[..., n:] += 0.05
                elif length == LONG:
                    values[..., n:] -= 0.05
                scores[arm, PARAMETERS, length, place] = Paired(values.double().numpy(), (0,), (f"{place} {length}",))
    verdicts = {claim.id: claim.verdict for claim in decide_claims(SMOKE, Samples(scores))}
    assert verdicts["gru-is-as-accurate-as-attention"] == "fails"
    assert verdicts["gru-keeps-learning"] == "holds"
    assert verdicts["attention-keeps-learning"] == verdicts["delta-keeps-learning"] == "fails"
