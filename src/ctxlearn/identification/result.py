"""What an identification found: the ranked table, verdicts, and their folder."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ctxlearn.checks import describe
from ctxlearn.pictures import axes_or_new
from ctxlearn.storage import write_atomically, write_json, write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NONE = "none of these"


@dataclass(frozen=True)
class Verdict:
    """The answer at one context length.

    Attributes:
        n_context: n.
        answer: the best candidate, or "none of these".
        members: the best class: candidates that cannot be told apart from the best, it among them.
        runner_up: the best candidate outside of that class; None where there is no other.
        accepted: whether the best class is accepted.
        shared: with replicates, what they have in common (1 if all); None without.
        explained: with replicates, the share of it that the best candidate explains; None without.
    """

    n_context: int
    answer: str
    members: tuple[str, ...]
    runner_up: str | None
    accepted: bool
    shared: float | None
    explained: float | None

    def __str__(self) -> str:
        best = " or ".join(self.members)
        text = f"n = {self.n_context}: {best if self.accepted else f'{NONE} (nearest: {best})'}"
        text += f"; runner-up: {self.runner_up}" if self.runner_up is not None else ""
        if self.explained is not None:
            text += f"; explains {self.explained:.2f} of what replicates share ({self.shared:.2f})"
        return text


@dataclass(frozen=True)
class Identification:
    """Which algorithm a predictor runs, by context length.

    Attributes:
        results: one row per context length and candidate: n_context, candidate, the scores ranks, influence, within and
            weights, total with low and high (95 % over contexts), rank, class (candidates of one cannot be told apart on
            the probes), top (in the best class), accepted; for regression also squared_difference and
            weight_difference (Akyurek et al. 2022).
        verdicts: by context length.
        blends: by context length, the best non-negative mixture of the candidates' views, weights of sum 1.
        order_dependence: by context length, how far another order of the context moves the scores (root mean square, in
            standard deviations of the scores); 0 for an algorithm on sets.
        fitted: numbers fitted to the predictor, by name (regression).
        n_contexts: probe contexts of each length.
        n_replicates: replicates beside the predictor.
        n_classes: C, or None for regression.
        seed: of the probes.
        tolerance: how far scores were allowed to move when a query was asked alone.
    """

    results: pd.DataFrame
    verdicts: dict[int, Verdict]
    blends: dict[int, dict[str, float]]
    order_dependence: dict[int, float]
    fitted: dict[str, float]
    n_contexts: int
    n_replicates: int
    n_classes: int | None
    seed: int
    tolerance: float = 0.0

    @property
    def ceiling_normalised(self) -> bool:
        """Whether replicates told how much of a predictor is nuisance; if not, a stricter absolute cut was used."""
        return self.n_replicates > 0

    def verdict(self, n_context: int) -> Verdict:
        """The verdict at one context length.

        Raises:
            ValueError: a length that was not looked at.
        """
        if n_context not in self.verdicts:
            known = ", ".join(map(str, self.verdicts))
            raise ValueError(f"n_context: expected one of {known}, got {describe(n_context)}")
        return self.verdicts[n_context]

    def __repr__(self) -> str:
        return f"Identification(\n{textwrap.indent(str(self), '    ')}\n)"

    def _repr_html_(self) -> str:
        """For a notebook: the verdicts, and the three best candidates at each context length."""
        verdicts = "".join(f"<li>{html.escape(line)}</li>" for line in str(self).splitlines())
        best = self.results[self.results["rank"] <= 3][["n_context", "candidate", "total", "low", "high", "accepted"]]
        table: str = best.to_html(index=False, float_format=lambda v: f"{v:.2f}", border=0)
        return f"<ul>{verdicts}</ul>{table}"

    def __str__(self) -> str:
        lines = [str(verdict) for verdict in self.verdicts.values()]
        for name, value in self.fitted.items():
            lines.append(f"{name}: {value:.4g}")
        worst = max(self.order_dependence.values(), default=0.0)
        lines.append(
            f"another order of the context moves the scores by {worst:.2g} of their standard deviation at most"
        )
        if self.tolerance:
            lines.append(
                f"scores were allowed to move by {self.tolerance:.2g} when the same query was asked in other company"
            )
        if not self.ceiling_normalised:
            lines.append(
                "accepted by a strict absolute cut, not normalised to a ceiling: give replicates (other training seeds)"
            )
        return "\n".join(lines)

    def plot(self, axes: Axes | None = None) -> Axes:
        """A heat map: candidates by context lengths, the total in each cell, the best class framed.

        Args:
            axes: matplotlib's, to draw on; None makes new ones of a fitting size.
        """
        from ctxlearn.identification.plots import heat_map, size_of

        return heat_map(self, axes_or_new(axes, size_of(self)))

    def figure(self) -> Figure:
        """The heat map as a figure of its own, which pyplot knows nothing of."""
        from ctxlearn.identification.plots import heat_map

        figure: Any = heat_map(self).figure
        return figure  # type: ignore[no-any-return]

    def facts(self) -> dict[str, Any]:
        """Everything but the table, as JSON-able data."""
        return {
            "verdicts": [
                {
                    "n_context": v.n_context,
                    "answer": v.answer,
                    "members": list(v.members),
                    "runner_up": v.runner_up,
                    "accepted": v.accepted,
                    "shared": v.shared,
                    "explained": v.explained,
                    "order_dependence": self.order_dependence[n],
                    "blend": self.blends[n],
                }
                for n, v in self.verdicts.items()
            ],
            "fitted": self.fitted,
            "n_contexts": self.n_contexts,
            "n_replicates": self.n_replicates,
            "ceiling_normalised": self.ceiling_normalised,
            "n_classes": self.n_classes,
            "seed": self.seed,
            "tolerance": self.tolerance,
        }

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any], results: pd.DataFrame) -> Identification:
        """What `facts()` and `results` describe."""
        each = facts["verdicts"]
        names = ("n_context", "answer", "members", "runner_up", "accepted", "shared", "explained")
        verdicts = [Verdict(**{name: v[name] for name in names} | {"members": tuple(v["members"])}) for v in each]
        return cls(
            results,
            {verdict.n_context: verdict for verdict in verdicts},
            {v["n_context"]: v["blend"] for v in each},
            {v["n_context"]: v["order_dependence"] for v in each},
            facts["fitted"],
            facts["n_contexts"],
            facts["n_replicates"],
            facts["n_classes"],
            facts["seed"],
            facts.get("tolerance", 0.0),
        )

    def write(self, folder: Path | str) -> None:
        """Write results.csv, identification.json, and the heat map as identification.png and .svg.

        Raises:
            StorageError: the folder cannot be written.
        """
        from ctxlearn.identification.plots import image

        place = Path(folder)
        write_text(place / "results.csv", self.results.to_csv(index=False, lineterminator="\n"))
        write_json(place / "identification.json", self.facts())
        figure = self.figure()
        for kind in ("png", "svg"):
            write_atomically(place / f"identification.{kind}", image(figure, kind))
