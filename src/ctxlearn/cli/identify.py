"""`ctxlearn identify`: which algorithm does a trained learner run?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser
from jsonargparse.typing import NonNegativeInt, PositiveInt

from ctxlearn.cli.parsing import add_trust_option, new_parser, parse
from ctxlearn.cli.tables import aligned
from ctxlearn.escaping import printable

if TYPE_CHECKING:
    from ctxlearn.identification import Identification

BEST = 3
_EPILOG = """\
The learner is shown contexts made for the purpose and compared with simple rules on the same contexts: how its answers
rank, and how they move when one label is changed. The table has the three best rules at each context length, with the
95 % interval of the total (1: the same) over contexts; rules with equal class numbers cannot be told apart there. Below it,
one verdict a length: a rule, or "none of these", and the runner-up.

With --replicates, runs of other training seeds, a rule is accepted when it explains what the runs have in common;
without, only when it is all but the same as the one run. The folder --out holds results.csv, identification.json and the
heat map identification.png and .svg.

examples:
  ctxlearn identify runs/icl
  ctxlearn identify runs/icl --replicates runs/icl-1 runs/icl-2 --lengths 4 8 16"""


def run(arguments: Sequence[str]) -> int:
    """Identify, print table and verdicts, and write them."""
    asked = parse(build_parser(), arguments)

    from ctxlearn.identification import identify
    from ctxlearn.training import load

    found = identify(
        load(asked.run, trusted=asked.trust),
        replicates=[load(folder, trusted=asked.trust) for folder in asked.replicates],
        lengths=asked.lengths,
        n_contexts=asked.n_contexts,
        seed=asked.seed,
        progress=True,
    )
    out = Path(asked.run) / "identification" if asked.out is None else Path(asked.out)
    found.write(out)
    print(
        f"{printable(asked.run)}: compared with {found.results['candidate'].nunique()} rules on {found.n_contexts} contexts"
    )
    print(summary(found))
    print(found)
    print(printable(str(out)))
    return 0


def build_parser() -> ArgumentParser:
    """The parser."""
    parser = new_parser("identify", "Tell which algorithm a trained learner runs, at each context length.", _EPILOG)
    parser.add_argument("run", metavar="RUN", help="folder of a finished run")
    parser.add_argument(
        "--replicates",
        nargs="+",
        type=str,
        default=[],
        metavar="RUN",
        help="runs of the same kind from other training seeds",
    )
    parser.add_argument(
        "--lengths", nargs="+", type=PositiveInt, default=[1, 2, 4, 8, 16, 32], help="context lengths to look at"
    )
    parser.add_argument("--n_contexts", type=PositiveInt, default=192, help="contexts of each length, 32 or more")
    parser.add_argument("--seed", type=NonNegativeInt, default=0, help="of the contexts")
    add_trust_option(parser)
    parser.add_argument(
        "--out", type=str | None, default=None, metavar="DIR", help="where to write; RUN/identification unless given"
    )
    return parser


def summary(found: Identification) -> str:
    """The best rules at each length."""
    rows = []
    for n, part in found.results.groupby("n_context", sort=True):
        for _, row in part.nsmallest(BEST, "rank").iterrows():
            interval = f"[{row['low']:.2f}, {row['high']:.2f}]"
            rows.append(
                [str(n), str(row["rank"]), row["candidate"], f"{row['total']:.2f}", interval, str(row["class"])]
            )
    return aligned(["context", "rank", "rule", "total", "95 % interval", "class"], rows)
