"""`identify` on predictors whose algorithm is known; boxes are drawn here, of other kinds and seeds than thresholds were
fixed on (benchmarks/identification.py measures more of them)."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression as ScikitLogisticRegression
from sklearn.linear_model import Ridge as ScikitRidge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.svm import SVC

import ctxlearn
from benchmarks.identification import Bench, Bumps, measure
from ctxlearn.cli import main
from ctxlearn.identification import default_candidates, draw_probes
from ctxlearn.identification.predictors import as_answers
from ctxlearn.identification.responses import respond
from ctxlearn.identification.views import views_of
from ctxlearn.learners import InContextTransformer, MatchNet, ProtoNet
from ctxlearn.references import GradientDescent, LinearGaussian, LogisticRegression, NearestNeighbor, Ridge
from ctxlearn.tasks import Amortization, ClassPrototype, LinearRegression, PairwiseMetric

QUICK = {"lengths": [4, 8], "n_contexts": 64}
NAMES = list(default_candidates(2, 2))


@pytest.fixture(scope="module")
def rates():
    return {n: measure(Bench(n, "test", seed=17), rounds=3) for n in (2, 4, 8)}


@pytest.mark.parametrize("n", [4, 8])
def test_the_best_class_holds_the_truth(rates, n):
    found = rates[n][0]
    assert len(found["in the class"]) == 36
    assert all(found["class of 2 at most"])
    assert np.mean(found["in the class"]) >= 0.93
    assert np.mean(found["accepted"]) >= 0.60
    assert np.mean(found["removed"]) >= 0.85
    assert np.mean(found["untrained"]) >= 0.85


@pytest.mark.parametrize("name", ["nearest class mean", "ridge"])
def test_a_noisy_predictor_is_identified_from_end_to_end(name):
    def noisy(seed):
        learner, nuisance = default_candidates(2, 2)[name], Bumps(seed, sees=True)

        def predictor(x, y, q):
            return 3 * (learner(x, y, q).diff(dim=-1)[..., 0] / size[0] + nuisance(x, y, q) / size[1])

        probes = draw_probes(8, 192, 8, 2, 2, seed=99)
        parts = (learner(probes.x, probes.y, probes.queries).diff(dim=-1), nuisance(probes.x, probes.y, probes.queries))
        size = [float(part.std()) for part in parts]
        return predictor

    found = ctxlearn.identify(noisy(1), replicates=[noisy(2)], lengths=[8])
    assert found.verdict(8).answer == name


def test_two_points_are_enough_for_most(rates):
    found = rates[2][0]
    assert all(found["class of 2 at most"])
    assert np.mean(found["in the class"]) >= 0.85


@pytest.mark.parametrize("name", NAMES)
def test_each_candidate_is_told_from_all_others(name):
    found = ctxlearn.identify(default_candidates(2, 2)[name], lengths=[4, 16], n_contexts=96)
    for n in (4, 16):
        verdict = found.verdict(n)
        assert verdict.accepted
        assert verdict.answer == name
        assert verdict.members == (name,)
        assert verdict.runner_up not in (name, None)
        assert found.blends[n].get(name, 0) > 0.99
        assert found.order_dependence[n] < 1e-6
    assert not found.ceiling_normalised
    assert "not normalised to a ceiling" in str(found)


def test_some_of_the_default_candidates_are_asked_for_by_name():
    found = ctxlearn.identify(NearestNeighbor(2, 2), ["ridge", "1-NN"], **QUICK)
    assert set(found.results["candidate"]) == {"ridge", "1-NN"}
    assert found.verdict(8).runner_up == "ridge"


def test_one_point_leaves_a_class():
    found = ctxlearn.identify(NearestNeighbor(2, 2), lengths=[1], n_contexts=64)
    assert {"1-NN", "3-NN", "majority", "cosine softmax"} <= set(found.verdict(1).members)


def test_the_temperature_of_a_predictor_does_not_matter():
    def hot(x, y, q):
        return 37 * LogisticRegression(2, 2, penalty=0.1)(x, y, q) + 5

    plain = ctxlearn.identify(LogisticRegression(2, 2, penalty=0.1), **QUICK)
    heated = ctxlearn.identify(hot, **QUICK)
    assert np.allclose(heated.results["total"], plain.results["total"], atol=1e-6)


def test_three_classes():
    found = ctxlearn.identify(ProtoNet(2, 3, encoder="identity"), **QUICK)
    assert found.n_classes == 3
    assert found.results["candidate"].nunique() == 11
    assert [found.verdict(n).answer for n in (4, 8)] == ["nearest class mean"] * 2


def test_an_algorithm_that_is_no_candidate_is_none_of_these():
    others = {name: c for name, c in default_candidates(2, 2).items() if name != "cosine softmax"}
    learner = MatchNet(2, 2, "identity")
    for replicates in ([], [learner]):
        found = ctxlearn.identify(learner, others, replicates=replicates, **QUICK)
        assert found.ceiling_normalised == bool(replicates)
        for n in (4, 8):
            verdict = found.verdict(n)
            assert not verdict.accepted
            assert verdict.answer == "none of these"
            assert verdict.runner_up in others
            assert f"none of these (nearest: {verdict.members[0]}" in str(verdict)


def test_predictors_may_be_functions_learners_and_estimators():
    def log_odds(x, y, q):
        logits = NearestNeighbor(2, 2, k=3)(x, y, q)
        return (logits[..., 1] - logits[..., 0]).numpy()

    class Duck:
        def adapt(self, x, y):
            return NearestNeighbor(2, 2).adapt(x, y)

        def predict(self, state, q):
            return NearestNeighbor(2, 2).predict(state, q)

    assert ctxlearn.identify(log_odds, **QUICK).verdict(8).answer == "3-NN"
    assert ctxlearn.identify(Duck(), **QUICK).verdict(8).answer == "1-NN"
    small = {"lengths": [8], "n_contexts": 32}
    for estimator in (lambda: KNeighborsClassifier(3), KNeighborsClassifier(3)):
        assert ctxlearn.identify(estimator, **small).verdict(8).members[0] == "3-NN"
    found = ctxlearn.identify(
        lambda: SVC(kernel="linear", C=100.0),
        {"svm": lambda: SVC(kernel="linear", C=100.0), "logistic": ScikitLogisticRegression},
        **small,
    )
    assert found.verdict(8).answer == "svm"
    found = ctxlearn.identify(lambda: ScikitRidge(2.0, fit_intercept=False), n_classes=None, lengths=[8], n_contexts=32)
    assert found.fitted["ridge: penalty"] == pytest.approx(2.0, rel=0.1)


def test_an_estimator_is_fitted_to_contexts_of_one_class_too():
    probes = draw_probes(1, 32, 3, 2, 2)
    answers = as_answers("it", ScikitLogisticRegression, 2)(probes.x, probes.y, probes.queries)
    assert torch.equal(answers[..., 0].sign(), (2.0 * probes.y - 1).double().expand(-1, 3))


def test_a_class_that_the_context_lacks_depends_on_no_other_query():
    small = {"lengths": [4], "n_contexts": 32, "n_classes": 3}
    candidates = {"svc": lambda: SVC(C=2.0), "3-NN": NearestNeighbor(2, 3, k=3)}
    assert ctxlearn.identify(lambda: SVC(C=2.0), candidates, **small).verdict(4).answer == "svc"


@pytest.mark.parametrize("n_classes", [2, None])
def test_an_estimator_that_refuses_large_contexts_is_named(n_classes):
    estimator = (KNeighborsClassifier if n_classes else KNeighborsRegressor)(20)
    ctxlearn.identify(estimator, lengths=[4], n_contexts=32, n_classes=n_classes)
    with pytest.raises(ValueError, match=r"^predictor: KNeighbors.* refuses a context of 12 points: Expected n_neigh"):
        ctxlearn.identify(estimator, lengths=[12], n_contexts=32, n_classes=n_classes)


def test_a_predictor_that_writes_into_its_inputs_spoils_no_probes():
    learner = ProtoNet(2, 2, encoder="identity")

    def careless(x, y, q):
        answer = learner(x, y, q)
        for tensor in (x, y, q):
            tensor.zero_()
        return answer

    clean, spoilt = (ctxlearn.identify(p, ["ridge", "1-NN"], **QUICK) for p in (learner, careless))
    assert np.allclose(clean.results["total"], spoilt.results["total"])


@given(penalty=st.floats(0.1, 30))
def test_the_penalty_of_ridge_is_found(penalty):
    learner = Ridge(3, None, penalty=penalty, intercept=False)
    found = ctxlearn.identify(learner, lengths=[4, 12], n_contexts=32)
    assert found.fitted["ridge: penalty"] == pytest.approx(penalty, rel=0.1)
    assert all("ridge, fitted penalty" in found.verdict(n).members for n in (4, 12))


@pytest.mark.parametrize(("steps", "size"), [(1, 0.3), (2, 0.1), (3, 0.05), (5, 0.02)])
def test_steps_times_step_size_are_found(steps, size):
    learner = GradientDescent(steps, size, n_features=3, n_classes=None)
    found = ctxlearn.identify(learner, lengths=[4, 12], n_contexts=48)
    assert found.fitted["gradient descent: steps x step size"] == pytest.approx(steps * size, rel=0.1)
    assert found.verdict(12).members[0] == "gradient descent, fitted"


def test_regression_measures_differences_of_predictions_and_weights():
    family = LinearRegression(3, noise=0.5)
    found = ctxlearn.identify(
        LinearGaussian(0.0, 1.0, 0.5, 3), family=family, probes=family, lengths=[2, 6], n_contexts=64
    )
    table = found.results.set_index(["candidate", "n_context"])
    for n in (2, 6):
        assert table.loc[("Bayes of the family", n), "squared_difference"] < 1e-10
        assert table.loc[("Bayes of the family", n), "weight_difference"] < 1e-8
        assert {"Bayes of the family", "ridge, fitted penalty"} <= set(found.verdict(n).members)
        assert table.loc[("least squares", n), "squared_difference"] > 0.01
    assert found.fitted["ridge: penalty"] == pytest.approx(0.25, rel=0.1)


def test_a_familys_bayes_predictor_is_a_candidate_and_its_tasks_are_probes():
    family = Amortization()
    bayes = default_candidates(2, 2, family)["Bayes of the family"]
    found = ctxlearn.identify(bayes, family=family, probes=family, **QUICK)
    assert [found.verdict(n).answer for n in (4, 8)] == ["Bayes of the family"] * 2
    tasks = PairwiseMetric().sample(64, 20, generator=torch.Generator().manual_seed(0))
    assert ctxlearn.identify(NearestNeighbor(2, 2), probes=tasks, **QUICK).verdict(8).answer == "1-NN"


def test_the_order_of_the_context_is_measured():
    def last_counts_most(x, y, q):
        weights = torch.arange(1.0, x.shape[1] + 1)
        return ((x * (2.0 * y - 1)[..., None] * weights[:, None]).sum(1, keepdim=True) * q).sum(-1)

    found = ctxlearn.identify(last_counts_most, **QUICK)
    assert found.order_dependence[8] > 0.1


def test_label_influence_is_the_change_by_one_label():
    probes = draw_probes(3, 32, 4, 2, 2)
    answers = as_answers("it", LogisticRegression(2, 2), 2)
    found = respond(answers, probes)
    assert torch.equal((probes.changed != probes.y[:, None]).sum(-1), torch.ones(32, 3, dtype=torch.int64))
    changed = answers(probes.x, probes.changed[:, 1], probes.queries)
    assert torch.allclose(found.influence[:, 1], changed - found.scores, atol=1e-9)
    views = views_of(found, probes)
    assert torch.allclose(views.rows["influence"].norm(dim=1), torch.ones(32, dtype=torch.float64))


def test_a_mode_is_restored_and_equal_seeds_give_equal_tables():
    learner = InContextTransformer(2, 2, width=8, depth=1, heads=1).train()
    first, again = (ctxlearn.identify(learner, lengths=[3], n_contexts=32, seed=5) for _ in range(2))
    assert learner.training
    assert first.results.equals(again.results)
    other = ctxlearn.identify(learner, lengths=[3], n_contexts=32, seed=6)
    assert not first.results.equals(other.results)


def constant(x, y, q):
    return torch.zeros(len(q), q.shape[1])


def transductive(x, y, q):
    return (q - q.mean(1, keepdim=True)).sum(-1)


def positional(x, y, q):
    return q.sum(-1) + torch.arange(q.shape[1])


class Guesses:
    """An estimator that answers at random."""

    def fit(self, x, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, x):
        return self.classes_[(self.decision_function(x) > 0).astype(int)]

    def decision_function(self, x):
        return np.random.default_rng().normal(size=len(x))


BROKEN = [
    (lambda x, y, q: torch.zeros(len(q), q.shape[1], 5), "^predictor: expected logits .* or the log-odds of class 1"),
    (lambda x, y, q: torch.full(q.shape[:2], torch.nan), "^predictor: expected finite scores, got nan at index"),
    (lambda x, y, q: "yes", "^predictor: expected logits"),
    (transductive, "^predictor: expected each query to be answered on its own"),
    (positional, "^predictor: expected each query to be answered on its own.*order of the queries"),
    (lambda x, y, q: torch.randn(q.shape[:2]), "^predictor: expected equal answers to equal questions"),
    (Guesses, "^predictor: expected equal answers .* random_state"),
    (KNeighborsRegressor, "^predictor: expected a classifier for 2 classes, got KNeighborsRegressor"),
    (lambda x, y, q: torch.zeros(q.shape[:2]) * 1j, "^predictor: expected real scores"),
    (3, "^predictor: expected a learner"),
    (lambda: 3, "^predictor: expected a factory of estimators"),
]


@pytest.mark.parametrize(("predictor", "message"), BROKEN)
def test_a_predictor_that_cannot_be_one_is_named(predictor, message):
    with pytest.raises(ValueError, match=message):
        ctxlearn.identify(predictor, **QUICK)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_contexts": 10}, "^n_contexts: expected an integer >= 32"),
        ({"n_queries": 1}, "^n_queries: expected an integer >= 2"),
        ({"lengths": []}, "^lengths: expected a list"),
        ({"lengths": [0]}, r"^lengths\[0\]: expected an integer >= 1"),
        ({"level": 1.0}, "^level: expected"),
        ({"candidates": {}}, "^candidates: expected a mapping"),
        ({"candidates": ["1-NN", "rigde"]}, "^candidates: unknown name 'rigde'; did you mean 'ridge'"),
        ({"candidates": {"x": 3}}, r"^candidates\['x'\]: expected a learner"),
        ({"replicates": [NearestNeighbor(2, 3)]}, "^replicates: expected n_classes = 2"),
        ({"replicates": [constant, transductive]}, r"^replicates\[1\]: expected each query"),
        ({"replicates": NearestNeighbor(2, 2)}, "^replicates: expected a list of predictors"),
        ({"family": ClassPrototype(2, 3)}, "^family: expected n_classes = 2, .* got 3"),
        ({"family": LinearRegression(2)}, "^family: expected n_classes = 2, .* got None"),
        ({"family": PairwiseMetric(3)}, "^family: expected inputs of 2 features, .* got 3"),
        ({"probes": PairwiseMetric(3)}, "^probes: expected inputs of 2 features, .* got 3"),
        ({"family": 3}, "^family: expected a TaskFamily"),
        ({"probes": 3}, "^probes: expected Tasks or a TaskFamily"),
        (
            {"probes": ClassPrototype().sample(9, 9, generator=torch.Generator())},
            "^probes: expected 64 tasks of 12 points",
        ),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ctxlearn.identify(NearestNeighbor(2, 2), **{**QUICK, **arguments})


def test_a_constant_predictor_is_none_of_these():
    found = ctxlearn.identify(constant, replicates=[constant], **QUICK)
    assert not any(v.accepted for v in found.verdicts.values())
    assert not found.results["total"].isna().any()


def test_the_folder_holds_table_verdicts_and_heat_map(tmp_path):
    found = ctxlearn.identify(NearestNeighbor(2, 2), replicates=[NearestNeighbor(2, 2)], **QUICK)
    found.write(tmp_path / "a")
    found.write(tmp_path / "b")
    names = ["identification.json", "identification.png", "identification.svg", "results.csv"]
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == names
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    facts = json.loads((tmp_path / "a" / "identification.json").read_text())
    assert facts["ceiling_normalised"]
    assert facts["verdicts"][0]["answer"] == "1-NN"
    with pytest.raises(ValueError, match=r"^n_context: expected one of 4, 8, got 5"):
        found.verdict(5)
    axes = found.figure().axes[0]
    assert axes.get_xlabel() == "labelled points in the context, n"
    assert next(t.get_text() for t in axes.get_yticklabels()) == "1-NN"


def test_the_command_prints_verdicts_and_writes(tmp_path, capsys):
    runs = []
    for seed in (0, 1):
        config = ctxlearn.TrainingConfig(steps=2, n_points=4, progress=False, seed=seed)
        learner = MatchNet(2, 2, width=4, seed=seed)
        runs.append(str(ctxlearn.train(learner, ClassPrototype(), config, out=tmp_path / f"run{seed}").folder))
    arguments = ["identify", runs[0], "--replicates", runs[1], "--lengths", "2", "4", "--n_contexts", "32"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "n = 4: " in out
    assert "runner-up" in out
    assert (tmp_path / "run0" / "identification" / "results.csv").is_file()
    assert main([*arguments, "--out", str(tmp_path / "x"), "--n_contexts", "8"]) == 1
    assert "n_contexts: expected an integer >= 32" in capsys.readouterr().err


def test_intervals_hold_the_total_and_shrink():
    few = ctxlearn.identify(ProtoNet(2, 2), lengths=[4], n_contexts=48).results
    many = ctxlearn.identify(ProtoNet(2, 2), lengths=[4], n_contexts=480).results
    for table in (few, many):
        assert (table["low"] <= table["total"] + 1e-9).all()
        assert (table["total"] <= table["high"] + 1e-9).all()
    width = [(t["high"] - t["low"]).median() for t in (few, many)]
    assert width[1] < 0.6 * width[0]


def coarse(x, y, q):
    """Kernel regression that rounds otherwise when asked about one query alone, as a low precision does."""
    scores = ((q[:, :, None] - x[:, None]).square().sum(-1).neg().softmax(-1) @ (2.0 * y[..., None] - 1))[..., 0]
    return scores + (0.02 if q.shape[1] == 1 else 0.0)


def test_a_predictor_that_rounds_is_allowed_to_where_that_is_said():
    options = {"lengths": [4], "n_contexts": 32}
    with pytest.raises(ValueError, match=r"bfloat16, allow for it by tolerance="):
        ctxlearn.identify(coarse, ["1-NN", "majority"], **options)
    with pytest.raises(ValueError, match="answered on its own"):
        ctxlearn.identify(coarse, ["1-NN", "majority"], tolerance=0.01, **options)
    found = ctxlearn.identify(coarse, ["1-NN", "majority"], tolerance=0.05, **options)
    assert found.tolerance == 0.05
    assert "allowed to move by 0.05" in str(found)
    again = type(found).from_facts(found.facts(), found.results)
    assert again.tolerance == 0.05
    with pytest.raises(ValueError, match=r"^tolerance: "):
        ctxlearn.identify(coarse, tolerance=-1.0, **options)
