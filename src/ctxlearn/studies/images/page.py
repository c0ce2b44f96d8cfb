"""The page of the study `images`: example episodes, accuracies, what training makes of it, adapting to a script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure as Drawing

from ctxlearn import lab
from ctxlearn.evaluation.statistics import Interval
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies.arms import STYLES
from ctxlearn.studies.images.fine_tuning import OWN
from ctxlearn.studies.images.metrics import DIGITS, GROUPED, NEW_ALPHABETS, NEW_KINDS, SCRIPTS, families, gain
from ctxlearn.studies.images.settings import (
    CLASSICAL,
    CURRICULUM,
    ICL,
    M2,
    MOST_SHOTS,
    PIXELS,
    RANDOM,
    SHIFTED,
    Sizes,
    shifted,
)

NAMES = (ICL, *CLASSICAL, PIXELS)
LABELS = {name: lab.label(name, STYLES) for name in NAMES} | {PIXELS: "1-NN on pixels"}
ADAPTED = {
    ICL: lab.Style(lab.BLUE, marker="s", label="in-context transformer"),
    M2: lab.Style(lab.ORANGE, "--", marker="o", label="M2, fine-tuned"),
    OWN: lab.Style(lab.ORANGE, marker="D", label="M2, its own inner steps"),
}
Intervals = Mapping[lab.Key, Interval]
"""In %, by learner, place, N and K."""


def headline(sizes: Sizes, accuracy: lab.Samples) -> str:
    """What came out, in numbers."""
    way, shots = sizes.ways[0], sizes.shots[-1]
    means = {name: lab.percent(accuracy[name, SCRIPTS, way, shots].mean()) for name in NAMES}
    others = ", ".join(f"{name} {means[name]}" for name in CLASSICAL)
    return (
        f"On unseen scripts, {way}-way {shots}-shot, in-context learning gets {means[ICL]} % right ({others}), the nearest"
        f" neighbour on pixels {means[PIXELS]} %."
    )


def sections(sizes: Sizes, accuracy: lab.Samples, adapted: lab.Samples) -> list[lab.Section]:
    """The page below its claims."""
    shown = accuracy.map(lambda found: 100 * found).intervals()
    training = _training(sizes, accuracy, shown)
    return [_episodes(sizes), _accuracy(sizes, shown), training, _adapting(sizes, adapted)]


def _episodes(sizes: Sizes) -> lab.Section:
    """What is asked and how everyone was trained, with examples."""
    few, many = sizes.ways[0], sizes.ways[-1]
    steps = ", ".join(f"{sizes.steps[n]:,} steps of {sizes.tasks_per_step[n]} episodes for {n}-way" for n in sizes.ways)
    return lab.Section(
        "Episodes",
        [
            "A script is a domain, a character a class. An episode draws a script that training never saw, N of its characters,"
            " K renderings of each as context and one more as query, and deals its labels at random. The digits are"
            " scikit-learn's, written by hand and enlarged from 8 x 8 pixels; learners saw only rendered characters.",
            "All learners have the same form of encoder and initial weights (a Conv-4 of"
            f" {', '.join(map(str, sizes.channels))} channels), the same episodes and as many steps: {steps}, 1 to"
            f" {MOST_SHOTS} shots, each character turned by a multiple of 90 degrees; {few}-way and {many}-way episodes have"
            f" learners of their own. The in-context transformer has {lab.count(sizes.depth, 'block')} of width {sizes.width}"
            " and begins as ProtoNet, by weights written by hand. In the quick profile its step takes half as long again as"
            " ProtoNet's, so equal steps favour it; MAML takes three inner steps, first order, and twice as long.",
        ],
        [_examples(few)],
    )


def _examples(way: int) -> lab.Figure:
    drawn = families(way).items()
    rows = [(on, make, i) for on, make in drawn for i in range(2 if on == DIGITS or len(drawn) == 1 else 3)][:4]
    figure, axes = lab.grid(4, 1, width=7.0, height=5.0)
    for (axis,) in axes:
        axis.axis("off")
    for (axis,), (place, make, i) in zip(axes, rows, strict=False):
        x = make(way).sample(i + 1, 2 * way, generator=generator_for(0, Stream.TEST, 77)).x[i, :, 0].numpy()
        strip = np.concatenate([*x[:way], np.zeros((x.shape[1], 8)), *x[way:]], axis=1)
        axis.imshow(1 - strip, cmap="gray", vmin=0, vmax=1)
        axis.set_title(f"{place}: {way} characters, then {way} queries", loc="left", fontsize=8)
    return lab.Figure(
        "images-episodes",
        figure,
        "One-shot episodes: left of the gap the context, one image per character; right one query of each, in random order.",
        "Rows of small images of characters, the context on the left and the queries on the right.",
    )


def _accuracy(sizes: Sizes, shown: Intervals) -> lab.Section:
    """All learners on each place and number of ways."""
    measured = {(str(place), int(way)) for name, place, way, _ in shown if name == "CNP"}
    places = sorted(measured, key=lambda place: (place[0] == DIGITS, place[1]))
    rows = []
    for place, way in places:
        for shots in sizes.shots:
            cells = [lab.cell(shown[name, place, way, shots], 1) for name in NAMES]
            rows.append([f"{place}, {way}-way {shots}-shot", *cells, lab.percent(1 / way)])
    figure = lab.Figure(
        "images-accuracy",
        _bars(sizes, shown, places, NAMES, (4.2, 4.6)),
        "Accuracy on episodes nothing of which was trained on, with 95 % intervals; the dotted line is chance.",
        "Bars by learner and number of shots; the table below has the numbers.",
    )
    table = lab.Table("Accuracy, %, with 95 % intervals", ["episodes", *LABELS.values(), "chance"], rows)
    return lab.Section("Accuracy", [], [figure], [table])


def _bars(
    sizes: Sizes,
    shown: Intervals,
    places: Sequence[tuple[str, int]],
    names: Sequence[str],
    size: tuple[float, float],
) -> Drawing:
    """Accuracy of some learners by shots, a panel per place and N; pale where trained on alphabets alone."""
    figure, axes = lab.grid(1, len(places), width=size[0] * len(places), height=size[1])
    step = 0.8 / len(names)
    for axis, (place, way) in zip(axes[0], places, strict=True):
        for i, name in enumerate(names):
            own = name.removesuffix(shifted(""))
            bars = [shown[name, place, way, shots] for shots in sizes.shots]
            axis.bar(
                np.arange(len(bars)) + step * (i - (len(names) - 1) / 2),
                [bar.value for bar in bars],
                step,
                yerr=np.array([[bar.value - bar.low, bar.high - bar.value] for bar in bars]).T.clip(0),
                color=STYLES[own].colour,
                alpha=1.0 if own == name else 0.45,
                label=LABELS[own] + ("" if own == name else ", trained on alphabets"),
            )
        axis.axhline(100 / way, color=lab.BLACK, linestyle=lab.DOTTED, label="chance")
        axis.set_xticks(range(len(sizes.shots)), [f"{k}-shot" for k in sizes.shots])
        axis.set_ylim(0, 100)
        axis.set_ylabel("accuracy (%)")
        axis.set_title(f"{place}, {way}-way", loc="left", fontsize=10)
    lab.shared_legend(figure, axes[0][0], 4)
    return figure


def _training(sizes: Sizes, accuracy: lab.Samples, shown: Intervals) -> lab.Section:
    """The start, the curriculum, the groups and the kinds of script, each against the learner of the first table."""
    few, many = sizes.ways[0], sizes.ways[-1]
    kinds = (NEW_ALPHABETS, NEW_KINDS)
    compared = [
        (SCRIPTS, few, RANDOM, ICL, "random start"),
        (SCRIPTS, many, CURRICULUM, ICL, "curriculum over ways"),
        (SCRIPTS, many, GROUPED, ICL, f"{few}-way model in groups"),
    ]
    for place in kinds:
        compared += [(place, few, shifted(n), n, f"{LABELS[n]} trained on alphabets alone") for n in SHIFTED]
    rows = []
    for place, way, name, baseline, words in compared:
        for shots in sizes.shots:
            cells = [lab.cell(shown[each, place, way, shots], 1) for each in (name, baseline)]
            difference = gain(accuracy, name, baseline, place, way, shots).interval()
            rows.append([words, f"{place}, {way}-way {shots}-shot", *cells, lab.cell(difference, 1, sign=True)])
    names = [*(each for name in SHIFTED for each in (name, shifted(name))), PIXELS]
    figure = lab.Figure(
        "images-kinds",
        _bars(sizes, shown, [(place, few) for place in kinds], names, (4.5, 4.4)),
        "Accuracy on unseen scripts by kind, trained on all kinds (solid) or on alphabets alone (pale), with 95 % intervals.",
        "Bars by learner, kind of script and number of shots; the table below has the numbers.",
    )
    table = lab.Table(
        "Accuracy, %, against the same learner as in the table above, equal steps, with 95 % intervals",
        ["arm", "episodes", "arm's", "baseline's", "difference, paired"],
        rows,
    )
    return lab.Section(
        "What the training makes of it",
        [
            "Start: a transformer of as many blocks, from random weights and at higher learning rates. Curriculum:"
            f" {few} ways at first and {few} more every {sizes.every} steps up to {many}, with as many episodes per step, so"
            f" with fewer images. Groups: the {few}-way model sees {few} of the {many} classes at a time, each pair of classes"
            " meeting once at least, and its log-probabilities are averaged (MoreWays), on"
            f" {sizes.n_grouped} of the episodes. Kinds: learners trained on alphabets alone, for as many steps, meet unseen"
            " alphabets, and syllabaries and logographs."
        ],
        [figure],
        [table],
    )


def _adapting(sizes: Sizes, adapted: lab.Samples) -> lab.Section:
    """Both arms adapted to new scripts."""
    way, meta = sizes.ways[0], sizes.meta
    images = 2 * meta.shots + 1
    seen = meta.steps * meta.n_domains * meta.n_tasks * images * way * (1 + meta.inner_steps)
    plain = sizes.steps[way] * sizes.tasks_per_step[way] * (MOST_SHOTS + 1) * way
    found = {(arm, str(size)): adapted[arm, size].interval() for arm in ADAPTED for size in (0, *meta.sizes)}
    drawing = lab.lines(
        lab.interval_rows(found, "arm episodes").assign(panel=f"new characters of a new script, {way}-way"),
        x="episodes",
        by="arm",
        panel="panel",
        styles=ADAPTED,
        spread="bars",
        apart=0.06,
        x_label="episodes of the script adapted to",
        y_label="one-shot accuracy (%)",
        title=lambda words: f"{words}; chance {lab.percent(1 / way, 0)} %",
        size=(6.4, 3.3),
        legend_columns=3,
    )
    figure = lab.Figure(
        "images-adapting",
        drawing,
        "One-shot accuracy on new scripts against the episodes adapted to; bars are 95 % intervals over scripts.",
        "Three lines, of in-context learning and of M2 adapted in two ways; the table below has the numbers.",
    )
    rows = []
    for size in (0, *meta.sizes):
        gap = (adapted[OWN, size] - adapted[ICL, size]).interval()
        cells = [lab.cell(found[arm, str(size)], 1) for arm in ADAPTED]
        rows.append([f"{size or 'none'}", *cells, lab.cell(gap, 1, sign=True)])
    table = lab.Table(
        "One-shot accuracy, %, on new characters of new scripts, mean over scripts, with 95 % intervals over scripts",
        [
            "episodes adapted to",
            *(str(style.label) for style in ADAPTED.values()),
            "M2, own steps, minus in-context learning",
        ],
        rows,
    )
    return lab.Section(
        "Adapting to a new script",
        [
            f"Each of {meta.n_scripts} unseen scripts is cut into two halves of its characters. A model is adapted to {way}-way"
            f" episodes of the one, {images} images of each character, and measured on {meta.n_probe} one-shot episodes of the"
            " other. In-context learning is the model of the table above. M2 begins with the same weights and is trained, for"
            f" {meta.steps:,} steps of {meta.n_domains} scripts, by the loss on {meta.n_tasks} fresh episodes of a script after"
            f" {lab.count(meta.inner_steps, 'gradient step')} on {meta.n_tasks} others, first order; the inner steps, of size"
            f" {meta.inner_size:g}, are on the encoder. {seen:,} images pass through it in training, inner steps included, and"
            f" {plain:,} through in-context learning. Fine-tuning (adapt_to_domain) is given to both: AdamW at 3e-4, at most"
            f" {meta.adaptation_steps} steps, an eighth of the episodes held out, and the model as it was where that does not"
            " help."
        ],
        [figure],
        [table],
    )
