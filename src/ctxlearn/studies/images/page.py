"""The page of the study `images`: example episodes, accuracies, what training makes of it, adapting to a script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

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
WORDS = {
    RANDOM: "in-context transformer, random start",
    CURRICULUM: "in-context transformer, curriculum over ways",
    PIXELS: "1-NN on pixels",
}
ADAPTED = {
    ICL: lab.Style(lab.BLUE, marker="s", label="in-context transformer"),
    M2: lab.Style(lab.ORANGE, "--", marker="o", label="M2, fine-tuned"),
    OWN: lab.Style(lab.ORANGE, marker="D", label="M2, its own inner steps"),
}
Intervals = Mapping[tuple[str | int | float, ...], Interval]
"""In %, by learner, place, N and K."""


def sections(sizes: Sizes, accuracy: lab.Samples, adapted: lab.Samples) -> list[lab.Section]:
    """The page below its claims."""
    few, many = sizes.ways[0], sizes.ways[-1]
    shown = accuracy.map(lambda found: 100 * found).intervals()
    return [
        lab.Section(
            "Episodes",
            [
                "A script is a domain, a character a class. An episode draws a script that training never saw, N of its "
                "characters, K renderings of each as context and one more as query. Its labels are dealt at random. The digits are "
                "scikit-learn's, written by hand and enlarged from 8 x 8 pixels; learners saw only rendered characters.",
                _trained(sizes),
            ],
            [_examples(few)],
        ),
        lab.Section("Accuracy", [], [_accuracy(sizes, shown)], [_table(sizes, shown)]),
        lab.Section(
            "What the training makes of it",
            [
                "Start: a transformer of as many blocks, from random weights and at higher learning rates. Curriculum: "
                f"{few} ways at first and {few} more every {sizes.every} steps up to {many}, with as many episodes per step throughout, so with "
                f"fewer images. Groups: the {few}-way model is shown {few} of the {many} classes at a time, each pair of classes meeting once at "
                f"least, and its log-probabilities are averaged (MoreWays), on {sizes.n_grouped} of the episodes. Kinds: learners that were trained on alphabets "
                "alone, for as many steps, meet alphabets that they did not see, and syllabaries and logographs."
            ],
            [_kinds(sizes, shown)],
            [_training_table(sizes, accuracy, shown)],
        ),
        lab.Section(
            "Adapting to a new script",
            [_adapting_words(sizes)],
            [_adapting(sizes, adapted)],
            [_adapting_table(sizes, adapted)],
        ),
    ]


def _trained(sizes: Sizes) -> str:
    few, many = sizes.ways[0], sizes.ways[-1]
    steps = ", ".join(
        f"{sizes.steps[way]:,} steps of {sizes.tasks_per_step[way]} episodes for {way}-way" for way in sizes.ways
    )
    return (
        f"All learners have an encoder of the same form and initial weights (a Conv-4 of {', '.join(map(str, sizes.channels))} channels), the same "
        f"episodes and as many steps: {steps}, 1 to {MOST_SHOTS} shots, each character turned by a multiple of 90 degrees. The in-context transformer has "
        f"{lab.count(sizes.depth, 'block')} of width {sizes.width} and begins as ProtoNet, by weights written by hand. "
        "In the quick profile a step of it takes half as long again as one of ProtoNet, so equal steps favour it; MAML takes three inner steps, first order, and twice as long. "
        f"{few}-way and {many}-way episodes have learners of their own."
    )


def _examples(way: int) -> lab.Figure:
    figure, axes = lab.grid(4, 1, width=7.0, height=5.0)
    drawn = list(families(way).items())
    picked = [(place, make, 2 if place == DIGITS or len(drawn) == 1 else 3) for place, make in drawn]
    rows = [(p, make, i) for p, make, n in picked for i in range(n)][: len(axes)]
    for (axis,) in axes:
        axis.axis("off")
    for (axis,), (place, make, i) in zip(axes, rows, strict=False):
        episodes = make(way).sample(i + 1, 2 * way, generator=generator_for(0, Stream.TEST, 77))
        x = episodes.x[i, :, 0].numpy()
        gap = np.zeros((x.shape[1], 8))
        strip = np.concatenate([*x[:way], gap, *x[way:]], axis=1)
        axis.imshow(1 - strip, cmap="gray", vmin=0, vmax=1)
        axis.set_title(f"{place}: {way} characters, then {way} queries", loc="left", fontsize=8)
    return lab.Figure(
        "images-episodes",
        figure,
        "Episodes of one shot: left of the gap the context, one image per character; right of it one query of each, in random order.",
        "Rows of small images of characters, the context on the left and the queries on the right.",
    )


def _accuracy(sizes: Sizes, shown: Intervals) -> lab.Figure:
    panels = _panels(shown)
    figure, axes = lab.grid(1, len(panels), width=4.2 * len(panels), height=4.6)
    for axis, (place, way) in zip(axes[0], panels, strict=True):
        _panel(axis, sizes, shown, place, way, NAMES)
    lab.shared_legend(figure, axes[0][0], 4)
    return lab.Figure(
        "images-accuracy",
        figure,
        "Accuracy on episodes nothing of which was trained on, with 95 % intervals; the dotted line is chance.",
        "Bars by learner and number of shots; the table below has the numbers.",
    )


def _panel(axis: Axes, sizes: Sizes, shown: Intervals, place: str, way: int, names: Sequence[str]) -> None:
    """Accuracy of each learner by shots, bars side by side; pale where it was trained on alphabets alone."""
    step = 0.8 / len(names)
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
            label=_words(own) + ("" if own == name else ", trained on alphabets"),
        )
    axis.axhline(100 / way, color=lab.BLACK, linestyle=lab.DOTTED, label="chance")
    axis.set_xticks(range(len(sizes.shots)), [f"{k}-shot" for k in sizes.shots])
    axis.set_ylim(0, 100)
    axis.set_ylabel("accuracy (%)")
    axis.set_title(f"{place}, {way}-way", loc="left", fontsize=10)


def _panels(shown: Intervals) -> list[tuple[str, int]]:
    found = {(str(place), int(way)) for name, place, way, _ in shown if name == "CNP"}
    return sorted(found, key=lambda p: (p[0] == DIGITS, p[1]))


def _table(sizes: Sizes, shown: Intervals) -> lab.Table:
    rows = []
    for place, way in _panels(shown):
        for shots in sizes.shots:
            cells = [lab.cell(shown[name, place, way, shots], 1) for name in NAMES]
            rows.append([f"{place}, {way}-way {shots}-shot", *cells, lab.percent(1 / way)])
    return lab.Table("Accuracy, %, with 95 % intervals", ["episodes", *map(_words, NAMES), "chance"], rows)


def _training_table(sizes: Sizes, accuracy: lab.Samples, shown: Intervals) -> lab.Table:
    few, many = sizes.ways[0], sizes.ways[-1]
    compared = [
        (SCRIPTS, few, RANDOM, ICL, "random start"),
        (SCRIPTS, many, CURRICULUM, ICL, "curriculum over ways"),
        (SCRIPTS, many, GROUPED, ICL, f"{few}-way model in groups"),
        *(
            (place, few, shifted(name), name, f"{_words(name)} trained on alphabets alone")
            for place in (NEW_ALPHABETS, NEW_KINDS)
            for name in SHIFTED
        ),
    ]
    rows = []
    for place, way, name, baseline, words in compared:
        for shots in sizes.shots:
            difference = gain(accuracy, name, baseline, place, way, shots).interval()
            cells = [lab.cell(shown[each, place, way, shots], 1) for each in (name, baseline)]
            rows.append([words, f"{place}, {way}-way {shots}-shot", *cells, lab.cell(difference, 1, sign=True)])
    return lab.Table(
        "Accuracy, %, against the same learner as in the table above, equal steps, with 95 % intervals",
        ["arm", "episodes", "arm's", "baseline's", "difference, paired"],
        rows,
    )


def _kinds(sizes: Sizes, shown: Intervals) -> lab.Figure:
    few = sizes.ways[0]
    figure, axes = lab.grid(1, 2, width=9.0, height=4.4)
    names = [n for name in SHIFTED for n in (name, shifted(name))]
    for axis, place in zip(axes[0], (NEW_ALPHABETS, NEW_KINDS), strict=True):
        _panel(axis, sizes, shown, place, few, [*names, PIXELS])
    lab.shared_legend(figure, axes[0][0], 4)
    return lab.Figure(
        "images-kinds",
        figure,
        "Accuracy on unseen scripts by kind, trained on all kinds (solid) or on alphabets alone (pale), with 95 % intervals.",
        "Bars by learner, kind of script and number of shots; the table below has the numbers.",
    )


def _adapting_words(sizes: Sizes) -> str:
    way, meta = sizes.ways[0], sizes.meta
    seen = meta.steps * meta.n_domains * meta.n_tasks * (2 * meta.shots + 1) * way * (1 + meta.inner_steps)
    plain = sizes.steps[way] * sizes.tasks_per_step[way] * (MOST_SHOTS + 1) * way
    return (
        f"Each of {meta.n_scripts} unseen scripts is cut into two halves of its characters. A model is adapted to {way}-way episodes of the one, "
        f"{2 * meta.shots + 1} images of each character, and measured on {meta.n_probe} one-shot episodes of the other, so of characters and images that it did not "
        f"adapt to. In-context learning is the model of the table above. M2 begins with the same weights and is trained, for {meta.steps:,} steps of "
        f"{meta.n_domains} scripts, by the loss on {meta.n_tasks} fresh episodes of a script after {lab.count(meta.inner_steps, 'gradient step')} on {meta.n_tasks} others. "
        f"It is first order; the inner steps, of size {meta.inner_size:g}, are on the encoder. {seen:,} images pass through it in training, "
        f"inner steps included, and {plain:,} through in-context learning. Fine-tuning (adapt_to_domain) is given to both: AdamW at 3e-4, at most "
        f"{meta.adaptation_steps} steps, an eighth of the episodes held out, and the model as it was where that does not help."
    )


def _adapting(sizes: Sizes, adapted: lab.Samples) -> lab.Figure:
    figure, axes = lab.grid(1, 1, width=6.4, height=3.8)
    axis = axes[0][0]
    shown = {(arm, str(size)): adapted[arm, size].interval() for arm in ADAPTED for size in (0, *sizes.meta.sizes)}
    table = lab.interval_rows(shown, "arm episodes")
    lab.draw_lines(axis, table, x="episodes", by="arm", styles=ADAPTED, spread="bars", apart=0.06)
    axis.set_xlabel("episodes of the script adapted to")
    axis.set_ylabel("one-shot accuracy (%)")
    axis.set_title(
        f"new characters of a new script, {sizes.ways[0]}-way; chance {lab.percent(1 / sizes.ways[0], 0)} %",
        loc="left",
        fontsize=10,
    )
    lab.shared_legend(figure, axis, 3)
    return lab.Figure(
        "images-adapting",
        figure,
        "One-shot accuracy on new scripts against the episodes adapted to; bars are 95 % intervals over scripts.",
        "Three lines, of in-context learning and of M2 adapted in two ways; the table below has the numbers.",
    )


def _adapting_table(sizes: Sizes, adapted: lab.Samples) -> lab.Table:
    rows = []
    for size in (0, *sizes.meta.sizes):
        shown = [lab.cell(adapted[arm, size].interval(), 1) for arm in ADAPTED]
        difference = (adapted[OWN, size] - adapted[ICL, size]).interval()
        rows.append(["none" if size == 0 else f"{size}", *shown, lab.cell(difference, 1, sign=True)])
    return lab.Table(
        "One-shot accuracy, %, on new characters of new scripts, mean over scripts, with 95 % intervals over scripts",
        [
            "episodes adapted to",
            *(lab.label(arm, ADAPTED) for arm in ADAPTED),
            "M2, own steps, minus in-context learning",
        ],
        rows,
    )


def _words(name: str) -> str:
    return WORDS.get(name, lab.label(name, STYLES))
