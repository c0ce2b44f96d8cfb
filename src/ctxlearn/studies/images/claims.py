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
    groups = {f"{n}-way {k}-shot": _unseen_scripts(accuracy, n, k) for n in sizes.ways for k in sizes.shots}
    groups["training"] = _training(sizes, accuracy)
    groups["adapting to a new script"] = _adapting(sizes, adapted)
    return [claim for group, says in groups.items() for claim in lab.together(group, says)]


def _unseen_scripts(accuracy: lab.Samples, way: int, shots: int) -> list[lab.Says]:
    """In-context learning against every classical learner and the pixels."""
    episodes = f"{way}-way {shots}-shot"
    same = "percentage points, same episodes"
    says = [
        lab.Says(
            f"icl-as-good-as-{name.lower()}-{way}-way-{shots}-shot",
            f"On unseen scripts in-context learning is as good as {name} to within a point, {episodes}",
            f"accuracy of in-context learning minus {name}'s, {same}",
            gain(accuracy, ICL, name, SCRIPTS, way, shots),
            threshold=-SAME,
        )
        for name in CLASSICAL
    ]
    above = lab.Says(
        f"icl-above-pixels-{way}-way-{shots}-shot",
        f"On unseen scripts in-context learning is ten points above the nearest neighbour on pixels, {episodes}",
        f"accuracy of in-context learning minus the nearest neighbour's, {same}",
        gain(accuracy, ICL, PIXELS, SCRIPTS, way, shots),
        threshold=ABOVE_PIXELS,
    )
    return [*says, above]


def _training(sizes: Sizes, accuracy: lab.Samples) -> list[lab.Says]:
    """What the start, the curriculum, the groups and the kinds of script in training are worth."""
    few, many, shots = sizes.ways[0], sizes.ways[-1], sizes.shots[-1]
    points, icl = "percentage points, equal steps, same episodes", "in-context learning"
    lost, lost_by_protonet = (gain(accuracy, name, shifted(name), NEW_KINDS, few, 1) for name in (ICL, "ProtoNet"))
    return [
        lab.Says(
            "start-helps",
            f"Beginning as ProtoNet, {icl} is better than from a random start, {few}-way {shots}-shot",
            f"accuracy with minus without that start, {points}",
            gain(accuracy, ICL, RANDOM, SCRIPTS, few, shots),
        ),
        lab.Says(
            "curriculum-helps",
            f"A curriculum from {few} to {many} ways makes {icl} better than {many} ways throughout, {many}-way {shots}-shot",
            f"accuracy with minus without the curriculum, {points}",
            gain(accuracy, CURRICULUM, ICL, SCRIPTS, many, shots),
        ),
        lab.Says(
            "groups-as-good",
            f"Trained on {few} ways and shown groups of {few} classes, {icl} is as good at {many} ways as trained on them, to"
            f" within a point, {shots}-shot",
            f"accuracy of the {few}-way model in groups minus the {many}-way model's, percentage points, same episodes",
            gain(accuracy, GROUPED, ICL, SCRIPTS, many, shots),
            threshold=-SAME,
        ),
        lab.Says(
            "alphabets-alone-cost",
            f"Trained on alphabets alone, {icl} is worse on syllabaries and logographs than trained on all kinds, {few}-way 1-shot",
            f"accuracy trained on all kinds minus on alphabets alone, {points}",
            lost,
        ),
        lab.Says(
            "shift-no-worse-than-protonet",
            f"By that {icl} loses no more than ProtoNet does, to within a point",
            f"what {icl} loses minus what ProtoNet loses, percentage points, same episodes",
            lost - lost_by_protonet,
            threshold=SAME,
            better="below",
        ),
    ]


def _adapting(sizes: Sizes, adapted: lab.Samples) -> list[lab.Says]:
    """What both arms gain by adapting to a new script."""
    small, large = sizes.meta.sizes[0], sizes.meta.sizes[-1]
    unit = "one-shot accuracy on new characters of the script, percentage points, paired over scripts"
    return [
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
    ]
