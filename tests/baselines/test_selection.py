import numpy as np
import pytest
import torch
import zoo

from ctxlearn.baselines.selection import leave_one_out, losses
from ctxlearn.evaluation import evaluate, hindsight, hindsight_per_query
from ctxlearn.learners import CNP, Learner, MatchNet, ProtoNet
from ctxlearn.references import (
    AlgorithmSelection,
    BayesOptimal,
    Chance,
    Ensemble,
    KernelRegression,
    NearestNeighbor,
    Ridge,
)
from ctxlearn.tasks import Amortization, Mixture, PairwiseMetric, Radial
from ctxlearn.testing import check_learner

FAMILIES = [PairwiseMetric(), Radial()]


def members():
    return {
        "MatchNet": MatchNet(2, 2, encoder="identity", attention="sum"),
        "ProtoNet": ProtoNet(2, 2, encoder="identity"),
        "CNP": CNP(2, 2, width=8),
    }


def oracles():
    return [BayesOptimal(family) for family in FAMILIES]


def test_leave_one_out_is_adapting_to_all_other_points(generator):
    tasks = Radial().sample(5, 7, generator=generator)
    x, y = tasks.x, tasks.y
    for learner in members().values():
        fast = leave_one_out(learner, x, y)
        for j in range(7):
            rest = [i for i in range(7) if i != j]
            slow = losses(learner, learner(x[:, rest], y[:, rest], x[:, j : j + 1]), y[:, j : j + 1])[:, 0]
            assert torch.allclose(fast[:, j], slow, atol=1e-5)


def test_leave_one_out_of_many_tasks_is_computed_in_pieces(generator):
    tasks = Radial().sample(60, 40, generator=generator)
    x, y = tasks.x, tasks.y
    learner = NearestNeighbor(2)
    assert torch.equal(leave_one_out(learner, x, y)[50:], leave_one_out(learner, x[50:], y[50:]))


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("rule", ["loo", "prequential", "evidence"])
def test_every_rule_keeps_the_contract_of_learners(rule, soft):
    learners = [ProtoNet(2, 2, encoder="identity"), NearestNeighbor(2)]
    families = FAMILIES if rule == "evidence" else None
    selection = AlgorithmSelection(learners, rule, soft, families)
    check_learner(selection, permutation_invariant=rule != "prequential")


def test_the_soft_mixture_by_evidence_is_bayes_up_to_the_query(generator):
    tasks = Mixture(FAMILIES).sample(30, 12, generator=generator)
    x, y = tasks.x, tasks.y
    selection = AlgorithmSelection(oracles(), "evidence", soft=True, families=FAMILIES)
    bayes = BayesOptimal(Mixture(FAMILIES))
    weights = bayes.family_posterior_prefixes(x, y)[:, :-1]
    assert torch.allclose(selection.choices(x, y), weights, atol=1e-9)
    each = torch.stack([oracle.predict_prefixes(x, y).double().exp() for oracle in oracles()], dim=2)
    mixed = (weights[..., None] * each).sum(2)
    assert torch.allclose(selection.predict_prefixes(x, y).double().exp(), mixed, atol=1e-6)


@pytest.mark.parametrize("rule", ["loo", "prequential", "evidence"])
def test_the_right_learner_is_picked(rule, generator):
    selection = AlgorithmSelection(oracles(), rule, families=FAMILIES if rule == "evidence" else None)
    for k, family in enumerate(FAMILIES):
        tasks = family.sample(100, 20, generator=generator)
        x, y = tasks.x, tasks.y
        chosen = selection.choices(x, y)
        assert torch.allclose(chosen[:, 0], torch.full((100, 2), 0.5, dtype=torch.float64))
        assert float(chosen[:, 19, k].mean()) > 0.9
        picked = chosen[:, 19].argmax(-1)
        outputs = torch.stack([oracle.predict_prefixes(x, y) for oracle in oracles()], dim=2)[:, 19]
        expected = outputs[torch.arange(100), picked]
        assert torch.allclose(selection.predict_prefixes(x, y)[:, 19], expected, atol=1e-6)


def test_regression_picks_by_squared_error(generator):
    tasks = zoo.Lines().sample(50, 12, generator=generator)
    x, y = tasks.x, tasks.y

    class Zero(Learner):
        def adapt(self, context_x, context_y):
            return len(self.check_context(context_x, context_y)[0])

        def predict(self, state, query_x):
            return self.check_query(query_x, n_tasks=state)[..., 0] * 0

    selection = AlgorithmSelection({"zero": Zero(2, None), "1-NN": NearestNeighbor(2, None)})
    error = (selection.predict_prefixes(x, y) - y).square().mean(0)
    assert float(selection.choices(x, y)[:, 11, 1].mean()) > 0.8
    assert float(error[11]) < float(y.square().mean()) / 2
    check_learner(selection)
    with pytest.raises(ValueError, match="soft"):
        AlgorithmSelection([Zero(2, None), NearestNeighbor(2, None)], soft=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"learners": []}, "two or more"),
        ({"learners": [NearestNeighbor(2)]}, "two or more"),
        ({"learners": [NearestNeighbor(2), "ProtoNet"]}, "two or more"),
        ({"learners": [NearestNeighbor(2), NearestNeighbor(3)]}, r"learners\[1\]: expected n_features = 2"),
        ({"learners": [NearestNeighbor(2), NearestNeighbor(2, 3)]}, r"learners\[1\]: .* n_classes = 2"),
        ({"rule": "lo"}, "did you mean 'loo'"),
        ({"rule": "evidence"}, "families"),
        ({"families": FAMILIES}, "families"),
        ({"rule": "evidence", "families": FAMILIES[:1]}, "families: expected 2"),
        (
            {"rule": "evidence", "families": [Radial(), Amortization(3)]},
            r"families\[1\]: expected tasks for its learner",
        ),
        ({"rule": "evidence", "families": [Radial(), zoo.labelled(shape=(2,))]}, "write its methods"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        AlgorithmSelection(**{"learners": [NearestNeighbor(2), ProtoNet(2, 2)]} | arguments)


def test_no_selector_beats_hindsight():
    family, learners = Mixture([PairwiseMetric(), Amortization()]), members()
    settings = {"n_tasks": 200, "n_points": 17, "seed": 1}
    bound = hindsight(learners, family, lengths=[0, 4, 16], per_task=True, **settings)
    assert list(bound["n_context"].unique()) == [0, 4, 16]
    assert set(bound["chosen"]) <= set(learners)
    selection = learners | {"selection": AlgorithmSelection(learners, "prequential")}
    scores = evaluate(selection, family, per_task=True, **settings)
    for n in (4, 16):
        best = bound[bound["n_context"] == n].sort_values("task")["value"].to_numpy()
        for name in selection:
            part = scores[(scores["n_context"] == n) & (scores["learner"] == name)]
            gain = part.sort_values("task")["value"].to_numpy() - best
            assert gain.mean() <= 3 * gain.std() / len(gain) ** 0.5, (name, n)


def test_hindsight_of_one_learner_is_its_accuracy_on_the_tasks_of_evaluate():
    learner = {"oracle": BayesOptimal(Radial())}
    table = hindsight(learner, Radial(), n_tasks=300, n_points=9, lengths=(8,), n_queries=64)
    row = table.iloc[0]
    assert list(table.columns) == list(evaluate(learner, Radial(), n_tasks=2, n_points=1).columns)
    assert row["low"] < 0.962 < row["high"] or abs(row["mean"] - 0.962) < 0.01
    again = hindsight(learner, Radial(), n_tasks=300, n_points=9, lengths=(8,), n_queries=64, threads=1)
    assert again.equals(table)


def test_the_bound_per_query_holds_for_soft_selectors_where_the_one_per_task_does_not():
    """Members that are right on either half of the plane: a selector that looks at the query is always right."""
    halves = {"left": HalfRight(-1), "right": HalfRight(1)}
    settings = {"n_tasks": 60, "n_points": 6, "seed": 1}
    per_task = hindsight(halves, zoo_of_signs(), lengths=[4], n_queries=64, **settings)["mean"].item()
    per_query = hindsight_per_query(halves, zoo_of_signs(), lengths=[4], n_queries=64, **settings)["mean"].item()
    soft = evaluate({"soft": Ensemble(list(halves.values()))}, zoo_of_signs(), **settings)["mean"]
    assert per_task < 0.7
    assert per_query == 1.0
    assert (soft == 1.0).all()


class HalfRight(Learner):
    """Sure and right on one side of the first feature, undecidedly wrong on the other."""

    def __init__(self, side):
        super().__init__(2, 2)
        self.side = side

    def adapt(self, context_x, context_y):
        return len(self.check_context(context_x, context_y)[0])

    def predict(self, state, query_x):
        x = self.check_query(query_x, n_tasks=state)
        truth = x[..., 1].sign()
        logit = torch.where(x[..., 0] * self.side > 0, 9 * truth, -0.1 * truth)
        return torch.stack([-logit / 2, logit / 2], -1)


def zoo_of_signs():
    class Signs(Radial):
        def sample_points(self, parameters, n_points, *, generator):
            x, _ = super().sample_points(parameters, n_points, generator=generator)
            return x, (x[..., 1] > 0).long()

    return Signs()


def test_the_bounds_are_ordered_and_share_their_contexts():
    settings = {"n_tasks": 50, "n_points": 8, "n_queries": 32, "lengths": (0, 8), "per_task": True}
    for learners, family in ((members(), Radial()), (lines(), zoo.Lines())):
        task, query = hindsight(learners, family, **settings), hindsight_per_query(learners, family, **settings)
        assert (task[["n_context", "task"]] == query[["n_context", "task"]]).to_numpy().all()
        gap = query["value"].mean() - task["value"].mean()
        assert gap > 0 if family.n_classes else gap < 0
        alone = {"one": next(iter(learners.values()))}
        bound = hindsight_per_query(alone, family, **settings)
        assert (bound["value"] <= query["value"] if family.n_classes else bound["value"] >= query["value"]).all()


def lines():
    return {"ridge": Ridge(2, None), "kernel": KernelRegression(n_features=2, n_classes=None)}


def test_hindsight_for_regression_takes_the_smallest_error():
    learners = {"1-NN": NearestNeighbor(2, None), "chance": Chance(zoo.Lines())}
    table = hindsight(learners, zoo.Lines(), n_tasks=40, n_points=8, lengths=(0, 8), n_queries=32, per_task=True)
    assert np.isfinite(table["value"]).all()
    late = table[table["n_context"] == 8]
    assert (late["chosen"] == "1-NN").mean() > 0.6


def test_hindsight_names_bad_arguments():
    for arguments, message in [
        ({"learners": {}}, "learners"),
        ({"family": "radial"}, "family"),
        ({"lengths": (51,)}, r"lengths\[0\]"),
        ({"n_queries": 0}, "n_queries"),
        ({"lengths": ()}, "lengths"),
        ({"threads": -1}, "threads"),
    ]:
        with pytest.raises(ValueError, match=message):
            hindsight(**{"learners": members(), "family": Radial()} | arguments)
