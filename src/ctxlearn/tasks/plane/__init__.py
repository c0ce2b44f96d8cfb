"""Families of tasks in the plane: the label is the sign of a score with hidden parameters, and inputs are standard normal."""

from ctxlearn.tasks.plane.base import PlaneFamily
from ctxlearn.tasks.plane.curved import Circle, QuadraticForm, RotatedEllipse, TwoBumps, Xor
from ctxlearn.tasks.plane.shifted import RotatedAmortization
from ctxlearn.tasks.plane.straight import Band, Checkerboard, HalfPlane, OffsetHalfPlane, Stripes, Wedge

__all__ = [
    "Band",
    "Checkerboard",
    "Circle",
    "HalfPlane",
    "OffsetHalfPlane",
    "PlaneFamily",
    "QuadraticForm",
    "RotatedAmortization",
    "RotatedEllipse",
    "Stripes",
    "TwoBumps",
    "Wedge",
    "Xor",
]
