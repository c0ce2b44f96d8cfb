"""A claim: a sentence that a measurement decides, together with the others of its group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ctxlearn.checks import check_choice
from ctxlearn.evaluation.statistics import CLAIM_LEVEL, simultaneous_level, verdict
from ctxlearn.lab.estimates import Estimate
from ctxlearn.pictures import axes_or_new, draw_interval, free_axes, html_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ONE_SEED = " (this trained model; one seed)"
SIZE = (4.5, 1.1)
"""Of a claim's picture, in inches."""


@dataclass(frozen=True)
class Says:
    """A claim that is not decided yet.

    Attributes:
        id: short name, unique in its study.
        sentence: what is claimed, without a word on seeds.
        statistic: what the numbers are, with their unit and baseline.
        value: the numbers.
        threshold: what their mean is compared with.
        better: the side of the threshold where the claim holds, "above" or "below".
        of_this_model: with one training seed the sentence speaks of "this trained model"; False where no seed matters.
    """

    id: str
    sentence: str
    statistic: str
    value: Estimate
    threshold: float = 0.0
    better: str = "above"
    of_this_model: bool = True

    def __post_init__(self) -> None:
        check_choice("better", self.better, ("above", "below"))


@dataclass(frozen=True)
class Claim:
    """One row of claims.json.

    Attributes:
        id: short name, unique in its study.
        claim: the sentence; with one seed it speaks of "this trained model".
        statistic: what was measured, with its unit and baseline.
        value: the measured statistic.
        low: its lower bound, one-sided at 95 %, simultaneous over the claims of its group.
        high: its upper bound, likewise.
        threshold: what the statistic is compared with.
        better: the side of the threshold where the claim holds, "above" or "below".
        verdict: "holds", "fails" or "undecided".
        n_tasks: test tasks in all.
        seeds: training seeds.
        group: claims decided together.
    """

    id: str
    claim: str
    statistic: str
    value: float
    low: float
    high: float
    threshold: float
    better: str
    verdict: str
    n_tasks: int
    seeds: int
    group: str

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw the value with its bounds and the threshold, on matplotlib's axes or new ones."""
        axes = axes_or_new(axes, SIZE)
        draw_interval(axes, self.value, self.low, self.high, self.threshold)
        axes.set_title(f"{self.id}: {self.verdict}", loc="left", fontsize=10)
        return axes

    def _repr_html_(self) -> str:
        """For a notebook: the sentence, the verdict and the picture."""
        return html_of(self.plot(free_axes(SIZE)), f"{self.claim} ({self.verdict})")

    def as_json(self) -> dict[str, Any]:
        """As plain data, numbers rounded to what their interval can bear."""
        data = asdict(self)
        for name in ("value", "low", "high"):
            data[name] = round(data[name], 6)
        return data


def together(group: str, says: Sequence[Says]) -> list[Claim]:
    """Decide claims as one group: their bounds hold together, since each is as much wider as the group is long.

    Args:
        group: their common name.
        says: all that are decided together.
    """
    level = simultaneous_level(CLAIM_LEVEL, max(1, len(says)))
    claims = []
    for one in says:
        found = one.value.interval(level)
        claims.append(
            Claim(
                one.id,
                one.sentence + (ONE_SEED if found.seeds == 1 and one.of_this_model else ""),
                one.statistic,
                found.value,
                found.low,
                found.high,
                one.threshold,
                one.better,
                verdict(found, one.threshold, one.better),
                found.n_tasks,
                found.seeds,
                group,
            )
        )
    return claims


def tally(claims: Sequence[Claim]) -> str:
    """How many claims hold, how many are undecided and how many fail, as a sentence."""
    found = Counter(claim.verdict for claim in claims)
    words = {
        "holds": ("claim holds", "claims hold"),
        "undecided": ("is undecided", "are undecided"),
        "fails": ("fails", "fail"),
    }
    parts = [f"{found[verdict]} {one if found[verdict] == 1 else many}" for verdict, (one, many) in words.items()]
    return f"{', '.join(parts)}."


def held(claims: Sequence[Claim], group: str) -> str:
    """How many claims of a group hold: "all 3", or "1 of 3"."""
    verdicts = [claim.verdict == "holds" for claim in claims if claim.group == group]
    return f"all {len(verdicts)}" if all(verdicts) else f"{sum(verdicts)} of {len(verdicts)}"
