"""The priors over tables."""

import pytest
import torch

from ctxlearn.references import NearestNeighbor
from ctxlearn.tasks import TabularClassification, TabularRegression
from ctxlearn.tasks.tabular.columns import ROUNDED, quantised, sample_columns, seen

CLASSIFICATION = ("linear", "trees", "neural", "prototypes", "clusters", "graph")
REGRESSION = ("linear", "trees", "neural", "prototypes", "graph")


def test_unused_columns_are_zero_and_few_columns_are_more_often(generator):
    tasks = TabularClassification().sample(300, 20, generator=generator, with_parameters=True)
    used = tasks.parameters["used"].bool()
    assert not tasks.x.nan_to_num(nan=1.0).abs().sum(1)[~used].any()
    counts = used.sum(1)
    assert counts.min() == 1
    assert counts.max() == 20
    assert counts.float().median() < 10


def test_tasks_have_two_to_ten_classes_and_two_most_often(generator):
    tasks = TabularClassification().sample(300, 60, generator=generator, with_parameters=True)
    there = tasks.parameters["labels"]["log_shares"].isfinite().sum(1)
    counts = torch.bincount(there, minlength=11)
    assert counts[:2].sum() == 0
    assert (counts[2:] > 0).all()
    assert counts.argmax() == 2
    assert (tasks.y < there[:, None]).all()


def test_values_are_missing_in_the_share_of_tasks_asked_for(generator):
    for share in (0.0, 0.5, 1.0):
        x = TabularClassification(missing=share).sample(100, 40, generator=generator).x
        with_gaps = x.isnan().any(2).any(1).float().mean()
        assert 0.5 * share <= with_gaps <= share + 0.1
        assert x.isnan().float().mean() < 0.2


@pytest.mark.parametrize("mechanism", CLASSIFICATION)
def test_a_mechanism_has_classes_that_can_be_told_from_other_points(mechanism, generator):
    family = TabularClassification(6, 4, missing=0.0, mechanisms={mechanism: 1.0})
    tasks = family.sample(100, 160, generator=generator)
    x = (tasks.x - tasks.x.mean(1, keepdim=True)) / tasks.x.std(1, keepdim=True).clamp(min=1e-6)
    context, query, y = x[:, :100], x[:, 100:], tasks.y[:, 100:]
    told = NearestNeighbor(6, 4, k=5)(context, tasks.y[:, :100], query).argmax(-1)
    common = tasks.y[:, :100].mode(1).values[:, None]
    gain = ((told == y).float() - (common == y).float()).mean(1)
    assert gain.mean() > 3 * gain.std() / len(gain) ** 0.5


@pytest.mark.parametrize("mechanism", REGRESSION)
def test_numbers_are_on_one_scale_and_can_be_told_from_other_points(mechanism, generator):
    family = TabularRegression(6, missing=0.0, mechanisms={mechanism: 1.0})
    tasks = family.sample(100, 160, generator=generator)
    assert tasks.y.mean(1).abs().median() < 0.3
    assert 0.7 < tasks.y.std(1).median() < 1.3
    x = (tasks.x - tasks.x.mean(1, keepdim=True)) / tasks.x.std(1, keepdim=True).clamp(min=1e-6)
    told = NearestNeighbor(6, None, k=7)(x[:, :100], tasks.y[:, :100], x[:, 100:])
    y = tasks.y[:, 100:]
    rest = (told - y).square().mean(1) / (y - tasks.y[:, :100].mean(1, keepdim=True)).square().mean(1)
    assert rest.median() < 0.95


def test_every_column_matters_where_that_is_asked_for(generator):
    family = TabularClassification(8, 3, mechanisms={"linear": 1.0}, all_relevant=1.0)
    parameters = family.sample_parameters(100, generator=generator)
    weighty = parameters["functions"]["linear"]["weights"].abs().sum(2) > 0
    assert torch.equal(weighty, parameters["used"].bool())
    some = TabularClassification(8, 3, mechanisms={"linear": 1.0}).sample_parameters(100, generator=generator)
    assert not torch.equal(some["functions"]["linear"]["weights"].abs().sum(2) > 0, some["used"].bool())


def test_names_of_classes_say_nothing(generator):
    tasks = TabularClassification(4, 2, mechanisms={"linear": 1.0}).sample(600, 30, generator=generator)
    assert abs(float(tasks.y.float().mean()) - 0.5) < 0.05


def test_points_depend_on_the_parameters_alone(generator):
    family = TabularClassification(5, 3, missing=0.0)
    parameters = family.sample_parameters(40, generator=generator)
    first = family.tasks(parameters, 300, generator=generator)
    second = family.tasks(parameters, 300, generator=generator)
    shares = [torch.nn.functional.one_hot(t.y, 3).float().mean(1) for t in (first, second)]
    assert (shares[0] - shares[1]).abs().max() < 0.2
    middles = [t.x.median(1).values for t in (first, second)]
    assert (middles[0] - middles[1]).abs().median() < 0.3 * first.x.std(1).median()


def test_a_label_can_depend_on_the_level_that_is_seen(generator):
    columns = sample_columns(200, 6, 0.0, generator)
    x = torch.randn(200, 30, 6, generator=generator)
    moved = quantised(columns, x)
    levelled = columns["kind"][:, None, :].expand_as(x) >= ROUNDED
    used = torch.ones(200, 6)
    assert torch.equal(moved[~levelled], x[~levelled])
    same = [seen(columns, values, used, torch.Generator().manual_seed(0)) for values in (x, moved)]
    assert torch.equal(*same)
    assert torch.equal(quantised(columns, moved), moved)


def test_categories_are_codes_and_columns_are_of_many_scales(generator):
    x = TabularClassification(missing=0.0).sample(100, 30, generator=generator).x
    whole = (x == x.round()).all(1)[(x != 0).any(1)]
    assert 0.1 < whole.float().mean() < 0.6
    spread = x.std(1)
    spread = spread[spread > 0]
    assert spread.max() / spread.median() > 100


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TabularClassification(0), "n_features: expected an integer >= 1"),
        (lambda: TabularClassification(n_classes=1), "n_classes: expected an integer >= 2"),
        (lambda: TabularClassification(missing=1.5), "missing: expected a finite number"),
        (lambda: TabularRegression(all_relevant=-1), "all_relevant: expected a finite number"),
        (lambda: TabularClassification(mechanisms={"cluster": 1.0}), "did you mean 'clusters'"),
        (lambda: TabularRegression(mechanisms={"clusters": 1.0}), "mechanisms: unknown name 'clusters'"),
        (
            lambda: TabularRegression(mechanisms={"linear": 0.0}),
            r"mechanisms\['linear'\]: expected a finite number > 0",
        ),
        (lambda: TabularRegression(mechanisms=["linear"]), "mechanisms: expected names with weights"),
    ],
)
def test_impossible_tables_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
