"""Transformers whose weights are written by hand to be each learner exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ctxlearn.checks import describe
from ctxlearn.expressiveness.amortized import cnp
from ctxlearn.expressiveness.descent import gradient_descent
from ctxlearn.expressiveness.metric import matchnet, protonet
from ctxlearn.expressiveness.wiring import Circuit, assemble
from ctxlearn.learners import CNP, InContextTransformer, Learner, MatchNet, ProtoNet
from ctxlearn.references import GradientDescent

__all__ = ["circuit", "construct"]

_CIRCUITS: dict[type[Learner], Callable[[Any, str | None], Circuit]] = {
    MatchNet: matchnet,
    ProtoNet: protonet,
    CNP: cnp,
    GradientDescent: gradient_descent,
}


def construct(
    learner: Learner, *, mask: str | None = None, width: int | None = None, hidden: int | None = None, seed: int = 0
) -> InContextTransformer:
    """A transformer that is the given learner: the same answers to every query after every context.

    The same log-probabilities (or means) up to rounding, in float64 below 1e-9. It is an ordinary
    `InContextTransformer`, which saves, loads and trains.

    Args:
        learner: a `MatchNet`, `ProtoNet`, `CNP`, or `references.GradientDescent` (MAML with a linear head).
        mask: who attends to what, see `InContextTransformer`; None for the cheapest that the circuit allows.
        width: of the stream, at least what the circuit needs; what is more is spare: it changes no answer and can be
            trained. None for no spare.
        hidden: hidden units of each block, likewise.
        seed: of the spare weights.

    Returns:
        The transformer, in the learner's precision; in float64 for gradient descent, which computes so, and in
        float32 for a learner without parameters.

    Raises:
        ValueError: a learner for which there is no construction, a mask under which it is not exact, or a width or number
            of hidden units that is too small.

    How each works: `ctxlearn.expressiveness.metric`, `amortized` and `descent`, and docs/expressiveness.md.
    """
    plan = circuit(learner, mask=mask)
    own = next(learner.parameters(), torch.zeros(()))
    dtype = torch.float64 if isinstance(learner, GradientDescent) else own.dtype
    assert learner.n_features is not None
    return assemble(plan, learner.n_features, learner.n_classes, width, hidden, seed).to(own.device, dtype)


def circuit(learner: Learner, *, mask: str | None = None) -> Circuit:
    """The registers and layers of `construct(learner)`, for those who want to read or draw them."""
    make = _CIRCUITS.get(type(learner))
    if make is None:
        names = ", ".join(cls.__name__ for cls in _CIRCUITS)
        raise ValueError(f"learner: expected one of {names} (no construction covers others), got {describe(learner)}")
    return make(learner, mask)
