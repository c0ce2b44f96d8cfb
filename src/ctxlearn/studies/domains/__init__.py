"""Figure 5: does meta-learning over domains make an in-context model adapt better to a new domain from few tasks?

Refuted by: in-context learning that was given the same compute, and is then fine-tuned as well as its validation domains
allow, being as good on new domains from 64 tasks each.
"""

from __future__ import annotations

from ctxlearn import lab
from ctxlearn.studies.domains.metrics import found, measurements, results
from ctxlearn.studies.domains.page import page_of
from ctxlearn.studies.domains.settings import PROFILES, Sizes


def plan(sizes: Sizes, seed: int) -> list[lab.Measurement]:
    """Everything that is measured on each kind of domains."""
    return [one for name, part in sizes.items() for one in measurements(name, part, seed)]


def present(sizes: Sizes, numbers: lab.Numbers) -> lab.Page:
    """The page."""
    measured = {name: found(name, part, numbers) for name, part in sizes.items()}
    return page_of(sizes, measured, results(numbers))


STUDY = lab.Study("domains", PROFILES, plan, present)
