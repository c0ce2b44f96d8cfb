"""The space of learning algorithms: how often they decide differently, who is nearest to whom, and maps of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import torch
from adjustText import adjust_text
from matplotlib.figure import Figure
from scipy.spatial.distance import squareform

from ctxlearn import lab, references
from ctxlearn.checks import trusted_values
from ctxlearn.evaluation.scaling import embed_in_plane
from ctxlearn.evaluation.statistics import Interval
from ctxlearn.learners import Learner, ProtoNet
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies.arms import BAYES_MIXTURE, FAMILIES, HOME, ICL, MADE_FOR, MIXTURE, mixture
from ctxlearn.tasks import Radial, TaskFamily

RADIAL = "radial"
PLACES: dict[str, TaskFamily] = {**FAMILIES, RADIAL: Radial()}
HOMES = {place: (place,) for place in FAMILIES} | {MIXTURE: tuple(FAMILIES)}
"""Where each in-context model was trained, and so is asked."""
MIXED = f"{ICL} on {MIXTURE}"
N_QUERIES = 8
GROUPS = {
    "in-context models, by training distribution": (lab.BLUE, "o", 75.0),
    "Bayes-optimal predictors": (lab.BLACK, "*", 130.0),
    "trained classical learners": (lab.ORANGE, "s", 45.0),
    "algorithms without training": ("#777777", "^", 50.0),
}
"""Colour, marker and size of each kind of learner on the maps."""
SHORT = {"pairwise-metric": "pair-wise", "class-prototype": "prototype", ICL: "ICL", " on ": ": "}


def bayes_of(place: str) -> str:
    """The name of the Bayes predictor of a family."""
    return f"Bayes of {place}"


def plain_algorithms() -> dict[str, Learner]:
    """Learning algorithms without trained parameters, and the Bayes predictors of each family and of the mixture."""
    return {
        "1-NN": references.NearestNeighbor(2, 2),
        "3-NN": references.NearestNeighbor(2, 2, k=3),
        "logistic regression": references.LogisticRegression(2, 2),
        "ridge": references.Ridge(2, 2, penalty=0.1),
        "largest margin": references.MaxMargin(2, 2),
        "nearest class mean": ProtoNet(2, 2, encoder="identity"),
        "kernel regression": references.KernelRegression(1.0, n_features=2, n_classes=2),
        "1 gradient step": references.GradientDescent(1, 0.5, "softmax", n_features=2, n_classes=2, intercept=True),
        "5 gradient steps": references.GradientDescent(5, 0.5, "softmax", n_features=2, n_classes=2, intercept=True),
        "threshold at the mean": references.MeanThreshold(2),
        "majority": references.Majority(2, 2),
        **{bayes_of(place): references.BayesOptimal(family) for place, family in PLACES.items()},
        BAYES_MIXTURE: references.BayesOptimal(mixture()),
    }


def measurements(
    trained: Mapping[tuple[str, str], lab.Training], n_tasks: int, lengths: Sequence[int], seed: int
) -> list[lab.Measurement]:
    """Decisions of every learner on the probes of its seed; of in-context models on those of the first seed, too."""
    classical = {f"{name} on {place}": trained[name, place] for name in HOME for place in (HOME[name], MIXTURE)}
    models = {f"{ICL} on {place}": trained[ICL, place] for place in HOMES}
    asked: list[tuple[int, dict[str, lab.Contestant]]] = [(seed, {**plain_algorithms(), **classical, **models})]
    if seed:
        asked.append((0, {f"{name}, seed {seed}": model for name, model in models.items()}))
    found = []
    for probes, learners in asked:
        for place, family in PLACES.items():
            for name, learner in learners.items():
                asking = lab.call(decisions, learner, family, n_tasks, list(lengths), probes)
                found.append(lab.Measurement((name, place), probes, asking, f"{place} {probes}"))
    return found


def decisions(
    learner: Learner, family: TaskFamily, n_tasks: int, lengths: Sequence[int], seed: int
) -> dict[str, np.ndarray]:
    """What a learner decides on the probes.

    For each of L context lengths the first points of a task are the context, and the same q last points, which are in no
    context, the queries.

    Returns:
        "decided" (T, L q): shares of class 1, which are 0, 1, or 1/2 at a tie.
    """
    tasks = family.sample(n_tasks, max(lengths) + N_QUERIES, generator=generator_for(seed, Stream.TEST, 2))
    queries = tasks.x[:, max(lengths) :]
    parts = []
    with torch.inference_mode(), trusted_values():
        for n in lengths:
            logits = learner.eval()(tasks.x[:, :n], tasks.y[:, :n], queries).double()
            parts.append(0.5 * (1 + torch.sign(logits[..., 1] - logits[..., 0])))
    return {"decided": torch.cat(parts, dim=1).numpy()}


def disagreement(decided: lab.Samples, first: str, second: str, places: Sequence[str]) -> lab.Paired:
    """How often two learners decide differently on each probe task of some families, in %; a tie counts half."""
    gaps = [(decided[first, place] - decided[second, place]).apply(np.abs) for place in places]
    return 100 * lab.side_by_side(gaps).averaged(slice(None))


def candidates(decided: lab.Samples) -> list[str]:
    """All learners that are no in-context models."""
    return [name for name in dict.fromkeys(str(key[0]) for key in decided) if not name.startswith(ICL)]


def nearest(decided: lab.Samples, model: str, places: Sequence[str], top: int) -> list[tuple[str, Interval]]:
    """The algorithms that decide most often as a model does, with the 95 % interval of the disagreement in %."""
    found = {name: disagreement(decided, model, name, places) for name in candidates(decided)}
    order = sorted(found, key=lambda name: found[name].mean())
    return [(name, found[name].interval()) for name in order[:top]]


def shared_probes(decided: lab.Samples, places: Sequence[str]) -> dict[str, np.ndarray]:
    """Decisions (T, L q) of all learners, of every seed's in-context models too, on the first seed's probes."""
    names = dict.fromkeys(str(key[0]) for key in decided)
    return {name: np.concatenate([decided[name, place].values[0] for place in places]) for name in names}


def distance_matrix(decided: Mapping[str, np.ndarray]) -> np.ndarray:
    """(K, K) in %: mean disagreement of K learners."""
    flat = np.stack([d.ravel() for d in decided.values()])
    return np.stack([100 * np.abs(flat - row).mean(1) for row in flat])


def disagreement_table(decided: lab.Samples) -> pd.DataFrame:
    """One row per family of probes and pair of learners: how often they decide differently, in %."""
    rows = []
    for place in PLACES:
        shared = shared_probes(decided, (place,))
        pairs = zip(combinations(shared, 2), squareform(distance_matrix(shared)), strict=True)
        rows += [(place, *pair, distance) for pair, distance in pairs]
    return pd.DataFrame(rows, columns=["family", "first", "second", "disagreement"])


def claims(decided: lab.Samples) -> list[lab.Claim]:
    """Are the in-context models nearer to Bayes than to any rule, and than to the learners made for their families?"""
    rivals = [name for name in candidates(decided) if not name.startswith("Bayes")]
    nearest_to_bayes, nearer_to_bayes = [], []
    for places, words, suffix in (
        (tuple(FAMILIES), "tasks of the three families", ""),
        ((RADIAL,), "radial tasks, which nothing was trained on,", "-radial"),
    ):
        own = disagreement(decided, MIXED, BAYES_MIXTURE, places)
        gaps = lab.Least({name: disagreement(decided, MIXED, name, places) - own for name in rivals})
        nearest_to_bayes.append(
            lab.Says(
                f"icl-mixture-nearest-to-bayes{suffix}",
                f"On {words} the in-context model trained on the mixture decides more often as the mixture's Bayes predictor"
                " than as any classical learner or rule here, trained or not",
                f"disagreement with the nearest of {len(rivals)} of them ({gaps.closest}) minus disagreement with"
                f" {BAYES_MIXTURE}, points, same probes",
                gaps,
            )
        )
    for family, rival in MADE_FOR.items():
        to_rival, to_bayes = (
            disagreement(decided, f"{ICL} on {family}", other, (family,))
            for other in (f"{rival} on {family}", bayes_of(family))
        )
        nearer_to_bayes.append(
            lab.Says(
                f"icl-{family}-nearer-to-bayes",
                f"The in-context model trained on {family} tasks decides on them more often as their Bayes predictor than as"
                f" {rival} trained on them",
                f"disagreement with {rival} minus disagreement with Bayes of {family}, points, same probes",
                to_rival - to_bayes,
            )
        )
    return [
        *lab.together("nearest-to-bayes-mixture", nearest_to_bayes),
        *lab.together("nearer-to-bayes-single-family", nearer_to_bayes),
    ]


def maps(decided: lab.Samples) -> dict[str, tuple[str, Figure]]:
    """Maps of all learners by the name of their file: how well they fit, and the drawing."""
    found = {}
    for places, name, words in (
        (tuple(FAMILIES), "space", "probes: the three training families"),
        ((RADIAL,), "space-radial", "probes: radial tasks (nothing was trained on them)"),
    ):
        shared = shared_probes(decided, places)
        plane = embed_in_plane(distance_matrix(shared))
        fit = f"{words}: stress {plane.stress:.2f}, correlation {plane.correlation:.2f}"
        found[name] = (fit, draw_plane(list(shared), plane.points, words))
    return found


def draw_plane(names: Sequence[str], points: np.ndarray, title: str) -> Figure:
    """Learners at their points (K, 2) with labels that do not overlap; one unit is as long across as up."""
    figure, ((axis,),) = lab.grid(1, 1, width=9.6, height=7.6)
    groups, texts = np.array([_group(name) for name in names]), []
    with mpl.rc_context(lab.RC):
        for group, (colour, marker, size) in GROUPS.items():
            own = points[groups == group]
            looks: Any = {"c": colour, "marker": marker, "edgecolors": "white", "linewidths": 0.7, "zorder": 3}
            axis.scatter(own[:, 0], own[:, 1], s=size, label=group, **looks)
        axis.set_title(title, loc="left", fontsize=11)
        axis.set_xlabel("points of disagreement (first direction; the origin means nothing)")
        axis.set_ylabel("points of disagreement (second direction)")
        axis.set_aspect("equal", adjustable="datalim")
        axis.margins(0.08)
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.09), ncols=2, fontsize=9)
        figure.draw_without_rendering()  # fixes the axes, in which labels are placed
        for name, group, (x, y) in zip(names, groups, points, strict=True):
            if ", seed " not in name:  # a model's further seeds have no label
                texts.append(axis.text(x, y, _label(name), fontsize=8.5, color=GROUPS[group][0], zorder=4))
        line = {"arrowstyle": "-", "color": "#777777", "lw": 0.6}
        adjust_text(texts, *points.T, ax=axis, iter_lim=150, expand=(1.15, 1.6), arrowprops=line)
    return figure


def _group(name: str) -> str:
    trained, bayes, classical, plain = GROUPS
    if name.startswith(ICL):
        return trained
    return bayes if name.startswith("Bayes") else classical if " on " in name else plain


def _label(name: str) -> str:
    for long, short in SHORT.items():
        name = name.replace(long, short)
    return name


def between_seeds(decided: lab.Samples) -> list[str]:
    """How often trainings of the mixture's model differ, in %: on the three families, and on radial; [] for one seed."""
    shares = []
    for places in (tuple(FAMILIES), (RADIAL,)):
        shared = shared_probes(decided, places)
        same = [probes for name, probes in shared.items() if name == MIXED or name.startswith(f"{MIXED}, seed ")]
        gaps = [100 * np.abs(one - other).mean() for one, other in combinations(same, 2)]
        shares += [f"{np.mean(gaps):.1f}"] if gaps else []
    return shares


def nearest_table(decided: lab.Samples) -> list[dict[str, str]]:
    """The four nearest algorithms of each in-context model, at home and on radial tasks."""
    rows = []
    for trained_on, home in HOMES.items():
        for places, words in ((home, "own" if len(home) == 1 else "the three families"), ((RADIAL,), RADIAL)):
            found = nearest(decided, f"{ICL} on {trained_on}", places, 4)
            cells = [f"{name}: {lab.cell(interval, 1)}" for name, interval in found]
            ranks = dict(zip(("nearest", "second", "third", "fourth"), cells, strict=True))
            rows.append({"in-context model trained on": trained_on, "probes": words, **ranks})
    return rows


def mixed_table(decided: lab.Samples) -> list[dict[str, str]]:
    """How far the mixture's model is from the Bayes predictors and from itself trained on one family."""
    rows = []
    for place in (*FAMILIES, RADIAL):
        others = {"Bayes of the mixture": BAYES_MIXTURE, "Bayes of the family": bayes_of(place)}
        row = {words: lab.cell(disagreement(decided, MIXED, who, (place,)), 1) for words, who in others.items()}
        own = f"{ICL} on {place}"
        alone = lab.cell(disagreement(decided, MIXED, own, (place,)), 1) if place in FAMILIES else "there is none"
        rows.append({"probes": place, **row, "in-context model trained on the family": alone})
    return rows
