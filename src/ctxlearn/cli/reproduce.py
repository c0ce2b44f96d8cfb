"""`ctxlearn reproduce`: run a study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse.typing import PositiveInt

from ctxlearn.cli.parsing import choose, new_parser, parse
from ctxlearn.cli.tables import aligned
from ctxlearn.escaping import printable
from ctxlearn.studies.names import PROFILES, STUDIES

if TYPE_CHECKING:
    from ctxlearn.studies import Claim


def run(arguments: Sequence[str]) -> int:
    """Reproduce a study and print its claims."""
    parser = new_parser(
        "reproduce",
        "Run a study: train what it needs and is not there yet, measure it, decide its claims, and write a page.\n"
        "Stopped at any moment, the same command goes on where it was; nothing is trained twice.",
        "studies:\n"
        + "\n".join(f"  {name}: {line}" for name, line in STUDIES.items())
        + "\n\nprofiles:\n"
        + "\n".join(f"  {name}: {line}" for name, line in PROFILES.items())
        + "\n\nexamples:\n"
        "  ctxlearn reproduce optimal --profile smoke\n"
        "  ctxlearn reproduce optimal --profile quick --seeds 3 --out results/figure2\n\n"
        "writes into the folder: report.html, claims.json, results.csv, figures/ and runs/",
    )
    parser.add_argument("study", help="which study, see below")
    parser.add_argument("--profile", type=str, default="quick", help="how large: smoke, quick or paper, see below")
    parser.add_argument(
        "--seeds",
        type=PositiveInt,
        default=1,
        help="trainings of each kind, with seeds 0, 1, ...; more than 1 gives claims beyond this one model",
    )
    parser.add_argument(
        "--jobs", type=PositiveInt | None, default=None, help="trainings side by side; null is one a core"
    )
    parser.add_argument("--out", type=str | None, default=None, help="folder to write; null is results/STUDY-PROFILE")
    parser.add_argument(
        "--runs",
        type=str | None,
        default=None,
        help="folder where trained runs are kept and found again, which studies may share; null is runs inside of --out",
    )
    asked = parse(parser, arguments)
    choose("study", asked.study, STUDIES)
    choose("profile", asked.profile, PROFILES)

    from ctxlearn import studies

    result = studies.reproduce(
        asked.study, profile=asked.profile, seeds=asked.seeds, jobs=asked.jobs, out=asked.out, runs=asked.runs
    )
    print(claims_table(result.claims))
    print(printable(str(Path(result.folder) / "report.html")))
    return 0


def claims_table(claims: Sequence[Claim]) -> str:
    """One line a claim: verdict, id, measured value with its bounds, and what it is compared with."""
    rows = [
        (
            claim.verdict,
            claim.id,
            _number(claim.value),
            f"[{_number(claim.low)}, {_number(claim.high)}]",
            f"{'>' if claim.better == 'above' else '<'} {claim.threshold:g}",
        )
        for claim in claims
    ]
    return aligned(("verdict", "claim", "value", "interval", "holds if"), rows)


def _number(value: float) -> str:
    return f"{round(value, 4) + 0.0:.4g}"  # the sum turns -0 into 0
