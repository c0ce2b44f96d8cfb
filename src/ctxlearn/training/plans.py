"""Plans: what value a difficulty has at which step of a training."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ctxlearn.checks import check_choice, check_float, check_int, describe
from ctxlearn.configurable import Configurable, configurable_repr
from ctxlearn.seeding import Stream, generator_for

Number = int | float
"""Ints stay ints: the command line would make floats of them where `float` is asked for."""
MOST_STAIRS, MOST_SHUFFLED = 100_000, 10_000_000
"""Most stairs of a plan; most steps that it shuffles."""
ORDERS = ("rising", "reversed", "shuffled")


class Plan(Configurable, ABC):
    """The value of one difficulty at every step. From some step on it is `stop`, the full difficulty.

    Attributes:
        stop: the value that the plan ends with.
    """

    stop: Number

    def __repr__(self) -> str:
        return configurable_repr(self)

    @abstractmethod
    def value(self, step: int) -> float:
        """The value at a step (0-based); an int where the plan is one of ints."""

    @abstractmethod
    def values(self) -> list[float]:
        """Values that the plan takes on its way, `stop` the last: all of them where they are few, or the two ends."""

    def observe(self, step: int, loss: Tensor) -> None:
        """Be told the loss of a step that was taken, a scalar tensor."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must keep: numbers and lists of them."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""


class Stairs(Plan):
    """Equal increments from start to stop: start, start + increment, ..., each for `every` steps, then `stop` for good.

    Args:
        start: first value; ints throughout make a plan of ints.
        stop: last value, the full difficulty; below `start` where less is harder.
        increment: of each stair, towards `stop`; one that would lead past it leads to it.
        every: steps on each stair below `stop`, >= 1.
        order: "rising", from easy to hard; or one of two controls that take the very same steps at the very same values
            and then `stop` as well, so that only the order differs: "reversed", from hard to easy (an anti-curriculum),
            or "shuffled", each step's value drawn without replacement.
        seed: of the shuffling.

    Raises:
        ValueError: an increment that leads away from `stop`, or a number out of its range.

    Source: Garg et al. 2022 use 5 to 20 active inputs, one more every 2,000 steps.
    """

    def __init__(
        self, start: Number, stop: Number, increment: Number, every: int, order: str = "rising", seed: int = 0
    ) -> None:
        self.stop = stop
        self._stairs = _stairs(start, stop, increment)
        self.every = check_int("every", every, minimum=1)
        self._order = _Order(len(self._stairs) * self.every, order, seed)

    def value(self, step: int) -> float:
        place = self._order.place(step)
        return self.stop if place is None else self._stairs[place // self.every]

    def values(self) -> list[float]:
        return [*self._stairs, self.stop]


class Smooth(Plan):
    """A straight line from start to stop over `over` steps, then `stop` for good.

    Args:
        start: first value; where both are ints, the values between are rounded to the nearest one.
        stop: last value, the full difficulty; below `start` where less is harder.
        over: steps before `stop`, >= 1.
        order: as in `Stairs`.
        seed: as in `Stairs`.

    Raises:
        ValueError: equal ends, or a number out of its range.
    """

    def __init__(self, start: Number, stop: Number, over: int, order: str = "rising", seed: int = 0) -> None:
        self.start, self.stop = _number("start", start), _number("stop", stop)
        if self.start == self.stop:
            raise ValueError(f"stop: expected another value than start = {start}, got {stop}; there is nothing to plan")
        self._whole = isinstance(start, int) and isinstance(stop, int)
        self.over = check_int("over", over, minimum=1)
        self._order = _Order(self.over, order, seed)

    def value(self, step: int) -> float:
        place = self._order.place(step)
        if place is None:
            return self.stop
        value = self.start + (self.stop - self.start) * (place / self.over)
        return math.floor(value + 0.5) if self._whole else value

    def values(self) -> list[float]:
        return [self.start, self.stop]


class SelfPaced(Plan):
    """The stairs of `Stairs`, each left when the training loss on it has come down to a target.

    A stair is left once the mean loss of the last `window` steps on it is at most `target`. The loss is that of the whole step,
    over all shards and processes, so their number changes no step.

    Args:
        start: first value.
        stop: last value, the full difficulty.
        increment: of each stair, towards `stop`.
        target: the loss to reach, in the objective's unit; one for all stairs or a list, one for each below `stop`.
        window: steps that the mean is over, >= 1; no stair is left earlier.
        patience: most steps on a stair, whatever the loss; None waits for ever.

    Raises:
        ValueError: an increment that leads away from `stop`, a list of another length than the stairs, a patience
            shorter than the window, or a number out of its range.
    """

    def __init__(
        self,
        start: Number,
        stop: Number,
        increment: Number,
        target: float | list[float],
        window: int = 50,
        patience: int | None = None,
    ) -> None:
        self.stop = stop
        self._stairs = _stairs(start, stop, increment)
        self.targets = _targets(target, len(self._stairs))
        self.window = check_int("window", window, minimum=1)
        self.patience = None if patience is None else check_int("patience", patience, minimum=self.window)
        self._stair, self._steps = 0, 0
        self._losses: list[float] = []

    def value(self, step: int) -> float:
        stair = self._stair if step > 0 else 0  # a plan that another training has used begins anew
        return self._stairs[stair] if stair < len(self._stairs) else self.stop

    def values(self) -> list[float]:
        return [*self._stairs, self.stop]

    def observe(self, step: int, loss: Tensor) -> None:
        if step == 0:
            self._begin()
        if self._stair == len(self._stairs):
            return
        self._losses = [*self._losses, float(loss)][-self.window :]
        self._steps += 1
        reached = (
            len(self._losses) == self.window and math.fsum(self._losses) / self.window <= self.targets[self._stair]
        )
        if reached or self._steps == self.patience:
            self._stair, self._steps, self._losses = self._stair + 1, 0, []

    def state_dict(self) -> dict[str, Any]:
        return {"stair": self._stair, "steps": self._steps, "losses": self._losses}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._stair, self._steps, self._losses = state["stair"], state["steps"], list(state["losses"])

    def _begin(self) -> None:
        self._stair, self._steps, self._losses = 0, 0, []


class _Order:
    """Which place of a plan's way from easy to hard a step stands at."""

    def __init__(self, length: int, order: str, seed: int) -> None:
        self.length, self.order = length, check_choice("order", order, ORDERS)
        generator = generator_for(seed, Stream.REFERENCE, 2)
        if order == "shuffled" and length > MOST_SHUFFLED:
            raise ValueError(f"order: at most {MOST_SHUFFLED:,} steps are shuffled, got {length:,} before stop")
        self._shuffled = torch.randperm(length, generator=generator).tolist() if order == "shuffled" else []

    def place(self, step: int) -> int | None:
        """In [0, length), or None once the way is gone."""
        if step >= self.length:
            return None
        if self.order == "shuffled":
            return int(self._shuffled[step])
        return step if self.order == "rising" else self.length - 1 - step


def _stairs(start: Number, stop: Number, increment: Number) -> list[float]:
    """The values before `stop`."""
    _number("start", start), _number("stop", stop), _number("increment", increment)
    if (stop - start) * increment <= 0:
        raise ValueError(
            f"increment: expected a step from start = {start} towards stop = {stop}, got {increment}"
            + ("; there is nothing to plan" if start == stop else "")
        )
    number = (stop - start) / increment
    if number > MOST_STAIRS:
        raise ValueError(
            f"increment: expected at most {MOST_STAIRS:,} stairs from start = {start} to stop = {stop}, got {number:.3g} of"
            f" {increment} each"
        )
    return [start + k * increment for k in range(math.ceil(number - 1e-9))]


def _number(name: str, value: float) -> float:
    """`value`, a finite number, with its type: ints make plans of ints."""
    check_float(name, value)
    return value


def _targets(target: object, n_stairs: int) -> list[float]:
    if isinstance(target, Sequence) and not isinstance(target, str):
        if len(target) != n_stairs:
            raise ValueError(
                f"target: expected one number, or {n_stairs}, one for each stair below stop, got {describe(target)}"
            )
        return [check_float(f"target[{i}]", value) for i, value in enumerate(target)]
    return [check_float("target", target)] * n_stairs
