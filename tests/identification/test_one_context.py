import pytest
import torch

from ctxlearn.identification import agreement, default_candidates
from ctxlearn.references import NearestNeighbor
from ctxlearn.tasks import ClassPrototype, LinearRegression


def context(family, n=12, seed=0):
    tasks = family.sample(1, n + 20, generator=torch.Generator().manual_seed(seed))
    return tasks.x[0, :n], tasks.y[0, :n], tasks.x[0, n:]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_each_candidate_agrees_fully_with_itself_and_with_nobody_more(n_classes):
    for name, candidate in default_candidates(2, n_classes).items():
        found = agreement(candidate, *context(ClassPrototype(n_classes=n_classes)), n_classes=n_classes)
        assert found[name] == pytest.approx(1 if name != "majority" else found[name])
        assert max(found.values()) <= 1 + 1e-9
        assert list(found.values()) == sorted(found.values(), reverse=True)


def test_the_opposite_answer_agrees_the_other_way():
    nearest = NearestNeighbor(2, 2)

    def opposite(x, y, query):
        return nearest(x, y, query).flip(-1)

    found = agreement(opposite, *context(ClassPrototype()), {"1-NN": nearest})
    assert found["1-NN"] == pytest.approx(-1)


def test_numbers_are_compared_too():
    found = agreement(NearestNeighbor(3, None), *context(LinearRegression(3)), n_classes=None)
    assert next(iter(found)) == "1-NN"
    assert found["1-NN"] == pytest.approx(1)


def test_the_same_question_has_the_same_answer():
    asked = context(ClassPrototype())
    assert agreement(NearestNeighbor(2, 2), *asked, seed=3) == agreement(NearestNeighbor(2, 2), *asked, seed=3)


def test_too_little_to_compare_is_refused():
    x, y, query = context(ClassPrototype())
    with pytest.raises(ValueError, match="at least 1 point"):
        agreement(NearestNeighbor(2, 2), x[:0], y[:0], query)
    with pytest.raises(ValueError, match="2 queries"):
        agreement(NearestNeighbor(2, 2), x, y, query[:1])
    with pytest.raises(ValueError, match="context_y"):
        agreement(NearestNeighbor(2, 2), x, y + 5, query)
