"""The mixture-trained model, untouched, on real tables: two features, two classes, a handful of labelled rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from sklearn import datasets
from torch import Tensor

from ctxlearn import lab
from ctxlearn.episodes import Tasks, concatenate
from ctxlearn.evaluation.curves import score_output
from ctxlearn.learners import Learner, ProtoNet
from ctxlearn.references import LogisticRegression, NearestNeighbor
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies.arms import ICL, STYLES
from ctxlearn.studies.regions import decided_map, draw_map, draw_points, sides_around
from ctxlearn.tasks import Labelled

SIZES = (2, 5, 10, 20)
N_QUERIES = 60
PRIOR_SPREAD = 0.4
PRIOR_POINTS = 2.0
RIVALS: dict[str, Learner] = {
    "NearestNeighbor": NearestNeighbor(2, 2),
    "LogisticRegression": LogisticRegression(2, 2),
    "NearestClassMean": ProtoNet(2, 2, encoder="identity"),
}
TABLES = {"iris": datasets.load_iris, "wine": datasets.load_wine, "breast cancer": datasets.load_breast_cancer}


def standardise(context: Tensor, points: Tensor) -> Tensor:
    """Centre and scale points by their context alone, the scale shrunk towards a prior.

    The centre of a feature is its mean m over the context; its variance is estimated as
    (2 (0.4 m)^2 + sum (x - m)^2) / (2 + n): a positive measurement is expected to spread by 40 % of its mean, and that
    expectation weighs as much as two points. Nothing of the queries or their labels is used.

    Args:
        context: (B, n, d) with n >= 1.
        points: (B, q, d).
    """
    mean = context.mean(1, keepdim=True)
    squares = (context - mean).square().sum(1, keepdim=True)
    variance = (PRIOR_POINTS * (PRIOR_SPREAD * mean).square() + squares) / (PRIOR_POINTS + context.shape[1])
    return (points - mean) / variance.sqrt().clamp(min=1e-6)


def draw_tasks(table: str, draws: int, seed: int) -> Tasks:
    """Tasks from a table: each draw picks two classes, two features, and rows in rounds of one per class."""
    data = TABLES[table]()
    x, y = np.asarray(data.data, dtype=np.float32), np.asarray(data.target)
    generator = generator_for(seed, Stream.TEST, len(table))
    n_points = max(SIZES) + N_QUERIES
    tasks = []
    for _ in range(draws):
        features = torch.randperm(x.shape[1], generator=generator)[:2].numpy()
        classes = torch.randperm(int(y.max()) + 1, generator=generator)[:2].numpy()
        rows = np.isin(y, classes)
        family = Labelled(x[rows][:, features], y[rows])
        tasks.append(family.sample(1, n_points, generator=generator))
    return concatenate(tasks)


def measurements(model: lab.Training, draws: int, n_points: int, seed: int) -> list[lab.Measurement]:
    """The model and classical rules on the same draws of every table, and with the first seed their maps of the flowers.

    Contexts longer than those of the model's training are left out.
    """
    sizes = [n for n in SIZES if n < n_points]
    found = []
    for name, learner in {ICL: model, **RIVALS}.items():
        for of in TABLES:
            asked = lab.call(accuracies, learner, of, sizes, draws, seed)
            found.append(lab.Measurement(("real data", name, of), seed, asked, f"{of} {seed}"))
        if seed == 0:
            found.append(lab.Measurement(("flowers", name), 0, lab.call(flower_map, learner)))
    return found


def accuracies(learner: Learner, table: str, sizes: Sequence[int], draws: int, seed: int) -> dict[str, np.ndarray]:
    """Measures "real": share of right answers by draw and context size, on the same queries whatever the size, (draws, sizes)."""
    tasks = draw_tasks(table, draws, seed)
    queries, answers = tasks.x[:, -N_QUERIES:], tasks.y[:, -N_QUERIES:]
    found = []
    with torch.inference_mode():
        for n in sizes:
            context = tasks.x[:, :n]
            output = learner(standardise(context, context), tasks.y[:, :n], standardise(context, queries))
            found.append(score_output(output, answers, 2).mean(1).double().numpy())
    return {"real": np.stack(found, axis=-1)}


def table(numbers: lab.Numbers) -> pd.DataFrame:
    """One row per table, learner and size: accuracy, and the model's minus it, with 95 % intervals over draws."""
    found = numbers["real"]
    values = {
        (name, of, n): each.at(i)
        for (_, name, of), each in found.items()
        for i, n in enumerate(SIZES[: each.values.shape[-1]])
    }
    frame = lab.interval_rows(values, "learner table n_context")
    gaps = [(values[ICL, *key[1:]] - each).interval() for key, each in values.items()]
    return frame.assign(
        n_draws=[gap.n_tasks for gap in gaps],
        seeds=[gap.seeds for gap in gaps],
        icl_minus_this=[gap.value for gap in gaps],
        icl_minus_this_low=[gap.low for gap in gaps],
        icl_minus_this_high=[gap.high for gap in gaps],
    )


def summary(frame: pd.DataFrame) -> dict[str, int]:
    """What the page says of them: in how many comparisons with a rival the model is clearly ahead, and behind."""
    against = frame[frame["learner"] != ICL]
    return {
        "compared": len(against),
        "ahead": int((against["icl_minus_this_low"] > 0).sum()),
        "behind": int((against["icl_minus_this_high"] < 0).sum()),
        "fewest": frame["n_context"].min(),
        "most": frame["n_context"].max(),
        "draws": int(frame["n_draws"].max()),
        "n_queries": N_QUERIES,
    }


def accuracy_rows(frame: pd.DataFrame) -> list[dict[str, str]]:
    """One row per table and number of labelled rows."""
    return [
        {"table and context": f"{of}, {n} labelled"}
        | {
            lab.label(
                row["learner"], STYLES
            ): f"{100 * row['mean']:.1f} ({100 * row['low']:.1f} to {100 * row['high']:.1f})"
            for row in part.to_dict("records")
        }
        for (of, n), part in frame.groupby(["table", "n_context"], sort=False)
    ]


def accuracy_figure(frame: pd.DataFrame) -> Figure:
    """Accuracy on each table against the number of labelled rows."""
    return lab.lines(
        frame.assign(rows=frame["n_context"].astype(str)),
        x="rows",
        by="learner",
        panel="table",
        styles=STYLES,
        spread="bars",
        apart=0.08,  # side by side, so that the bars can be told apart
        scale=100,
        levels={"chance": 50},
        x_label="labelled rows",
        y_label="accuracy on other rows (%)",
        y_range=(48, 100),
        size=(3.2, 3.4),
    )


def flowers() -> tuple[Tasks, list[Tensor]]:
    """One draw of irises of two kinds by their petals, of which ten are labelled; and the sides of a map."""
    data = datasets.load_iris()
    rows = np.asarray(data.target) > 0
    family = Labelled(np.asarray(data.data)[rows][:, [2, 3]], np.asarray(data.target)[rows])
    tasks = family.sample(1, 100, generator=generator_for(0, Stream.TEST, 99))
    low, high = tasks.x[0].amin(0), tasks.x[0].amax(0)
    margin = 0.1 * (high - low)
    return tasks, sides_around((low - margin).tolist(), (high + margin).tolist(), 120)


def flower_map(learner: Learner) -> dict[str, np.ndarray]:
    """Measures "map": what a learner answers on the map of petals, (120, 120)."""
    tasks, sides = flowers()
    context = tasks.x[:, :10]
    points = standardise(context, torch.cartesian_prod(*sides)[None])
    return {"map": decided_map(learner, standardise(context, context), tasks.y[:, :10], points)}


def regions_figure(numbers: lab.Numbers) -> Figure:
    """Decision regions of every learner on one draw: petal sizes of two kinds of iris, ten labelled flowers."""
    tasks, sides = flowers()
    figure, axes = lab.grid(2, 2, width=7.2, height=6.4)
    for axis, name in zip((a for row in axes for a in row), (ICL, *RIVALS), strict=True):
        draw_map(axis, sides, numbers.array("flowers", name, name="map"))
        draw_points(axis, tasks.x[0, 10:], tasks.y[0, 10:], size=8, ringed=False)
        draw_points(axis, tasks.x[0, :10], tasks.y[0, :10], size=70)
        lab.name_axes(axis, "petal length (cm)", "petal width (cm)", title=lab.label(name, STYLES))
    return figure
