"""How long help takes, beside Python's own start and an import of torch."""

from __future__ import annotations

import subprocess
import sys
import time

COMMANDS = {
    "python that does nothing": ["-c", "pass"],
    "ctxlearn --help": ["-m", "ctxlearn", "--help"],
    "ctxlearn list": ["-m", "ctxlearn", "list"],
    "python that imports torch": ["-c", "import torch"],
}


def main() -> None:
    """Print the least of five times of each, taken in turn."""
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(5):
        for name, arguments in COMMANDS.items():
            begun = time.perf_counter()
            subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
            taken[name].append(time.perf_counter() - begun)
    for name, times in taken.items():
        print(f"{name}: {min(times):.2f} s")
