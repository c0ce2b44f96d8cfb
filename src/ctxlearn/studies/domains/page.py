"""Figures and tables of the study `domains`; `page.md` has its words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ctxlearn import lab
from ctxlearn.inner_loop.fine_tuning_search import Way
from ctxlearn.studies.domains.claims import decide_claims, passed
from ctxlearn.studies.domains.metrics import CHANCE, GIVEN, KNOWN, UNKNOWN, Measured
from ctxlearn.studies.domains.settings import CLASSIFICATION, GAIN, GATE, ICL, M2, REGRESSION, Part, Sizes

AXES = {REGRESSION: "excess squared error (units of y, squared)", CLASSIFICATION: "error rate (share of points)"}
CHANCES = {REGRESSION: "chance: answer 0", CLASSIFICATION: "chance: guess"}
WORDS = {ICL: "in-context learning", M2: "M2"}
STYLES = {
    ICL: lab.Style(lab.BLUE, marker="s", label=f"{WORDS[ICL]}, adapted"),
    M2: lab.Style(lab.ORANGE, marker="o", label=f"{WORDS[M2]}, adapted"),
    GIVEN: lab.Style(lab.BLACK, width=1.0),
    UNKNOWN: lab.Style(lab.BLACK, "--"),
    KNOWN: lab.Style(lab.BLACK, ":"),
    CHANCE: lab.Style(lab.GREY, "-."),
}
UNADAPTED = {arm: lab.Style(STYLES[arm].colour, "--", label=f"{WORDS[arm]}, not adapted") for arm in (ICL, M2)}


def page_of(sizes: Sizes, measured: Mapping[str, Measured], results: pd.DataFrame) -> lab.Page:
    """The page of what was measured on each kind of domains."""
    errors = {f"errors-{name}": _errors(part, measured[name]) for name, part in sizes.items()}
    ways = {f"ways-{name}": _ways(measured[name]) for name in sizes}
    return lab.page_from_template(
        Path(__file__).with_name("page.md"),
        decide_claims(sizes, measured),
        results,
        figures={f"domains-{name}": draw(name, part, measured[name]) for name, part in sizes.items()},
        tables={**errors, **ways},
        values={
            "sizes": sizes,
            "measured": measured,
            "seeds": len(measured[REGRESSION].validation.seeds),
            "passed": passed(sizes[REGRESSION], measured[REGRESSION]),
            "AXES": AXES,
            "GAIN": GAIN,
            "GATE": GATE,
            "REFERENCES": (KNOWN, UNKNOWN, CHANCE),
        },
        files={f"ways_{name}": found.ways for name, found in measured.items()},
    )


def _errors(part: Part, measured: Measured) -> list[dict[str, str]]:
    rows = []
    for size in (0, *part.sizes):
        given = f"{measured.mean(GIVEN, size).mean():.3f}" if (GIVEN, size) in measured.values else "not computed"
        rows.append(
            {
                "tasks adapted to": f"{size:,}" if size else "none",
                WORDS[ICL]: lab.cell(measured.mean(ICL, size).interval(), 3),
                WORDS[M2]: lab.cell(measured.mean(M2, size).interval(), 3),
                "difference, paired": lab.cell(measured.gain(size).interval(), 3),
                "Bayes given those tasks": given,
            }
        )
    return rows


def _ways(measured: Measured) -> pd.DataFrame:
    ways = measured.ways
    words = [Way(*way).words() for way in ways[list(Way._fields)].itertuples(index=False)]
    shown = {"seed": ways["seed"], "arm": ways["arm"], "tasks": ways["tasks"].map("{:,}".format), "way": words}
    return pd.DataFrame({**shown, "error": ways["validation"].map("{:.3f}".format)})


def draw(name: str, part: Part, measured: Measured) -> Figure:
    """The four curves, M2's advantage, and the error against context length."""
    figure, ((sizes, gains, lengths),) = lab.grid(1, 3, width=13.5, height=4.8)
    _draw_sizes(sizes, name, part, measured)
    _draw_gains(gains, name, part, measured)
    _draw_lengths(lengths, part, measured)
    adapted, log = "tasks of the domain adapted to", "y" if name == REGRESSION else ""
    lab.name_axes(sizes, adapted, AXES[name], title="four curves", log=log)
    advantage = f"in-context learning minus M2\n({AXES[name]})"
    lab.name_axes(gains, adapted, advantage, title="M2's advantage, paired over domains")
    title, context = f"against context length, {part.sizes[0]} tasks", "labelled points in the context, n"
    lab.name_axes(lengths, context, AXES[name], title=title, log=log)
    lab.shared_legend(figure, sizes, 4)
    return figure


def _draw_sizes(axes: Axes, name: str, part: Part, measured: Measured) -> None:
    """The error against the tasks adapted to, mean over context lengths."""
    arms = {(arm, f"{size:,}"): measured.mean(arm, size).interval() for arm in (ICL, M2) for size in part.sizes}
    lab.draw_lines(axes, lab.interval_rows(arms, "arm tasks"), x="tasks", by="arm", styles=STYLES, spread="bars")
    lab.draw_levels(axes, {arm: measured.mean(arm).mean() for arm in (ICL, M2)}, UNADAPTED)
    if (GIVEN, part.sizes[0]) in measured.values:
        given = [{"tasks": f"{size:,}", "by": GIVEN, "mean": measured.mean(GIVEN, size).mean()} for size in part.sizes]
        lab.draw_lines(axes, pd.DataFrame(given), x="tasks", by="by", styles=STYLES, spread="none")
    styles = {**STYLES, CHANCE: STYLES[CHANCE].called(CHANCES[name])}
    lab.draw_levels(axes, {one: measured.mean(one).mean() for one in (UNKNOWN, KNOWN, CHANCE)}, styles)


def _draw_gains(axes: Axes, name: str, part: Part, measured: Measured) -> None:
    """M2's advantage by the tasks adapted to: the mean of each seed, and of all with its interval."""
    for seed, by_size in enumerate(np.stack([measured.gain(s).values.mean(1) for s in part.sizes], 1)):
        axes.plot(range(len(by_size)), by_size, "x", color=lab.GREY, label="one training seed" if seed == 0 else None)
    gains = {("mean, 95 % interval", f"{size:,}"): measured.gain(size).interval() for size in part.sizes}
    look = {"mean, 95 % interval": lab.Style(lab.BLACK, "none", marker="D")}
    lab.draw_lines(axes, lab.interval_rows(gains, "by tasks"), x="tasks", by="by", styles=look, spread="bars")
    axes.axhline(0, color=lab.GREY, linewidth=1)
    if name == REGRESSION:
        wanted = f"{GAIN:g}, asked for at {part.sizes[0]} tasks"
        lab.draw_levels(axes, {wanted: GAIN}, {wanted: lab.Style(lab.GREEN, ":")})
    axes.set_xlim(-0.5, len(part.sizes) - 0.5)
    lab.legend_below(axes, 1)


def _draw_lengths(axes: Axes, part: Part, measured: Measured) -> None:
    """The error against context length, unadapted and adapted to the fewest tasks."""
    small = part.sizes[0]
    shown = [(arm, size) for arm in (ICL, M2) for size in (small, 0)]
    shown += [(GIVEN, small), (UNKNOWN, 0), (KNOWN, 0), (CHANCE, 0)]
    for predictor, size in shown:
        if (predictor, size) in measured.values:
            curve = measured.values[predictor, size].values.mean((0, 1))
            style = UNADAPTED[predictor] if predictor in UNADAPTED and size == 0 else STYLES[predictor]
            axes.plot(np.arange(part.n_points), curve, color=style.colour, linestyle=style.line, linewidth=style.width)
