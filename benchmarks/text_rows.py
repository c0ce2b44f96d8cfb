"""A language model on rows of text, against TF-IDF with logistic regression: a dozen labelled rows.

    pip install chatterbot-corpus && python -m benchmarks.text_rows [DRAWS] [QUERIES] [MODEL]

The texts are dialogues of the package chatterbot-corpus (BSD by its metadata): what was said, and the reply. The label is the topic, one of
four that were fixed before anything was measured; of dialogues that begin with the same words one is kept. Each draw has three labelled
rows of each topic, and asks about others, as many of each.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegressionCV
from sklearn.pipeline import make_pipeline

import ctxlearn
from ctxlearn.evaluation.statistics import mean_interval
from ctxlearn.language import load_language_model

TOPICS = ("literature", "money", "psychology", "science")
LABELLED = 3


def dialogues() -> pd.DataFrame:
    """Columns said, reply and topic."""
    found = importlib.util.find_spec("chatterbot_corpus")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("needs the texts of chatterbot-corpus: pip install chatterbot-corpus")
    folder = Path(found.submodule_search_locations[0]) / "data" / "english"
    rows = [
        {"said": str(said).strip(), "reply": str(reply).strip(), "topic": topic}
        for topic in TOPICS
        for said, reply, *_ in yaml.safe_load((folder / f"{topic}.yml").read_text(encoding="utf-8"))["conversations"]
    ]
    table = pd.DataFrame(rows)
    return table[~table["said"].str.lower().duplicated()].reset_index(drop=True)


def drawn(table: pd.DataFrame, queries: int, generator: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Labelled rows and others, each with equally many of every topic."""
    context, query = [], []
    for topic in TOPICS:
        own = table.index[table["topic"] == topic].to_numpy()
        order = generator.permutation(own)
        context += list(order[:LABELLED])
        query += list(order[LABELLED : LABELLED + queries // len(TOPICS)])
    return table.loc[context], table.loc[query]


def main(draws: int = 5, queries: int = 24, source: str = "smollm2-135m") -> None:
    """Print the accuracy of each way, with 95 % intervals over draws."""
    table, lm = dialogues(), load_language_model(source)
    counts = ", ".join(f"{n} {topic}" for topic, n in table["topic"].value_counts().items())
    print(f"{len(table)} dialogues: {counts}")
    right: dict[str, list[float]] = {}
    for draw in range(draws):
        context, query = drawn(table, queries, np.random.default_rng(draw))
        columns, begin = ["said", "reply"], time.process_time()
        ways = {}
        model = ctxlearn.InContextClassifier(language=lm, random_state=draw).fit(context[columns], context["topic"])
        ways[source] = model.predict(query[columns])
        seconds = time.process_time() - begin
        words = make_pipeline(TfidfVectorizer(), LogisticRegressionCV(Cs=10, cv=LABELLED, max_iter=1000))
        joined = [part["said"] + " " + part["reply"] for part in (context, query)]
        ways["TF-IDF, logistic regression"] = words.fit(joined[0], context["topic"]).predict(joined[1])
        for name, told in ways.items():
            right.setdefault(name, []).append(float((told == query["topic"].to_numpy()).mean()))
        print(
            f"draw {draw}: " + ", ".join(f"{n} {v[-1]:.2f}" for n, v in right.items()) + f"; {seconds:.0f} s",
            flush=True,
        )
    for name, values in right.items():
        print(f"{name}: {mean_interval(np.array(values))}")
    gap = np.subtract(*map(np.array, right.values()))
    print(f"difference, same draws: {mean_interval(gap)}")


if __name__ == "__main__":
    given = sys.argv[1:]
    main(*map(int, given[:2]), *given[2:])
