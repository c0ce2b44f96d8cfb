import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pytest
import torch

from ctxlearn.evaluation.statistics import BOUNDLESS
from ctxlearn.evaluation.time_to_threshold import StepRatio, Times, first_crossing, times
from ctxlearn.lab.samples import Paired, Samples
from ctxlearn.references import LinearGaussian
from ctxlearn.studies import reproduce
from ctxlearn.studies.curriculum import claims as rules
from ctxlearn.studies.curriculum import settings as plan
from ctxlearn.studies.curriculum.claims import decide_claims, passed, plateau, steps_to_threshold
from ctxlearn.studies.curriculum.metrics import LONG, Measured
from ctxlearn.studies.curriculum.page import page_of, results
from ctxlearn.studies.curriculum.settings import CLASSES, FULL, INTERLEAVED, PROFILES, REVERSED, RISING, SET, SHUFFLED
from ctxlearn.tasks.active import ActivePairwise, UnitRegression
from ctxlearn.training import Curriculum

QUICK = PROFILES["quick"]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies") / "curriculum"
    return reproduce("curriculum", profile="smoke", jobs=2, out=folder, progress=False)


def test_every_file_is_written_and_the_page_says_that_its_numbers_mean_nothing(smoke):
    assert {p.name for p in (smoke.folder / "figures").iterdir()} == {
        f"{name}.{kind}" for name in ("learning", "lengths", "controls") for kind in ("png", "svg")
    }
    assert "its numbers mean nothing" in smoke.report.read_text()


def test_every_claim_has_a_verdict_that_follows_from_its_bounds(smoke):
    found = json.loads((smoke.folder / "claims.json").read_text())
    assert {c["id"] for c in found} == {
        "there-is-a-plateau", "faster", "faster-by-a-quarter", "faster-at-best-rates", "faster-than-random-order", "faster-than-anti-curriculum",
        "set-model-not-faster", "classification-faster", "better-in-the-end",
    }  # fmt: skip
    for claim in found:
        assert claim["low"] <= claim["value"] <= claim["high"]
        above, below = claim["low"] > claim["threshold"], claim["high"] < claim["threshold"]
        good, bad = (above, below) if claim["better"] == "above" else (below, above)
        assert claim["verdict"] == ("holds" if good else "fails" if bad else "undecided")


def test_results_cover_every_arm_on_the_way_and_at_every_length(smoke):
    table = pd.read_csv(smoke.folder / "results.csv")
    sizes = PROFILES["smoke"]
    assert ((table["low"] <= table["mean"]) & (table["mean"] <= table["high"])).all()
    for setting, one in sizes.settings.items():
        for arm, n_seeds in one.arms.items():
            part = table[(table["learner"] == setting) & (table["trained_on"] == arm)]
            assert part["seed"].nunique() == n_seeds
            assert set(part["step"]) == {3, 6, 9, 12}
            assert set(part[part["step"] == 12]["n_context"]) == set(range(sizes.n_points))
    long = table[table["learner"] == f"{INTERLEAVED}, long"]
    assert long["step"].max() == sizes.long_steps


def test_two_seeds_of_the_study_are_more_seeds_of_every_arm_and_one_job_gives_the_same(smoke, tmp_path):
    runs = smoke.folder / "runs"
    again = reproduce("curriculum", profile="smoke", jobs=1, out=tmp_path / "again", runs=runs, progress=False)
    for name in ("claims.json", "results.csv", "report.html"):
        assert (again.folder / name).read_bytes() == (smoke.folder / name).read_bytes()
    two = reproduce("curriculum", profile="smoke", seeds=2, out=tmp_path / "two", runs=runs, progress=False)
    assert {c.seeds for c in two.claims if c.id != "better-in-the-end"} == {4}
    assert {c.seeds for c in two.claims if c.id == "better-in-the-end"} == {2}
    long = two.results[two.results["learner"] == LONG]
    assert set(long["seed"]) == {0, 2}  # the seeds of the trainings, not their numbers


@pytest.mark.parametrize("profile", PROFILES)
def test_all_curricula_take_the_same_steps_in_another_order_and_end_at_full_difficulty(profile):
    settings = PROFILES[profile]
    ways = {}
    for arm in (RISING, REVERSED, SHUFFLED):
        source = plan.source_of(settings, INTERLEAVED, arm, seed=3)
        assert isinstance(source, Curriculum)
        stairs = source.plans["active"]
        ways[arm] = [stairs.value(step) for step in range(0, settings.curriculum_steps, max(1, settings.every // 100))]
        assert stairs.value(settings.curriculum_steps) == settings.n_features
        assert settings.curriculum_steps < min(one.steps for one in settings.settings.values())
    assert ways[RISING] == ways[REVERSED][::-1] or profile == "paper"
    assert ways[RISING][0] == settings.start
    assert ways[RISING] != ways[SHUFFLED]


def trainings(sizes, seed):
    return {
        (setting, arm, own): plan.training(sizes, setting, arm, k, own)
        for setting, one in sizes.settings.items()
        for arm in one.arms
        for k, own in enumerate(plan.training_seeds(sizes, setting, arm, seed))
    }


def test_arms_of_one_seed_start_from_the_same_weights_and_no_two_seeds_of_the_study_share_a_training():
    both = [trainings(QUICK, seed) for seed in (0, 1)]
    assert not {t.hash for t in both[0].values()} & {t.hash for t in both[1].values()}
    first = {arm: both[0][INTERLEAVED, arm, 1] for arm in (FULL, RISING, REVERSED)}
    weights = [torch.cat([p.flatten() for p in t.learner.parameters()]) for t in first.values()]
    assert all(torch.equal(weights[0], w) for w in weights)
    assert {t.config for t in first.values()} == {first[FULL].config}
    lengths = [both[0][INTERLEAVED, FULL, k].config.steps for k in range(4)]
    assert lengths == [QUICK.long_steps, *[QUICK.settings[INTERLEAVED].steps] * 3]


def test_the_zero_predictor_has_error_one_and_least_squares_the_error_of_the_line():
    tasks = UnitRegression(8).sample(20_000, 6, generator=generator())
    assert float(tasks.y.square().mean()) == pytest.approx(1, abs=0.02)
    with torch.no_grad():
        answer = LinearGaussian(0.0, 8**-0.5, 1e-4, 8).predict_prefixes(tasks.x.double(), tasks.y.double())
    error = (answer - tasks.y).square().mean(0)
    assert torch.allclose(error, (1 - torch.arange(6) / 8).to(error), atol=0.03)


@pytest.mark.parametrize("family", [UnitRegression(5, active=2), ActivePairwise(5, active=2)])
def test_inputs_that_are_not_active_are_zero_and_decide_nothing(family):
    tasks = family.sample(50, 9, generator=generator())
    assert (tasks.x[..., 2:] == 0).all()
    assert (tasks.x[..., :2] != 0).all()
    assert tasks.y.double().std() > 0


def test_crossings_lie_between_tests():
    steps = np.array([100, 200, 300])
    assert first_crossing(steps, np.array([0.9, 0.5, 0.3]), 0.4) == (250, True)
    assert first_crossing(steps, np.array([0.9, 0.2, 0.9]), 0.4) == pytest.approx((100 + 500 / 7, True))
    assert first_crossing(steps, np.array([0.3, 0.2, 0.1]), 0.4) == (100, True)
    assert first_crossing(steps, np.array([0.9, 0.8, 0.7]), 0.4) == (300, False)
    each = times([5, 7], steps, np.array([[0.9, 0.5, 0.3]] * 2), np.array([0.5, 0.1]))
    assert (each.seeds, each.steps.tolist(), each.reached.tolist()) == ([5, 7], [200, 300], [True, False])


def needed(*steps, reached=True, seeds=None):
    flags = np.broadcast_to(reached, len(steps))
    return Times(list(range(len(steps))) if seeds is None else seeds, np.array(steps, dtype=float), flags)


def ratio(numerator, denominator, *, level):
    return StepRatio(numerator, denominator).interval(level)


def test_the_ratio_is_the_notes_geometric_mean_with_students_interval():
    """Steps of the runs made before the library existed: ratio 1.63 [1.25, 2.12]."""
    found = ratio(needed(2256, 1865, 1951, 1775), needed(1143, 1320, 1100, 1249), level=0.95)
    assert (found.value, found.low, found.high) == pytest.approx((1.63, 1.25, 2.12), abs=0.01)


def test_seeds_that_one_arm_lacks_are_left_out_and_pairs_are_by_seed():
    found = ratio(needed(100, 200, 300, 400), needed(400, 200, seeds=[3, 1]), level=0.9)
    assert (found.value, found.low, found.high, found.seeds) == pytest.approx((1, 1, 1, 2))
    with pytest.raises(ValueError, match="2 seeds or more"):
        ratio(needed(100, 200), needed(100, 200, seeds=[1, 2]), level=0.9)


def test_an_unreached_threshold_takes_away_the_bound_that_nothing_is_known_of():
    slow, fast = needed(2000, 2100, 2500, reached=[True, True, False]), needed(1000, 1100, 1200)
    found = ratio(slow, fast, level=0.9)
    assert found.high == BOUNDLESS
    assert found.low > 1
    assert found.low == ratio(needed(2000, 2100, 2500), fast, level=0.9).low
    back = ratio(fast, slow, level=0.9)
    assert back.low == 0
    assert back.high == pytest.approx(1 / found.low)
    both = ratio(slow, slow, level=0.9)
    assert (both.low, both.value, both.high) == (0, 1, BOUNDLESS)


def paired(values):
    return Paired(values, tuple(range(len(values))), tuple(f"tasks {seed}" for seed in range(len(values))))


def made_up(fall, *, spread=0.0, settings=QUICK, end=None):
    """Measurements where an arm's error falls in a straight line to 0 within `fall[setting, arm]` steps."""
    rng = np.random.default_rng(0)
    steps, errors, by_length = {}, {}, {}
    for setting, sizes in settings.trained.items():
        steps[setting] = np.arange(sizes.keep_every, sizes.steps + 1, sizes.keep_every)
        for arm, n_seeds in sizes.arms.items():
            slow = fall.get((setting, arm), fall[INTERLEAVED, arm]) * np.exp(spread * rng.normal(size=n_seeds))
            curve = np.clip(1 - steps[setting] / slow[:, None], 0, 1)
            lengths = np.repeat(curve[:, -1, None, None], 8, 1) * np.ones(settings.n_points)
            errors[setting, arm] = paired(np.repeat(curve[:, None], 8, 1))
            for budget in settings.budgets if setting == INTERLEAVED else (sizes.steps,):
                by_length[setting, arm, budget] = paired(lengths)
    steps[LONG] = np.arange(100, settings.long_steps + 1, 100)
    for arm, level in (end or {FULL: 0.1, RISING: 0.1}).items():
        noise = 0.01 * rng.normal(size=(1, len(steps[LONG]), 8)).swapaxes(1, 2)
        errors[LONG, arm] = paired(level + noise)
    validation = {key: value for key, value in errors.items() if key[0] in (INTERLEAVED, *settings.other_rates)}
    zero = np.ones((len(errors[INTERLEAVED, FULL].seeds), 8))
    logistic = np.full((1, 8, settings.n_points), 0.2)
    return Measured(steps, Samples(errors), Samples(validation), Samples(by_length), paired(zero), paired(logistic))


EQUAL = {(s, a): 2000.0 for s, one in QUICK.settings.items() for a in one.arms} | {
    (SET, FULL): 500.0,
    (SET, RISING): 1500.0,
}


def verdicts(fall, **given):
    return {c.id: c.verdict for c in decide_claims(QUICK, made_up(fall, **given))}


def test_a_faster_curriculum_is_found_faster():
    found = verdicts(EQUAL | {(INTERLEAVED, FULL): 4000.0, (CLASSES, RISING): 1000.0}, spread=0.05)
    assert found["faster"] == found["faster-by-a-quarter"] == found["classification-faster"] == "holds"
    assert found["set-model-not-faster"] == "holds"
    assert found["faster-than-random-order"] == found["faster-than-anti-curriculum"] == "undecided"


def test_a_slower_curriculum_fails_and_an_equal_one_is_undecided():
    slower = EQUAL | {(INTERLEAVED, FULL): 1000.0, (SET, FULL): 1500.0, (SET, RISING): 500.0}
    found = verdicts(slower, spread=0.05)
    assert found["faster"] == found["faster-by-a-quarter"] == "fails"
    assert found["set-model-not-faster"] == "fails"
    assert verdicts(EQUAL, spread=0.3)["faster"] == "undecided"


def test_a_curriculum_that_never_learns_is_not_found_faster():
    never = EQUAL | {(INTERLEAVED, RISING): 1e5}
    claim = next(c for c in decide_claims(QUICK, made_up(never, spread=0.01)) if c.id == "faster")
    assert claim.verdict == "fails"  # its bound from below is gone, and that from above is under 1
    assert claim.low == 0
    assert "not reached within the budget, and put at it: 4 of 4 curriculum" in claim.statistic
    neither = verdicts(never | {(INTERLEAVED, FULL): 1e5})
    assert neither["faster"] == neither["faster-by-a-quarter"] == "undecided"
    without = verdicts(EQUAL | {(INTERLEAVED, FULL): 1e5, (INTERLEAVED, RISING): 1500.0}, spread=0.01)
    assert without["faster"] == without["faster-by-a-quarter"] == "holds"


def test_each_arm_has_its_best_rate_and_that_is_chosen_on_validation_tasks():
    slow, fast = QUICK.other_rates
    fall = EQUAL | {(INTERLEAVED, FULL): 4000.0, (fast, FULL): 1000.0, (slow, FULL): 1e5}
    fall |= {(slow, RISING): 1e5, (fast, RISING): 1e5}
    measured = made_up(fall, spread=0.01)
    assert (rules.best_rate(QUICK, measured, FULL), rules.best_rate(QUICK, measured, RISING)) == (fast, INTERLEAVED)
    found = {c.id: c for c in decide_claims(QUICK, measured)}
    assert (found["faster"].verdict, found["faster-at-best-rates"].verdict) == ("holds", "fails")
    assert found["faster-at-best-rates"].value == pytest.approx(0.5, rel=0.05)
    assert "full at 0.003 and curriculum at 0.001" in " ".join(page_of(QUICK, measured).sections[0].paragraphs)
    # numbers on test tasks choose nothing
    validation = dict(measured.validation) | {(slow, FULL): measured.errors[fast, FULL]}
    validation |= {(fast, FULL): measured.errors[slow, FULL]}
    other = dataclasses.replace(measured, validation=Samples(validation))
    assert rules.best_rate(QUICK, other, FULL) == slow


def test_the_plateau_is_a_gate_that_can_fail():
    # the error is .9 of the zero predictor's after a tenth of the fall
    long, short = (made_up(EQUAL | {(INTERLEAVED, FULL): fall}, spread=0.01) for fall in (6000.0, 2000.0))
    assert plateau(long).steps == pytest.approx([600] * 4, rel=0.05)
    for measured, verdict, words in ((long, "holds", "is met"), (short, "fails", "is not met")):
        page = page_of(QUICK, measured)
        assert page.claims[0].verdict == verdict
        assert f"(a plateau of 400 steps) {words} on average" in page.found


def test_the_test_fixed_beforehand_asks_for_the_ratio_and_its_lower_bound():
    for full, spread, expected in ((4000.0, 0.05, True), (2200.0, 0.0, False), (4000.0, 1.5, False)):
        page = page_of(QUICK, made_up(EQUAL | {(INTERLEAVED, FULL): full}, spread=spread))
        assert passed(page.claims) is expected
        assert f"above 1) is {'passed' if expected else 'not passed'}, and" in page.found


@pytest.mark.parametrize(
    ("end", "verdict"),
    [({FULL: 0.2, RISING: 0.1}, "holds"), ({FULL: 0.1, RISING: 0.2}, "fails"), ({FULL: 0.1, RISING: 0.1}, "undecided")],
)
def test_what_is_better_in_the_end_is_decided_by_the_long_runs_alone(end, verdict):
    claim = next(c for c in decide_claims(QUICK, made_up(EQUAL, end=end)) if c.id == "better-in-the-end")
    assert claim.verdict == verdict
    assert claim.claim.endswith("(this trained model; one seed)")


def test_an_arm_that_still_falls_is_said_to():
    falling = paired(np.linspace(0.8, 0.1, 8) * np.ones((1, 3, 1)))
    assert rules.still_falling(falling) == pytest.approx(1 - 0.15 / 0.35)
    assert rules.late_errors(falling).values == pytest.approx(np.full((1, 3), 0.15))


def test_the_page_writes_what_was_not_reached_as_such():
    measured = made_up(EQUAL | {(INTERLEAVED, FULL): 1e5})
    page = page_of(QUICK, measured)
    steps, ratios = page.sections[0].tables
    assert next(row for row in steps.rows if row[1] == FULL)[3] == ", ".join(["> 2,500"] * 4)
    assert "no upper bound" in ratios.rows[0][2]
    assert "no upper bound" in page.found
    assert not results(QUICK, measured).isna().any().any()
    assert all(math.isfinite(c.high) for c in page.claims)


def test_thresholds_are_those_of_the_note():
    assert plan.THRESHOLDS == {INTERLEAVED: 0.4, SET: 0.4, CLASSES: 0.35}
    assert (rules.QUARTER_FASTER, rules.PLATEAU_STEPS) == (1.25, 400)
    assert dataclasses.astuple(QUICK)[:11] == (8, 17, 64, 3, 2, 32, 1e-3, (3e-4, 3e-3), 200, 2, 100)
    assert steps_to_threshold(made_up(EQUAL), SET, FULL).steps == pytest.approx([300] * 4)
