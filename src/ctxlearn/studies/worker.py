"""A process that does one training of a study: `python -m ctxlearn.studies.worker JOB.json`."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

from ctxlearn.learners.base import Learner
from ctxlearn.recorded import instantiate
from ctxlearn.studies.store import read_job
from ctxlearn.tasks.base import TaskFamily
from ctxlearn.training import Objective, Source, TrainingConfig, train


def main(path: Path) -> None:
    """Train what the job says, and end when the study that asked for it has ended."""
    _end_with_parent()
    job = read_job(path)
    train(
        instantiate(job["learner"], Learner),
        instantiate(job["source"], (TaskFamily, Source)),
        instantiate(job["config"], TrainingConfig),
        out=job["out"],
        objective=instantiate(job["objective"], Objective),
    )


def _end_with_parent() -> None:
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)  # the study was killed; the last checkpoint stands

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
