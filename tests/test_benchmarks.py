"""What the benchmarks time is one and the same computation, and their statistics are right."""

import numpy as np
import pytest
import torch

from benchmarks import regression
from benchmarks.meta_step import CAUSAL, meta_step, peak_memory, show


@pytest.fixture(scope="module")
def textbook():
    return meta_step("textbook", CAUSAL, 1)(0)


@pytest.mark.parametrize("way", ["kept", "recomputed"])
def test_the_meta_gradient_is_the_textbooks(way, textbook):
    assert sum(bool(g.any()) for g in textbook) > 10
    for ours, theirs in zip(meta_step(way, CAUSAL, 1)(0), textbook, strict=True):
        found = torch.zeros_like(theirs) if ours is None else ours
        assert (found - theirs).norm() <= 1e-3 * theirs.norm() + 1e-6


def test_a_line_says_how_much_faster_and_how_much_smaller(capsys):
    show("ours", {"seconds": 2.0, "memory": 100.0}, {"seconds": 5.0, "memory": 400.0})
    assert capsys.readouterr().out == "ours: 2.00 s, 100 MB; 2.50 times as fast as GPT-2, 0.25 of its memory\n"
    assert peak_memory() > 10


def test_the_interval_of_a_ratio_covers_it_as_often_as_it_says():
    rng, covered = np.random.default_rng(0), 0
    for _ in range(400):
        bayes = 1 + rng.exponential(2.0, 300)
        model = 1.1 * bayes + rng.normal(0, 0.5, 300)
        value, half = regression.ratio(model, bayes, 1.0)
        covered += abs(value - (1.1 * 3 - 1) / 2) <= half
    assert 0.91 <= covered / 400 <= 0.98
