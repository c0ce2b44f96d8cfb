"""Real tables that come with installable packages: where each is, whose it is, and on which side of the split.

The split was written down before any model was measured on these tables. Models are developed on iris, wine and breast
cancer, which everybody knows, and on the three others whose names have the smallest SHA-256; all other tables are
untouched until a model is final. Tasks made from one table are on
its side.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn import datasets

KNOWN = ("iris", "wine", "breast cancer")
"""Tables that models are developed on, since everybody does."""
N_DRAWN = 3
"""How many of the others are added to them, by the hash of their names."""
UCI = "CC BY 4.0 (UCI Machine Learning Repository)"
PUBLIC = "public domain"


class TablesMissing(ValueError):  # noqa: N818 (reads as what happened)
    """A package that brings tables is not installed; the message says how to install it."""


@dataclass(frozen=True)
class Table:
    """A table of a package.

    Attributes:
        name: as the study calls it.
        package: to install.
        place: file inside of the package, or the function of `sklearn.datasets`.
        licence: of the data.
        origin: who made it.
        reading: options of `pandas.read_csv`.
        shape: from the file's frame to one row an example, where it is not so yet.
    """

    name: str
    package: str
    place: str
    licence: str
    origin: str
    reading: dict[str, Any] = field(default_factory=dict)
    shape: Callable[[pd.DataFrame], pd.DataFrame] | None = None

    def read(self) -> pd.DataFrame:
        """The whole table, as it comes.

        Raises:
            TablesMissing: its package is not installed, or lacks the file.
        """
        if self.package == "scikit-learn":
            return scikit_learn_table(self.place)
        frame = pd.read_csv(package_file(self.package, self.place), **self.reading)
        return frame if self.shape is None else self.shape(frame)


def package_file(package: str, place: str) -> Path:
    """The path of a file of an installed package, which is not imported.

    Raises:
        TablesMissing: there is none.
    """
    found = importlib.util.find_spec(package.replace("-", "_"))
    advice = "install the study's packages with: pip install 'ctxlearn[tables]'"
    if found is None or not found.submodule_search_locations:
        raise TablesMissing(f"study tables: needs the package {package}, which is not installed; {advice}")
    path = Path(found.submodule_search_locations[0]) / place
    if not path.is_file():
        raise TablesMissing(f"study tables: the installed {package} has no file {place}; {advice}")
    return path


def scikit_learn_table(name: str) -> pd.DataFrame:
    """A data set of scikit-learn with its column `target`, classes by name."""
    data = getattr(datasets, f"load_{name}")(as_frame=True)
    frame: pd.DataFrame = data.frame.copy()
    if hasattr(data, "target_names") and name != "digits":
        frame["target"] = [str(data.target_names[code]) for code in data.target]
    return frame


def _one_row_a_traveller(frame: pd.DataFrame) -> pd.DataFrame:
    """Mode choice: four rows a traveller, one a mode, become one row; the target is the mode that was chosen."""
    names = {1: "air", 2: "train", 3: "bus", 4: "car"}
    frame = frame.assign(mode=frame["mode"].map(names))
    wide = frame.pivot(index="individual", columns="mode", values=["ttme", "invc", "invt", "gc"])
    wide.columns = [" ".join(map(str, pair)) for pair in wide.columns]
    own = frame.groupby("individual")[["hinc", "psize"]].first()
    chosen = frame[frame["choice"] == 1].set_index("individual")["mode"].rename("chosen")
    return wide.join(own).join(chosen).reset_index(drop=True)


TABLES = (
    Table("iris", "scikit-learn", "iris", UCI, "Fisher 1936"),
    Table("wine", "scikit-learn", "wine", UCI, "Forina et al. 1991"),
    Table("breast cancer", "scikit-learn", "breast_cancer", UCI, "Wolberg, Street and Mangasarian 1995, Wisconsin diagnostic"),
    Table("digits", "scikit-learn", "digits", UCI, "Alpaydin and Kaynak 1998, optical recognition of handwritten digits"),
    Table("diabetes", "scikit-learn", "diabetes", "BSD-3-Clause, as part of scikit-learn; no terms of its own", "Efron et al. 2004"),
    Table(
        "election survey", "statsmodels", "datasets/anes96/anes96.csv", PUBLIC, "American National Election Study 1996",
        {"sep": r"\s+", "quotechar": "'"},
    ),
    Table("health insurance", "statsmodels", "datasets/randhie/randhie.csv", PUBLIC, "RAND Health Insurance Experiment"),
    Table(
        "travel mode", "statsmodels", "datasets/modechoice/modechoice.csv", PUBLIC, "Greene and Hensher 1997",
        {"sep": ";"}, _one_row_a_traveller,
    ),
    Table("US economy", "statsmodels", "datasets/macrodata/macrodata.csv", PUBLIC, "Federal Reserve Bank of St. Louis, quarters 1959 to 2009"),
    Table("investment", "statsmodels", "datasets/grunfeld/grunfeld.csv", PUBLIC, "Grunfeld 1950, firms 1935 to 1954"),
    Table("food expenditure", "statsmodels", "datasets/engel/engel.csv", PUBLIC, "Engel 1857, by Koenker and Bassett 1982"),
    Table("glass", "bokeh-sampledata", "_data/forensic_glass.csv", PUBLIC, "forensic glass, Evett and Spiehler 1987"),
    Table("titanic", "bokeh-sampledata", "_data/titanic_all.csv", PUBLIC, "passengers of the Titanic", {"na_values": ["*"]}),
    Table("cars 1970-82", "bokeh-sampledata", "_data/auto-mpg.csv", "CC0 1.0", "Donoho and Ramos 1982, cars"),
    Table("cars 1999-2008", "bokeh-sampledata", "_data/auto-mpg2.csv", PUBLIC, "US Environmental Protection Agency, fuel economy"),
    Table("penguins", "bokeh-sampledata", "_data/penguins.csv", "CC0 1.0", "Gorman; Palmer Station Antarctica LTER"),
    Table("elements", "bokeh-sampledata", "_data/elements.csv", PUBLIC, "the periodic table"),
    Table("phishing", "river", "datasets/phishing.csv.gz", UCI, "Abdelhamid 2014, website phishing"),
    Table("image segments", "river", "datasets/segment.csv.zip", UCI, "Statlog, image segmentation"),
    Table("solar flares", "river", "datasets/solar-flare.csv.zip", UCI, "Bradshaw 1989, solar flare"),
    Table("midwest", "plotnine", "data/midwest.csv", "MIT (ggplot2); US census, public domain", "counties of the Midwest, census of 2000"),
    Table("diamonds", "plotnine", "data/diamonds.csv", "MIT (ggplot2)", "prices of round cut diamonds"),
)  # fmt: skip


def is_development(name: str) -> bool:
    """Whether models may be developed on a table; the others are untouched."""
    return name in KNOWN or name in _drawn()


@lru_cache
def _drawn() -> tuple[str, ...]:
    others = [table.name for table in TABLES if table.name not in KNOWN]
    return tuple(sorted(others, key=lambda name: hashlib.sha256(name.encode()).hexdigest())[:N_DRAWN])


def find_table(name: str) -> Table:
    """The table of a name."""
    return next(table for table in TABLES if table.name == name)
