"""The script that `test_training_processes.py` runs, by itself and under torchrun."""

import json
import os
import sys

import runs
import torch

from ctxlearn.storage import digest_tensors


class Noted(runs.Watched):
    """Writes a digest of every batch to $CTXLEARN_NOTES."""

    def batch(self, step, shard, generator):
        tasks = super().batch(step, shard, generator)
        with open(os.environ["CTXLEARN_NOTES"], "a") as file:
            file.write(f"{step} {shard} {digest_tensors({'x': tasks.x, 'y': tasks.y})}\n")
        if os.environ.get("CTXLEARN_DIE_AT") == str(step):
            raise SystemExit(3)
        return tasks


if __name__ == "__main__":
    torch.set_num_threads(1)
    out, changes = sys.argv[1], json.loads(sys.argv[2])
    from train_in_processes import Noted  # by its importable name, not __main__'s

    runs.small(out, source=Noted(), **changes)
