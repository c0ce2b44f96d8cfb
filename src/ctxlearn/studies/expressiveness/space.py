"""The section on the space of learning algorithms: maps of it, and who is nearest to the in-context models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ctxlearn import lab
from ctxlearn.studies.arms import BAYES_MIXTURE, FAMILIES, ICL
from ctxlearn.studies.expressiveness.claims import MIXED
from ctxlearn.studies.expressiveness.distances import (
    HOMES,
    N_QUERIES,
    RADIAL,
    bayes_of,
    disagreement,
    distance_matrix,
    embed,
    nearest,
    shared_probes,
)
from ctxlearn.studies.expressiveness.plots import Group, Point, draw_plane

GROUPS = {
    "in context": Group("in-context models, by training distribution", lab.BLUE, "o", 75.0),
    "Bayes": Group("Bayes-optimal predictors", lab.BLACK, "*", 130.0),
    "trained": Group("trained classical learners", lab.ORANGE, "s", 45.0),
    "plain": Group("algorithms without training", "#777777", "^", 50.0),
}
SHORT = {"pairwise-metric": "pair-wise", "class-prototype": "prototype"}


def space_section(decided: lab.Samples, lengths: Sequence[int]) -> lab.Section:
    """The maps, and the in-context models' nearest algorithms."""
    figures, facts = [], []
    several = len(decided[MIXED, RADIAL].seeds) > 1
    more = "; circles without a label: the same model from other training seeds" if several else ""
    for places, name, words in (
        (tuple(FAMILIES), "space", "probes: the three training families"),
        ((RADIAL,), "space-radial", "probes: radial tasks (nothing was trained on them)"),
    ):
        shared = shared_probes(decided, places)
        plane = embed(distance_matrix(shared))
        points = [
            Point(_group(key), _label(key), (float(x), float(y)))
            for key, (x, y) in zip(shared, plane.points, strict=True)
        ]
        facts.append(f"{words}: stress {plane.stress:.2f}, correlation {plane.correlation:.2f}")
        figures.append(
            lab.Figure(
                name,
                draw_plane(points, GROUPS, title=words, width=9.6, height=7.6),
                f"Learning algorithms as points: the nearer, the more often they decide alike ({words}). ICL: in-context transformer;"
                f" after a colon: what it was trained on{more}. Stress-1 {plane.stress:.2f}; drawn and measured distances correlate"
                f" {plane.correlation:.2f}.",
                "A map of learning algorithms; distances are shares of decisions that differ. The table of nearest algorithms has"
                " the numbers that matter most.",
            )
        )
    return lab.Section(
        "The space of learning algorithms",
        [
            "Every learner here was shown the same contexts and asked about the same points. The distance of two learners is the"
            f" share of these decisions in which they differ, in % (a tie counts half): {N_QUERIES} points after each context of"
            f" {', '.join(map(str, lengths))} labelled points. Decisions and not probabilities, since a learner may be as right and"
            " less sure, and that would dominate.",
            "The pictures draw these distances in the plane as well as two dimensions can (metric scaling). "
            + "; ".join(facts)
            + ". Stress 0 would be a perfect drawing; read the tables for single distances. Bayes of a family, asked about other"
            " families' tasks, believes in its own." + _between_seeds(decided),
        ],
        figures,
        [_nearest_table(decided, several), _own_table(decided)],
    )


def _nearest_table(decided: lab.Samples, several: bool) -> lab.Table:
    """The four nearest algorithms of each in-context model, at home and on radial tasks."""
    rows = []
    for trained_on, home in HOMES.items():
        own = "own" if len(home) == 1 else "the three families"
        for places, words in ((home, own), ((RADIAL,), RADIAL)):
            found = nearest(decided, f"{ICL} on {trained_on}", places, 4)
            rows.append([trained_on, words, *(f"{name}: {lab.cell(interval, 1)}" for name, interval in found)])
    return lab.Table(
        "Each in-context model's nearest algorithms: disagreement in %, with 95 % interval over probe tasks"
        + (" and seeds" if several else ""),
        ["in-context model trained on", "probes", "nearest", "second", "third", "fourth"],
        rows,
    )


def _own_table(decided: lab.Samples) -> lab.Table:
    """How far the mixture's model is from the Bayes predictors and from itself trained on one family."""
    rows = []
    for place in (*FAMILIES, RADIAL):
        others = [BAYES_MIXTURE, bayes_of(place), *([f"{ICL} on {place}"] if place in FAMILIES else [])]
        cells = [lab.cell(disagreement(decided, MIXED, other, (place,)).interval(), 1) for other in others]
        rows.append([place, *cells, *["there is none"] * (3 - len(cells))])
    return lab.Table(
        "The in-context model trained on the mixture: disagreement in % with",
        ["probes", "Bayes of the mixture", "Bayes of the family", "in-context model trained on the family"],
        rows,
    )


def _between_seeds(decided: lab.Samples) -> str:
    """How far apart trainings of the same model are."""
    same = [
        str(name)
        for name, place in decided
        if place == RADIAL and (name == MIXED or str(name).startswith(f"{MIXED}, seed "))
    ]
    if len(same) < 2:
        return ""
    shares = []
    for places in (tuple(FAMILIES), (RADIAL,)):
        shared = shared_probes(decided, places)
        matrix = distance_matrix({name: shared[name] for name in same})
        shares.append(f"{matrix[np.triu_indices(len(same), 1)].mean():.1f} %")
    return (
        f" Two trainings of the mixture's model that differ in their seed differ in {shares[0]} of the decisions on the three"
        f" families and in {shares[1]} on radial tasks (mean over pairs of {len(same)} seeds, the same probes)."
    )


def _group(key: str) -> str:
    if key.startswith(ICL):
        return "in context"
    if key.startswith("Bayes"):
        return "Bayes"
    return "trained" if " on " in key else "plain"


def _label(key: str) -> str:
    """A learner's name in the picture; further seeds of a model have none."""
    if ", seed " in key:
        return ""
    for long, short in SHORT.items():
        key = key.replace(long, short)
    return key.replace(ICL, "ICL").replace(" on ", ": ").replace(BAYES_MIXTURE, "Bayes of mixture")
