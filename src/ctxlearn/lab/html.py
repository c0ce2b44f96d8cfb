"""A study's page: one HTML file that needs nothing else, its figures inside it."""

from __future__ import annotations

import base64
import io
from collections import Counter

import jinja2
import matplotlib as mpl

from ctxlearn.evaluation.statistics import BOUNDLESS
from ctxlearn.lab.page import Figure, Page
from ctxlearn.lab.plots import RC

VERDICTS = {
    "holds": "the whole interval is on the good side of the threshold",
    "fails": "the whole interval is on the bad side",
    "undecided": "the interval contains the threshold",
}


def figure_bytes(figure: Figure, kind: str) -> bytes:
    """A figure as "png" (200 dots an inch) or "svg", without date, so that equal figures are equal bytes."""
    buffer = io.BytesIO()
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    with mpl.rc_context(RC):
        figure.drawing.savefig(buffer, format=kind, dpi=200, metadata=metadata)
    return buffer.getvalue()


def render(page: Page, *, command: str, profile: str) -> str:
    """The page as HTML text."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ctxlearn", "templates"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    counts = Counter(claim.verdict for claim in page.claims)

    def embedded(figure: Figure) -> str:
        return "data:image/svg+xml;base64," + base64.b64encode(figure_bytes(figure, "svg")).decode()

    return environment.get_template("report.html").render(
        page=page,
        counts=counts,
        groups=len({claim.group for claim in page.claims}),
        seeds=max((claim.seeds for claim in page.claims), default=0),
        verdicts=VERDICTS,
        boundless=BOUNDLESS,
        command=command,
        profile=profile,
        embedded=embedded,
        widths=lambda figure: round(96 * figure.drawing.get_figwidth()),
    )
