"""How exact the constructions are: transformers written by hand against the learners they were written for."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ctxlearn.expressiveness import circuit, construct
from ctxlearn.expressiveness.wiring import Circuit
from ctxlearn.learners import InContextTransformer, Learner
from ctxlearn.learners.encoders import Encoder
from ctxlearn.references import GradientDescent
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies.arms import FAMILIES, HOME
from ctxlearn.studies.base import count
from ctxlearn.studies.claims import Claim
from ctxlearn.tasks import ClassPrototype, Radial
from ctxlearn.threads import one_thread_per_operator

LENGTHS = (0, 1, 4, 16, 49, 128)
STEPS = (1, 2, 5, 20)
MASKS = ("context", "context_and_self", "full", "causal")
N_QUERIES = 4
DIGITS = 9
"""A construction is called exact where it agrees to so many digits after the point."""
KINDS = {"least squares": ("squared", 0.0), "ridge": ("squared", 0.1), "softmax regression": ("softmax", 0.0)}
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
    with one_thread_per_operator():
        parts = [probes.x.to(dtype), probes.y, probes.query.to(dtype)]
        pair = [model.to(dtype)(*parts).log_softmax(-1).double() for model in (learner, built)]
    return float((pair[0] - pair[1]).abs().max()), float((pair[0][..., 1] - pair[0][..., 0]).abs().max())


@dataclass(frozen=True)
class Case:
    """One learner for which there is a construction.

    Attributes:
        group: the row of the table: learners that differ in their number of steps share one.
        name: its own.
        learner: itself.
        steps: gradient steps, 0 for those without.
    """

    group: str
    name: str
    learner: Learner
    steps: int


def cases(named: Mapping[str, Learner]) -> Iterator[Case]:
    """The trained classical learners of one seed, and gradient descent on the inputs and on a trained encoder."""
    for name, home in HOME.items():
        yield Case(f"{name}, trained on {home}", name, named[f"{name} on {home}"], 0)
    encoder = named["ProtoNet on class-prototype"].encoder
    assert isinstance(encoder, Encoder)
    for words, module in (("the inputs", None), ("ProtoNet's trained features", encoder)):
        for kind in KINDS:
            for steps in STEPS:
                yield Case(
                    f"gradient descent, {kind}, on {words}", f"{steps} steps", descent(kind, steps, module), steps
                )


def descent(kind: str, steps: int, encoder: Encoder | None = None) -> GradientDescent:
    """Gradient descent with an intercept and steps of one over the largest curvature of some contexts like ours."""
    loss, penalty = KINDS[kind]
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


def exact_masks(case: Case) -> list[str]:
    """The masks under which the construction is said to be exact."""
    if case.name == "ProtoNet":
        return [mask for mask in MASKS if mask != "context"]
    return [mask for mask in MASKS if mask != "causal" or case.steps <= 1]


@dataclass(frozen=True)
class Exact:
    """One construction under one mask, at one context length.

    Attributes:
        group: see `Case`.
        name: see `Case`.
        mask: who attends to what.
        n_context: n.
        blocks: of the transformer.
        width: of its stream.
        heads: of each block with heads.
        attention: kinds, in the order of the blocks, without repetition.
        error64: largest |difference| of log-probabilities in float64.
        error32: in float32.
        log_odds: the learner's largest |log-odds| there, so that one sees what the error is an error of.
        n_contexts: contexts compared.
    """

    group: str
    name: str
    mask: str
    n_context: int
    blocks: int
    width: int
    heads: int
    attention: str
    error64: float
    error32: float
    log_odds: float
    n_contexts: int


def measure_exactness(learners: Mapping[int, Mapping[str, Learner]], n_tasks: int, steps: Sequence[int]) -> list[Exact]:
    """Every construction under every mask where it is exact, at every context length."""
    rows = []
    for seed, named in learners.items():
        probes = {n: contexts(n, n_tasks, seed) for n in LENGTHS}
        for case in cases(named):
            if case.steps and case.steps not in steps:
                continue
            learner = copy.deepcopy(case.learner).double().eval()
            for mask in exact_masks(case):
                built, plan = construct(learner, mask=mask), circuit(learner, mask=mask)
                shape = (len(built.blocks), built.width, max(b.heads for b in built.block_configs), _kinds(plan))
                wide = {n: largest_error(learner, built, p, torch.float64) for n, p in probes.items()}
                narrow_learner, narrow = copy.deepcopy(learner), copy.deepcopy(built)
                for n, p in probes.items():
                    error = largest_error(narrow_learner, narrow, p, torch.float32)[0]
                    rows.append(Exact(case.group, case.name, mask, n, *shape, wide[n][0], error, wide[n][1], len(p.x)))
    return rows


def _kinds(plan: Circuit) -> str:
    layers = [layer for layer in plan.layers if layer.heads]
    kinds = [("cosine " if layer.normalised else "") + layer.attention.replace("_mean", " / n") for layer in layers]
    return ", ".join(dict.fromkeys(kinds))


def digits(error: float) -> float:
    """Digits after the point that agree: 0.001 has 3; no difference counts as 16."""
    return -math.log10(max(error, 1e-16))


def decide_exactness(rows: Sequence[Exact], seeds: int) -> list[Claim]:
    """Is each construction exact? The largest error over finitely many contexts is no estimate and has no interval."""
    claims = []
    for group in dict.fromkeys(row.group for row in rows):
        own = [row for row in rows if row.group == group]
        value = digits(max(row.error64 for row in own))
        steps = f", k = {steps_of(own)} steps" if group.startswith("gradient") else ""
        claims.append(
            Claim(
                f"exact-{slug(group)}",
                f"The transformer written by hand is the learner: {group}{steps}; masks: {masks_of(own)}",
                f"digits after the point to which log-probabilities agree in float64: the least over contexts of {LENGTHS[0]} to"
                f" {LENGTHS[-1]} points, imbalanced ones too; a fact about these, no estimate, so without an interval",
                value,
                value,
                value,
                float(DIGITS),
                "above",
                "holds" if value > DIGITS else "fails",
                sum(row.n_contexts for row in own if row.mask == own[0].mask and row.name == own[0].name),
                seeds,
                "exact",
            )
        )
    return claims


def steps_of(rows: Sequence[Exact]) -> str:
    """The numbers of steps of a group, in words."""
    return ", ".join(dict.fromkeys(row.name.partition(" ")[0] for row in rows))


def masks_of(rows: Sequence[Exact]) -> str:
    """The masks under which a group is exact, in words."""
    names = {row.name for row in rows}
    masks = dict.fromkeys(row.mask for row in rows)
    return ", ".join(m + (" (k = 1)" if {r.name for r in rows if r.mask == m} < names else "") for m in masks)


def slug(group: str) -> str:
    """A group's name for an id."""
    words = group.partition(", trained on")[0].replace("'s", "").translate({ord(c): None for c in "(),"})
    return words.lower().replace(" ", "-")


def measure_causal(n_tasks: int, seed: int = 0) -> dict[tuple[str, int, int], np.ndarray]:
    """What a causal mask costs gradient descent on the inputs: |difference| of class 1's output or probability.

    Returns:
        (kind, steps, n) -> (B q,): of outputs for least squares, of probabilities for softmax regression.
    """
    found = {}
    tasks = ClassPrototype().sample(n_tasks, max(LENGTHS) + N_QUERIES, generator=generator_for(seed, Stream.TEST, 4))
    x = tasks.x.double()
    for kind in ("least squares", "softmax regression"):
        for steps in STEPS:
            learner = descent(kind, steps).double()
            built = construct(learner, mask="causal")
            for n in LENGTHS[1:]:
                parts = (x[:, :n], tasks.y[:, :n], x[:, max(LENGTHS) :])
                with torch.no_grad(), one_thread_per_operator():
                    pair = [model(*parts) for model in (learner, built)]
                if kind == "softmax regression":
                    pair = [answer.softmax(-1) for answer in pair]
                found[kind, steps, n] = (pair[0] - pair[1])[..., 1].abs().flatten().numpy()
    return found


def describe_contexts(rows: Sequence[Exact]) -> str:
    """How many contexts each construction was compared on."""
    first = [row for row in rows if (row.group, row.name, row.mask) == (rows[0].group, rows[0].name, rows[0].mask)]
    return count(sum(row.n_contexts for row in first), "context")
