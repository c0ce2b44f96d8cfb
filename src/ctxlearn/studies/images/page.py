"""Figures and tables of the study `images`; `page.md` has its words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ctxlearn import lab
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies import arms
from ctxlearn.studies.images import settings
from ctxlearn.studies.images.claims import decide_claims
from ctxlearn.studies.images.fine_tuning import OWN
from ctxlearn.studies.images.metrics import DIGITS, GROUPED, NEW_ALPHABETS, NEW_KINDS, SCRIPTS, families, gain
from ctxlearn.studies.images.settings import CLASSICAL, CURRICULUM, ICL, M2, PIXELS, RANDOM, SHIFTED, Sizes, shifted

NAMES = (ICL, *CLASSICAL, PIXELS)
LABELS = {name: lab.label(name, arms.STYLES) for name in NAMES} | {PIXELS: "1-NN on pixels"}
ADAPTED = {
    ICL: lab.Style(lab.BLUE, marker="s", label="in-context transformer"),
    M2: lab.Style(lab.ORANGE, "--", marker="o", label="M2, fine-tuned"),
    OWN: lab.Style(lab.ORANGE, marker="D", label="M2, its own inner steps"),
}
Place = tuple[str, int]
"""Where episodes come from, and their N."""


def page_of(sizes: Sizes, accuracy: lab.Samples, adapted: lab.Samples, seeds: int) -> lab.Page:
    """The page of shares of right answers; see `metrics.accuracies` and `fine_tuning.adapted_accuracies`."""
    few, shown, tuned = sizes.ways[0], accuracy.map(in_percent), adapted.map(in_percent)
    # the digits after all scripts
    places = sorted(((place, way) for way in sizes.ways for place in families(way)), key=lambda p: p[0] == DIGITS)
    kinds = [*(each for name in SHIFTED for each in (name, shifted(name))), PIXELS]
    new_kinds: list[Place] = [(place, few) for place in (NEW_ALPHABETS, NEW_KINDS)]
    episodes = {(name, f"{on}, {n}-way", int(n) * int(k)): found for (name, on, n, k), found in accuracy.items()}
    results = lab.Samples(episodes).frame("learner", "family", "length").drop(columns="n_context")
    return lab.page_from_template(
        Path(__file__).with_name("page.md"),
        decide_claims(sizes, accuracy, tuned),
        results.rename(columns={"length": "n_context"}),
        figures={
            "images-episodes": draw_episodes(few),
            "images-accuracy": draw_bars(sizes, shown, places, NAMES, (4.2, 4.6)),
            "images-kinds": draw_bars(sizes, shown, new_kinds, kinds, (4.5, 4.4)),
            "images-adapting": draw_adapting(sizes, tuned),
        },
        tables={
            "accuracy": [_accuracy(shown, *place, k) for place in places for k in sizes.shots],
            "training": _training(sizes, shown, accuracy),
            "adapting": [_adapting(tuned, size) for size in (0, *sizes.meta.sizes)],
        },
        values={"sizes": sizes, "accuracy": accuracy, "seeds": seeds, "SCRIPTS": SCRIPTS, "settings": settings},
        files={"adapting": adapted.frame("arm", "episodes").drop(columns="n_context")},
    )


def in_percent(share: lab.Paired) -> lab.Paired:
    """A share as a percentage."""
    return 100 * share


def _accuracy(shown: lab.Samples, place: str, way: int, shots: int) -> dict[str, str]:
    cells = {LABELS[name]: lab.cell(shown[name, place, way, shots], 1) for name in NAMES}
    return {"episodes": f"{place}, {way}-way {shots}-shot", **cells, "chance": lab.percent(1 / way)}


def _training(sizes: Sizes, shown: lab.Samples, accuracy: lab.Samples) -> list[dict[str, str]]:
    """The start, the curriculum, the groups and the kinds of script, each against the learner of the first table."""
    few, many = sizes.ways[0], sizes.ways[-1]
    compared = [
        (SCRIPTS, few, RANDOM, ICL, "random start"),
        (SCRIPTS, many, CURRICULUM, ICL, "curriculum over ways"),
        (SCRIPTS, many, GROUPED, ICL, f"{few}-way model in groups"),
    ]
    for place in (NEW_ALPHABETS, NEW_KINDS):
        compared += [(place, few, shifted(n), n, f"{LABELS[n]} trained on alphabets alone") for n in SHIFTED]
    return [
        {
            "arm": words,
            "episodes": f"{place}, {way}-way {shots}-shot",
            "arm's": lab.cell(shown[name, place, way, shots], 1),
            "baseline's": lab.cell(shown[baseline, place, way, shots], 1),
            "difference, paired": lab.cell(gain(accuracy, name, baseline, place, way, shots), 1, sign=True),
        }
        for place, way, name, baseline, words in compared
        for shots in sizes.shots
    ]


def _adapting(tuned: lab.Samples, size: int) -> dict[str, str]:
    cells = {str(style.label): lab.cell(tuned[arm, size], 1) for arm, style in ADAPTED.items()}
    gap = lab.cell(tuned[OWN, size] - tuned[ICL, size], 1, sign=True)
    return {"episodes adapted to": f"{size or 'none'}", **cells, "M2, own steps, minus in-context learning": gap}


def draw_episodes(way: int) -> Figure:
    """Some one-shot episodes of scripts and of digits."""
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
    return figure


def draw_bars(
    sizes: Sizes, shown: lab.Samples, places: Sequence[Place], names: Sequence[str], size: tuple[float, float]
) -> Figure:
    """Accuracy of some learners by shots, a panel per place and N; pale where trained on alphabets alone."""
    figure, (axes,) = lab.grid(1, len(places), width=size[0] * len(places), height=size[1])
    step = 0.8 / len(names)
    for axis, (place, way) in zip(axes, places, strict=True):
        for i, name in enumerate(names):
            own = name.removesuffix(shifted(""))
            bars = [shown[name, place, way, shots].interval() for shots in sizes.shots]
            axis.bar(
                np.arange(len(bars)) + step * (i - (len(names) - 1) / 2),
                [bar.value for bar in bars],
                step,
                yerr=np.array([[bar.value - bar.low, bar.high - bar.value] for bar in bars]).T.clip(0),
                color=arms.STYLES[own].colour,
                alpha=1.0 if own == name else 0.45,
                label=LABELS[own] + ("" if own == name else ", trained on alphabets"),
            )
        lab.draw_levels(axis, {"chance": 100 / way}, {"chance": lab.Style(lab.BLACK, lab.DOTTED)})
        axis.set_xticks(range(len(sizes.shots)), [f"{k}-shot" for k in sizes.shots])
        lab.name_axes(axis, y_label="accuracy (%)", title=f"{place}, {way}-way", y_range=(0, 100))
    lab.shared_legend(figure, axes[0], 4)
    return figure


def draw_adapting(sizes: Sizes, tuned: lab.Samples) -> Figure:
    """One-shot accuracy on new scripts against the episodes adapted to."""
    way = sizes.ways[0]
    found = {(arm, str(size)): tuned[arm, size] for arm in ADAPTED for size in (0, *sizes.meta.sizes)}
    figure, ((axis,),) = lab.grid(1, 1, width=6.4, height=3.8)
    rows = lab.interval_rows(found, "arm episodes")
    lab.draw_lines(axis, rows, x="episodes", by="arm", styles=ADAPTED, spread="bars", apart=0.06)
    title = f"new characters of a new script, {way}-way; chance {lab.percent(1 / way, 0)} %"
    lab.name_axes(axis, "episodes of the script adapted to", "one-shot accuracy (%)", title=title)
    lab.shared_legend(figure, axis, 3)
    return figure
