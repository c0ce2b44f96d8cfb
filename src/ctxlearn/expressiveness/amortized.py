"""The conditional neural process as a transformer."""

from __future__ import annotations

import math

import torch

from ctxlearn.checks import check_features
from ctxlearn.expressiveness.encoding import encoding, linear, network
from ctxlearn.expressiveness.wiring import BIAS, Circuit, Head, Layer, eye
from ctxlearn.learners.amortized import CNP


def cnp(learner: CNP, mask: str | None) -> Circuit:
    """CNP: encode, embed each labelled point, average over the context, decode.

    The first MLP is f, the second phi of [f(x), y]. Then a head whose query is 1 and whose key is 1 - is_query: linear
    attention divided by the number of points is their mean, over nothing it is zero, and a query that sees itself
    adds nothing. The MLP of the same block, which comes after the attention, is rho of [f(q), r].

    Needs: depth 3 (2 with the identity encoder), 1 head, width d + e + 2 w + 2 K + 1 for K labels and embeddings of
    width w (without e for the identity's own register).
    """
    n_labels = 1 if learner.n_classes is None else learner.n_classes
    points = encoding(learner.encoder, math.prod(check_features("n_features", learner.n_features)))
    w = linear(learner.phi, 2).out_features
    one = torch.ones(1, dtype=torch.float64)
    mean = Head({BIAS: one}, {"is_query": -eye(1), BIAS: one}, {"embedding": eye(w)}, {"average": eye(w)})
    sizes = {points.register: points.size, "label": n_labels}
    return Circuit(
        registers={
            **points.registers,
            "label": n_labels,
            "is_query": 1,
            "embedding": w,
            "average": w,
            "answer": n_labels,
        },
        embed={**points.embed, "label": {"label": eye(n_labels)}, "is_query": {"is_query": eye(1)}},
        layers=[
            *points.layers,
            Layer("embed each labelled point: the MLP is phi", units=[network(learner.phi, sizes, "embedding")]),
            Layer(
                "average over the context; the MLP is rho",
                [mean],
                [network(learner.rho, {points.register: points.size, "average": w}, "answer")],
                attention="linear_mean",
            ),
        ],
        out={"answer": eye(n_labels)},
        mask=mask or "context",
        encoder=points.module,
    )
