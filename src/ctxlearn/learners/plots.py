"""What a learner makes of one context, as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ctxlearn.checks import describe
from ctxlearn.learners.base import Learner, evaluating
from ctxlearn.learners.quantiles import quantile_levels
from ctxlearn.pictures import axes_or_new, draw_curve, draw_points, draw_regions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INPUTS = 121
"""Inputs at which a curve is asked for."""


def draw_learner(learner: Learner, context_x: Tensor, context_y: Tensor, axes: Axes | None) -> Axes:
    """See `Learner.plot`."""
    wanted = 1 if learner.n_classes is None else 2
    for name, given, shape in (("context_x", context_x, (None, wanted)), ("context_y", context_y, (None,))):
        fits = (
            isinstance(given, Tensor) and given.ndim == len(shape) and given.shape[1:] == shape[1:] and len(given) > 0
        )
        if not fits:
            size = f"(n, {wanted})" if len(shape) == 2 else "(n,)"
            raise ValueError(f"{name}: expected one task's points, {size} with n >= 1, got {describe(given)}")
    axes = axes_or_new(axes)
    draw_points(axes, context_x, context_y, learner.n_classes)
    axes.margins(0.2)

    def asked(places: np.ndarray) -> Tensor:
        query = torch.as_tensor(places, dtype=context_x.dtype)[None]
        with torch.no_grad(), evaluating(learner):
            return learner.predict(learner.adapt(context_x[None], context_y[None]), query)[0].double().cpu()

    if learner.n_classes is not None:
        draw_regions(axes, lambda places: asked(places).softmax(-1).numpy(), learner.n_classes)
        return axes
    x = np.linspace(*axes.get_xlim(), INPUTS)
    quantiles = _quantiles(learner, context_x, context_y, x)
    levels = quantile_levels(1 if quantiles is None else quantiles.shape[-1]).numpy()
    draw_curve(axes, x, asked(x[:, None]).numpy(), quantiles, levels)
    return axes


def _quantiles(learner: Learner, context_x: Tensor, context_y: Tensor, x: np.ndarray) -> np.ndarray | None:
    query = torch.as_tensor(x[None, :, None], dtype=context_x.dtype)
    try:
        with torch.no_grad(), evaluating(learner):
            state = learner.adapt(context_x[None], context_y[None])
            found: np.ndarray = learner.predict_distribution(state, query)[0].double().cpu().numpy()
    except ValueError:  # how a learner says that it predicts no distribution
        return None
    return found
