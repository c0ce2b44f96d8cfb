"""Learners on an accelerator, and inputs wherever they are: no public function mixes devices, and tables are made on the CPU.

torch's `meta` device stands for the accelerator. Its tensors hold no values, so reading them back is simulated: zeros for
a tensor, one (true) for a number.
"""

from functools import partial

import pytest
import torch
import zoo
from torch.utils._python_dispatch import TorchDispatchMode

import ctxlearn
from ctxlearn.baselines.selection import leave_one_out
from ctxlearn.checks import trusted_values
from ctxlearn.evaluation import answer_prefixes, evaluate, hindsight, hindsight_per_query, score_prefixes
from ctxlearn.learners import MAML, ContextScaled, InContextTransformer, Learner, MatchNet, ProtoNet
from ctxlearn.references import AlgorithmSelection, Ensemble, NearestNeighbor
from ctxlearn.seeding import generator_for
from ctxlearn.tasks import ClassPrototype, LinearRegression
from ctxlearn.training import Adaptable, MetaAdaptation

aten = torch.ops.aten


class Accelerator(TorchDispatchMode):
    """Inside, `meta` tensors can be read back, and no operator may mix them with the CPU's."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = [t for t in torch.utils._pytree.tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
        kinds = {t.device.type for t in tensors if t.ndim}
        if func.overloadpacket in (aten._local_scalar_dense, aten.item) and kinds | {tensors[0].device.type} == {
            "meta"
        }:
            return torch.ones((), dtype=tensors[0].dtype, device="cpu").item()
        if func is aten.nonzero.default and kinds == {"meta"}:  # taken for zero nowhere
            return torch.empty(tensors[0].numel(), tensors[0].ndim, dtype=torch.int64, device="meta")
        if func.overloadpacket in (aten._to_copy, aten.to, aten.copy_):
            given = [*args[1:], *kwargs.values()]
            places = [g.device if isinstance(g, torch.Tensor) else g for g in given]
            to_cpu = any(isinstance(place, torch.device) and place.type == "cpu" for place in places)
            if to_cpu and tensors[0].device.type == "meta" and func is not aten.copy_.default:
                dtypes = [g for g in given if isinstance(g, torch.dtype)]
                return torch.zeros(tensors[0].shape, dtype=(*dtypes, tensors[0].dtype)[0], device="cpu")
            return func(*args, **kwargs)
        if len(kinds) > 1:
            raise AssertionError(f"{func} mixes devices: {[(tuple(t.shape), t.device.type) for t in tensors]}")
        return func(*args, **kwargs)


@pytest.fixture
def accelerator():
    with Accelerator():
        yield


SMALL = {"n_tasks": 8, "n_points": 6, "threads": 1}


def transformer(n_classes=2, **options):
    return InContextTransformer(2, n_classes, width=8, depth=1, heads=2, **options)


def there(learner):
    return learner.to("meta").eval()


class Mean(Learner):
    """A learner of one's own, which checks nothing and moves nothing."""

    def __init__(self):
        super().__init__(2, 2)
        self.scale = torch.nn.Parameter(torch.ones(2))

    def adapt(self, context_x, context_y):
        return context_x.sum(1) * self.scale

    def predict(self, state, query_x):
        return query_x * self.scale + state[:, None]


LEARNERS = {
    "transformer": transformer,
    "causal transformer": lambda: transformer(mask="causal"),
    "one's own": Mean,
    "MatchNet": lambda: MatchNet(2, 2, width=8),
    "ensemble": lambda: Ensemble([transformer(), NearestNeighbor(2, 2)]),
    "an ensemble of one on the CPU": lambda: Ensemble([ProtoNet(2, 2, encoder="identity"), transformer()]),
    "adaptable": lambda: Adaptable(transformer(), ctxlearn.learners.GradientAdaptation(1, learned="tensor")),
}


def test_the_simulation_refuses_what_an_accelerator_would(accelerator):
    with pytest.raises(AssertionError, match="mixes devices"):
        torch.ones(2, 2) @ torch.ones(2, 2, device="meta")


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("function", [evaluate, hindsight, hindsight_per_query])
def test_tables_are_made_of_learners_on_any_device(name, function, accelerator):
    learners = {"there": there(LEARNERS[name]()), "here": NearestNeighbor()}
    options = {} if function is evaluate else {"lengths": (0, 3), "n_queries": 4}
    table = function(learners, ClassPrototype(), **SMALL, **options)
    assert table["mean"].notna().all()


@pytest.mark.parametrize("readout", ["linear", "quantiles"])
def test_regression_is_scored_on_any_device(readout, accelerator):
    learner = there(transformer(None, readout=readout))
    for function in (evaluate, hindsight_per_query):
        options = {} if function is evaluate else {"lengths": (0, 3), "n_queries": 4}
        assert function({"there": learner}, LinearRegression(2), **SMALL, **options)["mean"].notna().all()


@pytest.mark.parametrize("name", [name for name in LEARNERS if name != "one's own"])
@pytest.mark.parametrize("place", ["cpu", "meta"])
def test_inputs_follow_the_learner(name, place, accelerator):
    learner = there(LEARNERS[name]())
    n_classes = learner.n_classes
    tasks = ClassPrototype(2, n_classes).sample(4, 9, generator=torch.Generator().manual_seed(0))
    episode = tasks.split(5).to(place)
    with trusted_values():
        state = learner.adapt(episode.context_x, episode.context_y)
        output = learner.predict(state, episode.query_x)
        assert output.device.type == learner.predict_prefixes(episode.query_x, episode.query_y).device.type
        assert learner.loss(output, episode.query_y).ndim == 0


@pytest.mark.parametrize("place", ["cpu", "meta"])
def test_scores_of_given_tasks_wherever_they_are(place, accelerator):
    tasks = ClassPrototype().sample(4, 5, generator=torch.Generator().manual_seed(0)).to(place)
    for learner in (there(transformer()), NearestNeighbor()):
        assert score_prefixes(learner, tasks, threads=1).shape == (4, 5)
        assert answer_prefixes(learner, tasks, threads=1).device.type == "cpu"


def test_selection_among_learners_on_several_devices(accelerator):
    tasks = ClassPrototype().sample(4, 5, generator=torch.Generator().manual_seed(0))
    members = [NearestNeighbor(2, 2), there(transformer())]
    for rule in ("loo", "prequential"):
        with trusted_values():
            found = AlgorithmSelection(members, rule)(tasks.x[:, :3], tasks.y[:, :3], tasks.x[:, 3:])
        assert found.shape == (4, 2, 2)
    assert leave_one_out(members[1], tasks.x, tasks.y).shape == (4, 5)


@pytest.mark.parametrize("probes", [None, "cpu", "meta"])
def test_identify_asks_learners_on_any_device(probes, accelerator):
    given = ClassPrototype().sample(32, 7, generator=torch.Generator().manual_seed(0)).to(probes) if probes else None
    found = ctxlearn.identify(
        there(transformer()), ["1-NN"], probes=given, lengths=[3], n_contexts=32, n_queries=4, threads=1
    )
    assert len(found.results) == 1


def test_a_learner_is_tuned_where_it_is(accelerator, monkeypatch):
    def on_the_cpu(*key, device):
        return generator_for(*key)  # torch has no generators for this device

    monkeypatch.setattr("ctxlearn.inner_loop.fine_tuning.generator_for", partial(on_the_cpu, device=None))
    learner = there(transformer())
    with trusted_values():
        tuned = ctxlearn.fine_tune(learner, ClassPrototype(), n_tasks=8, n_points=5, steps=2, check_every=1)
    assert {p.device.type for p in tuned.parameters()} == {"meta"}


def test_inner_steps_are_taken_where_the_learner_is(accelerator):
    learner = there(MAML(2, 2, steps=2, width=4))
    tasks = ClassPrototype().sample(4, 6, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert learner(tasks.x[:, :3], tasks.y[:, :3], tasks.x[:, 3:]).device.type == "meta"
    assert isinstance(MetaAdaptation(), ctxlearn.Configurable)


@pytest.mark.parametrize("name", ["transformer behind scaling", "advised transformer behind scaling"])
def test_what_stands_around_a_learner_is_computed_where_it_is(name, accelerator):
    learner = there(zoo.trained_learners()[name])
    assert isinstance(learner, ContextScaled)
    tasks = ClassPrototype(learner.n_features, 3).sample(3, 8, generator=torch.Generator().manual_seed(0))
    with trusted_values():
        assert learner(tasks.x[:, :5], tasks.y[:, :5], tasks.x[:, 5:]).device.type == "meta"
