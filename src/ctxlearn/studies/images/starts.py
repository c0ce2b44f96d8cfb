"""An in-context transformer that begins as a comparison of images, and is trained from there."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ctxlearn.checks import check_int
from ctxlearn.expressiveness.wiring import BIAS, Circuit, Head, Layer, assemble, eye
from ctxlearn.learners import BlockConfig, InContextTransformer
from ctxlearn.learners.encoders import Encoder
from ctxlearn.recorded import Recorded


class WithSquare(Recorded, nn.Module):
    """A module's vector v, (M, e), and -|v|^2 / e after it, (M, e + 1): a scalar product can then be a distance.

    Divided by e, the square is of the size of the vector's entries, which layer norms ask for.

    Args:
        module: from (M, *shape) to (M, e).
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        v: Tensor = self.module(x)
        return torch.cat([v, -v.square().mean(-1, keepdim=True)], dim=-1)


class StartsAsDistances(InContextTransformer):
    """A transformer whose initial weights answer by the mean squared distance to each class's points.

    With f the encoder, the last block's head scores 2 f(q).f(x_i) - |f(x_i)|^2 and averages the labels by it, so that the logit
    of a class is |f(q)|^2 less the mean of |f(q) - f(x_i)|^2 over its points, where all classes have equally many. With one shot this is
    ProtoNet. The blocks before it attend to the context as any transformer's do, but add nothing at first. Trained are the encoder
    and all blocks; the embedding, which only puts the encoder's vector and the label into the stream, and the read-out stay as
    they are, since what they could learn the encoder and the blocks can, and their steps are noise in the distances.
    It is rebuilt from its arguments alone; trained, it is an `InContextTransformer` like any other.

    Args:
        n_features: shape of one input.
        n_classes: C >= 2.
        encoder: f, from (M, *shape) to (M, e).
        width: of the stream, at least e + 2 C + 2.
        depth: blocks in all, >= 1.
        heads: of the blocks before the last.
        hidden: hidden units of each block.
        seed: of the weights that are not in use at first.

    Raises:
        ValueError: a width that is too small.
    """

    def __init__(
        self,
        n_features: int | tuple[int, ...],
        n_classes: int,
        encoder: nn.Module,
        width: int = 128,
        depth: int = 2,
        heads: int = 4,
        hidden: int = 256,
        seed: int = 0,
    ) -> None:
        before = check_int("depth", depth, minimum=1) - 1
        encoder = WithSquare(encoder)
        size = Encoder(encoder, n_features, width).n_outputs
        plan = distances(size, n_classes, encoder)
        built = assemble(plan, n_features, n_classes, width, hidden, seed).float()
        blocks = [BlockConfig(heads, hidden=hidden, activation="relu")] * before
        super().__init__(
            n_features,
            n_classes,
            width=width,
            encoder=encoder,
            blocks=[*blocks, *built.block_configs],
            mask=plan.mask,
            seed=seed,
        )
        with torch.no_grad():
            for block in self._blocks[:before]:
                for layer in (block.attention_out, block.mlp_out):
                    layer.weight.zero_()
                    layer.bias.zero_()
        self._blocks[-1].load_state_dict(built.blocks[0].state_dict())
        for mine, given in ((self.embed, built.embed), (self.out, built.out)):
            mine.load_state_dict(given.state_dict())
            mine.requires_grad_(False)


def distances(size: int, n_classes: int, encoder: nn.Module) -> Circuit:
    """The circuit of one head; see `StartsAsDistances`. The encoder's last output is -|f|^2 / e."""
    last = eye(size)[-1]
    head = Head(
        query={"x": 2 * (eye(size) - torch.outer(last, last)), BIAS: (size - 1) * last},
        key={"x": eye(size)},
        value={"label": eye(n_classes)},
        write={"answer": n_classes * eye(n_classes)},  # a mean over all points: a class has one in C of them
    )
    return Circuit(
        registers={"x": size, "label": n_classes, "is_query": 1, "answer": n_classes},
        embed={"x": {"x": eye(size)}, "label": {"label": eye(n_classes)}, "is_query": {"is_query": eye(1)}},
        layers=[Layer("compare: the scores are distances, the values are labels", [head], attention="linear_mean")],
        out={"answer": eye(n_classes)},
        mask="context",
        encoder=encoder,
    )
