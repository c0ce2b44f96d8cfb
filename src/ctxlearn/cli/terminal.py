"""Standard output and error as a command may rely on them, whatever the process was given."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class _Lost(io.TextIOBase):
    """Stands in for a standard stream that is closed, and notes whether anything was to be shown."""

    used = False

    def write(self, text: str) -> int:
        self.used = True
        return len(text)


@contextmanager
def terminal() -> Iterator[Callable[[], bool]]:
    """Inside, `sys.stdout` and `sys.stderr` can be written to; tells whether anything was lost since the output is closed.

    What the encoding cannot express is shown escaped; files and pipes get UTF-8.
    """
    held, lost = (sys.stdout, sys.stderr), _Lost()
    sys.stdout = lost if sys.stdout is None else sys.stdout  # Python sets None where the process was given none
    sys.stderr = _Lost() if sys.stderr is None else sys.stderr
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and (stream.encoding or "").lower().replace("-", "") != "utf8":
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")
    try:
        yield lambda: lost.used
    finally:
        sys.stdout, sys.stderr = held
