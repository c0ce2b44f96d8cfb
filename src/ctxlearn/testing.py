"""Contract tests to run on a family or a learner of your own.

    from ctxlearn.testing import check_family, check_learner

    def test_my_family_keeps_the_contract():
        check_family(MyFamily())

    def test_my_learner_keeps_the_contract():
        check_learner(MyLearner(n_features=2, n_classes=3))

Both raise an AssertionError that says which promise is broken.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor

from ctxlearn.checks import check_features, describe
from ctxlearn.episodes import Tasks, select
from ctxlearn.learners.base import Learner
from ctxlearn.seeding import globally_seeded
from ctxlearn.tasks.base import TaskFamily

__all__ = ["check_family", "check_learner"]


def check_family(family: TaskFamily, *, n_tasks: int = 6, n_points: int = 4, seed: int = 0) -> None:
    """See that a family keeps the promises of `ctxlearn.tasks.TaskFamily`.

    Shapes and types; finite values; the same seed gives the same bits and another seed others; nothing touches the
    global random state; `sample` is `sample_points` of `sample_parameters`; points can be drawn for some of the tasks.

    Args:
        family: the family.
        n_tasks: B >= 2, tasks drawn for each check.
        n_points: N >= 1, points a task; choose what the family can give.
        seed: of the draws.

    Raises:
        AssertionError: a promise is broken; the message says which.
    """
    assert isinstance(family, TaskFamily), f"expected an instance of TaskFamily, got {describe(family)}"
    shape = check_features("family.n_features", family.n_features)

    def generator(offset: int = 0) -> torch.Generator:
        return torch.Generator().manual_seed(seed + offset)

    before = torch.random.get_rng_state()
    tasks = family.sample(n_tasks, n_points, generator=generator(), with_parameters=True)
    assert torch.equal(before, torch.random.get_rng_state()), (
        "sample changed the global random state; draw everything from the generator given"
    )
    _check_tasks(tasks, family, shape, n_tasks, n_points)

    again = family.sample(n_tasks, n_points, generator=generator())
    assert _equal(tasks, again), (
        "the same seed gave other tasks; draw everything from the generator given and keep no state"
    )
    other = family.sample(n_tasks, n_points, generator=generator(1))
    assert not torch.equal(tasks.x, other.x), "another seed gave the same inputs; the generator is not used"

    composed = generator()
    parameters = family.sample_parameters(n_tasks, generator=composed)
    parts = family.tasks(parameters, n_points, generator=composed)
    assert _equal(tasks, parts), "sample is not sample_points of sample_parameters with one generator"
    redrawn = family.tasks(tasks.parameters, n_points, generator=generator(2))
    _check_tasks(redrawn, family, shape, n_tasks, n_points)
    index = torch.tensor([n_tasks - 1, 0])
    some = family.tasks(select(parameters, index), n_points, generator=generator(3))
    _check_tasks(some, family, shape, 2, n_points)
    longer = family.sample(1, 1, generator=generator(4))
    _check_tasks(longer, family, shape, 1, 1)


def check_learner(
    learner: Learner,
    *,
    n_features: int | tuple[int, ...] | None = None,
    permutation_invariant: bool = True,
    tolerance: float = 1e-4,
    seed: int = 0,
) -> None:
    """See that a learner keeps the promises of `ctxlearn.learners.Learner`.

    Shapes, and finite outputs for an empty context, one point, and a context of one class; each query is answered on
    its own and each task on its own; `predict_prefixes` is `adapt` and `predict` at every length; no episode is
    remembered; nothing is random in evaluation mode, and in training mode no more than dropout is; the order of the context does not matter; gradients are finite; bad input is a ValueError that names
    the argument. Inputs are standard normal.

    Args:
        learner: the learner; it is put in evaluation mode while it is checked.
        n_features: inputs to check with, where the learner takes any (2 by default).
        permutation_invariant: whether the order of the context shall not matter.
        tolerance: largest difference, absolute and relative, of outputs that shall be equal.
        seed: of the inputs.

    Raises:
        AssertionError: a promise is broken; the message says which.
    """
    assert isinstance(learner, Learner), f"expected an instance of Learner, got {describe(learner)}"
    mode = learner.training
    learner.eval()
    try:
        checks = _LearnerChecks(learner, n_features, tolerance, seed)
        checks.shapes_and_finite_values()
        checks.queries_and_tasks_apart()
        checks.prefixes()
        checks.memory()
        checks.randomness()
        if permutation_invariant:
            checks.order()
        checks.gradients()
        checks.bad_input()
    finally:
        learner.train(mode)


def _check_tasks(tasks: Tasks, family: TaskFamily, shape: tuple[int, ...], n_tasks: int, n_points: int) -> None:
    expected = (n_tasks, n_points, *shape)
    assert isinstance(tasks, Tasks), f"sample: expected Tasks, got {describe(tasks)}"
    assert tasks.x.dtype == torch.float32, f"x: expected float32, got {describe(tasks.x)}"
    assert tuple(tasks.x.shape) == expected, f"x: expected shape {expected}, got {describe(tasks.x)}"
    assert tuple(tasks.y.shape) == expected[:2], f"y: expected shape {expected[:2]}, got {describe(tasks.y)}"
    assert not bool(torch.isinf(tasks.x).any()), "x: expected finite numbers (NaN where missing), got infinity"
    assert tasks.n_classes == family.n_classes, (
        f"n_classes: expected the family's {family.n_classes}, got {tasks.n_classes}"
    )
    if family.n_classes is None:
        assert tasks.y.is_floating_point(), f"y: expected floating numbers, got {describe(tasks.y)}"
        assert bool(torch.isfinite(tasks.y).all()), "y: expected finite numbers"
    else:
        assert tasks.y.dtype == torch.int64, f"y: expected int64, got {describe(tasks.y)}"
        in_range = bool((tasks.y >= 0).all()) and bool((tasks.y < family.n_classes).all())
        assert in_range, f"y: expected labels in [0, {family.n_classes}), got {sorted(set(tasks.y.flatten().tolist()))}"


def _equal(first: Tasks, second: Tasks) -> bool:
    missing = torch.equal(first.x.isnan(), second.x.isnan())  # NaN is not equal to itself
    return missing and torch.equal(first.x.nan_to_num(), second.x.nan_to_num()) and torch.equal(first.y, second.y)


class _LearnerChecks:
    """The checks of one learner, on contexts (B, n) and queries (B, q) drawn from one generator."""

    n_tasks, n_context, n_query = 3, 6, 4

    def __init__(self, learner: Learner, n_features: int | tuple[int, ...] | None, tolerance: float, seed: int) -> None:
        self.learner, self.tolerance = learner, tolerance
        features = learner.n_features if learner.n_features is not None else (n_features or 2)
        self.shape = check_features("n_features", features)
        self.generator = torch.Generator().manual_seed(seed)
        own = next(learner.parameters(), None)
        self.dtype = torch.float32 if own is None else own.dtype
        self.x, self.y = self.inputs(self.n_context), self.labels(self.n_context)
        self.q = self.inputs(self.n_query)

    def inputs(self, n_points: int) -> Tensor:
        return torch.randn(self.n_tasks, n_points, *self.shape, generator=self.generator, dtype=self.dtype)

    def labels(self, n_points: int) -> Tensor:
        size = (self.n_tasks, n_points)
        if self.learner.n_classes is None:
            return torch.randn(size, generator=self.generator, dtype=self.dtype)
        return torch.randint(self.learner.n_classes, size, generator=self.generator)

    @torch.no_grad()
    def answer(self, x: Tensor, y: Tensor, q: Tensor) -> Tensor:
        return self.learner.predict(self.learner.adapt(x, y), q)

    def same(self, promise: str, first: Tensor, second: Tensor) -> None:
        close = first.shape == second.shape and torch.allclose(first, second, rtol=self.tolerance, atol=self.tolerance)
        gap = float((first - second).abs().max()) if first.shape == second.shape else float("nan")
        assert close, f"{promise}: largest difference {gap:.3g}, shapes {tuple(first.shape)} and {tuple(second.shape)}"

    def legal(self, what: str, output: Tensor, n_points: int) -> None:
        trailing = () if self.learner.n_classes is None else (self.learner.n_classes,)
        expected = (self.n_tasks, n_points, *trailing)
        floating = isinstance(output, Tensor) and output.is_floating_point()
        assert floating, f"{what}: expected a floating tensor, got {describe(output)}"
        assert tuple(output.shape) == expected, f"{what}: expected shape {expected}, got {describe(output)}"
        assert bool(torch.isfinite(output).all()), f"{what}: expected finite outputs, got NaN or infinity"

    def shapes_and_finite_values(self) -> None:
        constant = torch.zeros_like(self.y)
        cases = {
            "an empty context": (self.x[:, :0], self.y[:, :0]),
            "a context of one point": (self.x[:, :1], self.y[:, :1]),
            "a context": (self.x, self.y),
            "a context of one class": (self.x, constant),
            "a context of equal points": (self.x[:, :1].expand_as(self.x), self.y),
            "a context of zeros": (torch.zeros_like(self.x), self.y),
        }
        for what, (x, y) in cases.items():
            self.legal(f"predict after {what}", self.answer(x, y, self.q), self.n_query)
            self.legal(f"predict of no query after {what}", self.answer(x, y, self.q[:, :0]), 0)
        self.same(
            "calling the learner is predict(adapt(...))",
            self.learner(self.x, self.y, self.q).detach(),
            self.answer(self.x, self.y, self.q),
        )
        loss = self.learner.loss(self.learner(self.x, self.y, self.q), self.labels(self.n_query))
        finite = loss.ndim == 0 and bool(torch.isfinite(loss))
        assert finite, f"loss: expected a finite scalar, got {describe(loss)}"

    def queries_and_tasks_apart(self) -> None:
        whole = self.answer(self.x, self.y, self.q)
        alone = torch.cat([self.answer(self.x, self.y, self.q[:, i : i + 1]) for i in range(self.n_query)], dim=1)
        self.same("a query's answer does not depend on the other queries", whole, alone)
        tasks = [self.answer(self.x[b : b + 1], self.y[b : b + 1], self.q[b : b + 1]) for b in range(self.n_tasks)]
        self.same("a task's answer does not depend on the other tasks", whole, torch.cat(tasks))

    @torch.no_grad()
    def prefixes(self) -> None:
        rows = self.learner.predict_prefixes(self.x, self.y)
        self.legal("predict_prefixes", rows, self.n_context)
        for n in range(self.n_context):
            one = self.answer(self.x[:, :n], self.y[:, :n], self.x[:, n : n + 1])
            self.same(f"predict_prefixes is adapt and predict, at {n} context points", rows[:, n : n + 1], one)
        last = self.learner.predict_prefixes(self.x[:, :1], self.y[:, :1])
        self.legal("predict_prefixes of one point", last, 1)

    @torch.no_grad()
    def memory(self) -> None:
        weights = copy.deepcopy(self.learner.state_dict())
        x, y, q = self.x.clone(), self.y.clone(), self.q.clone()
        first = self.answer(self.x, self.y, self.q)
        state = self.learner.adapt(self.x, self.y)
        self.answer(self.inputs(9), self.labels(9), self.inputs(2))
        again = self.learner.predict(state, self.q)
        self.same("adapt on another context does not change an earlier state", again, first)
        self.same("predict does not change the state", self.learner.predict(state, self.q), first)
        self.same("an episode is not remembered", self.answer(self.x, self.y, self.q), first)
        for name, value in self.learner.state_dict().items():
            assert torch.equal(value, weights[name]), f"adapt and predict changed {name}: an episode is remembered"
        kept = torch.equal(x, self.x) and torch.equal(y, self.y) and torch.equal(q, self.q)
        assert kept, "adapt and predict changed their inputs in place"

    @torch.no_grad()
    def randomness(self) -> None:
        before = torch.get_rng_state()
        self.answer(self.x, self.y, self.q)
        assert torch.equal(before, torch.get_rng_state()), (
            "adapt or predict drew from the global random generator in evaluation mode; draw from a generator with a"
            " seed of its own, and drop nothing unless self.training"
        )
        learner = copy.deepcopy(self.learner).train()
        start = copy.deepcopy(learner.state_dict())
        outputs = []
        for _ in range(2):
            learner.load_state_dict(start)
            with globally_seeded(0):
                outputs.append(learner(self.x, self.y, self.q))
        assert torch.equal(*outputs), (
            "in training mode, equal weights, buffers and state of torch's random generator gave two answers, so no run"
            " could be repeated or resumed to the bit; keep what changes in buffers, and draw from torch's generator"
        )

    def order(self) -> None:
        shuffled = torch.randperm(self.n_context, generator=self.generator)
        self.same(
            "the order of the context does not matter",
            self.answer(self.x[:, shuffled], self.y[:, shuffled], self.q),
            self.answer(self.x, self.y, self.q),
        )

    def gradients(self) -> None:
        parameters = {name: p for name, p in self.learner.named_parameters() if p.requires_grad}
        if not parameters:
            return
        for n in (0, self.n_context):
            output = self.learner(self.x[:, :n], self.y[:, :n], self.q)
            if not output.requires_grad:
                continue  # what an empty context gives may depend on no parameter
            loss = self.learner.loss(output, self.labels(self.n_query))
            found = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
            for name, gradient in zip(parameters, found, strict=True):
                finite = gradient is None or bool(torch.isfinite(gradient).all())
                assert finite, f"the gradient of {name} after {n} context points is not finite"
            reached = n == 0 or any(g is not None and bool(g.any()) for g in found)
            assert reached, "the loss has no gradient in any parameter"

    def bad_input(self) -> None:
        learner, x, y = self.learner, self.x, self.y
        state = learner.adapt(x, y)
        infinite = x.clone()
        infinite.view(-1)[0] = torch.inf
        wider = torch.cat([x, x[..., :1]], dim=-1)
        missing = torch.where(torch.isinf(infinite), torch.nan, infinite)
        cases: list[tuple[str, str, Callable[[], object]]] = [
            ("context_x", "infinity in the context", lambda: learner.adapt(infinite, y)),
            ("query_x", "infinity in a query", lambda: learner.predict(state, infinite)),
            ("x", "infinity in x", lambda: learner.predict_prefixes(infinite, y)),
            ("context_x", "no tasks", lambda: learner.adapt(x[:0], y[:0])),
            ("context_x", "integer inputs", lambda: learner.adapt(x.long(), y)),
            ("context_x", "a list", lambda: learner.adapt(cast(Tensor, x.tolist()), y)),
            ("context_y", "one label less than points", lambda: learner.adapt(x, y[:, 1:])),
            ("context_y", "labels of another number of tasks", lambda: learner.adapt(x, y[:1])),
            ("y", "labels of another shape", lambda: learner.predict_prefixes(x, y[..., None])),
            ("query_x", "another number of tasks", lambda: learner.predict(state, self.q[:1])),
            ("query_x", "one feature too many in a query", lambda: learner.predict(state, wider)),
        ]
        if not learner.accepts_missing:
            cases += [
                ("context_x", "NaN in the context", lambda: learner.adapt(missing, y)),
                ("query_x", "NaN in a query", lambda: learner.predict(state, missing)),
            ]
        if learner.n_features is not None:
            cases += [
                ("context_x", "one feature too many", lambda: learner.adapt(wider, y)),
                ("context_x", "a context without the points' axis", lambda: learner.adapt(x[:, 0], y)),
                ("query_x", "one axis too many", lambda: learner.predict(state, self.q[..., None])),
            ]
        if learner.n_classes is None:
            cases.append(("context_y", "NaN as a label", lambda: learner.adapt(x, torch.full_like(y, torch.nan))))
        else:
            beyond = torch.full_like(y, learner.n_classes)
            cases += [
                ("context_y", "floating labels", lambda: learner.adapt(x, y.double())),
                ("context_y", "int32 labels", lambda: learner.adapt(x, y.int())),
                ("context_y", "a label out of range", lambda: learner.adapt(x, beyond)),
                ("context_y", "a negative label", lambda: learner.adapt(x, torch.full_like(y, -1))),
                ("y", "a label out of range", lambda: learner.predict_prefixes(x, beyond)),
            ]
        for name, what, call in cases:
            _refused(name, what, call)


def _refused(name: str, what: str, call: Callable[[], object]) -> None:
    """Assert that `call` raises a ValueError whose message starts with the argument's name."""
    caught: Exception | None = None
    try:
        call()
    except Exception as error:
        caught = error
    got = "none" if caught is None else f"{type(caught).__name__}: {caught}"
    named = isinstance(caught, ValueError) and str(caught).startswith(f"{name}:")
    assert named, f"{what}: expected a ValueError that begins with {name!r}, got {got}"
