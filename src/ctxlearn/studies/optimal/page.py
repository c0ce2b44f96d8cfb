"""Figures and words of the study `optimal`."""

from __future__ import annotations

import numpy as np

from ctxlearn.evaluation.curves import task_interval
from ctxlearn.evaluation.statistics import mean_interval
from ctxlearn.studies.arms import BAYES_FAMILY, BAYES_MIXTURE, CAUSAL, FAMILIES, GRADIENT, HOME, ICL, MIXTURE
from ctxlearn.studies.base import Figure, Section, Table, percent
from ctxlearn.studies.claims import Claim
from ctxlearn.studies.drawing import draw_accuracy, label, new_figure
from ctxlearn.studies.scores import Scores


def headline(claims: list[Claim], scores: Scores) -> str:
    def tally(group: str) -> str:
        part = [c for c in claims if c.group == group]
        held = sum(c.verdict == "holds" for c in part)
        return f"all {held}" if held == len(part) else f"{held} of {len(part)}"

    mixed = ", ".join(f"{scores.per_task(ICL, MIXTURE, family).mean():.1f} % on {family}" for family in FAMILIES)
    return (
        f"Trained on one family, it is at least as good as the learner made for it in {tally('single-family')} comparisons;"
        f" trained on the mixture, in {tally('mixture')} ({mixed}, averaged over context lengths)."
        f" Against itself trained on one family, the mixture costs it clearly less than 1 point in {tally('icl-keeps')} families"
        ' (what it costs, and why, is under "How far from optimal").'
        f" Classical learners lose by the mixture in {tally('classical-loss')} cases and away from home in"
        f" {tally('off-family')}."
    )


def figure_section(scores: Scores) -> Section:
    figures = []
    for family in FAMILIES:
        figure, axes = new_figure(2, 1, width=4.6, height=7.4)
        matched = [name for name, home in HOME.items() if home == family]
        references = {name: scores.curve(name, "", family) for name in ("LogisticRegression", "NearestNeighbor")}
        ceilings = {
            place: {name: scores.curve(name, "", family)}
            for place, name in ((family, BAYES_FAMILY), (MIXTURE, BAYES_MIXTURE))
        }
        above = {name: scores.curve(name, family, family) for name in (*matched, ICL)}
        below = {name: scores.curve(name, MIXTURE, family) for name in (*HOME, GRADIENT, CAUSAL, ICL)}
        for axis, place, curves, title in (
            (axes[0][0], family, above, f"{family} tasks\ntrained on this family alone"),
            (axes[1][0], MIXTURE, below, f"{family} tasks\ntrained on the mixture of three families"),
        ):
            draw_accuracy(axis, {**references, **ceilings[place], **curves}, title=title, chance=0.5, bold=(ICL,))
            axis.set_ylim(47, 101)
            axis.legend(loc="lower right", fontsize=8)
        best = percent(float(scores.values[ICL, MIXTURE, family][..., 1:].mean()))
        figures.append(
            Figure(
                f"accuracy-{family}",
                figure,
                f"{family}: above, learners trained on this family alone; below, trained on the mixture. Bands: 95 % intervals.",
                f"Two charts of accuracy against context length on {family} tasks. Trained on the mixture, the in-context"
                f" model averages {best} percent, against chance at 50 percent.",
            )
        )
    columns = ["learner", "trained on", *FAMILIES]
    rows = []
    places = [*FAMILIES, MIXTURE, ""]
    for learner, trained_on in sorted(
        dict.fromkeys((k[0], k[1]) for k in scores.values), key=lambda k: places.index(k[1])
    ):
        row = [label(learner), trained_on or "nothing (no parameters)"]
        for family in FAMILIES:
            if (learner, trained_on, family) in scores.values:
                interval = mean_interval(scores.per_task(learner, trained_on, family))
                row.append(f"{interval.value:.2f} ({interval.low:.2f} to {interval.high:.2f})")
            else:
                row.append("not measured")
        rows.append(row)
    return Section(
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
        [Table("Accuracy in %, mean over context lengths from 1 on, with 95 % interval", columns, rows)],
    )


def regret_section(scores: Scores) -> Section:
    """How far the in-context model stays behind the best possible predictor, at each context length."""
    figure, axes = new_figure(1, len(FAMILIES), width=9.6, height=3.4)
    rows = []
    for axis, family in zip(axes[0], FAMILIES, strict=True):
        for trained_on, oracle, colour in ((family, BAYES_FAMILY, "#56B4E9"), (MIXTURE, BAYES_MIXTURE, "#0072B2")):
            best = scores.values[oracle, "", family]
            regret = 100 * (best - scores.values[ICL, trained_on, family][:, : best.shape[1]])
            flat = regret.reshape(-1, regret.shape[-1])
            low, high = task_interval(flat, bounded=False)
            lengths = np.arange(flat.shape[1])
            words = "trained on the mixture" if trained_on == MIXTURE else "trained on the family"
            axis.plot(lengths, flat.mean(0), color=colour, label=words)
            axis.fill_between(lengths, low, high, color=colour, alpha=0.2, linewidth=0)
            total = mean_interval(regret[..., 1:].mean(-1))
            shown = [f"{flat.mean(0)[n]:+.1f}" for n in (1, 4, len(lengths) // 3, len(lengths) - 1)]
            rows.append([f"{family}, {words}", f"{total.value:+.2f} ({total.low:+.2f} to {total.high:+.2f})", *shown])
        axis.axhline(0, color="black", linewidth=0.8)
        axis.set_title(f"{family} tasks", loc="left", fontsize=10)
        axis.set_xlabel("labelled points in the context, n")
    axes[0][0].set_ylabel("points of accuracy behind Bayes")
    axes[0][0].legend(fontsize=8)
    ends = (1, 4, len(lengths) // 3, len(lengths) - 1)
    parts = []
    for family in FAMILIES:
        own, mixed = (scores.per_task(name, "", family) for name in (BAYES_FAMILY, BAYES_MIXTURE))
        alone, together = (scores.per_task(ICL, place, family)[:, : own.shape[1]] for place in (family, MIXTURE))
        ceiling, training = own - mixed, (mixed - together) - (own - alone)
        intervals = [mean_interval(part) for part in (ceiling + training, ceiling, training)]
        parts.append([family, *(f"{i.value:+.2f} ({i.low:+.2f} to {i.high:+.2f})" for i in intervals)])
    loss = Table(
        "What the in-context model loses by training on the mixture, in points of accuracy with 95 % interval",
        [
            "",
            "loss",
            "of it the ceiling's: families must be told apart",
            "of it training's: regret that the same steps leave",
        ],
        parts,
    )
    return Section(
        "How far from optimal",
        [
            "The Bayes-optimal predictor of the training distribution knows how tasks are drawn and weighs all that fit the context:"
            " no learner can do better on average. A model trained on the mixture must also find out which family it is in, so its"
            " ceiling is the Bayes predictor of the mixture. Differences are paired on the same tasks.",
            "So what the model loses by the mixture has two parts: the ceiling is lower, whatever the training; and training that"
            " is split among three families leaves another regret than training on one.",
        ],
        [
            Figure(
                "regret",
                figure,
                "Accuracy that the in-context model lacks to the Bayes-optimal predictor of its training distribution; bands: 95 %"
                " intervals over tasks.",
                "Three charts of regret against context length, one a family; the table below has the numbers.",
            )
        ],
        [
            Table(
                "Regret in points of accuracy: mean over n >= 1 with 95 % interval, and at some n",
                ["", "mean", *(f"n = {n}" for n in ends)],
                rows,
            ),
            loss,
        ],
    )
