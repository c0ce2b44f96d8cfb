"""The wider priors over tables, and trainings on contexts of many lengths."""

import pytest
import torch

from ctxlearn import TrainingConfig, train
from ctxlearn.learners import ContextScaled, ProtoNet
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.tasks import ClassPrototype, WideClassification, WideRegression
from ctxlearn.tasks.tabular.columns import CATEGORICAL, sample_more_kinds, seen
from ctxlearn.training import LastPoints, VariedLengths


@pytest.fixture(scope="module")
def drawn():
    """960 tasks of 200 points, with their parameters, in batches of one width each."""
    family = WideClassification(missing=0.0)
    return [family.sample(16, 200, generator=generator_for(0, Stream.TEST, k), with_parameters=True) for k in range(60)]


def shares(tasks):
    return torch.nn.functional.one_hot(tasks.y, 10).float().mean(1)


def test_tables_have_up_to_100_columns_most_of_them_few(drawn):
    counts = torch.cat([tasks.parameters["used"].sum(1) for tasks in drawn])
    assert counts.max() > 80
    assert 5 < counts.median() < 20
    assert all(tasks.x.shape == (16, 200, 100) for tasks in drawn)
    assert all((tasks.x[..., tasks.parameters["used"].shape[1] :] == 0).all() for tasks in drawn)


def test_many_have_five_classes_or_more_and_some_one_large_class(drawn):
    share = torch.cat([shares(tasks) for tasks in drawn])
    counts = (share > 0).sum(1)
    assert 0.25 < (counts >= 5).float().mean() < 0.55
    assert (counts == 10).any()
    largest = share.amax(1)
    assert 0.08 < (largest > 0.8).float().mean() < 0.3
    assert (largest > 0.93).any()


def test_the_large_class_has_about_the_share_it_was_given(drawn):
    wanted = torch.cat([tasks.parameters["labels"]["large"] for tasks in drawn])
    wrong = torch.cat([tasks.parameters["labels"]["wrong"] for tasks in drawn])
    share = torch.cat([shares(tasks).amax(1) for tasks in drawn])
    clear = (wanted > 0) & (wrong == 0)
    assert clear.sum() > 100
    assert (share - wanted)[clear].abs().mean() < 0.1


def test_some_categories_have_up_to_61_levels_and_some_of_these_are_rare(drawn):
    most, unevenness = 0, []
    for tasks in drawn:
        columns = tasks.parameters["columns"]
        many = (columns["kind"] == CATEGORICAL) & (columns["levels"] > 16) & (columns["wild"] == 0)
        many &= tasks.parameters["used"] > 0
        for b, j in many.nonzero().tolist():
            values = tasks.x[b, :, j]
            assert torch.equal(values, values.round())
            assert values.min() >= 0
            assert values.max() < columns["levels"][b, j]
            counts = values.long().bincount()
            most = max(most, int((counts > 0).sum()))
            unevenness.append(float(counts.max()) / (200 / float(columns["levels"][b, j])))
    assert most > 50
    assert max(unevenness) > 5


def test_a_few_columns_have_wild_cells_and_none_is_infinite(drawn, generator):
    assert all(tasks.x.isfinite().all() for tasks in drawn)
    columns = sample_more_kinds(400, 10, 0.0, generator)
    assert 0.01 < (columns["wild"] > 0).float().mean() < 0.06
    columns["wild"] = torch.where(columns["kind"] == CATEGORICAL, 0.0, 0.05)
    x, used = torch.randn(400, 100, 10, generator=generator), torch.ones(400, 10)
    with_wild = seen(columns, x, used, torch.Generator().manual_seed(0))
    without = seen(columns | {"wild": torch.zeros(400, 10)}, x, used, torch.Generator().manual_seed(0))
    changed = with_wild != without
    number = (columns["kind"] != CATEGORICAL)[:, None].expand_as(changed)
    assert abs(changed[number].float().mean() - 0.05) < 0.005
    assert not changed[~number].any()
    far = (with_wild - without).abs()[changed]
    assert far.median() > 50
    assert far.max() > 1e6


def test_contrasts_of_correlated_columns_do_not_follow_the_factors():
    family = WideClassification(20, 2, missing=0.0, mechanisms={"linear": 1.0}, all_relevant=1.0)
    found = 0
    for k in range(6):
        parameters = family.sample_parameters(64, generator=generator_for(1, Stream.TEST, k))
        relevant = parameters["functions"]["linear"]["weights"].abs().sum(2) > 0
        contrast = parameters["inputs"]["contrast"] & (parameters["used"].sum(1) >= 8)
        along = parameters["inputs"]["loadings"] @ parameters["functions"]["linear"]["weights"]
        size = parameters["functions"]["linear"]["weights"].square().sum(1).sqrt()
        assert ((along.abs().amax(1) / size)[contrast] < 0.05).all()
        assert (along.abs().amax(1) / size)[~parameters["inputs"]["contrast"]].median() > 0.2
        assert (parameters["inputs"]["shared"][parameters["inputs"]["contrast"]] >= 0.8).all()
        assert relevant.any()
        found += int(contrast.sum())
    assert found > 10


def test_numbers_are_on_one_scale_and_some_are_hardly_told():
    family = WideRegression()
    noise = []
    for k in range(10):
        tasks = family.sample(32, 120, generator=generator_for(2, Stream.TEST, k), with_parameters=True)
        assert tasks.x.nan_to_num().isfinite().all()
        assert 0.6 < tasks.y.std(1).median() < 1.4
        noise.append(tasks.parameters["labels"]["noise"])
    assert torch.cat(noise).max() > 1.5


def test_lengths_vary_between_the_two_bounds_at_about_equal_cost():
    source = VariedLengths(ClassPrototype(), n_points=640, shortest=4, longest=64, n_queries=8, most_tasks=32)
    batches = [source.batch(step, 0, generator_for(0, Stream.TRAINING, step)) for step in range(120)]
    lengths = torch.tensor([batch.n_points - 8 for batch in batches])
    assert lengths.min() == 4
    assert 55 < lengths.max() <= 64
    assert 12 <= lengths.float().median() <= 22  # the middle of 4 and 64 by ratio is 16
    assert all(batch.n_tasks == min(32, 640 // batch.n_points) for batch in batches)
    again = source.batch(7, 0, generator_for(0, Stream.TRAINING, 7))
    assert torch.equal(again.x, batches[7].x)


def test_the_last_points_are_asked_about_and_a_run_goes_through(tmp_path):
    source = VariedLengths(ClassPrototype(), n_points=120, shortest=4, longest=12, n_queries=6)
    learner = ContextScaled(ProtoNet(2, 2, width=8))
    tasks = source.batch(0, 0, generator_for(0, Stream.TRAINING, 0))
    output, y = LastPoints(6).answers(learner, tasks, torch.Generator())
    assert torch.equal(y, tasks.y[:, -6:])
    assert torch.equal(output, learner(tasks.x[:, :-6], tasks.y[:, :-6], tasks.x[:, -6:]))
    config = TrainingConfig(steps=3, validation_batches=2, progress=False, threads=1)
    run = train(learner, source, config, out=tmp_path / "run", objective=LastPoints(6))
    assert run.facts["step"] == 3
    with pytest.raises(ValueError, match="n_queries: expected less than the 18 points"):
        LastPoints(18)(learner, ClassPrototype().sample(2, 18, generator=torch.Generator()), torch.Generator())
    with pytest.raises(ValueError, match="longest: expected an integer >= 9"):
        VariedLengths(ClassPrototype(), shortest=9, longest=8)
