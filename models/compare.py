"""Compare models on the development tables: paired, on the same rows.

    python models/compare.py --new models/training --draws 10 --out results/compare

Beside the package's model and the new one take part: the new one blended with logistic regression (`Blended`), scikit-learn's logistic
regression with its C by cross-validation and their geometric mean; for regression a Gaussian process. Only development tables
are read, each with several columns to tell: its classes, numbers in thirds or fifths, the tenth of the rows that is largest.
"""

from __future__ import annotations

import argparse
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from ctxlearn import InContextClassifier, InContextRegressor, load
from ctxlearn.learners import Blended, ContextScaled, quantile_levels
from ctxlearn.learners.quantiles import pinball
from ctxlearn.real_tables.baselines import RIVALS
from ctxlearn.real_tables.metrics import log_losses
from ctxlearn.real_tables.preprocessing import Encoder
from ctxlearn.real_tables.sources import TABLES, find_table, is_development
from ctxlearn.real_tables.tasks import TASKS, task_data

SIZES = (8, 16, 32, 64, 128, 256, 512)
NUMBERS = {
    "iris": ["sepal width (cm)", "petal width (cm)"],
    "wine": ["alcohol", "ash", "color_intensity", "magnesium"],
    "breast cancer": ["mean texture", "mean symmetry", "area error", "worst fractal dimension"],
    "food expenditure": ["foodexp"],
    "glass": ["RI", "Al", "Mg"],
    "penguins": ["bill_depth_mm", "body_mass_g", "flipper_length_mm"],
}
"""Columns to tell, of the tables that models may be developed on."""
FEWEST_QUERIES, MOST_QUERIES = 40, 100


def main() -> None:
    """Measure, and print means and intervals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["classifier", "regressor"])
    parser.add_argument("--new", type=Path, default=Path("models/training"))
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--out", type=Path, default=Path("results/compare"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", ConvergenceWarning)
    asked.out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    path = asked.out / f"{asked.kind}.csv"
    measure = _classes if asked.kind == "classifier" else _numbers
    if path.is_file():  # it goes on
        rows = pd.read_csv(path).to_dict("records")
    done = {row["task"] for row in rows}
    for name, x, y in problems(asked.kind):
        if name in done:
            continue
        for draw in range(asked.draws):
            order = np.random.default_rng([zlib.crc32(name.encode()), draw]).permutation(len(y))
            for n in asked.sizes:
                context, queries = order[:n], order[n:][:MOST_QUERIES]
                if len(queries) < FEWEST_QUERIES or len(np.unique(y[context])) < 2:
                    continue
                for who, scores in measure(asked.new / asked.kind, x, y, context, queries, draw):
                    rows.append({"task": name, "n": n, "draw": draw, "who": who, **scores})
        pd.DataFrame(rows).to_csv(path, index=False)
        print(name, flush=True)
    report(pd.DataFrame(rows))


def problems(kind: str) -> Iterator[tuple[str, pd.DataFrame, np.ndarray]]:
    """Name, features and labels of what there is to tell."""
    if kind == "classifier":
        for task in TASKS:
            if task.development:
                data = task_data(task)
                yield task.name, data.x, data.y
    for table in TABLES:
        if not is_development(table.name):
            continue
        frame = find_table(table.name).read()
        for column in NUMBERS[table.name]:
            known = frame[frame[column].notna()].reset_index(drop=True)
            x, y = known.drop(columns=column), known[column].to_numpy(dtype=float)
            x = x.apply(lambda c: c if pd.api.types.is_numeric_dtype(c) else pd.Categorical(c))
            if kind == "regressor":
                yield f"{table.name}: {column}", x, y
                continue
            cuts = {"thirds": [1 / 3, 2 / 3], "fifths": [0.2, 0.4, 0.6, 0.8], "largest tenth": [0.9]}
            for way, levels in cuts.items():
                yield f"{table.name}: {column}, {way}", x, np.searchsorted(np.quantile(y, levels), y, side="left")


def _classes(
    new: Path, x: pd.DataFrame, y: np.ndarray, context: np.ndarray, queries: np.ndarray, draw: int
) -> Iterator[tuple[str, dict[str, float]]]:
    classes, told = np.unique(y[context], return_inverse=True)
    kept = queries[np.isin(y[queries], classes)]  # nobody can tell a class that is not shown
    truth = np.searchsorted(classes, y[kept])
    shares: dict[str, np.ndarray] = {}
    for who, model in {"package": None, "new": new, "new, blended": blended(new)}.items():
        found = InContextClassifier(model, random_state=draw).fit(x.iloc[context], told)
        shares[who] = found.predict_proba(x.iloc[kept])
    logistic = RIVALS["logistic regression"](draw).fit(x.iloc[context], told)
    shares["logistic"] = logistic.predict_proba(x.iloc[kept])
    for who in ("package", "new"):
        mixed = np.sqrt(np.maximum(shares[who], 1e-6) * np.maximum(shares["logistic"], 1e-6))
        shares[f"{who} with tuned logistic"] = mixed / mixed.sum(1, keepdims=True)
    for who, p in shares.items():
        yield who, {"accuracy": 100 * (p.argmax(1) == truth).mean(), "loss": log_losses(p, truth).mean()}


def _numbers(
    new: Path, x: pd.DataFrame, y: np.ndarray, context: np.ndarray, queries: np.ndarray, draw: int
) -> Iterator[tuple[str, dict[str, float]]]:
    unit, truth = float(np.std(y)), y[queries]
    for who, model in {"package": None, "new": new}.items():
        found = InContextRegressor(model, random_state=draw).fit(x.iloc[context], y[context])
        yield who, _scores(found.predict_quantiles(x.iloc[queries], levels=quantile_levels().numpy()), found.predict(x.iloc[queries]), truth, unit)  # fmt: skip
    if len(context) <= 256:
        encoder = Encoder().fit(x.iloc[context])
        kernel = ConstantKernel(1.0) * RBF(np.sqrt(x.shape[1])) + WhiteKernel(0.1)
        process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=draw)
        process.fit(encoder.transform(x.iloc[context]), y[context])
        mean, deviation = process.predict(encoder.transform(x.iloc[queries]), return_std=True)
        normal = torch.special.ndtri(quantile_levels()).numpy()
        yield "Gaussian process", _scores(mean[:, None] + deviation[:, None] * normal, mean, truth, unit)


def _scores(quantiles: np.ndarray, means: np.ndarray, truth: np.ndarray, unit: float) -> dict[str, float]:
    crps = pinball(torch.from_numpy(np.asarray(quantiles)), torch.from_numpy(truth))
    inside = (truth >= quantiles[:, 1]) & (truth <= quantiles[:, -2])  # between 7.5 % and 92.5 %
    return {
        "rmse": float(np.sqrt(np.mean((means - truth) ** 2))) / unit,
        "loss": float(crps) / unit,
        "inside": 100 * inside.mean(),
    }


_MADE: dict[Path, Any] = {}
blended: Callable[[Path], Any] = lambda path: _MADE.setdefault(path, _blended(path))  # noqa: E731


def _blended(path: Path) -> ContextScaled:
    scaled = load(path)
    assert isinstance(scaled, ContextScaled)
    return ContextScaled(Blended(scaled.learner)).eval()


def report(found: pd.DataFrame) -> None:
    """Means, and differences to the new model with 95 % intervals over draws, tables fixed."""
    scores = [c for c in found.columns if c not in ("task", "n", "draw", "who")]
    for score in scores:
        wide = found.pivot_table(index=["task", "n", "draw"], columns="who", values=score)
        print(f"\n{score}: means")
        print(wide.groupby("n").mean().round(3).to_string())
        for who in wide.columns.drop("new"):
            apart = (wide["new"] - wide[who]).dropna()
            per_task = apart.groupby(["n", "task"]).agg(["mean", "var", "count"])
            square = per_task["var"] / per_task["count"]
            mean = per_task["mean"].groupby("n").mean()
            half = 1.96 * (square.groupby("n").sum() ** 0.5 / square.groupby("n").count())
            told = "  ".join(f"{n}: {mean[n]:+.3f} ± {half[n]:.3f}" for n in mean.index)
            print(f"{score}, new - {who}: {told}")


if __name__ == "__main__":
    main()
