import numpy as np
import pandas as pd
import pytest
import torch
import zoo
from scipy import stats

from ctxlearn import evaluate
from ctxlearn.evaluation import paired_differences, score_output, score_prefixes, task_interval
from ctxlearn.evaluation.queries import score_queries
from ctxlearn.learners import CNP, InContextTransformer, ProtoNet
from ctxlearn.references import Chance, LogisticRegression, NearestNeighbor
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.tasks import Amortization, ClassPrototype

LEARNERS = {"mean": ProtoNet(2, 2, encoder="identity"), "1-NN": NearestNeighbor(2, 2)}


def assert_covers(hits, level=0.95):
    """The share of intervals that hold the truth is `level`, within a 99.9 % interval of its own."""
    low, high = stats.binomtest(int(hits.sum()), hits.size).proportion_ci(0.999, "wilson")
    assert low - 0.01 < level < high + 0.01, (hits.mean(), low, high)


@pytest.mark.parametrize("truth", [0.5, 0.8, 0.95])
def test_wilsons_interval_covers_an_accuracy_in_95_percent_of_samples(truth):
    scores = np.random.default_rng(0).random((200, 4000)) < truth
    low, high = task_interval(scores.astype(float), bounded=True)
    assert_covers((low <= truth) & (truth <= high))


def test_wilsons_interval_is_never_empty_and_stays_in_bounds():
    for value in (0.0, 1.0):
        low, high = task_interval(np.full((50, 1), value), bounded=True)
        assert 0 <= low[0] < high[0] <= 1
        assert high[0] - low[0] > 0.05


def test_scores_between_0_and_1_are_covered_at_least_as_often_as_promised():
    scores = np.random.default_rng(1).beta(2, 1, size=(100, 2000))
    low, high = task_interval(scores, bounded=True)
    assert ((low <= 2 / 3) & (high >= 2 / 3)).mean() > 0.95


def test_students_interval_covers_a_mean_in_95_percent_of_samples():
    numbers = np.random.default_rng(2)
    for n in (3, 20):
        low, high = task_interval(numbers.normal(3.0, 2.0, size=(n, 6000)), bounded=False)
        assert_covers((low <= 3) & (high >= 3))
        low, high = task_interval(numbers.normal(size=(n, 6000)), bounded=False, level=0.8)
        assert_covers((low <= 0) & (high >= 0), level=0.8)


def test_intervals_of_evaluate_cover_the_accuracy_of_a_known_rule():
    hits = []
    for seed in range(60):
        table = evaluate({"chance": Chance(ClassPrototype())}, ClassPrototype(), n_tasks=100, n_points=5, seed=seed)
        hits += ((table["low"] <= 0.5) & (table["high"] >= 0.5)).tolist()
    assert_covers(np.array(hits))


def test_equal_top_logits_count_their_share():
    y = torch.tensor([[0, 2, 1]])
    output = torch.tensor([[[1.0, 1.0, 0.0], [2.0, 2.0, 2.0], [5.0, 1.0, 0.0]]])
    assert score_output(output, y, 3).tolist() == [[pytest.approx(1 / 2), pytest.approx(1 / 3), 0.0]]
    assert score_output(torch.tensor([[1.0, 4.0, 0.0]]), torch.tensor([[0.0, 2.0, 1.0]]), None).tolist() == [[1, 4, 1]]
    table = evaluate({"none": NearestNeighbor(2, 2)}, ClassPrototype(), n_tasks=20, n_points=1)
    assert table["mean"].tolist() == [0.5]


def test_outputs_for_classes_that_the_tasks_do_not_have_are_ignored():
    output = torch.tensor([[[0.0, 1.0, 9.0]]])
    assert score_output(output, torch.tensor([[1]]), 2).tolist() == [[1.0]]
    table = evaluate({"wide": InContextTransformer(2, 5, width=8, depth=1)}, ClassPrototype(), n_tasks=5, n_points=3)
    assert table["mean"].between(0, 1).all()


def test_outputs_of_another_shape_or_not_finite_are_refused():
    y = torch.zeros(2, 3, dtype=torch.int64)
    for output in (torch.zeros(2, 3), torch.zeros(2, 4, 2), torch.zeros(2, 3, 1)):
        with pytest.raises(ValueError, match=r"^output: expected shape"):
            score_output(output, y, 2)
    with pytest.raises(ValueError, match=r"^output: expected finite numbers"):
        score_output(torch.full((2, 3, 2), torch.nan), y, 2)


def test_the_table_has_one_row_a_learner_and_context_length():
    table = evaluate(LEARNERS, ClassPrototype(), n_tasks=70, n_points=6, seed=3)
    assert list(table.columns) == ["learner", "family", "n_context", "seed", "mean", "low", "high", "n_tasks"]
    assert table["learner"].tolist() == ["mean"] * 6 + ["1-NN"] * 6
    assert table["n_context"].tolist() == [*range(6)] * 2
    assert (table["family"] == "class-prototype").all()
    assert (table["seed"] == 3).all()
    assert (table["n_tasks"] == 70).all()
    assert ((table["low"] < table["mean"]) & (table["mean"] < table["high"])).all()


def test_the_mean_is_that_of_the_table_under_it_and_of_adapt_and_predict():
    options = {"n_tasks": 70, "n_points": 6, "seed": 3}
    table = evaluate(LEARNERS, ClassPrototype(), **options)
    under = evaluate(LEARNERS, ClassPrototype(), **options, per_task=True)
    assert list(under.columns) == ["learner", "family", "n_context", "seed", "task", "value"]
    assert len(under) == 2 * 70 * 6
    means = under.groupby(["learner", "n_context"], sort=False)["value"].mean()
    assert np.allclose(means.to_numpy(), table["mean"])
    tasks = ClassPrototype().sample(70, 6, generator=generator_for(3, Stream.TEST))
    out = LEARNERS["mean"](tasks.x[:, :4], tasks.y[:, :4], tasks.x[:, 4:5])
    right = (out.argmax(-1) == tasks.y[:, 4:5]).double().mean()
    assert table.query("learner == 'mean' and n_context == 4")["mean"].item() == pytest.approx(float(right))


def test_regression_is_scored_by_squared_error_with_students_interval():
    table = evaluate({"chance": Chance(zoo.Lines())}, zoo.Lines(), n_tasks=400, n_points=3)
    assert ((table["low"] < 2) & (table["high"] > 2)).all()  # the variance of w x with two features


def test_a_seed_gives_its_tasks_and_threads_do_not_matter():
    same = [evaluate(LEARNERS, Amortization(), n_tasks=150, n_points=5, threads=t) for t in (1, 2, 3, None)]
    for table in same[1:]:
        pd.testing.assert_frame_equal(table, same[0])
    other = evaluate(LEARNERS, Amortization(), n_tasks=150, n_points=5, seed=1)
    assert not np.allclose(other["mean"], same[0]["mean"])
    alone = evaluate({"1-NN": LEARNERS["1-NN"]}, Amortization(), n_tasks=150, n_points=5)
    assert np.array_equal(alone["mean"], same[0].query("learner == '1-NN'")["mean"])


def test_evaluation_leaves_learners_and_the_global_random_state_as_they_were():
    learner = CNP(2, 2, width=8).train()
    before = torch.random.get_rng_state()
    evaluate({"CNP": learner}, Amortization(), n_tasks=5, n_points=3)
    assert learner.training
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(p.grad is None for p in learner.parameters())


def test_more_tasks_than_a_chunk_are_scored_in_order():
    tasks = Amortization().sample(130, 3, generator=torch.Generator().manual_seed(0))
    whole = score_prefixes(LEARNERS["mean"], tasks)
    assert np.array_equal(whole[100:], score_prefixes(LEARNERS["mean"], tasks.tasks(torch.arange(100, 130))))


def test_paired_differences_are_those_computed_by_hand():
    a, b = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 1.0]]), np.array([[0.0, 0, 0], [0, 1, 0], [1, 0, 1]])
    rows = [
        {"learner": name, "family": "f", "n_context": n, "seed": 0, "task": t, "value": scores[t, n]}
        for name, scores in (("a", a), ("b", b))
        for t in range(3)
        for n in range(3)
    ]
    table = paired_differences(pd.DataFrame(rows).sample(frac=1, random_state=0), "b")
    assert table["learner"].tolist() == ["a"] * 4
    for n in (0, 1, 2, -1):
        difference = (a - b)[:, n] if n >= 0 else (a - b)[:, 1:].mean(1)
        row = table.query("n_context == @n").iloc[0]
        half = stats.t.ppf(0.975, 2) * difference.std(ddof=1) / 3**0.5
        assert row["mean"] == pytest.approx(difference.mean())
        assert row["low"] == pytest.approx(difference.mean() - half)
        assert row["high"] == pytest.approx(difference.mean() + half)
        assert row["n_tasks"] == 3


def test_pairing_removes_the_variance_that_the_tasks_share():
    learners = LEARNERS | {"logistic": LogisticRegression(2, 2)}
    per_task = evaluate(learners, ClassPrototype(), n_tasks=200, n_points=8, per_task=True)
    both = pd.concat([per_task, evaluate(learners, Amortization(), n_tasks=200, n_points=8, per_task=True)])
    table = paired_differences(both, "1-NN")
    assert set(table["family"]) == {"class-prototype", "amortization"}
    assert len(table) == 2 * 2 * 9
    wide = per_task.query("n_context == 5").pivot_table(index="task", columns="learner", values="value")
    difference = (wide["mean"] - wide["1-NN"]).mean()
    row = table.query("family == 'class-prototype' and learner == 'mean' and n_context == 5")
    assert row["mean"].item() == pytest.approx(difference)


def test_differences_of_tasks_without_any_context_have_no_mean_over_lengths():
    per_task = evaluate(LEARNERS, ClassPrototype(), n_tasks=5, n_points=1, per_task=True)
    assert paired_differences(per_task, "1-NN")["n_context"].tolist() == [0]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("learners", lambda: ({}, ClassPrototype())),
        ("learners", lambda: ([LEARNERS["mean"]], ClassPrototype())),
        (r"learners\['a'\]", lambda: ({"a": "ProtoNet"}, ClassPrototype())),
        (r"learners\['a'\]", lambda: ({"a": ProtoNet(3, 2)}, ClassPrototype())),
        (r"learners\['a'\]", lambda: ({"a": ProtoNet(2, 2)}, ClassPrototype(2, 3))),
        (r"learners\['a'\]", lambda: ({"a": ProtoNet(2, 2)}, zoo.Lines())),
        ("family", lambda: (LEARNERS, "class-prototype")),
    ],
)
def test_learners_and_families_that_do_not_fit_are_refused(name, arguments):
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        evaluate(*arguments())


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_tasks", 1), ("n_tasks", 2.5), ("n_points", 0), ("seed", -1), ("seed", "a"), ("threads", 0), ("threads", "2")],
)
def test_impossible_sizes_are_refused(name, value):
    with pytest.raises(ValueError, match=f"^{name}: expected an integer"):
        evaluate(LEARNERS, ClassPrototype(), **{"n_tasks": 4, "n_points": 2} | {name: value})


def test_differences_from_nothing_are_refused():
    per_task = evaluate(LEARNERS, ClassPrototype(), n_tasks=5, n_points=2, per_task=True)
    with pytest.raises(ValueError, match=r"^baseline: expected one of mean, 1-NN, got 'chance'"):
        paired_differences(per_task, "chance")
    with pytest.raises(ValueError, match=r"^per_task: expected the table of evaluate"):
        paired_differences(evaluate(LEARNERS, ClassPrototype(), n_tasks=5, n_points=2), "mean")
    with pytest.raises(ValueError, match=r"^per_task: expected the table of evaluate"):
        paired_differences(None, "mean")
    with pytest.raises(ValueError, match=r"^per_task: expected more learners than the baseline"):
        paired_differences(per_task.query("learner == 'mean'"), "mean")
    for level in (0, 1, 95, "a"):
        with pytest.raises(ValueError, match=r"^level: expected a finite number"):
            paired_differences(per_task, "mean", level=level)


def test_queries_are_scored_from_the_first_points_alone_whatever_the_threads():
    tasks = ClassPrototype().sample(23, 12, generator=torch.Generator().manual_seed(0))
    learner = LEARNERS["1-NN"]
    found = score_queries(learner, tasks, 5, 3)
    with torch.inference_mode():
        right = learner(tasks.x[:, :5], tasks.y[:, :5], tasks.x[:, 9:]).argmax(-1) == tasks.y[:, 9:]
    assert np.allclose(found, right.double().mean(1).numpy())
    assert np.array_equal(found, score_queries(learner, tasks, 5, 3, threads=2))
    assert np.allclose(found, score_queries(learner, tasks, 5, 3, chunk=64), rtol=0, atol=1e-12)
