"""Tasks whose steps leave a track, and that wait at a gate: for trainings in processes that a test starts elsewhere."""

import os
import time
from pathlib import Path

from ctxlearn.tasks import ClassPrototype
from ctxlearn.training import Source

TRACKS, GATE = "CTXLEARN_TEST_TRACKS", "CTXLEARN_TEST_GATE"
"""Environment variables: a file for a line per step, "process step"; and a file without which no step from `WAITS` on is done."""
WAITS = 8


class Tracked(Source):
    """The tasks of a class prototype."""

    def __init__(self):
        self.family = ClassPrototype()

    def batch(self, step, shard, generator):
        if os.environ.get(TRACKS):
            with open(os.environ[TRACKS], "a") as file:
                file.write(f"{os.getpid()} {step}\n")
        gate = os.environ.get(GATE)
        ends = time.monotonic() + 300
        while gate and step >= WAITS and not Path(gate).exists() and time.monotonic() < ends:
            time.sleep(0.05)
        return self.family.sample(2, 5, generator=generator)

    def validation_batch(self, index, generator):
        return self.family.sample(2, 5, generator=generator)


def steps_by_process(tracks):
    """The steps that each process did, in the order in which the processes came."""
    found = {}
    for line in Path(tracks).read_text().splitlines():
        process, step = line.split()
        found.setdefault(process, []).append(int(step))
    return list(found.values())
