import numpy as np
import pytest
from scipy import stats

from ctxlearn.evaluation.statistics import (
    CLAIM_LEVEL,
    Interval,
    mean_interval,
    simultaneous_level,
    student_bounds,
    verdict,
)

SIMULATIONS = 2000


def covers(interval, truth):
    return interval.low <= truth <= interval.high


@pytest.mark.parametrize("n_seeds", [1, 3])
def test_intervals_of_95_percent_cover_95_percent(n_seeds):
    rng = np.random.default_rng(1)
    hits = 0
    for k in range(SIMULATIONS):
        seeds = 0.02 * rng.standard_normal((n_seeds, 1)) * (n_seeds > 1)
        values = 0.3 + seeds + 0.1 * rng.standard_normal((n_seeds, 150))
        hits += covers(mean_interval(values, seed=k, resamples=999), 0.3)
    assert 0.935 <= hits / SIMULATIONS <= 0.965


@pytest.mark.parametrize("n_seeds", [1, 3])
def test_a_null_difference_holds_in_5_percent_and_fails_in_5_percent(n_seeds):
    rng = np.random.default_rng(2)
    verdicts = []
    for k in range(SIMULATIONS):
        seeds = 0.02 * rng.standard_normal((n_seeds, 1)) * (n_seeds > 1)
        values = seeds + rng.choice([-1.0, 0.0, 0.0, 0.0, 1.0], size=(n_seeds, 200))  # paired differences of hits
        verdicts.append(verdict(mean_interval(values, level=CLAIM_LEVEL, seed=k, resamples=999), 0.0, "above"))
    assert 0.035 <= verdicts.count("holds") / SIMULATIONS <= 0.065
    assert 0.035 <= verdicts.count("fails") / SIMULATIONS <= 0.065


def test_simultaneous_intervals_cover_all_at_once():
    rng = np.random.default_rng(3)
    level = simultaneous_level(0.95, 3)
    hits = 0
    for k in range(SIMULATIONS):
        values = rng.standard_normal((3, 4, 40))
        hits += all(covers(mean_interval(part, level=level, seed=k), 0.0) for part in values)
    assert 0.935 <= hits / SIMULATIONS <= 0.97  # Bonferroni is a little wide: 0.951 for independent intervals


def test_bootstrap_over_tasks_agrees_with_students_t_where_that_is_right():
    values = np.random.default_rng(4).standard_normal(500)
    interval = mean_interval(values)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    np.testing.assert_allclose([interval.low, interval.high], [low, high], atol=0.01)


def test_seeds_carry_the_variation_between_them():
    tasks = 0.01 * np.random.default_rng(5).standard_normal((3, 5000))
    together = mean_interval(tasks)
    apart = mean_interval(tasks + np.array([[-1.0], [0.0], [1.0]]))
    assert together.high - together.low < 0.01 < 4 < apart.high - apart.low


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(6).standard_normal(50)
    assert mean_interval(values, seed=3) == mean_interval(values, seed=3)


@pytest.mark.parametrize("values", [np.ones(10), np.ones(100), np.ones((3, 10)), np.array([[0.0, 2.0], [2.0, 0.0]])])
@pytest.mark.parametrize("better", ["above", "below"])
def test_values_without_variation_have_no_width_and_decide_nothing(values, better):
    interval = mean_interval(values)
    assert (interval.low, interval.value, interval.high) == (1.0, 1.0, 1.0)
    assert interval.constant
    assert {verdict(interval, threshold, better) for threshold in (-1.0, 0.0, 1.0, 2.0)} == {"undecided"}


def test_an_exact_number_decides():
    assert verdict(Interval(1.0, 1.0, 1.0, 10, 1, 0.9), 0.0, "above") == "holds"


DRAWS = {
    "normal": (lambda rng, size: rng.standard_normal(size), 0.0, 0.935),
    "uniform": (lambda rng, size: rng.random(size), 0.5, 0.935),
    "skewed": (lambda rng, size: rng.exponential(size=size), 1.0, 0.88),
}


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("units", [6, 12, 24, 49])
def test_intervals_of_few_units_cover(name, units):
    """Where the bootstrap covers .87 of samples of 6 units, Student's t covers .95; but for much skew, of which few units tell little."""
    draw, truth, least = DRAWS[name]
    samples = draw(np.random.default_rng(7), (SIMULATIONS, units))
    hits = sum(covers(mean_interval(sample), truth) for sample in samples)
    assert least <= hits / SIMULATIONS <= 0.965


def test_of_50_units_the_bootstrap_follows_the_skew():
    sample = np.random.default_rng(8).exponential(size=50)
    interval = mean_interval(sample)
    assert interval.high - interval.value > 1.1 * (interval.value - interval.low)
    few = mean_interval(sample[:49])
    assert few.high - few.value == pytest.approx(few.value - few.low)


def test_students_t_is_scipys():
    samples = np.random.default_rng(9).standard_normal((12, 5))
    low, high = student_bounds(samples, 0.9)
    expected = stats.ttest_1samp(samples, 0).confidence_interval(0.9)
    np.testing.assert_allclose(low, expected.low)
    np.testing.assert_allclose(high, expected.high)


@pytest.mark.parametrize(
    ("low", "high", "better", "expected"),
    [
        (0.1, 0.2, "above", "holds"),
        (-0.2, -0.1, "above", "fails"),
        (-0.1, 0.1, "above", "undecided"),
        (-0.2, -0.1, "below", "holds"),
        (0.1, 0.2, "below", "fails"),
        (0.0, 0.1, "above", "undecided"),
    ],
)
def test_a_verdict_needs_the_whole_interval_on_one_side(low, high, better, expected):
    interval = mean_interval(np.array([low, high]))
    assert verdict(type(interval)((low + high) / 2, low, high, 2, 1, 0.9), 0.0, better) == expected


@pytest.mark.parametrize("values", [np.ones(1), np.ones((2, 2, 2)), np.array([1.0, np.nan]), np.ones((3, 1))])
def test_impossible_values_are_named(values):
    with pytest.raises(ValueError, match="values"):
        mean_interval(values)


def test_an_unknown_side_is_named():
    with pytest.raises(ValueError, match="better"):
        verdict(mean_interval(np.arange(4.0)), 0.0, "abov")
