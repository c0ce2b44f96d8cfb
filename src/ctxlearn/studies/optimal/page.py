"""Figures and words of the study `optimal`."""

from __future__ import annotations

import pandas as pd

from ctxlearn import lab
from ctxlearn.studies.arms import BAYES_FAMILY, BAYES_MIXTURE, CAUSAL, FAMILIES, GRADIENT, HOME, ICL, MIXTURE, STYLES


def headline(claims: list[lab.Claim], accuracy: lab.Samples) -> str:
    """What came out, in words made from the claims."""

    def tally(group: str) -> str:
        held = [c.verdict == "holds" for c in claims if c.group == group]
        return f"all {len(held)}" if all(held) else f"{sum(held)} of {len(held)}"

    mixed = ", ".join(f"{accuracy[ICL, MIXTURE, family].mean():.1f} % on {family}" for family in FAMILIES)
    return (
        f"Trained on one family, it is at least as good as the learner made for it in {tally('single-family')} comparisons;"
        f" trained on the mixture, in {tally('mixture')} ({mixed}, averaged over context lengths)."
        f" The mixture costs it clearly less than 1 point in {tally('icl-keeps')} families"
        ' (see "How far from optimal"). Classical learners'
        f" lose by the mixture in {tally('classical-loss')} cases and away from home in {tally('off-family')}."
    )


def accuracy_section(scores: lab.Samples, accuracy: lab.Samples) -> lab.Section:
    """Accuracy at every context length, trained on one family and on the mixture."""
    shown = accuracy.intervals()
    places = [*FAMILIES, MIXTURE, ""]
    rows = [
        [lab.label(name, STYLES), place or "nothing (no parameters)"]
        + [lab.cell(shown[name, place, f]) if (name, place, f) in shown else "not measured" for f in FAMILIES]
        for name, place in sorted(
            dict.fromkeys((str(k[0]), str(k[1])) for k in shown), key=lambda a: places.index(a[1])
        )
    ]
    return lab.Section(
        "Accuracy against the number of labelled points",
        [
            "Every learner predicts point n + 1 of a task from its first n. The learner made for a family encodes its rule:"
            " MatchNet compares with each labelled point (the paper's variant sums cosine similarities where the textbook one"
            " takes a softmax over the points), ProtoNet with each class's mean, CNP with one average of the context. MAML, made"
            " for none, takes five gradient steps from trained weights. 1-nearest neighbour and logistic regression have no"
            " trained parameters.",
            "The in-context transformer reads the context as a set. The causal one is what a language model is: it reads x, y,"
            " x, y, ... in order, each token seeing only those before it, and learns to predict every label on its way.",
        ],
        [_accuracy_figure(scores, accuracy, family) for family in FAMILIES],
        [
            lab.Table(
                "Accuracy in %, mean over context lengths from 1 on, with 95 % interval",
                ["learner", "trained on", *FAMILIES],
                rows,
            )
        ],
    )


def _accuracy_figure(scores: lab.Samples, accuracy: lab.Samples, family: str) -> lab.Figure:
    matched = [name for name, home in HOME.items() if home == family]
    rules = [("LogisticRegression", ""), ("NearestNeighbor", "")]
    alone = [(BAYES_FAMILY, ""), *((name, family) for name in (*matched, ICL))]
    mixed = [(BAYES_MIXTURE, ""), *((name, MIXTURE) for name in (*HOME, GRADIENT, CAUSAL, ICL))]
    panels = {"trained on this family alone": alone, "trained on the mixture of three families": mixed}
    figure, axes = lab.grid(1, 2, width=8.6, height=4.9)
    for axis, (title, arms) in zip(axes[0], panels.items(), strict=True):
        shown = lab.Samples({arm: scores[*arm, family] for arm in rules + arms}).curves("learner", "trained on")
        lab.draw_lines(axis, shown, x="n_context", by="learner", styles=STYLES, scale=100)
        lab.draw_levels(axis, {"chance": 50})
        axis.set_title(f"{family} tasks\n{title}", loc="left", fontsize=10)
        axis.set_xlabel("labelled points in the context, n")
        axis.set_ylim(47, 101)
        lab.legend_below(axis)
    axes[0][0].set_ylabel("accuracy on the next point (%)")
    return lab.Figure(
        f"accuracy-{family}",
        figure,
        f"{family}: left, learners trained on this family alone; right, trained on the mixture. Bands: 95 % intervals.",
        f"Two charts of accuracy against context length on {family} tasks. Trained on the mixture, the in-context"
        f" model averages {accuracy[ICL, MIXTURE, family].mean():.1f} percent, against chance at 50 percent.",
    )


def regret_section(scores: lab.Samples, accuracy: lab.Samples) -> lab.Section:
    """How far the in-context model stays behind the best possible predictor, at each context length."""
    curves, rows, parts = [], [], []
    for family in FAMILIES:
        regrets = []
        for place, oracle in ((family, BAYES_FAMILY), (MIXTURE, BAYES_MIXTURE)):
            best = scores[oracle, "", family]
            regret = 100 * (best - scores[ICL, place, family].first(best.n_tasks))
            regrets.append(regret.averaged())
            words = "trained on the mixture" if place == MIXTURE else "trained on the family"
            curve = regret.curve(bounded=False)
            curves.append(curve.assign(family=family, training=words))
            lengths = (1, 4, len(curve) // 3, len(curve) - 1)
            means = [f"{curve['mean'][n]:+.1f}" for n in lengths]
            rows.append([f"{family}, {words}", lab.cell(regrets[-1].interval(), sign=True), *means])
        ceiling = accuracy[BAYES_FAMILY, "", family] - accuracy[BAYES_MIXTURE, "", family]
        training = regrets[1] - regrets[0]
        losses = (ceiling + training, ceiling, training)
        parts.append([family, *(lab.cell(loss.interval(), sign=True) for loss in losses)])
    drawing = lab.lines(
        pd.concat(curves),
        x="n_context",
        by="training",
        panel="family",
        styles={"trained on the family": lab.Style(lab.SKY), "trained on the mixture": lab.Style(lab.BLUE)},
        levels={"Bayes": 0},
        title=lambda family: f"{family} tasks",
        x_label="labelled points in the context, n",
        y_label="points of accuracy behind Bayes",
        size=(3.2, 3.2),
    )
    figure = lab.Figure(
        "regret",
        drawing,
        "Accuracy that the in-context model lacks to the Bayes-optimal predictor of its training distribution; bands: 95 %"
        " intervals.",
        "Three charts of regret against context length, one per family; the table below has the numbers.",
    )
    behind = lab.Table(
        "Regret in points of accuracy: mean over n >= 1 with 95 % interval, and at some n",
        ["", "mean", *(f"n = {n}" for n in lengths)],
        rows,
    )
    lost = lab.Table(
        "What the in-context model loses by training on the mixture, in points of accuracy with 95 % interval",
        [
            "",
            "loss",
            "of it the ceiling's: families must be told apart",
            "of it training's: regret that the same steps leave",
        ],
        parts,
    )
    return lab.Section(
        "How far from optimal",
        [
            "The Bayes-optimal predictor knows how the training distribution draws tasks and weighs all that fit the context: no"
            " learner does better on average. A model trained on the mixture must also find out which family it is in, so its"
            " ceiling is the mixture's Bayes predictor. Differences are paired on the same tasks.",
            "So what it loses by the mixture has two parts: the ceiling is lower, whatever the training; and training that is"
            " split among three families leaves another regret than training on one.",
        ],
        [figure],
        [behind, lost],
    )
