"""Contexts of many rows: computed in blocks, to the same answers, in memory that is linear in the rows."""

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from toy_tables import blobs

from ctxlearn import InContextClassifier
from ctxlearn.inner_loop.functional import DifferentiableAttention
from ctxlearn.learners import (
    BlockConfig,
    ContextScaled,
    Guided,
    InContextTransformer,
    KernelFeatures,
    MissingAware,
    advice,
    attention,
    kernel_features,
)

FORMS = [
    {},
    {"mask": "causal"},
    {"mask": "context_and_self"},
    {"mask": "full"},
    {"mask": "causal", "tokens": "interleaved"},
    *({"mask": mask, "blocks": [BlockConfig(heads=2, attention=kind, memory=2)] * 2} for mask in ("causal", "context")
      for kind in ("softmax", "linear", "linear_mean")),
]  # fmt: skip


def transformer(**form):
    return InContextTransformer(3, 2, **({"width": 8, "depth": 2, "heads": 2} | form)).double().eval()


def shipped_form(n_features=4, n_classes=2):
    kinds = tuple(advice.KINDS)
    told = n_features + advice.n_told(kinds, n_classes)
    inner = InContextTransformer(
        told, n_classes, width=8, depth=2, heads=2, encoder=MissingAware(told, 8), readout="linear"
    )
    return ContextScaled(Guided(inner, n_features, n_features, kinds)).eval()


def advised_form(n_features=4, n_classes=2):
    told = n_features + 3 * n_classes
    inner = InContextTransformer(
        told, n_classes, width=8, depth=2, heads=2, encoder=MissingAware(told, 8), readout="linear"
    )
    return ContextScaled(KernelFeatures(inner)).eval()


class Largest(TorchDispatchMode):
    """The most elements of a tensor that any operator inside returns."""

    def __init__(self):
        super().__init__()
        self.size = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        for part in found if isinstance(found, tuple | list) else [found]:
            if isinstance(part, torch.Tensor) and 0 not in part.stride():  # what is expanded takes no memory
                self.size = max(self.size, part.numel())
        return found


def episode(n, d=3, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(1, n, d, generator=generator, dtype=dtype)
    return x, (x[..., 0] + x[..., 1] > 0).long(), torch.randn(1, 7, d, generator=generator, dtype=dtype)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_attention_in_blocks_is_attention(form, monkeypatch):
    learner = transformer(**form)
    x, y, query = episode(23)
    whole, prefixes = learner(x, y, query), learner.predict_prefixes(x[:, :9], y[:, :9])
    monkeypatch.setattr(attention, "SCORES", 60)
    torch.testing.assert_close(learner(x, y, query), whole, rtol=0, atol=1e-12)
    torch.testing.assert_close(learner.predict_prefixes(x[:, :9], y[:, :9]), prefixes, rtol=0, atol=1e-12)


def test_gradients_come_through_the_blocks(monkeypatch):
    learner = transformer()
    x, y, query = episode(23)
    whole = torch.autograd.grad(learner(x, y, query).square().sum(), list(learner.parameters()), allow_unused=True)
    monkeypatch.setattr(attention, "SCORES", 60)
    parts = torch.autograd.grad(learner(x, y, query).square().sum(), list(learner.parameters()), allow_unused=True)
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


def test_a_context_of_2048_rows_is_computed_at_once(monkeypatch):
    learner = transformer()
    x, y, query = episode(2048)
    expected = learner(x, y, query)
    for module, name in ((attention, "SCORES"), (kernel_features, "LONG")):
        monkeypatch.setattr(module, name, getattr(module, name) * 1000)
    assert torch.equal(learner(x, y, query), expected)


@pytest.mark.parametrize("kernel", ["linear", "radial"])
def test_advice_of_long_contexts(kernel, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(2, 300, 3, generator=generator, dtype=torch.float64)
    labels = torch.sin(points) + 0.1 * torch.randn(2, 300, 3, generator=generator, dtype=torch.float64)
    labels[..., 0] = points @ torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    penalty = dict(kernel_features.ADVISERS)[kernel]
    weights, left_out = kernel_features.regress(kernel, penalty, points, labels)
    monkeypatch.setattr(kernel_features, "LONG", 64)
    monkeypatch.setattr(kernel_features, "CENTRES", 150)
    in_parts, left_out_in_parts = kernel_features.regress(kernel, penalty, points, labels)
    asked = torch.randn(2, 500, 3, generator=generator, dtype=torch.float64)
    told, told_in_parts = (kernel_features.regressed(kernel, asked, points, w) for w in (weights, in_parts))
    allowed = 1e-8 if kernel == "linear" else 0.05
    assert (told - told_in_parts).square().mean().sqrt() < allowed
    assert (left_out - left_out_in_parts).square().mean().sqrt() < allowed
    monkeypatch.setattr(kernel_features, "CENTRES", 300)  # at every point, it is the regression itself
    in_parts, left_out_in_parts = kernel_features.regress(kernel, penalty, points, labels)
    torch.testing.assert_close(kernel_features.regressed(kernel, asked, points, in_parts), told, rtol=0, atol=1e-4)
    torch.testing.assert_close(left_out_in_parts, left_out, rtol=0, atol=1e-4)


def test_equal_points_are_no_trouble_in_a_long_context(monkeypatch):
    monkeypatch.setattr(kernel_features, "LONG", 16)
    monkeypatch.setattr(kernel_features, "CENTRES", 40)
    x, y, query = episode(80, 4)
    assert shipped_form()(x[:, :1].expand_as(x), y, query).isfinite().all()


@pytest.mark.parametrize(
    "make",
    [transformer, lambda: transformer(mask="causal"), advised_form, shipped_form],
    ids=["set", "causal", "advised", "shipped form"],
)
@pytest.mark.parametrize("fused", [True, False])
def test_memory_is_linear_in_the_context(make, fused, monkeypatch):
    monkeypatch.setattr(attention, "SCORES", 1 << 12)
    monkeypatch.setattr(kernel_features, "LONG", 64)
    monkeypatch.setattr(kernel_features, "CENTRES", 32)
    learner, sizes = make(), []
    for n in (500, 1000, 2000):
        x, y, query = episode(n, learner.n_features)
        with torch.no_grad(), Largest() as largest:
            if fused:
                learner(x, y, query)
            else:  # as on a device that has no fused kernel
                with DifferentiableAttention():
                    learner(x, y, query)
        sizes.append(largest.size)
    assert sizes[2] <= 4.1 * sizes[0]
    assert sizes[2] < 2000 * 2000 / 20


@pytest.mark.filterwarnings("error")
def test_an_estimator_reads_a_long_context_whole(monkeypatch):
    monkeypatch.setattr(attention, "SCORES", 1 << 12)
    monkeypatch.setattr(kernel_features, "LONG", 64)
    monkeypatch.setattr(kernel_features, "CENTRES", 32)
    x, y = blobs(1500, 4, 2, spread=1.0)
    classifier = InContextClassifier(shipped_form(), max_context=1500).fit(x, y)
    assert classifier._fitted.views.rows.shape == (2, 1500)
    np.testing.assert_allclose(classifier.predict_proba(x[:9]).sum(1), 1, atol=1e-12)
