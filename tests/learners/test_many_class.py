"""More classes than a learner has, a group of them at a time; and contexts cut by shots."""

from itertools import combinations

import pytest
import torch

from ctxlearn.learners import InContextTransformer, ManyClass, ProtoNet
from ctxlearn.references import NearestNeighbor
from ctxlearn.tasks import ClassPrototype, Labelled, LinearRegression
from ctxlearn.training import RandomShots


def blobs(n_classes, n_way, per_class=6):
    centres = 20 * torch.eye(n_classes)
    y = torch.arange(n_classes).repeat_interleave(per_class)
    x = centres[y] + torch.randn(len(y), n_classes, generator=torch.Generator().manual_seed(0))
    return Labelled(x, y, n_way)


@pytest.mark.parametrize(("size", "n_classes"), [(2, 5), (3, 4), (3, 8), (5, 20)])
def test_any_two_classes_meet_and_no_group_has_one_twice(size, n_classes):
    groups = ManyClass(NearestNeighbor(2, size), n_classes, seed=1).groups
    assert groups.shape[1] == size
    assert all(len(set(group.tolist())) == size for group in groups)
    pairs = {pair for group in groups.tolist() for pair in combinations(sorted(group), 2)}
    assert pairs == set(combinations(range(n_classes), 2))
    assert len(groups) <= 2 * n_classes * (n_classes - 1) / (size * (size - 1))  # twice the least there can be


def test_a_learner_of_three_classes_tells_eight_apart_where_they_are_far():
    family = blobs(8, 8)
    tasks = family.sample(10, 24, generator=torch.Generator().manual_seed(0))
    episode = tasks.split(16)
    learner = ManyClass(ProtoNet(8, 3, encoder="identity"), 8)
    answers = learner(episode.context_x, episode.context_y, episode.query_x).argmax(-1)
    assert (answers == episode.query_y).all()


def test_tasks_with_unequal_classes_are_answered_as_each_alone():
    generator = torch.Generator().manual_seed(0)
    learner = ManyClass(InContextTransformer(2, 2, width=8, depth=1, heads=2), 5)
    x, q = (torch.randn(6, n, 2, generator=generator) for n in (7, 3))
    y = torch.randint(5, (6, 7), generator=generator)
    together = learner(x, y, q)
    alone = torch.cat([learner(x[i : i + 1], y[i : i + 1], q[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


def test_a_learner_that_has_the_classes_or_none_is_refused():
    with pytest.raises(ValueError, match=r"^n_classes: expected"):
        ManyClass(NearestNeighbor(2, 3), 3)
    with pytest.raises(ValueError, match=r"^learner: expected a learner of classes"):
        ManyClass(NearestNeighbor(2, None), 3)


def test_shots_are_drawn_from_one_to_one_round_less_than_there_are():
    family = blobs(4, 4)
    tasks = family.sample(2, 20, generator=torch.Generator().manual_seed(0))
    learner = NearestNeighbor(4, 4)
    asked = set()
    for seed in range(60):
        output, y = RandomShots().answers(learner, tasks, torch.Generator().manual_seed(seed))
        assert output.shape == (*y.shape, 4)
        asked.add(y.shape[1])
    assert asked == {4, 8, 12, 16}


def test_shots_need_classes_and_two_rounds():
    draws = torch.Generator().manual_seed(0)
    with pytest.raises(ValueError, match=r"^batch: expected tasks of classes"):
        RandomShots()(NearestNeighbor(2, None), LinearRegression(2).sample(2, 6, generator=draws), draws)
    with pytest.raises(ValueError, match=r"^n_points: expected at least 4 points of a 2-way task"):
        RandomShots()(NearestNeighbor(2, 2), ClassPrototype().sample(2, 3, generator=draws), draws)
