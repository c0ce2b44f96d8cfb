"""What the studies cost to train, in hours of one core: `python -m benchmarks.study_costs [STUDY ...]`.

Counted and not run: the steps of each training that a profile needs, times the processor time of a step of its kind, which is measured over a
few steps on one thread. Measuring is not in it.
"""

import json
import re
import sys
import tempfile
import time
from dataclasses import replace
from statistics import median

from ctxlearn.jobs.calls import trainings_in
from ctxlearn.jobs.cells import all_measurements
from ctxlearn.studies.names import STUDIES
from ctxlearn.studies.reproduction import find_study
from ctxlearn.training import train

STEPS = 3
"""Steps that are measured; the first one, which also warms up, is left out."""


class Clock:
    """A callback that notes the processor time after each step."""

    def __init__(self):
        self.times = []

    def on_metrics(self, step, metrics):
        self.times.append(time.process_time())

    def on_end(self, run):
        pass


def trainings_of(study, profile):
    """All trainings of a profile with one seed."""
    sizes = study.profiles[profile]
    measurements = all_measurements(study.planned(profile, 1))
    more = study.trainings(sizes, 0).values() if study.trainings else ()
    found = (*more, *(t for m in measurements for t in trainings_in(m.call)))
    return list({training.hash: training for training in found}.values()), len(measurements)


def kind(training):
    """What the time of a step depends on."""
    described = training.described()
    config = {k: v for k, v in described["config"]["init_args"].items() if k not in ("steps", "seed", "threads")}
    text = json.dumps([described["learner"], described["source"], described["objective"], config], default=str)
    return re.sub(r'"seed": \d+', "", text)


def seconds_of_a_step(training):
    """Processor time of a step on one thread."""
    clock = Clock()
    short = {"steps": STEPS + 1, "log_every": 1, "threads": 1, "progress": False, "validate_every": 0, "keep_every": 0}
    config = replace(training.config, **short, warmup_steps=0, checkpoint_every=STEPS + 1, validation_batches=1)
    with tempfile.TemporaryDirectory() as folder:
        train(training.learner, training.source, config, out=folder, objective=training.objective, callbacks=[clock])
    return median(after - before for before, after in zip(clock.times[:-1], clock.times[1:], strict=True))


def main(names):
    known = {}
    print("| study | profile | trainings | steps | core-hours | longest training, hours | measurements |")
    print("|---|---|---|---|---|---|---|")
    studies = [find_study(name) for name in names or STUDIES]
    profiles = dict.fromkeys(profile for study in studies for profile in study.profiles if profile != "smoke")
    for profile, study in ((profile, study) for profile in profiles for study in studies if profile in study.profiles):
        trainings, n_measurements = trainings_of(study, profile)
        hours = []
        for training in trainings:
            if kind(training) not in known:
                known[kind(training)] = seconds_of_a_step(training)
            hours.append(known[kind(training)] * training.config.steps / 3600)
        steps = sum(training.config.steps for training in trainings)
        cost = f"{sum(hours):.2g} | {max(hours, default=0):.2g}"
        print(f"| `{study.name}` | {profile} | {len(trainings)} | {steps:,} | {cost} | {n_measurements} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
