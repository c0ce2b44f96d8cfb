import itertools

import numpy as np
import pytest
import torch

from ctxlearn.jobs.cells import measure_prefixes
from ctxlearn.lab.samples import Paired
from ctxlearn.studies import reproduce
from ctxlearn.studies.diversity import MEMORY, PROFILES, UNLIMITED, memory, plan, sources

SIZES = PROFILES["quick"]


def pool_errors(seeds, pool_of):
    """Of the Bayes predictor of 4 tasks on new tasks, per seed and test task."""
    found = []
    for seed in seeds:
        cell = next(cell for cell in plan(SIZES, seed) if cell.key == ("2^2", "unseen"))
        pool = sources(SIZES, pool_of(seed))["2^2"]
        numbers = measure_prefixes(
            memory(pool, SIZES.noise),
            cell.family,
            seed,
            (),
            cell.n_tasks,
            cell.n_points,
            None,
            cell.measures,
            threads=1,
        )
        found.append(numbers["score"])
    return Paired(np.stack(found), tuple(seeds), tuple(map(str, seeds))).averaged() / SIZES.n_features


def test_two_seeds_have_other_pools_and_those_of_one_seed_nest():
    by_seed = [sources(SIZES, seed) for seed in range(3)]
    for arms in by_seed:
        pools = [arm.parameters["weights"] for name, arm in arms.items() if name != UNLIMITED]
        assert [len(pool) for pool in pools] == [2**k for k in SIZES.exponents]
        for small, large in itertools.pairwise(pools):
            assert torch.equal(small, large[: len(small)])
    for a, b in itertools.combinations(by_seed, 2):
        assert not (a["2^2"].parameters["weights"] == b["2^2"].parameters["weights"]).any()


def test_models_are_trained_and_tested_on_the_pool_of_their_seed():
    for seed in range(2):
        arms = sources(SIZES, seed)
        for cell in plan(SIZES, seed):
            arm, kind = cell.key
            if arm != UNLIMITED:
                pool = arms[arm].parameters["weights"]
                assert torch.equal(cell.contestants["in-context model"].source.parameters["weights"], pool)
                assert torch.equal(cell.contestants[MEMORY].arguments["pool"].parameters["weights"], pool)
                if kind == "seen":
                    assert torch.equal(cell.family.parameters["weights"], pool)


def test_intervals_over_seeds_contain_the_spread_over_pools():
    seeds = range(8)
    own, shared = pool_errors(seeds, lambda seed: seed), pool_errors(seeds, lambda seed: 0)
    spread = own.values.mean(1).std(ddof=1)
    interval, narrow = own.interval(), shared.interval()
    assert spread > 4 * shared.values.mean(1).std(ddof=1)
    # Student's t over eight pools
    assert interval.high - interval.low == pytest.approx(2 * 2.3646 * spread / 8**0.5, rel=1e-4)
    assert interval.high - interval.low > 4 * (narrow.high - narrow.low)


def test_the_page_says_what_its_intervals_are_over(tmp_path):
    words = {1: "speak of these models and pools alone", 2: "2 training seeds, each with pools of its own"}
    for seeds, said in words.items():
        result = reproduce("diversity", profile="smoke", seeds=seeds, out=tmp_path / "study", jobs=1, progress=False)
        assert said in result.report.read_text()
        assert {claim.seeds for claim in result.claims} == {seeds}
