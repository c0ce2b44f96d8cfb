import asyncio
import json
import re
import signal
import subprocess
import sys
import urllib.request

import pytest

pytest.importorskip("starlette")

from ctxlearn.cli import main
from ctxlearn.playground.app import STATIC, make_app
from ctxlearn.playground.choices import choices

APP = make_app(choices())


def get(path, query="", *, method="GET", host="127.0.0.1:8050", **headers):
    """The status, headers and content of one request, without a server."""
    sent = []
    named = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        "scheme": "http", "http_version": "1.1", "root_path": "", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8050),
        "asgi": {"version": "3.0"},
    }  # fmt: skip

    asked = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive():
        if asked:
            return asked.pop()
        return await asyncio.get_running_loop().create_future()  # nobody hangs up

    async def send(message):
        sent.append(message)

    asyncio.run(APP(scope, receive, send))
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], {k.decode(): v.decode() for k, v in sent[0]["headers"]}, body


def test_the_page_and_its_files_come_from_here_and_name_nothing_elsewhere():
    status, headers, page = get("/")
    assert status == 200
    assert "default-src 'self'" in headers["content-security-policy"]
    own = re.findall(r'(?:src|href)="([^"]+)"', page.decode())
    assert own
    assert all(link.startswith(("/static/", "data:")) for link in own)
    for path in STATIC.iterdir():
        status, _, content = get(f"/static/{path.name}")
        assert status == 200
        assert content == path.read_bytes()
        elsewhere = set(re.findall(rb"https?://[\w.]+", content)) - {b"http://www.w3.org"}
        assert not elsewhere


def test_answers_are_json():
    status, _, body = get("/about/panel", "points=A0_1~B1_0&learner=means&side=4")
    assert status == 200
    assert json.loads(body)["side"] == 4


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/about/panel", "points=Q&learner=means", 422),
        ("/about/panel", "learner=nobody", 422),
        ("/about/panel", "learner=cnp", 422),
        ("/about/task", "", 422),
        ("/about/secrets", "", 404),
        ("/static/../app.py", "", 404),
        ("/static/%2e%2e/app.py", "", 404),
    ],
)
def test_what_cannot_be_answered_is_refused(path, query, status):
    found, _, body = get(path, query)
    assert found == status
    if path.startswith("/about/"):
        assert json.loads(body)["message"]


def test_other_pages_cannot_ask():
    assert get("/", host="evil.example")[0] == 400
    assert get("/about/offered", sec_fetch_site="cross-site")[0] == 403
    assert get("/about/offered", sec_fetch_site="same-origin")[0] == 200
    assert get("/about/offered", method="POST")[0] == 405


def test_the_command_serves_on_this_machine_until_interrupted():
    command = [sys.executable, "-m", "ctxlearn", "playground", "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            address = re.search(r"http://127\.0\.0\.1:\d+/", server.stdout.readline())[0]
            with urllib.request.urlopen(address, timeout=60) as page:
                assert b"ctxlearn playground" in page.read()
        finally:
            server.send_signal(signal.SIGINT)
        said, errors = server.communicate(timeout=60)
    assert (server.returncode, said.strip(), errors) == (0, "stopped", "")


def test_a_port_that_is_taken_is_said(capsys):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["playground", "--port", str(port), "--no-browser"]) == 1
    assert f"port {port} of 127.0.0.1 cannot be used" in capsys.readouterr().err


def test_without_the_extra_the_command_says_what_to_install(tmp_path):
    code = (
        "import importlib.util, sys; real = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name in ('starlette', 'uvicorn') else real(name, *rest)\n"
        "from ctxlearn.cli import main; sys.exit(main(['playground']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert "pip install 'ctxlearn[playground]'" in done.stderr


def test_a_run_that_is_none_is_said(tmp_path, capsys):
    assert main(["playground", "--run", str(tmp_path / "none"), "--no-browser"]) in (1, 2)
    assert "none" in capsys.readouterr().err
