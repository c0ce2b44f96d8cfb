"""Encoders of images."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from ctxlearn.checks import check_int, describe
from ctxlearn.configurable import Configurable
from ctxlearn.seeding import initial_weights


class Conv4(Configurable, nn.Module):
    """Four blocks of 3 x 3 convolution, normalisation, ReLU and 2 x 2 max-pooling, flattened.

    The normalisation is over groups of channels of one image (GroupNorm; Wu & He 2018), where the source has it over
    the batch. Batch statistics would let an image's vector depend on the other images of the call: an answer on the
    other queries, a cached context on the way it was cut, MAML's inner steps on the tasks beside.

    Args:
        n_channels: of the images (M, n_channels, h, w); sides of at least 16, as each block halves them.
        channels: of every block, or of each of the blocks.
        groups: of the normalisation; it must divide the channels.
        seed: of the initial weights.

    Source: Vinyals et al. 2016, section 4.1.1; Snell et al. 2017, section 3.1.
    """

    def __init__(self, n_channels: int = 1, channels: int | Sequence[int] = 64, groups: int = 4, seed: int = 0) -> None:
        super().__init__()
        sizes = _channels(channels, 4 if isinstance(channels, int) else None, groups)
        layers: list[nn.Module] = []
        with initial_weights(seed):
            for before, after in zip([check_int("n_channels", n_channels, minimum=1), *sizes[:-1]], sizes, strict=True):
                layers += [
                    nn.Conv2d(before, after, 3, padding=1, bias=False),
                    nn.GroupNorm(groups, after),
                    nn.ReLU(),
                    nn.MaxPool2d(2),
                ]
        self.layers = nn.Sequential(*layers, nn.Flatten(1))

    def forward(self, x: Tensor) -> Tensor:
        """(M, n_channels, h, w) to (M, channels * (h // 16) * (w // 16))."""
        y: Tensor = self.layers(x)
        return y


class ResNet(Configurable, nn.Module):
    """A small residual network: stages of one block each, halving the image, then the mean over places.

    A block adds two 3 x 3 convolutions, normalised as in `Conv4`, to a 1 x 1 convolution of its input (He et al. 2016).

    Args:
        n_channels: of the images (M, n_channels, h, w), of any sides.
        channels: of each stage.
        groups: of the normalisation; it must divide the channels.
        seed: of the initial weights.
    """

    def __init__(
        self, n_channels: int = 1, channels: Sequence[int] = (32, 64, 128), groups: int = 4, seed: int = 0
    ) -> None:
        super().__init__()
        sizes = _channels(channels, None, groups)
        with initial_weights(seed):
            first = [check_int("n_channels", n_channels, minimum=1), *sizes[:-1]]
            self.stages = nn.Sequential(*(_Residual(a, b, groups) for a, b in zip(first, sizes, strict=True)))

    def forward(self, x: Tensor) -> Tensor:
        """(M, n_channels, h, w) to (M, channels[-1])."""
        y: Tensor = self.stages(x).mean((-2, -1))
        return y


class _Residual(nn.Module):
    def __init__(self, before: int, after: int, groups: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
        self.second = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.past = nn.Conv2d(before, after, 1, stride=2)
        self.norms = nn.ModuleList(nn.GroupNorm(groups, after) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.norms[0](self.first(x)))
        return F.relu(self.past(x) + self.norms[1](self.second(h)))


def _channels(channels: int | Sequence[int], repeat: int | None, groups: int) -> list[int]:
    check_int("groups", groups, minimum=1)
    given = [channels] * (repeat or 1) if isinstance(channels, int) else channels
    if not isinstance(given, Sequence) or not given:
        raise ValueError(f"channels: expected a number or a list of numbers, got {describe(channels)}")
    sizes = [check_int("channels", c, minimum=1) for c in given]
    if any(c % groups for c in sizes):
        raise ValueError(f"groups: expected a divisor of the channels {sizes}, got {groups}")
    return sizes
