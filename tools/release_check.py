"""Use a built release as somebody without a checkout would: `python tools/release_check.py dist`.

Makes a virtual environment that holds the wheel alone (what it depends on is taken from the environment that runs this, so
that nothing is downloaded), follows the README's screen word for word in an empty folder, and then predicts, trains, runs a
study at smoke size and asks for the playground's help.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = (
    "ctxlearn/py.typed",
    "ctxlearn/models/classifier/model.safetensors",
    "ctxlearn/models/regressor/config.yaml",
    "ctxlearn/data/glyphs/glyphs.bin.xz",
    "ctxlearn/playground/static/index.html",
    "ctxlearn/playground/static/main.js",
)
IN_SOURCE = (
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "CITATION.cff",
    "tests/conftest.py",
    "docs/design.md",
)
TABLE = "length,width,kind\n1.0,2.0,short\n1.2,2.1,short\n0.9,1.8,short\n5.1,0.4,long\n5.5,0.5,long\n4.8,0.3,long\n"
COMMANDS = (
    "ctxlearn --version",
    "ctxlearn list",
    "ctxlearn predict --context known.csv --target kind --query new.csv --out filled.csv",
    "ctxlearn train --learner ProtoNet --learner.n_features 2 --learner.n_classes 2 --family ClassPrototype"
    " --training.steps 5 --training.n_points 10 --out runs/proto",
    "ctxlearn evaluate runs/proto --family ClassPrototype --n_tasks 20 --n_points 10",
    "ctxlearn reproduce optimal --profile smoke --out results",
    "ctxlearn playground --help",
)


def check_contents(wheel: Path, source: Path) -> None:
    """The files that must be there are, and no others than the package's."""
    names = zipfile.ZipFile(wheel).namelist()
    missing = [name for name in SHIPPED if name not in names]
    strange = [name for name in names if not name.startswith(("ctxlearn/", f"ctxlearn-{version_of(wheel)}.dist-info/"))]
    assert not missing, f"{wheel.name} lacks {missing}"
    assert not strange, f"{wheel.name} holds {strange[:5]}"
    with tarfile.open(source) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    missing = [name for name in IN_SOURCE if name not in held]
    assert not missing, f"{source.name} lacks {missing}"


def version_of(wheel: Path) -> str:
    """The version in a wheel's name."""
    return wheel.name.split("-")[1]


def environment(folder: Path, wheel: Path) -> Path:
    """A virtual environment with the wheel; the folder of its commands."""
    venv.create(folder, with_pip=True)
    commands = folder / "bin"
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([commands / "python", *install], check=True)
    [own] = folder.glob("lib/python3*/site-packages")
    (own / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")  # .pth files in there are not read
    return commands


def check_use(commands: Path, folder: Path, wheel: Path) -> None:
    """Follow the README's screen, and run the commands, in an empty folder."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment |= {"PATH": f"{commands}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}

    def run(*command: str) -> str:
        print("$", " ".join(command)[:100], flush=True)
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
        return done.stdout

    where = run("python", "-c", "import ctxlearn; print(ctxlearn.__file__)")
    assert str(commands.parent.resolve()) in str(Path(where.strip()).resolve()), where
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL), 1):
        (folder / f"readme_{number}.py").write_text(block)
        run("python", f"readme_{number}.py")
    (folder / "known.csv").write_text(TABLE)
    (folder / "new.csv").write_text("length,width\n1.1,1.9\n5.0,0.4\n")
    said = [run(*command.split()) for command in COMMANDS]
    assert said[0].split() == ["ctxlearn", version_of(wheel)], said[0]
    filled = (folder / "filled.csv").read_text().splitlines()
    assert [line.count("short") + 2 * line.count("long") for line in filled[1:]] == [1, 2], filled
    assert (folder / "results" / "report.html").stat().st_size > 10_000
    assert "127.0.0.1" in said[-1]


def main() -> None:
    """Check what `python -m build` has put into a folder."""
    dist = Path(sys.argv[1]).resolve()
    [wheel], [source] = dist.glob("*.whl"), dist.glob("*.tar.gz")
    check_contents(wheel, source)
    with TemporaryDirectory() as place:
        work = Path(place) / "work"
        work.mkdir()
        check_use(environment(Path(place) / "fresh", wheel), work, wheel)
    print(f"{wheel.name} and {source.name} can be released")


if __name__ == "__main__":
    main()
