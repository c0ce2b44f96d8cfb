"""Studies: the claims of the paper, each stated so that it can fail.

Names are loaded when first used: the command line lists studies without importing torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctxlearn.lazy import names_from

if TYPE_CHECKING:
    from ctxlearn.lab import Claim, Study, StudyResult
    from ctxlearn.studies.reproduction import reproduce

_HOMES = {"reproduce": "ctxlearn.studies.reproduction"}
_HOMES |= dict.fromkeys(("Claim", "Study", "StudyResult"), "ctxlearn.lab")

__all__ = ["Claim", "Study", "StudyResult", "reproduce"]

__getattr__ = names_from(__name__, _HOMES)
