"""Transformers written by hand are the learners they were written for."""

import pytest
import torch
import zoo
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import ctxlearn
from ctxlearn.configurable import configuration, instantiate
from ctxlearn.expressiveness import circuit, construct
from ctxlearn.expressiveness.exactness import compare
from ctxlearn.expressiveness.initialization import StartsAsPrototypes
from ctxlearn.learners import CNP, MLP, BlockConfig, Conv4, InContextTransformer, MatchNet, ProtoNet
from ctxlearn.references import GradientDescent, NearestNeighbor
from ctxlearn.seeding import initial_weights
from ctxlearn.storage import load_tensors, save_tensors
from ctxlearn.tasks import ClassPrototype, glyphs
from ctxlearn.testing import check_learner

MASKS = ("context", "context_and_self", "full", "causal")
ENCODERS = st.sampled_from(["default", "identity", "own"])
SIZES = {
    "d": st.integers(1, 5),
    "n": st.one_of(st.integers(0, 4), st.sampled_from([1, 17, 128])),
    "width": st.integers(1, 9),
    "encoder": ENCODERS,
    "seed": st.integers(0, 999),
}
CLASSES = st.integers(2, 5)


def encoder_of(name, d, width):
    if name == "own":
        return zoo.Scaled(d)
    return {"default": None, "identity": "identity"}[name]


def episode(d, n_classes, n, seed):
    """Imbalanced contexts: classes are drawn from the first few, so that some are empty."""
    generator = torch.Generator().manual_seed(seed)
    x = 2 * torch.randn(3, n + 4, d, generator=generator, dtype=torch.float64)
    if n_classes is None:
        y = torch.randn(3, n, generator=generator, dtype=torch.float64)
    else:
        present = 1 + int(torch.randint(n_classes, (), generator=generator))
        y = torch.randint(present, (3, n), generator=generator)
    return x[:, :n], y, x[:, n:]


@torch.no_grad()
def largest_error(learner, built, arguments):
    """Of log-probabilities, or of means."""
    first, second = learner(*arguments), built(*arguments)
    if learner.n_classes is not None:
        first, second = first.log_softmax(-1), second.log_softmax(-1)
    assert first.shape == second.shape
    return float((first - second).abs().max())


@given(
    **SIZES,
    n_classes=st.one_of(st.none(), CLASSES),
    similarity=st.sampled_from(["cosine", "dot", "scaled_cosine"]),
    summed=st.booleans(),
    mask=st.sampled_from(MASKS),
)
def test_matchnet(d, n, width, encoder, seed, n_classes, similarity, summed, mask):
    summed = summed and n_classes is not None
    if n_classes is None and similarity != "dot":
        mask = "context"
    attention = "sum" if summed else "softmax"
    learner = MatchNet(d, n_classes, encoder_of(encoder, d, width), similarity, attention, width, seed).double()
    assert largest_error(learner, construct(learner, mask=mask).double(), episode(d, n_classes, n, seed)) < 1e-9


@given(**SIZES, n_classes=CLASSES, mask=st.sampled_from(MASKS[1:]))
def test_protonet(d, n, width, encoder, seed, n_classes, mask):
    learner = ProtoNet(d, n_classes, encoder_of(encoder, d, width), width, seed).double()
    assert largest_error(learner, construct(learner, mask=mask).double(), episode(d, n_classes, n, seed)) < 1e-9


@given(**SIZES, n_classes=st.one_of(st.none(), CLASSES), mask=st.sampled_from(MASKS))
def test_cnp(d, n, width, encoder, seed, n_classes, mask):
    learner = CNP(d, n_classes, encoder_of(encoder, d, width), width, seed).double()
    assert largest_error(learner, construct(learner, mask=mask).double(), episode(d, n_classes, n, seed)) < 1e-9


@given(
    **SIZES,
    n_classes=st.one_of(st.none(), CLASSES),
    softmax=st.booleans(),
    step_sizes=st.lists(st.floats(0.01, 0.3), max_size=4),
    penalty=st.sampled_from([0.0, 0.5]),
    intercept=st.booleans(),
    mask=st.sampled_from(MASKS),
)
def test_gradient_descent(
    d, n, width, encoder, seed, n_classes, softmax, step_sizes, penalty, intercept, mask
):  # fmt: skip
    if mask == "causal":
        step_sizes = step_sizes[:1]
    with initial_weights(seed):
        module = {"default": MLP(d, width), "identity": "identity", "own": zoo.Scaled(d)}[encoder]
    learner = GradientDescent(
        len(step_sizes),
        step_sizes,
        "softmax" if softmax and n_classes is not None else "squared",
        n_features=d,
        n_classes=n_classes,
        penalty=penalty,
        encoder=module,
        intercept=intercept,
    ).double()
    assert largest_error(learner, construct(learner, mask=mask), episode(d, n_classes, n, seed)) < 1e-9


def test_depths_are_those_of_the_docstrings():
    def size(learner):
        built = construct(learner)
        return len(built.blocks), built.width

    assert size(MatchNet(3, 4, width=9)) == (2, 3 + 9 + 2 * 4 + 1)
    assert size(MatchNet(3, 4, encoder="identity")) == (1, 3 + 2 * 4 + 1)
    assert size(ProtoNet(3, 4, width=9)) == (3, 3 + 9 + 4 * 9 + 2 * 4 + 1)
    assert size(CNP(3, 4, width=9)) == (3, 3 + 9 + 2 * 9 + 2 * 4 + 1)
    for k in (1, 2, 5):
        linear = GradientDescent(k, n_features=3, n_classes=None, encoder=MLP(3, 6))
        softmax = GradientDescent(k, loss="softmax", n_features=3, encoder=MLP(3, 6))
        assert size(linear)[0] == 1 + k
        assert size(softmax)[0] == 2 * k


def test_a_causal_mask_breaks_the_second_step_and_not_the_first():
    context_x, y, query_x = episode(2, None, 16, 0)
    for steps in (1, 2):
        learner = GradientDescent(steps, 0.1, n_features=2, n_classes=None)
        broken = largest_error(learner, construct(learner, mask="causal"), (context_x, y, query_x))
        assert (broken > 1e-4) == (steps == 2)


def built_learners():
    yield construct(MatchNet(2, 3, width=5, seed=1))
    yield construct(ProtoNet(2, 3, width=5, seed=2))
    yield construct(CNP(2, 3, width=5, seed=3))
    yield construct(GradientDescent(2, loss="softmax", n_features=2, n_classes=3, intercept=True))


@pytest.mark.parametrize("built", list(built_learners()), ids=["MatchNet", "ProtoNet", "CNP", "GradientDescent"])
def test_what_is_built_keeps_the_contract_and_is_saved_and_loaded(built, tmp_path):
    assert type(built) is InContextTransformer
    check_learner(built)
    save_tensors(tmp_path / "built.safetensors", built.state_dict(), {})
    again = ctxlearn.configurable.instantiate(ctxlearn.configurable.configuration(built)).to(
        next(built.parameters()).dtype
    )
    again.load_state_dict(load_tensors(tmp_path / "built.safetensors")[0])
    context_x, y, query_x = episode(2, 3, 9, 0)
    with torch.no_grad():
        assert torch.equal(built(context_x, y, query_x), again(context_x, y, query_x))


def test_spare_width_and_units_change_nothing_and_train(tmp_path):
    learner = ProtoNet(2, 2, width=6, seed=4)
    built = construct(learner, width=64, hidden=50)
    arguments = tuple(part if part.dtype == torch.int64 else part.float() for part in episode(2, 2, 12, 0))
    assert largest_error(learner, built, arguments) < 1e-4
    before = {name: p.clone() for name, p in built.named_parameters()}
    config = ctxlearn.TrainingConfig(steps=6, tasks_per_step=8, n_points=10, progress=False)
    run = ctxlearn.train(built, ClassPrototype(), config, out=tmp_path / "run")
    moved = [name for name, p in run.learner.named_parameters() if not torch.equal(p, before[name])]
    assert any("mlp_out" in name for name in moved)
    assert any("embed" in name for name in moved)
    loaded = ctxlearn.load(tmp_path / "run")
    with torch.no_grad():
        assert torch.equal(loaded(*arguments), run.learner(*arguments))


def test_an_image_encoder_stays_in_front():
    learner = ProtoNet((3, 2), 2, width=5)
    x = torch.randn(2, 9, 3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.randint(2, (2, 5), generator=torch.Generator().manual_seed(1))
    assert largest_error(learner.double(), construct(learner), (x[:, :5], y, x[:, 5:])) < 1e-9


class Bent(MLP):
    def forward(self, x):
        return super().forward(x).tanh()


class Twice(nn.Flatten):
    def forward(self, x):
        return 2 * super().forward(x)


@pytest.mark.parametrize("cls", [MatchNet, ProtoNet, CNP])
@pytest.mark.parametrize(
    "encoder",
    [
        MLP(2, 3, hidden=7),
        nn.Sequential(nn.Flatten(1), MLP(2, 3)),
        nn.Sequential(MLP(2, 3)),
        nn.Sequential(nn.Tanh(), MLP(2, 3)),
        nn.Sequential(nn.Linear(2, 4), MLP(4, 3)),
        nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 3)),
        Bent(2, 3),
        Twice(1),
    ],
    ids=lambda encoder: type(encoder).__name__,
)
def test_any_encoder_is_kept_or_written_as_a_block_but_never_mistaken(encoder, cls):
    learner = cls(2, 2, encoder=encoder).double()
    assert largest_error(learner, construct(learner).double(), episode(2, 2, 9, 0)) < 1e-9


def test_the_precision_is_the_learners():
    assert next(construct(ProtoNet(2, 2)).parameters()).dtype == torch.float32
    assert next(construct(ProtoNet(2, 2).double()).parameters()).dtype == torch.float64
    assert next(construct(MatchNet(2, 2, encoder="identity")).parameters()).dtype == torch.float32
    assert next(construct(GradientDescent(n_features=2)).parameters()).dtype == torch.float64


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: construct(NearestNeighbor(2, 2)), "learner: expected one of MatchNet, ProtoNet, CNP, GradientDescent"),
        (lambda: construct("ProtoNet"), "learner: expected one of"),
        (lambda: construct(GradientDescent(2)), "learner: expected a GradientDescent with n_features"),
        (lambda: construct(ProtoNet(2, 2), mask="context"), "mask: expected one under which a query sees itself"),
        (lambda: construct(ProtoNet(2, 2), mask="none"), "mask: unknown name 'none'"),
        (lambda: construct(MatchNet(2, None), mask="full"), 'mask: expected "context" for regression'),
        (lambda: construct(ProtoNet(2, 2), width=3), "width: expected"),
        (lambda: construct(ProtoNet(2, 2), hidden=3), "hidden: expected"),
    ],
)
def test_what_cannot_be_built_is_said(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_circuit_can_be_read():
    plan = circuit(ProtoNet(2, 2, width=3))
    assert [layer.job.split(":")[0] for layer in plan.layers] == ["encode each point", "average", "measure"]
    assert all(isinstance(BlockConfig(), type(block)) for block in construct(ProtoNet(2, 2, width=3)).block_configs)


@pytest.mark.parametrize("shots", [1, 2, 5])
@pytest.mark.parametrize("depth", [2, 3])
def test_untrained_a_transformer_that_starts_as_protonet_is_it(shots, depth):
    encoder = Conv4(1, (4, 4, 4, 8))
    start = StartsAsPrototypes((1, 28, 28), 3, encoder, width=24, depth=depth, hidden=8)
    rule = ProtoNet((1, 28, 28), 3, encoder=encoder)
    episode = glyphs("validation", 3).sample(4, 18, generator=torch.Generator().manual_seed(0)).split(3 * shots)
    answers = (m(episode.context_x, episode.context_y, episode.query_x).log_softmax(-1) for m in (start, rule))
    torch.testing.assert_close(*answers, rtol=0, atol=1e-4)


def test_a_transformer_that_starts_as_protonet_is_rebuilt_from_its_arguments():
    first = StartsAsPrototypes((1, 28, 28), 3, Conv4(1, (4, 4, 4, 8), seed=3), width=24, hidden=8, seed=5)
    again = instantiate(configuration(first))
    for (name, p), q in zip(first.named_parameters(), again.parameters(), strict=True):
        assert torch.equal(p, q), name
        trained = name.startswith("encoder.") or (name.startswith("blocks.") and p.ndim > 1)
        assert p.requires_grad == q.requires_grad == trained


@pytest.mark.parametrize(
    ("learner", "masks"),
    [
        (ProtoNet(2, 2), MASKS[1:]),
        (CNP(2, 2), MASKS),
        (GradientDescent(1, 0.1, "softmax", n_features=2, n_classes=2), MASKS),
        (GradientDescent(2, 0.1, "softmax", n_features=2, n_classes=2), MASKS[:-1]),
    ],
)
def test_a_learner_is_compared_with_its_construction_under_every_mask_where_that_is_exact(learner, masks):
    before = configuration(learner), [p.dtype for p in learner.parameters()]
    rows = compare(learner, [episode(2, 2, n, seed=0) for n in (0, 5)])
    assert [(row["mask"], row["n_context"]) for row in rows] == [(mask, n) for mask in masks for n in (0, 5)]
    assert max(row["error64"] for row in rows) < 1e-9
    assert max(row["error32"] for row in rows) < 1e-3 < max(row["log_odds"] for row in rows)
    assert (configuration(learner), [p.dtype for p in learner.parameters()]) == before
