"""Encoders: what turns one input into a vector, the same for contexts and queries."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn

from ctxlearn.checks import check_features, check_int, describe
from ctxlearn.configurable import Configurable
from ctxlearn.seeding import initial_weights


class MLP(Configurable, nn.Module):
    """A network with one hidden ReLU layer over the last axis.

    Args:
        n_inputs: size of the last axis.
        n_outputs: size of what comes out.
        hidden: width of the hidden layer.
    """

    def __init__(self, n_inputs: int, n_outputs: int, hidden: int = 64) -> None:
        super().__init__()
        self.n_outputs = check_int("n_outputs", n_outputs, minimum=1)
        check_int("n_inputs", n_inputs, minimum=1)
        hidden = check_int("hidden", hidden, minimum=1)
        self.layers = nn.Sequential(nn.Linear(n_inputs, hidden), nn.ReLU(), nn.Linear(hidden, n_outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(..., n_inputs) to (..., n_outputs)."""
        y: Tensor = self.layers(x)
        return y


class MissingAware(Configurable, nn.Module):
    """An encoder that takes NaN as "missing": an `MLP` on the values, zero where missing, and an indicator for each.

    Args:
        n_inputs: d, size of the last axis.
        n_outputs: size of what comes out.
        hidden: width of the hidden layer.
        seed: of the initial weights.

    Attributes:
        accepts_missing: True; a learner with this encoder accepts NaN in its inputs.
    """

    accepts_missing = True

    def __init__(self, n_inputs: int, n_outputs: int, hidden: int = 64, seed: int = 0) -> None:
        super().__init__()
        with initial_weights(seed):
            self.mlp = MLP(2 * check_int("n_inputs", n_inputs, minimum=1), n_outputs, hidden)
        self.n_outputs = self.mlp.n_outputs

    def forward(self, x: Tensor) -> Tensor:
        """(..., n_inputs), NaN where missing, to (..., n_outputs)."""
        missing = x.isnan()
        y: Tensor = self.mlp(torch.cat([x.masked_fill(missing, 0.0), missing.to(x.dtype)], dim=-1))
        return y


class Encoder(nn.Module):
    """An encoder over points: (B, n, *shape) to (B, n, n_outputs).

    Args:
        encoder: None for an `MLP`; "identity" for the flattened input itself; or a module that takes (M, *shape) and
            gives (M, e). The learner gets its own copy; parameters that are frozen stay so. A module whose attribute
            `accepts_missing` is true is given NaN where a value is missing.
        n_features: an int d or the shape of one input.
        width: outputs and hidden units of the default MLP.

    Attributes:
        n_outputs: e.
        accepts_missing: whether it takes NaN for "missing".
    """

    def __init__(self, encoder: nn.Module | str | None, n_features: int | tuple[int, ...], width: int) -> None:
        super().__init__()
        shape = check_features("n_features", n_features)
        flat = math.prod(shape)
        if encoder is None:
            mlp = MLP(flat, width, width)
            self.module: nn.Module = mlp if shape == (flat,) else nn.Sequential(nn.Flatten(1), mlp)
            self.n_outputs = width
        elif isinstance(encoder, str) and encoder == "identity":
            self.module, self.n_outputs = nn.Flatten(1), flat
        elif isinstance(encoder, nn.Module):
            self.module = copy.deepcopy(encoder)
            self.n_outputs = _output_size(self.module, shape)
        else:
            raise ValueError(f'encoder: expected None, "identity" or a torch module, got {describe(encoder)}')
        self.accepts_missing = bool(getattr(self.module, "accepts_missing", False))

    def forward(self, x: Tensor) -> Tensor:
        """(B, n, *shape) to (B, n, n_outputs)."""
        if x.shape[1] == 0:  # not every module takes an empty batch
            return x.new_zeros(x.shape[0], 0, self.n_outputs)
        vectors: Tensor = self.module(x.flatten(0, 1))
        return vectors.reshape(*x.shape[:2], self.n_outputs)


def _output_size(module: nn.Module, shape: tuple[int, ...]) -> int:
    own = next(module.parameters(), None)
    example = torch.zeros(2, *shape) if own is None else torch.zeros(2, *shape, dtype=own.dtype, device=own.device)
    declared = getattr(module, "n_outputs", None)
    if example.is_meta and isinstance(declared, int):
        return declared  # a learner is laid out, and built after that; operators on this device import torch's compiler
    training = module.training
    try:
        with torch.no_grad():
            out = module.eval()(example)
    except Exception as error:
        sizes = ", ".join(map(str, shape))
        raise ValueError(f"encoder: it does not take inputs of shape (examples, {sizes}): {error}") from error
    finally:
        module.train(training)
    if not isinstance(out, Tensor) or out.ndim != 2 or out.shape[0] != 2:
        raise ValueError(f"encoder: expected outputs of shape (examples, e), got {describe(out)} for 2 examples")
    return int(out.shape[1])
