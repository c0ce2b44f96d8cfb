"""How exact the constructions are: transformers written by hand against the learners they were written for."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from ctxlearn import lab
from ctxlearn.expressiveness import construct
from ctxlearn.expressiveness.exactness import compare
from ctxlearn.learners import Learner
from ctxlearn.references import GradientDescent
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies.arms import FAMILIES, HOME
from ctxlearn.tasks import ClassPrototype, Radial

EXACT, CAUSAL_ERROR = "exact", "causal mask"
LENGTHS = (0, 1, 4, 16, 49, 128)
STEPS = (1, 2, 5, 20)
N_QUERIES = 4
LEAST_SQUARES, SOFTMAX = "least squares", "softmax regression"
KINDS = {LEAST_SQUARES: ("squared", 0.0), "ridge": ("squared", 0.1), SOFTMAX: ("softmax", 0.0)}
"""Loss and penalty of each kind of gradient descent."""
DIGITS = 9.0
"""A construction is called exact where it agrees to so many digits after the point."""


def measurements(
    trained: Mapping[tuple[str, str], lab.Training], n_tasks: int, steps: Sequence[int], seed: int
) -> list[lab.Measurement]:
    """Every construction: of the trained classical learners, and of gradient descent on inputs and on trained features.

    Learners that differ in their number of steps share a row of the table, so a measurement.
    """
    groups: dict[str, dict[str, lab.Contestant]] = {
        f"{name}, trained on {home}": {name: trained[name, home]} for name, home in HOME.items()
    }
    for words, given in (("the inputs", None), ("ProtoNet's trained features", trained["ProtoNet", "class-prototype"])):
        for kind in KINDS:
            named = {f"{k} steps": lab.call(descent, kind, k, given) for k in STEPS if k in steps}
            groups[f"gradient descent, {kind}, on {words}"] = {**named}
    return [
        lab.Measurement((EXACT, group), seed, lab.call(exactness, learners, n_tasks, seed))
        for group, learners in groups.items()
    ]


def exactness(learners: Mapping[str, Learner], n_tasks: int, seed: int) -> dict[str, object]:
    """The facts: rows of `ctxlearn.expressiveness.exactness.compare` of each learner, with its name."""
    probes = [contexts(n, n_tasks, seed) for n in LENGTHS]
    rows = [{"name": name, **row} for name, learner in learners.items() for row in compare(learner, probes)]
    return {"facts": rows}


def contexts(n: int, n_tasks: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Contexts x (B, n, d) and y (B, n), and queries (B, q, d), in float64.

    They are of each family as drawn, with one point of class 1 at most, and with none.
    """
    parts = []
    for family in (*FAMILIES.values(), Radial()):
        tasks = family.sample(n_tasks, n + N_QUERIES, generator=generator_for(seed, Stream.TEST, 3))
        lone = torch.zeros_like(tasks.y)
        lone[:, :1] = 1
        parts += [(tasks.x, y) for y in (tasks.y, lone, torch.zeros_like(tasks.y))]
    x, y = (torch.cat(part) for part in zip(*parts, strict=True))
    x = x.double()
    return x[:, :n], y[:, :n], x[:, n:]


def descent(kind: str, steps: int, trained: Learner | None = None) -> GradientDescent:
    """Gradient descent with an intercept and steps of one over the largest curvature of some contexts like ours.

    Args:
        kind: one of `KINDS`.
        steps: taken.
        trained: whose encoder makes the features; None means the inputs themselves.
    """
    loss, penalty = KINDS[kind]
    encoder: Any = nn.Identity() if trained is None else trained.encoder
    largest = 0.0
    for n in LENGTHS[1:]:
        features = copy.deepcopy(encoder).double()(contexts(n, 4, seed=0)[0]).detach()
        features = torch.cat([features, torch.ones_like(features[..., :1])], dim=-1)
        gram = features.mT @ features / n if n > features.shape[-1] else features @ features.mT / n
        largest = max(largest, float(torch.linalg.eigvalsh(gram).max()))
    return GradientDescent(
        steps,
        1 / (largest + penalty),
        loss,
        n_features=2,
        penalty=penalty,
        encoder="identity" if trained is None else encoder.module,
        intercept=True,
    )


def causal_measurements(n_tasks: int) -> list[lab.Measurement]:
    """Gradient descent on the inputs, which takes more than one step under a causal mask otherwise."""
    return [
        lab.Measurement((CAUSAL_ERROR, kind, steps), 0, lab.call(causal_error, kind, steps, n_tasks))
        for kind in (LEAST_SQUARES, SOFTMAX)
        for steps in STEPS
    ]


def causal_error(kind: str, steps: int, n_tasks: int, seed: int = 0) -> dict[str, np.ndarray]:
    """What a causal mask costs gradient descent on the inputs.

    Returns:
        "lost" (T, q, L): |difference| for class 1 after contexts of L lengths, of outputs for least squares, of
        probabilities for softmax regression.
    """
    tasks = ClassPrototype().sample(n_tasks, max(LENGTHS) + N_QUERIES, generator=generator_for(seed, Stream.TEST, 4))
    x = tasks.x.double()
    learner = descent(kind, steps).double()
    built = construct(learner, mask="causal")
    lost = []
    for n in LENGTHS[1:]:
        with torch.no_grad():
            pair = [model(x[:, :n], tasks.y[:, :n], x[:, max(LENGTHS) :]) for model in (learner, built)]
        if kind == SOFTMAX:
            pair = [answer.softmax(-1) for answer in pair]
        lost.append((pair[0] - pair[1])[..., 1].abs())
    return {"lost": torch.stack(lost, dim=-1).numpy()}


def exactness_table(numbers: lab.Numbers) -> pd.DataFrame:
    """The rows of `exactness` of every group and seed."""
    rows = [
        {"group": key[1], "seed": seed, **row}
        for key in numbers.measured
        if key[0] == EXACT
        for seed, facts in enumerate(numbers.facts(*key))
        for row in facts
    ]
    return pd.DataFrame(rows)


def as_text(table: pd.DataFrame) -> pd.DataFrame:
    """Errors as text, since they are far below what tables are rounded to."""
    return table.assign(**{name: [f"{value:.2e}" for value in table[name]] for name in ("error64", "error32")})


def claims(table: pd.DataFrame) -> list[lab.Claim]:
    """Is each construction exact? The largest error over finitely many contexts is no estimate."""
    says = []
    for group, own in table.groupby("group", sort=False):
        steps = f", k = {steps_of(own)} steps" if str(group).startswith("gradient") else ""
        says.append(
            lab.Says(
                f"exact-{slug(str(group))}",
                f"The transformer written by hand is the learner: {group}{steps}; masks: {masks_of(own)}",
                f"digits after the point to which log-probabilities agree in float64: the least over contexts of {LENGTHS[0]} to"
                f" {LENGTHS[-1]} points, imbalanced ones too; a fact about these, no estimate, so without an interval",
                lab.Fact(digits(own["error64"].max()), n_contexts(own), own["seed"].nunique()),
                threshold=DIGITS,
                of_this_model=False,
            )
        )
    return lab.together("exact", says)


def digits(error: float) -> float:
    """Digits after the point that agree: 0.001 has 3; no difference counts as 16."""
    return -math.log10(max(error, 1e-16))


def n_contexts(rows: pd.DataFrame) -> int:
    """How many contexts each learner of a group was compared on."""
    first = rows[(rows["mask"] == rows["mask"].iloc[0]) & (rows["name"] == rows["name"].iloc[0])]
    return int(first["n_contexts"].sum())


def steps_of(rows: pd.DataFrame) -> str:
    """The numbers of steps of a group, in words."""
    return ", ".join(dict.fromkeys(name.partition(" ")[0] for name in rows["name"]))


def masks_of(rows: pd.DataFrame) -> str:
    """The masks under which a group is exact, in words."""
    names = set(rows["name"])
    masks = rows.groupby("mask", sort=False)["name"].agg(set)
    return ", ".join(f"{mask}{' (k = 1)' if found < names else ''}" for mask, found in masks.items())


def slug(group: str) -> str:
    """A group's name for an id."""
    words = group.partition(", trained on")[0].replace("'s", "").translate({ord(c): None for c in "(),"})
    return words.lower().replace(" ", "-")


def construction_table(table: pd.DataFrame) -> list[dict[str, str]]:
    """One row per group: its size, its masks, and its largest errors."""
    rows = []
    for group, own in table.groupby("group", sort=False):
        steps = f", k = {steps_of(own)} steps" if own["name"].nunique() > 1 else ""
        errors = {f"largest error, float{bits}": own[f"error{bits}"].max() for bits in (64, 32)}
        rows.append(
            {"learner": f"{group}{steps}"}
            | {size: ", ".join(map(str, dict.fromkeys(own[size]))) for size in ("blocks", "width", "heads")}
            | {"attention": own["attention"].iloc[-1], "masks": masks_of(own)}
            | {words: f"{error:.1e}" if error else "0, bit for bit" for words, error in errors.items()}
            | {"largest log-odds": f"{own['log_odds'].max():.1f}"}
        )
    return rows


def causal_table(numbers: lab.Numbers) -> list[dict[str, str]]:
    """What a causal mask costs, one row per kind and number of steps."""
    rows = []
    for _, kind, steps in (key for key in numbers.measured if key[0] == CAUSAL_ERROR):
        lost = numbers.array(CAUSAL_ERROR, kind, steps, name="lost").reshape(-1, len(LENGTHS) - 1)
        each = zip(LENGTHS[1:], lost.mean(0), lost.max(0), strict=True)
        words = f"{kind} ({'output' if kind == LEAST_SQUARES else 'probability'}), k = {steps}"
        rows.append({"": words, **{f"n = {n}": f"{_small(mean)} / {_small(most)}" for n, mean, most in each}})
    return rows


def _small(value: float) -> str:
    return "0" if value < 1e-12 else f"{value:.1e}" if value < 1e-3 else f"{value:.3f}"
