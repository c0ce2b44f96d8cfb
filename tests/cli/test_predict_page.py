"""docs/predict.md: its files are written, its commands run, and what they say and answer is what the page shows."""

import re
import shlex
from pathlib import Path

import pytest

from ctxlearn.cli import main

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "predict.md").read_text()
FILES = dict(re.findall(r"```text (\S+)\n(.*?)```", PAGE, flags=re.DOTALL))
RUNS = re.findall(r"```console\n\$ ctxlearn (.*?)\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.parametrize(("command", "shown"), RUNS, ids=[command for command, _ in RUNS])
def test_a_command_of_the_page_says_what_the_page_shows(command, shown, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        Path(name).write_text(content)
    main(shlex.split(command))
    out, err = capsys.readouterr()
    for found, expected in zip((err + out).splitlines(), shown.splitlines(), strict=True):
        assert same(found, expected), found


def same(found, expected):
    """Whether two lines are equal, but for rounding of the answers' numbers."""
    cells = list(zip(found.split(","), expected.split(","), strict=True))
    return all(a == b or is_close(a, b) for a, b in cells)


def is_close(a, b):
    try:
        return float(a) == pytest.approx(float(b), rel=1e-3)
    except ValueError:
        return False


def test_the_page_shows_files_and_commands():
    assert len(FILES) == 3
    assert len(RUNS) == 4
