"""Tables as people have them, read as numbers: files, columns and their kinds, and the column to predict."""

from ctxlearn.tables.columns import Columns, Read, Table
from ctxlearn.tables.reading import Reading

__all__ = ["Columns", "Read", "Reading", "Table"]
