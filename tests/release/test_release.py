import os
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

import ctxlearn

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_version_stands_in_one_place_and_heads_the_changes():
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "src/ctxlearn/__init__.py"
    assert re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1] == ctxlearn.__version__


def test_the_citation_can_be_read_and_names_the_licence():
    said = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "title", "message", "authors"} <= set(said)
    assert (said["title"], said["license"]) == (PROJECT["project"]["name"], PROJECT["project"]["license"])


def test_the_workflow_runs_what_a_change_must_pass_and_publishes_on_a_tag():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "check.yml").read_text())["jobs"]
    assert {"run": ".ci/run"} in jobs["check"]["steps"]
    assert {"run": "make release-check"} in jobs["release"]["steps"]
    assert jobs["publish"]["if"] == "startsWith(github.ref, 'refs/tags/v')"
    assert (jobs["release"]["needs"], jobs["publish"]["needs"]) == ("check", "release")
    assert "make test\n" in (ROOT / ".ci" / "run").read_text()


def test_every_extra_is_pinned_for_the_tests():
    pins = {line.partition("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines()[1:]}
    extras = PROJECT["project"]["optional-dependencies"]
    for extra in ("test", "playground", "browser", "files"):
        for wanted in extras[extra]:
            assert re.match(r"[\w-]+", wanted)[0].lower() in pins, wanted


@pytest.mark.slow
@pytest.mark.study
@pytest.mark.skipif(find_spec("hatchling") is None, reason="hatchling is not there: pip install 'ctxlearn[test]'")
def test_a_newcomer_with_the_wheel_alone_follows_the_readme(tmp_path):
    """The README's screen word for word, then a prediction, a training, a study and the playground's help."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, env=clean, check=True, capture_output=True)
    check = [sys.executable, "tools/release_check.py", str(tmp_path)]
    done = subprocess.run(check, cwd=ROOT, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].endswith("can be released")
