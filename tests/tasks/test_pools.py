import pytest
import torch

from ctxlearn.evaluation import score_prefixes
from ctxlearn.references import LinearGaussian, LinearPool
from ctxlearn.tasks import ClassPrototype, LinearRegression, Pool


def test_a_pool_holds_the_first_tasks_of_a_larger_one():
    small, large = (Pool(LinearRegression(3), size, seed=4).parameters["weights"] for size in (5, 3000))
    assert torch.equal(small, large[:5])
    assert len(large.unique(dim=0)) == 3000


def test_every_task_of_a_pool_is_drawn_about_equally_often(generator):
    pool = Pool(ClassPrototype(), 4)
    drawn = pool.sample_parameters(4000, generator=generator)["prototypes"]
    counts = torch.stack([(drawn == p).flatten(1).all(1).sum() for p in pool.parameters["prototypes"]])
    assert counts.sum() == 4000
    assert ((counts - 1000).abs() < 4.5 * 27.4).all()


def test_linear_regression_without_noise_is_solved_by_d_points(generator):
    tasks = LinearRegression(4).sample(50, 6, generator=generator)
    x, y = tasks.x, tasks.y
    weights = torch.linalg.lstsq(x[:, :4].double(), y[:, :4, None].double()).solution
    torch.testing.assert_close((x[:, 4:].double() @ weights)[..., 0], y[:, 4:].double(), atol=1e-3, rtol=1e-3)


def test_inputs_beyond_the_active_ones_are_zero(generator):
    x = LinearRegression(5, active=2).sample(3, 4, generator=generator).x
    assert (x[..., 2:] == 0).all()
    assert (x[..., :2] != 0).all()


@pytest.mark.parametrize("n_context", [0, 1, 5])
def test_bayes_of_a_pool_is_the_average_weighted_by_likelihood(n_context, generator):
    pool = Pool(LinearRegression(2, noise=0.5), 6)
    tasks = pool.sample(3, n_context + 1, generator=generator)
    weights = pool.parameters["weights"].double()
    x, y = tasks.x.double(), tasks.y.double()
    expected = []
    for b in range(3):
        likelihood = torch.ones(6, dtype=torch.float64)
        for i in range(n_context):
            likelihood *= torch.exp(-0.5 * ((y[b, i] - weights @ x[b, i]) / 0.5) ** 2)
        expected.append((likelihood * (weights @ x[b, n_context])).sum() / likelihood.sum())
    answer = LinearPool(pool.parameters["weights"], 0.5).predict_prefixes(tasks.x, tasks.y)[:, n_context]
    torch.testing.assert_close(answer.double(), torch.stack(expected), atol=1e-5, rtol=1e-5)


def test_each_bayes_predictor_is_the_better_on_its_own_tasks(generator):
    family = LinearRegression(4, noise=0.5)
    pool = Pool(family, 8)
    memory, prior = LinearPool(pool.parameters["weights"], 0.5), LinearGaussian(0.0, 1.0, 0.5, 4)
    for source, better, worse in ((pool, memory, prior), (family, prior, memory)):
        tasks = source.sample(400, 12, generator=generator)
        gain = (score_prefixes(worse, tasks) - score_prefixes(better, tasks)).mean(1)
        assert gain.mean() > 4.5 * gain.std() / 20


def test_bad_sizes_are_named():
    with pytest.raises(ValueError, match="size"):
        Pool(ClassPrototype(), 0)
    with pytest.raises(ValueError, match="family"):
        Pool("pool", 3)
    with pytest.raises(ValueError, match="weights"):
        LinearPool(torch.zeros(3), 0.5)
    with pytest.raises(ValueError, match="noise"):
        LinearPool(torch.zeros(3, 2), 0.0)
    with pytest.raises(ValueError, match="active"):
        LinearRegression(3, active=4)
