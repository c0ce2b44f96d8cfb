"""Commands in odd environments, as processes: closed outputs, deleted folders, other encodings."""

import os
import shutil
import subprocess
import sys

import pytest
import strangers

PLAIN = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""Text is ASCII."""


def ctxlearn(arguments, folder, *, script='exec "$@"', **environment):
    """`ctxlearn ARGUMENTS` as a process, started by a line of the shell."""
    command = ["sh", "-c", script, "sh", sys.executable, "-m", "ctxlearn", *arguments]
    return subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, check=False, timeout=600
    )


@pytest.fixture
def folder(tmp_path):
    strangers.run(tmp_path / "run")
    (tmp_path / "größe.csv").write_text("größe,wärme,label\n1,2,süß\n2,3,年\n3,1,süß\n", encoding="utf-8")
    return tmp_path


def predict(*more):
    return ["predict", "--context", "größe.csv", "--target", "label", "--query", "größe.csv", *more]


def test_a_closed_output_loses_nothing_but_what_was_to_be_shown(folder):
    done = ctxlearn(predict("--out", "out.csv"), folder, script='exec "$@" >&-')
    assert done.returncode == 1
    assert done.stderr.decode().splitlines()[-1] == (
        "ctxlearn: error: the standard output is closed: what was to be shown there is lost"
    )
    assert b"Traceback" not in done.stderr
    assert "süß" in (folder / "out.csv").read_text(encoding="utf-8")
    done = ctxlearn(["list", "learners"], folder, script='exec "$@" 2>&-')
    assert (done.returncode, b"ProtoNet" in done.stdout) == (0, True)
    done = ctxlearn(["lst"], folder, script='exec "$@" >&- 2>&-')
    assert (done.returncode, done.stdout) == (2, b"")


@pytest.mark.parametrize("arguments", [["list", "families"], ["evaluate", "run", "--family", "Radial"]])
def test_a_deleted_current_folder_is_one_line(arguments, folder):
    gone = folder / "gone"
    gone.mkdir()
    done = ctxlearn(arguments, gone, script=f'rmdir "{gone}"; exec "$@"')
    assert (done.returncode, done.stderr.decode()) == (
        1,
        "ctxlearn: error: the current folder was deleted; change into another one\n",
    )


def test_labels_of_all_scripts_are_written_where_text_is_ascii(folder):
    done = ctxlearn(predict(), folder, **PLAIN)
    assert (done.returncode, done.stderr.count(b"Traceback")) == (0, 0)
    assert "süß" in done.stdout.decode()
    done = ctxlearn(predict("--out", "ergebnis-süß.csv"), folder, **PLAIN)
    assert done.returncode == 0
    assert "年" in (folder / "ergebnis-süß.csv").read_text(encoding="utf-8")
    for arguments in (["list"], ["list", "InContextTransformer"], ["evaluate", "süß", "--family", "Radial"]):
        done = ctxlearn(arguments, folder, **PLAIN)
        assert b"Traceback" not in done.stderr
        assert done.returncode == (1 if "evaluate" in arguments else 0)


def test_a_name_of_249_characters_is_a_name(folder):
    name = "n" * 245 + ".csv"
    done = ctxlearn(predict("--out", name), folder)
    assert done.returncode == 0
    assert sorted(os.listdir(folder)) == sorted([name, "größe.csv", "run"])
    done = ctxlearn(predict("--out", "n" * 300), folder)
    assert (done.returncode, b"choose a shorter name" in done.stderr) == (1, True)


def test_an_output_that_is_a_link_or_a_device_is_written_through(folder):
    (folder / "link.csv").symlink_to("target.csv")
    assert ctxlearn(predict("--out", "link.csv"), folder).returncode == 0
    assert (folder / "link.csv").is_symlink()
    assert "süß" in (folder / "target.csv").read_text(encoding="utf-8")
    done = ctxlearn(predict("--out", "/dev/stdout"), folder)
    assert (done.returncode, "süß" in done.stdout.decode()) == (0, True)
    assert shutil.which("sh")  # the folder is as it was
    assert sorted(os.listdir(folder)) == ["größe.csv", "link.csv", "run", "target.csv"]
