"""Figures and words of the study `expressiveness`, but for the space of algorithms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from ctxlearn import lab
from ctxlearn.studies.arms import BAYES_MIXTURE, FAMILIES, MIXTURE
from ctxlearn.studies.expressiveness.claims import MIXED, masks_of, steps_of
from ctxlearn.studies.expressiveness.distances import nearest
from ctxlearn.studies.expressiveness.exactness import CAUSAL_ERROR, LEAST_SQUARES, LENGTHS, SOFTMAX, STEPS
from ctxlearn.studies.expressiveness.initialization import ARMS, CONSTRUCTED, RANDOM, STANDARD
from ctxlearn.studies.expressiveness.ridge_rates import CHEBYSHEV, CONTEXT, EQUAL, FEATURES, PENALTY, SCHEDULES, Rates

START_STYLES = {
    CONSTRUCTED: lab.Style(lab.GREEN, marker="o"),
    RANDOM: lab.Style(lab.ORANGE, marker="s"),
    STANDARD: lab.Style(lab.BLUE, "--", marker="^"),
    BAYES_MIXTURE: lab.Style(lab.BLACK, "--", width=1.0),
}


def headline(claims: Sequence[lab.Claim], decided: lab.Samples, accuracy: lab.Samples, steps: Sequence[int]) -> str:
    """What came out, in words made from the claims."""
    exact = [c for c in claims if c.group == "exact"]
    held = sum(c.verdict == "holds" for c in exact)
    (first, near), (second, next_) = nearest(decided, MIXED, tuple(FAMILIES), 2)
    gaps = {k: (accuracy[CONSTRUCTED, k, MIXTURE] - accuracy[RANDOM, k, MIXTURE]).interval() for k in steps}
    worth = " and ".join(
        f"{gaps[k].value:+.2f} points ({gaps[k].low:+.2f} to {gaps[k].high:+.2f}) after {k:,} steps"
        for k in (min(gaps), max(gaps))
    )
    rest = Counter(c.verdict for c in claims if c.group != "exact")
    return (
        f"Transformers written by hand agree with the learners they were written for to {min(c.value for c in exact):.1f} digits or"
        f" more ({held} of {len(exact)} claims of exactness hold). The in-context model trained on the mixture decides most often as"
        f" {first} (they differ in {near.value:.1f} % of the decisions), then as {second} ({next_.value:.1f} %). Starting at ProtoNet"
        f" and not at random is worth {worth} of training. Other claims that hold: {rest['holds']}, undecided:"
        f" {rest['undecided']}, that fail: {rest['fails']}."
    )


def exactness_section(table: pd.DataFrame, numbers: lab.Numbers) -> lab.Section:
    """The table of constructions, and the one case that they do not cover."""
    rows = []
    for group, own in table.groupby("group", sort=False):
        listed = (", ".join(map(str, dict.fromkeys(own[size]))) for size in ("blocks", "width", "heads"))
        rows.append(
            [
                str(group) + (f", k = {steps_of(own)} steps" if own["name"].nunique() > 1 else ""),
                *listed,
                str(own["attention"].iloc[-1]),
                masks_of(own),
                _error(own["error64"].max()),
                _error(own["error32"].max()),
                f"{own['log_odds'].max():.1f}",
            ]
        )
    sizes = ["blocks", "width", "heads", "attention", "masks"]
    errors = ["largest error, float64", "largest error, float32", "largest log-odds"]
    lost = []
    for kind, unit in ((LEAST_SQUARES, "output"), (SOFTMAX, "probability")):
        for steps in STEPS:
            found = numbers.array(CAUSAL_ERROR, kind, steps, name="lost").reshape(-1, len(LENGTHS) - 1)
            cells = [f"{_small(mean)} / {_small(most)}" for mean, most in zip(found.mean(0), found.max(0), strict=True)]
            lost.append([f"{kind} ({unit}), k = {steps}", *cells])
    first = table[
        (table["group"] == table["group"][0])
        & (table["name"] == table["name"][0])
        & (table["mask"] == table["mask"][0])
    ]
    return lab.Section(
        "Transformers written by hand",
        [
            "Each of these learners, as it was trained or as it is, was turned into the weights of an ordinary in-context transformer"
            " (ctxlearn.expressiveness.construct). The error is the largest absolute difference of log-probabilities between the"
            f" learner and that transformer, both computed in the same precision, over {lab.count(first['n_contexts'].sum(), 'context')} of"
            f" {', '.join(map(str, LENGTHS))} points: of four families as drawn, with a single point of one class, and with none of it.",
            "One case is not covered: under a causal mask a point of the context never hears of those after it, so from the second"
            " gradient step on its residual is not the one that gradient descent has. The second table is what that costs.",
        ],
        [],
        [
            lab.Table(
                "Constructions: size, masks under which they are exact, and largest error measured",
                ["learner", *sizes, *errors],
                rows,
            ),
            lab.Table(
                "Gradient descent on the inputs under a causal mask: mean / largest |difference| from the learner, for class 1, by"
                " length of the context (class-prototype tasks)",
                ["", *(f"n = {n}" for n in LENGTHS[1:])],
                lost,
            ),
        ],
    )


def _error(value: float) -> str:
    return "0, bit for bit" if value == 0 else f"{value:.1e}"


def _small(value: float) -> str:
    return "0" if value < 1e-12 else f"{value:.1e}" if value < 1e-3 else f"{value:.3f}"


def rates_section(rates: Rates) -> lab.Section:
    """Error against exact ridge regression by blocks."""
    figure, axes = lab.grid(1, 1, width=6.4, height=4.9)
    axis = axes[0][0]
    parts, styles, rows = [], {}, []
    for name, colour, marker in zip((EQUAL, CHEBYSHEV), (lab.ORANGE, lab.BLUE), ("o", "s"), strict=True):
        error = rates.error[name]
        for words, values, style in (
            ("mean over tasks", error.mean(0), lab.Style(colour, marker=marker)),
            ("worst task", error.max(0), lab.Style(colour, ":", marker=marker, width=0.8)),
            ("the rate", rates.bound[name], lab.Style(colour, "--", width=1.0)),
        ):
            line = f"{name}: {words}"
            styles[line] = style
            parts.append(pd.DataFrame({"k": list(rates.steps), "mean": values, "line": line}))
            rows.append([line, *(f"{value:.1e}" for value in values)])
    lab.draw_lines(axis, pd.concat(parts), x="k", by="line", styles=styles, spread="none")
    lab.draw_levels(axis, {"answering 0": 1.0}, {"answering 0": lab.Style(lab.GREY, lab.DOTTED)})
    axis.set_yscale("log")
    axis.set_xscale("log", base=2)
    axis.set_xticks(rates.steps, [str(k) for k in rates.steps])
    axis.set_xlabel("gradient steps, k = blocks")
    axis.set_ylabel("error against exact ridge (relative)")
    lab.shared_legend(figure, axis, 2)
    axis.set_title(f"d = {FEATURES}, n = {CONTEXT}", loc="left", fontsize=10)
    return lab.Section(
        "Ridge regression by gradient steps",
        [
            "A transformer of k blocks does k gradient steps, not ridge regression itself; it comes as near as the steps do. With"
            f" curvatures of all contexts between l and u, and kappa = u / l = {rates.kappa:.1f} here (penalty {PENALTY:g}), k equal steps"
            " of size 2 / (l + u) leave at most ((kappa - 1) / (kappa + 1))^k of the error, and Chebyshev's step sizes at most"
            " 2 ((sqrt kappa - 1) / (sqrt kappa + 1))^k."
        ],
        [
            lab.Figure(
                "ridge-rates",
                figure,
                "Distance of the transformer's linear predictor from exact ridge regression, |W_k - W| / |W|: mean and worst of"
                f" {len(rates.error[SCHEDULES[0]])} linear tasks, beside the rates.",
                "Error against the number of blocks, falling as the rates say: faster with Chebyshev's step sizes. The table has the"
                " numbers.",
            )
        ],
        [lab.Table("Relative error |W_k - W| / |W|", ["", *(f"k = {k}" for k in rates.steps)], rows)],
    )


def starts_section(accuracy: lab.Samples, steps: Sequence[int]) -> lab.Section:
    """Accuracy against steps from each start."""
    budgets = (0, *steps)
    best = accuracy[BAYES_MIXTURE, 0, MIXTURE].interval()
    found = {(arm, k): accuracy[arm, k, MIXTURE].interval() for arm in ARMS for k in budgets}
    table = lab.interval_rows({(arm, f"{k:,}"): interval for (arm, k), interval in found.items()}, "arm steps")
    figure, axes = lab.grid(1, 2, width=9.8, height=4.6)
    for axis, (bottom, top), title in zip(
        axes[0], ((45, 101), (best.value - 6, best.value + 1)), ("whole scale", "near the ceiling"), strict=True
    ):
        lab.draw_lines(axis, table, x="steps", by="arm", styles=START_STYLES)
        lab.draw_levels(axis, {BAYES_MIXTURE: best.value, "chance": 50}, START_STYLES)
        axis.set_ylim(bottom, top)
        axis.set_xlim(-0.25, len(budgets) - 0.75)
        axis.set_xlabel("training steps on the mixture")
        axis.set_title(title, loc="left", fontsize=10)
    axes[0][0].set_ylabel("accuracy (%), mean over n >= 1")
    lab.shared_legend(figure, axes[0][0], 5)
    rows = [[arm, *(lab.cell(found[arm, k]) for k in budgets)] for arm in ARMS]
    gaps = [(accuracy[CONSTRUCTED, k, MIXTURE] - accuracy[RANDOM, k, MIXTURE]).interval() for k in budgets]
    rows.append(["as ProtoNet minus at random", *(lab.cell(gap, sign=True) for gap in gaps)])
    return lab.Section(
        "What a construction is worth as a start",
        [
            "The first transformer is written to be ProtoNet on the inputs themselves, the nearest-class-mean rule, with spare width and"
            " hidden units, and then trained on the mixture. The second has the same architecture (2 blocks, of the attention kinds that"
            " ProtoNet needs, no normalisation) and random weights. The third is the in-context model of the other studies, of 6"
            " standard blocks. All see the same tasks for the same number of steps; each number of steps is a training of its own,"
            " whose learning rate falls to zero at its end.",
            f"The Bayes predictor of the mixture, the ceiling, has {best.value:.2f} % ({best.low:.2f} to {best.high:.2f}) on"
            f" {best.n_tasks:,} of these tasks.",
        ],
        [
            lab.Figure(
                "starts",
                figure,
                "Accuracy on new tasks of the mixture after trainings of growing length, from each start. Bands: 95 % intervals.",
                "Accuracy against training steps for three starts, between chance at 50 percent and the Bayes predictor; the table has"
                " the numbers.",
            )
        ],
        [
            lab.Table(
                "Accuracy in %, mean over n >= 1, with 95 % interval", ["", *(f"{k:,} steps" for k in budgets)], rows
            )
        ],
    )
