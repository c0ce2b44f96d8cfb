"""Contexts and queries in one pass answer as `adapt` and `predict` do, with the same gradients."""

import pytest
import torch

from ctxlearn.learners import BlockConfig, InContextTransformer, MissingAware


def transformer(**settings):
    block = BlockConfig(
        heads=2, hidden=24, norm=settings.pop("norm", "pre"), attention=settings.pop("attention", "softmax")
    )
    encoder = MissingAware(4, 16, hidden=16)
    made = InContextTransformer(
        4, settings.pop("n_classes", 3), width=16, blocks=[block] * 3, encoder=encoder, **settings
    )
    for p in made.parameters():  # norms and biases too
        p.data += 0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel()))
    return made.double()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"norm": "none"},
        {"attention": "linear_mean"},
        {"n_classes": None, "readout": "quantiles"},
        {"labels": "equiangular"},
    ],
)
def test_one_pass_is_adapt_and_predict(settings, generator):
    learner = transformer(**settings)
    x = (
        torch.randn(5, 12, 4, generator=generator)
        .double()
        .masked_fill(torch.rand(5, 12, 4, generator=generator) < 0.1, torch.nan)
    )
    y = (
        torch.randn(5, 12, generator=generator)
        if learner.n_classes is None
        else torch.randint(3, (5, 12), generator=generator)
    )
    answers = []
    for output in (
        learner.predict_for_loss(learner.adapt(x[:, :7], y[:, :7]), x[:, 7:]),
        learner.answer_together(x[:, :7], y[:, :7], x[:, 7:]),
    ):
        loss = learner.loss(output, y[:, 7:])
        answers.append([output, *torch.autograd.grad(loss, list(learner.parameters()))])
    for apart, together in zip(*answers, strict=True):
        assert torch.allclose(apart, together, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("settings", [{"mask": "causal"}, {"positions": "learned"}])
def test_what_is_no_set_is_refused(settings):
    x, y = torch.zeros(1, 3, 4), torch.zeros(1, 3, dtype=torch.int64)
    with pytest.raises(ValueError, match='mask: expected "context"'):
        InContextTransformer(4, 3, width=16, depth=1, **settings).answer_together(x, y, x)
