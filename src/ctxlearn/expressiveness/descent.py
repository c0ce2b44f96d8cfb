"""Gradient descent on a linear head as a transformer: a block a step."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ctxlearn.baselines.gradient_descent import GradientDescent
from ctxlearn.checks import check_features
from ctxlearn.expressiveness.encoding import encoding, zeros
from ctxlearn.expressiveness.wiring import BIAS, Circuit, Head, Layer, Map, Units, carry, eye

HIDE = 2.0**30
"""Larger than any output of the head: what is above it by gating is the context's, the query's is cut to zero."""


def gradient_descent(learner: GradientDescent, mask: str | None) -> Circuit:
    """Gradient descent: every token carries the head's output for it, and each step corrects all of them at once.

    With p_i = W phi_i, a step W - s [ (1/n) sum_j (t(p_j) - y_j) phi_j' + c W ] is, in outputs,

        p_i <- (1 - s c) p_i - (s / n) sum_j (t(p_j) - y_j) (phi_j . phi_i):

    linear attention, divided by n, that asks with phi_i, has phi_j as keys and residuals as values, and is written
    times -s. The weights never appear. For least squares t(p) = p; the block's MLP adds the penalty's part. For softmax regression
    t is a softmax over classes: softmax attention of p to one memory slot a class, slot c with key and value e_c, from which the
    tokens are hidden; a block of its own before each step but the first, where p = 0 and t = 1/C are known. Residuals
    are of the context alone: hidden units relu(t - M is_query) leave a query's at zero, so a query that sees itself
    corrects nothing.

    Needs: depth 1 + k for least squares, 2 k for softmax regression (one less with the identity encoder, at least 1);
    1 head; width d + e + 4 K + 1 for K labels, 5 K in place of 4 K for softmax regression. Exact for any k under every mask but "causal", where
    it is for k <= 1: there the context's own outputs miss the later points' corrections.
    """
    if learner.n_features is None:
        raise ValueError(
            "learner: expected a GradientDescent with n_features, which a transformer must know; give n_features"
        )
    assert learner.encoder is not None
    n_labels = 1 if learner.n_classes is None else learner.n_classes
    points = encoding(learner.encoder, math.prod(check_features("n_features", learner.n_features)))
    e = points.size
    features: dict[str, Tensor] = {points.register: eye(e)}
    if learner.intercept:
        taller, last = eye(e + 1)[:, :e], eye(e + 1)[:, e]
        features = {points.register: taller, BIAS: last}
    softmax = learner.objective == "softmax"
    layers = list(points.layers)
    for step, size in enumerate(learner.step_sizes):
        if softmax and step > 0:
            layers.append(_probabilities(n_labels))
        correct = Head(
            features, features, {"target": eye(n_labels), "label": -eye(n_labels)}, {"output": -size * eye(n_labels)}
        )
        following = learner.step_sizes[step + 1] if step + 1 < learner.steps else 0.0
        layers.append(
            Layer(
                f"step {step + 1}: residuals, weighted by products of features",
                [correct],
                _after(n_labels, following * learner.penalty, softmax),
                attention="linear_mean",
            )
        )
    first: Map = {}
    if softmax:  # p = 0: equal probabilities, for the context alone
        share = torch.full((n_labels, 1), 1 / n_labels, dtype=torch.float64)
        first = {"is_query": -share, BIAS: share[:, 0]}
    return Circuit(
        registers={
            **points.registers,
            **dict.fromkeys(("label", "output", "target", "decay"), n_labels),
            **({"probability": n_labels} if softmax else {}),
            "is_query": 1,
        },
        embed={
            **points.embed,
            "label": {"label": eye(n_labels)},
            "is_query": {"is_query": eye(1)},
            "target": first,
        },
        layers=layers or [Layer("nothing to do")],
        out={"output": eye(n_labels)},
        mask=mask or "context",
        encoder=points.module,
    )


def _after(k: int, decay: float, softmax: bool) -> list[Units]:
    """What the MLP of a step does: add the penalty's part, prepare the next one's, and set or clear the target.

    "decay" holds -s c p for the output p before the step. After the attention p' + decay is the new output u.
    """
    new: Map = {"output": eye(k), "decay": eye(k)}
    units = [
        carry({"decay": eye(k)}, {"output": eye(k), "decay": -eye(k)}),
        carry(new, {"decay": -decay * eye(k)}),
        _clear("target", k),
    ]
    if not softmax:
        hide = torch.full((k, 1), -HIDE, dtype=torch.float64)
        units += [
            Units({**new, "is_query": hide}, {"target": eye(k)}),
            Units({"output": -eye(k), "decay": -eye(k), "is_query": hide}, {"target": -eye(k)}),
        ]
    return units


def _probabilities(k: int) -> Layer:
    """softmax(p) into "target" for the context, zero for a query."""
    ask = torch.cat([eye(k), zeros(1, k)])
    hidden = torch.cat([zeros(k, 1), -HIDE * eye(1)])[:, 0]  # the last coordinate: tokens have it, slots do not
    slots = torch.cat([eye(k), zeros(k, 1)], dim=1)
    head = Head(
        query={"output": ask, BIAS: eye(k + 1)[k]},
        key={BIAS: hidden},
        value={BIAS: zeros(k, 1)[:, 0]},
        write={"probability": eye(k)},
        slots=(slots, eye(k)),
    )
    gate = {"probability": eye(k), "is_query": torch.full((k, 1), -2.0, dtype=torch.float64)}
    return Layer(
        "softmax of each token's output, by attention to a slot a class",
        [head],
        [Units(gate, {"target": eye(k)}), Units({"probability": eye(k)}, {"probability": -eye(k)})],
    )


def _clear(register: str, k: int) -> Units:
    """Set a register to zero."""
    return carry({register: eye(k)}, {register: -eye(k)})
