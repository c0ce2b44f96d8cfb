"""Studies: the claims of the paper, each stated so that it can fail.

Names are loaded when first used: the command line lists studies without importing torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ctxlearn.studies.base import Findings, Study
    from ctxlearn.studies.claims import Claim
    from ctxlearn.studies.reproduction import StudyResult, reproduce

_HOMES = {
    "Claim": "claims",
    "Findings": "base",
    "Study": "base",
    "StudyResult": "reproduction",
    "reproduce": "reproduction",
}

__all__ = ["Claim", "Findings", "Study", "StudyResult", "reproduce"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"ctxlearn.studies.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'ctxlearn.studies' has no attribute {name!r}")
