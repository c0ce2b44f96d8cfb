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
        "Run a study: train and measure what it needs and is not there yet, decide its claims, and write a page.\n"
        "Stopped at any moment, the same command goes on where it was; nothing is trained or measured twice.\n"
        "After a change of words or figures alone it only draws the page again.",
        "studies:\n"
        + "\n".join(f"  {name}: {line}" for name, line in STUDIES.items())
        + "\n  module.NAME: a ctxlearn.lab.Study of your own; examples/own_study.py shows one"
        + "\n\nprofiles of these (a study of your own has its own):\n"
        + "\n".join(f"  {name}: {line}" for name, line in PROFILES.items())
        + "\n\nexamples:\n"
        "  ctxlearn reproduce optimal --profile smoke\n"
        "  ctxlearn reproduce optimal --profile quick --seeds 3 --out results/figure2\n"
        "  ctxlearn reproduce optimal --profile paper --cluster ray --runs s3://bucket/runs\n"
        "  ctxlearn reproduce mine.STUDY\n\n"
        "writes into the folder: report.html, claims.json, results.csv, figures/ and runs/",
    )
    parser.add_argument("study", help="which study, see below")
    parser.add_argument(
        "--profile", type=str | None, default=None, help="how large, see below; null is quick, or the only one there is"
    )
    parser.add_argument(
        "--seeds",
        type=PositiveInt,
        default=1,
        help="trainings of each kind, with seeds 0, 1, ...; more than 1 gives claims beyond this one model",
    )
    parser.add_argument("--jobs", type=PositiveInt | None, default=None, help="jobs side by side; null is one per core")
    parser.add_argument("--out", type=str | None, default=None, help="folder to write; null is results/STUDY-PROFILE")
    parser.add_argument(
        "--runs",
        type=str | None,
        default=None,
        help="folder or URL (s3://BUCKET/FOLDER, file://...) where runs and measurements are kept and found again, which studies"
        " and machines may share; null is runs inside --out",
    )
    parser.add_argument(
        "--cluster",
        type=str | None,
        default=None,
        help="ray, or HOST:PORT of a Ray cluster's head, whose nodes do the jobs; null is this machine (docs/scale.md)",
    )
    asked = parse(parser, arguments)
    if "." not in asked.study:
        choose("study", asked.study, STUDIES)
        choose("profile", asked.profile or "quick", PROFILES)

    from ctxlearn import studies

    result = studies.reproduce(
        asked.study,
        profile=asked.profile,
        seeds=asked.seeds,
        jobs=asked.jobs,
        out=asked.out,
        runs=asked.runs,
        cluster=asked.cluster,
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
