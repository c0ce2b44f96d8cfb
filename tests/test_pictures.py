import numpy as np
import pytest
import torch
from matplotlib import pyplot
from matplotlib.figure import Figure

from ctxlearn.identification import identify
from ctxlearn.lab import Claim
from ctxlearn.learners import InContextTransformer, ProtoNet
from ctxlearn.references import LinearGaussian, NearestNeighbor, Ridge
from ctxlearn.tasks import ClassPrototype, LinearRegression


@pytest.fixture(autouse=True)
def _closed():
    """New axes are pyplot's, which keeps their figures until they are closed."""
    pyplot.switch_backend("agg")
    yield
    pyplot.close("all")


def tasks(family, n_points=12):
    return family.sample(2, n_points, generator=torch.Generator().manual_seed(0))


def offsets(axes):
    """The places of all points that were drawn."""
    return np.concatenate([np.asarray(drawn.get_offsets()) for drawn in axes.collections if len(drawn.get_offsets())])


def test_tasks_and_episodes_draw_the_points_of_one_task():
    drawn = tasks(ClassPrototype(n_classes=3))
    for axes in (drawn.plot(1), drawn.split(5).plot(1)):
        found = offsets(axes)
        assert sorted(map(tuple, found.tolist())) == sorted(map(tuple, drawn.x[1].double().tolist()))


def test_numbers_are_drawn_above_their_input():
    drawn = tasks(LinearRegression(1))
    expected = torch.stack([drawn.x[0, :, 0], drawn.y[0]], dim=1).double().numpy()
    np.testing.assert_allclose(offsets(drawn.plot()), expected)


def test_given_axes_are_drawn_on_and_given_back():
    axes = Figure().subplots()
    drawn = tasks(ClassPrototype())
    assert drawn.plot(axes=axes) is axes
    assert ProtoNet(2, 2, encoder="identity").plot(drawn.x[0], drawn.y[0], axes) is axes
    claim = Claim("a", "b", "c", 0.5, 0.4, 0.6, 0.0, "above", "holds", 10, 1, "g")
    assert claim.plot(axes) is axes


def test_regions_are_the_answers_of_the_learner():
    x, y = torch.tensor([[-1.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 1])
    axes = NearestNeighbor(2, 2).plot(x, y)
    [picture] = axes.images
    colours = np.asarray(picture.get_array())
    blue = colours[..., 2] > colours[..., 0]
    assert blue[:, : blue.shape[1] // 2].all()
    assert not blue[:, blue.shape[1] // 2 :].any()


@pytest.mark.parametrize(("learner", "bands"), [(LinearGaussian(noise=0.5, n_features=1), 2), (Ridge(1, None), 0)])
def test_curves_are_the_answers_of_the_learner_with_bands_where_there_are(learner, bands):
    drawn = tasks(LinearRegression(1, noise=0.5))
    axes = learner.plot(drawn.x[0], drawn.y[0])
    x, mean = axes.lines[0].get_data()
    query = torch.as_tensor(x, dtype=torch.float32)[None, :, None]
    np.testing.assert_allclose(mean, learner(drawn.x[:1], drawn.y[:1], query)[0].numpy(), atol=1e-6)
    assert len(axes.get_legend_handles_labels()[1]) == bands


def test_a_learner_in_training_stays_in_training():
    learner = InContextTransformer(2, 2, width=16, depth=1, heads=2).train()
    drawn = tasks(ClassPrototype())
    assert learner.plot(drawn.x[0], drawn.y[0]).images
    assert learner.training


@pytest.mark.parametrize(
    ("x", "y", "named"),
    [
        (torch.zeros(1, 3, 2), torch.zeros(1, 3).long(), "context_x"),
        (torch.zeros(3, 3), torch.zeros(3).long(), "context_x"),
        (torch.zeros(0, 2), torch.zeros(0).long(), "context_x"),
        (torch.zeros(3, 2), torch.zeros(3, 1).long(), "context_y"),
        (torch.zeros(3, 2), torch.tensor([0, 1, 2]), "context_y"),
        ([[0, 0]], torch.tensor([0]), "context_x"),
    ],
)
def test_what_is_no_context_of_the_plane_is_refused_by_name(x, y, named):
    with pytest.raises(ValueError, match=named):
        NearestNeighbor(2, 2).plot(x, y)


def test_tasks_that_cannot_be_drawn_say_so_and_show_their_sizes():
    with pytest.raises(ValueError, match="task"):
        tasks(ClassPrototype()).plot(2)
    with pytest.raises(ValueError, match="x: expected"):
        tasks(LinearRegression(3)).plot()
    assert "<svg" not in tasks(LinearRegression(3))._repr_html_()


def test_notebooks_show_a_picture_and_escaped_text():
    drawn = tasks(ClassPrototype())
    claim = Claim("a", "a < b", "c", 0.5, 0.4, 0.6, 0.0, "above", "holds", 10, 1, "g")
    for thing, text in ((drawn, "12 points"), (drawn.split(4), "4 context points"), (claim, "a &lt; b (holds)")):
        shown = thing._repr_html_()
        assert shown.count("<svg") == 1
        assert text in shown


def test_an_identification_is_drawn_with_every_total():
    found = identify(NearestNeighbor(2, 2), ["1-NN", "majority"], lengths=[4], n_contexts=32)
    axes = found.plot()
    assert sorted(text.get_text() for text in axes.texts) == sorted(f"{total:.2f}" for total in found.results["total"])
    assert found.figure().axes[0].get_xlabel() == axes.get_xlabel()


def test_html_leaves_no_figure_behind():
    before = pyplot.get_fignums()
    tasks(ClassPrototype())._repr_html_()
    Claim("a", "b", "c", 0.5, 0.4, 0.6, 0.0, "above", "holds", 10, 1, "g")._repr_html_()
    assert pyplot.get_fignums() == before
