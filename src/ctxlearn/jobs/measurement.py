"""A measurement: a call whose numbers are kept on disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ctxlearn.jobs.calls import Call

Key = tuple[str | int | float, ...]
"""Who or what was measured: one value per axis."""


@dataclass(frozen=True)
class Measurement:
    """A call that returns arrays by name, each with the test tasks (or other units) on its first axis.

    Besides arrays a call may return "facts": JSON-able data.

    Attributes:
        key: who or what is measured.
        seed: of the training seed it belongs to; measurements of one key and several seeds are stacked.
        call: what computes it.
        pairing: names the test tasks. Only numbers on the same tasks can be subtracted; "" is shared with no other.
        name: for messages and progress.
    """

    key: Key
    seed: int
    call: Call
    pairing: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", tuple(self.key))
        object.__setattr__(self, "name", self.name or f"{', '.join(map(str, self.key))}, seed {self.seed}")

    def measurements(self) -> Iterator[Measurement]:
        """Itself."""
        yield self
