"""The tasks: what is asked about each table, fixed before any model was measured on it.

A task is a column to predict: its own classes, a pair of them, or a number cut at its median or its terciles. A number that
was cut is no feature, nor is a column that follows from it; names and numbers that only identify a row are left out, and so
are rows without an answer and classes of fewer than five rows. No class has more than four fifths of a task's rows.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ctxlearn.real_tables.sources import find_table, is_development

SMALLEST_CLASS = 5
LARGEST_SHARE = 0.8
FEWEST_ROWS = 100


@dataclass(frozen=True)
class TableTask:
    """A classification task on a real table.

    Attributes:
        name: of the task.
        table: of the table.
        target: the column to predict.
        cut: "classes" (as they are), "median" or "terciles" (of a number).
        pair: the two classes that are kept, where only two are.
        without: columns that are no features: they follow from the target, or only identify a row.
        categories: columns of numbers that stand for categories.
    """

    name: str
    table: str
    target: str
    cut: str = "classes"
    pair: tuple[str, str] | None = None
    without: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    @property
    def development(self) -> bool:
        """Whether models may be developed on it."""
        return is_development(self.table)


@dataclass(frozen=True)
class TaskData:
    """A task's rows.

    Attributes:
        x: features, (N, d): columns of float64, and columns of text for categories; NaN where a value is missing.
        y: classes, (N,) int64 in [0, C).
        classes: their names, C.
    """

    x: pd.DataFrame
    y: NDArray[np.int64]
    classes: tuple[str, ...]

    @property
    def categorical(self) -> list[str]:
        """Columns of categories."""
        return [str(name) for name in self.x.columns if not pd.api.types.is_numeric_dtype(self.x[name])]

    @property
    def digest(self) -> str:
        """SHA-256 of all of it."""
        text = self.x.to_csv(index=False) + ",".join(map(str, self.y)) + ",".join(self.classes)
        return hashlib.sha256(text.encode()).hexdigest()


ECONOMY = ("year", "quarter")
CARS = ("Unnamed: 0", "model")
FLARES = ("c-class-flares", "m-class-flares", "x-class-flares")
POVERTY = ("percbelowpoverty", "percchildbelowpovert", "percadultpoverty", "percelderlypoverty")
COUNTY = (
    "PID", "county", "category", "popwhite", "popblack", "popamerindian", "popasian", "popother", "popadults", "poppovertyknown",
)  # fmt: skip
ELEMENT = (
    "symbol", "name", "atomic mass", "CPK", "electronic configuration", "ion radius", "standard state", "boiling point",
    "metal", "year discovered",
)  # fmt: skip

TASKS = (
    TableTask("iris: species", "iris", "target"),
    TableTask("iris: versicolor or virginica", "iris", "target", pair=("versicolor", "virginica")),
    TableTask("wine: cultivar", "wine", "target"),
    TableTask("wine: first or second cultivar", "wine", "target", pair=("class_0", "class_1")),
    TableTask("breast cancer: diagnosis", "breast cancer", "target"),
    TableTask("penguins: species", "penguins", "species"),
    TableTask("penguins: sex", "penguins", "sex"),
    TableTask("glass: kind", "glass", "type"),
    TableTask("glass: float or other window", "glass", "type", pair=("WinF", "WinNF")),
    TableTask("food expenditure: above median", "food expenditure", "foodexp", "median"),
    TableTask("digits: digit", "digits", "target"),
    TableTask("digits: 3 or 8", "digits", "target", pair=("3", "8")),
    TableTask("diabetes: above median", "diabetes", "target", "median"),
    TableTask("diabetes: terciles", "diabetes", "target", "terciles"),
    TableTask("election survey: vote", "election survey", "vote"),
    TableTask("health insurance: visits above median", "health insurance", "mdvis", "median"),
    TableTask("travel mode: choice", "travel mode", "chosen"),
    TableTask("travel mode: car or train", "travel mode", "chosen", pair=("car", "train")),
    TableTask("US economy: inflation above median", "US economy", "infl", "median", without=(*ECONOMY, "realint")),
    TableTask("US economy: terciles of unemployment", "US economy", "unemp", "terciles", without=ECONOMY),
    TableTask("investment: above median", "investment", "invest", "median", without=("firm",)),
    TableTask("titanic: survival", "titanic", "survived", without=("name",)),
    TableTask("cars 1970-82: origin", "cars 1970-82", "origin", without=("name",)),
    TableTask("cars 1970-82: miles per gallon above median", "cars 1970-82", "mpg", "median", without=("name",), categories=("origin",)),
    TableTask("cars 1999-2008: drive", "cars 1999-2008", "drv", without=CARS),
    TableTask("cars 1999-2008: class", "cars 1999-2008", "class", without=CARS),
    TableTask("cars 1999-2008: miles per gallon above median", "cars 1999-2008", "hwy", "median", without=(*CARS, "cty")),
    TableTask("elements: melting point above median", "elements", "melting point", "median", without=ELEMENT),
    TableTask("phishing: phishing or not", "phishing", "is_phishing"),
    TableTask("image segments: kind", "image segments", "category"),
    TableTask("image segments: cement or window", "image segments", "category", pair=("cement", "window")),
    TableTask("solar flares: class of the region", "solar flares", "zurich-class", without=FLARES),
    TableTask("midwest: metropolitan or not", "midwest", "inmetro", without=COUNTY),
    TableTask("midwest: state", "midwest", "state", without=COUNTY),
    TableTask("midwest: terciles of poverty", "midwest", "percbelowpoverty", "terciles", without=(*COUNTY, *POVERTY)),
    TableTask("diamonds: terciles of price", "diamonds", "price", "terciles"),
    TableTask("diamonds: cut", "diamonds", "cut"),
)  # fmt: skip


@lru_cache(maxsize=64)
def task_data(task: TableTask) -> TaskData:
    """The rows of a task.

    Raises:
        TablesMissing: the package of its table is not installed.
    """
    frame = find_table(task.table).read()
    frame = frame[frame[task.target].notna()]
    labels, order = _labels(frame[task.target], task.cut)
    counts = labels.value_counts()
    kept = task.pair or tuple(name for name in order if counts[name] >= SMALLEST_CLASS)
    rows = labels.isin(kept).to_numpy()
    x = frame.loc[rows].drop(columns=[task.target, *(c for c in task.without if c != task.target)])
    x = pd.DataFrame({str(name): _column(x[name], name in task.categories) for name in x.columns})
    codes = {name: code for code, name in enumerate(kept)}
    y = np.array([codes[name] for name in labels[rows]], dtype=np.int64)
    return TaskData(x.reset_index(drop=True), y, tuple(kept))


def _labels(values: pd.Series, cut: str) -> tuple[pd.Series, list[str]]:
    """The label of each row, and all labels in order."""
    if cut == "classes":
        labels = values.astype(str)
        return labels, sorted(labels.unique())
    names, levels = (["below", "above"], [0.5]) if cut == "median" else (["low", "middle", "high"], [1 / 3, 2 / 3])
    limits = np.quantile(values.to_numpy(dtype=float), levels)
    codes = np.searchsorted(
        limits, values.to_numpy(dtype=float), side="left"
    )  # a value at a limit is on its lower side
    return pd.Series([names[code] for code in codes], index=values.index), names


def _column(values: pd.Series, categorical: bool) -> NDArray[np.float64] | pd.Categorical:
    """A feature as numbers, or as categories that are text; NaN where missing.

    They are declared to be categories, since the texts of a few rows may all look like numbers.
    """
    if not categorical and pd.api.types.is_numeric_dtype(values):
        return values.to_numpy(dtype=np.float64)
    return pd.Categorical([np.nan if pd.isna(v) else str(v) for v in values])
