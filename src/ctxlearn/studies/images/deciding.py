"""The claims of the study `images`."""

from __future__ import annotations

import numpy as np

from ctxlearn.studies.claims import Claim, decide
from ctxlearn.studies.images.adapting import OWN, Adapted
from ctxlearn.studies.images.measuring import GROUPED, NEW_KINDS, SCRIPTS, Accuracies
from ctxlearn.studies.images.settings import CLASSICAL, CURRICULUM, ICL, M2, PIXELS, RANDOM, Settings, shifted

ABOVE_PIXELS = 10.0
SAME = 1.0
"""As good is what is less than a point behind: more episodes make any difference significant, and none of less matters here."""


def decide_claims(settings: Settings, measured: Accuracies, adapted: Adapted) -> list[Claim]:
    """Every claim of the study; samples are episodes, of adapting scripts."""
    claims = []
    for way in settings.ways:
        for shots in settings.shots:
            claims += _unseen_scripts(measured, way, shots)
    return [*claims, *_training(settings, measured), *_adapting(settings, adapted)]


def _unseen_scripts(measured: Accuracies, way: int, shots: int) -> list[Claim]:
    """In-context learning against every classical learner and the pixels."""
    group = f"{way}-way {shots}-shot"
    percents = {name: 100 * measured[SCRIPTS, way, shots, name] for name in (ICL, *CLASSICAL, PIXELS)}
    icl = percents[ICL]
    together = len(CLASSICAL) + 1
    claims = [
        decide(
            f"icl-as-good-as-{name.lower()}-{way}-way-{shots}-shot",
            f"On unseen scripts in-context learning is as good as {name} to within a point, {group}",
            f"accuracy of in-context learning minus {name}'s, percentage points, same episodes",
            icl - percents[name],
            threshold=-SAME,
            together=together,
            group=group,
        )
        for name in CLASSICAL
    ]
    return [
        *claims,
        decide(
            f"icl-above-pixels-{way}-way-{shots}-shot",
            f"On unseen scripts in-context learning is ten points above the nearest neighbour on pixels, {group}",
            "accuracy of in-context learning minus the nearest neighbour's, percentage points, same episodes",
            icl - percents[PIXELS],
            threshold=ABOVE_PIXELS,
            together=together,
            group=group,
        ),
    ]


def _training(settings: Settings, measured: Accuracies) -> list[Claim]:
    """What the start, the curriculum, the groups and the kinds of script in training are worth."""
    few, many, shots = settings.ways[0], settings.ways[-1], settings.shots[-1]
    group, together = "training", 5

    def of(name: str, place: str = SCRIPTS, way: int = many, shots: int = shots) -> np.ndarray:
        return 100 * measured[place, way, shots, name]

    at_many, grouped = of(ICL), of(GROUPED)
    lost = {name: of(name, NEW_KINDS, few, 1) - of(shifted(name), NEW_KINDS, few, 1) for name in (ICL, "ProtoNet")}
    return [
        decide(
            "start-helps",
            f"Beginning as ProtoNet, in-context learning is better than from a random start, {few}-way {shots}-shot",
            "accuracy with minus without that start, percentage points, equal steps, same episodes",
            of(ICL, way=few) - of(RANDOM, way=few),
            together=together,
            group=group,
        ),
        decide(
            "curriculum-helps",
            f"A curriculum from {few} to {many} ways makes in-context learning better than {many} ways throughout, {many}-way {shots}-shot",
            "accuracy with minus without the curriculum, percentage points, equal steps, same episodes",
            of(CURRICULUM) - at_many,
            together=together,
            group=group,
        ),
        decide(
            "groups-as-good",
            f"Trained on {few} ways and shown groups of {few} classes, in-context learning is as good at {many} ways as trained on them, to"
            f" within a point, {shots}-shot",
            f"accuracy of the {few}-way model in groups minus the {many}-way model's, percentage points, same episodes",
            grouped - at_many[:, : grouped.shape[1]],
            threshold=-SAME,
            together=together,
            group=group,
        ),
        decide(
            "alphabets-alone-cost",
            f"Trained on alphabets alone, in-context learning is worse on syllabaries and logographs than trained on all kinds, {few}-way 1-shot",
            "accuracy trained on all kinds minus on alphabets alone, percentage points, equal steps, same episodes",
            lost[ICL],
            together=together,
            group=group,
        ),
        decide(
            "shift-no-worse-than-protonet",
            "By that in-context learning loses no more than ProtoNet does, to within a point",
            "what in-context learning loses minus what ProtoNet loses, percentage points, same episodes",
            lost[ICL] - lost["ProtoNet"],
            threshold=SAME,
            better="below",
            together=together,
            group=group,
        ),
    ]


def _adapting(settings: Settings, adapted: Adapted) -> list[Claim]:
    small, large = settings.meta.sizes[0], settings.meta.sizes[-1]
    group, together = "adapting to a new script", 3
    unit = "one-shot accuracy on new characters of the script, percentage points, paired over scripts"
    percents = {key: 100 * values for key, values in adapted.items()}
    return [
        decide(
            "m2-wins",
            f"From {small} episodes of a new script M2 adapts better by its own steps than in-context learning by fine-tuning",
            f"M2 minus in-context learning, both adapted, {unit}",
            percents[OWN, small] - percents[ICL, small],
            together=together,
            group=group,
        ),
        decide(
            "m2-gains",
            f"Adapting by its own steps to {small} episodes of a new script makes M2 better",
            f"M2 adapted minus not adapted, {unit}",
            percents[OWN, small] - percents[M2, 0],
            together=together,
            group=group,
        ),
        decide(
            "icl-gains",
            f"Fine-tuning on {large} episodes of a new script makes in-context learning better",
            f"in-context learning adapted minus not adapted, {unit}",
            percents[ICL, large] - percents[ICL, 0],
            together=together,
            group=group,
        ),
    ]
