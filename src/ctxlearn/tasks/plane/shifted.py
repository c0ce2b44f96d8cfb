"""`Amortization` turned, or with its labels flipped."""

from __future__ import annotations

import math

from torch import Tensor

from ctxlearn.checks import check_float
from ctxlearn.tasks.plane.base import Geometry, PlaneFamily, direction


class RotatedAmortization(PlaneFamily):
    """`Amortization` in the plane at another angle: a half-plane whose boundary goes through the inputs' hidden mean.

    w ~ N(0, I), x ~ N(w, s^2 I), y = 1 where u.x > u.w. In `Amortization` u = -(1, 1) / sqrt 2, so that averaging the inputs
    and knowing u is all there is to learn.

    Args:
        scale: standard deviation s of the inputs around their mean, > 0.
        turn: how far u is turned from that of `Amortization`, in degrees, the same in all tasks: 180 flips its labels. None
            draws u anew for each task, uniformly.
    """

    n_latents = 4

    def __init__(self, scale: float = 1.0, turn: float | None = None) -> None:
        super().__init__(scale)
        self.turn = None if turn is None else check_float("turn", turn, minimum=-360, maximum=360)

    @property
    def name(self) -> str:
        if self.turn is None:
            return "rotated-amortization"
        return "flipped-amortization" if abs(self.turn) == 180 else f"amortization-turned-by-{self.turn:g}"

    def geometry(self, z: Tensor) -> Geometry:
        cosine, sine = direction(z[..., 2:])
        if self.turn is not None:
            angle = math.radians(225 + self.turn)
            cosine, sine = cosine.new_full((), math.cos(angle)), sine.new_full((), math.sin(angle))
        return {"x": z[..., 0], "y": z[..., 1], "cosine": cosine, "sine": sine}

    def centre(self, geometry: Geometry) -> tuple[Tensor, Tensor]:
        return geometry["x"], geometry["y"]

    def score(self, geometry: Geometry, x: Tensor, y: Tensor) -> Tensor:
        return geometry["cosine"] * (x - geometry["x"]) + geometry["sine"] * (y - geometry["y"])
