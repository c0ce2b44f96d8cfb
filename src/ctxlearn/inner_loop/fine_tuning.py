"""Fine-tuning a trained learner on tasks of one's own domain, without the risk of making it worse."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from ctxlearn.checks import check_choice, check_float, check_int, describe, trusted_values
from ctxlearn.episodes import Tasks
from ctxlearn.inner_loop.functional import Functional
from ctxlearn.inner_loop.gradient import GradientAdaptation
from ctxlearn.inner_loop.inner_step import differentiable
from ctxlearn.inner_loop.meta_learning import Adaptable
from ctxlearn.learners.base import Learner
from ctxlearn.learners.transformer import InContextTransformer
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.tasks.base import TaskFamily
from ctxlearn.threads import one_thread_per_operator
from ctxlearn.training.objective import AllPrefixes, Objective, RandomSplit, of_task_classes

FEWEST = 4
"""Tasks without which nothing can be held out and something be learned from the others."""


@dataclass(frozen=True)
class FineTuning:
    """What `fine_tune` did.

    Attributes:
        adapted: whether the weights changed; False where no step made the held-out loss smaller.
        steps: optimiser steps after which the returned weights were; 0 where they are the given ones.
        loss_before: held-out loss of the given learner, the mean over all prefixes (nats, or squared units of y).
        loss_after: of the returned one; never above `loss_before`.
        n_tasks: tasks learned from.
        n_held_out: tasks held out.
        stopped: why it ended: "all steps taken", "no better for long" or "not finite".
        checks: optimiser steps at which the held-out loss was measured.
        losses: the held-out losses there; infinite where they were not finite.
    """

    adapted: bool
    steps: int
    loss_before: float
    loss_after: float
    n_tasks: int
    n_held_out: int
    stopped: str
    checks: tuple[int, ...]
    losses: tuple[float, ...]


def fine_tune(
    learner: Learner,
    tasks: Tasks | TaskFamily,
    *,
    n_tasks: int = 256,
    n_points: int = 50,
    held_out: float = 0.25,
    optimizer: str = "adamw",
    learning_rate: float = 1e-3,
    steps: int = 200,
    batch: int = 64,
    check_every: int = 5,
    patience: int = 10,
    parameters: str | Sequence[str] = "*",
    objective: Objective | None = None,
    seed: int = 0,
) -> Learner:
    """Fine-tune a trained learner on tasks of one domain; it comes back as it was where that does not help.

    Some of the tasks are held out. The loss on them, over all prefixes, is measured before the first step and again every
    `check_every` steps; the weights where it was smallest come back, which may be the given ones. So on the held-out tasks the
    result is never worse. `fine_tuning_of(result)` says what was done.

    Args:
        learner: any learner with parameters; it is not changed.
        tasks: tasks of the domain, B >= 4 with N points each; or a family, of which they are then drawn.
        n_tasks: of a family, how many tasks to draw.
        n_points: of a family, N points a task.
        held_out: share of the tasks that is held out, in (0, 1); at least 2 of them, and 2 stay to be learned from.
        optimizer: "adamw", or "sgd" (without momentum).
        learning_rate: constant.
        steps: optimiser steps at most.
        batch: tasks a step; all of them where there are fewer.
        check_every: steps between measurements on the held-out tasks.
        patience: measurements in a row without a new best after which it ends.
        parameters: which ones are tuned, as a pattern or several of names: "*" all, "out.*" the read-out alone.
        objective: what the steps minimise; None for `AllPrefixes()` where the learner is a causal transformer, which has all
            prefixes in one pass, and `RandomSplit()` for the others.
        seed: of which tasks are held out, of the batches, and of a family's tasks.

    Returns:
        A copy of the learner, in evaluation mode.

    Raises:
        ValueError: a learner without parameters, tasks that do not fit it or are too few (the message says how many are
            needed), or a number out of range.
    """
    with torch.inference_mode(False):  # of the caller: what is computed in it has no gradients
        _check_learner(learner)
        _check_numbers(steps, check_every, patience)
        check_float("held_out", held_out, above=0, maximum=1 - 1e-9)
        if isinstance(tasks, TaskFamily):
            check_int("n_tasks", n_tasks, minimum=FEWEST)
            tasks = tasks.sample(n_tasks, n_points, generator=generator_for(seed, Stream.TRAINING, 0))
        tasks = _fitting(learner, tasks)
        if tasks.n_tasks < FEWEST:
            raise ValueError(
                f"tasks: expected at least {FEWEST} tasks (2 to learn from and 2 held out), got {tasks.n_tasks}; give more"
            )
        apart = min(max(2, round(held_out * tasks.n_tasks)), tasks.n_tasks - 2)
        order = torch.randperm(tasks.n_tasks, generator=generator_for(seed, Stream.VALIDATION))
        order = order.to(tasks.x.device)
        kept, learned = tasks.tasks(order[:apart]), tasks.tasks(order[apart:])
        tuned = copy.deepcopy(learner).eval()
        best, checks = copy.deepcopy(tuned.state_dict()), [0]
        losses = [held_out_loss(tuned, kept)]
        best_at, stopped = 0, "all steps taken"
        if not math.isfinite(losses[0]):
            raise ValueError(f"learner: expected a finite loss on the held-out tasks, got {losses[0]}")
        course = descend(
            tuned,
            learned,
            optimizer=optimizer,
            learning_rate=learning_rate,
            steps=steps,
            batch=batch,
            parameters=parameters,
            objective=objective,
            seed=seed,
        )
        for step, finite in course:
            if finite and step % check_every and step < steps:
                continue
            loss = held_out_loss(tuned, kept) if finite else math.inf
            checks.append(step)
            losses.append(loss if math.isfinite(loss) else math.inf)
            if not math.isfinite(loss):
                stopped = "not finite"
                break
            if loss < losses[best_at]:
                best_at, best = len(losses) - 1, copy.deepcopy(tuned.state_dict())
            elif len(losses) - 1 - best_at >= patience and step < steps:
                stopped = "no better for long"
                break
        tuned.load_state_dict(best)
        record = FineTuning(
            adapted=best_at > 0,
            steps=checks[best_at],
            loss_before=losses[0],
            loss_after=losses[best_at],
            n_tasks=learned.n_tasks,
            n_held_out=kept.n_tasks,
            stopped=stopped,
            checks=tuple(checks),
            losses=tuple(losses),
        )
        tuned.__dict__["_fine_tuning"] = record
        return tuned


def fine_tuning_of(learner: Learner) -> FineTuning | None:
    """What `fine_tune` did to make this learner; None of one that it did not make."""
    record: FineTuning | None = learner.__dict__.get("_fine_tuning")
    return record


def descend(
    learner: Learner,
    tasks: Tasks,
    *,
    optimizer: str = "adamw",
    learning_rate: float = 1e-3,
    steps: int = 200,
    batch: int = 64,
    parameters: str | Sequence[str] = "*",
    objective: Objective | None = None,
    seed: int = 0,
) -> Iterator[tuple[int, bool]]:
    """Steps of an optimiser on given tasks, in place: yields after each, with how many were taken.

    Each pass over the tasks is in a new random order; a batch is not cut across two passes. Gradients are clipped to a
    norm of 1 under AdamW. Arguments are those of `fine_tune`, whose care is not taken here: nothing is held out.

    Yields:
        (steps taken, whether the loss and its gradient were finite); where not, the step was not taken and it ends.
    """
    _check_learner(learner)
    check_choice("optimizer", optimizer, ("adamw", "sgd"))
    check_float("learning_rate", learning_rate, above=0)
    check_int("batch", batch, minimum=1)
    check_int("steps", steps, minimum=0)
    if objective is None:
        inside = learner.learner if isinstance(learner, Adaptable) else learner
        causal = isinstance(inside, InContextTransformer) and inside.mask == "causal"
        objective = AllPrefixes() if causal else RandomSplit()
    elif not isinstance(objective, Objective):
        raise ValueError(f"objective: expected an Objective or None, got {describe(objective)}")
    named = dict(learner.named_parameters())
    tuned = [named[name] for name in GradientAdaptation(parameters=parameters).moving(named)]
    if optimizer == "adamw":
        rule: torch.optim.Optimizer = torch.optim.AdamW(tuned, lr=learning_rate, weight_decay=0.0)
    else:
        rule = torch.optim.SGD(tuned, lr=learning_rate)
    device = tasks.x.device
    draws = generator_for(seed, Stream.OBJECTIVE, device=device)
    order = torch.zeros(0, dtype=torch.int64)
    orders = generator_for(seed, Stream.TRAINING, 1)
    size = min(batch, tasks.n_tasks)
    for step in range(1, steps + 1):
        if len(order) < size:
            order = torch.randperm(tasks.n_tasks, generator=orders)
        index, order = order[:size], order[size:]
        with one_thread_per_operator(), differentiable(), trusted_values():
            loss = objective(learner, tasks.tasks(index.to(device)), draws)
            gradients = torch.autograd.grad(loss, tuned, materialize_grads=True, allow_unused=True)
        norm = torch.stack([g.norm() for g in gradients]).norm()
        if not math.isfinite(float(loss.detach())) or not math.isfinite(float(norm)):
            yield step, False
            return
        for p, g in zip(tuned, gradients, strict=True):
            p.grad = g / norm.clamp(min=1.0) if optimizer == "adamw" else g
        rule.step()
        for p in tuned:
            p.grad = None
        yield step, True


def take_inner_steps(learner: Adaptable, tasks: Tasks, objective: Objective | None = None) -> None:
    """Adapt in place by the inner steps that the learner was trained for, all tasks at once; None for `AllPrefixes`."""
    inside = learner.learner
    function, asked = Functional(inside), AllPrefixes() if objective is None else objective

    def loss(parameters: Mapping[str, torch.Tensor]) -> torch.Tensor:
        draws = torch.Generator().manual_seed(0)  # the steps share what is drawn, as in training
        value: torch.Tensor = function(parameters, lambda module: asked(module, tasks, draws))
        return value

    with torch.no_grad():
        adaptation = replace(learner.adaptation, divergence="return")  # weights that are not finite score so
        parameters = dict(inside.named_parameters())
        found = adaptation.adapt(loss, parameters, step_sizes=learner.step_sizes).parameters
        for name, p in parameters.items():
            p.copy_(found[name])


def held_out_loss(learner: Learner, tasks: Tasks) -> float:
    """The learner's mean loss on tasks over all their prefixes: nats, or squared units of y."""
    with torch.inference_mode(), one_thread_per_operator():
        output = learner.predict_prefixes(tasks.x, tasks.y)
        return float(learner.loss(of_task_classes(output, tasks.n_classes), tasks.y))


def _check_learner(learner: object) -> None:
    if not isinstance(learner, Learner):
        raise ValueError(f"learner: expected a Learner, got {describe(learner)}")
    if not any(p.requires_grad for p in learner.parameters()):
        raise ValueError(
            f"learner: expected one with parameters that can be tuned, got {type(learner).__name__}, which has none"
        )


def _check_numbers(steps: int, check_every: int, patience: int) -> None:
    check_int("steps", steps, minimum=1)
    check_int("check_every", check_every, minimum=1)
    check_int("patience", patience, minimum=1)


def _fitting(learner: Learner, tasks: object) -> Tasks:
    """Tasks on the learner's device that it can read."""
    if not isinstance(tasks, Tasks):
        raise ValueError(f"tasks: expected Tasks or a family of tasks, got {describe(tasks)}")
    if (tasks.n_classes is None) != (learner.n_classes is None):
        kinds = ["regression" if n is None else "classification" for n in (learner.n_classes, tasks.n_classes)]
        raise ValueError(f"tasks: expected tasks of {kinds[0]}, which the learner is for, got {kinds[1]}")
    if tasks.n_classes is not None and learner.n_classes is not None and tasks.n_classes > learner.n_classes:
        raise ValueError(f"tasks: expected at most the learner's {learner.n_classes} classes, got {tasks.n_classes}")
    if tasks.n_points < 2:
        raise ValueError(f"tasks: expected at least 2 points a task, one to answer from another, got {tasks.n_points}")
    x, y = learner.check_context(tasks.x, tasks.y, names=("tasks.x", "tasks.y"))
    x, y = (t.clone() if t.is_inference() else t for t in (x, y))
    return Tasks(x, y, tasks.n_classes)
