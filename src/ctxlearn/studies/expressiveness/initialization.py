"""What a construction is worth as a start: trainings that begin at a learner written by hand, or at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ctxlearn import lab
from ctxlearn.expressiveness.initialization import StartsAsProtoNet
from ctxlearn.learners import InContextTransformer
from ctxlearn.studies.arms import ICL, MIXTURE, icl_learner, mixture

CONSTRUCTED, RANDOM, STANDARD = "starts as ProtoNet", "starts at random", "standard model"
ARMS = (CONSTRUCTED, RANDOM, STANDARD)


def starting_points(seed: int) -> dict[str, InContextTransformer]:
    """The three arms before any training: the construction, the same architecture at random, and the standard model."""
    built = StartsAsProtoNet(2, 2, seed=seed)
    fresh = InContextTransformer(
        2, 2, width=built.width, encoder="identity", blocks=built.block_configs, mask=built.mask, seed=seed
    )
    return {CONSTRUCTED: built, RANDOM: fresh, STANDARD: icl_learner(seed)}


def contestants(
    trained: Mapping[tuple[str, str], lab.Training], steps: Sequence[int], seed: int
) -> dict[str | lab.Key, lab.Contestant]:
    """Every arm untrained and trained on the mixture for several numbers of steps, each with a schedule of its own.

    Args:
        trained: of the study `optimal`; the standard model's longest training is among them.
        steps: of each training.
        seed: of the weights.
    """
    longest = trained[ICL, MIXTURE]
    found: dict[str | lab.Key, lab.Contestant] = {}
    for arm, learner in starting_points(seed).items():
        found[arm, 0] = learner
        for k in steps:
            config = replace(longest.config, steps=k)
            shared = arm == STANDARD and k == longest.config.steps
            name = f"{arm}, {k} steps, seed {seed}"
            found[arm, k] = longest if shared else lab.Training(name, learner, mixture(), config)
    return found
