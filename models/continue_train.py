"""Go on from weights that a run kept, with the learning rate falling to zero over the steps there is time for.

    PYTHONPATH=models python -m continue_train --config models/classifier.yaml --run RUN --step 2100 --steps 3000 --out DIR

The rate starts where the run's schedule was after `--step` steps. Tasks are of the config's family or source and of another seed. With
`--step 0` it goes on from the run's result, at `--rate` times the run's peak: how to train the shipped models further.
"""

import argparse
import dataclasses
from pathlib import Path

import yaml

from ctxlearn import TrainingConfig, load, train
from ctxlearn.configurable import instantiate
from ctxlearn.training import kept_learners


def main() -> None:
    """Read what to do, and do it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--step", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--rate", type=float, default=0.3)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=None)
    asked = parser.parse_args()

    settings = yaml.safe_load((asked.run / "config.yaml").read_text())
    first = TrainingConfig(**settings["training"])
    given = yaml.safe_load(asked.config.read_text())["training"]
    if given["tasks_per_step"] != first.tasks_per_step or given["n_points"] != first.n_points:
        raise SystemExit(f"{asked.config} is not the config of {asked.run}")
    learner = dict(kept_learners(asked.run))[asked.step] if asked.step else load(asked.run)
    rate = first.rate_factor(asked.step) if asked.step else asked.rate
    config = dataclasses.replace(
        first,
        steps=asked.steps,
        schedule="linear",
        seed=first.seed + 1,
        learning_rate=rate * first.learning_rate,
        muon_learning_rate=rate * first.muon_learning_rate,
        checkpoint_every=100,
        keep_every=given.get("keep_every", 0),
        threads=asked.threads,
        progress=False,
    )
    asked_for = yaml.safe_load(asked.config.read_text())
    source = instantiate(asked_for["source"] if "source" in asked_for else asked_for["family"])
    run = train(learner, source, config, out=asked.out, objective=instantiate(settings["objective"]))
    print(run.facts)


if __name__ == "__main__":
    main()
