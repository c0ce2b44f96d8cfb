"""Tables of other libraries as frames of pandas."""

from __future__ import annotations

from typing import Any

import pandas as pd


class TableWarning(UserWarning):
    """What a user should know of how a table was read."""


def as_frame(table: Any) -> Any:
    """A polars or Arrow table as a frame of pandas; anything else as it is.

    Columns are taken cell by cell where they hold no plain numbers, so that nothing but the library itself is needed.
    """
    module = type(table).__module__.partition(".")[0]
    if module == "pyarrow" and hasattr(table, "to_pandas"):
        return table.to_pandas()
    if module != "polars" or not hasattr(table, "columns"):
        return table
    if hasattr(table, "collect"):
        table = table.collect()
    return pd.DataFrame({name: _cells(table[name]) for name in table.columns}, index=range(len(table)))


def _cells(column: Any) -> Any:
    if column.dtype.is_float():
        return column.to_numpy()  # gaps as NaN
    found = pd.Series(column.to_list(), dtype=object)
    if column.dtype.is_integer() or column.dtype.is_temporal() or str(column.dtype) == "Boolean":
        return found.infer_objects() if not column.null_count() else found
    if str(column.dtype).startswith(("Categorical", "Enum")):
        return found.astype("category")
    return found
