"""Studies: the claims of the paper, each stated so that it can fail.

Names are loaded when first used: the command line lists studies without importing torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ctxlearn.lab import Claim, Study, StudyResult
    from ctxlearn.studies.reproduction import reproduce

_HOMES = {"reproduce": "ctxlearn.studies.reproduction"}
_HOMES |= dict.fromkeys(("Claim", "Study", "StudyResult"), "ctxlearn.lab")

__all__ = ["Claim", "Study", "StudyResult", "reproduce"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'ctxlearn.studies' has no attribute {name!r}")
