"""A trained selector: it keeps a learner's promises, and learns whom to trust."""

import pytest
import torch

from ctxlearn.evaluation import hindsight_per_query, score_prefixes
from ctxlearn.learners import CNP, MAML, ProtoNet
from ctxlearn.references import KernelRegression, LogisticRegression, NearestNeighbor, Ridge, TrainedGate, fit_gate
from ctxlearn.tasks import HalfPlane, Mixture, Xor
from ctxlearn.testing import check_learner


def members():
    return {"1-NN": NearestNeighbor(2), "logistic": LogisticRegression(2), "mean": ProtoNet(2, 2, encoder="identity")}


@pytest.mark.parametrize("hard", [False, True])
def test_a_gate_keeps_the_contract_of_learners(hard):
    check_learner(TrainedGate([CNP(2, 2), MAML(2, 2)], hard=hard), permutation_invariant=False)


def test_a_gate_over_more_classes_than_learners_keeps_the_contract():
    learners = [NearestNeighbor(3, 4), ProtoNet(3, 4, encoder="identity")]
    check_learner(TrainedGate(learners), permutation_invariant=False, tolerance=2e-4)


def test_probabilities_lie_between_those_of_the_members_and_a_hard_gate_repeats_one(generator):
    tasks = Mixture([HalfPlane(), Xor()]).sample(6, 9, generator=generator)
    p = torch.stack([m.predict_prefixes(tasks.x, tasks.y) for m in members().values()], dim=2).softmax(-1)
    soft, hard = (TrainedGate(members(), hard=hard).predict_prefixes(tasks.x, tasks.y).exp() for hard in (False, True))
    assert bool((soft >= p.amin(2) - 1e-5).all() & (soft <= p.amax(2) + 1e-5).all())
    assert torch.allclose(soft.sum(-1), torch.ones(()), atol=1e-5)
    assert float((hard[:, :, None] - p).abs().amax(-1).amin(-1).max()) < 1e-5


def test_a_trained_gate_learns_whom_to_trust_and_stays_below_hindsight():
    family = Mixture([HalfPlane(), Xor()])
    gate = fit_gate(members(), family, n_tasks=256, n_points=24, steps=120)
    tasks = family.sample(300, 24, generator=torch.Generator().manual_seed(5))
    accuracy = {name: score_prefixes(one, tasks)[:, 8:].mean() for name, one in {**members(), "gate": gate}.items()}
    assert accuracy["gate"] > max(accuracy[name] for name in members()) + 0.01
    bound = hindsight_per_query(members(), family, n_tasks=100, n_points=24, lengths=(16,), n_queries=64)["mean"][0]
    assert accuracy["gate"] < bound


def test_fitting_leaves_the_members_and_the_global_random_state_alone():
    learner = CNP(2, 2, width=8)
    before = {name: value.clone() for name, value in learner.state_dict().items()}
    state = torch.random.get_rng_state()
    first, again = (
        fit_gate({"CNP": learner, "1-NN": NearestNeighbor(2)}, Xor(), n_tasks=16, n_points=6, steps=3) for _ in range(2)
    )
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(value, before[name]) for name, value in learner.state_dict().items())
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: TrainedGate([NearestNeighbor(2)]), "learners: expected a list of two or more learners"),
        (
            lambda: TrainedGate([Ridge(2, None), Ridge(2, None, penalty=0.1)]),
            "learners: expected classifiers whose n_features",
        ),
        (
            lambda: TrainedGate([NearestNeighbor(), KernelRegression()]),
            "learners: expected classifiers whose n_features",
        ),
        (lambda: fit_gate(members(), Xor(), steps=0), "steps: expected"),
        (lambda: fit_gate(members(), Xor(), learning_rate=0), "learning_rate: expected"),
        (lambda: fit_gate(members(), Xor(), n_tasks=0), "n_tasks: expected"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        call()
