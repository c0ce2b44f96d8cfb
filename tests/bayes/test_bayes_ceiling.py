"""No learner beats the Bayes predictor of the family, and its accuracies are the known ones."""

import pytest
import torch

from ctxlearn.evaluation import score_prefixes
from ctxlearn.learners import MatchNet, ProtoNet
from ctxlearn.references import BayesOptimal, Chance, LogisticRegression, NearestNeighbor
from ctxlearn.tasks import Amortization, ClassPrototype, Mixture, PairwiseMetric, Radial

LENGTHS = [0, 1, 2, 4, 8, 16, 32, 49]
# accuracy in % at LENGTHS; standard error at most 0.65 (class-prototype 1.1): measured independently, on 6,000
# (2,000) tasks, by other code
KNOWN = {
    PairwiseMetric(): [50.0, 75.6, 84.0, 90.2, 94.2, 97.2, 98.3, 99.1],
    Amortization(): [75.0, 85.8, 89.1, 92.7, 94.9, 97.2, 98.6, 99.1],
    Radial(): [88.4, 90.9, 92.6, 94.6, 96.2, 97.8, 98.7, 98.9],
    ClassPrototype(): [50.0, 72.0, 83.1, 88.7, 93.5, 96.4, 97.1, 98.1],
}


@pytest.mark.parametrize("family", KNOWN, ids=lambda family: family.name)
def test_no_learner_beats_the_oracle(family, generator):
    n_tasks = 200 if isinstance(family, ClassPrototype) else 1000
    tasks = family.sample(n_tasks, 50, generator=generator)
    best = score_prefixes(BayesOptimal(family), tasks)
    others = {
        "ProtoNet": ProtoNet(2, 2, encoder="identity"),
        "MatchNet": MatchNet(2, 2, encoder="identity", attention="sum"),
        "1-NN": NearestNeighbor(2),
        "logistic regression": LogisticRegression(2),
        "chance": Chance(family),
    }
    if not isinstance(family, ClassPrototype):
        mixture = Mixture([Amortization(), PairwiseMetric(), Radial()])
        others["Bayes of a mixture"] = BayesOptimal(mixture)
    for name, learner in others.items():
        gain = score_prefixes(learner, tasks) - best
        error = gain.std(0) / n_tasks**0.5
        assert (gain.mean(0) <= 3 * error + 1e-12).all(), name
    accuracy = 100 * best.mean(0)[LENGTHS]
    known = torch.tensor(KNOWN[family]).double().numpy()
    error = 100 * (best.var(0)[LENGTHS] / n_tasks + 0.25 * (1 - known / 100) / n_tasks) ** 0.5
    assert (abs(accuracy - known) <= 3.5 * (error**2 + 0.65**2) ** 0.5).all()
