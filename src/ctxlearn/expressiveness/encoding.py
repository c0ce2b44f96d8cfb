"""The encoder of a learner as the first block of a circuit."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ctxlearn.expressiveness.wiring import BIAS, Layer, Map, Units, eye
from ctxlearn.learners.encoders import MLP, Encoder


@dataclass(frozen=True)
class Encoding:
    """How a circuit gets its features.

    Attributes:
        size: e, of the features.
        register: that holds them.
        registers: that the encoding needs, with their sizes.
        embed: what the embedding puts there.
        layers: an MLP's block, or none.
        module: what stays the transformer's own encoder.
    """

    size: int
    register: str
    registers: dict[str, int]
    embed: dict[str, Map]
    layers: list[Layer]
    module: nn.Module | str


def encoding(encoder: Encoder, n_inputs: int) -> Encoding:
    """An MLP becomes a block; the identity needs none; any other module stays in front of the transformer."""
    module = encoder.module
    mlp = _mlp(module)
    if mlp is not None:
        layer = Layer("encode each point: the MLP is f", units=[network(mlp, {"x": n_inputs}, "f")])
        registers = {"x": n_inputs, "f": mlp.n_outputs}
        return Encoding(mlp.n_outputs, "f", registers, {"x": {"x": eye(n_inputs)}}, [layer], "identity")
    size = encoder.n_outputs
    kept: nn.Module | str = "identity" if type(module) is nn.Flatten else module
    return Encoding(size, "x", {"x": size}, {"x": {"x": eye(size)}}, [], kept)


def _mlp(module: nn.Module) -> MLP | None:
    """The MLP that a module is, alone or after flattening; None for any other, subclasses of MLP among them."""
    parts = list(module) if type(module) is nn.Sequential else [module]
    if len(parts) == 2 and type(parts[0]) is nn.Flatten and (parts[0].start_dim, parts[0].end_dim) == (1, -1):
        parts = parts[1:]
    only = parts[0] if len(parts) == 1 else None
    return only if isinstance(only, MLP) and type(only) is MLP else None


def network(mlp: MLP, sources: dict[str, int], target: str) -> Units:
    """Hidden units that add an MLP of some registers, one after another its inputs, to a target register."""
    (w_in, b_in), (w_out, b_out) = _values(linear(mlp, 0)), _values(linear(mlp, 2))
    read: dict[str, Tensor] = {BIAS: b_in}
    start = 0
    for name, size in sources.items():
        read[name] = w_in[:, start : start + size]
        start += size
    return Units(read, {target: w_out}, {target: b_out})


def linear(mlp: MLP, index: int) -> nn.Linear:
    """A linear layer of an MLP."""
    layer = mlp.layers[index]
    assert isinstance(layer, nn.Linear)
    return layer


def _values(layer: nn.Linear) -> tuple[Tensor, Tensor]:
    weight, bias = (p.detach().cpu().double() for p in layer.parameters())
    return weight, bias


def zeros(rows: int, columns: int) -> Tensor:
    """(rows, columns) of zeros, float64."""
    return torch.zeros(rows, columns, dtype=torch.float64)
