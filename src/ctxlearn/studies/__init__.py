"""Studies: the claims of the paper, each stated so that it can fail.

Names are loaded when first used: the command line lists studies without importing torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ctxlearn.studies.base import Findings, Study
    from ctxlearn.studies.claims import Claim
    from ctxlearn.studies.reproduce import StudyResult, reproduce

_HOMES = {"Claim": "claims", "Findings": "base", "Study": "base", "StudyResult": "reproduce", "reproduce": "reproduce"}

__all__ = ["Claim", "Findings", "Study", "StudyResult", "reproduce"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        # by import_module and not by attribute: the function `reproduce` and its module share a name
        return getattr(importlib.import_module(f"ctxlearn.studies.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'ctxlearn.studies' has no attribute {name!r}")
