"""Figures, tables and words of the study `domains`."""

from __future__ import annotations

from ctxlearn import lab
from ctxlearn.studies.domains.claims import converged, passed
from ctxlearn.studies.domains.fine_tuning import Way
from ctxlearn.studies.domains.metrics import CHANCE, GIVEN, KNOWN, UNKNOWN, Measured
from ctxlearn.studies.domains.plots import AXES, draw_gains, draw_lengths, draw_sizes
from ctxlearn.studies.domains.settings import GAIN, GATE, ICL, M2, REGRESSION, Part


def section(name: str, part: Part, measured: Measured) -> lab.Section:
    """One kind of domains: what it is, the four curves, the tables."""
    figure, axes = lab.grid(1, 3, width=13.5, height=4.4)
    draw_sizes(axes[0][0], name, part, measured)
    draw_gains(axes[0][1], name, part, measured)
    draw_lengths(axes[0][2], name, part, measured)
    lab.shared_legend(figure, axes[0][0], 4)
    small = part.sizes[0]
    caption = (
        f"Left: error on new domains of {name} against the tasks adapted to, mean over context lengths 0 to {part.n_points - 1}; bars are "
        "95 % intervals, dashed lines in colour the arms as they are without adapting. Middle: how much M2 is better, paired on the same "
        f"domains; above 0 M2 is better. Right: error against context length, adapted to {small} tasks."
    )
    return lab.Section(
        f"Domains of {name}",
        [_setting(name, part), _training(part), _convergence(name, measured)],
        [
            lab.Figure(
                f"domains-{name}",
                figure,
                caption,
                "Three charts of error and of differences of error; the tables below have the numbers.",
            )
        ],
        [_errors(name, part, measured), _ways(measured)],
    )


def headline(part: Part, measured: Measured) -> str:
    """The answer on regression, in sentences made from the verdicts."""
    small, large = part.sizes[0], part.sizes[-1]
    gain, late = (measured.gain(size).interval() for size in (small, large))
    verdict = {
        True: "M2 wins by the test fixed beforehand",
        False: "M2 does not win by the test fixed beforehand",
        None: "undecided, since M2 did not pass its gate of convergence with every training seed",
    }[passed(part, measured)]
    return (
        f"{verdict} (mean advantage of {GAIN:g} or more from {small} tasks, lower bound above 0). Its advantage in excess error on new "
        f"domains is {lab.cell(gain, 3)} from {small} tasks and {lab.cell(late, 3)} from {large}."
    )


def _setting(name: str, part: Part) -> str:
    d, spread = part.domains.n_features, getattr(part.domains, "spread", 0.0)
    label = f"y = w.x + noise of standard deviation {part.noise:g}" if name == REGRESSION else "y says whether w.x > 0"
    return (
        f"A domain has a mean mu ~ N(0, I); its tasks have w ~ N(mu, {spread:g}^2 I), d = {d}, {part.n_points} points each, x ~ N(0, I), and "
        f"{label}. Test domains are new. The best that can be done knowing mu, and without having met the domain, are the Bayes "
        "predictors; between them lies what adapting can gain."
    )


def _training(part: Part) -> str:
    passes = part.meta_steps * part.passes_per_meta_step
    return (
        f"Both arms are causal transformers of width {part.width} and {lab.count(part.depth, 'block')}, of the same initial weights and optimiser. M2: "
        f"{part.meta_steps:,} steps of {part.n_domains} domains, {part.inner_steps} inner steps on {part.n_tasks} tasks with learned "
        f"step sizes, the loss on {part.n_tasks} fresh ones, second order. In-context learning: {part.plain_steps:,} steps of {part.batch} tasks, "
        "each of a domain of its own. Compute is counted in forward and backward passes of a task, where a task in a "
        f"second-order inner step counts as 5 as measured: {passes:,.0f} for M2, {part.plain_steps * part.batch:,} for in-context learning. Optimiser, "
        f"rate and number of adaptation steps are chosen for each arm and size on {part.n_validation} validation domains, not adapting "
        "being one of the choices."
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
        cells = ["none" if size == 0 else f"{size:,}"]
        cells += [lab.cell(measured.mean(arm, size).interval(), 3) for arm in (ICL, M2)]
        cells.append(lab.cell(measured.gain(size).interval(), 3))
        cells.append(f"{measured.mean(GIVEN, size).mean():.3f}" if (GIVEN, size) in measured.values else "not computed")
        rows.append(cells)
    lines = ", ".join(f"{p} {measured.mean(p).mean():.3f}" for p in (KNOWN, UNKNOWN, CHANCE))
    return lab.Table(
        f"{AXES[name]}, mean over context lengths and domains (95 % interval); {lines}",
        ["tasks adapted to", "in-context learning", "M2", "difference, paired", "Bayes given those tasks"],
        rows,
    )


def _ways(measured: Measured) -> lab.Table:
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
    return lab.Table(
        "How each arm is adapted: the best on validation domains, with its error there",
        ["seed", "arm", "tasks", "way", "error"],
        rows,
    )
