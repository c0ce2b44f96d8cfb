import numpy as np
import pytest
import torch
import zoo

from ctxlearn.references import LogisticRegression
from ctxlearn.tasks import Labelled


def numbered(n_classes=5, per_class=4):
    """Examples that tell their own class and number: x = (class, number)."""
    y = np.repeat(np.arange(n_classes), per_class)
    return np.stack([y, np.tile(np.arange(per_class), n_classes)], axis=1).astype(float), y


def test_points_come_in_rounds_of_one_per_class_without_repeats(generator):
    tasks = Labelled(*numbered(), n_way=3).sample(50, 11, generator=generator)
    for start in range(0, 9, 3):
        assert (tasks.y[:, start : start + 3].sort(-1).values == torch.arange(3)).all()
    for x, y in zip(tasks.x, tasks.y, strict=True):
        assert len({tuple(point) for point in x.tolist()}) == 11
        for label in range(3):
            assert len(set(x[y == label, 0].tolist())) == 1  # one class behind a label


def test_rounds_are_in_random_order_and_labels_are_dealt_uniformly(generator):
    family = Labelled(*numbered(), n_way=3)
    tasks = family.sample(6000, 3, generator=generator)
    for place in range(3):
        counts = torch.bincount(tasks.y[:, place], minlength=3)
        assert ((counts - 2000).abs() < 4.5 * (6000 * 2 / 9) ** 0.5).all()
    of_label_0 = tasks.x[tasks.y == 0][:, 0].long()
    assert ((torch.bincount(of_label_0) - 1200).abs() < 4.5 * (6000 * 0.16) ** 0.5).all()
    number = tasks.x[tasks.y == 0][:, 1].long()
    assert ((torch.bincount(number) - 1500).abs() < 4.5 * (6000 * 3 / 16) ** 0.5).all()


def test_labels_keep_their_order_without_relabelling(generator):
    x, y = numbered()
    family = Labelled(x, np.array(list("edcba"))[y], relabel=False)
    assert list(family.classes) == list("abcde")
    tasks = family.sample(20, 10, generator=generator)
    assert torch.equal(tasks.x[..., 0].long(), 4 - tasks.y)
    with pytest.raises(ValueError, match="relabel: False needs n_way = 5"):
        Labelled(x, y, n_way=2, relabel=False)


def test_a_split_is_of_disjoint_classes_and_whole_examples(generator):
    family = Labelled(*numbered(10), n_way=2)
    parts = family.split(0.6, 0.2, 0.2, generator=generator)
    assert [len(part.classes) for part in parts] == [6, 2, 2]
    assert sorted(c for part in parts for c in part.classes.tolist()) == list(range(10))
    for part in parts:
        assert set(part.x[:, 0]) == set(part.classes)
        assert part.n_way == 2
        assert len(part.x) == 4 * len(part.classes)
    again = family.split(0.6, 0.2, 0.2, generator=torch.Generator().manual_seed(0))
    assert [part.classes.tolist() for part in again] == [part.classes.tolist() for part in parts]


def test_classes_of_unequal_size_are_drawn_without_repeats(generator):
    x, y = numbered(3, 6)
    keep = np.r_[0:6, 6:9, 12:16]
    tasks = Labelled(x[keep], y[keep]).sample(40, 9, generator=generator)
    for points in tasks.x:
        assert len({tuple(point) for point in points.tolist()}) == 9


def test_images_keep_their_shape_and_tensors_and_lists_are_taken(generator):
    family = zoo.labelled(shape=(2, 4, 3))
    assert family.n_features == (2, 4, 3)
    assert family.sample(2, 5, generator=generator).x.shape == (2, 5, 2, 4, 3)
    x, y = numbered()
    for arrays in ((torch.tensor(x), torch.tensor(y)), (x.tolist(), y.tolist())):
        tasks = Labelled(*arrays).sample(3, 5, generator=torch.Generator().manual_seed(1))
        assert torch.equal(tasks.x, Labelled(x, y).sample(3, 5, generator=torch.Generator().manual_seed(1)).x)


def test_separable_classes_are_learned_from_one_shot(generator):
    x, y = numbered(4, 6)
    tasks = Labelled(x * [10, 0.1], y, n_way=2).sample(30, 12, generator=generator)
    out = LogisticRegression(2, 2)(tasks.x[:, :2], tasks.y[:, :2], tasks.x[:, 2:])
    assert torch.equal(out.argmax(-1), tasks.y[:, 2:])


GOOD = numbered()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("x", ([], [])),
        ("x", (np.zeros((0, 3)), np.zeros(0))),
        ("x", (np.zeros(5), np.zeros(5))),
        ("x", ("text", GOOD[1])),
        ("x", ([[1, 2], [3]], [0, 1])),
        ("x", (np.full_like(GOOD[0], np.nan), GOOD[1])),
        ("x", (np.full_like(GOOD[0], 1e300), GOOD[1])),
        ("y", (GOOD[0], GOOD[1][1:])),
        ("y", (GOOD[0], GOOD[1][:, None])),
        ("y", (GOOD[0], np.zeros(20))),
        ("y", (GOOD[0], np.where(GOOD[1] == 0, np.nan, 1.0))),
        ("y", (GOOD[0], np.array([None, "a"] * 10, dtype=object))),
        ("n_way", (*GOOD, 1)),
        ("n_way", (*GOOD, 6)),
        ("n_way", (*GOOD, 2.0)),
    ],
)
def test_arrays_that_make_no_tasks_are_refused(name, arguments):
    with pytest.raises(ValueError, match=f"^{name}: "):
        Labelled(*arguments)


@pytest.mark.parametrize("names", [False, True])
def test_more_points_than_the_smallest_class_has_names_the_class(names, generator):
    x, y = numbered()
    y = np.array([f"class {c}" for c in y]) if names else y
    family = Labelled(x[:-2], y[:-2], n_way=2)
    assert family.sample(2, 4, generator=generator).n_points == 4
    wanted = "'class 4'" if names else "4"
    with pytest.raises(
        ValueError, match=f"^n_points: 5 points of 2-way tasks need 3 examples a class, but class {wanted} has 2"
    ):
        family.sample(2, 5, generator=generator)


def test_parts_without_enough_classes_are_refused(generator):
    family = Labelled(*numbered(), n_way=2)
    for fractions in ((), (0.7, 0.7), (-0.1,), (float("nan"),), ("a",)):
        with pytest.raises(ValueError, match=r"^fractions"):
            family.split(*fractions, generator=generator)
    with pytest.raises(ValueError, match=r"^generator"):
        family.split(0.5, generator=0)
    with pytest.raises(ValueError, match=r"^classes: expected at least n_way = 2"):
        family.split(0.8, 0.2, generator=generator)
    with pytest.raises(ValueError, match=r"^classes: .* 7"):
        family.subset([0, 7])
