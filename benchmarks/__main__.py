"""`make bench`: figures of speed and memory, measured side by side in one run. Ratios last; seconds are this machine's."""

from __future__ import annotations

from benchmarks import help_time, meta_step, predicting, prediction, training

if __name__ == "__main__":
    help_time.main()
    predicting.main()
    prediction.main()
    training.main()
    meta_step.main()
