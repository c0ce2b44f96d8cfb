"""How much the way examples are written decides."""

import numpy as np
import pytest
import tiny_lm
import torch

from ctxlearn.language import LanguageModel, TextFormat, load_language_model, variance_shares, written_differently
from ctxlearn.language.sensitivity import bits_per_label
from ctxlearn.references import NearestNeighbor
from ctxlearn.tasks import ClassPrototype

FIXED = TextFormat(scale=3.0)


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    return load_language_model(tiny_lm.write_folder(tmp_path_factory.mktemp("lm")))


def drawn(n_tasks=3, n_points=12):
    return ClassPrototype().sample(n_tasks, n_points, generator=torch.Generator().manual_seed(0))


def test_bits_are_those_of_the_probability_given():
    tasks = drawn()
    sure = torch.nn.functional.one_hot(tasks.y, 2).double().mul(0.5).add(0.25).log()  # 3/4 for the right class
    assert torch.allclose(bits_per_label(sure, tasks.y), torch.full(tasks.y.shape, -np.log2(0.75)).double())


def test_shares_find_the_factor_that_matters():
    generator = np.random.default_rng(0)
    size = (30, 4, 3, 5)
    for place, name in enumerate(("task", "format", "label words", "order of the examples")):
        along = [1] * 4
        along[place] = size[place]
        values = np.broadcast_to(generator.normal(size=along), size) + 1e-3 * generator.normal(size=size)
        found = variance_shares(values)
        assert max(found, key=found.get) == name
        assert found[name] > 0.99
        assert sum(found.values()) == pytest.approx(1)
    per_task = np.broadcast_to(generator.normal(size=(30, 1, 1, 5)), size)  # an order of its own in every task
    assert variance_shares(per_task)["order of the examples"] > 0.7


def test_factors_change_the_text_and_nothing_else(lm):
    learner = LanguageModel(lm, 2, 2, FIXED)
    formats = {"lines": FIXED, "again": FIXED, "blanks": TextFormat(scale=3.0, between=" ")}
    words, generator = (("A", "B"), ("B", "A")), torch.Generator().manual_seed(0)
    found = written_differently(learner, drawn(3, 8), formats, words, n_context=4, generator=generator)
    assert found["bits"].shape == found["accuracy"].shape == (3, 3, 2, 2)
    one = LanguageModel(lm, 2, 2, TextFormat(scale=3.0, labels=("A", "B")), labellings="one")
    again = written_differently(
        one, drawn(3, 8), formats, words, n_context=4, generator=torch.Generator().manual_seed(0)
    )
    assert np.array_equal(found["bits"], again["bits"])  # the learner's own format does not matter
    assert np.array_equal(found["bits"][:, 0], found["bits"][:, 1])
    assert not np.allclose(found["bits"][:, 0], found["bits"][:, 2])
    assert not np.allclose(found["bits"][:, :, 0], found["bits"][:, :, 1])
    assert not np.allclose(found["bits"][..., 0], found["bits"][..., 1])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"learner": NearestNeighbor(2, 2)}, "^learner: expected a LanguageModel of classes"),
        ({"n_context": 12}, "^n_context: "),
        ({"orders": 0}, "^orders: "),
        ({"generator": 3}, "^generator: "),
        ({"words": [("A",)]}, "^labels: "),
    ],
)
def test_wrong_uses_are_refused(lm, changes, words):
    given = {
        "learner": LanguageModel(lm, 2, 2, FIXED),
        "tasks": drawn(),
        "formats": {"lines": FIXED},
        "words": [("A", "B")],
        "n_context": 4,
        "generator": torch.Generator(),
    }
    with pytest.raises(ValueError, match=words):
        written_differently(**{**given, **changes})
