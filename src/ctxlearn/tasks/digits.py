"""scikit-learn's handwritten digits as few-shot tasks; not imported by `ctxlearn.tasks`, which does not need scikit-learn."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_digits

from ctxlearn.tasks.labelled import Labelled


def digits(n_way: int) -> Labelled:
    """Tasks of `n_way` of the ten digits, 8 x 8 pixels scaled to the glyphs' form (1, 28, 28): handwriting that nobody rendered.

    Raises:
        ValueError: `n_way` is not 2 to 10.
    """
    x, y = load_digits(return_X_y=True)
    small = torch.from_numpy(x.astype(np.float32) / 16).view(-1, 1, 8, 8)
    large = torch.nn.functional.interpolate(small, size=(24, 24), mode="bilinear")
    return Labelled(torch.nn.functional.pad(large, (2, 2, 2, 2)), y, n_way)
