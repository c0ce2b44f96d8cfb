import json

import numpy as np
import pandas as pd
import pytest
import torch

from ctxlearn.studies import reproduce
from ctxlearn.studies.scores import Scores
from ctxlearn.studies.techniques import (
    BASELINE,
    ENSEMBLE,
    LEARNER,
    PROFILES,
    STUDY,
    TECHNIQUES,
    UNLIMITED,
    decide_claims,
    family_of,
    run_name,
    source_of,
    training_seeds,
)

SMOKE = PROFILES["smoke"]


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies") / "techniques"
    return reproduce("techniques", profile="smoke", jobs=2, out=folder, progress=False)


def test_every_technique_has_a_claim_that_follows_from_its_bounds_and_a_row_of_the_table(smoke):
    claims = json.loads((smoke.folder / "claims.json").read_text())
    assert [c["id"] for c in claims] == [name.replace(" ", "-") for name in TECHNIQUES]
    for claim in claims:
        assert claim["low"] <= claim["value"] <= claim["high"]
        expected = "holds" if claim["low"] > 0 else "fails" if claim["high"] < 0 else "undecided"
        assert claim["verdict"] == expected
        assert (claim["seeds"], claim["n_tasks"]) == (2, 32)
    page = (smoke.folder / "report.html").read_text()
    assert all(name in page for name in (BASELINE, *TECHNIQUES, UNLIMITED))
    assert "its numbers mean nothing" in page


def test_results_have_every_technique_seed_and_context_length(smoke):
    table = pd.read_csv(smoke.folder / "results.csv", keep_default_na=False)
    rows = {(r.trained_on, r.seed, r.n_context) for r in table.itertuples()}
    arms = (BASELINE, *TECHNIQUES, UNLIMITED)
    assert rows == {(arm, s, n) for arm in arms for s in range(2) for n in range(SMOKE.n_points)}


def test_arms_differ_from_the_baseline_in_their_technique_alone():
    trainings = STUDY.trainings("quick", 0)
    settings = PROFILES["quick"]
    assert len({t.hash for t in trainings.values()}) == len(trainings)
    for own in training_seeds(settings, 0):
        baseline = trainings[run_name(BASELINE, own)]
        for technique in (*TECHNIQUES, UNLIMITED):
            if technique == ENSEMBLE:
                continue
            other = trainings[run_name(technique, own)]
            assert other.config.seed == baseline.config.seed
            assert other.config.steps == baseline.config.steps
            for a, b in zip(other.learner.parameters(), baseline.learner.parameters(), strict=True):
                assert torch.equal(a, b)
    assert not set(training_seeds(settings, 0)) & set(training_seeds(settings, 1))


def test_augmented_training_tasks_are_those_of_the_pool():
    settings = PROFILES["quick"]
    for technique in ("rotated inputs", "permuted labels"):
        tasks = source_of(settings, technique).sample(
            200, 4, generator=torch.Generator().manual_seed(0), with_parameters=True
        )
        norms = tasks.parameters["family"]["prototypes"].norm(dim=-1).flatten(1).sum(1)
        assert 1 < len(norms.unique()) <= settings.size


def test_a_technique_that_helps_every_seed_alike_is_found_and_others_are_not():
    family = family_of(SMOKE).name
    noise = np.random.default_rng(0).uniform(0.6, 0.8, (4, 50, 6))
    values = {(LEARNER, name, family): noise for name in (BASELINE, *TECHNIQUES, UNLIMITED)}
    values[LEARNER, "rotated inputs", family] = noise + 0.05
    values[LEARNER, "hardest tasks", family] = noise - 0.05
    verdicts = {c.id: c.verdict for c in decide_claims(SMOKE, Scores(values, 4))}
    assert verdicts.pop("rotated-inputs") == "holds"
    assert verdicts.pop("hardest-tasks") == "fails"
    assert set(verdicts.values()) == {"undecided"}


def test_an_ensemble_has_three_seeds_of_the_baseline_to_itself():
    for profile, settings in PROFILES.items():
        trainings = STUDY.trainings(profile, 0)
        seeds = [t.config.seed for name, t in trainings.items() if name.startswith(BASELINE)]
        assert seeds == list(range(3 * settings.n_seeds))
