"""Measured numbers by key: per seed and test task, and differences only where the tasks are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from ctxlearn.evaluation.curves import task_interval
from ctxlearn.evaluation.statistics import ESTIMATE_LEVEL, Interval, mean_interval
from ctxlearn.jobs.measurement import Key, Measurement
from ctxlearn.jobs.store import Measured, Store


class NotPaired(ValueError):  # noqa: N818 (reads as what happened)
    """A difference of numbers that were not measured on the same tasks."""


@dataclass(frozen=True, eq=False)
class Paired:
    """Numbers per training seed and test task, which add and subtract where both are the same.

    Attributes:
        values: (S, T, ...); what follows T are often the context lengths.
        seeds: S training seeds.
        tasks: for each seed a name of its test tasks.
    """

    values: np.ndarray
    seeds: tuple[int, ...]
    tasks: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.values.ndim < 2 or not self.values.shape[0] == len(self.seeds) == len(self.tasks):
            raise ValueError(
                f"values: expected shape ({len(self.seeds)} seeds, tasks, ...), got {self.values.shape} for seeds"
                f" {self.seeds}"
            )

    @property
    def n_tasks(self) -> int:
        """T, test tasks per seed."""
        return int(self.values.shape[1])

    def first(self, n_tasks: int) -> Paired:
        """The first tasks of each seed."""
        return replace(self, values=self.values[:, :n_tasks])

    def averaged(self, positions: slice | Sequence[int] = slice(1, None)) -> Paired:
        """The mean over some positions of the last axis; over all context lengths from 1 on by default."""
        return replace(self, values=self.values[..., positions].mean(-1, dtype=np.float64))

    def at(self, index: Any) -> Paired:
        """What stands at an index of the axes after seeds and tasks: `at(3)` is one context length."""
        return replace(
            self, values=self.values[(slice(None), slice(None), *(index if isinstance(index, tuple) else (index,)))]
        )

    def apply(self, function: Callable[[np.ndarray], np.ndarray]) -> Paired:
        """A function of each number, `numpy.square` for instance."""
        return replace(self, values=function(self.values))

    def mean(self) -> float:
        """Over everything."""
        return float(self.values.mean())

    def interval(self, level: float = ESTIMATE_LEVEL) -> Interval:
        """The mean over seeds and tasks with its interval; see `mean_interval`.

        Raises:
            ValueError: values of more axes than seeds and tasks; `averaged` or `at` takes one away.
        """
        return mean_interval(self.values, level=level)

    def curve(self, *, bounded: bool, level: float = ESTIMATE_LEVEL) -> pd.DataFrame:
        """One row per position of the last axis: n_context, mean, low, high; over tasks for one seed, else over seeds.

        Args:
            bounded: whether the values lie in [0, 1], as accuracies do.
            level: coverage.
        """
        one = len(self.seeds) == 1
        units = self.values[0] if one else self.values.mean(1)
        low, high = task_interval(units, bounded=bounded and one, level=level)
        lengths = np.arange(self.values.shape[-1])
        return pd.DataFrame({"n_context": lengths, "mean": self.values.mean((0, 1)), "low": low, "high": high})

    def minus_unpaired(self, other: Paired) -> Paired:
        """The difference of numbers on other tasks of the same seeds, the i-th minus the i-th; it is no less noisy for it."""
        return average([self, -other]) * 2.0

    def __add__(self, other: Paired | float) -> Paired:
        return replace(self, values=self.values + self._matching(other))

    def __sub__(self, other: Paired | float) -> Paired:
        return replace(self, values=self.values - self._matching(other))

    def __mul__(self, factor: float) -> Paired:
        return replace(self, values=factor * self.values)

    def __truediv__(self, divisor: float) -> Paired:
        return replace(self, values=self.values / divisor)

    def __neg__(self) -> Paired:
        return replace(self, values=-self.values)

    __rmul__ = __mul__

    def __radd__(self, other: float) -> Paired:
        return self + other

    def __rsub__(self, other: float) -> Paired:
        return -self + other

    def _matching(self, other: Paired | float) -> Any:
        """The values of `other`, if they belong to the same seeds and tasks."""
        if not isinstance(other, Paired):
            return other
        if self.seeds != other.seeds:
            raise NotPaired(f"seeds: expected the same on both sides, got {self.seeds} and {other.seeds}")
        if self.tasks != other.tasks:
            raise NotPaired("tasks: the numbers were measured on other test tasks, so their difference is not paired")
        if self.values.shape != other.values.shape:
            raise NotPaired(
                f"tasks: expected values of one shape, got {self.values.shape} and {other.values.shape}; first(n) takes"
                " the first tasks, averaged() the mean over lengths"
            )
        return other.values


def average(parts: Sequence[Paired]) -> Paired:
    """The mean of several with equally many tasks of the same seeds: over learners on the same tasks, or over families."""
    if any(part.values.shape != parts[0].values.shape for part in parts):
        raise NotPaired(f"parts: expected values of one shape, got {', '.join(str(p.values.shape) for p in parts)}")
    return Paired(np.stack([part.values for part in parts]).mean(0), *_joined(parts))


def side_by_side(parts: Sequence[Paired]) -> Paired:
    """The tasks of several cells of the same seeds as one sample."""
    return Paired(np.concatenate([part.values for part in parts], axis=1), *_joined(parts))


def _joined(parts: Sequence[Paired]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The seeds, which must be the same of all, and a name of all their tasks."""
    seeds = parts[0].seeds
    if any(part.seeds != seeds for part in parts):
        raise NotPaired(f"seeds: expected the same of all, got {', '.join(str(p.seeds) for p in parts)}")
    tasks = zip(*(part.tasks for part in parts), strict=True)
    return seeds, tuple("+".join(dict.fromkeys(names)) for names in tasks)


class Samples(Mapping[Key, Paired]):
    """Numbers by key.

    Args:
        found: by key.
        name: what they are, for errors.
    """

    def __init__(self, found: Mapping[Any, Paired], name: str = "sample") -> None:
        self._found: dict[Key, Paired] = dict(found)
        self._name = name

    def __getitem__(self, key: Key | str) -> Paired:
        wanted = (key,) if isinstance(key, str) else tuple(key)
        if wanted not in self._found:
            known = "; ".join(", ".join(map(str, k)) for k in list(self._found)[:12])
            raise KeyError(f"no {self._name} was measured for {wanted}; there are: {known}")
        return self._found[wanted]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def map(self, function: Callable[[Paired], Paired]) -> Samples:
        """A function of each: `samples.map(Paired.averaged)`."""
        return Samples({key: function(paired) for key, paired in self._found.items()}, self._name)

    def averaged(self, factor: float = 1.0) -> Samples:
        """The mean over context lengths from 1 on of each, times a factor, 100 for percent."""
        return self.map(lambda paired: factor * paired.averaged())

    def values_of(self, axis: int) -> list[Any]:
        """What stands at a place of the keys, in order."""
        return list(dict.fromkeys(key[axis] for key in self._found))

    def part(self, *pattern: str | int | float | None) -> Samples:
        """Those whose keys have certain values, without these: `part(None, "radial")` is what was measured on radial, by the
        first axis and whatever axes follow the second.
        """
        found = {}
        for key, paired in self._found.items():
            places = (*pattern, *[None] * (len(key) - len(pattern)))
            if len(places) == len(key) and all(
                wanted is None or wanted == own for wanted, own in zip(places, key, strict=True)
            ):
                found[tuple(own for wanted, own in zip(places, key, strict=True) if wanted is None)] = paired
        return Samples(found, self._name)

    def intervals(self) -> dict[Key, Interval]:
        """The 95 % interval of each, over seeds and tasks."""
        return {key: paired.interval() for key, paired in self._found.items()}

    def frame(self, *axes: str, bounded: bool = True) -> pd.DataFrame:
        """The tidy table: one row per key, seed and context length (-1 for a mean over lengths).

        Args:
            axes: a name for each place of the key, which become columns.
            bounded: whether the values lie in [0, 1]; their intervals at single lengths are then Wilson's.

        Returns:
            The axes, n_context, seed, mean, low, high (95 % over tasks) and n_tasks.
        """
        rows = []
        for key, paired in self._found.items():
            columns = dict(zip(axes, key, strict=True))
            for seed, values in zip(paired.seeds, paired.values, strict=True):
                if values.ndim == 1:
                    about = {"n_context": -1, "seed": seed, **mean_interval(values).as_columns()}
                    rows.append(pd.DataFrame([{**columns, **about}]))
                    continue
                low, high = task_interval(values, bounded=bounded)
                numbers = {"mean": values.mean(0), "low": low, "high": high, "n_tasks": len(values)}
                lengths = np.arange(values.shape[1])
                rows.append(pd.DataFrame({**columns, "n_context": lengths, "seed": seed, **numbers}))
        return pd.concat(rows, ignore_index=True)

    def curves(self, *axes: str, bounded: bool = True) -> pd.DataFrame:
        """One row per key and context length over all seeds, for figures: the axes, n_context, mean, low and high."""
        parts = [
            paired.curve(bounded=bounded).assign(**dict(zip(axes, key, strict=True))) for key, paired in self.items()
        ]
        return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class Numbers:
    """Everything that a study measured.

    Attributes:
        measured: by key, then by training seed in their order.
        pairings: likewise, the names of the test tasks.
    """

    measured: Mapping[Key, Mapping[int, Measured]]
    pairings: Mapping[Key, Mapping[int, str]] = field(default_factory=dict)

    @property
    def seeds(self) -> int:
        """Training seeds of the study: the most that any key has."""
        return max(len(by_seed) for by_seed in self.measured.values())

    def __getitem__(self, name: str) -> Samples:
        """The arrays of one name, of every key that has it.

        Raises:
            KeyError: nothing of this name was measured.
        """
        found = {key: self._stacked(key, name) for key, each in self.measured.items() if self._has(each, name)}
        if not found:
            known = dict.fromkeys(n for each in self.measured.values() for m in each.values() for n in m.arrays)
            raise KeyError(f"nothing of the name {name!r} was measured; there are {', '.join(known)}")
        return Samples(found, name)

    def facts(self, *key: str | int | float) -> list[Any]:
        """The facts of a key, one per seed."""
        if key not in self.measured:
            raise KeyError(f"nothing was measured for {key}")
        return [measured.facts for measured in self.measured[key].values()]

    def array(self, *key: str | int | float, name: str) -> np.ndarray:
        """An array as it was returned, of the first seed."""
        return next(iter(self.measured[key].values())).arrays[name]

    def warned(self, warning: str) -> bool:
        """Whether a warning of this name came up in any measurement."""
        return any(warning in m.warned for by_seed in self.measured.values() for m in by_seed.values())

    def _has(self, by_seed: Mapping[int, Measured], name: str) -> bool:
        return all(name in measured.arrays and measured.arrays[name].ndim for measured in by_seed.values())

    def _stacked(self, key: Key, name: str) -> Paired:
        by_seed = self.measured[key]
        shapes = {measured.arrays[name].shape for measured in by_seed.values()}
        if len(shapes) > 1:
            raise ValueError(f"{key}: expected {name!r} of one shape for all seeds, got {', '.join(map(str, shapes))}")
        values = np.stack([measured.arrays[name] for measured in by_seed.values()])
        return Paired(values, tuple(by_seed), tuple(self.pairings[key].values()))


def load_numbers(measurements: Sequence[Measurement], store: Store) -> Numbers:
    """The results of a plan, read from disk."""
    measured: dict[Key, dict[int, Measured]] = {}
    pairings: dict[Key, dict[int, str]] = {}
    for one in sorted(measurements, key=lambda m: m.seed):
        name = one.call.hash
        measured.setdefault(one.key, {})[one.seed] = store.load_samples(name)
        pairings.setdefault(one.key, {})[one.seed] = one.pairing or name
    order = dict.fromkeys(one.key for one in measurements)
    return Numbers({key: measured[key] for key in order}, {key: pairings[key] for key in order})
