"""Curricula: a source whose tasks grow harder, or easier, while the training goes on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ctxlearn.checks import check_int, describe
from ctxlearn.configurable import argument, with_argument
from ctxlearn.episodes import Tasks
from ctxlearn.tasks.base import TaskFamily
from ctxlearn.training.plans import Plan
from ctxlearn.training.sources import Source

N_POINTS = "n_points"
"""The one difficulty that is not an argument of the family."""


class Curriculum(Source):
    """Fresh tasks of a family of which some numbers follow plans: active inputs, points, noise, classes, scale, ...

    The family as given is the full difficulty. There every plan ends, and from there validation batches are drawn, whatever
    the step. metrics.csv has a column `difficulty.NAME` for each plan.

        Curriculum(LinearRegression(20), 32, 41, {"active": Stairs(5, 20, 1, every=2000), "n_points": Stairs(11, 41, 2, 2000)})

    Args:
        family: the tasks of full difficulty.
        n_tasks: tasks a shard.
        n_points: N points a task at full difficulty.
        plans: by the name of what they set: an argument of the family that is a number ("active", "noise"), one of a
            family in it ("families.0.scale"), or "n_points".

    Raises:
        ValueError: no plans; a name that the family does not have or that is no number; a plan that does not end at the
            family's own value; or a value on its way that the family refuses or that changes the shape of its inputs.
    """

    def __init__(self, family: TaskFamily, n_tasks: int, n_points: int, plans: dict[str, Plan]) -> None:
        if not isinstance(family, TaskFamily):
            raise ValueError(f"family: expected a TaskFamily, got {describe(family)}")
        self.family = family
        self.n_tasks = check_int("n_tasks", n_tasks, minimum=1)
        self.n_points = check_int(N_POINTS, n_points, minimum=1)
        if not isinstance(plans, dict) or not plans or not all(isinstance(plan, Plan) for plan in plans.values()):
            raise ValueError(
                f"plans: expected a dict from names to plans (Stairs, Smooth, SelfPaced), got {describe(plans)}"
            )
        self.plans = dict(plans)
        for name, plan in self.plans.items():
            self._check(name, plan)
        self._made: tuple[dict[str, float], TaskFamily] = ({}, family)

    def numbers(self, shards: int) -> dict[str, int]:
        return {"tasks_per_step": self.n_tasks * shards, "n_points": self.n_points}

    def batch(self, step: int, shard: int, generator: torch.Generator) -> Tasks:
        values = {name: plan.value(step) for name, plan in self.plans.items()}
        n_points = int(values.pop(N_POINTS, self.n_points))
        return self._family(values).sample(self.n_tasks, n_points, generator=generator)

    def validation_batch(self, index: int, generator: torch.Generator) -> Tasks:
        return self.family.sample(self.n_tasks, self.n_points, generator=generator)

    def observe(self, step: int, loss: Tensor) -> None:
        for plan in self.plans.values():
            plan.observe(step, loss)

    def facts(self, step: int) -> dict[str, float]:
        return {f"difficulty.{name}": plan.value(step) for name, plan in self.plans.items()}

    def state_dict(self) -> dict[str, Any]:
        return {name: state for name, plan in self.plans.items() if (state := plan.state_dict())}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, held in state.items():
            self.plans[name].load_state_dict(held)

    def _family(self, values: dict[str, float]) -> TaskFamily:
        """The family at these values; the last one made is kept, since values stay for many steps."""
        known, family = self._made  # read at once: shards draw in threads of their own
        if known == values:
            return family
        family = self.family
        for name, value in values.items():
            family = with_argument(family, name, value)
        self._made = (values, family)
        return family

    def _check(self, name: str, plan: Plan) -> None:
        where = f"plans[{name!r}]"
        if name == N_POINTS:
            own: Any = self.n_points
        else:
            try:
                own = argument(self.family, name)
            except ValueError as error:
                raise ValueError(f"{where}: {error}; or {N_POINTS}") from error
            if isinstance(own, bool) or not isinstance(own, int | float):
                raise ValueError(
                    f"{where}: expected the name of a number, but {self.family.name} has {describe(own)} there"
                )
        if plan.stop != own:
            raise ValueError(
                f"{where}: expected a plan that stops at {own}, the full difficulty, got {plan.stop};"
                f" end the plan there, or give the {'number of points' if name == N_POINTS else 'family'} that it ends with"
            )
        for value in plan.values():
            if name == N_POINTS:
                check_int(f"{where}: {N_POINTS}", value, minimum=1)
                continue
            try:
                family = with_argument(self.family, name, value)
            except ValueError as error:
                raise ValueError(f"{where}: {self.family.name} refuses the value {value}: {error}") from error
            _check_fits(where, value, family, self.family)


def _check_fits(where: str, value: float, family: TaskFamily, full: TaskFamily) -> None:
    if family.n_features != full.n_features:
        raise ValueError(
            f"{where}: expected inputs of one shape throughout, since a learner has one, got {family.n_features} at {value}"
            f" and {full.n_features} at full difficulty; plan how many of them are not zero (`active`) instead"
        )
    if (family.n_classes or 0) > (full.n_classes or 0):
        raise ValueError(
            f"{where}: expected at most the {full.n_classes} classes of full difficulty, got {family.n_classes} at {value}"
        )
