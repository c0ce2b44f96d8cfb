"""Files in all the forms in which people keep tables."""

import bz2
import gzip
import io
import lzma
import zipfile

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlearn.tables.files import TableFileError, read_table

TABLE = pd.DataFrame({"name": ["Zoé", "b, c", 'say "no"', "x\ny"], "size": ["1.5", "2", "", "4"]})
CSV = TABLE.to_csv(index=False)


def zipped(content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("table.csv", content)
    return buffer.getvalue()


def as_excel(table):
    buffer = io.BytesIO()
    table.to_excel(buffer, index=False)
    return buffer.getvalue()


FORMS = {
    "plain": CSV.encode(),
    "byte order mark": CSV.encode("utf-8-sig"),
    "UTF-16": CSV.encode("utf-16"),
    "UTF-16 without mark": CSV.encode("utf-16-le"),
    "Windows-1252": CSV.encode("cp1252"),
    "carriage returns": CSV.replace("\n", "\r\n").replace("x\r\ny", "x\ny").encode(),
    "semicolons": TABLE.to_csv(index=False, sep=";").encode(),
    "tabs": TABLE.to_csv(index=False, sep="\t").encode(),
    "bars": TABLE.to_csv(index=False, sep="|").encode(),
    "all quoted": TABLE.to_csv(index=False, quoting=1).encode(),
    "declared": b"sep=;\r\n" + TABLE.to_csv(index=False, sep=";").encode(),
    "row numbers": TABLE.to_csv().encode(),
    "ends of lines": TABLE.assign(**{"": ""}).to_csv(index=False).encode(),
    "blank lines": b"\n" + CSV.replace('"\n', '"\n\n').encode() + b"\n  \n",
    "gzip": gzip.compress(CSV.encode()),
    "bzip2": bz2.compress(CSV.encode()),
    "xz": lzma.compress(CSV.encode()),
    "zip": zipped(CSV),
    "parquet": TABLE.to_parquet(),
    "Excel": as_excel(TABLE.fillna("")),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_table_is_the_same_in_every_form(form, tmp_path):
    (tmp_path / "table").write_bytes(FORMS[form])
    read = read_table(str(tmp_path / "table"))
    frame = read.frame.drop(columns=[read.row_names] if read.row_names else [])
    assert frame.fillna("").to_dict("list") == TABLE.to_dict("list")
    assert (read.row_names is not None) == (form == "row numbers")
    assert any("Windows-1252" in note for note in read.notes) == (form == "Windows-1252")


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=9).map(str.strip)


@given(data=st.data(), n=st.integers(1, 5), d=st.integers(2, 4), separator=st.sampled_from(",;\t|"))
def test_what_pandas_writes_comes_back(data, n, d, separator, tmp_path_factory):
    rows = data.draw(st.lists(st.lists(CELLS, min_size=d, max_size=d), min_size=n, max_size=n))
    table = pd.DataFrame(rows, columns=[f"c{i}" for i in range(d)])
    path = tmp_path_factory.mktemp("files") / "table.csv"
    table.to_csv(path, index=False, sep=separator)
    found = read_table(str(path), separator=separator).frame
    assert [[cell.strip() for cell in row] for row in found.to_numpy().tolist()] == rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a header with the names of the columns, got an empty file"),
        (b" \n\n", "expected a header with the names of the columns, got an empty file"),
        (b"a,b\n", "expected rows below the header, got none"),
        (b"a,b\n1,2\n1,2,3\n", "row 1: expected 2 fields, as in the header, got 3"),
        (b"a,b\n1,2\n1\n", "row 1: expected 2 fields, as in the header, got 1"),
        (
            b"a,b\n1,2,3\n1,2,3\n",
            "row 0: expected 2 fields, as in the header, got 3; if the first field is the row's name",
        ),
        (
            b"A title\na,b\n1,2\n",
            "row 0: expected 1 fields, as in the header, got 2; the first line must hold the names",
        ),
        (b"a,a\n1,2\n", "expected a different name for each column in the first line, got two columns called 'a'"),
        (bytes(range(256)) * 3, "it is no table in text: there are zero bytes in it"),
        (b"a,b\n\x81\x8d,1\n", "it is neither in UTF-8 nor in Windows-1252"),
        (gzip.compress(CSV.encode())[:40], "it cannot be unpacked"),
        (as_excel(TABLE)[:300], "it cannot be unpacked"),
        (TABLE.to_parquet()[:100], "it is no Parquet file that can be read"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else value,  # packed files hold the time
)
def test_what_is_no_table_is_named(content, message, tmp_path):
    (tmp_path / "table").write_bytes(content)
    with pytest.raises(TableFileError, match=message):
        read_table(str(tmp_path / "table"))


def test_separator_and_encoding_may_be_said(tmp_path):
    path = tmp_path / "table"
    path.write_bytes("a:b\n1;2:ü\n".encode("cp437"))
    read = read_table(str(path), separator=":", encoding="cp437")
    assert read.frame.to_dict("list") == {"a": ["1;2"], "b": ["ü"]}
    with pytest.raises(TableFileError, match="it cannot be read as ascii"):
        read_table(str(path), encoding="ascii")


def test_names_and_headers_that_look_odd(tmp_path):
    path = tmp_path / "table"
    path.write_text(",a\nx,1\nx,2\n")
    read = read_table(str(path))
    assert list(read.frame) == ["Unnamed: 0", "a"]
    assert read.row_names is None  # it repeats: a column like others
    path.write_text("1,2\n3,4\n")
    assert "is taken for the names of the columns" in read_table(str(path)).notes[0]
