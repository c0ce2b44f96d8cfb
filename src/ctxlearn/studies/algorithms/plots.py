"""Figures and tables of the study `algorithms`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ctxlearn import lab
from ctxlearn.identification import Identification
from ctxlearn.studies import arms
from ctxlearn.studies.algorithms.claims import FACTORS, NOISES
from ctxlearn.studies.arms import FAMILIES

OTHER = "the other in-context model"


def restored(facts: Mapping[str, Any]) -> Identification:
    """An `Identification` from its facts and its results as lists."""
    return Identification.from_facts(facts, pd.DataFrame(facts["results"])[facts["columns"]])


def agreement_figure(agreed: lab.Samples) -> Figure:
    """Decisions of the models against those of every candidate."""
    models = agreed.values_of(1)
    styles = {**arms.STYLES, OTHER: lab.Style(lab.BLUE)}
    figure, axes = lab.grid(len(models), len(FAMILIES), width=3.5 * len(FAMILIES), height=3.3 * len(models))
    for row, model in zip(axes, models, strict=True):
        for axis, family in zip(row, FAMILIES, strict=True):
            curves = agreed.part(family, model).curves("candidate").query("n_context > 0")
            curves = curves.replace({"candidate": dict.fromkeys(models, OTHER)})
            lab.draw_lines(axis, curves, x="n_context", by="candidate", styles=styles, scale=100)
            lab.draw_levels(axis, {"chance": 50})
            lab.name_axes(axis, arms.N_LABELLED, title=f"{model}\nshown {family} tasks", y_range=(47, 101))
        row[0].set_ylabel("equal decisions (%)")
    lab.shared_legend(figure, axes[0][0], 4)
    return figure


def agreement_table(agreed: lab.Samples) -> list[dict[str, str]]:
    """One row per model and family that it is shown."""
    percent, candidates = agreed.averaged(100), agreed.values_of(2)
    return [
        {"": f"{model}, shown {family}"}
        | {
            lab.label(name, arms.STYLES): lab.cell(percent[family, model, name], 1) if name != model else "itself"
            for name in candidates
        }
        for model in agreed.values_of(1)
        for family in FAMILIES
    ]


def identified_table(found: Mapping[str, Identification], lengths: Sequence[int]) -> list[dict[str, str]]:
    """What `identify` says of both models, by the family they are shown."""
    rows = []
    for name, identification in found.items():
        verdicts = {n: identification.verdict(n) for n in lengths}
        words = {n: f"{'' if v.accepted else 'none, nearest: '}{' or '.join(v.members)}" for n, v in verdicts.items()}
        rows.append({"": name, **{f"n = {n}": nearest for n, nearest in words.items()}})
    return rows


def ridge_figure(regressions: Mapping[str, Identification], distances: lab.Samples) -> Figure:
    """Linear regression: which ridge penalty, and the distance to each candidate."""
    figure, axes = lab.grid(1, 1 + len(regressions), width=3.6 * (1 + len(regressions)), height=3.8)
    first = axes[0][0]
    shown = {(f"noise {s:g}", factor * s**2): distances[s, factor] for s in NOISES for factor in FACTORS}
    lab.draw_lines(first, lab.interval_rows(shown, "noise penalty"), x="penalty", by="noise")
    for noise in NOISES:
        first.axvline(noise**2, color=lab.CHANCE.colour, linestyle="--", linewidth=1)
    penalty = "ridge penalty (dashed: matched to the noise)"
    lab.name_axes(first, penalty, "squared difference of predictions / d", title="which ridge is it?", log="xy")
    lab.legend_below(first)
    for axis, (name, one) in zip(axes[0][1:], regressions.items(), strict=True):
        for candidate, part in one.results.groupby("candidate", sort=True):  # so both panels have the same colours
            axis.plot(part["n_context"], part["squared_difference"], marker=".", label=str(candidate))
        lab.name_axes(axis, arms.N_LABELLED, "squared difference of predictions", title=name, log="y")
    lab.shared_legend(figure, axes[0][-1], 7)
    return figure


def penalty_table(regressions: Mapping[str, Identification], distances: lab.Samples) -> list[dict[str, str]]:
    """The nearest penalty of those tried, and those that `identify` fitted."""
    rows = []
    for noise in NOISES:
        means = {factor * noise**2: distances[noise, factor].mean() for factor in FACTORS}
        best = min(means, key=lambda penalty: means[penalty])
        rows.append((f"{noise:g}", f"{noise**2:g}", f"{best:g}", f"{means[best]:.2e}"))
    for name, one in regressions.items():
        noise_words = name.split("noise ")[1]
        rows += [(noise_words, f"fitted by identify: {what}", f"{value:.4g}", "") for what, value in one.fitted.items()]
    columns = ("noise", "matched", "nearest", "difference")
    return [dict(zip(columns, row, strict=True)) for row in rows]


def difference_table(one: Identification) -> list[dict[str, str]]:
    """Both measures of Akyurek et al. for each candidate and context length."""
    columns = ["squared_difference", "weight_difference"]
    wide = one.results.pivot_table(index="candidate", columns="n_context", values=columns)
    lengths = list(dict.fromkeys(one.results["n_context"]))
    return [
        {"candidate": str(name)}
        | {f"n = {n}": " / ".join(f"{wide.loc[name, (column, n)]:.3g}" for column in columns) for n in lengths}
        for name in wide.index
    ]


def results_table(found: Mapping[str, Identification]) -> pd.DataFrame:
    """Every identification's table, with the model's name."""
    return pd.concat([one.results.assign(model=name) for name, one in found.items()], ignore_index=True)
