"""Weights written by hand: circuits over named registers of the stream, turned into an `InContextTransformer`.

The stream of every token is cut into registers. A circuit says what the embedding puts into them, and, block by block,
which heads and which hidden units read what and add what to where. Everything is a `Map`: matrices by the register they
read, and a bias.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn

from ctxlearn.checks import check_int
from ctxlearn.learners.blocks import Block, BlockConfig
from ctxlearn.learners.transformer import InContextTransformer

BIAS = "bias"
Map = Mapping[str, Tensor]
"""An affine map: (outputs, size of the register) for each register that is read, and (outputs,) under `BIAS`."""


@dataclass(frozen=True)
class Head:
    """One attention head.

    Attributes:
        query, key, value: maps from the stream; the score is their product itself (the block's factor is undone).
        write: (size, outputs of `value`) for each register that the head adds to.
        slots: keys and values of memory slots, (S, outputs of `key`) and (S, outputs of `value`).
        sharpness: a factor of the scores, of a normalised layer only.
    """

    query: Map
    key: Map
    value: Map
    write: Mapping[str, Tensor]
    slots: tuple[Tensor, Tensor] | None = None
    sharpness: float = 1.0


@dataclass(frozen=True)
class Units:
    """Hidden ReLU units: relu(read) through `write`, (size, units) for each register, and a `bias` of the registers."""

    read: Map
    write: Mapping[str, Tensor]
    bias: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Layer:
    """One block: heads of one kind of attention, then hidden units."""

    job: str
    heads: Sequence[Head] = ()
    units: Sequence[Units] = ()
    attention: str = "softmax"
    normalised: bool = False


@dataclass(frozen=True)
class Circuit:
    """A whole transformer.

    Attributes:
        registers: their sizes.
        embed: what each register holds at first, as maps of "x" (the encoder's output), "label" and "is_query".
        layers: the blocks.
        out: the read-out, a map of the registers.
        mask: who attends to what.
        readout: "linear" or "log".
        encoder: a module that stays the transformer's own encoder; "identity" where the blocks do the encoding.
    """

    registers: Mapping[str, int]
    embed: Mapping[str, Map]
    layers: Sequence[Layer]
    out: Map
    mask: str
    readout: str = "linear"
    encoder: nn.Module | str = "identity"


def assemble(
    circuit: Circuit,
    n_features: int | tuple[int, ...],
    n_classes: int | None,
    width: int | None,
    hidden: int | None,
    seed: int = 0,
) -> InContextTransformer:
    """The transformer that runs a circuit, in float64.

    Width and hidden units beyond what the circuit needs are spare: they read at random (by `seed`) and write nothing, so
    they change no answer and can be trained.

    Raises:
        ValueError: `width` or `hidden` below what the circuit needs.
    """
    places: dict[str, slice] = {}
    needed = 0
    for name, size in circuit.registers.items():
        places[name] = slice(needed, needed + size)
        needed += size
    width = needed if width is None else check_int("width", width, minimum=needed)
    blocks = [_block_config(layer, hidden) for layer in circuit.layers]
    learner = InContextTransformer(
        n_features,
        n_classes,
        width=width,
        encoder=circuit.encoder,
        blocks=blocks,
        seed=seed,
        mask=circuit.mask,
        readout=circuit.readout,
    ).double()
    encoded = learner.encoder.n_outputs
    n_labels = 1 if n_classes is None else n_classes
    inputs = {
        "x": slice(0, encoded),
        "label": slice(encoded, encoded + n_labels),
        "is_query": slice(encoded + n_labels, encoded + n_labels + 1),
    }
    with torch.no_grad():
        used = slice(0, needed)
        learner.embed.weight[used] = 0.0
        learner.embed.bias[used] = 0.0
        for name, source in circuit.embed.items():
            _write(learner.embed.weight[places[name]], learner.embed.bias[places[name]], source, inputs)
        for layer, block in zip(circuit.layers, learner.blocks, strict=True):
            _fill(cast(Block, block), layer, places)
        learner.out.weight.zero_()
        learner.out.bias.zero_()
        _write(learner.out.weight, learner.out.bias, circuit.out, places)
    return learner


def _block_config(layer: Layer, hidden: int | None) -> BlockConfig:
    units = sum(_outputs(u.read) for u in layer.units)
    sizes = [_outputs(part) for head in layer.heads for part in (head.query, head.key, head.value)]
    # a power of 4, so that its root is exact in every precision
    head_width = 4 ** math.ceil(math.log(max([1, *sizes]), 4) - 1e-9)
    slots = {0 if head.slots is None else len(head.slots[0]) for head in layer.heads} or {0}
    assert len(slots) == 1, "the heads of one block have equally many slots"
    return BlockConfig(
        heads=max(1, len(layer.heads)),
        head_width=head_width,
        hidden=max(1, units) if hidden is None else check_int("hidden", hidden, minimum=max(1, units)),
        activation="relu",
        norm="none",
        attention=layer.attention,
        normalised=layer.normalised,
        memory=slots.pop(),
    )


def _fill(block: Block, layer: Layer, places: Mapping[str, slice]) -> None:
    """Overwrite a fresh block: what the layer does not use reads at random and writes nothing."""
    for module in (block.attention_out, block.mlp_out):
        module.weight.zero_()
        module.bias.zero_()
    if layer.heads:
        for module in (block.query, block.key_value):
            module.weight.zero_()
            module.bias.zero_()
    for h, head in enumerate(layer.heads):
        _fill_head(block, h, head, places)
    start = 0
    for units in layer.units:
        rows = slice(start, start + _outputs(units.read))
        block.mlp_in.weight[rows] = 0.0
        block.mlp_in.bias[rows] = 0.0
        _write(block.mlp_in.weight[rows], block.mlp_in.bias[rows], units.read, places)
        for name, matrix in units.write.items():
            block.mlp_out.weight[places[name], rows] += matrix
        for name, vector in units.bias.items():
            block.mlp_out.bias[places[name]] += vector
        start = rows.stop


def _fill_head(block: Block, h: int, head: Head, places: Mapping[str, slice]) -> None:
    inner = block.query.out_features
    head_width = inner // block.heads
    at = h * head_width
    for linear, start, part in (
        (block.query, at, head.query),
        (block.key_value, at, head.key),
        (block.key_value, inner + at, head.value),
    ):
        rows = slice(start, start + _outputs(part))
        _write(linear.weight[rows], linear.bias[rows], part, places)
    if block.sharpness is None:
        block.query.weight[at : at + head_width] /= block.scale
        block.query.bias[at : at + head_width] /= block.scale
    else:
        block.sharpness[h] = head.sharpness
    if head.slots is not None:
        for slots, given in zip((block.slot_keys, block.slot_values), head.slots, strict=True):
            slots[h].zero_()
            slots[h, :, : given.shape[1]] = given
    for name, matrix in head.write.items():
        block.attention_out.weight[places[name], at : at + matrix.shape[1]] += matrix


def _write(weight: Tensor, bias: Tensor, source: Map, places: Mapping[str, slice]) -> None:
    for name, value in source.items():
        if name == BIAS:
            bias += value
        else:
            weight[:, places[name]] += value


def _outputs(source: Map) -> int:
    return next(iter(source.values())).shape[0]


def eye(size: int) -> Tensor:
    """The identity, float64."""
    return torch.eye(size, dtype=torch.float64)


def row(size: int, *ones: int) -> Tensor:
    """(1, size), float64, ones at the places given and zeros elsewhere."""
    vector = torch.zeros(1, size, dtype=torch.float64)
    vector[0, list(ones)] = 1.0
    return vector


def carry(source: Map, write: Mapping[str, Tensor]) -> Units:
    """Add `write` times an affine function of the stream: relu(u) - relu(-u) = u."""
    return Units(
        {name: torch.cat([value, -value]) for name, value in source.items()},
        {name: torch.cat([matrix, -matrix], dim=1) for name, matrix in write.items()},
    )
