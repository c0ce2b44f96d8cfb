"""The playground as a web application: one page, its files, and answers about states."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ctxlearn.playground.choices import Choice
from ctxlearn.playground.panels import ANSWERS
from ctxlearn.playground.state import State
from ctxlearn.threads import available_cores

STATIC = Path(__file__).parent / "static"
HOSTS = ("127.0.0.1", "localhost")
"""Names that the page may be asked for by; others would let a page of elsewhere reach this one by a name of its own."""
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def make_app(known: Mapping[str, Choice]) -> Starlette:
    """The application around the learners there are.

    Everything is a GET whose query is a state, and nothing is kept between requests. Answers are computed by as many threads
    as there are cores: more would wait for each other.
    """
    pool = ThreadPoolExecutor(available_cores(), thread_name_prefix="playground")

    async def page(_: Request) -> Response:
        return FileResponse(STATIC / "index.html", headers=_HEADERS)

    async def answer(request: Request) -> Response:
        about = ANSWERS.get(request.path_params["about"])
        if about is None:
            return _refusal(404, f"nothing is known about {request.path_params['about'][:40]!r}")
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return _refusal(403, "only the playground's own page may ask")
        try:
            state = State.from_query(request.url.query)
            asked = dict(request.query_params)
            found = await asyncio.get_running_loop().run_in_executor(pool, about, known, state, asked)
        except ValueError as error:
            return _refusal(422, str(error))
        return JSONResponse(found, headers=_HEADERS)

    return Starlette(
        routes=[
            Route("/", page),
            Route("/about/{about}", answer),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS))],
    )


def _refusal(status: int, message: str) -> Response:
    return JSONResponse({"message": message}, status, _HEADERS)


def serve(known: Mapping[str, Choice], port: int, ready: Callable[[str], Any]) -> None:
    """Serve on 127.0.0.1 until interrupted.

    Args:
        known: the learners there are.
        port: to listen on; 0 is any free one.
        ready: called with the page's address once it can be opened.

    Raises:
        OSError: the port is taken or may not be used.
    """
    import socket

    import uvicorn

    warnings.simplefilter("ignore")  # of few particles or small contexts: the picture shows what the answers are
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", port))
        except OSError as error:
            raise OSError(
                f"port {port} of 127.0.0.1 cannot be used ({error.strerror}); give another by --port"
            ) from error
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        server = uvicorn.Server(uvicorn.Config(make_app(known), log_level="warning", access_log=False, lifespan="off"))

        async def run() -> None:
            serving = asyncio.ensure_future(server.serve(sockets=[listening]))
            while not server.started and not serving.done():
                await asyncio.sleep(0.01)
            if server.started:
                ready(address)
            await serving

        _run(run())


def _run(serving: Awaitable[None]) -> None:
    async def wait() -> None:
        await serving

    asyncio.run(wait())
