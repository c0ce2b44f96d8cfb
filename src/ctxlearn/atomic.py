"""Replace a file as a whole, and treat what is there as its owner would want it treated.

The content goes to a part file beside the target, which is then renamed. Its writer holds a lock on the part file, so that the
next write to the same target can tell what a killed process left behind from what a live one is about to rename.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows, which lets nobody delete an open file: that says as much
    fcntl = None

SUFFIX = ".tmp"
_OPEN_FILES = re.compile(r"/proc/.*|/dev/(fd/.*|stdin|stdout|stderr)")
"""Paths that stand for open files; what is renamed over them would not reach what is open."""
_NOT_SUPPORTED = (errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM, errno.EBADF)

_ADVICE = {
    errno.ENOSPC: "free space or choose another folder",
    errno.EDQUOT: "free space or choose another folder",
    errno.EACCES: "choose a place that you may write to",
    errno.EPERM: "choose a place that you may write to",
    errno.EROFS: "choose a folder of another file system",
    errno.EISDIR: "give the name of a file in it",
    errno.ENOTDIR: "a part of the path is a file; choose another path",
    errno.EEXIST: "a part of the path is a file; choose another path",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOENT: "the folder was deleted; choose another one",
    errno.ELOOP: "its symbolic links lead in a circle; remove one",
    errno.EFBIG: "the system allows no file of this size; choose another file system, or raise the limit (ulimit -f)",
    errno.EMFILE: "close files, or raise the limit (ulimit -n)",
    errno.EPIPE: "whoever read it has ended",
}


def replace_file(path: Path, content: bytes) -> None:
    """Make `content` what `path` holds, whole or not at all.

    Symbolic links are followed. A device, a pipe or a socket is written to and never replaced. A new file gets the mode
    that umask leaves, one that was there keeps its mode, and its owner where the system allows it. File and folder are flushed
    to disk. Part files that killed processes left of the same target are removed.

    Raises:
        OSError: it cannot be written; an older file is then as it was, and no part file stays.
    """
    held = _status(path)
    if held is not None and stat.S_ISDIR(held.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if (held is not None and not stat.S_ISREG(held.st_mode)) or _OPEN_FILES.fullmatch(os.path.abspath(path)):
        with path.open("wb") as file:
            file.write(content)
        return
    if held is not None and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, "it is write-protected", str(path))
    target = Path(os.path.realpath(path))
    make_folder(target.parent)
    remove_leftovers(target)
    with _part_file(target, held) as (part, number):
        view = memoryview(content)
        while view:
            view = view[os.write(number, view) :]
        os.fsync(number)
        os.replace(part, target)
    flush_folder(target.parent)


def reason(error: OSError) -> str:
    """Why an operation failed, and what can be done about that cause."""
    said = error.strerror or str(error)
    advice = _ADVICE.get(error.errno or 0)
    return f"{said}; {advice}" if advice else said


def make_folder(path: Path) -> None:
    """Make a folder, with those above it, so that they outlive a power cut."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        if path == path.parent:
            break
        path = path.parent
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        flush_folder(folder.parent)


def flush_folder(path: Path) -> None:
    """Flush a folder's entries to disk, where the file system can."""
    try:
        number = os.open(path, os.O_RDONLY)
    except OSError as error:
        if error.errno in _NOT_SUPPORTED:
            return
        raise
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:
            raise
    finally:
        os.close(number)


def remove_leftovers(target: Path) -> None:
    """Remove part files of `target` whose writers are dead; those of live ones stay."""
    for part in target.parent.glob(f"{_prefix(target)}*{SUFFIX}"):
        with contextlib.suppress(OSError):  # of another user, say: then it is theirs to remove
            number = os.open(part, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
            try:
                if _locked(number):
                    part.unlink()
            finally:
                os.close(number)


@contextlib.contextmanager
def _part_file(target: Path, held: os.stat_result | None) -> Iterator[tuple[Path, int]]:
    """A new part file of `target`, locked, with the mode and the owner that the file shall have: its path and descriptor."""
    part, number = _locked_part(target, 0o666 if held is None else 0o600)
    try:
        if held is not None:
            _take_over(number, held)
        yield part, number
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
        raise
    finally:
        os.close(number)


def _locked_part(target: Path, mode: int) -> tuple[Path, int]:
    """Between its making and its locking another process may take a part file for a dead one's; then another is made."""
    while True:
        part = target.parent / f"{_prefix(target)}{secrets.token_hex(4)}{SUFFIX}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        number = os.open(part, flags, mode)
        if _locked(number) is not False and _status(part) is not None:
            return part, number
        os.close(number)
        with contextlib.suppress(FileNotFoundError):
            part.unlink()


def _locked(number: int) -> bool | None:
    """Lock an open file until it is closed or its process ends: False if another holds it, None where locks are unknown."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _take_over(number: int, held: os.stat_result) -> None:
    """Give an open file the owner and the mode of one that was there."""
    own, mode = os.fstat(number), stat.S_IMODE(held.st_mode)
    if hasattr(os, "fchown") and (own.st_uid, own.st_gid) != (held.st_uid, held.st_gid):
        try:
            os.fchown(number, held.st_uid, held.st_gid)
        except PermissionError:  # our group must not read what theirs could, unless all may
            mode &= ~0o070 | (mode & 0o007) << 3
    if hasattr(os, "fchmod"):
        os.fchmod(number, mode)


def _prefix(target: Path) -> str:
    """Of the part files of one target: of one length, however long its name is."""
    return f".part-{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]}-"


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
