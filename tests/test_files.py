"""Files are the user's: what is written, where, under which mode, and what a killed writer leaves."""

import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
import torch

from ctxlearn.atomic import remove_leftovers, replace_file
from ctxlearn.storage import StorageError, save_tensors, write_json, write_text

ROOT = os.geteuid() == 0


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.fixture
def umask():
    held = os.umask(0o022)
    yield os.umask
    os.umask(held)


WRITERS = {
    "text": lambda path: write_text(path, "new"),
    "json": lambda path: write_json(path, {"new": 1}),
    "tensors": lambda path: save_tensors(path, {"x": torch.ones(2)}, {}),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002, 0o027])
def test_a_new_file_has_the_mode_that_umask_leaves(write, mask, umask, tmp_path):
    umask(mask)
    write(tmp_path / "file")
    assert mode(tmp_path / "file") == 0o666 & ~mask
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("held", [0o600, 0o640, 0o664, 0o755])
def test_a_file_that_was_there_keeps_its_mode(write, held, umask, tmp_path):
    (tmp_path / "file").write_text("old")
    os.chmod(tmp_path / "file", held)
    write(tmp_path / "file")
    assert mode(tmp_path / "file") == held
    assert (tmp_path / "file").read_bytes() != b"old"


def test_a_part_file_is_never_more_open_than_the_file(umask, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("old")
    os.chmod(tmp_path / "file", 0o600)
    seen = []
    write = os.write
    monkeypatch.setattr("os.write", lambda number, data: seen.append(mode(number)) or write(number, data))
    replace_file(tmp_path / "file", b"secret")
    assert seen == [0o600]


@pytest.mark.skipif(not ROOT, reason="only root gives files away")
def test_a_file_of_another_user_stays_theirs(tmp_path):
    (tmp_path / "file").write_text("old")
    os.chown(tmp_path / "file", 12345, 12346)
    write_text(tmp_path / "file", "new")
    held = os.stat(tmp_path / "file")
    assert (held.st_uid, held.st_gid) == (12345, 12346)


@pytest.mark.parametrize("relative", [False, True])
def test_symbolic_links_are_followed(relative, tmp_path):
    (tmp_path / "far").mkdir()
    target = tmp_path / "far" / "table.csv"
    target.write_text("old")
    (tmp_path / "middle").symlink_to(target)
    (tmp_path / "link.csv").symlink_to("middle" if relative else tmp_path / "middle")
    write_text(tmp_path / "link.csv", "new")
    assert target.read_text() == "new"
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "middle").is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["far", "link.csv", "middle"]


def test_a_link_to_nothing_makes_what_it_points_to(tmp_path):
    (tmp_path / "link").symlink_to("below")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "below").read_text() == "new"
    assert (tmp_path / "link").is_symlink()


def test_links_in_a_circle_are_one_clear_error(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(StorageError, match="links lead in a circle"):
        write_text(tmp_path / "a", "new")


def test_a_pipe_is_written_to(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    read = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_text()))
    reader.start()
    write_text(tmp_path / "pipe", "through")
    reader.join()
    assert read == ["through"]
    assert stat.S_ISFIFO(os.stat(tmp_path / "pipe").st_mode)
    assert os.listdir(tmp_path) == ["pipe"]


def test_a_device_is_written_to(tmp_path):
    place = Path("/dev/null")
    if ROOT:
        place = tmp_path / "mynull"
        try:
            os.mknod(place, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
            place.write_bytes(b"")
        except PermissionError:  # devices need more than root in some containers
            place = Path("/dev/null")
    before = os.stat(place)
    write_text(place, "into the void")
    after = os.stat(place)
    assert stat.S_ISCHR(after.st_mode)
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
@pytest.mark.parametrize("into_a_file", [False, True])
def test_the_names_of_an_open_file_reach_what_is_open(name, into_a_file, tmp_path):
    code = f"from pathlib import Path; from ctxlearn.atomic import replace_file; replace_file(Path({name!r}), b'text')"
    if into_a_file:
        with (tmp_path / "out").open("wb") as file:
            subprocess.run([sys.executable, "-c", code], check=True, stdout=file)
        assert (tmp_path / "out").read_bytes() == b"text"
        assert os.listdir(tmp_path) == ["out"]
    else:
        assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout == b"text"


@pytest.mark.parametrize("name", ["n" * 249, "n" * 255, "ß" * 127, "-", "~", "a b", "*?[x]", ".hidden", "new\nline"])
def test_every_name_that_the_system_allows_is_written(name, tmp_path):
    write_text(tmp_path / name, "text")
    assert (tmp_path / name).read_text() == "text"
    assert os.listdir(tmp_path) == [name]


FAULTS = {
    "name too long": (lambda p: p / ("n" * 300), "File name too long; choose a shorter name"),
    "a folder": (lambda p: p, "Is a directory; give the name of a file in it"),
    "below a file": (lambda p: p / "file" / "x", "a part of the path is a file"),
    "far below a file": (lambda p: p / "file" / "x" / "y", "a part of the path is a file"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_an_error_gives_advice_that_fits_its_cause(name, tmp_path):
    (tmp_path / "file").write_text("mine")
    place, expected = FAULTS[name]
    with pytest.raises(StorageError, match=expected) as caught:
        write_text(place(tmp_path), "new")
    assert "free space" not in str(caught.value)
    assert (tmp_path / "file").read_text() == "mine"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.skipif(ROOT, reason="root may write everywhere")
def test_what_is_write_protected_is_left_alone(tmp_path):
    (tmp_path / "file").write_text("mine")
    os.chmod(tmp_path / "file", 0o444)
    with pytest.raises(StorageError, match="write-protected"):
        write_text(tmp_path / "file", "new")
    os.chmod(tmp_path, 0o555)
    with pytest.raises(StorageError, match="choose a place that you may write to"):
        write_text(tmp_path / "other", "new")


def test_folders_are_flushed_after_the_rename(tmp_path, monkeypatch):
    events = []
    replace, fsync = os.replace, os.fsync
    monkeypatch.setattr("os.replace", lambda a, b: events.append("rename") or replace(a, b))

    def flush(number):
        folder = stat.S_ISDIR(os.fstat(number).st_mode)
        events.append(os.readlink(f"/proc/self/fd/{number}") if folder else "file")
        fsync(number)

    monkeypatch.setattr("os.fsync", flush)
    write_text(tmp_path / "a" / "b" / "file", "text")
    assert events == [str(tmp_path), str(tmp_path / "a"), "file", "rename", str(tmp_path / "a" / "b")]


WRITER = """
    import os, signal, sys
    from pathlib import Path
    from ctxlearn.atomic import replace_file

    target, moment = Path(sys.argv[1]), sys.argv[2]

    def stop(*arguments):
        if moment == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        print("ready", flush=True)
        sys.stdin.readline()
        return replace(*arguments)

    replace, os.replace = os.replace, stop
    replace_file(target, b"theirs")
"""


def writer(target, moment):
    code = textwrap.dedent(WRITER)
    command = [sys.executable, "-c", code, str(target), moment]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_what_a_killed_writer_left_is_removed_at_the_next_write_to_the_same_file(tmp_path):
    for name in ("file", "other"):
        process = writer(tmp_path / name, "killed")
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    assert len(os.listdir(tmp_path)) == 2
    write_text(tmp_path / "file", "mine")
    left = [name for name in os.listdir(tmp_path) if name != "file"]
    assert len(left) == 1  # the other file's
    write_text(tmp_path / "other", "mine")
    assert sorted(os.listdir(tmp_path)) == ["file", "other"]


def test_a_live_writer_keeps_its_part_file(tmp_path):
    process = writer(tmp_path / "file", "waits")
    assert process.stdout.readline() == "ready\n"
    for _ in range(3):
        write_text(tmp_path / "file", "mine")
    remove_leftovers(tmp_path / "file")
    assert len(os.listdir(tmp_path)) == 2
    process.communicate("\n")
    assert process.returncode == 0
    assert (tmp_path / "file").read_text() == "theirs"
    assert os.listdir(tmp_path) == ["file"]


def test_many_writers_of_one_file_all_succeed_and_one_of_them_wins(tmp_path):
    contents = [bytes([65 + k]) * 10_000 for k in range(8)]
    threads = [
        threading.Thread(target=lambda c=c: [replace_file(tmp_path / "file", c) for _ in range(20)]) for c in contents
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "file").read_bytes() in contents
    assert os.listdir(tmp_path) == ["file"]


def test_nothing_else_in_the_folder_is_touched(tmp_path):
    mine = [".file.abcd.tmp", ".part-1.tmp", ".part-file-1.tmp", "file.tmp", ".tmp"]
    for name in mine:
        (tmp_path / name).write_text("mine")
    write_text(tmp_path / "file", "new")
    assert sorted(os.listdir(tmp_path)) == sorted([*mine, "file"])
