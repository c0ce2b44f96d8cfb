"""Learners that read a context token by token into a memory of fixed size: recurrent networks and linear attention."""

from __future__ import annotations

from typing import NamedTuple, cast

from torch import Tensor, nn

from ctxlearn.checks import check_choice, check_int
from ctxlearn.learners.encoders import Encoder
from ctxlearn.learners.mixers import MIXERS, Memory, Mixer
from ctxlearn.learners.tokens import TokenLearner
from ctxlearn.learners.transformer import DEEPEST
from ctxlearn.seeding import initial_weights


class Remembered(NamedTuple):
    """A context after reading: the memory of each block, and the number of tasks B."""

    memories: list[Memory]
    n_tasks: int


class InContextRecurrent(TokenLearner):
    """A recurrent network that learns in context: its memory after the context is all it keeps.

    It reads x_1, y_1, x_2, y_2, ... like a causal language model; a query is one more x. Each block adds a mixer, which carries
    what earlier tokens left, and an MLP to the stream. `adapt` runs over the context and keeps each block's memory, whose size
    does not depend on the context's length; `predict` takes one step per query from there; `predict_prefixes` is one pass.
    The order of the context matters. Train it with `AllPrefixes`.

    Args:
        n_features: an int d or the shape of one input.
        n_classes: C >= 2, or None for regression.
        mixer: "gru", a gated recurrent unit (Cho et al. 2014); "selective", a selective state-space model (Mamba-2, Dao and Gu
            2024); "gated", gated linear attention with one decay per head (Yang et al. 2024); or "delta", which adds the delta rule
            (gated DeltaNet, Yang et al. 2025). All but the first are computed for all tokens at once.
        width: of the stream.
        depth: number of blocks, at most 10,000.
        heads: of all mixers but "gru", a divisor of width.
        hidden: hidden units of each MLP; None means 2 x width.
        encoder: None for a one-hidden-layer MLP, "identity", or a module from (M, *shape) to (M, e).
        seed: of the initial weights.

    Raises:
        ValueError: sizes or choices that do not fit together.
    """

    def __init__(
        self,
        n_features: int | tuple[int, ...],
        n_classes: int | None,
        mixer: str = "delta",
        width: int = 64,
        depth: int = 4,
        heads: int = 4,
        hidden: int | None = None,
        encoder: nn.Module | str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(n_features, n_classes)
        self.mixer = check_choice("mixer", mixer, MIXERS)
        width = check_int("width", width, minimum=1)
        depth = check_int("depth", depth, minimum=1, maximum=DEEPEST)
        if width % check_int("heads", heads, minimum=1):
            raise ValueError(f"heads: expected a divisor of width {width}, got {heads} heads")
        hidden = 2 * width if hidden is None else check_int("hidden", hidden, minimum=1)
        self.tokens = "interleaved"
        self.label_codes = None
        with initial_weights(seed):
            self.encoder = Encoder(encoder, n_features, width)
            self.accepts_missing = self.encoder.accepts_missing
            self.embed = nn.Linear(self.encoder.n_outputs + self._n_labels + 1, width)
            self.blocks = nn.ModuleList(RecurrentBlock(mixer, width, heads, hidden) for _ in range(depth))
            self.out_norm = nn.LayerNorm(width)
            self.out = nn.Linear(width, self._n_labels)

    def adapt(self, context_x: Tensor, context_y: Tensor) -> Remembered:
        z = self._context_tokens(*self.check_context(context_x, context_y))
        memories = []
        for block in self._blocks:
            z, memory = block(z)
            memories.append(memory)
        return Remembered(memories, len(z))

    def predict(self, state: Remembered, query_x: Tensor) -> Tensor:
        z = self._query_tokens(self.check_query(query_x, n_tasks=state.n_tasks))
        for block, memory in zip(self._blocks, state.memories, strict=True):
            z = block.ask(z, memory)
        return self._read(z)

    def predict_prefixes(self, x: Tensor, y: Tensor) -> Tensor:
        z = self._context_tokens(*self.check_context(x, y, names=("x", "y")))[:, :-1]  # the last label is read by none
        for block in self._blocks:
            z, _ = block(z)
        return self._read(z[:, ::2])

    @property
    def _blocks(self) -> list[RecurrentBlock]:
        return cast("list[RecurrentBlock]", list(self.blocks))

    def _read(self, z: Tensor) -> Tensor:
        out: Tensor = self.out(self.out_norm(z))
        return out[..., 0] if self.n_classes is None else out


class RecurrentBlock(nn.Module):
    """z += mixer(z); z += MLP(z), each after a layer norm."""

    def __init__(self, mixer: str, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.mixer_norm, self.mlp_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mixer: Mixer = MIXERS[mixer](width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, z: Tensor) -> tuple[Tensor, Memory]:
        """Tokens (B, T, width) after the block, and its memory after the last."""
        mixed, memory = self.mixer(self.mixer_norm(z))
        return self._with_mlp(z + mixed), memory

    def ask(self, z: Tensor, memory: Memory) -> Tensor:
        """Tokens (B, q, width) after the block, each of which comes next after the memory on its own."""
        return self._with_mlp(z + self.mixer.ask(self.mixer_norm(z), memory))

    def _with_mlp(self, z: Tensor) -> Tensor:
        hidden: Tensor = self.mlp(self.mlp_norm(z))
        return z + hidden
