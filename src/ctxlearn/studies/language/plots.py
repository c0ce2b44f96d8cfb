"""Figures and tables of the study of language models."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ctxlearn import lab
from ctxlearn.identification import Identification
from ctxlearn.language.sensitivity import variance_shares
from ctxlearn.studies import arms
from ctxlearn.studies.arms import BAYES_FAMILY, FAMILIES, ICL, STYLES
from ctxlearn.studies.language.claims import over
from ctxlearn.studies.language.settings import BASE, DIGITS, HELD_OUT, META, SCALE, SHOWN
from ctxlearn.studies.regions import POINT_COLOURS

BINS = ((1, 2), (3, 4), (5, 8), (9, 16), (17, 32), (33, 64))
LOOKS = {
    BASE: lab.Style(lab.ORANGE, "--", marker="o", label="language model as it comes", width=2.0, order=3),
    META: lab.Style(lab.ORANGE, marker="o", label="meta-trained language model", width=2.0, order=3),
    ICL + DIGITS: STYLES[ICL].called(f"our in-context model{DIGITS}"),
    "1-NN" + DIGITS: STYLES["NearestNeighbor"].called(f"1-NN{DIGITS}"),
    "logistic regression" + DIGITS: STYLES["LogisticRegression"].called(f"logistic regression{DIGITS}"),
    BAYES_FAMILY: STYLES[BAYES_FAMILY],
}
MAPPED = (BASE, META, ICL + DIGITS, BAYES_FAMILY)
RESAMPLES = 500


def _ranges(score: lab.Samples) -> list[tuple[int, int]]:
    """The ranges of context lengths that were measured."""
    longest = next(iter(score.values())).values.shape[-1] - 1
    return [(low, min(high, longest)) for low, high in BINS if low <= longest]


def accuracy_figure(score: lab.Samples) -> Figure:
    """A panel per family: accuracy in % by range of context lengths."""
    found = {
        (who, family, f"{low}-{high}"): one.averaged(slice(low, high + 1)).interval()
        for (who, family), one in score.items()
        for low, high in _ranges(score)
        if who in LOOKS
    }
    return lab.lines(
        lab.interval_rows(found, "learner family n"), x="n", by="learner", panel="family", styles=LOOKS, spread="bars",
        apart=0.06, levels={"chance": 50}, y_range=(35, 101), x_label=arms.N_LABELLED, y_label="accuracy (%)", legend_columns=3,
    )  # fmt: skip


def accuracy_table(score: lab.Samples, bits: lab.Samples) -> list[dict[str, str]]:
    """One row per learner."""
    rows = []
    for who in score.values_of(0):
        row = {"learner": str(who)}
        for low, high in _ranges(score):
            ranged = lab.average([score[who, family].averaged(slice(low, high + 1)) for family in FAMILIES])
            row[f"n = {low}-{high}"] = f"{ranged.mean():.1f}"
        row |= {"n >= 1": lab.cell(over(score, who), 1), HELD_OUT: lab.cell(score[who, HELD_OUT].averaged(), 1)}
        finite = np.isfinite(over(bits, who).values).all()  # majority is as sure as can be, and wrong
        rows.append({**row, "bits per label": lab.cell(over(bits, who)) if finite else "unbounded"})
    return rows


def identified_figure(found: Identification, n: int) -> Figure:
    """Candidates by their likeness."""
    table = found.results[found.results["n_context"] == n].rename(columns={"total": "mean"})
    return lab.forest(table, by="candidate", x_label=f"likeness (1: the same), n = {n}", width=6.0)


def maps_figure(numbers: lab.Numbers) -> Figure:
    """Learners by families."""
    figure, axes = lab.grid(len(MAPPED), len(SHOWN), width=2.3 * len(SHOWN), height=2.3 * len(MAPPED))
    for who, row in zip(MAPPED, axes, strict=True):
        for family, axis in zip(SHOWN, row, strict=True):
            told, x, y = (numbers.array(who, family, "map", name=part)[0] for part in ("map", "x", "y"))
            side = np.linspace(-SCALE, SCALE, len(told))
            looks: Any = {
                "cmap": "PuOr_r",
                "vmin": 0,
                "vmax": 1,
                "shading": "nearest",
                "rasterized": True,
                "alpha": 0.6,
            }
            with mpl.rc_context(lab.RC):
                axis.grid(False)
                axis.pcolormesh(side, side, told.T, **looks)
                for c, colour in enumerate(POINT_COLOURS):
                    axis.scatter(x[y == c, 0], x[y == c, 1], s=9, color=colour, edgecolor="black", linewidth=0.4)
            axis.set(xlim=(-SCALE, SCALE), ylim=(-SCALE, SCALE), xticks=[], yticks=[])
            axis.set_title(family if row is axes[0] else "", fontsize=9)
        row[0].set_ylabel(who, fontsize=8)
    return figure


def shares_table(numbers: lab.Numbers) -> list[dict[str, str]]:
    """One row per model."""
    rows, generator = [], np.random.default_rng(0)
    for who in (BASE, META):
        values = np.concatenate(list(numbers["varied bits"][who, "varied"].values))  # tasks of all seeds
        drawn = [generator.integers(len(values), size=len(values)) for _ in range(RESAMPLES)]
        ends = pd.DataFrame([variance_shares(values[tasks]) for tasks in drawn]).quantile([0.025, 0.975])
        row = {"model": who}
        for name, share in variance_shares(values).items():
            row[name] = f"{share:.2f} ({ends[name].iloc[0]:.2f} to {ends[name].iloc[1]:.2f})"
        settings = 100 * numbers["varied accuracy"][who, "varied"].values.mean((0, 1, 4))
        rows.append({**row, "accuracy": f"{settings.min():.1f} to {settings.max():.1f}"})
    return rows


def formats_table(tried: pd.DataFrame) -> list[dict[str, str]]:
    """One row per format and context length; those that the model's tokens refuse are left out."""
    usable = tried[tried["refused"] == ""]
    return [
        {"format": row["format"], "n": str(row["n_context"]), "tokens": f"{row['tokens']:.0f}"}
        | {name: f"{row[name]:.3f}" for name in ("score", "loss", "loss_se", "label_mass")}
        for row in usable.to_dict("records")
    ]
