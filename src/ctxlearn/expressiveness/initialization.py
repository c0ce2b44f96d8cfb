"""In-context transformers whose training begins at a construction: they are ProtoNet at first."""

from __future__ import annotations

import torch
from torch import nn

from ctxlearn.checks import check_int
from ctxlearn.expressiveness import construct
from ctxlearn.expressiveness.wiring import BIAS, Circuit, Head, Layer, Units, assemble, eye
from ctxlearn.learners import BlockConfig, InContextTransformer, ProtoNet
from ctxlearn.learners.encoders import Encoder

GATE = 2.0**8
"""Taken off a point's products with the means of other classes than its own; more than any of them, in units of sqrt(e)."""


class StartsAsProtoNet(InContextTransformer):
    """A transformer whose initial weights are the construction of ProtoNet on the inputs themselves.

    Untrained it is the nearest-class-mean rule, up to rounding. It is rebuilt from its arguments alone, so a run can
    name it; a trained one is an `InContextTransformer` like any other.

    Args:
        n_features: an int d or the shape of one input.
        n_classes: C >= 2.
        width: of the stream; what the construction does not need is spare.
        hidden: hidden units of each block, likewise.
        seed: of the spare weights.

    Raises:
        ValueError: a width or number of hidden units that is too small.
    """

    def __init__(
        self, n_features: int | tuple[int, ...], n_classes: int, width: int = 64, hidden: int = 128, seed: int = 0
    ) -> None:
        rule = ProtoNet(n_features, n_classes, encoder="identity")
        built = construct(rule, width=width, hidden=hidden, seed=seed).float()
        super().__init__(
            n_features,
            n_classes,
            width=width,
            encoder="identity",
            blocks=built.block_configs,
            mask=built.mask,
            readout=built.readout,
            seed=seed,
        )
        self.load_state_dict(built.state_dict())


class StartsAsPrototypes(InContextTransformer):
    """A transformer whose initial weights answer as ProtoNet does, where all classes have equally many points.

    With f the encoder and c_k the mean of a class, logits are 2 f(q).c_k - |c_k|^2: -|f(q) - c_k|^2 but for what all
    classes share. The first and the last block compute them; those between attend to the context as any transformer's do, but
    add nothing at first.

    Training changes the encoder and the matrices of all blocks. The biases of the blocks, the embedding (which only puts the
    encoder's vector and the label into the stream) and the read-out stay as they are: the rest can learn what they could,
    and their steps are noise in the distances. It is rebuilt from its arguments alone; a trained one is an
    `InContextTransformer` like any other.

    Args:
        n_features: shape of one input.
        n_classes: C >= 2.
        encoder: f, from (M, *shape) to (M, e), nowhere negative, as a `Conv4` is.
        width: of the stream, at least e + 3 C + 2.
        depth: blocks in all, >= 2.
        heads: of the blocks between.
        hidden: hidden units of each block, at least C.
        seed: of the weights that are not in use at first.

    Raises:
        ValueError: a width, a depth or too few hidden units for this.
    """

    def __init__(
        self,
        n_features: int | tuple[int, ...],
        n_classes: int,
        encoder: nn.Module,
        width: int = 128,
        depth: int = 3,
        heads: int = 4,
        hidden: int = 256,
        seed: int = 0,
    ) -> None:
        n_between = check_int("depth", depth, minimum=2) - 2
        plan = prototypes(Encoder(encoder, n_features, width).n_outputs, n_classes, encoder)
        built = assemble(plan, n_features, n_classes, width, hidden, seed).float()
        first, last = built.block_configs
        between = [BlockConfig(heads, hidden=hidden, activation="relu")] * n_between
        super().__init__(
            n_features,
            n_classes,
            width=width,
            encoder=encoder,
            blocks=[first, *between, last],
            mask=plan.mask,
            seed=seed,
        )
        with torch.no_grad():
            for block in self._blocks[1:-1]:
                for layer in (block.attention_out, block.mlp_out):
                    layer.weight.zero_()
                    layer.bias.zero_()
        for block, given in zip((self._blocks[0], self._blocks[-1]), built.blocks, strict=True):
            block.load_state_dict(given.state_dict())
        for mine, given in ((self.embed, built.embed), (self.out, built.out)):
            mine.load_state_dict(given.state_dict())
            mine.requires_grad_(False)
        for parameter in self.blocks.parameters():
            parameter.requires_grad_(parameter.ndim > 1)


def prototypes(size: int, n_classes: int, encoder: nn.Module) -> Circuit:
    """The circuit of two blocks of one head each; see `StartsAsPrototypes`.

    `construct(ProtoNet)` keeps all means in the stream, e numbers per class, which is too wide at 20 ways. Here a class's mean is in no
    token. But a head whose values are labels gives point i the products f(x_i).c_k; one hidden
    unit per class keeps the product with the point's own class, s_i, and the mean of s_i over the class is |c_k|^2. So the last
    head scores 2 f(q).f(x_i) - s_i and averages the labels by it. Products are in units of sqrt(e): in those of e the last head
    would have to multiply s_i, and all noise of training in it, by e, and as they are s_i would drown the vector in layer norms.
    """
    unit = size**0.5
    last = eye(size + 1)[:, size:]
    features = eye(size + 1)[:, :size]
    per_class = n_classes * eye(n_classes)  # heads average over all points: a class has one in C of them
    products = Head(
        query={"x": eye(size) / unit},
        key={"x": eye(size)},
        value={"label": eye(n_classes)},
        write={"products": per_class},
    )
    own = Units(
        read={
            "products": eye(n_classes),
            "label": GATE * eye(n_classes),
            BIAS: torch.full((n_classes,), -GATE).double(),
        },
        write={"own": torch.ones(1, n_classes, dtype=torch.float64)},
    )
    compare = Head(
        query={"x": 2 * features, BIAS: unit * last[:, 0]},
        key={"x": features, "own": -last},
        value={"label": eye(n_classes)},
        write={"answer": per_class},
    )
    return Circuit(
        registers={
            "x": size,
            "label": n_classes,
            "is_query": 1,
            "products": n_classes,
            "own": 1,
            "answer": n_classes,
        },
        embed={"x": {"x": eye(size)}, "label": {"label": eye(n_classes)}, "is_query": {"is_query": eye(1)}},
        layers=[
            Layer("each point's product with the mean of its own class", [products], [own], attention="linear_mean"),
            Layer("compare: the scores make distances, the values are labels", [compare], attention="linear_mean"),
        ],
        out={"answer": eye(n_classes)},
        mask="context",
        encoder=encoder,
    )
