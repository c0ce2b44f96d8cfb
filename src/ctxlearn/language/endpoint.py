"""A language model behind an OpenAI-compatible server as a learner."""

from __future__ import annotations

import math
import os
import urllib.parse
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ctxlearn.checks import check_float, check_int, describe
from ctxlearn.language.answers import Answers, EndpointError, NextToken, Usage, key_from
from ctxlearn.language.text_format import TextFormat, Wording
from ctxlearn.language.text_learner import Row, TextLearner


class LabelsNotListedWarning(UserWarning):
    """Some labels were not among the tokens that a server listed; their probabilities are upper bounds."""


class EndpointModel(TextLearner):
    """A language model that a server runs, as a learner: one request per query and way to write its context.

    A request asks for one token (`max_tokens=1`) and the log-probabilities of the `top` most likely ones. A label must be one token
    in the server's model. One that is not listed gets the probability of the least likely token listed, or what those listed leave over
    where that is less: an upper bound, counted in `usage.missing` and warned of. Log-probabilities of the prompt, which servers give in different ways
    or not at all, are not used.

    The server tokenizes the text, so tokens are not checked here. Where its model can be had as a file, `LanguageModel` says more.

    Args:
        url: of the server up to and with the version, "http://127.0.0.1:8080/v1".
        model: the model's name there.
        n_features: an int d or the shape of one input.
        n_classes: C >= 2; or None for regression, with `label_digits=1` in the format.
        format: how tasks are written. With `chat` messages are sent, and the server's template is used.
        labellings: see `TextLearner`.
        orders: orders of the examples to average over.
        calibrate: contextual calibration.
        top: tokens to list; servers limit it (OpenAI to 20, 5 in completions).
        concurrency: requests under way at a time.
        retries: further tries after failures that may pass.
        timeout: seconds per try.
        cache: a file to keep answers in, so that nothing is asked twice; None keeps none.
        budget: most tokens to spend, as the server counts them; None for no limit. A request that might go over it is not sent.
        key_variable: the environment variable with the key, where the server wants one.

    Attributes:
        usage: requests, tokens and labels that were not listed, so far.

    Raises:
        ValueError: a value out of range; the argument is named.
    """

    reads_files = True  # and sends what it is given to an address: no file of a stranger chooses that

    def __init__(
        self,
        url: str,
        model: str,
        n_features: int | tuple[int, ...],
        n_classes: int | None,
        format: TextFormat = TextFormat(),  # noqa: B008 (frozen)
        *,
        labellings: str = "all",
        orders: int = 1,
        calibrate: bool = False,
        top: int = 20,
        concurrency: int = 4,
        retries: int = 4,
        timeout: float = 120.0,
        cache: str | os.PathLike[str] | None = None,
        budget: int | None = None,
        key_variable: str | None = "OPENAI_API_KEY",
    ) -> None:
        super().__init__(n_features, n_classes, format, labellings, orders, calibrate)
        parts = urllib.parse.urlsplit(url) if isinstance(url, str) else None
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"url: expected an address such as http://127.0.0.1:8080/v1, got {describe(url)}")
        if not isinstance(model, str) or not model:
            raise ValueError(f"model: expected the model's name on the server, got {describe(model)}")
        if n_classes is None and format.label_digits != 1:
            raise ValueError(
                f"format: expected label_digits = 1 for regression, since a server is asked for one token, got {format.label_digits}"
            )
        self.model = model
        self.top = check_int("top", top, minimum=1)
        self._words = Wording(replace(format, chat="none"), None, self._n_values, self.n_classes)
        self._answers = Answers(
            url,
            key=key_from(key_variable),
            concurrency=check_int("concurrency", concurrency, minimum=1),
            retries=check_int("retries", retries, minimum=0),
            timeout=check_float("timeout", timeout, above=0),
            cache=None if cache is None else Path(cache),
            budget=None if budget is None else check_int("budget", budget, minimum=1),
        )

    @property
    def usage(self) -> Usage:
        """Requests, tokens and labels that were not listed, so far."""
        return self._answers.usage

    def _read(self, rows: Sequence[Row]) -> tuple[Row, ...]:
        return tuple(rows)

    def _score(self, read: tuple[Row, ...], queries: Sequence[Sequence[str]]) -> Tensor:
        bodies = [self._body(row, query) for row, asked in zip(read, queries, strict=True) for query in asked]
        path = "/completions" if self.format.chat == "none" else "/chat/completions"
        labels = self._words.asked_texts if self.format.chat == "none" else self._words.words
        found = [self._label_scores(answer, labels) for answer in self._answers.ask(path, bodies)]
        missing, asked = sum(n for _, n in found), len(found) * len(labels)
        self.usage.missing += missing
        self.usage.labels += asked
        if missing == asked:
            raise EndpointError(
                f"none of the labels {', '.join(map(repr, labels[:5]))} is among the {self.top} most likely tokens after any"
                " prompt; they may be of several tokens in this model, or the format leads elsewhere"
            )
        if missing:
            warnings.warn(
                f"{missing} of {asked} labels were not among the {self.top} most likely tokens; their probabilities are upper"
                " bounds. Ask for more (`top`), if the server lists more",
                LabelsNotListedWarning,
                stacklevel=4,
            )
        return torch.tensor([scores for scores, _ in found]).view(len(read), len(queries[0]), len(labels))

    def _body(self, row: Row, query: str) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self.model, "max_tokens": 1, "temperature": 0}
        words = self._words
        if self.format.chat == "none":
            prompt = words.context(row.inputs, row.labels) + query + words.ask_text
            return {**body, "prompt": prompt, "logprobs": self.top}
        if self.format.chat == "one turn":
            text = words.context(row.inputs, row.labels).removeprefix(words.start_text) + query
            messages = [{"role": "user", "content": self.format.instruction + text}]
        else:
            messages = []
            for given, label in zip(row.inputs, row.labels, strict=True):
                messages.append({"role": "user", "content": given})
                messages.append({"role": "assistant", "content": words.words[label]})
            messages.append({"role": "user", "content": query})
            messages[0]["content"] = self.format.instruction + messages[0]["content"]
        return {**body, "messages": messages, "logprobs": True, "top_logprobs": self.top}

    def _label_scores(self, answer: NextToken, labels: Sequence[str]) -> tuple[list[float], int]:
        """The labels' log-probabilities, and how many were not listed."""
        listed = dict(answer.tokens)
        left = max(1.0 - sum(math.exp(value) for value in listed.values()), 1e-9)
        bound = min(*listed.values(), math.log(left)) if len(listed) > 1 else math.log(left)
        return [listed.get(label, bound) for label in labels], sum(label not in listed for label in labels)
