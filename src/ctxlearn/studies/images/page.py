"""The page of the study `images`: claims, example episodes, accuracies."""

from __future__ import annotations

import numpy as np

from ctxlearn.evaluation.statistics import mean_interval
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies.base import Figure, Section, Table, percent
from ctxlearn.studies.claims import Claim, decide
from ctxlearn.studies.drawing import COLOURS, label, new_figure
from ctxlearn.studies.images.measuring import DIGITS, SCRIPTS, Accuracies, families
from ctxlearn.studies.images.settings import CLASSICAL, ICL, PIXELS, Settings

MARGIN = 0.10


def decide_claims(settings: Settings, measured: Accuracies) -> list[Claim]:
    """In-context learning against every classical learner, and ten points above the pixels, at the most shots."""
    claims = []
    shots = settings.shots[-1]
    together = len(CLASSICAL) + 1
    for way in settings.ways:
        group = f"{way}-way {shots}-shot"
        icl = measured[SCRIPTS, way, shots, ICL]
        for name in CLASSICAL:
            claims.append(
                decide(
                    f"icl-at-least-{name.lower()}-{way}-way",
                    f"On unseen scripts in-context learning is at least as good as {name}, {group}",
                    f"accuracy of in-context learning minus {name}'s, same episodes",
                    icl - measured[SCRIPTS, way, shots, name],
                    together=together,
                    group=group,
                )
            )
        claims.append(
            decide(
                f"icl-above-pixels-{way}-way",
                f"On unseen scripts in-context learning is ten points above the nearest neighbour on pixels, {group}",
                "accuracy of in-context learning minus the nearest neighbour's, same episodes",
                icl - measured[SCRIPTS, way, shots, PIXELS],
                threshold=MARGIN,
                together=together,
                group=group,
            )
        )
    return claims


def sections(settings: Settings, measured: Accuracies) -> list[Section]:
    return [
        Section(
            "Episodes",
            [
                "A script is a domain, a character a class. An episode draws a script that training never saw, N of its "
                "characters, K renderings of each as context and one more as query. The digits are scikit-learn's, "
                "written by hand and enlarged from 8 x 8 pixels; learners saw only rendered characters."
            ],
            [_examples(settings.ways[0])],
        ),
        Section("Accuracy", [], [_accuracy(settings, measured)], [_table(settings, measured)]),
    ]


def _examples(way: int) -> Figure:
    figure, axes = new_figure(4, 1, width=7.0, height=5.0)
    drawn = list(families(way).items())
    picked = [(place, family, 2 if place == DIGITS or len(drawn) == 1 else 3) for place, family in drawn]
    rows = [(p, family, i) for p, family, n in picked for i in range(n)][: len(axes)]
    for (axis,) in axes:
        axis.axis("off")
    for (axis,), (place, family, i) in zip(axes, rows, strict=False):
        x = family.sample(i + 1, 2 * way, generator=generator_for(0, Stream.TEST, 77)).x[i, :, 0].numpy()
        gap = np.zeros((x.shape[1], 8))
        strip = np.concatenate([*x[:way], gap, *x[way:]], axis=1)
        axis.imshow(1 - strip, cmap="gray", vmin=0, vmax=1)
        axis.set_title(f"{place}: {way} characters, then {way} queries", loc="left", fontsize=8)
    return Figure(
        "images-episodes",
        figure,
        "Episodes of one shot: left of the gap the context, one image a character; right of it one query of each, in random order.",
        "Rows of small images of characters, the context on the left and the queries on the right.",
    )


def _accuracy(settings: Settings, measured: Accuracies) -> Figure:
    panels = sorted({(place, way) for place, way, _, _ in measured}, key=lambda p: (p[0] == DIGITS, p[1]))
    names = (ICL, *CLASSICAL, PIXELS)
    figure, axes = new_figure(1, len(panels), width=4.0 * len(panels), height=3.6)
    for axis, (place, way) in zip(axes[0], panels, strict=True):
        for i, name in enumerate(names):
            shown = [mean_interval(measured[place, way, shots, name]) for shots in settings.shots]
            centre = np.arange(len(shown)) + 0.13 * (i - (len(names) - 1) / 2)
            heights = np.array([s.value for s in shown])
            bars = np.array([[s.value - s.low for s in shown], [s.high - s.value for s in shown]]).clip(0)
            axis.bar(centre, heights, 0.13, yerr=bars, color=COLOURS[name], label=label(name))
        axis.axhline(1 / way, color="#000000", linestyle=(0, (1, 3)), label="chance")
        axis.set_xticks(range(len(settings.shots)), [f"{k}-shot" for k in settings.shots])
        axis.set_ylim(0, 1)
        axis.set_ylabel("accuracy")
        axis.set_title(f"{place}, {way}-way", loc="left", fontsize=10)
    axes[0][0].legend(fontsize=7)
    return Figure(
        "images-accuracy",
        figure,
        "Accuracy on episodes nothing of which was trained on, with 95 % intervals; the dotted line is chance.",
        "Bars by learner and number of shots; the table below has the numbers.",
    )


def _table(settings: Settings, measured: Accuracies) -> Table:
    rows = []
    for place, way in sorted({(p, w) for p, w, _, _ in measured}, key=lambda p: (p[0] == DIGITS, p[1])):
        for shots in settings.shots:
            cells = [mean_interval(measured[place, way, shots, name]) for name in (ICL, *CLASSICAL, PIXELS)]
            shown = [f"{percent(c.value)} [{percent(c.low)}, {percent(c.high)}]" for c in cells]
            rows.append([f"{place}, {way}-way {shots}-shot", *shown, percent(1 / way)])
    return Table(
        "Accuracy, %, with 95 % intervals", ["episodes", *map(label, (ICL, *CLASSICAL, PIXELS)), "chance"], rows
    )
