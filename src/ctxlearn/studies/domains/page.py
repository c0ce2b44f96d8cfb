"""Figures, tables and words of the study `domains`."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ctxlearn import lab
from ctxlearn.studies.domains.claims import converged, passed
from ctxlearn.studies.domains.fine_tuning import Way
from ctxlearn.studies.domains.metrics import CHANCE, GIVEN, KNOWN, UNKNOWN, Measured
from ctxlearn.studies.domains.settings import CLASSIFICATION, GAIN, GATE, ICL, M2, REGRESSION, Part

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


def headline(part: Part, measured: Measured) -> str:
    """The answer on regression, in sentences made from the verdicts."""
    small, large = part.sizes[0], part.sizes[-1]
    gain, late = (lab.cell(measured.gain(size).interval(), 3) for size in (small, large))
    verdict = {
        True: "M2 wins by the test fixed beforehand",
        False: "M2 does not win by the test fixed beforehand",
        None: "undecided, since M2 did not pass its gate of convergence with every training seed",
    }[passed(part, measured)]
    return (
        f"{verdict} (mean advantage of {GAIN:g} or more from {small} tasks, lower bound above 0). Its advantage in excess error"
        f" on new domains is {gain} from {small} tasks and {late} from {large}."
    )


def section(name: str, part: Part, measured: Measured) -> lab.Section:
    """One kind of domains: what it is, the four curves, the tables."""
    figure, ((sizes, gains, lengths),) = lab.grid(1, 3, width=13.5, height=4.4)
    draw_sizes(sizes, name, part, measured)
    draw_gains(gains, name, part, measured)
    draw_lengths(lengths, part, measured)
    for axis in (sizes, lengths):
        axis.set_ylabel(AXES[name])
        axis.set_yscale("log" if name == REGRESSION else "linear")
    for axis in (sizes, gains):
        axis.set_xlabel("tasks of the domain adapted to")
    lab.shared_legend(figure, sizes, 4)
    drawn = lab.Figure(
        f"domains-{name}",
        figure,
        f"Left: error on new domains of {name} against the tasks adapted to, mean over context lengths 0 to"
        f" {part.n_points - 1}; bars are 95 % intervals, dashed lines in colour the arms without adapting. Middle: how much M2"
        " is better, paired on the same domains. Right: error against context length, adapted to"
        f" {part.sizes[0]} tasks.",
        "Three charts of error and of differences of error; the tables below have the numbers.",
    )
    words = [_setting(name, part), _training(part), _convergence(name, measured)]
    return lab.Section(f"Domains of {name}", words, [drawn], [_errors(name, part, measured), _ways(measured)])


def _setting(name: str, part: Part) -> str:
    label = f"y = w.x + noise of standard deviation {part.noise:g}" if name == REGRESSION else "y says whether w.x > 0"
    return (
        f"A domain has a mean mu ~ N(0, I); its tasks have w ~ N(mu, {getattr(part.domains, 'spread', 0.0):g}^2 I), d ="
        f" {part.domains.n_features}, {part.n_points} points each, x ~ N(0, I), and {label}. Test domains are new. The Bayes"
        " predictors are the best possible, knowing mu and without having met the domain; adapting can gain what lies between."
    )


def _training(part: Part) -> str:
    return (
        f"Both arms are causal transformers of width {part.width} and {lab.count(part.depth, 'block')}, with the same initial"
        f" weights and optimiser. M2: {part.meta_steps:,} steps of {part.n_domains} domains, {part.inner_steps} inner steps on"
        f" {part.n_tasks} tasks with learned step sizes, the loss on {part.n_tasks} fresh ones, second order. In-context"
        f" learning: {part.plain_steps:,} steps of {part.batch} tasks, each of a domain of its own. Compute, in forward and"
        " backward passes of a task (one in a second-order inner step counts as 5, as measured):"
        f" {part.meta_steps * part.passes_per_meta_step:,.0f} for M2, {part.plain_steps * part.batch:,} for in-context learning."
        " Optimiser, rate and number of adaptation steps are chosen for each arm and size on"
        f" {part.n_validation} validation domains; not adapting is one of the choices."
    )


def _convergence(name: str, measured: Measured) -> str:
    reached = measured.validation.values.mean((1, 2))
    numbers = ", ".join(f"seed {seed}: {value:.3f}" for seed, value in enumerate(reached))
    text = f"M2 after its own inner steps, on validation domains: {numbers}."
    if name == REGRESSION:
        failing = [str(seed) for seed, good in enumerate(converged(measured)) if not good]
        text += f" The gate of convergence is {GATE:g}: "
        text += f"not reached by seed {', '.join(failing)}, which are in all numbers." if failing else "reached by all."
    if measured.diverged:
        text += f" {lab.count(measured.diverged, 'adaptation')} on test domains diverged and count as not adapted."
    return text


def _errors(name: str, part: Part, measured: Measured) -> lab.Table:
    rows = []
    for size in (0, *part.sizes):
        found = (measured.mean(ICL, size), measured.mean(M2, size), measured.gain(size))
        given = f"{measured.mean(GIVEN, size).mean():.3f}" if (GIVEN, size) in measured.values else "not computed"
        rows.append([f"{size:,}" if size else "none", *(lab.cell(one.interval(), 3) for one in found), given])
    lines = ", ".join(f"{p} {measured.mean(p).mean():.3f}" for p in (KNOWN, UNKNOWN, CHANCE))
    return lab.Table(
        f"{AXES[name]}, mean over context lengths and domains (95 % interval); {lines}",
        ["tasks adapted to", "in-context learning", "M2", "difference, paired", "Bayes given those tasks"],
        rows,
    )


def _ways(measured: Measured) -> lab.Table:
    rows = [
        [f"{seed}", arm, f"{tasks:,}", Way(*way).words(), f"{error:.3f}"]
        for seed, arm, tasks, *way, error in measured.ways.to_numpy().tolist()
    ]
    return lab.Table(
        "How each arm is adapted: the best on validation domains, with its error there",
        ["seed", "arm", "tasks", "way", "error"],
        rows,
    )


def draw_sizes(axes: Axes, name: str, part: Part, measured: Measured) -> None:
    """The error against the tasks adapted to, mean over context lengths."""
    arms = {(arm, f"{size:,}"): measured.mean(arm, size).interval() for arm in (ICL, M2) for size in part.sizes}
    lab.draw_lines(axes, lab.interval_rows(arms, "arm tasks"), x="tasks", by="arm", styles=STYLES, spread="bars")
    lab.draw_levels(axes, {arm: measured.mean(arm).mean() for arm in (ICL, M2)}, UNADAPTED)
    if (GIVEN, part.sizes[0]) in measured.values:
        given = [{"tasks": f"{size:,}", "by": GIVEN, "mean": measured.mean(GIVEN, size).mean()} for size in part.sizes]
        lab.draw_lines(axes, pd.DataFrame(given), x="tasks", by="by", styles=STYLES, spread="none")
    styles = {**STYLES, CHANCE: STYLES[CHANCE].called(CHANCES[name])}
    lab.draw_levels(axes, {one: measured.mean(one).mean() for one in (UNKNOWN, KNOWN, CHANCE)}, styles)
    axes.set_title("four curves", loc="left", fontsize=10)


def draw_gains(axes: Axes, name: str, part: Part, measured: Measured) -> None:
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
    axes.set_ylabel(f"in-context learning minus M2\n({AXES[name]})")
    axes.set_title("M2's advantage, paired over domains", loc="left", fontsize=10)
    axes.legend(fontsize=7, frameon=False)


def draw_lengths(axes: Axes, part: Part, measured: Measured) -> None:
    """The error against context length, unadapted and adapted to the fewest tasks."""
    small = part.sizes[0]
    shown = [(arm, size) for arm in (ICL, M2) for size in (small, 0)]
    shown += [(GIVEN, small), (UNKNOWN, 0), (KNOWN, 0), (CHANCE, 0)]
    for predictor, size in shown:
        if (predictor, size) in measured.values:
            curve = measured.values[predictor, size].values.mean((0, 1))
            style = UNADAPTED[predictor] if predictor in UNADAPTED and size == 0 else STYLES[predictor]
            axes.plot(np.arange(part.n_points), curve, color=style.colour, linestyle=style.line, linewidth=style.width)
    axes.set_xlabel("labelled points in the context, n")
    axes.set_title(f"against context length, {small} tasks", loc="left", fontsize=10)
