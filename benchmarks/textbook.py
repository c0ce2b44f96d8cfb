"""What a step is compared with: MAML as textbooks write it, and a GPT-2 of Hugging Face transformers on x, y, x, y, ..."""

from __future__ import annotations

import copy
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

MISSING = "transformers is not installed, so the lines with its GPT-2 are left out: pip install -c constraints.txt -e '.[bench]'"


def has_transformers() -> bool:
    """Whether Hugging Face transformers can be imported."""
    return find_spec("transformers") is not None


class GPT2(nn.Module):
    """In-context regression as Garg et al. 2022 train it: the model reads x_1, y_1, x_2, y_2, ... and answers at each x."""

    def __init__(self, n_features: int, n_points: int, *, width: int, depth: int, heads: int) -> None:
        super().__init__()
        transformers: Any = __import__("transformers")
        config = transformers.GPT2Config(
            vocab_size=1, bos_token_id=None, eos_token_id=None, n_positions=2 * n_points, n_embd=width, n_layer=depth,
            n_head=heads, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, use_cache=False,
        )  # fmt: skip
        self.read_in = nn.Linear(n_features, width)
        self.backbone = transformers.GPT2Model(config)
        self.read_out = nn.Linear(width, 1)

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """The mean squared error of every y from the points before it."""
        labels = torch.cat([y[..., None], y.new_zeros(*y.shape, x.shape[-1] - 1)], dim=-1)
        tokens = torch.stack([x, labels], dim=2).flatten(1, 2)
        hidden = self.backbone(inputs_embeds=self.read_in(tokens)).last_hidden_state
        answers: Tensor = self.read_out(hidden)[:, ::2, 0]
        return (answers - y).square().mean()


def meta_gradient(
    module: nn.Module,
    inner: Callable[[Any], Tensor],
    outer: Callable[[Any], Tensor],
    *,
    steps: int,
    step_size: float,
) -> tuple[Tensor, ...]:
    """The second-order gradient of MAML, the textbook way: clones of the module, each with its gradient on the graph."""
    start = dict(module.named_parameters())
    with sdpa_kernel(SDPBackend.MATH):
        now = {name: p.clone() for name, p in start.items()}
        for _ in range(steps):
            gradients = torch.autograd.grad(
                inner(clone(module, now)), list(now.values()), create_graph=True, allow_unused=True
            )
            now = {
                name: p if g is None else p - step_size * g for (name, p), g in zip(now.items(), gradients, strict=True)
            }
        loss = outer(clone(module, now))
        return torch.autograd.grad(loss, list(start.values()), allow_unused=True, materialize_grads=True)


def clone(module: nn.Module, parameters: dict[str, Tensor]) -> nn.Module:
    """A module like this one around other parameters, which may be results of a computation."""
    copied = copy.deepcopy(module, memo={id(p): p for p in module.parameters()})
    for name, value in parameters.items():
        place, _, leaf = name.rpartition(".")
        owner = copied.get_submodule(place)
        del owner._parameters[leaf]
        setattr(owner, leaf, value)
    return copied
