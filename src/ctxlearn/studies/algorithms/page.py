"""Figures and words of the study `algorithms`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ctxlearn import lab
from ctxlearn.identification import Identification
from ctxlearn.studies.arms import FAMILIES, STYLES


def restored(facts: Mapping[str, Any]) -> Identification:
    """An `Identification` from its facts and its results as lists."""
    return Identification.from_facts(facts, pd.DataFrame(facts["results"])[facts["columns"]])


OTHER = "the other in-context model"


def agreement_section(agreed: lab.Samples) -> lab.Section:
    """Decisions of the models against those of every candidate."""
    models = list(dict.fromkeys(str(key[1]) for key in agreed))
    candidates = list(dict.fromkeys(str(key[2]) for key in agreed))
    figure, axes = lab.grid(len(models), len(FAMILIES), width=3.5 * len(FAMILIES), height=3.3 * len(models))
    rows = []
    for i, model in enumerate(models):
        styles = {**STYLES, OTHER: lab.Style(lab.BLUE)}
        for j, family in enumerate(FAMILIES):
            own = lab.Samples({key[2:]: one for key, one in agreed.items() if key[:2] == (family, model)})
            curves = own.curves("candidate")
            curves["candidate"] = curves["candidate"].replace(dict.fromkeys(models, OTHER))
            axis = axes[i][j]
            shown = curves[curves["n_context"] > 0]
            lab.draw_lines(axis, shown, x="n_context", by="candidate", styles=styles, scale=100)
            lab.draw_levels(axis, {"chance": 50})
            axis.set_title(f"{model}\nshown {family} tasks", loc="left", fontsize=10)
            axis.set_xlabel("labelled points in the context, n")
            axis.set_ylim(47, 101)
            cells = [lab.cell((100 * own[c].averaged()).interval(), 1) if (c,) in own else "itself" for c in candidates]
            rows.append([f"{model}, shown {family}", *cells])
        axes[i][0].set_ylabel("equal decisions (%)")
    lab.shared_legend(figure, axes[0][0], 4)
    return lab.Section(
        "Whose decisions does it make?",
        [
            "Both the in-context model and a candidate answer the next point of the same tasks; how often do they say the same?"
            " Two good predictors agree often, whatever they do, so it is differences that count: where the Bayes predictor and"
            " the learner made for the family disagree, with whom does the model side? The claims above are about that.",
        ],
        [
            lab.Figure(
                "agreement",
                figure,
                "Share of equal decisions with each candidate; bands: 95 % intervals. Above, the model trained on the"
                " family it is shown; below, the model of the mixture.",
                "Six charts of agreement against context length; the table below has the numbers.",
            )
        ],
        [
            lab.Table(
                "Equal decisions in %, mean over n >= 1, with 95 % interval",
                ["", *(lab.label(name, STYLES) for name in candidates)],
                rows,
            )
        ],
    )


def identified_section(found: Mapping[str, Identification], lengths: Sequence[int]) -> lab.Section:
    """`identify` on both models, by the family they are shown."""
    figures, rows = [], []
    for name, identification in found.items():
        if identification.n_classes is None:
            continue
        rows.append([name, *(_words(identification, n) for n in lengths)])
        figures.append(
            lab.Figure(
                "identified-" + name.replace(", shown ", "-").replace(" ", "-"),
                identification.figure(),
                f"{name}: how much its scores, their changes with the labels and their slopes are those of each candidate.",
                f"A table of candidates by context lengths for the {name}; best at n = {lengths[-1]}:"
                f" {' or '.join(identification.verdict(lengths[-1]).members)}.",
            )
        )
    return lab.Section(
        "Named by its scores",
        [
            "Decisions leave out how sure a predictor is. Here the scores themselves are compared: their ranks over contexts and"
            " queries, how they change when one label is changed, how they differ within a context, and their slopes. Frames"
            " mark the best candidate and those that cannot be told from it; a dashed frame means that even the best does not"
            " explain the model well enough to say that it runs that algorithm: none of these.",
        ],
        figures,
        [
            lab.Table(
                "Nearest candidates by context length ('none, nearest': not accepted)",
                ["", *(f"n = {n}" for n in lengths)],
                rows,
            )
        ],
    )


def _words(found: Identification, n: int) -> str:
    verdict = found.verdict(n)
    names = " or ".join(verdict.members)
    return names if verdict.accepted else f"none, nearest: {names}"


def ridge_section(
    found: Mapping[str, Identification],
    distances: lab.Samples,
    noises: Sequence[float],
    factors: Sequence[float],
) -> lab.Section:
    """Linear regression: which ridge penalty, and the two measures of Akyurek et al."""
    regressions = {name: one for name, one in found.items() if one.n_classes is None}
    figure, axes = lab.grid(1, 1 + len(regressions), width=3.6 * (1 + len(regressions)), height=3.8)
    first = axes[0][0]
    rows = []
    intervals = {
        (f"noise {noise:g}", f * noise**2): distances[noise, f].interval() for noise in noises for f in factors
    }
    lab.draw_lines(first, lab.interval_rows(intervals, "noise penalty"), x="penalty", by="noise")
    for noise in noises:
        first.axvline(noise**2, color=lab.CHANCE.colour, linestyle="--", linewidth=1)
        means = {factor * noise**2: distances[noise, factor].mean() for factor in factors}
        best = min(means, key=lambda penalty: means[penalty])
        rows.append([f"{noise:g}", f"{noise**2:g}", f"{best:g}", f"{means[best]:.2e}"])
    first.set_xscale("log")
    first.set_yscale("log")
    first.set_xlabel("ridge penalty (dashed: matched to the noise)")
    first.set_ylabel("squared difference of predictions / d")
    first.set_title("which ridge is it?", loc="left", fontsize=10)
    first.legend(fontsize=7)
    for axis, (name, one) in zip(axes[0][1:], regressions.items(), strict=True):
        for candidate, part in one.results.groupby("candidate", sort=True):  # so both panels have the same colours
            axis.plot(part["n_context"], part["squared_difference"], marker=".", label=str(candidate))
        axis.set_yscale("log")
        axis.set_xlabel("labelled points in the context, n")
        axis.set_ylabel("squared difference of predictions")
        axis.set_title(name.split(" on ")[1], loc="left", fontsize=10)
        for quantity, value in one.fitted.items():
            rows.append([name.split("noise ")[1], f"fitted by identify: {quantity}", f"{value:.4g}", ""])
    lab.shared_legend(figure, axes[0][-1], 7)
    tables = [
        lab.Table(
            "Nearest penalty of those tried, and fitted ones", ["noise", "matched", "nearest", "difference"], rows
        )
    ]
    for name, one in regressions.items():
        columns = ["squared_difference", "weight_difference"]
        wide = one.results.pivot_table(index="candidate", columns="n_context", values=columns)
        lengths = list(dict.fromkeys(one.results["n_context"]))
        tables.append(
            lab.Table(
                f"{name.split(' on ')[1]}: squared difference of predictions / of implicit weights (Akyurek et al. 2022)",
                ["candidate", *(f"n = {n}" for n in lengths)],
                [
                    [str(c), *(" / ".join(f"{wide.loc[c, (q, n)]:.3g}" for q in columns) for n in lengths)]
                    for c in wide.index
                ],
            )
        )
    return lab.Section(
        "Linear regression",
        [
            "With w standard normal and noise s the Bayes predictor is ridge regression with penalty s^2 on the sum of squares:"
            " a model that learned its distribution should be nearest to that penalty, and move with the noise.",
        ],
        [
            lab.Figure(
                "ridge",
                figure,
                "Left: distance from ridge regression against its penalty. Right: distance from each candidate against context"
                " length. Bands: 95 % intervals.",
                "Charts of squared differences of predictions; the tables below have the numbers.",
            )
        ],
        tables,
    )


def results_table(found: Mapping[str, Identification]) -> pd.DataFrame:
    """Every identification's table, with the model's name."""
    return pd.concat([one.results.assign(model=name) for name, one in found.items()], ignore_index=True)
