"""Which columns of a table a user declares to be categorical."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ctxlearn.checks import describe, unknown_name
from ctxlearn.tables import Table


def categorical_places(named: Any, table: Table) -> list[int]:
    """The positions that the argument `categorical_features` of an estimator means, in rising order.

    Args:
        named: None for none but those of text and of a categorical type; or names of columns, positions from 0, or a mask of d
            Booleans. Integers are names where all names of the table are integers.
        table: (n, d).

    Raises:
        ValueError: it is none of these, or means a column that the table lacks.
    """
    if named is None:
        return []
    d = table.shape[1]
    names = list(table.columns) if isinstance(table, pd.DataFrame) else list(range(d))
    wanted = [named] if isinstance(named, str) else named
    try:
        given = np.asarray(wanted).tolist() if not isinstance(wanted, list | tuple) else list(wanted)
    except (TypeError, ValueError):
        given = None
    if not isinstance(given, list):
        raise ValueError(
            f"categorical_features: expected names of columns, positions or a mask of {d} Booleans, got {describe(named)}"
        )
    if given and all(isinstance(v, bool | np.bool_) for v in given):
        if len(given) != d:
            raise ValueError(f"categorical_features: expected a mask of {d} Booleans, one per column, got {len(given)}")
        return [place for place, wanted in enumerate(given) if wanted]
    by_name = any(isinstance(v, str) for v in given) or all(isinstance(name, int | np.integer) for name in names)
    return sorted({_place(v, names, by_name) for v in given})


def _place(value: Any, names: list[Any], by_name: bool) -> int:
    if isinstance(value, bool | np.bool_ | float) or not isinstance(value, str | int | np.integer):
        raise ValueError(
            f"categorical_features: expected names of columns, positions or a mask of Booleans, got {describe(value)} among them"
        )
    if by_name or isinstance(value, str):
        if value in names:
            return names.index(value)
        if isinstance(value, str):
            unknown_name("categorical_features", value, [str(name) for name in names])
    elif 0 <= value < len(names):
        return int(value)
    raise ValueError(f"categorical_features: expected columns of X, 0 to {len(names) - 1}, got {value}")
