"""Figures and words of the study `algorithms`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ctxlearn.evaluation.curves import task_interval
from ctxlearn.evaluation.statistics import mean_interval
from ctxlearn.identification import Identification
from ctxlearn.studies.base import Figure, Section, Table
from ctxlearn.studies.drawing import COLOURS, STYLES, label, new_figure, shared_legend

if TYPE_CHECKING:
    from ctxlearn.studies.algorithms import Agreement


def agreement_section(agreed: Agreement) -> Section:
    """Decisions of the models against those of every candidate."""
    families = list(dict.fromkeys(key[0] for key in agreed.values))
    models = list(dict.fromkeys(key[1] for key in agreed.values))
    figure, axes = new_figure(len(models), len(families), width=3.5 * len(families), height=3.3 * len(models))
    rows = []
    for i, model in enumerate(models):
        for j, family in enumerate(families):
            axis = axes[i][j]
            row = [f"{model}, shown {family}"]
            candidates = [key[2] for key in agreed.values if key[:2] == (family, model)]
            for name in candidates:
                values = agreed.values[family, model, name]
                flat = 100 * values.reshape(-1, values.shape[-1])
                low, high = task_interval(flat, bounded=False)
                lengths = np.arange(1, flat.shape[1])
                colour = COLOURS.get(name, "#0072B2")
                words = "the other in-context model" if name in models else label(name)
                axis.plot(lengths, flat.mean(0)[1:], color=colour, linestyle=STYLES.get(name, "-"), label=words)
                axis.fill_between(lengths, low[1:], high[1:], color=colour, alpha=0.15, linewidth=0)
            axis.axhline(50, color=COLOURS["Chance"], linestyle=STYLES["Chance"], label="chance")
            axis.set_title(f"{model}\nshown {family} tasks", loc="left", fontsize=10)
            axis.set_xlabel("labelled points in the context, n")
            axis.set_ylim(47, 101)
            for name in _columns(agreed):
                if (family, model, name) in agreed.values:
                    found = mean_interval(agreed.per_task(family, model, name))
                    row.append(f"{found.value:.1f} ({found.low:.1f} to {found.high:.1f})")
                else:
                    row.append("itself")
            rows.append(row)
        axes[i][0].set_ylabel("equal decisions (%)")
    shared_legend(figure, axes[0][0], 4)
    return Section(
        "As whom does it decide?",
        [
            "Both the in-context model and a candidate answer the next point of the same tasks; how often do they say the same?"
            " Two good predictors agree often, whatever they do, so it is differences that count: where the Bayes predictor and"
            " the learner made for the family disagree, with whom does the model side? The claims above are about that.",
        ],
        [
            Figure(
                "agreement",
                figure,
                "Share of equal decisions with each candidate; bands: 95 % intervals over tasks. Above, the model trained on the"
                " family it is shown; below, the model of the mixture.",
                "Six charts of agreement against context length; the table below has the numbers.",
            )
        ],
        [
            Table(
                "Equal decisions in %, mean over n >= 1, with 95 % interval",
                ["", *(label(name) for name in _columns(agreed))],
                rows,
            )
        ],
    )


def _columns(agreed: Agreement) -> list[str]:
    return list(dict.fromkeys(key[2] for key in agreed.values))


def identified_section(found: Mapping[str, Identification], lengths: Sequence[int]) -> Section:
    """`identify` on both models, by the family they are shown."""
    figures, rows = [], []
    for name, identification in found.items():
        if identification.n_classes is None:
            continue
        rows.append([name, *(_words(identification, n) for n in lengths)])
        figures.append(
            Figure(
                "identified-" + name.replace(", shown ", "-").replace(" ", "-"),
                identification.figure(),
                f"{name}: how much its scores, their changes with the labels and their slopes are those of each candidate.",
                f"A table of candidates by context lengths for the {name}; best at n = {lengths[-1]}:"
                f" {' or '.join(identification.verdict(lengths[-1]).members)}.",
            )
        )
    return Section(
        "Named by its scores",
        [
            "Decisions leave out how sure a predictor is. Here the scores themselves are compared: their ranks over contexts and"
            " queries, how they change when one label is changed, how they differ within a context, and their slopes. Frames"
            " mark the best candidate and those that cannot be told from it; a dashed frame means that even the best does not"
            " explain the model well enough to say that it runs that algorithm: none of these.",
        ],
        figures,
        [
            Table(
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
    ridges: Mapping[tuple[float, float], np.ndarray],
    noises: Sequence[float],
    factors: Sequence[float],
) -> Section:
    """Linear regression: which ridge penalty, and the two measures of Akyurek et al."""
    regressions = {name: one for name, one in found.items() if one.n_classes is None}
    figure, axes = new_figure(1, 1 + len(regressions), width=3.6 * (1 + len(regressions)), height=3.8)
    first = axes[0][0]
    colours = ["#0072B2", "#D55E00", "#009E73"]
    rows = []
    for noise, colour in zip(noises, colours, strict=False):
        shown = [mean_interval(ridges[noise, factor]) for factor in factors]
        penalties = [factor * noise**2 for factor in factors]
        first.plot(penalties, [i.value for i in shown], color=colour, marker=".", label=f"noise {noise:g}")
        first.fill_between(
            penalties, [i.low for i in shown], [i.high for i in shown], color=colour, alpha=0.2, linewidth=0
        )
        first.axvline(noise**2, color=colour, linestyle="--", linewidth=1)
        best = int(np.argmin([i.value for i in shown]))
        rows.append([f"{noise:g}", f"{noise**2:g}", f"{penalties[best]:g}", f"{shown[best].value:.2e}"])
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
    shared_legend(figure, axes[0][-1], 7)
    tables = [
        Table("Nearest penalty of those tried, and fitted ones", ["noise", "matched", "nearest", "difference"], rows)
    ]
    for name, one in regressions.items():
        columns = ["squared_difference", "weight_difference"]
        wide = one.results.pivot_table(index="candidate", columns="n_context", values=columns)
        lengths = list(dict.fromkeys(one.results["n_context"]))
        tables.append(
            Table(
                f"{name.split(' on ')[1]}: squared difference of predictions / of implicit weights (Akyurek et al. 2022)",
                ["candidate", *(f"n = {n}" for n in lengths)],
                [
                    [str(c), *(" / ".join(f"{wide.loc[c, (q, n)]:.3g}" for q in columns) for n in lengths)]
                    for c in wide.index
                ],
            )
        )
    return Section(
        "Linear regression",
        [
            "With w standard normal and noise s the Bayes predictor is ridge regression with penalty s^2 on the sum of squares:"
            " a model that learned its distribution should be nearest to that penalty, and move with the noise.",
        ],
        [
            Figure(
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
