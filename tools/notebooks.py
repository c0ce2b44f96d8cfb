"""Execute the tutorials in place: `python tools/notebooks.py`, or some of them by name.

Outputs are kept without times, counts that differ from run to run, and warnings of the machine, so that equal results are equal files.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient

TUTORIALS = Path(__file__).resolve().parents[1] / "docs" / "tutorials"


def execute(path: Path) -> None:
    """Run a notebook in an empty folder and write it back with its outputs."""
    book = nbformat.read(path, as_version=4)
    with TemporaryDirectory() as folder:
        NotebookClient(book, timeout=1200, resources={"metadata": {"path": folder}}).execute()
    for cell in book.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if not (o.output_type == "stream" and o.name == "stderr")]
    book.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    nbformat.write(book, path)


def main() -> None:
    """Execute those that are named, or all."""
    for path in sorted(TUTORIALS.glob("*.ipynb")):
        if not sys.argv[1:] or path.stem in sys.argv[1:]:
            print(path.name, flush=True)
            execute(path)


if __name__ == "__main__":
    main()
