"""Compare designs of the classifier at equal processor time: a loss on the prior, and the development tables.

    python models/search.py DESIGN [DESIGN ...] --minutes 6 --out results/search

Each design gets the same tasks and the same processor time, over which its learning rate falls to zero.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from ctxlearn.studies.tables.catalogue import TASKS, task_data
from ctxlearn.studies.tables.draws import draw_rows, sizes_for
from ctxlearn.studies.tables.scoring import log_losses

from ctxlearn import InContextClassifier
from ctxlearn.checks import trusted_values
from ctxlearn.learners import (
    BlockConfig,
    ContextScaled,
    Guided,
    InContextTransformer,
    KernelFeatures,
    Learner,
    MissingAware,
)
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.tasks import WideClassification
from ctxlearn.training import LastPoints, TrainingConfig, VariedLengths
from ctxlearn.training.optimizers import Optimizer

FEATURES, CLASSES = 100, 10
LENGTHS = (8, 32, 128)


def tokens(n_inputs: int, width: int, depth: int) -> InContextTransformer:
    """One token per row."""
    block = BlockConfig(heads=4, hidden=2 * width)
    encoder = MissingAware(n_inputs, width, hidden=256)
    return InContextTransformer(n_inputs, CLASSES, width=width, encoder=encoder, blocks=[block] * depth)


def guided(advice: list[str], residual: bool, shown: int = 24, width: int = 128, depth: int = 6) -> Learner:
    """Rows as tokens, with advice from regressions on all columns."""
    n_advisers = sum({"ridge": 3, "logistic": 3, "match": 1}[name] for name in advice)
    inner = tokens(shown + (n_advisers + 1) * CLASSES, width, depth)
    return ContextScaled(Guided(inner, FEATURES, shown, advice, residual))


DESIGNS = {
    "plain": lambda: ContextScaled(tokens(FEATURES, 128, 6)),
    "ridge": lambda: ContextScaled(KernelFeatures(tokens(FEATURES + 3 * CLASSES, 128, 6))),
    "ridge, 24 shown": lambda: guided(["ridge"], False),
    "logistic": lambda: guided(["ridge", "logistic"], False),
    "match": lambda: guided(["ridge", "logistic", "match"], False),
    "residual": lambda: guided(["ridge", "logistic", "match"], True),
}


def main() -> None:
    """Train each design for its time, and measure it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("designs", nargs="+", choices=list(DESIGNS))
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path("results/search"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    asked.out.mkdir(parents=True, exist_ok=True)
    for name in asked.designs:
        learner, steps = trained(DESIGNS[name](), 60 * asked.minutes)
        found = {"design": name, "minutes": asked.minutes, "steps": steps, "prior": on_prior(learner)}
        found["tables"] = on_tables(learner, asked.draws)
        print(json.dumps(found), flush=True)
        (asked.out / f"{name.replace(', ', '-').replace(' ', '-')}.json").write_text(json.dumps(found, indent=1))


def trained(learner: Learner, seconds: float) -> tuple[Learner, int]:
    """The learner after so much processor time, and the steps taken in it."""
    config = TrainingConfig(steps=1, warmup_steps=1)
    optimizer = Optimizer(learner, config)
    source, objective = VariedLengths(WideClassification()), LastPoints()
    parameters = list(learner.parameters())
    begun, step = time.process_time(), 0
    while (used := time.process_time() - begun) < seconds:
        with trusted_values():
            loss = objective(learner, source.batch(step, 0, generator_for(0, Stream.TRAINING, step)), torch.Generator())
            for p, gradient in zip(parameters, torch.autograd.grad(loss, parameters, allow_unused=True), strict=True):
                p.grad = torch.zeros_like(p) if gradient is None else gradient
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step(min(1.0, (step + 1) / 50) * (1 - used / seconds))
        step += 1
    return learner.eval(), step


@torch.no_grad()
def on_prior(learner: Learner) -> dict[int, float]:
    """Log-loss by context length, in nats, on tasks that no training draws."""
    found = {}
    for n in LENGTHS:
        losses = []
        for k in range(12):
            tasks = WideClassification().sample(16, n + 32, generator=generator_for(0, Stream.VALIDATION, n, k))
            losses.append(float(LastPoints()(learner, tasks, torch.Generator())))
        found[n] = round(float(np.mean(losses)), 4)
    return found


def on_tables(learner: Learner, draws: int) -> dict[int, list[float]]:
    """Accuracy in % and log-loss by context length, mean over the development tasks."""
    found: dict[int, list[float]] = {}
    for n in (8, 32, 64):
        each = []
        for task in TASKS:
            data = task_data(task)
            if not task.development or n not in sizes_for(len(data.classes), (n,)):
                continue
            for draw in range(draws):
                context, queries = draw_rows(task, data.y, draw)
                model = InContextClassifier(learner, random_state=draw)
                model.fit(data.x.iloc[context[:n]], data.y[context[:n]])
                shares = model.predict_proba(data.x.iloc[queries])
                right = (shares.argmax(1) == data.y[queries]).mean()
                each.append((100 * right, log_losses(shares, data.y[queries]).mean()))
        found[n] = [round(float(v), 4) for v in np.mean(each, axis=0)]
    return found


if __name__ == "__main__":
    main()
