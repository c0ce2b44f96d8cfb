import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(arguments, folder):
    done = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("own_family.py", ["30"], "claim: in context is better"),
        ("own_learner.py", [], "kernel vote"),
        ("inner_steps.py", ["40"], "after 3 inner steps"),
        ("own_study.py", ["smoke"], "report.html"),
        ("draw_circuits.py", ["drawn"], "circuit-protonet.svg"),
        ("draw_tables.py", ["drawn"], "tables-regression.png"),
    ],
)
def test_an_example_runs_and_says_what_it_found(name, arguments, words, tmp_path):
    assert words in run([str(ROOT / "examples" / name), *arguments], tmp_path)


def test_the_example_of_a_study_runs_by_its_import_path_and_is_short(tmp_path):
    text = (ROOT / "examples" / "own_study.py").read_text()
    assert len(text.splitlines()) < 80
    (tmp_path / "own_study.py").write_text(text)
    command = ["-m", "ctxlearn", "reproduce", "own_study.STUDY", "--profile", "smoke", "--jobs", "2", "--out", "out"]
    assert "beats-1-nn" in run(command, tmp_path)
    assert {p.name for p in (tmp_path / "out" / "figures").iterdir()} == {"stripes.png", "stripes.svg"}
    assert "ctxlearn reproduce own_study.STUDY --profile smoke" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize("page", ["README.md", "docs/expressiveness.md", "docs/identification.md", "docs/tables.md"])
def test_the_code_in_a_page_runs(page, tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL)
    assert blocks
    for block in blocks:
        (tmp_path / "page.py").write_text(block)
        run(["page.py"], tmp_path)


def test_the_first_table_of_the_readme_shows_the_mean(tmp_path):
    block = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    (tmp_path / "page.py").write_text(block[1])
    printed = run(["page.py"], tmp_path)
    assert re.search(r"learner +mean +low +high\n.*in context +0?\.\d+", printed), printed


def test_the_drawn_circuits_are_those_of_the_library(tmp_path):
    run([str(ROOT / "examples" / "draw_circuits.py"), "drawn"], tmp_path)
    for path in (tmp_path / "drawn").iterdir():
        assert words_of(path) == words_of(ROOT / "docs" / "figures" / path.name), f"draw {path.name} again"


def words_of(drawing):
    """What is written in an SVG: coordinates may differ with matplotlib's version."""
    return re.findall(r"<text[^>]*>([^<]+)</text>", drawing.read_text())


def test_documents_name_files_that_exist():
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
