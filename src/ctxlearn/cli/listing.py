"""`ctxlearn list`: what there is."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from ctxlearn.cli.catalogue import KINDS, description, entries
from ctxlearn.cli.parsing import choose as choose_name
from ctxlearn.cli.parsing import new_parser, parse
from ctxlearn.studies.names import STUDIES

LISTED = ("families", "domains", "learners", "references", "studies")
_USES = {
    "families": "tasks to learn: --family NAME",
    "domains": "distributions over families: --family Pooled --family.domains NAME",
    "learners": "what is trained: --learner NAME",
    "references": "learners without training, beside which `ctxlearn evaluate` sets the trained ones",
    "studies": "ctxlearn reproduce NAME",
}


def run(arguments: Sequence[str]) -> int:
    """Print what is asked for."""
    parser = new_parser(
        "list",
        "Show what there is: a name and one line each; for one name, its arguments and whole description.\n"
        "A class of your own needs no entry here: give its import path, module.Class, where a name is expected.",
        "examples:\n  ctxlearn list\n  ctxlearn list learners\n  ctxlearn list InContextTransformer",
    )
    parser.add_argument("what", nargs="?", help=f"{', '.join(LISTED)}, or the name of one of them; left out: all")
    what = parse(parser, arguments).what
    names = {entry.name: entry for kind in KINDS for entry in entries(kind)}
    if what is not None and what not in LISTED:
        choose_name("kind or name", what, [*LISTED, *names, *STUDIES])
        print(description(names[what]) if what in names else f"{what}: {STUDIES[what]}")
        return 0
    for number, kind in enumerate(LISTED if what is None else (what,)):
        rows = STUDIES if kind == "studies" else {entry.name: entry.summary for entry in entries(kind)}
        print(("\n" if number else "") + f"{kind} ({_USES[kind]})")
        width = max(map(len, rows), default=0)
        for name, line in rows.items():
            print(textwrap.fill(f"  {name:<{width}}  {line}", 118, subsequent_indent=" " * (width + 4)))
    return 0
