"""How far slow work is and how long is left: a moving bar for someone who watches, a line now and then in a log."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm

SECONDS_WATCHED, SECONDS_LOGGED = 0.2, 30.0


def is_watched() -> bool:
    """Whether standard error is a terminal or a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


def progress_bar(total: float, description: str, *, shown: bool, **options: Any) -> tqdm[Any]:
    """A bar on standard error; where that is neither a terminal nor a notebook, it is drawn every half minute.

    Args:
        total: what is counted to.
        description: what is being done.
        shown: draw anything at all.
        options: tqdm's own.
    """
    watched = is_watched()
    return tqdm(
        total=total,
        desc=description,
        disable=not shown,
        dynamic_ncols=watched,
        mininterval=SECONDS_WATCHED if watched else SECONDS_LOGGED,
        **options,
    )
