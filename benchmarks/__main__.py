"""`make bench`: figures of speed and memory, measured side by side in one run. Ratios last; seconds are this machine's."""

from __future__ import annotations

from benchmarks import training

if __name__ == "__main__":
    training.main()
