"""Wild values: one bad cell must ruin neither a column nor a label, and a column without one keeps what it had."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier

from ctxlearn import InContextClassifier, InContextRegressor
from ctxlearn.learners import ContextScaled, InContextTransformer, MissingAware, ProtoNet
from ctxlearn.learners.outliers import find_inliers

SIZES = (500.0, -9999.0, 1e6, 1e12, 1e30)


def weights(*values):
    return find_inliers(torch.tensor(values, dtype=torch.float64)[None, :, None]).weights[0, :, 0].tolist()


def learner(n_features=3, n_classes=2):
    encoder = MissingAware(n_features, 16, hidden=16)
    return ContextScaled(
        InContextTransformer(n_features, n_classes, width=16, depth=2, heads=2, encoder=encoder)
    ).eval()


@pytest.mark.parametrize(
    "column",
    [
        [0.0] * 38 + [1.0] * 2,
        [0.0] * 38 + [1.0, 9.0],
        [0.0] * 39 + [1e6],
        [7.0] * 40,
        [0.0, 1.0] * 20,
        [float(2**k) for k in range(12)],
        np.exp(1.3 * np.random.default_rng(0).standard_normal(60)).tolist(),
        (np.random.default_rng(1).standard_normal(60) ** 3).tolist(),
        np.random.default_rng(2).poisson(1.0, 60).astype(float).tolist(),
        [0.0] * 25 + [1000.0 + k for k in range(15)],  # two groups, one of them narrow
        [1.0, 2.0, 50.0],
        [5.0],
    ],
)
def test_columns_without_a_wild_value_keep_all_their_weight(column):
    assert weights(*column) == [1.0] * len(column)


@pytest.mark.parametrize("n", [8, 12, 40, 300])
@pytest.mark.parametrize("size", SIZES)
def test_a_wild_value_weighs_nothing_and_the_others_all(n, size):
    column = np.random.default_rng(n).normal(50, 10, n)
    column[3] = size
    assert weights(*column) == [float(k != 3) for k in range(n)]


def test_in_counts_and_flags_too_and_on_both_sides():
    assert weights(*[0.0] * 25, *[1.0] * 14, 9999.0)[-1] == 0
    assert weights(*[0.0] * 28, *[1.0] * 8, *[2.0] * 3, 9999.0)[-1] == 0
    assert weights(*range(40), 9999.0, -99999.0)[-2:] == [0, 0]


def test_many_far_values_are_a_group():
    assert weights(*range(30), *[9999.0] * 10) == [1.0] * 40


def test_weights_fall_steadily_from_one_to_nothing_as_the_gap_widens():
    found = [weights(*range(40), 40.0 + far)[-1] for far in np.linspace(0, 400, 200)]
    assert found[0] == 1
    assert found[-1] == 0
    steps = -np.diff(found)
    assert (steps >= 0).all()
    assert steps.max() < 0.1


tables = st.tuples(st.integers(3, 24), st.integers(0, 2**31), st.sampled_from([None, *SIZES]), st.booleans())


@settings(max_examples=60, deadline=None)
@given(tables, st.sampled_from([1e-6, 3.0, 1e5]), st.booleans())
def test_units_signs_and_the_order_of_rows_mean_nothing_with_wild_values_either(table, unit, mirrored):
    n, seed, size, gaps = table
    drawn = np.random.default_rng(seed)
    x, query, y = drawn.normal(50, 10, (n, 3)), drawn.normal(50, 10, (5, 3)), drawn.integers(0, 2, n)
    if size is not None:
        x[drawn.integers(n), 0] = size
        query[0, drawn.integers(3)] = size
    if gaps:
        x[drawn.random(x.shape) < 0.2] = np.nan
    order, factor = drawn.permutation(n), -unit if mirrored else unit
    flip = -1.0 if mirrored else 1.0
    model = learner()

    def answers(x, y, query):
        return model(torch.tensor(x)[None], torch.tensor(y)[None], torch.tensor(query)[None])

    with torch.no_grad():
        expected = answers(flip * x, y, flip * query)
        moved = answers(factor * x[order] + 7 * factor, y[order], factor * query + 7 * factor)
    assert expected.isfinite().all()
    assert torch.allclose(moved, expected, atol=1e-3)


def test_what_is_wild_is_missing_in_contexts_and_in_queries():
    x = torch.randn(1, 40, 3, generator=torch.Generator().manual_seed(0))
    y = (x[..., 0] > 0).long()
    query = torch.tensor([[[0.5, 0.1, 1e4], [0.5, 0.1, 12.0]]])
    wild, absent = x.clone(), x.clone()
    wild[0, 5, 1], absent[0, 5, 1] = 1e4, torch.nan
    for model in (learner(), ContextScaled(ProtoNet(3, 2, encoder="identity"))):
        state = model.adapt(wild, y)
        expected = model.adapt(absent, y)
        asked = query.clone()
        asked[0, 0, 2] = torch.nan
        assert torch.allclose(model.predict(state, query), model.predict(expected, asked), atol=1e-5)
        assert not torch.equal(model.predict(state, query)[0, 0], model.predict(state, query)[0, 1])


def draws(n=40, n_draws=20, n_queries=500):
    """Contexts and queries of three numbers about 50, of which the first and half the second add up to more than 75 or not."""
    for seed in range(n_draws):
        drawn = np.random.default_rng(seed)
        x, asked = drawn.normal(50, 10, (n, 3)), drawn.normal(50, 10, (n_queries, 3))
        y, answers = ((points[:, 0] + points[:, 1] / 2 > 75).astype(int) for points in (x, asked))
        if y.min() < y.max():
            yield drawn, x, y, asked, answers


def accuracies(make, n, spoil, n_draws=20):
    right = []
    for drawn, x, y, asked, answers in draws(n, n_draws):
        spoil(drawn, x)
        right.append((make().fit(x, y).predict(asked) == answers).mean())
    return np.mean(right)


def one_cell(size, columns=(0,), cells=1, gaps=0.0):
    def spoil(drawn, x):
        for column in columns:
            x[drawn.choice(len(x), cells, replace=False), column] = size
        x[drawn.random(x.shape) < gaps] = np.nan

    return spoil


@pytest.mark.parametrize(
    ("n", "spoil"),
    [
        (40, one_cell(500.0)),
        (40, one_cell(9999.0)),
        (40, one_cell(-1e12, columns=(0, 1, 2))),
        (40, one_cell(1e6, cells=4)),
        (40, one_cell(9999.0, cells=2, gaps=0.15)),
        (12, one_cell(9999.0)),
        (100, one_cell(500.0, columns=(0, 1))),
    ],
)
def test_with_wild_cells_the_shipped_classifier_is_ahead_of_a_forest(n, spoil):
    forest = accuracies(lambda: RandomForestClassifier(n_estimators=50, random_state=0), n, spoil)
    assert accuracies(lambda: InContextClassifier(random_state=0), n, spoil) > forest + 0.02


def test_one_wild_cell_in_forty_costs_the_shipped_classifier_next_to_nothing():
    clean, *spoiled = (
        accuracies(lambda: InContextClassifier(random_state=0), 40, one_cell(size) if size else lambda *_: None)
        for size in (None, 500.0, 9999.0, 1e12)
    )
    assert clean > 0.93
    assert min(spoiled) > clean - 0.01


def test_a_wild_cell_of_a_query_leaves_an_answer_by_the_other_columns():
    ahead = []
    for _, x, y, asked, answers in draws(n_queries=300):
        model = InContextClassifier(random_state=0).fit(x, y)
        whole = model.predict(asked)
        spoiled = asked.copy()
        spoiled[::2, 0] = 9999.0
        found = model.predict(spoiled)
        assert (found[1::2] == whole[1::2]).all()
        forest = RandomForestClassifier(n_estimators=50, random_state=0).fit(x, y)
        ahead.append(((found == answers)[::2]).mean() - ((forest.predict(spoiled) == answers)[::2]).mean())
    assert np.mean(ahead) > 0.05


@pytest.mark.parametrize("size", SIZES[1:])
def test_a_wild_label_does_not_ruin_the_regressor(size):
    errors, spoiled = [], []
    for drawn, x, _, asked, _ in draws(n_draws=6, n_queries=100):
        y, answers = (points[:, 0] + points[:, 1] / 2 for points in (x, asked))
        y = y + drawn.normal(0, 2, len(y))
        bad = y.copy()
        bad[0] = size
        for labels, into in ((y, errors), (bad, spoiled)):
            into.append(np.abs(InContextRegressor(random_state=0).fit(x, labels).predict(asked) - answers).mean())
    assert np.mean(errors) < 1.5
    assert np.mean(spoiled) < 4.0  # the labels' standard deviation is 11
