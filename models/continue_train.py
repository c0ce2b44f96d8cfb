"""Go on from a model's weights, with the learning rate falling to zero from a share of its peak.

    python models/continue_train.py --config models/training/classifier.yaml --run src/ctxlearn/models/classifier --out models/training/classifier

Stop it at any moment, and say it again to go on from the last checkpoint, bit for bit. Tasks are of another seed than the run's own.
"""

import argparse
import dataclasses
from pathlib import Path

import yaml

from ctxlearn import TrainingConfig, load, train
from ctxlearn.configurable import instantiate


def main() -> None:
    """Read what to do, and do it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=None)
    asked = parser.parse_args()

    given = yaml.safe_load(asked.config.read_text())
    first = TrainingConfig(**given["training"])
    config = dataclasses.replace(
        first,
        steps=asked.steps,
        seed=asked.seed,
        learning_rate=asked.rate * first.learning_rate,
        muon_learning_rate=asked.rate * first.muon_learning_rate,
        threads=asked.threads,
    )
    learner = load(asked.run).train()
    run = train(learner, instantiate(given["source"]), config, out=asked.out, objective=instantiate(given["objective"]))
    print(run.facts)


if __name__ == "__main__":
    main()
