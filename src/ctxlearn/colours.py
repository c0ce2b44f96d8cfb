"""The colours of all pictures: Okabe and Ito's, which people with any colour vision can tell apart."""

from __future__ import annotations

BLUE, SKY, ORANGE, YELLOW, GREEN, PINK, LEMON = (
    "#0072B2", "#56B4E9", "#D55E00", "#E69F00", "#009E73", "#CC79A7", "#F0E442",
)  # fmt: skip
GREY, BLACK = "#999999", "#000000"
COLOURS = (BLUE, ORANGE, GREEN, PINK, YELLOW, SKY, LEMON)
"""In the order in which classes and lines take them."""
