"""An in-context model of noisy linear regression in five inputs, trained for minutes, against the Bayes predictor.

    python -m benchmarks.regression [FOLDER]

trains it in a folder (results/regression), where a finished training is found again, and prints the error of both on 20,000 fresh
tasks: the squared error of the next noisy label, and what of it is not noise.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from ctxlearn import TrainingConfig, evaluate, train
from ctxlearn.learners import InContextTransformer
from ctxlearn.references import LinearGaussian
from ctxlearn.tasks import LinearRegression

D, N, NOISE = 5, 11, 0.5
MODEL, BAYES = "in-context model", "Bayes"
FAMILY = LinearRegression(D, noise=NOISE)
CONFIG = TrainingConfig(steps=3000, tasks_per_step=128, n_points=N, validate_every=500)


def ratio(model: np.ndarray, bayes: np.ndarray, noise: float) -> tuple[float, float]:
    """The ratio of two mean errors (T,) of the same tasks less noise^2, and half its 95 % interval (delta method)."""
    below = bayes.mean() - noise**2
    value = (model.mean() - noise**2) / below
    return float(value), float(1.96 * (model - value * bayes).std(ddof=1) / len(model) ** 0.5 / below)


def main(out: str = "results/regression") -> None:
    """Train and print the table."""
    began, done = (time.perf_counter(), time.process_time()), (Path(out) / "model.safetensors").is_file()
    learner = InContextTransformer(D, None, width=64, depth=4, heads=4, encoder="identity")
    run = train(learner, FAMILY, CONFIG, out=out)
    if not done:
        print(
            f"trained in {time.perf_counter() - began[0]:.0f} s by the clock, {time.process_time() - began[1]:.0f} processor seconds"
        )
    table = evaluate(
        {MODEL: run.learner, BAYES: LinearGaussian(0.0, 1.0, NOISE, D)},
        FAMILY, n_tasks=20_000, n_points=N, seed=7, per_task=True,
    )  # fmt: skip
    scores = {name: part.pivot_table(index="task", columns="n_context", values="value").to_numpy()
              for name, part in table.groupby("learner")}  # fmt: skip
    print(f"d={D}, noise {NOISE}, squared error (not divided by d) after n points, 20,000 tasks; this trained model")
    rows = [(str(n), scores[MODEL][:, n], scores[BAYES][:, n]) for n in range(N)]
    rows.append((f"mean over 0..{N - 1}", scores[MODEL].mean(1), scores[BAYES].mean(1)))
    for name, model, bayes in rows:
        parts = [f"{value:.3f} +- {half:.3f}" for value, half in (ratio(model, bayes, 0.0), ratio(model, bayes, NOISE))]
        print(
            f"n = {name}: model {model.mean():.3f}, Bayes {bayes.mean():.3f}, ratio {parts[0]}; without noise {parts[1]}"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
