"""`ctxlearn playground`: points on a plane, and what each learner makes of them."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from jsonargparse import ArgumentParser
from jsonargparse.typing import NonNegativeInt

from ctxlearn.cli.parsing import UsageError, add_trust_option, new_parser, parse

NEEDED = ("starlette", "uvicorn")
PORT = 8050
_EPILOG = """\
The page shows a plane on which you place, drag and delete points, and beside it what each learner answers all over the
plane. It is served on 127.0.0.1 only and loads nothing from elsewhere. Its address holds the whole state: send it to
somebody who runs the same command, and they see the same. Stop it with Ctrl-C.

Needs the extra: pip install 'ctxlearn[playground]'

examples:
  ctxlearn playground
  ctxlearn playground --run runs/first --run runs/maml --port 0 --no-browser"""


def run(arguments: Sequence[str]) -> int:
    """Serve the page until interrupted."""
    asked = parse(build_parser(), arguments)
    lacking = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if lacking:
        raise UsageError(f"the playground needs {' and '.join(lacking)}: pip install 'ctxlearn[playground]'")
    if asked.port > 65535:
        raise UsageError(f"--port: expected 0 to 65535, got {asked.port}")

    from ctxlearn.playground.app import serve
    from ctxlearn.playground.choices import choices, load_runs

    known = choices(load_runs(asked.run, asked.trust))

    def ready(address: str) -> None:
        print(f"the playground is at {address} (stop it with Ctrl-C)", flush=True)
        if asked.browser:
            import webbrowser

            webbrowser.open(address)

    try:
        serve(known, asked.port, ready)
    except KeyboardInterrupt:
        print("stopped")
    return 0


def build_parser() -> ArgumentParser:
    """The parser."""
    parser = new_parser(
        "playground", "Place points on a plane in your browser and see what each learner makes of them.", _EPILOG
    )
    parser.add_argument(
        "--run",
        action="append",
        type=str,
        default=[],
        metavar="RUN",
        help="folder of a finished run whose learner to show; may be given several times",
    )
    parser.add_argument("--port", type=NonNegativeInt, default=PORT, help="of 127.0.0.1; 0 takes any free one")
    parser.add_argument(
        "--no-browser", dest="browser", action="store_false", help="print the page's address without opening it"
    )
    add_trust_option(parser)
    return parser
