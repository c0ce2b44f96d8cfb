"""Families of regression tasks: definitions, and the reference learners' table on linear ones."""

import pytest
import torch
from test_families import Z, assert_mean, drawn

from ctxlearn.evaluation import score_prefixes
from ctxlearn.references import Averaging, LinearGaussian, NearestNeighbor, Ridge
from ctxlearn.tasks import DecisionTree, LinearRegression, SparseLinearRegression, TwoLayerNetwork

FAMILIES = {
    "linear": LinearRegression,
    "sparse": SparseLinearRegression,
    "network": TwoLayerNetwork,
    "tree": DecisionTree,
}


@pytest.mark.parametrize("name", FAMILIES)
def test_noise_is_added_to_labels_that_are_otherwise_the_same(name):
    exact, noisy = drawn(FAMILIES[name](5)), drawn(FAMILIES[name](5, noise=0.5))
    assert torch.equal(exact.x, noisy.x)
    error = noisy.y - exact.y
    assert_mean(error, 0.0)
    assert_mean(error.square(), 0.25)
    assert_mean(error[:, 0] * error[:, 1], 0.0)


@pytest.mark.parametrize("name", FAMILIES)
def test_inputs_are_standard_normal_and_labels_have_mean_zero(name):
    tasks = drawn(FAMILIES[name](4))
    assert_mean(tasks.x, 0.0)
    assert_mean(tasks.x.square(), 1.0)
    assert_mean(tasks.y, 0.0)


@pytest.mark.parametrize(
    ("family", "variance"),
    [
        (LinearRegression(6), 6.0),
        (SparseLinearRegression(6, 2), 2.0),
        (TwoLayerNetwork(6, 9), 6.0),
        (DecisionTree(6), 1.0),
    ],
    ids=FAMILIES,
)
def test_the_variance_of_labels_is_that_of_the_definition(family, variance):
    assert_mean(drawn(family, n_tasks=20000).y.square(), variance)


def test_sparse_weights_are_as_many_as_asked_for_and_anywhere():
    weights = drawn(SparseLinearRegression(7, 3)).parameters["weights"]
    assert ((weights != 0).sum(1) == 3).all()
    for i in range(7):
        assert_mean(weights[:, i] != 0, 3 / 7)
    assert torch.equal((drawn(SparseLinearRegression(3, 3)).parameters["weights"] != 0).sum(1), torch.full((4000,), 3))


def test_a_network_is_its_formula():
    tasks = drawn(TwoLayerNetwork(3, 8), n_tasks=5)
    for b in range(5):
        w, a = tasks.parameters["hidden"][b], tasks.parameters["output"][b]
        expected = [sum(a[j] * max(0.0, float(w[j] @ x)) for j in range(8)) * (2 / 8) ** 0.5 for x in tasks.x[b]]
        assert torch.allclose(tasks.y[b], torch.tensor(expected), atol=1e-5)


@pytest.mark.parametrize("spread", [0.0, 0.7])
@pytest.mark.parametrize("depth", [1, 3, 4])
def test_a_tree_is_walked_from_the_root_to_a_leaf(depth, spread):
    tasks = drawn(DecisionTree(3, depth, threshold_spread=spread), n_tasks=20)
    inputs, thresholds, leaves = (tasks.parameters[name] for name in ("inputs", "thresholds", "leaves"))
    assert inputs.shape == (20, 2**depth - 1)
    assert leaves.shape == (20, 2**depth)
    assert bool(thresholds.any()) == (spread > 0)
    for b in range(20):
        for i, x in enumerate(tasks.x[b]):
            turns = []
            for level in range(depth):
                node = 2**level - 1 + sum(t << (level - 1 - k) for k, t in enumerate(turns))
                turns.append(int(x[inputs[b, node]] > thresholds[b, node]))
            leaf = sum(t << (depth - 1 - k) for k, t in enumerate(turns))
            assert tasks.y[b, i] == leaves[b, leaf]


def test_trees_look_at_every_input_equally_often():
    inputs = drawn(DecisionTree(5)).parameters["inputs"]
    for i in range(5):
        assert_mean(inputs == i, 0.2)


LENGTHS = (5, 10, 20, 30, 40)
TABLE = {
    "least squares": (Ridge(None, None, intercept=False), (0.777, 0.496, 0, 0, 0)),
    "3-NN": (NearestNeighbor(None, None, k=3), (1.139, 0.923, 0.832, 0.725, 0.688)),
    "averaging": (Averaging(), (4.245, 2.100, 1.102, 0.649, 0.531)),
}
"""Squared error / d of linear regression, d = 20, without noise, measured on 1,280 prompts."""


@pytest.mark.parametrize("name", TABLE)
def test_reference_learners_reproduce_the_table(name):
    learner, expected = TABLE[name]
    scores = score_prefixes(learner, drawn(LinearRegression(20), n_tasks=1280, n_points=41)) / 20
    for n, value in zip(LENGTHS, expected, strict=True):
        # the table is an estimate from as many tasks as ours: two errors
        error = (2 / 1280) ** 0.5 * scores[:, n].std()
        assert abs(scores[:, n].mean() - value) <= Z * error + 5e-4, (n, scores[:, n].mean(), value)


def test_reference_learners_have_the_error_that_theory_gives_them():
    scores = {
        name: score_prefixes(learner, drawn(LinearRegression(20), n_tasks=2000, n_points=41, seed=1)) / 20
        for name, (learner, _) in TABLE.items()
    }
    for n in LENGTHS:
        for name, expected in (("least squares", max(0.0, 1 - n / 20)), ("averaging", 21 / n)):
            error = scores[name][:, n].std() / 2000**0.5
            assert abs(scores[name][:, n].mean() - expected) <= Z * error + 5e-4


def test_least_squares_is_bayes_without_noise(generator):
    tasks = LinearRegression(6).sample(20, 5, generator=generator)
    least = Ridge(None, None, intercept=False).predict_prefixes(tasks.x, tasks.y)
    bayes = LinearGaussian(n_features=6).predict_prefixes(tasks.x, tasks.y)
    assert torch.allclose(least, bayes, atol=1e-3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SparseLinearRegression(3, 4), "sparsity"),
        (lambda: TwoLayerNetwork(3, hidden=0), "hidden"),
        (lambda: TwoLayerNetwork(3, noise=-1), "noise"),
        (lambda: DecisionTree(3, depth=0), "depth"),
        (lambda: DecisionTree(3, threshold_spread=-1), "threshold_spread"),
        (lambda: DecisionTree(0), "n_features"),
    ],
)
def test_bad_sizes_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
