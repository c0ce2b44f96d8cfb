"""Studies: the claims of the paper, each stated so that it can fail.

Names are loaded when first used: the command line lists studies without importing torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctxlearn.lazy import names_from

if TYPE_CHECKING:
    from ctxlearn.studies.base import Findings, Study
    from ctxlearn.studies.claims import Claim
    from ctxlearn.studies.reproduction import StudyResult, reproduce

_HOMES = {
    "Claim": "ctxlearn.studies.claims",
    "Findings": "ctxlearn.studies.base",
    "Study": "ctxlearn.studies.base",
    "StudyResult": "ctxlearn.studies.reproduction",
    "reproduce": "ctxlearn.studies.reproduction",
}

__all__ = ["Claim", "Findings", "Study", "StudyResult", "reproduce"]

__getattr__ = names_from(__name__, _HOMES)
