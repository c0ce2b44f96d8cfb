"""Files as tables: CSV in any separator, encoding and compression; Excel, Parquet and Feather where pandas can read them.

The csv module splits text and not pandas, which fills rows that are too short with empty cells, takes an extra first cell for
an index, and says nothing of either.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import itertools
import lzma
import re
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

SEPARATORS = (",", ";", "\t", "|")
_LOOKED_AT = 100
"""Rows by which the separator is found."""
_COMPRESSED: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZh": bz2.decompress,
    b"\xfd7zXZ\x00": lzma.decompress,
}
_ENDS = re.compile(r"\r\n|\r|\n")


class TableFileError(ValueError):
    """A file that cannot be read as a table."""


@dataclass(frozen=True)
class TableFile:
    """A table as a file holds it.

    Attributes:
        path: as it was given, "-" for standard input.
        frame: columns of text (object) for a text file, else as the format has them; row 0 is the first below the header.
        row_names: the column without a name that comes first where row numbers or names were written, or None.
        notes: how the file was read, where that is a guess.
    """

    path: str
    frame: pd.DataFrame
    row_names: str | None
    notes: tuple[str, ...] = ()


def read_table(path: str, separator: str | None = None, encoding: str | None = None) -> TableFile:
    """Read a table with a header.

    Args:
        path: of a file or a pipe; "-" for standard input.
        separator: between fields of a text file; None to find it.
        encoding: of a text file; None for UTF-8 or UTF-16, or else Windows-1252, which is noted.

    Raises:
        OSError: it cannot be opened.
        TableFileError: it is empty, damaged, of a format that cannot be read here, or no table: the row is named.
    """
    content = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    content = _decompressed(path, content)
    frame = _typed(path, content)
    if frame is not None:
        return _named(path, [str(name) for name in frame.columns], frame, ())
    text, notes = _decoded(path, content, encoding)
    rows, separator = _rows(path, text, separator)
    header = [name.strip() for name in rows[0]]
    _check_width(path, header, rows)
    frame = pd.DataFrame(np.array(rows[1:], dtype=object), dtype=object)  # by columns it would take three times as long
    if not header[-1] and len(header) > 1 and (frame.iloc[:, -1] == "").all():  # each line ends with a separator
        header, frame = header[:-1], frame.iloc[:, :-1]
    if all(re.fullmatch(r"[-+.,\d]+", name) for name in header) and len(header) > 1:
        notes = (*notes, f"the first line ({', '.join(header[:3])}, ...) is taken for the names of the columns")
    return _named(path, header, frame, notes)


def _decompressed(path: str, content: bytes) -> bytes:
    try:
        for start, decompress in _COMPRESSED.items():
            if content.startswith(start):
                return decompress(content)
        if content.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                names = [
                    name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX")
                ]
                if "[Content_Types].xml" in names or "mimetype" in names:
                    return content  # a workbook
                if len(names) != 1:
                    raise TableFileError(f"{path}: expected one file in the archive, got {len(names)}; unpack it first")
                return archive.read(names[0])
    except (
        OSError,
        EOFError,
        lzma.LZMAError,
        zipfile.BadZipFile,
        zlib.error,
        RuntimeError,
        NotImplementedError,
    ) as error:
        raise TableFileError(
            f"{path}: it cannot be unpacked ({error}); it is damaged, or not what its first bytes say"
        ) from error
    return content


def _typed(path: str, content: bytes) -> pd.DataFrame | None:
    """The table of a file whose cells have types; None for text."""
    readers: dict[bytes, tuple[str, Callable[[], pd.DataFrame]]] = {
        b"PAR1": ("Parquet", lambda: pd.read_parquet(io.BytesIO(content))),
        b"ARROW1": ("Feather", lambda: pd.read_feather(io.BytesIO(content))),
        b"PK\x03\x04": ("Excel", lambda: _workbook(content)),
        b"\xd0\xcf\x11\xe0": ("old Excel", lambda: _workbook(content)),
    }
    found = next((reader for start, reader in readers.items() if content.startswith(start)), None)
    if found is None:
        return None
    format, read = found
    try:
        frame = read()
    except ImportError as error:
        raise TableFileError(
            f"{path}: to read {format} files, install what pandas needs (pip install 'ctxlearn[files]'), or save it as CSV"
            f" ({error})"
        ) from error
    except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise TableFileError(f"{path}: it is no {format} file that can be read ({error})") from error
    if frame.index.name is not None or not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    if not frame.shape[1]:
        raise TableFileError(f"{path}: expected columns, got none")
    if not len(frame):
        raise TableFileError(f"{path}: expected rows below the header, got none")
    return frame


def _workbook(content: bytes) -> pd.DataFrame:
    frame = pd.read_excel(io.BytesIO(content), dtype=object, keep_default_na=False, na_values=[""])
    return frame.dropna(how="all").dropna(how="all", axis=1).reset_index(drop=True)


def _decoded(path: str, content: bytes, encoding: str | None) -> tuple[str, tuple[str, ...]]:
    if encoding is not None:
        try:
            return content.decode(encoding).removeprefix("\ufeff"), ()
        except (UnicodeDecodeError, LookupError) as error:
            raise TableFileError(f"{path}: it cannot be read as {encoding} ({error}); --encoding says which") from error
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace"), ()
    zeros = content[:2000].count(0)
    try:
        if zeros > 20 or zeros * 4 > len(content[:2000]):
            first = content[:2000:2].count(0) < content[1:2000:2].count(0)
            return content.decode("utf-16-le" if first else "utf-16-be"), ()
        if zeros:
            raise TableFileError(f"{path}: it is no table in text: there are zero bytes in it")
        return content.decode("utf-8-sig"), ()
    except UnicodeDecodeError:
        pass
    try:
        return content.decode("cp1252"), (f"{path} is not in UTF-8; read as Windows-1252 (--encoding says otherwise)",)
    except UnicodeDecodeError as error:
        raise TableFileError(
            f"{path}: it is neither in UTF-8 nor in Windows-1252 ({error}); say --encoding NAME (latin-1, shift_jis, ...)"
        ) from error


def _rows(path: str, text: str, separator: str | None) -> tuple[list[list[str]], str]:
    """The rows of a text, blank lines left out."""
    if not text.strip():
        raise TableFileError(f"{path}: expected a header with the names of the columns, got an empty file")
    declared = re.match(r"sep=(.)\r?\n", text)  # how Excel marks it
    if declared is not None:
        text, separator = text[declared.end() :], separator or declared[1]
    separator = separator or _separator(text)
    rows = [row for row in _split(path, text, separator) if row]
    if rows and len(rows[0]) > 1:
        rows = [row for row in rows if row != [""]]  # lines of blanks
    if len(rows) < 2:
        raise TableFileError(f"{path}: expected rows below the header, got none")
    return rows, separator


def _split(path: str, text: str, separator: str, most: int | None = None) -> list[list[str]]:
    before = csv.field_size_limit(max(len(text) + 1, csv.field_size_limit()))
    try:
        lines = io.StringIO(text, newline="")
        return list(itertools.islice(csv.reader(lines, delimiter=separator, skipinitialspace=True), most))
    except (csv.Error, TypeError) as error:
        raise TableFileError(f"{path}: it cannot be split into fields ({error})") from error
    finally:
        csv.field_size_limit(before)


def _separator(text: str) -> str:
    """The separator with which the first rows have as many fields as the header, the more the better."""

    def fit(separator: str) -> tuple[bool, int]:
        try:
            rows = [row for row in _split("", text, separator, _LOOKED_AT) if row]
        except TableFileError:
            return False, 0
        widths = [len(row) for row in rows]
        return len(set(widths)) == 1 and widths[0] > 1, widths[0]

    fits = {separator: fit(separator) for separator in SEPARATORS}
    best = max(fits, key=fits.__getitem__)
    return best if fits[best][1] > 1 else ","


def _check_width(path: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for number, row in enumerate(rows[1:]):
        if len(row) != len(header):
            hint = ""
            if len(header) == 1:
                hint = "; the first line must hold the names of the columns, and --sep says what separates fields"
            elif number == 0 and len(row) == len(header) + 1:
                hint = "; if the first field is the row's name, give it a name in the header"
            raise TableFileError(
                f"{path}: row {number}: expected {len(header)} fields, as in the header, got {len(row)}{hint}"
            )


def _named(path: str, header: list[str], frame: pd.DataFrame, notes: tuple[str, ...]) -> TableFile:
    """Names for all columns, and which of them are row names that a program wrote in front."""
    names = [name or f"Unnamed: {place}" for place, name in enumerate(header)]
    for name, count in Counter(names).items():
        if count > 1:
            raise TableFileError(
                f"{path}: expected a different name for each column in the first line, got two columns called {name!r}"
            )
    frame = frame.set_axis(names, axis=1)
    numbered = not header[0] and len(names) > 1 and frame.iloc[:, 0].astype(str).is_unique
    row_names = names[0] if numbered else None
    if row_names is not None:
        notes = (*notes, f"the first column of {path} has no name and numbers the rows: left out")
    return TableFile(path, frame, row_names, notes)
