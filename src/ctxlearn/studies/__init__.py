"""Studies: the claims of the paper, each stated so that it can fail.

Names are loaded when first used: the command line lists studies without importing torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctxlearn.lazy import names_from

if TYPE_CHECKING:
    from ctxlearn.lab import Claim, Study, StudyResult
    from ctxlearn.studies.reproduction import reproduce

<<<<<<< HEAD
_HOMES = {"reproduce": "ctxlearn.studies.reproduction"}
_HOMES |= dict.fromkeys(("Claim", "Study", "StudyResult"), "ctxlearn.lab")
=======
_HOMES = {
    "Claim": "ctxlearn.studies.claims",
    "Findings": "ctxlearn.studies.base",
    "Study": "ctxlearn.studies.base",
    "StudyResult": "ctxlearn.studies.reproduction",
    "reproduce": "ctxlearn.studies.reproduction",
}
>>>>>>> main

__all__ = ["Claim", "Study", "StudyResult", "reproduce"]

<<<<<<< HEAD

def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'ctxlearn.studies' has no attribute {name!r}")
=======
__getattr__ = names_from(__name__, _HOMES)
>>>>>>> main
