"""How exact the constructions are: transformers written by hand against the learners they were written for."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ctxlearn import lab
from ctxlearn.expressiveness import circuit, construct
from ctxlearn.expressiveness.wiring import Circuit
from ctxlearn.learners import InContextTransformer, Learner, ProtoNet
from ctxlearn.learners.encoders import Encoder
from ctxlearn.references import GradientDescent
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies.arms import FAMILIES, HOME
from ctxlearn.tasks import ClassPrototype, Radial

EXACT, CAUSAL_ERROR = "exact", "causal mask"
LENGTHS = (0, 1, 4, 16, 49, 128)
STEPS = (1, 2, 5, 20)
MASKS = ("context", "context_and_self", "full", "causal")
N_QUERIES = 4
LEAST_SQUARES, SOFTMAX = "least squares", "softmax regression"
KINDS = {LEAST_SQUARES: ("squared", 0.0), "ridge": ("squared", 0.1), SOFTMAX: ("softmax", 0.0)}
"""Loss and penalty of each kind of gradient descent."""


@dataclass(frozen=True)
class Contexts:
    """What learners are compared on: contexts x (B, n, d), y (B, n), and queries (B, q, d)."""

    x: Tensor
    y: Tensor
    query: Tensor


def contexts(n: int, n_tasks: int, seed: int) -> Contexts:
    """Contexts of n points, in float64: of each family as drawn, with one point of class 1 at most, and with none."""
    parts = []
    for family in (*FAMILIES.values(), Radial()):
        tasks = family.sample(n_tasks, n + N_QUERIES, generator=generator_for(seed, Stream.TEST, 3))
        lone = torch.zeros_like(tasks.y)
        lone[:, :1] = 1
        parts += [(tasks.x, y) for y in (tasks.y, lone, torch.zeros_like(tasks.y))]
    x, y = (torch.cat(part) for part in zip(*parts, strict=True))
    x = x.double()
    return Contexts(x[:, :n], y[:, :n], x[:, n:])


@torch.no_grad()
def largest_error(
    learner: Learner, built: InContextTransformer, probes: Contexts, dtype: torch.dtype
) -> tuple[float, float]:
    """Largest absolute difference of log-probabilities, both computed in the precision `dtype`; largest |log-odds|."""
    parts = [probes.x.to(dtype), probes.y, probes.query.to(dtype)]
    pair = [model.to(dtype)(*parts).log_softmax(-1).double() for model in (learner, built)]
    return float((pair[0] - pair[1]).abs().max()), float((pair[0][..., 1] - pair[0][..., 0]).abs().max())


def descent(kind: str, steps: int, trained: Learner | None = None) -> GradientDescent:
    """Gradient descent with an intercept and steps of one over the largest curvature of some contexts like ours.

    Args:
        kind: one of `KINDS`.
        steps: taken.
        trained: whose encoder makes the features; None means the inputs themselves.
    """
    loss, penalty = KINDS[kind]
    encoder = None if trained is None else trained.encoder
    assert encoder is None or isinstance(encoder, Encoder)
    largest = 0.0
    for n in LENGTHS[1:]:
        x = contexts(n, 4, seed=0).x
        features = x if encoder is None else copy.deepcopy(encoder).double()(x).detach()
        features = torch.cat([features, torch.ones_like(features[..., :1])], dim=-1)
        gram = features.mT @ features / n if n > features.shape[-1] else features @ features.mT / n
        largest = max(largest, float(torch.linalg.eigvalsh(gram).max()))
    return GradientDescent(
        steps,
        1 / (largest + penalty),
        loss,
        n_features=2,
        penalty=penalty,
        encoder="identity" if encoder is None else encoder.module,
        intercept=True,
    )


def exact_masks(learner: Learner) -> list[str]:
    """The masks under which the construction of a learner is said to be exact."""
    if isinstance(learner, ProtoNet):
        return [mask for mask in MASKS if mask != "context"]
    causal = not isinstance(learner, GradientDescent) or learner.steps <= 1
    return [mask for mask in MASKS if mask != "causal" or causal]


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
    """Each construction under every mask where it is exact, at every context length.

    Returns:
        Facts, one row per learner, mask and n_context: the transformer's blocks, width, heads (of each block that has
        some) and kinds of attention; error64 and error32, the largest |difference| of log-probabilities in either
        precision; log_odds, the learner's largest, so that one sees what the error is an error of; n_contexts compared.
    """
    probes = {n: contexts(n, n_tasks, seed) for n in LENGTHS}
    rows = []
    for name, given in learners.items():
        learner = copy.deepcopy(given).double().eval()
        for mask in exact_masks(learner):
            built = construct(learner, mask=mask)
            about = {
                "name": name,
                "mask": mask,
                "blocks": len(built.blocks),
                "width": built.width,
                "heads": max(block.heads for block in built.block_configs),
                "attention": _kinds(circuit(learner, mask=mask)),
            }
            narrow = copy.deepcopy(learner), copy.deepcopy(built)
            for n, probe in probes.items():
                error, log_odds = largest_error(learner, built, probe, torch.float64)
                error32, _ = largest_error(*narrow, probe, torch.float32)
                measured = {"error64": error, "error32": error32, "log_odds": log_odds, "n_contexts": len(probe.x)}
                rows.append({**about, "n_context": n, **measured})
    return {"facts": rows}


def _kinds(plan: Circuit) -> str:
    layers = [layer for layer in plan.layers if layer.heads]
    kinds = [("cosine " if layer.normalised else "") + layer.attention.replace("_mean", " / n") for layer in layers]
    return ", ".join(dict.fromkeys(kinds))


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
