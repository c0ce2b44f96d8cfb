"""Boolean families: their functions, balance, and Bayes predictors by enumeration against brute force."""

import itertools
import math

import pytest
import torch

from ctxlearn.evaluation import score_prefixes
from ctxlearn.references import BayesOptimal, LogisticRegression, Majority, NearestNeighbor
from ctxlearn.tasks import DNF, Conjunction, Disjunction, Mixture, Parity, SparseDisjunction, SparseMajority

FAMILIES = {
    "conjunctions": Conjunction(4),
    "rare conjunctions": Conjunction(3, 0.05),
    "full conjunctions": Conjunction(3, 1.0),
    "conjunctions of one variable": Conjunction(1),
    "disjunctions": Disjunction(4),
    "sparse disjunctions": SparseDisjunction(5, 2),
    "majority": SparseMajority(5, 3),
    "parity": Parity(4),
    "sparse parity": Parity(6, 2),
    "DNF": DNF(3, 2, 2),
}
every_family = pytest.mark.parametrize("name", FAMILIES)


def drawn(family, n_tasks=3000, n_points=6, seed=0):
    return family.sample(n_tasks, n_points, generator=torch.Generator().manual_seed(seed), with_parameters=True)


def truth(family, literals, x):
    """The function of one task at one input, as one would say it."""
    if isinstance(family, DNF):
        return any(all(a == b for a, b in zip(clause, x, strict=True) if a) for clause in literals)
    used = [a == b for a, b in zip(literals, x, strict=True) if a]
    if isinstance(family, Conjunction):
        return all(used)
    if isinstance(family, Disjunction | SparseDisjunction):
        return any(used)
    return sum(used) > len(used) / 2 if isinstance(family, SparseMajority) else sum(used) % 2 == 1


@every_family
def test_inputs_are_signs_and_labels_follow_the_function(name):
    family = FAMILIES[name]
    tasks = drawn(family, 60)
    assert set(tasks.x.unique().tolist()) == {-1.0, 1.0}
    for literals, x, y in zip(tasks.parameters["literals"].tolist(), tasks.x.tolist(), tasks.y.tolist(), strict=True):
        assert [int(truth(family, literals, one)) for one in x] == y


@pytest.mark.parametrize(
    "family",
    [
        *(f for f in FAMILIES.values() if not isinstance(f, DNF)),
        Conjunction(),
        Disjunction(),
        SparseDisjunction(),
        SparseMajority(),
        Parity(),
    ],
)
def test_classes_are_equally_frequent(family):
    share = drawn(family, 4000, 8).y.double().mean(1)
    assert abs(float(share.mean()) - 0.5) <= 4.5 * float(share.std()) / len(share) ** 0.5


@every_family
def test_hypotheses_are_all_tasks_with_their_probabilities(name):
    family = FAMILIES[name]
    every = family.hypotheses()
    rows = [tuple(row) for row in every["literals"].flatten(1).tolist()]
    assert len(set(rows)) == len(rows)
    p = family.log_prior({"literals": every["literals"].double()[None]})[0].softmax(-1)
    tasks = drawn(family, 40_000, 1)
    counts = dict.fromkeys(rows, 0)
    for row in tasks.parameters["literals"].flatten(1).tolist():
        counts[tuple(row)] += 1
    for row, expected in zip(rows, p.tolist(), strict=True):
        assert abs(counts[row] / 40_000 - expected) <= 5 * math.sqrt(max(expected, 1e-5) / 40_000)


@every_family
def test_the_probabilities_of_inputs_are_those_of_the_draws(name):
    family = FAMILIES[name]
    d = family.n_features
    inputs = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=d)), dtype=torch.float64)
    literals = family.hypotheses()["literals"][:: max(1, len(family.hypotheses()["literals"]) // 3)][:3]
    x = inputs.expand(1, -1, -1)
    each = [
        family.log_likelihood({"literals": literals.double()[None]}, x, torch.full((1, len(inputs)), c)) for c in (0, 1)
    ]
    p = torch.maximum(*each)[0].exp()  # (P, inputs): of the label that the function gives
    assert torch.allclose(p.sum(1), torch.ones(len(p), dtype=torch.float64))
    tasks = family.tasks({"literals": literals}, 30_000, generator=torch.Generator().manual_seed(1))
    codes = ((tasks.x > 0).long() * 2 ** torch.arange(d - 1, -1, -1)).sum(-1)
    for row, codes_of_row in zip(p, codes, strict=True):
        shares = torch.bincount(codes_of_row, minlength=2**d).double() / 30_000
        assert bool(((shares - row).abs() <= 5 * (row / 30_000).sqrt() + 1e-12).all())


@every_family
def test_bayes_is_the_average_over_all_tasks_that_explain_the_context(name):
    """Brute force over every hypothesis in plain Python."""
    family = FAMILIES[name]
    tasks = drawn(family, 4, 6)
    logits = BayesOptimal(family).predict_prefixes(tasks.x, tasks.y)
    every = family.hypotheses()["literals"]
    prior = family.log_prior({"literals": every.double()[None]})[0].softmax(-1).tolist()
    likelihood = family.log_likelihood({"literals": every.double()[None]}, tasks.x.double(), tasks.y).exp()
    for task in range(4):
        weights = list(prior)
        for i in range(6):
            x, y = tasks.x[task, i].tolist(), int(tasks.y[task, i])
            says = [int(truth(family, row, x)) for row in every.tolist()]
            p = [float(v) * (1 if s == y else math.exp(15)) for v, s in zip(likelihood[task, :, i], says, strict=True)]
            joint = [
                sum(w * q * (1 if s == c else math.exp(-15)) for w, q, s in zip(weights, p, says, strict=True))
                for c in (0, 1)
            ]
            assert float(logits[task, i, 1].exp()) == pytest.approx(joint[1] / sum(joint), abs=1e-5)
            weights = [w * float(v) for w, v in zip(weights, likelihood[task, :, i], strict=True)]


@every_family
def test_no_learner_beats_bayes(name):
    family = FAMILIES[name]
    tasks = drawn(family, 300, 16)
    best = score_prefixes(BayesOptimal(family), tasks)
    d = family.n_features
    for learner in (NearestNeighbor(d), LogisticRegression(d), Majority(d)):
        gain = (score_prefixes(learner, tasks) - best).mean(1)
        assert float(gain.mean()) <= 3 * float(gain.std()) / len(gain) ** 0.5 + 1e-12


def test_families_that_are_mixed_are_told_apart_by_their_evidence():
    mixture = Mixture([Parity(5), SparseMajority(5, 5), Disjunction(5)])
    tasks = drawn(mixture, 100, 30)
    posterior = BayesOptimal(mixture).family_posterior(tasks.x, tasks.y)
    assert float((posterior.argmax(-1) == tasks.component).double().mean()) > 0.85


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conjunction(0), "n_features: expected"),
        (lambda: Disjunction(3, 0.0), "density: expected"),
        (lambda: SparseDisjunction(3, 4), "n_literals: expected"),
        (lambda: SparseDisjunction(3, 0), "n_literals: expected"),
        (lambda: SparseMajority(5, 4), "n_literals: expected an odd number"),
        (lambda: Parity(4, 5), "n_variables: expected"),
        (lambda: DNF(4, 0), "n_clauses: expected"),
        (lambda: BayesOptimal(Conjunction(30)), "family: expected at most 131,072 tasks to enumerate"),
        (lambda: BayesOptimal(DNF(10)), "family: expected at most 131,072 tasks to enumerate"),
        (lambda: BayesOptimal(SparseMajority(28, 15)), "family: expected at most 131,072 tasks to enumerate"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        make()
