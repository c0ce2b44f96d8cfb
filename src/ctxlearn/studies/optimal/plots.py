"""Figures and tables of the study `optimal`."""

from __future__ import annotations

from matplotlib.figure import Figure

from ctxlearn import lab
from ctxlearn.studies import arms
from ctxlearn.studies.arms import BAYES_FAMILY, BAYES_MIXTURE, FAMILIES, ICL, MIXTURE

WORDS = {"family": "trained on the family", MIXTURE: "trained on the mixture"}


def accuracy_table(accuracy: lab.Samples) -> list[dict[str, str]]:
    """One row per learner and what it was trained on."""
    places = [*FAMILIES, MIXTURE, ""]
    pairs = dict.fromkeys((str(key[0]), str(key[1])) for key in accuracy)
    return [
        {
            "learner": lab.label(name, arms.STYLES),
            "trained on": place or "nothing (no parameters)",
            **{
                f: lab.cell(accuracy[name, place, f]) if (name, place, f) in accuracy else "not measured"
                for f in FAMILIES
            },
        }
        for name, place in sorted(pairs, key=lambda pair: places.index(pair[1]))
    ]


def accuracy_figure(scores: lab.Samples, family: str) -> Figure:
    """Accuracy at every context length, trained on one family and on the mixture."""
    matched = [name for name, home in arms.HOME.items() if home == family]
    rules = [("LogisticRegression", ""), ("NearestNeighbor", "")]
    alone = [(BAYES_FAMILY, ""), *((name, family) for name in (*matched, ICL))]
    mixed = [(BAYES_MIXTURE, ""), *((name, MIXTURE) for name in (*arms.HOME, arms.GRADIENT, arms.CAUSAL, ICL))]
    panels = {"trained on this family alone": alone, "trained on the mixture of three families": mixed}
    figure, axes = lab.grid(1, 2, width=8.6, height=4.9)
    for axis, (title, shown) in zip(axes[0], panels.items(), strict=True):
        curves = lab.Samples({arm: scores[*arm, family] for arm in rules + shown}).curves("learner", "trained on")
        lab.draw_lines(axis, curves, x="n_context", by="learner", styles=arms.STYLES, scale=100)
        lab.draw_levels(axis, {"chance": 50})
        lab.name_axes(axis, arms.N_LABELLED, title=f"{family} tasks\n{title}", y_range=(47, 101))
        lab.legend_below(axis)
    axes[0][0].set_ylabel("accuracy on the next point (%)")
    return figure


def regrets(scores: lab.Samples) -> lab.Samples:
    """By family and "family" or "mixture", what it was trained on: points behind Bayes at each context length."""
    found = {}
    for family in FAMILIES:
        for words, place, oracle in (("family", family, BAYES_FAMILY), (MIXTURE, MIXTURE, BAYES_MIXTURE)):
            best = scores[oracle, "", family]
            found[family, words] = 100 * (best - scores[ICL, place, family].first(best.n_tasks))
    return lab.Samples(found)


def regret_figure(regret: lab.Samples) -> Figure:
    """How far the in-context model stays behind the best possible predictor, at each context length."""
    return lab.lines(
        regret.curves("family", "training", bounded=False).replace({"training": WORDS}),
        x="n_context",
        by="training",
        panel="family",
        styles={"trained on the family": lab.Style(lab.SKY), "trained on the mixture": lab.Style(lab.BLUE)},
        levels={"Bayes": 0},
        title=lambda family: f"{family} tasks",
        x_label=arms.N_LABELLED,
        y_label="points of accuracy behind Bayes",
        size=(3.2, 3.2),
    )


def regret_table(regret: lab.Samples) -> list[dict[str, str]]:
    """The mean over lengths, and some of them."""
    rows = []
    for (family, training), found in regret.items():
        means = found.values.mean((0, 1))
        lengths = (1, 4, len(means) // 3, len(means) - 1)
        some = {f"n = {n}": f"{means[n]:+.1f}" for n in lengths}
        rows.append({"": f"{family}, {WORDS[str(training)]}", "mean": lab.cell(found.averaged(), sign=True), **some})
    return rows


def lost_table(regret: lab.Samples, accuracy: lab.Samples) -> list[dict[str, str]]:
    """What the mixture costs the in-context model, and for which of two reasons."""
    rows = []
    for family in FAMILIES:
        ceiling = accuracy[BAYES_FAMILY, "", family] - accuracy[BAYES_MIXTURE, "", family]
        training = regret[family, MIXTURE].averaged() - regret[family, "family"].averaged()
        parts = {
            "loss": ceiling + training,
            "of it the ceiling's: families must be told apart": ceiling,
            "of it training's: regret that the same steps leave": training,
        }
        rows.append({"": family, **{words: lab.cell(part, sign=True) for words, part in parts.items()}})
    return rows
