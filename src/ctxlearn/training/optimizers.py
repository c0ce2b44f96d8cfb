"""The optimiser of a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ctxlearn.checks import describe
from ctxlearn.training.config import TrainingConfig, own_function
from ctxlearn.training.muon import Muon


class Optimizer:
    """AdamW on every parameter, or Muon on the hidden matrices and AdamW on the rest, or one's own, behind one face.

    Hidden matrices are those inside a `blocks` list: maps from the stream to the stream. Embeddings, read-outs,
    biases and norms are no such maps and stay with AdamW (Jordan et al. 2024).
    """

    def __init__(self, learner: nn.Module, config: TrainingConfig) -> None:
        named = [(name, p) for name, p in learner.named_parameters() if p.requires_grad]
        hidden = [p for name, p in named if config.optimizer == "muon" and p.ndim == 2 and "blocks." in name]
        taken = {id(p) for p in hidden}
        rest = [p for _, p in named if id(p) not in taken]
        self._parts: list[torch.optim.Optimizer] = []
        if "." in config.optimizer:
            self._parts.append(_own(learner, config))
            hidden, rest = [], []
        if hidden:
            muon = Muon(hidden, lr=config.muon_learning_rate, weight_decay=config.weight_decay)
            self._parts.append(muon)
        if rest:
            adamw = torch.optim.AdamW(
                rest,
                lr=config.learning_rate,
                betas=(config.beta1, config.beta2),
                weight_decay=config.weight_decay,
                fused=rest[0].device.type in ("cpu", "cuda"),
            )
            self._parts.append(adamw)
        self._peaks = [[group["lr"] for group in optimizer.param_groups] for optimizer in self._parts]

    def step(self, rate_factor: float) -> None:
        """One step on the parameters' gradients, at this share of the peak rates."""
        for optimizer, peaks in zip(self._parts, self._peaks, strict=True):
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * rate_factor
            optimizer.step()

    def state(self) -> dict[str, Tensor]:
        """The state as named tensors."""
        return {
            f"{part}/{index}/{name}": torch.as_tensor(value)
            for part, optimizer in enumerate(self._parts)
            for index, values in optimizer.state_dict()["state"].items()
            for name, value in values.items()
            if value is not None
        }

    def load(self, state: dict[str, Tensor]) -> None:
        """Take back what `state` gave."""
        for part, optimizer in enumerate(self._parts):
            states: dict[int, dict[str, Any]] = {}
            for name, value in state.items():
                where, index, key = name.split("/")
                if int(where) == part:
                    states.setdefault(int(index), {})[key] = value
            optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})


def _own(learner: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """The optimiser that a function of the user's makes."""
    made = own_function(config.optimizer)(learner, config)
    if not isinstance(made, torch.optim.Optimizer):
        raise ValueError(f"optimizer: expected a torch.optim.Optimizer from {config.optimizer}, got {describe(made)}")
    return made


class Average:
    """A running average of weights: average <- decay average + (1 - decay) weights, each step."""

    def __init__(self, parameters: Iterable[Tensor], decay: float) -> None:
        self.decay = decay
        self._parameters = list(parameters) if decay else []
        self.values = [p.detach().clone() for p in self._parameters]

    def update(self, step: int) -> None:
        """Take in the weights after a step (0-based); early on the average is over fewer steps than decay says."""
        if self.values:
            decay = min(self.decay, (1 + step) / (10 + step))
            update = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
            update(self.values, [p.detach() for p in self._parameters], step)

    def named(self, learner: nn.Module) -> Iterator[tuple[str, Tensor]]:
        """(name, averaged value) of every trained parameter."""
        trained = [name for name, p in learner.named_parameters() if p.requires_grad]
        yield from zip(trained, self.values, strict=True)
