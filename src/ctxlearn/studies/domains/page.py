"""Figures, tables and words of the study `domains`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from ctxlearn.evaluation.statistics import Interval, mean_interval
from ctxlearn.studies.base import Figure, Section, Table, count
from ctxlearn.studies.domains.adapting import Way
from ctxlearn.studies.domains.deciding import converged, passed
from ctxlearn.studies.domains.measuring import CHANCE, GIVEN, ICL, KNOWN, M2, UNKNOWN, Measured
from ctxlearn.studies.domains.settings import GAIN, GATE, Part
from ctxlearn.studies.drawing import error_bars, new_figure, shared_legend

STYLES = {
    M2: ("#D55E00", "o", "-"),
    ICL: ("#0072B2", "s", "-"),
    GIVEN: ("#000000", "", "-"),
    KNOWN: ("#000000", "", ":"),
    UNKNOWN: ("#000000", "", "--"),
    CHANCE: ("#999999", "", "-."),
}
AXES = {
    "regression": "excess squared error (units of y, squared)",
    "classification": "error rate (share of points)",
}
CHANCES = {"regression": "chance: answer 0", "classification": "chance: guess"}


def section(name: str, part: Part, measured: Measured) -> Section:
    """One kind of domains: what it is, the four curves, the tables."""
    figure, axes = new_figure(1, 3, width=13.5, height=4.4)
    _draw_sizes(axes[0][0], name, part, measured)
    _draw_gains(axes[0][1], name, part, measured)
    _draw_lengths(axes[0][2], name, part, measured)
    shared_legend(figure, axes[0][0], 4)
    small = part.sizes[0]
    caption = (
        f"Left: error on new domains of {name} against the tasks adapted to, mean over context lengths 0 to {part.n_points - 1}; bars are "
        "95 % intervals, dashed lines in colour the arms as they are without adapting. Middle: how much M2 is better, paired on the same "
        f"domains; above 0 M2 is better. Right: error against context length, adapted to {small} tasks."
    )
    return Section(
        f"Domains of {name}",
        [_setting(name, part), _training(part), _convergence(name, measured)],
        [
            Figure(
                f"domains-{name}",
                figure,
                caption,
                "Three charts of error and of differences of error; the tables below have the numbers.",
            )
        ],
        [_errors(name, part, measured), _ways(measured)],
    )


def found(parts: Mapping[str, Part], measured: Mapping[str, Measured]) -> str:
    """The answer, in sentences made from the verdicts."""
    part, regression = parts["regression"], measured["regression"]
    small, large = part.sizes[0], part.sizes[-1]
    gain, late = (mean_interval(regression.gain(size)) for size in (small, large))
    outcome = passed(part, regression)
    verdict = {
        True: "M2 wins by the test fixed beforehand",
        False: "M2 does not win by the test fixed beforehand",
        None: "undecided, since M2 did not pass its gate of convergence with every training seed",
    }[outcome]
    return (
        f"{verdict} (mean advantage of {GAIN:g} or more from {small} tasks, lower bound above 0). Its advantage in excess error on new "
        f"domains is {_interval(gain)} from {small} tasks and {_interval(late)} from {large}."
    )


def _interval(interval: Interval, digits: int = 3) -> str:
    return f"{interval.value:.{digits}f} [{interval.low:.{digits}f}, {interval.high:.{digits}f}]"


def _setting(name: str, part: Part) -> str:
    d, spread = part.domains.n_features, getattr(part.domains, "spread", 0.0)
    label = (
        f"y = w.x + noise of standard deviation {part.noise:g}" if name == "regression" else "y says whether w.x > 0"
    )
    return (
        f"A domain has a mean mu ~ N(0, I); its tasks have w ~ N(mu, {spread:g}^2 I), d = {d}, {part.n_points} points each, x ~ N(0, I), and "
        f"{label}. Test domains are new. The best that can be done knowing mu, and without having met the domain, are the Bayes "
        "predictors; between them lies what adapting can gain."
    )


def _training(part: Part) -> str:
    passes = part.meta_steps * part.passes_per_meta_step
    return (
        f"Both arms are causal transformers of width {part.width} and {count(part.depth, 'block')}, of the same initial weights and optimiser. M2: "
        f"{part.meta_steps:,} steps of {part.n_domains} domains, {part.inner_steps} inner steps on {part.n_tasks} tasks with learned "
        f"step sizes, the loss on {part.n_tasks} fresh ones, second order. In-context learning: {part.plain_steps:,} steps of {part.batch} tasks, "
        "each of a domain of its own. Compute is counted in forward and backward passes of a task, where a task in a "
        f"second-order inner step counts as 5 as measured: {passes:,.0f} for M2, {part.plain_steps * part.batch:,} for in-context learning. Optimiser, "
        f"rate and number of adaptation steps are chosen for each arm and size on {part.n_validation} validation domains, not adapting "
        "being one of the choices."
    )


def _convergence(name: str, measured: Measured) -> str:
    reached = measured.validation.mean((1, 2))
    numbers = ", ".join(f"seed {seed}: {value:.3f}" for seed, value in enumerate(reached))
    text = f"M2 after its own inner steps, on validation domains: {numbers}."
    if name == "regression":
        failing = [str(seed) for seed, good in enumerate(converged(measured)) if not good]
        text += f" The gate of convergence is {GATE:g}: "
        text += f"not reached by seed {', '.join(failing)}, which are in all numbers." if failing else "reached by all."
    if measured.diverged:
        text += f" {count(measured.diverged, 'adaptation')} on test domains diverged and count as not adapted."
    return text


def _errors(name: str, part: Part, measured: Measured) -> Table:
    rows = []
    for size in (0, *part.sizes):
        cells = ["none" if size == 0 else f"{size:,}"]
        cells += [_interval(mean_interval(measured.mean(arm, size))) for arm in (ICL, M2)]
        cells.append(_interval(mean_interval(measured.gain(size))))
        cells.append(f"{measured.mean(GIVEN, size).mean():.3f}" if (GIVEN, size) in measured.values else "not computed")
        rows.append(cells)
    lines = ", ".join(f"{p} {measured.mean(p).mean():.3f}" for p in (KNOWN, UNKNOWN, CHANCE))
    return Table(
        f"{AXES[name]}, mean over context lengths and domains [95 % interval]; {lines}",
        ["tasks adapted to", "in-context learning", "M2", "difference, paired", "Bayes given those tasks"],
        rows,
    )


def _ways(measured: Measured) -> Table:
    rows = [
        [
            str(row["seed"]),
            str(row["arm"]),
            f"{row['tasks']:,}",
            Way(row["optimizer"], row["rate"], row["steps"]).words(),
            f"{row['validation']:.3f}",
        ]
        for row in measured.ways.to_dict("records")
    ]
    return Table(
        "How each arm is adapted: the best on validation domains, with its error there",
        ["seed", "arm", "tasks", "way", "error"],
        rows,
    )


def _draw_sizes(axes: Axes, name: str, part: Part, measured: Measured) -> None:
    places = np.arange(len(part.sizes))
    for arm in (ICL, M2):
        colour, marker, _ = STYLES[arm]
        shown = [mean_interval(measured.mean(arm, size)) for size in part.sizes]
        values = np.array([i.value for i in shown])
        bars = error_bars(shown)
        label = "in-context learning" if arm == ICL else "M2"
        axes.errorbar(places, values, bars, color=colour, marker=marker, capsize=3, label=f"{label}, adapted")
        axes.axhline(
            measured.mean(arm).mean(), color=colour, linestyle="--", linewidth=1.3, label=f"{label}, not adapted"
        )
    if (GIVEN, part.sizes[0]) in measured.values:
        given = [measured.mean(GIVEN, size).mean() for size in part.sizes]
        axes.plot(places, given, color="#000000", linewidth=1, label=GIVEN)
    for reference in (UNKNOWN, KNOWN, CHANCE):
        colour, _, style = STYLES[reference]
        label = CHANCES[name] if reference == CHANCE else reference
        axes.axhline(measured.mean(reference).mean(), color=colour, linestyle=style, linewidth=1.3, label=label)
    axes.set_xticks(places, [f"{size:,}" for size in part.sizes])
    axes.set_xlabel("tasks of the domain adapted to")
    axes.set_ylabel(AXES[name])
    if name == "regression":
        axes.set_yscale("log")
    axes.set_title("four curves", loc="left", fontsize=10)


def _draw_gains(axes: Axes, name: str, part: Part, measured: Measured) -> None:
    places = np.arange(len(part.sizes))
    for seed, by_size in enumerate(np.stack([measured.gain(s).mean(1) for s in part.sizes], 1)):
        axes.plot(places, by_size, "x", color="#999999", label="one training seed" if seed == 0 else None)
    shown = [mean_interval(measured.gain(size)) for size in part.sizes]
    values = np.array([i.value for i in shown])
    bars = error_bars(shown)
    axes.errorbar(
        places, values, bars, color="#000000", marker="D", linestyle="none", capsize=4, label="mean, 95 % interval"
    )
    axes.axhline(0, color="#999999", linewidth=1)
    if name == "regression":
        axes.axhline(GAIN, color="#009E73", linestyle=":", label=f"{GAIN:g}, asked for at {part.sizes[0]} tasks")
    axes.set_xticks(places, [f"{size:,}" for size in part.sizes])
    axes.set_xlim(-0.5, len(places) - 0.5)
    axes.set_xlabel("tasks of the domain adapted to")
    axes.set_ylabel(f"in-context learning minus M2\n({AXES[name]})")
    axes.set_title("M2's advantage, paired over domains", loc="left", fontsize=10)
    axes.legend(fontsize=7, frameon=False)


def _draw_lengths(axes: Axes, name: str, part: Part, measured: Measured) -> None:
    small, lengths = part.sizes[0], np.arange(part.n_points)
    lines = [(ICL, small, "-"), (ICL, 0, "--"), (M2, small, "-"), (M2, 0, "--")]
    lines += [(p, size, STYLES[p][2]) for p, size in ((GIVEN, small), (UNKNOWN, 0), (KNOWN, 0), (CHANCE, 0))]
    for predictor, size, style in lines:
        if (predictor, size) in measured.values:
            values = measured.values[predictor, size].mean((0, 1))
            axes.plot(lengths, values, color=STYLES[predictor][0], linestyle=style, linewidth=1.3)
    axes.set_xlabel("labelled points in the context, n")
    axes.set_ylabel(AXES[name])
    if name == "regression":
        axes.set_yscale("log")
    axes.set_title(f"against context length, {small} tasks", loc="left", fontsize=10)
