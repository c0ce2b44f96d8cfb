"""Figures and words of the study `optimal`."""

from __future__ import annotations

import pandas as pd

from ctxlearn import lab
from ctxlearn.studies.arms import BAYES_FAMILY, BAYES_MIXTURE, CAUSAL, FAMILIES, GRADIENT, HOME, ICL, MIXTURE, STYLES


def headline(claims: list[lab.Claim], accuracy: lab.Samples) -> str:
    """What came out, in words made from the claims."""

    def tally(group: str) -> str:
        part = [c for c in claims if c.group == group]
        held = sum(c.verdict == "holds" for c in part)
        return f"all {held}" if held == len(part) else f"{held} of {len(part)}"

    mixed = ", ".join(f"{accuracy[ICL, MIXTURE, family].mean():.1f} % on {family}" for family in FAMILIES)
    return (
        f"Trained on one family, it is at least as good as the learner made for it in {tally('single-family')} comparisons;"
        f" trained on the mixture, in {tally('mixture')} ({mixed}, averaged over context lengths)."
        f" Against itself trained on one family, the mixture costs it clearly less than 1 point in {tally('icl-keeps')} families"
        ' (what it costs, and why, is under "How far from optimal").'
        f" Classical learners lose by the mixture in {tally('classical-loss')} cases and away from home in"
        f" {tally('off-family')}."
    )


def figure_section(scores: lab.Samples, accuracy: lab.Samples) -> lab.Section:
    """Accuracy at every context length, trained on one family and on the mixture."""
    figures = [_accuracy_figure(scores, accuracy, family) for family in FAMILIES]
    columns = ["learner", "trained on", *FAMILIES]
    places = [*FAMILIES, MIXTURE, ""]
    arms = sorted(dict.fromkeys(key[:2] for key in accuracy), key=lambda arm: places.index(str(arm[1])))
    rows = [
        [lab.label(str(name), STYLES), str(trained_on or "nothing (no parameters)")]
        + [
            lab.cell(accuracy[name, trained_on, family].interval())
            if (name, trained_on, family) in accuracy
            else "not measured"
            for family in FAMILIES
        ]
        for name, trained_on in arms
    ]
    return lab.Section(
        "Accuracy against the number of labelled points",
        [
            "Every learner predicts point n + 1 of a task from its first n points. The learner made for a family encodes that"
            " family's rule: MatchNet compares with each labelled point, ProtoNet with each class's mean, CNP with one"
            " average of the context; MAML, made for none of them, takes five gradient steps on it from trained weights."
            " 1-nearest neighbour and logistic regression have no trained parameters.",
            "The in-context transformer reads the context as a set. The causal one is what a language model is: it reads x, y,"
            " x, y, ... in order, each token seeing only those before it, and is trained to predict every label on its way.",
            "The paper's variant of MatchNet sums cosine similarities where the textbook one takes a softmax over the points.",
        ],
        figures,
        [lab.Table("Accuracy in %, mean over context lengths from 1 on, with 95 % interval", columns, rows)],
    )


def _accuracy_figure(scores: lab.Samples, accuracy: lab.Samples, family: str) -> lab.Figure:
    matched = [name for name, home in HOME.items() if home == family]
    rules = [("LogisticRegression", ""), ("NearestNeighbor", "")]
    panels = {
        f"{family} tasks\ntrained on this family alone": [
            *rules, (BAYES_FAMILY, ""), *((name, family) for name in (*matched, ICL))
        ],
        f"{family} tasks\ntrained on the mixture of three families": [
            *rules, (BAYES_MIXTURE, ""), *((name, MIXTURE) for name in (*HOME, GRADIENT, CAUSAL, ICL))
        ],
    }  # fmt: skip
    figure, axes = lab.grid(1, 2, width=8.6, height=4.9)
    for axis, (title, arms) in zip(axes[0], panels.items(), strict=True):
        shown = lab.Samples({arm: scores[*arm, family] for arm in arms}).curves("learner", "trained on")
        lab.draw_lines(axis, shown, x="n_context", by="learner", styles=STYLES, scale=100)
        lab.draw_levels(axis, {"chance": 50})
        axis.set_title(title, loc="left", fontsize=10)
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
    regrets, rows = [], []
    for family in FAMILIES:
        for trained_on, oracle in ((family, BAYES_FAMILY), (MIXTURE, BAYES_MIXTURE)):
            best = scores[oracle, "", family]
            regret = 100 * (best - scores[ICL, trained_on, family].first(best.n_tasks))
            words = "trained on the mixture" if trained_on == MIXTURE else "trained on the family"
            curve = regret.curve(bounded=False)
            regrets.append(curve.assign(family=family, training=words))
            ends = (1, 4, len(curve) // 3, len(curve) - 1)
            means = [f"{curve['mean'][n]:+.1f}" for n in ends]
            rows.append([f"{family}, {words}", lab.cell(regret.averaged().interval(), sign=True), *means])
    drawing = lab.lines(
        pd.concat(regrets),
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
    parts = []
    for family in FAMILIES:
        own, mixed = (accuracy[name, "", family] for name in (BAYES_FAMILY, BAYES_MIXTURE))
        alone, together = (accuracy[ICL, place, family].first(own.n_tasks) for place in (family, MIXTURE))
        ceiling, training = own - mixed, (mixed - together) - (own - alone)
        intervals = [part.interval() for part in (ceiling + training, ceiling, training)]
        parts.append([family, *(lab.cell(interval, sign=True) for interval in intervals)])
    loss = lab.Table(
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
            "The Bayes-optimal predictor of the training distribution knows how tasks are drawn and weighs all that fit the context:"
            " no learner can do better on average. A model trained on the mixture must also find out which family it is in, so its"
            " ceiling is the Bayes predictor of the mixture. Differences are paired on the same tasks.",
            "So what the model loses by the mixture has two parts: the ceiling is lower, whatever the training; and training that"
            " is split among three families leaves another regret than training on one.",
        ],
        [
            lab.Figure(
                "regret",
                drawing,
                "Accuracy that the in-context model lacks to the Bayes-optimal predictor of its training distribution; bands: 95 %"
                " intervals.",
                "Three charts of regret against context length, one per family; the table below has the numbers.",
            )
        ],
        [
            lab.Table(
                "Regret in points of accuracy: mean over n >= 1 with 95 % interval, and at some n",
                ["", "mean", *(f"n = {n}" for n in ends)],
                rows,
            ),
            loss,
        ],
    )
