"""Bursty sequences: what their context tells, what only weights can tell, and the two measures."""

import pytest
import torch

from ctxlearn.evaluation import context_or_weights
from ctxlearn.learners import InContextTransformer, Learner
from ctxlearn.references import NearestNeighbor
from ctxlearn.tasks import BurstySequences, HalfPlane
from ctxlearn.testing import check_family
from ctxlearn.training import RandomSplit, TrainingConfig, train

FAMILY = BurstySequences(8, 4, 40, burst=2, bursty=0.75)


class Memory(Learner):
    """Knows the world's classes by heart and ignores its context."""

    def __init__(self, family):
        super().__init__(family.n_features, family.n_classes)
        self.family = family

    def adapt(self, context_x, context_y):
        return len(self.check_context(context_x, context_y)[0])

    def predict(self, state, query_x):
        nearest = torch.cdist(self.check_query(query_x, n_tasks=state), self.family.means).argmin(-1)
        return torch.nn.functional.one_hot(self.family.labels[nearest], self.n_classes).float()


def drawn(family, n_tasks=2000, n_points=9):
    return family.sample(n_tasks, n_points, generator=torch.Generator().manual_seed(0), with_parameters=True)


def classes_of(family, tasks):
    """Which of the sequence's classes each point is of."""
    return torch.cdist(tasks.x, tasks.parameters["means"]).argmin(-1)


@pytest.mark.parametrize("kind", ["training", "in_context", "in_weights"])
def test_each_kind_keeps_the_contract_of_families(kind):
    check_family(FAMILY.measuring(kind))


def test_bursty_sequences_have_each_class_twice_and_ask_about_one_of_them():
    tasks = drawn(FAMILY)
    classes, bursty = classes_of(FAMILY, tasks), tasks.parameters["bursty"]
    assert float(bursty.double().mean()) == pytest.approx(0.75, abs=0.05)
    for row in classes[bursty][:100]:
        counts = torch.bincount(row[:-1])
        assert counts[counts > 0].tolist() == [2] * 4
        assert row[-1] in row[:-1]
    for row in classes[~bursty][:100]:
        assert len(set(row.tolist())) == 9


def test_the_order_of_a_burst_and_the_class_asked_about_are_random():
    tasks = drawn(FAMILY.measuring("in_context"), 4000)
    classes = classes_of(FAMILY, tasks)
    same = (classes[:, :-1] == classes[:, -1:]).double().mean(0)
    assert bool(((same - 0.25).abs() < 0.035).all())  # 4.5 standard errors and a bit


def test_labels_of_the_world_are_fixed_and_those_of_new_classes_are_not():
    tasks = drawn(FAMILY)
    known = FAMILY.labels[torch.cdist(tasks.x, FAMILY.means).argmin(-1)]
    assert torch.equal(known, tasks.y)
    new = drawn(FAMILY.measuring("in_context"))
    assert float((torch.cdist(new.x, FAMILY.means).amin(-1) < 1).double().mean()) < 0.01
    labels = new.parameters["labels"][:, :4]
    assert all(len(set(row)) == 4 for row in labels.tolist())
    assert bool(((torch.bincount(labels[:, 0], minlength=4) / 2000 - 0.25).abs() < 0.05).all())


def test_skew_makes_classes_as_frequent_as_zipfs_law_says():
    family = BurstySequences(4, 2, 64, skew=1.0, bursty=0.0, noise=0.0)
    first = torch.cdist(drawn(family, 4000, 2).parameters["means"][:, 0], family.means).argmin(-1)
    share = torch.bincount(first, minlength=64) / 4000
    weights = 1 / torch.arange(1, 65)
    expected = weights / weights.sum()
    assert bool(((share - expected).abs() < 4.5 * (expected / 4000).sqrt()).all())


def test_two_families_of_one_seed_share_their_world_and_others_do_not():
    assert torch.equal(BurstySequences(8, 4, 40).means, FAMILY.measuring("in_weights").means)
    assert not torch.equal(BurstySequences(8, 4, 40, world=1).means, FAMILY.means)


def test_a_nearest_neighbour_answers_from_the_context_and_a_memory_from_its_weights():
    context = context_or_weights(NearestNeighbor(8, 4), FAMILY).set_index("measure")
    weights = context_or_weights(Memory(FAMILY), FAMILY).set_index("measure")
    assert context["chance"].to_dict() == {"in_context": 0.25, "in_weights": 0.25}
    assert context.loc["in_context", "low"] > 0.97
    assert context.loc["in_weights", "high"] < 0.5
    assert weights.loc["in_weights", "low"] > 0.99
    assert weights.loc["in_context", "low"] < 0.25 < weights.loc["in_context", "high"] + 0.03


def test_a_model_trained_without_bursts_answers_from_its_weights(tmp_path):
    family = BurstySequences(8, 2, 40, bursty=0.0, noise=0.0)
    learner = InContextTransformer(8, 2, width=32, depth=1, heads=2)
    config = TrainingConfig(steps=150, tasks_per_step=64, n_points=5, shards=1, progress=False, threads=1)
    trained = train(learner, family, config, out=tmp_path / "run", objective=RandomSplit(min_context=4)).learner
    found = context_or_weights(trained, family, n_context=4, n_tasks=400).set_index("measure")
    assert found.loc["in_weights", "low"] > 0.8
    assert found.loc["in_context", "high"] < 0.65


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: BurstySequences(n_image_classes=20), "n_image_classes: expected"),
        (lambda: BurstySequences(bursty=1.5), "bursty: expected"),
        (lambda: BurstySequences(tasks="both"), "tasks: "),
        (lambda: BurstySequences(skew=-1), "skew: expected"),
        (lambda: context_or_weights(NearestNeighbor(2), HalfPlane()), "family: expected BurstySequences"),
        (lambda: context_or_weights(Memory(FAMILY), FAMILY, n_context=0), "n_context: expected"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        call()
