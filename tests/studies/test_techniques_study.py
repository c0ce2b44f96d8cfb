import itertools
import json

import numpy as np
import pandas as pd
import pytest
import torch

from ctxlearn.lab.samples import Paired, Samples
from ctxlearn.studies import reproduce
from ctxlearn.studies.techniques import (
    BASELINE,
    DEFORMATIONS,
    ENSEMBLE,
    MEMBERS,
    PROFILES,
    TECHNIQUES,
    TRAINED,
    UNLIMITED,
    claims,
    plan,
    source_of,
    training,
    training_seeds,
)

SMOKE = PROFILES["smoke"]


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies") / "techniques"
    return reproduce("techniques", profile="smoke", jobs=2, out=folder, progress=False)


def test_every_technique_has_a_claim_that_follows_from_its_bounds_and_a_row_of_the_table(smoke):
    claims = json.loads((smoke.folder / "claims.json").read_text())
    assert [c["id"] for c in claims] == [name.replace(" ", "-") for name in (*TECHNIQUES, *DEFORMATIONS)]
    for claim in claims:
        assert claim["low"] <= claim["value"] <= claim["high"]
        expected = "holds" if claim["low"] > 0 else "fails" if claim["high"] < 0 else "undecided"
        assert claim["verdict"] == expected
        assert (claim["seeds"], claim["n_tasks"]) == (2, 32)
    page = (smoke.folder / "report.html").read_text()
    assert all(name in page for name in (BASELINE, *TECHNIQUES, *DEFORMATIONS, UNLIMITED))
    assert "its numbers mean nothing" in page


def test_results_have_every_technique_seed_and_context_length(smoke):
    table = pd.read_csv(smoke.folder / "results.csv", keep_default_na=False)
    rows = {(r.trained_on, r.seed, r.n_context) for r in table.itertuples()}
    arms = (BASELINE, *TECHNIQUES, *DEFORMATIONS, UNLIMITED)
    assert rows == {(arm, s, n) for arm in arms for s in range(2) for n in range(SMOKE.n_points)}


def test_arms_differ_from_the_baseline_in_their_technique_alone():
    sizes = PROFILES["quick"]
    for own in training_seeds(sizes, 0):
        baseline = training(sizes, BASELINE, own)
        others = {name: training(sizes, name, own) for name in TRAINED}
        assert len({t.hash for t in (baseline, *others.values())}) == 1 + len(TRAINED)
        for other in others.values():
            assert other.config.seed == baseline.config.seed
            assert other.config.steps == baseline.config.steps
            for a, b in zip(other.learner.parameters(), baseline.learner.parameters(), strict=True):
                assert torch.equal(a, b)
    assert not set(training_seeds(sizes, 0)) & set(training_seeds(sizes, 1))


def test_augmented_training_tasks_are_those_of_the_pool():
    sizes = PROFILES["quick"]
    for technique in ("rotated inputs", "permuted labels"):
        tasks = source_of(sizes, technique, own=0).sample(
            200, 4, generator=torch.Generator().manual_seed(0), with_parameters=True
        )
        norms = tasks.parameters["family"]["prototypes"].norm(dim=-1).flatten(1).sum(1)
        assert 1 < len(norms.unique()) <= sizes.size


def test_every_training_seed_has_a_pool_of_its_own_which_all_techniques_share():
    sizes = PROFILES["quick"]
    pools = [source_of(sizes, BASELINE, own).parameters["prototypes"] for own in training_seeds(sizes, 0)]
    assert not any(torch.equal(a, b) for a, b in itertools.combinations(pools, 2))
    for own, pool in zip(training_seeds(sizes, 0), pools, strict=True):
        for technique in ("rotated inputs", "permuted labels", *DEFORMATIONS):
            assert torch.equal(source_of(sizes, technique, own).family.parameters["prototypes"], pool)
        assert torch.equal(source_of(sizes, "mixed families", own).families[0].parameters["prototypes"], pool)
        for member in range(MEMBERS):
            assert torch.equal(training(sizes, BASELINE, own, member).source.parameters["prototypes"], pool)


def test_a_technique_that_helps_every_seed_alike_is_found_and_others_are_not():
    rng = np.random.default_rng(0)
    values = rng.uniform(60, 80, (4, 50))

    def shifted(by):
        return Paired(values + by + rng.normal(0, 0.1 * abs(by), (4, 50)), (0, 1, 2, 3), tuple("abcd"))

    accuracy = dict.fromkeys(((name,) for name in (BASELINE, *TECHNIQUES, *DEFORMATIONS, UNLIMITED)), shifted(0))
    accuracy |= {("rotated inputs",): shifted(5), ("hardest tasks",): shifted(-5)}
    verdicts = {c.id: c.verdict for c in claims(Samples(accuracy))}
    assert verdicts.pop("rotated-inputs") == "holds"
    assert verdicts.pop("hardest-tasks") == "fails"
    assert set(verdicts.values()) == {"undecided"}


def test_an_ensemble_has_three_seeds_of_the_baseline_to_itself():
    for sizes in PROFILES.values():
        seeds = [
            member.config.seed
            for cell in plan(sizes, 0)
            for (_, name), contestant in cell.contestants.items()
            if name == ENSEMBLE
            for member in contestant.arguments["members"]
        ]
        assert seeds == list(range(MEMBERS * sizes.n_seeds))
