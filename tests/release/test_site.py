import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.ipynb"))


def cells(path):
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


def test_the_reference_names_everything_public(tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import reference_pages, pathlib\n"
        "reference_pages.FOLDER = pathlib.Path(sys.argv[2]); reference_pages.main()"
    )
    subprocess.run([sys.executable, "-c", code, str(ROOT / "tools"), str(tmp_path)], check=True)
    for page in tmp_path.iterdir():
        assert page.read_text() == (ROOT / "docs" / "reference" / page.name).read_text(), (
            "python tools/reference_pages.py"
        )


def test_every_page_is_in_the_navigation():
    def pages(entry):
        if isinstance(entry, str):
            return [entry]
        inside = entry.values() if isinstance(entry, dict) else entry
        return [page for part in inside for page in pages(part)]

    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    docs = ROOT / "docs"
    there = {str(path.relative_to(docs)) for kind in ("md", "ipynb") for path in docs.rglob(f"*.{kind}")}
    assert set(pages(site["nav"])) == there
    assert site["strict"] is True
    assert site["theme"]["font"] is False


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_was_executed_from_top_to_bottom_without_an_error(path):
    code = cells(path)
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert outputs
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert "/home/" not in path.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_the_code_of_a_tutorial_runs(path, tmp_path):
    text = "\n".join("".join(cell["source"]) for cell in cells(path))
    (tmp_path / "tutorial.py").write_text("import matplotlib\nmatplotlib.use('agg')\n" + text)
    done = subprocess.run([sys.executable, "tutorial.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
