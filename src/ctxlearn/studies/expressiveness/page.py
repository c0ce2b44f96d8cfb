"""Figures and words of the study `expressiveness`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd

from ctxlearn.evaluation.statistics import mean_interval
from ctxlearn.studies.arms import BAYES_MIXTURE, FAMILIES, ICL, MIXTURE
from ctxlearn.studies.base import Figure, Section, Table
from ctxlearn.studies.claims import Claim
from ctxlearn.studies.drawing import new_figure
from ctxlearn.studies.expressiveness.exactness import LENGTHS, STEPS, Exact, describe_contexts, masks_of, steps_of
from ctxlearn.studies.expressiveness.neighbours import HOMES, Decided, Shared, distances, nearest
from ctxlearn.studies.expressiveness.ridge_rates import PENALTY, SIZES, Rates
from ctxlearn.studies.expressiveness.space import N_QUERIES, RADIAL, distance_matrix, embed
from ctxlearn.studies.expressiveness.space_drawing import Group, Point, draw_plane
from ctxlearn.studies.expressiveness.starts import CONSTRUCTED, RANDOM, STANDARD, Starts

GROUPS = {
    "in context": Group("in-context models, by training distribution", "#0072B2", "o", 75.0),
    "Bayes": Group("Bayes-optimal predictors", "#000000", "*", 130.0),
    "trained": Group("trained classical learners", "#C44E00", "s", 45.0),
    "plain": Group("algorithms without training", "#777777", "^", 50.0),
}


def headline(claims: Sequence[Claim], decided: Decided, starts: Starts) -> str:
    """What came out, in words made from the claims."""
    exact = [c for c in claims if c.group == "exact"]
    held = sum(c.verdict == "holds" for c in exact)
    mixed = f"{ICL} on {MIXTURE}"
    (first, near), (second, next_) = nearest(decided, mixed, tuple(FAMILIES), 2)
    gaps = {k: mean_interval(starts.accuracy[CONSTRUCTED, k] - starts.accuracy[RANDOM, k]) for k in starts.steps[1:]}
    worth = " and ".join(
        f"{gaps[k].value:+.2f} points ({gaps[k].low:+.2f} to {gaps[k].high:+.2f}) after {k:,} steps"
        for k in (min(gaps), max(gaps))
    )
    rest = [c for c in claims if c.group != "exact"]
    tally = {v: sum(c.verdict == v for c in rest) for v in ("holds", "undecided", "fails")}
    return (
        f"Transformers written by hand agree with the learners they were written for to {min(c.value for c in exact):.1f} digits or"
        f" more ({held} of {len(exact)} claims of exactness hold). The in-context model trained on the mixture decides most often as"
        f" {first} (they differ in {near.value:.1f} % of the decisions), then as {second} ({next_.value:.1f} %). Starting at ProtoNet"
        f" and not at random is worth {worth} of training. Other claims that hold: {tally['holds']}, undecided:"
        f" {tally['undecided']}, that fail: {tally['fails']}."
    )


def exactness_section(rows: Sequence[Exact], causal: Mapping[tuple[str, int, int], np.ndarray]) -> Section:
    """The table of constructions, and the one case that they do not cover."""
    cells = []
    for group in dict.fromkeys(row.group for row in rows):
        own = [row for row in rows if row.group == group]
        names = dict.fromkeys(row.name for row in own)

        def listed(values: Sequence[object]) -> str:
            return ", ".join(dict.fromkeys(map(str, values)))

        cells.append(
            [
                group + (f", k = {steps_of(own)} steps" if len(names) > 1 else ""),
                listed([row.blocks for row in own]),
                listed([row.width for row in own]),
                listed([row.heads for row in own]),
                own[-1].attention,
                masks_of(own),
                _error(max(row.error64 for row in own)),
                _error(max(row.error32 for row in own)),
                f"{max(row.log_odds for row in own):.1f}",
            ]
        )
    columns = [
        "learner",
        "blocks",
        "width",
        "heads",
        "attention",
        "masks",
        "largest error, float64",
        "largest error, float32",
        "largest log-odds",
    ]
    lost = []
    for kind, unit in (("least squares", "output"), ("softmax regression", "probability")):
        for steps in STEPS:
            shown = [causal[kind, steps, n] for n in LENGTHS[1:]]
            lost.append(
                [f"{kind} ({unit}), k = {steps}", *(f"{_small(part.mean())} / {_small(part.max())}" for part in shown)]
            )
    return Section(
        "Transformers written by hand",
        [
            "Each of these learners, as it was trained or as it is, was turned into the weights of an ordinary in-context transformer"
            " (ctxlearn.expressiveness.construct). The error is the largest absolute difference of log-probabilities between the"
            f" learner and that transformer, both computed in the same precision, over {describe_contexts(rows)} of"
            f" {', '.join(map(str, LENGTHS))} points a seed: of four families as drawn, with a single point of one class, and with none of it.",
            "One case is not covered: under a causal mask a point of the context never hears of those after it, so from the second"
            " gradient step on its residual is not the one that gradient descent has. The second table is what that costs.",
        ],
        [],
        [
            Table("Constructions: size, masks under which they are exact, and largest error measured", columns, cells),
            Table(
                "Gradient descent on the inputs under a causal mask: mean / largest |difference| from the learner, for class 1, by"
                " length of the context (class-prototype tasks)",
                ["", *(f"n = {n}" for n in LENGTHS[1:])],
                lost,
            ),
        ],
    )


def _error(value: float) -> str:
    return "0, bit for bit" if value == 0 else f"{value:.1e}"


def _small(value: float) -> str:
    return "0" if value < 1e-12 else f"{value:.1e}" if value < 1e-3 else f"{value:.3f}"


def exactness_table(rows: Sequence[Exact]) -> pd.DataFrame:
    """Every measurement; errors as text, since they are far below what the other tables are rounded to."""
    table = pd.DataFrame([asdict(row) for row in rows])
    for name in ("error64", "error32"):
        table[name] = [f"{value:.2e}" for value in table[name]]
    return table


def rates_section(rates: Rates) -> Section:
    """Error against exact ridge regression by blocks."""
    figure, axes = new_figure(1, 1, width=6.4, height=4.2)
    axis = axes[0][0]
    rows = []
    steps = sorted({k for _, k in rates.error})
    for name, colour, marker in zip(SIZES, ("#D55E00", "#0072B2"), ("o", "s"), strict=True):
        middle = [float(rates.error[name, k].mean()) for k in steps]
        most = [float(rates.error[name, k].max()) for k in steps]
        bound = [rates.bound[name, k] for k in steps]
        axis.plot(steps, middle, marker=marker, color=colour, label=f"{name}: mean over tasks")
        axis.plot(
            steps,
            most,
            marker=marker,
            markerfacecolor="white",
            linewidth=0.8,
            color=colour,
            label=f"{name}: worst task",
        )
        axis.plot(steps, bound, color=colour, linestyle="--", linewidth=1.0, label=f"{name}: the rate")
        rows.append([f"{name}, mean", *(f"{v:.1e}" for v in middle)])
        rows.append([f"{name}, worst task", *(f"{v:.1e}" for v in most)])
        rows.append([f"{name}, rate", *(f"{v:.1e}" for v in bound)])
    axis.axhline(1, color="#999999", linestyle=(0, (1, 3)), label="answering 0")
    axis.set_yscale("log")
    axis.set_xscale("log", base=2)
    axis.set_xticks(steps, [str(k) for k in steps])
    axis.set_xlabel("gradient steps, k = blocks")
    axis.set_ylabel("error against exact ridge (relative)")
    axis.legend(fontsize=8, loc="lower left")
    axis.set_title(f"d = {rates.n_features}, n = {rates.n_context}", loc="left", fontsize=10)
    return Section(
        "Ridge regression by gradient steps",
        [
            "A transformer of k blocks does k gradient steps, not ridge regression itself; it comes as near as the steps do. With"
            f" curvatures of all contexts between l and u, and kappa = u / l = {rates.kappa:.1f} here (penalty {PENALTY:g}), k equal steps"
            " of size 2 / (l + u) leave at most ((kappa - 1) / (kappa + 1))^k of the error, and Chebyshev's step sizes at most"
            " 2 ((sqrt kappa - 1) / (sqrt kappa + 1))^k.",
        ],
        [
            Figure(
                "ridge-rates",
                figure,
                "Distance of the transformer's linear predictor from exact ridge regression, |W_k - W| / |W|: mean and worst of"
                f" {len(next(iter(rates.error.values())))} linear tasks, beside the rates.",
                "Error against the number of blocks, falling as the rates say: faster with Chebyshev's step sizes. The table has the"
                " numbers.",
            )
        ],
        [Table("Relative error |W_k - W| / |W|", ["", *(f"k = {k}" for k in steps)], rows)],
    )


def space_section(decided: Decided, shared: Shared, lengths: Sequence[int]) -> list[Section]:
    """The picture, and the in-context models' nearest algorithms."""
    figures, facts = [], []
    more = "; circles without a label: the same model from other training seeds" if len(decided) > 1 else ""
    for places, name, words in (
        (tuple(FAMILIES), "space", "probes: the three training families"),
        ((RADIAL,), "space-radial", "probes: radial tasks (nothing was trained on them)"),
    ):
        pooled = {k: np.concatenate([shared[place][k] for place in places]) for k in shared[places[0]]}
        plane = embed(distance_matrix(pooled))
        points = [
            Point(_group(key), _label(key), (float(x), float(y)))
            for key, (x, y) in zip(pooled, plane.points, strict=True)
        ]
        drawing = draw_plane(points, GROUPS, title=words, width=9.6, height=7.6)
        facts.append(f"{words}: stress {plane.stress:.2f}, correlation {plane.correlation:.2f}")
        figures.append(
            Figure(
                name,
                drawing,
                f"Learning algorithms as points: the nearer, the more often they decide alike ({words}). ICL: in-context transformer;"
                f" after a colon: what it was trained on{more}. Stress-1 {plane.stress:.2f}; drawn and measured distances correlate"
                f" {plane.correlation:.2f}.",
                "A map of learning algorithms; distances are shares of decisions that differ. The table of nearest algorithms has"
                " the numbers that matter most.",
            )
        )
    rows = []
    for trained_on, home in HOMES.items():
        for places in (home, (RADIAL,)):
            found = nearest(decided, f"{ICL} on {trained_on}", places, 4)
            rows.append(
                [
                    trained_on,
                    RADIAL if places == (RADIAL,) else "own" if len(home) == 1 else "the three families",
                    *(f"{name}: {i.value:.1f} ({i.low:.1f} to {i.high:.1f})" for name, i in found),
                ]
            )
    columns = ["in-context model trained on", "probes", "nearest", "second", "third", "fourth"]
    return [
        Section(
            "The space of learning algorithms",
            [
                "Every learner here was shown the same contexts and asked about the same points. The distance of two learners is the"
                f" share of these decisions in which they differ, in % (a tie counts half): {N_QUERIES} points after each context of"
                f" {', '.join(map(str, lengths))} labelled points. Decisions and not probabilities, since a learner may be as right and"
                " less sure, and that would dominate.",
                "The pictures draw these distances in the plane as well as two dimensions can (metric scaling). "
                + "; ".join(facts)
                + ". Stress 0 would be a perfect drawing; read the tables for single distances. Bayes of a family, asked about other"
                " families' tasks, believes in its own." + _between_seeds(shared),
            ],
            figures,
            [
                Table(
                    "Each in-context model's nearest algorithms: disagreement in %, with 95 % interval over probe tasks"
                    + (" and seeds" if len(decided) > 1 else ""),
                    columns,
                    rows,
                ),
                _own_table(decided),
            ],
        )
    ]


def _between_seeds(shared: Shared) -> str:
    """How far apart trainings of the same model are."""
    mixed = f"{ICL} on {MIXTURE}"
    same = [name for name in shared[RADIAL] if name == mixed or name.startswith(f"{mixed}, seed ")]
    if len(same) < 2:
        return ""
    shares = []
    for places in (tuple(FAMILIES), (RADIAL,)):
        matrix = np.mean([distance_matrix({k: shared[place][k] for k in same}) for place in places], axis=0)
        shares.append(f"{matrix[np.triu_indices(len(same), 1)].mean():.1f} %")
    return (
        f" Two trainings of the mixture's model that differ in their seed differ in {shares[0]} of the decisions on the three"
        f" families and in {shares[1]} on radial tasks (mean over pairs of {len(same)} seeds, the same probes)."
    )


def _own_table(decided: Decided) -> Table:
    """How far the mixture's model is from the Bayes predictors and from itself trained on one family."""
    mixed = f"{ICL} on {MIXTURE}"
    rows = []
    for place in (*FAMILIES, RADIAL):
        others = [BAYES_MIXTURE, f"Bayes of {place}", *([f"{ICL} on {place}"] if place in FAMILIES else [])]
        shown = [mean_interval(distances(decided, mixed, other, (place,))) for other in others]
        cells = [f"{i.value:.1f} ({i.low:.1f} to {i.high:.1f})" for i in shown]
        rows.append([place, *cells, *["there is none"] * (3 - len(cells))])
    return Table(
        "The in-context model trained on the mixture: disagreement in % with",
        ["probes", "Bayes of the mixture", "Bayes of the family", "in-context model trained on the family"],
        rows,
    )


def _group(key: str) -> str:
    if key.startswith(ICL):
        return "in context"
    if key.startswith("Bayes"):
        return "Bayes"
    return "trained" if " on " in key else "plain"


SHORT = {"pairwise-metric": "pair-wise", "class-prototype": "prototype"}


def _label(key: str) -> str:
    """A learner's name in the picture; further seeds of a model have none."""
    if ", seed " in key:
        return ""
    for long, short in SHORT.items():
        key = key.replace(long, short)
    return key.replace(ICL, "ICL").replace(" on ", ": ").replace("Bayes of the mixture", "Bayes of mixture")


def starts_section(starts: Starts) -> Section:
    """Accuracy against steps from each start."""
    figure, axes = new_figure(1, 2, width=9.8, height=4.3)
    places = np.arange(len(starts.steps))
    styles = {CONSTRUCTED: ("#009E73", "o", "-"), RANDOM: ("#D55E00", "s", "-"), STANDARD: ("#0072B2", "^", "--")}
    best = mean_interval(starts.best)
    rows = []
    for arm, (colour, marker, style) in styles.items():
        shown = [mean_interval(starts.accuracy[arm, k]) for k in starts.steps]
        middle, low, high = ([getattr(i, part) for i in shown] for part in ("value", "low", "high"))
        for axis in axes[0]:
            axis.plot(places, middle, marker=marker, linestyle=style, color=colour, label=arm)
            axis.fill_between(places, low, high, color=colour, alpha=0.2, linewidth=0)
        rows.append([arm, *(f"{i.value:.2f} ({i.low:.2f} to {i.high:.2f})" for i in shown)])
    gaps = [mean_interval(starts.accuracy[CONSTRUCTED, k] - starts.accuracy[RANDOM, k]) for k in starts.steps]
    rows.append(["as ProtoNet minus at random", *(f"{i.value:+.2f} ({i.low:+.2f} to {i.high:+.2f})" for i in gaps)])
    for axis, (bottom, top), title in zip(
        axes[0], ((45, 101), (best.value - 6, best.value + 1)), ("whole scale", "near the ceiling"), strict=True
    ):
        axis.axhline(best.value, color="black", linestyle="--", linewidth=1, label=BAYES_MIXTURE)
        axis.axhline(50, color="#999999", linestyle=(0, (1, 3)), label="chance")
        axis.set_ylim(bottom, top)
        axis.set_xlim(-0.25, len(places) - 0.75)
        axis.set_xticks(places, [f"{k:,}" for k in starts.steps])
        axis.set_xlabel("training steps on the mixture")
        axis.set_title(title, loc="left", fontsize=10)
    axes[0][0].set_ylabel("accuracy (%), mean over n >= 1")
    axes[0][0].legend(fontsize=8, loc="lower right")
    return Section(
        "What a construction is worth as a start",
        [
            "The first transformer is written to be ProtoNet on the inputs themselves, the nearest-class-mean rule, with spare width and"
            " hidden units, and then trained on the mixture. The second has the same architecture (2 blocks, of the attention kinds that"
            " ProtoNet needs, no normalisation) and random weights. The third is the in-context model of the other studies, of 6"
            " standard blocks. All see the same tasks for the same number of steps; each number of steps is a training of its own,"
            " whose learning rate falls to zero at its end.",
            f"The Bayes predictor of the mixture, the ceiling, has {best.value:.2f} % ({best.low:.2f} to {best.high:.2f}) on"
            f" {best.n_tasks:,} of these tasks.",
        ],
        [
            Figure(
                "starts",
                figure,
                "Accuracy on new tasks of the mixture after trainings of growing length, from each start. Bands: 95 % intervals.",
                "Accuracy against training steps for three starts, between chance at 50 percent and the Bayes predictor; the table has"
                " the numbers.",
            )
        ],
        [
            Table(
                "Accuracy in %, mean over n >= 1, with 95 % interval",
                ["", *(f"{k:,} steps" for k in starts.steps)],
                rows,
            )
        ],
    )
