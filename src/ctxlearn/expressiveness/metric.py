"""MatchNet and ProtoNet as transformers."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ctxlearn.checks import check_features
from ctxlearn.expressiveness.encoding import encoding, zeros
from ctxlearn.expressiveness.wiring import BIAS, Circuit, Head, Layer, eye, row
from ctxlearn.learners.metric import EPS, MatchNet, ProtoNet

FAR = 64.0
"""The distance of two scores at which the lower one's weight, e^-64 = 2e-28, is lost in float64."""
HIDE = 2.0**20
"""Taken off a query's score of itself, which may be as large as its features are."""

RAISE = 2.0**60
"""Brings small shares above the floor of the logarithm."""


def matchnet(learner: MatchNet, mask: str | None) -> Circuit:
    """MatchNet: encode, then one head whose scores are the similarities and whose values are the labels.

    The head asks with f(q), its keys are f(x_i), so the score is the dot product; normalised queries and keys make it
    the cosine, which the head's own sharpness multiplies. Its values are the labels, so what a query receives is sum_i a_i y_i: softmax attention gives the
    shares, whose logarithm (plus 2^-20) is the read-out; linear attention gives Wu et al.'s sums, read as they are.
    Where a query sees itself its own value is zero, as it has no label; under softmax it must take no weight either:
    one more coordinate lowers its score. Normalised keys have no room for that, so there the weight w it takes stays:
    the answers are (1 - w) shares, and 2^-20 (1 - w), the attention that is not its own, is added to each, so that the
    logarithms are off by log(1 - w) for all classes alike. A learned factor of the cosines can bring w near 1: all
    answers are then multiplied by 2^60, which is off by as much for all classes again.

    Needs: depth 2 (1 with the identity encoder), 1 head, width d + e + 2 K + 1 (d + 2 K + 1 with the identity) for K labels.
    """
    mask = mask or "context"
    n_labels = learner.n_classes or 1
    points = encoding(learner.encoder, math.prod(check_features("n_features", learner.n_features)))
    cosine, summed = learner.similarity != "dot", learner.attention == "sum"
    classification, sees_itself = learner.n_classes is not None, mask != "context" and not summed
    if cosine and sees_itself and not classification:
        raise ValueError(
            f'mask: expected "context" for regression by softmax over cosines, got {mask!r}: keys of length one leave no'
            " room to hide a query from itself"
        )
    e = points.size
    query: dict[str, Tensor] = {points.register: eye(e)}
    key: dict[str, Tensor] = {points.register: eye(e)}
    value: dict[str, Tensor] = {"label": eye(n_labels)}
    write = eye(n_labels)
    out: dict[str, Tensor] = {"answer": eye(n_labels)}
    if cosine and sees_itself:
        taller, last = eye(n_labels + 1)[:, :n_labels], eye(n_labels + 1)[:, n_labels:]
        value = {"label": taller, "is_query": -last, BIAS: last[:, 0]}
        write = torch.cat([write, torch.full((n_labels, 1), EPS, dtype=torch.float64)], dim=1)
        if learner.log_factor is not None:
            out = {"answer": RAISE * eye(n_labels)}
    elif classification and not summed:
        out[BIAS] = torch.full((n_labels,), EPS, dtype=torch.float64)
    if sees_itself and not cosine:
        taller, last = eye(e + 1)[:, :e], eye(e + 1)[:, e:]
        query = {points.register: taller, BIAS: last[:, 0]}
        key = {points.register: taller, "is_query": -HIDE * last}
    sharpness = 1.0 if learner.log_factor is None else float(learner.log_factor.detach().double().exp())
    head = Head(query, key, value, {"answer": write}, sharpness=sharpness)
    compare = Layer(
        "compare: the scores are similarities, the values are labels",
        [head],
        attention="linear" if summed else "softmax",
        normalised=cosine,
    )
    return Circuit(
        registers={**points.registers, "label": n_labels, "is_query": 1, "answer": n_labels},
        embed={**points.embed, "label": {"label": eye(n_labels)}, "is_query": {"is_query": eye(1)}},
        layers=[*points.layers, compare],
        out=out,
        mask=mask,
        readout="log" if classification and not summed else "linear",
        encoder=points.module,
    )


def protonet(learner: ProtoNet, mask: str | None) -> Circuit:
    """ProtoNet: encode, average each class, then the query alone computes its distances.

    Class means: the head of class k scores each point 64 (2 y_k - 1), whatever asks, and a memory slot of zeros
    scores 0. So the points of the class share all weight, equally; without any, the slot takes it, and the mean is
    zero, as ProtoNet's is. A query has no label and scores -64: it is in no mean.
    Distances: up to |f(q)|^2, which all classes share and the softmax drops, -|f(q) - c_k|^2 = (2 f(q) - c_k).c_k.
    This is a product of a query's own registers, so each class's head asks with 2 f - c_k, its key is c_k, and its value is
    is_query: linear attention, in which the context has value zero and the query sees itself.

    Needs: depth 3 (2 with the identity encoder), C heads, width d + e + C e + 2 C + 1 (without e for the identity's
    own register); a mask under which a query sees itself.
    """
    mask = mask or "context_and_self"
    if mask == "context":
        raise ValueError(
            'mask: expected one under which a query sees itself ("context_and_self", "full" or "causal") for'
            ' ProtoNet, whose distances are products of a query\'s own features, got "context"'
        )
    n_classes = learner.n_classes
    points = encoding(learner.encoder, math.prod(check_features("n_features", learner.n_features)))
    e = points.size
    means = [f"mean of class {k}" for k in range(n_classes)]
    none = (zeros(1, 1), zeros(1, e))
    average = [
        Head(
            query={BIAS: torch.ones(1, dtype=torch.float64)},
            key={"label": 2 * FAR * row(n_classes, k), BIAS: torch.full((1,), -FAR, dtype=torch.float64)},
            value={points.register: eye(e)},
            write={mean: eye(e)},
            slots=none,
        )
        for k, mean in enumerate(means)
    ]
    measure = [
        Head(
            query={points.register: 2 * eye(e), mean: -eye(e)},
            key={mean: eye(e)},
            value={"is_query": eye(1)},
            write={"answer": row(n_classes, k).T},
        )
        for k, mean in enumerate(means)
    ]
    return Circuit(
        registers={
            **points.registers,
            "label": n_classes,
            "is_query": 1,
            **dict.fromkeys(means, e),
            "answer": n_classes,
        },
        embed={**points.embed, "label": {"label": eye(n_classes)}, "is_query": {"is_query": eye(1)}},
        layers=[
            *points.layers,
            Layer("average: a head a class, by label; a slot for empty classes", average),
            Layer("measure: the query's own product (2 f - c).c", measure, attention="linear"),
        ],
        out={"answer": eye(n_classes)},
        mask=mask,
        encoder=points.module,
    )
