"""What a construction is worth as a start: trainings that begin at a learner written by hand, or at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ctxlearn.expressiveness import construct
from ctxlearn.lab.measurements import Contestant, Key
from ctxlearn.lab.trainings import Training
from ctxlearn.learners import InContextTransformer, ProtoNet
from ctxlearn.studies.arms import ICL, MIXTURE, icl_learner, mixture

CONSTRUCTED, RANDOM, STANDARD = "starts as ProtoNet", "starts at random", "standard model"
ARMS = (CONSTRUCTED, RANDOM, STANDARD)


class StartsAsProtoNet(InContextTransformer):
    """A transformer whose initial weights are the construction of ProtoNet on the inputs themselves.

    Untrained it is the nearest-class-mean rule, up to rounding. It is rebuilt from its arguments alone, so a run can
    name it; a trained one is an `InContextTransformer` like any other.

    Args:
        n_features: an int d or the shape of one input.
        n_classes: C >= 2.
        width: of the stream; what the construction does not need is spare.
        hidden: hidden units of each block, likewise.
        seed: of the spare weights.

    Raises:
        ValueError: a width or number of hidden units that is too small.
    """

    def __init__(
        self, n_features: int | tuple[int, ...], n_classes: int, width: int = 64, hidden: int = 128, seed: int = 0
    ) -> None:
        rule = ProtoNet(n_features, n_classes, encoder="identity")
        built = construct(rule, width=width, hidden=hidden, seed=seed).float()
        super().__init__(
            n_features,
            n_classes,
            width=width,
            encoder="identity",
            blocks=built.block_configs,
            mask=built.mask,
            readout=built.readout,
            seed=seed,
        )
        self.load_state_dict(built.state_dict())


def starting_points(seed: int) -> dict[str, InContextTransformer]:
    """The three arms before any training: the construction, the same architecture at random, and the standard model."""
    built = StartsAsProtoNet(2, 2, seed=seed)
    fresh = InContextTransformer(
        2, 2, width=built.width, encoder="identity", blocks=built.block_configs, mask=built.mask, seed=seed
    )
    return {CONSTRUCTED: built, RANDOM: fresh, STANDARD: icl_learner(seed)}


def contestants(
    trained: Mapping[tuple[str, str], Training], steps: Sequence[int], seed: int
) -> dict[str | Key, Contestant]:
    """Every arm untrained and trained on the mixture for several numbers of steps, each with a schedule of its own.

    Args:
        trained: of the study `optimal`; the standard model's longest training is among them.
        steps: of each training.
        seed: of the weights.
    """
    longest = trained[ICL, MIXTURE]
    found: dict[str | Key, Contestant] = {}
    for arm, learner in starting_points(seed).items():
        found[arm, 0] = learner
        for k in steps:
            config = replace(longest.config, steps=k)
            shared = arm == STANDARD and k == longest.config.steps
            name = f"{arm}, {k} steps, seed {seed}"
            found[arm, k] = longest if shared else Training(name, learner, mixture(), config)
    return found
