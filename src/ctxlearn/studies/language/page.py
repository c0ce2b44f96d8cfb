"""The page on language models."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np

from ctxlearn import lab
from ctxlearn.studies.algorithms.page import restored
from ctxlearn.studies.arms import BAYES_FAMILY, FAMILIES, ICL, STYLES
from ctxlearn.studies.language.claims import decide_claims, over
from ctxlearn.studies.language.metrics import shares
from ctxlearn.studies.language.settings import BASE, DIGITS, FORMATS, HELD_OUT, META, SCALE, SHOWN, VARIED, WORDS, Sizes
from ctxlearn.studies.regions import POINT_COLOURS

BINS = ((1, 2), (3, 4), (5, 8), (9, 16), (17, 32), (33, 64))
LOOKS = {
    BASE: lab.Style(lab.ORANGE, "--", marker="o", label="language model as it comes", width=2.0, order=3),
    META: lab.Style(lab.ORANGE, marker="o", label="meta-trained language model", width=2.0, order=3),
    ICL + DIGITS: STYLES[ICL].called("our in-context model, on the digits"),
    **{name + DIGITS: STYLES[name].called(f"{name}{DIGITS}") for name in ("MatchNet", "ProtoNet")},
    "1-NN" + DIGITS: STYLES["NearestNeighbor"].called(f"1-NN{DIGITS}"),
    "logistic regression" + DIGITS: STYLES["LogisticRegression"].called(f"logistic regression{DIGITS}"),
    "kernel regression" + DIGITS: lab.Style(lab.SKY, "-.", label=f"kernel regression{DIGITS}"),
    BAYES_FAMILY: STYLES[BAYES_FAMILY],
}
DRAWN = (BASE, META, ICL + DIGITS, "1-NN" + DIGITS, "logistic regression" + DIGITS, BAYES_FAMILY)
RESAMPLES = 500


def page(sizes: Sizes, numbers: lab.Numbers) -> lab.Page:
    """The page."""
    accuracy, told = numbers["score"].map(lambda found: 100 * found), numbers["bits"]
    score = lab.Samples({key: found for key, found in accuracy.items() if len(key) == 2 and key[1] in SHOWN})
    claims = decide_claims(score, told)
    means = {who: over(score, who).mean() for who in (BASE, META, "1-NN" + DIGITS, BAYES_FAMILY)}
    return lab.Page(
        title="Which algorithm does a language model run on the examples in its prompt?",
        asked="A language model reads a few labelled points as text, one line each, and says which label comes next. Does it learn from"
        " them, by which algorithm, and what does training on such tasks (meta-training) make of it?",
        found=f"Mean accuracy over 1 to {sizes.n_points - 1} examples on {', '.join(FAMILIES)}: {means[BASE]:.1f} % as it comes,"
        f" {means[META]:.1f} % after meta-training, 1-NN on the same digits {means['1-NN' + DIGITS]:.1f} %, Bayes {means[BAYES_FAMILY]:.1f} %."
        f" {lab.tally(claims)}",
        sure=f"One model, {sizes.source}, which says little about larger ones; {lab.count(sizes.n_tasks, 'test task')} per family and"
        f" seed; {lab.count(numbers.seeds, 'seed')} of meta-training ({lab.count(2 * sizes.steps, 'task')} each), {sizes.replicates} more"
        " where the algorithm is identified. The format was chosen on tasks of two other families; both ways of naming the classes are averaged.",
        claims=claims,
        results=lab.Samples({key: found / 100 for key, found in score.items()}).frame("learner", "family"),
        sections=[
            _accuracy(score, told),
            _identified(sizes, numbers),
            _maps(sizes, numbers),
            _varied(sizes, numbers),
            _formats(sizes, numbers),
        ],
    )


def _accuracy(score: lab.Samples, bits: lab.Samples) -> lab.Section:
    n_points = next(iter(score.values())).values.shape[-1]
    bins = [(low, high) for low, high in BINS if high < n_points] or [(1, n_points - 1)]
    found = {
        (who, family, f"{low}-{high}"): score[who, family].averaged(slice(low, high + 1)).interval()
        for who, family in score
        for low, high in bins
    }
    shown = lab.interval_rows({key: found[key] for key in found if key[0] in DRAWN}, "learner family n")
    figure = lab.lines(
        shown, x="n", by="learner", panel="family", styles=LOOKS, spread="bars", apart=0.06, levels={"chance": 50},
        x_label="labelled points in the prompt, n", y_label="accuracy (%)", legend_columns=3,
    )  # fmt: skip
    names = list(dict.fromkeys(str(who) for who, _ in score))
    rows = []
    for who in names:
        cells = [
            lab.average([score[who, f].averaged(slice(low, high + 1)) for f in FAMILIES]).mean() for low, high in bins
        ]
        radial = lab.cell(score[who, HELD_OUT].averaged().interval(), 1)
        whole = lab.cell(over(score, who).interval(), 1)
        cost = over(bits, who).interval() if np.isfinite(over(bits, who).values).all() else None
        rows.append([who, *(f"{c:.1f}" for c in cells), whole, radial, "unbounded" if cost is None else lab.cell(cost)])
    return lab.Section(
        "Does it learn?",
        [
            "Every learner sees the same tasks. 'On the digits' means: inputs rounded to what the language model reads. Numbers between"
            f" {-SCALE:g} and {SCALE:g} fill the digits. Bits are what a label costs, minus the logarithm of its probability; 1 is chance."
        ],
        [
            lab.Figure(
                "accuracy",
                figure,
                "Accuracy by the number of labelled points, the mean over the points of each range; bars: 95 % intervals over tasks.",
                "Four charts of accuracy against context length, a family each; the table below has the numbers.",
            )
        ],
        [
            lab.Table(
                f"Accuracy in %: mean over {', '.join(FAMILIES)} by n, over all n >= 1, and on {HELD_OUT}; and bits per label on the three",
                ["learner", *(f"n = {low}-{high}" for low, high in bins), "n >= 1", HELD_OUT, "bits per label"],
                rows,
            )
        ],
    )


def _identified(sizes: Sizes, numbers: lab.Numbers) -> lab.Section:
    found = {who: restored(numbers.facts(who, "identified")[0]) for who in (BASE, META)}
    n = sizes.lengths[-1]
    figures = []
    for who, one in found.items():
        table = one.results[one.results["n_context"] == n].rename(columns={"total": "mean"})
        figures.append(
            lab.Figure(
                f"identified-{who.replace(' ', '-')}",
                lab.forest(table, by="candidate", x_label=f"likeness to the {who} (1: the same), n = {n}", width=6.0),
                f"{who}: how much its scores, and their changes with the labels, are those of each candidate on the digits, with"
                f" {lab.count(n, 'labelled point')}; 95 % intervals over contexts.",
                f"A list of candidates by their likeness to the {who}; the verdicts are written below.",
            )
        )
    rows = [[who, line] for who, one in found.items() for line in str(one).splitlines()]
    return lab.Section(
        "By which algorithm?",
        [
            f"On {sizes.n_contexts} contexts of each length from the mixture. Scores may move by {sizes.tolerance:g} in log-odds when a query"
            " is asked in other company. The language model as it comes has no replicates, so a strict cut decides whether a candidate is"
            " accepted; the meta-trained one is compared with what it shares with models of other seeds."
        ],
        figures,
        [lab.Table("Verdicts", ["model", "found"], rows)],
    )


def _maps(sizes: Sizes, numbers: lab.Numbers) -> lab.Section:
    who = (BASE, META, ICL + DIGITS, BAYES_FAMILY)
    figure, axes = lab.grid(len(who), len(SHOWN), width=2.3 * len(SHOWN), height=2.3 * len(who))
    for i, name in enumerate(who):
        for j, family in enumerate(SHOWN):
            axis, key = axes[i][j], (name, family, "map")
            told = numbers.array(*key, name="map")[0]
            x, y = (numbers.array(*key, name=part)[0] for part in ("x", "y"))
            side = np.linspace(-SCALE, SCALE, len(told))
            with mpl.rc_context(lab.RC):
                axis.grid(False)
                axis.pcolormesh(
                    side, side, told.T, cmap="PuOr_r", vmin=0, vmax=1, shading="nearest", rasterized=True, alpha=0.6
                )
                for c, colour in enumerate(POINT_COLOURS):
                    axis.scatter(x[y == c, 0], x[y == c, 1], s=9, color=colour, edgecolor="black", linewidth=0.4)
            axis.set_xlim(-SCALE, SCALE)
            axis.set_ylim(-SCALE, SCALE)
            axis.set_xticks([])
            axis.set_yticks([])
            if i == 0:
                axis.set_title(family, fontsize=9)
        axes[i][0].set_ylabel(name, fontsize=8)
    return lab.Section(
        "What it decides where",
        [f"One task per family, {sizes.n_points - 1} labelled points, and a query at every place that the digits name."],
        [
            lab.Figure(
                "maps",
                figure,
                "Probability of the second class (dark orange: 1, dark violet: 0) over the plane; dots: the labelled points.",
                "Sixteen maps of the plane: four learners by four families.",
            )
        ],
    )  # fmt: skip


def _varied(sizes: Sizes, numbers: lab.Numbers) -> lab.Section:
    rows, generator = [], np.random.default_rng(0)
    columns: list[str] = []
    for who in (BASE, META):
        values = np.concatenate(list(numbers["bits"][who, "varied"].values))  # tasks of all seeds
        drawn = [shares(values[generator.integers(len(values), size=len(values))]) for _ in range(RESAMPLES)]
        estimate = shares(values)
        columns = list(estimate)
        spread = {k: np.percentile([d[k] for d in drawn], [2.5, 97.5]) for k in columns}
        settings = numbers["score"][who, "varied"].values.mean((0, 1, 4))
        ends = f"{100 * settings.min():.1f} to {100 * settings.max():.1f}"
        rows.append([who, *(f"{estimate[k]:.2f} ({spread[k][0]:.2f} to {spread[k][1]:.2f})" for k in columns), ends])
    return lab.Section(
        "What else decides",
        [
            f"{lab.count(sizes.varied, 'task')} of the mixture with {sizes.n_points // 2} examples, written in {len(VARIED)} formats ({'; '.join(VARIED)}), with"
            f" {len(WORDS)} pairs of label words ({', '.join('/'.join(words) for words in WORDS)}, one way of naming the classes at a time)"
            f" and in {lab.count(sizes.orders, 'order')}. The variance of the bits per label falls into shares that add up to 1."
        ],
        tables=[
            lab.Table(
                "Share of the variance, with 95 % bootstrap intervals over tasks; and the least and largest accuracy (%) of a format with words",
                ["model", *columns, "accuracy"],
                rows,
            )
        ],
    )


def _formats(sizes: Sizes, numbers: lab.Numbers) -> lab.Section:
    facts = numbers.facts("formats")[0]
    used = next((name for name, format in FORMATS.items() if format == sizes.format), "another")
    tried = facts["tried"]
    columns = ["format", "n_context", "score", "loss", "loss_se", "label_mass", "tokens"]
    rows = [
        [str(tried[c][i]) if c in ("format", "n_context") else f"{float(tried[c][i]):.3g}" for c in columns]
        for i in range(len(tried["format"]))
        if not tried["refused"][i]
    ]
    same = "the same" if facts["name"] == used else f"not the same: {facts['name']}"
    return lab.Section(
        "Which format",
        [
            f"The study writes tasks in the format '{used}', fixed beforehand. Tried here on {sizes.chosen_on} tasks of stripes and quadrants,"
            f" the format of least loss (nats) is {same}."
        ],
        tables=[lab.Table("Formats on tasks of other families", columns, rows)],
    )
