"""What objects look like where somebody looks at them: a prompt, a notebook, an error."""

import re

import numpy as np
import pytest
import runs
import torch
import zoo

import ctxlearn
from ctxlearn.tasks import ClassPrototype, Mixture, PairwiseMetric
from ctxlearn.training import AllPrefixes, FamilySource, HardestTasks, RunFolderError


def test_a_family_is_written_as_it_was_made():
    assert repr(Mixture([ClassPrototype(2, 3), PairwiseMetric()], [1, 2])).startswith(
        "Mixture(families=[ClassPrototype(n_features=2, n_classes=3"
    )
    assert repr(HardestTasks(AllPrefixes(), 0.25)) == "HardestTasks(objective=AllPrefixes(), share=0.25)"
    assert repr(FamilySource(ClassPrototype(), 4, 5)).startswith("FamilySource(family=ClassPrototype(n_features=2")


@pytest.mark.parametrize("name", zoo.families())
def test_every_family_is_one_line_of_readable_length(name):
    written = repr(zoo.families()[name])
    assert "\n" not in written
    assert " at 0x" not in written
    assert len(written) < 1500


def test_arrays_in_arguments_are_told_by_shape():
    assert "<ndarray of shape (24, 3)>" in repr(zoo.labelled())


def test_a_run_is_told_in_a_line_and_a_table(tmp_path):
    run = runs.small(tmp_path / "<run>")
    assert re.fullmatch(
        r"Run\(InContextTransformer in '.*<run>': weights of step 12 \(last\), validation loss [\d.]+\)", repr(run)
    )
    page = run._repr_html_()
    assert "&lt;run&gt;" in page
    assert page.count("<tr") == 4
    assert "validation_loss" in page


def test_an_identification_is_told_in_lines_and_a_table():
    found = ctxlearn.identify(zoo.references()["1-NN"].__class__(2, 2), ["1-NN", "3-NN"], lengths=[4], n_contexts=32)
    assert repr(found).startswith("Identification(\n    n = 4: 1-NN")
    assert len(repr(found)) < 1000
    assert "<li>n = 4: 1-NN" in found._repr_html_()


def test_a_learner_that_was_trained_before_is_to_be_built_anew(tmp_path):
    learner = runs.transformer()
    runs.small(tmp_path, learner=learner)
    with torch.no_grad():
        next(learner.parameters()).add_(1)
    with pytest.raises(RunFolderError, match=r"holds another run \(initial_weights.*Build the learner anew"):
        runs.small(tmp_path, learner=learner)
    with pytest.raises(RunFolderError, match=r"holds another run \(training.*choose another folder"):
        runs.small(tmp_path, learning_rate=0.5)
    assert np.isfinite(runs.small(tmp_path).facts["validation_loss"])
