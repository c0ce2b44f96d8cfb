"""The conditional neural process: a context becomes one averaged vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ctxlearn.checks import check_int
from ctxlearn.learners.base import Learner, one_hot
from ctxlearn.learners.encoders import MLP, Encoder
from ctxlearn.learners.metric import exclusive_cumsum
from ctxlearn.seeding import initial_weights


class CNP(Learner):
    """Average an embedding of the labelled points, then answer from that average and the query.

    r = mean_i phi([f(x_i), y_i]) and the output is rho([f(q), r]); f is the encoder, phi and rho are networks with
    one hidden ReLU layer. The average over an empty context is zero.

    Args:
        n_features: an int d or the shape of one input.
        n_classes: C >= 2, or None for regression.
        encoder: None for a one-hidden-layer MLP, "identity", or a module from (M, *shape) to (M, e).
        width: of r, of the hidden layers and of the default encoder.
        seed: of the initial weights.

    Source: Garnelo et al. 2018, eq. 1 to 3; their h is phi, their g is rho. Classification, so no variance.
    """

    def __init__(
        self,
        n_features: int | tuple[int, ...],
        n_classes: int | None,
        encoder: nn.Module | str | None = None,
        width: int = 64,
        seed: int = 0,
    ) -> None:
        super().__init__(n_features, n_classes)
        check_int("width", width, minimum=1)
        n_labels = 1 if n_classes is None else n_classes
        with initial_weights(seed):
            self.encoder = Encoder(encoder, n_features, width)
            self.phi = MLP(self.encoder.n_outputs + n_labels, width, width)
            self.rho = MLP(self.encoder.n_outputs + width, n_labels, width)

    def adapt(self, context_x: Tensor, context_y: Tensor) -> Tensor:
        """The averaged embedding r, (B, width)."""
        _, embedded = self._embedded(*self.check_context(context_x, context_y))
        return embedded.sum(1) / max(1, embedded.shape[1])

    def predict(self, state: Tensor, query_x: Tensor) -> Tensor:
        query_x = self.check_query(query_x, n_tasks=state.shape[0])
        return self._read(self.encoder(query_x), state[:, None].expand(-1, query_x.shape[1], -1))

    def predict_prefixes(self, x: Tensor, y: Tensor) -> Tensor:
        points, embedded = self._embedded(*self.check_context(x, y, names=("x", "y")))
        counts = torch.arange(x.shape[1], device=points.device, dtype=points.dtype).clamp(min=1)
        return self._read(points, exclusive_cumsum(embedded) / counts[:, None])

    def _embedded(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        points = self.encoder(x)
        labels = y[..., None] if self.n_classes is None else one_hot(y, self.n_classes, points.dtype)
        return points, self.phi(torch.cat([points, labels], dim=-1))

    def _read(self, points: Tensor, average: Tensor) -> Tensor:
        out: Tensor = self.rho(torch.cat([points, average], dim=-1))
        return out[..., 0] if self.n_classes is None else out
