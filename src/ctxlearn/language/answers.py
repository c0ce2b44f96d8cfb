"""Answers of a server over HTTP: retried, kept on disk, and counted against a budget."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LONGEST_WAIT = 30.0
"""Most seconds between two tries."""


class EndpointError(RuntimeError):
    """A server did not answer, or not what was asked; the message says what it said."""


class BudgetSpentError(EndpointError):
    """The next request might go over the budget; what was answered is kept in the cache."""


@dataclass
class Usage:
    """What an endpoint was asked so far.

    Attributes:
        requests: answered by the server.
        cached: answered from the disk.
        tokens: read or written by the server, as it counts them.
        missing: labels that were not among the most likely tokens; their probability is bounded from above.
        labels: labels asked about in all.
    """

    requests: int = 0
    cached: int = 0
    tokens: int = 0
    missing: int = 0
    labels: int = 0


@dataclass(frozen=True)
class NextToken:
    """The most likely next tokens: text and log-probability."""

    tokens: tuple[tuple[str, float], ...]


class Answers:
    """The next token's distribution after prompts, by an OpenAI-compatible server.

    Args:
        url: up to and with the version, "http://127.0.0.1:8080/v1".
        key: sent as bearer token, where not None.
        concurrency: requests under way at a time.
        retries: further tries after a failure that may pass (no connection, 408, 429, 5xx).
        timeout: seconds per try.
        cache: an SQLite file to keep answers in; None keeps none.
        budget: most tokens to spend; None for no limit.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None,
        concurrency: int,
        retries: int,
        timeout: float,
        cache: Path | None,
        budget: int | None,
    ) -> None:
        self.url, self._key, self.concurrency, self.retries = url.rstrip("/"), key, concurrency, retries
        self.timeout, self.cache, self.budget = timeout, cache, budget
        self.usage = Usage()
        self._lock = threading.Lock()
        self._reserved = 0
        local = urllib.parse.urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
        handlers = (
            [urllib.request.ProxyHandler({})] if local else []
        )  # a proxy would look for the server on its own machine
        self._opener = urllib.request.build_opener(*handlers)

    def __deepcopy__(self, memo: object) -> Answers:
        """Itself: copies of a learner share what was asked and what was spent."""
        return self

    def ask(self, path: str, bodies: Sequence[dict[str, Any]]) -> list[NextToken]:
        """An answer for each body, in their order; equal bodies are asked once.

        Raises:
            EndpointError: what the server said, or that it did not answer.
            BudgetSpentError: the budget does not allow for another request.
        """
        keys = [json.dumps([path, body], sort_keys=True) for body in bodies]
        different = dict(zip(keys, bodies, strict=True))
        with ThreadPoolExecutor(self.concurrency) as pool:
            futures = {key: pool.submit(self._one, path, body, key) for key, body in different.items()}
            try:
                found = {key: future.result() for key, future in futures.items()}
            except BaseException:
                for future in futures.values():
                    future.cancel()  # those under way end, and are kept
                raise
        return [found[key] for key in keys]

    def _one(self, path: str, body: dict[str, Any], key: str) -> NextToken:
        name = hashlib.sha256(key.encode()).hexdigest()
        kept = self._kept(name)
        if kept is not None:
            with self._lock:
                self.usage.cached += 1
            return kept
        most = len(
            json.dumps(body)
        )  # tokens are of at least one character: what a request takes at most, before it is counted
        self._reserve(most)
        try:
            answer = self._request(path, body)
        finally:
            with self._lock:
                self._reserved -= most
        spent = answer.get("usage") or {}
        with self._lock:
            self.usage.requests += 1
            self.usage.tokens += int(
                spent.get("total_tokens") or most
            )  # a server that does not count is taken to have read all
        found = _next_token(answer)
        self._keep(name, found)
        return found

    def _reserve(self, most: int) -> None:
        with self._lock:
            if self.budget is not None and self.usage.tokens + self._reserved + most > self.budget:
                raise BudgetSpentError(
                    f"budget: {self.usage.tokens} of {self.budget} tokens are spent, and the next request may take up to"
                    f" {most}; raise the budget" + (" and go on: answers so far are in the cache" if self.cache else "")
                )
            self._reserved += most

    def _request(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(f"{self.url}{path}", json.dumps(body).encode(), headers)
        for tried in range(self.retries + 1):
            wait = min(LONGEST_WAIT, 0.5 * 2**tried)
            try:
                with self._opener.open(request, timeout=self.timeout) as response:
                    found: Any = json.loads(response.read())
                if not isinstance(found, dict):
                    raise EndpointError(f"{self.url}{path}: expected a JSON object, got {str(found)[:200]!r}")
                return found
            except urllib.error.HTTPError as error:
                said = error.read().decode(errors="replace")[:500]
                what = f"{self.url}{path} answered {error.code}: {said}"
                if error.code not in (408, 429) and error.code < 500:
                    raise EndpointError(what) from error
                after = error.headers.get("Retry-After", "")
                wait = min(LONGEST_WAIT, float(after)) if after.isdigit() else wait
            except json.JSONDecodeError as error:
                raise EndpointError(f"{self.url}{path}: expected JSON, got something else ({error})") from error
            except OSError as error:  # refused, reset, timed out
                what = f"no answer from {self.url}{path}: {error}"
            if tried < self.retries:
                time.sleep(
                    wait * (0.5 + 0.5 * (threading.get_ident() % 97) / 97)
                )  # threads do not try again all at once
        raise EndpointError(f"{what} ({self.retries + 1} tries)")

    def _kept(self, name: str) -> NextToken | None:
        if self.cache is None:
            return None
        with self._lock, closing(self._database()) as database:
            row = database.execute("SELECT answer FROM answers WHERE name = ?", (name,)).fetchone()
        return None if row is None else NextToken(tuple((str(t), float(p)) for t, p in json.loads(row[0])))

    def _keep(self, name: str, found: NextToken) -> None:
        if self.cache is None:
            return
        with self._lock, closing(self._database()) as database, database:
            database.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (name, json.dumps(found.tokens)))

    def _database(self) -> sqlite3.Connection:
        assert self.cache is not None
        try:
            self.cache.parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(self.cache, timeout=60)
        except (OSError, sqlite3.OperationalError) as error:
            raise EndpointError(f"cache: cannot open {self.cache}: {error}") from error
        try:
            database.execute("CREATE TABLE IF NOT EXISTS answers (name TEXT PRIMARY KEY, answer TEXT NOT NULL)")
        except sqlite3.DatabaseError as error:
            database.close()
            raise EndpointError(f"cache: {self.cache} is no cache of answers ({error}); choose another file") from error
        return database


def key_from(variable: str | None) -> str | None:
    """The key in an environment variable; it is never written anywhere."""
    return None if variable is None else os.environ.get(variable)


def _next_token(answer: dict[str, Any]) -> NextToken:
    """The first token's alternatives, in either form in which servers give them."""
    try:
        logprobs = answer["choices"][0]["logprobs"]
        if logprobs.get("content"):  # of chats, and of llama.cpp
            pairs = [(entry["token"], entry["logprob"]) for entry in logprobs["content"][0]["top_logprobs"]]
        else:  # of completions
            pairs = list(logprobs["top_logprobs"][0].items())
        found = tuple((str(token), float(value)) for token, value in pairs)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise EndpointError(
            f"expected the next token's log-probabilities, got {json.dumps(answer)[:300]}; this server may not give any"
        ) from error
    if not found:
        raise EndpointError(f"expected the next token's log-probabilities, got none in {json.dumps(answer)[:300]}")
    return NextToken(found)
