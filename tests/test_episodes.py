"""What tasks and episodes are to a user: selected, counted, moved, looked at."""

import pytest
import torch

from ctxlearn.episodes import Episode, Tasks
from ctxlearn.tasks import ClassPrototype, LinearRegression, Mixture, Radial
from ctxlearn.tree import leaves, map_tensors


def drawn(n_tasks=5, seed=0):
    mixture = Mixture([ClassPrototype(2, 2), Radial()])
    return mixture.sample(n_tasks, 7, generator=torch.Generator().manual_seed(seed), with_parameters=True)


def same(first, second):
    return all(
        torch.equal(a, b)
        for a, b in zip(leaves(vars(first)), leaves(vars(second)), strict=True)
        if isinstance(a, torch.Tensor)
    )


@pytest.mark.parametrize(
    ("which", "rows"),
    [
        (0, [0]),
        (-1, [4]),
        (slice(1, 3), [1, 2]),
        (slice(None, None, -2), [4, 2, 0]),
        ([3, 0, 3], [3, 0, 3]),
        (torch.tensor([2, 1]), [2, 1]),
        (torch.tensor([True, False, False, True, False]), [0, 3]),
    ],
    ids=str,
)
def test_some_of_the_tasks_are_tasks_with_all_that_belongs_to_them(which, rows):
    tasks = drawn()
    assert same(tasks[which], tasks.tasks(torch.tensor(rows)))


def test_a_loop_goes_over_the_tasks_one_by_one():
    tasks = drawn()
    listed = list(tasks)
    assert len(listed) == len(tasks) == 5
    for i, one in enumerate(listed):
        assert same(one, tasks[i])
        assert (one.n_tasks, one.n_points, one.n_classes) == (1, 7, 2)


@pytest.mark.parametrize("number", [5, -6, [0, 5], torch.tensor([-6])])
def test_a_number_beyond_the_tasks_is_an_index_error(number):
    with pytest.raises(IndexError, match=r"index: expected (an integer|integers) in \[-5, 5\), got"):
        drawn()[number]


@pytest.mark.parametrize(
    "which", ["0", 1.0, True, slice(5, None), torch.zeros(5), torch.zeros(1, 1).long(), None, [], [True]]
)
def test_an_index_of_another_kind_is_refused(which):
    with pytest.raises(ValueError, match="index: expected an integer, a slice"):
        drawn()[which]


def test_tasks_and_episodes_are_moved_with_all_their_tensors():
    tasks = drawn()
    for batch in (tasks, tasks.split(3)):
        moved = batch.to("meta")
        assert type(moved) is type(batch)
        assert {t.device.type for t in leaves(vars(moved)) if isinstance(t, torch.Tensor)} == {"meta"}
        assert same(batch.to("cpu"), batch)


def test_they_say_what_they_are_in_one_line():
    tasks = drawn()
    assert repr(tasks) == "Tasks(5 tasks of 7 points, 2 features, 2 classes)"
    assert repr(tasks.split(3)) == "Episode(5 tasks, 3 context points, 4 queries, 2 features, 2 classes)"
    numbers = LinearRegression(3).sample(2, 4, generator=torch.Generator())
    assert repr(numbers.to("meta")) == "Tasks(2 tasks of 4 points, 3 features, regression, on meta)"
    images = Tasks(torch.zeros(1, 2, 1, 8, 8), torch.zeros(1, 2).long(), 3)
    assert repr(images) == "Tasks(1 tasks of 2 points, inputs of shape (1, 8, 8), 3 classes)"
    assert isinstance(images.split(1), Episode)


def test_a_tree_keeps_its_form():
    pair = torch.return_types.max((torch.ones(2), torch.zeros(2)))  # no tree: a leaf to nobody but torch
    tree = {"a": [torch.ones(1), (torch.ones(2), 3)], "b": None}
    doubled = map_tensors(lambda t: 2 * t, tree)
    assert doubled["a"][0] == 2
    assert doubled["a"][1][1] == 3
    assert doubled["b"] is None
    assert isinstance(doubled["a"][1], tuple)
    joined = map_tensors(lambda *t: torch.cat(t), tree, tree)
    assert joined["a"][1][0].shape == (4,)
    assert [type(leaf).__name__ for leaf in leaves(tree)] == ["Tensor", "Tensor", "int", "NoneType"]
    assert len(list(leaves(pair))) == 2
