"""The claims of the study `images`."""

from __future__ import annotations

from ctxlearn import lab
from ctxlearn.studies.images.fine_tuning import OWN
from ctxlearn.studies.images.metrics import GROUPED, NEW_KINDS, SCRIPTS, gain
from ctxlearn.studies.images.settings import CLASSICAL, CURRICULUM, ICL, M2, PIXELS, RANDOM, Sizes, shifted

ABOVE_PIXELS = 10.0
SAME = 1.0
""""As good as" means less than a point behind: more episodes make any difference significant, and none of less matters here."""


def decide_claims(sizes: Sizes, accuracy: lab.Samples, adapted: lab.Samples) -> list[lab.Claim]:
    """Every claim of the study, by group.

    Args:
        sizes: of the profile.
        accuracy: shares, see `metrics.accuracies`.
        adapted: in %, see `fine_tuning.adapted_accuracies`.
    """
    episodes = [one for way in sizes.ways for shots in sizes.shots for one in _unseen_scripts(accuracy, way, shots)]
    return [*episodes, *_training(sizes, accuracy), *_adapting(sizes, adapted)]


def _unseen_scripts(accuracy: lab.Samples, way: int, shots: int) -> list[lab.Claim]:
    """In-context learning against every classical learner and the pixels."""
    group = f"{way}-way {shots}-shot"
    says = [
        lab.Says(
            f"icl-as-good-as-{name.lower()}-{way}-way-{shots}-shot",
            f"On unseen scripts in-context learning is as good as {name} to within a point, {group}",
            f"accuracy of in-context learning minus {name}'s, percentage points, same episodes",
            gain(accuracy, ICL, name, SCRIPTS, way, shots),
            threshold=-SAME,
        )
        for name in CLASSICAL
    ]
    above = lab.Says(
        f"icl-above-pixels-{way}-way-{shots}-shot",
        f"On unseen scripts in-context learning is ten points above the nearest neighbour on pixels, {group}",
        "accuracy of in-context learning minus the nearest neighbour's, percentage points, same episodes",
        gain(accuracy, ICL, PIXELS, SCRIPTS, way, shots),
        threshold=ABOVE_PIXELS,
    )
    return lab.together(group, [*says, above])


def _training(sizes: Sizes, accuracy: lab.Samples) -> list[lab.Claim]:
    """What the start, the curriculum, the groups and the kinds of script in training are worth."""
    few, many, shots = sizes.ways[0], sizes.ways[-1], sizes.shots[-1]

    def lost(name: str) -> lab.Paired:
        return gain(accuracy, name, shifted(name), NEW_KINDS, few, 1)

    return lab.together(
        "training",
        [
            lab.Says(
                "start-helps",
                f"Beginning as ProtoNet, in-context learning is better than from a random start, {few}-way {shots}-shot",
                "accuracy with minus without that start, percentage points, equal steps, same episodes",
                gain(accuracy, ICL, RANDOM, SCRIPTS, few, shots),
            ),
            lab.Says(
                "curriculum-helps",
                f"A curriculum from {few} to {many} ways makes in-context learning better than {many} ways throughout, {many}-way {shots}-shot",
                "accuracy with minus without the curriculum, percentage points, equal steps, same episodes",
                gain(accuracy, CURRICULUM, ICL, SCRIPTS, many, shots),
            ),
            lab.Says(
                "groups-as-good",
                f"Trained on {few} ways and shown groups of {few} classes, in-context learning is as good at {many} ways as trained on them, to"
                f" within a point, {shots}-shot",
                f"accuracy of the {few}-way model in groups minus the {many}-way model's, percentage points, same episodes",
                gain(accuracy, GROUPED, ICL, SCRIPTS, many, shots),
                threshold=-SAME,
            ),
            lab.Says(
                "alphabets-alone-cost",
                f"Trained on alphabets alone, in-context learning is worse on syllabaries and logographs than trained on all kinds, {few}-way 1-shot",
                "accuracy trained on all kinds minus on alphabets alone, percentage points, equal steps, same episodes",
                lost(ICL),
            ),
            lab.Says(
                "shift-no-worse-than-protonet",
                "By that in-context learning loses no more than ProtoNet does, to within a point",
                "what in-context learning loses minus what ProtoNet loses, percentage points, same episodes",
                lost(ICL) - lost("ProtoNet"),
                threshold=SAME,
                better="below",
            ),
        ],
    )


def _adapting(sizes: Sizes, adapted: lab.Samples) -> list[lab.Claim]:
    small, large = sizes.meta.sizes[0], sizes.meta.sizes[-1]
    unit = "one-shot accuracy on new characters of the script, percentage points, paired over scripts"
    return lab.together(
        "adapting to a new script",
        [
            lab.Says(
                "m2-wins",
                f"From {small} episodes of a new script M2 adapts better by its own steps than in-context learning by fine-tuning",
                f"M2 minus in-context learning, both adapted, {unit}",
                adapted[OWN, small] - adapted[ICL, small],
            ),
            lab.Says(
                "m2-gains",
                f"Adapting by its own steps to {small} episodes of a new script makes M2 better",
                f"M2 adapted minus not adapted, {unit}",
                adapted[OWN, small] - adapted[M2, 0],
            ),
            lab.Says(
                "icl-gains",
                f"Fine-tuning on {large} episodes of a new script makes in-context learning better",
                f"in-context learning adapted minus not adapted, {unit}",
                adapted[ICL, large] - adapted[ICL, 0],
            ),
        ],
    )
