"""A store that machines share: any place that fsspec reaches, of which each machine mirrors what it works on.

A run is pushed with each new checkpoint, the files that a later reader relies on first, so that whoever fetches it at any moment
can go on from it. Two machines may do one job at once, as when one was taken for dead: the files are the same, byte for byte.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from ctxlearn.atomic import make_folder, reason
from ctxlearn.escaping import printable
from ctxlearn.jobs.job import Job
from ctxlearn.jobs.store import Store
from ctxlearn.storage import StorageError, write_atomically

if TYPE_CHECKING:
    from ctxlearn.jobs.pool import Executor

PUSH_SECONDS = 2.0
"""How often a run in progress is looked at for new checkpoints."""
_ORDER = ("config.yaml", ".lock", "metrics.csv", "checkpoints", "weights", "model.safetensors")
"""Of pushing: a checkpoint counts on its rows in metrics.csv, and a model says that the run is finished."""
_STEP = r"step-\d{8}\.safetensors"
_NAME = re.compile(
    rf"samples/[0-9a-f]{{20}}\.safetensors"
    rf"|[0-9a-f]{{20}}/(config\.yaml|\.lock|metrics\.csv|checkpoints/{_STEP}|weights/{_STEP}|model\.safetensors)"
)
_WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az"})
"""Stores in which an object appears whole or not at all."""
_ATTEMPTS = 5


def is_url(place: object) -> bool:
    """Whether a place is written as a URL."""
    return isinstance(place, str) and re.match(r"[a-z][a-z0-9+.-]*(://|::)", place) is not None


def part_of(described: Mapping[str, Any]) -> str:
    """Where in a store the result of a job lies: the name of a run, or of a file of samples."""
    place = Store(described["store"])
    path = place.run_path(described["hash"]) if described["do"] == "train" else place.samples_path(described["hash"])
    return path.relative_to(place.folder).as_posix()


def files_of(folder: Path, part: str) -> list[str]:
    """Names of the files of a part, in the order in which they are pushed; what else lies there is left alone."""
    below = (folder / part).rglob("*") if (folder / part).is_dir() else [folder / part]
    return _in_order(path.relative_to(folder).as_posix() for path in below if path.is_file())


@contextmanager
def claimed(folder: Path, part: str) -> Iterator[bool]:
    """Hold a run's folder on this machine, as its training does; False where a process trains in it."""
    if part.startswith("samples/"):
        yield True
        return
    make_folder(folder / part)
    lock = FileLock(folder / part / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def place_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files of one part, in their order."""
    for name in _in_order(files):
        if not name.endswith(".lock"):  # which `claimed` has made
            write_atomically(folder / name, files[name])


class SharedStore:
    """Runs and samples at a URL, each under its hash as in a `Store`.

    Nothing in it is unpickled, and only files with names of runs and samples are read.

    Args:
        url: "s3://bucket/folder", "gs://...", "file:///a/folder/that/all/machines/mount", or another of fsspec's.

    Raises:
        ValueError: no such kind of store, or one that only this process sees.
    """

    def __init__(self, url: str) -> None:
        from fsspec.core import url_to_fs

        self.url = url.rstrip("/")
        if url.startswith("memory:"):
            raise ValueError(f"runs: {url} ends with this process; give a folder, or a URL that lasts (s3://, file://)")
        try:
            self._files, root = url_to_fs(self.url, use_listings_cache=False)
        except ImportError as error:
            raise ValueError(
                f"runs: {printable(url)} needs a package ({error}); pip install 'ctxlearn[cluster]' has that of s3://"
            ) from error
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"runs: expected a folder or a URL that fsspec knows (s3://...), got {printable(url)}: {error}"
            ) from error
        self._root = root.rstrip("/")
        protocols = self._files.protocol
        self._protocols = {protocols} if isinstance(protocols, str) else set(protocols)

    def names(self, part: str = "") -> dict[str, int]:
        """Names and sizes of the files of a part, or of all, in the order in which they are pushed."""
        with self._reached():
            self._files.invalidate_cache()
            try:
                found = self._files.find(f"{self._root}/{part}".rstrip("/"), detail=True)
            except FileNotFoundError:
                return {}
        sizes = {path.removeprefix(f"{self._root}/"): int(held["size"]) for path, held in found.items()}
        return {name: sizes[name] for name in _in_order(sizes)}

    def fetch(self, part: str, folder: Path) -> None:
        """Bring a part to a folder, unless a process of this machine trains in it.

        Raises:
            StorageError: the store cannot be reached, or changed again and again meanwhile.
        """
        with claimed(folder, part) as free:
            for _ in range(_ATTEMPTS if free else 0):
                names = list(self.names(part))
                try:
                    # metrics.csv last but for the model: it then has the rows of each checkpoint, whoever writes meanwhile
                    files = {name: self._read(name) for name in sorted(names, key=lambda n: n.endswith("metrics.csv"))}
                except FileNotFoundError:  # a checkpoint that was dropped since
                    continue
                for name in set(files_of(folder, part)) - set(names):
                    if "/checkpoints/" in name:
                        (folder / name).unlink(missing_ok=True)
                place_files(folder, files)
                return
        if free:
            raise StorageError(f"{self.url}/{part} changes faster than it can be read")

    def push(self, part: str, folder: Path) -> None:
        """Bring a part of a folder here; what is there already is not written again, and dropped checkpoints go.

        Raises:
            StorageError: the store cannot be written.
        """
        names = files_of(folder, part)  # before metrics.csv is read, which then has the rows of each checkpoint
        there = self.names(part)
        for name in names:
            try:
                content = (folder / name).read_bytes()
            except FileNotFoundError:  # a checkpoint that was dropped since
                continue
            if there.get(name) != len(content) or name.endswith("metrics.csv"):
                self._write(f"{self._root}/{name}", content)
        for name in there.keys() - set(names):
            if "/checkpoints/" in name:
                with self._reached():
                    self._files.rm_file(f"{self._root}/{name}")

    @contextmanager
    def pushing(self, part: str, folder: Path) -> Iterator[None]:
        """Push a part while it is made, with each new checkpoint, and at the end, even if that is an error."""
        ended = threading.Event()

        def watch() -> None:
            before: list[str] = []
            while not ended.wait(PUSH_SECONDS):
                found = [name for name in files_of(folder, part) if "/checkpoints/" in name]
                if found != before:
                    try:
                        self.push(part, folder)
                    except StorageError:
                        continue  # the next look tries again, and the end tells
                    before = found

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()
            self.push(part, folder)

    def fetch_known(self, jobs: Mapping[str, Job], store: Store) -> None:
        """Bring what is known of some jobs to this machine's store, and to here what that has done already."""
        there = self.names()
        for job in jobs.values():
            part = part_of(job.described)
            named = [name for name in there if name == part or name.startswith(f"{part}/")]
            if job.done and _result(part) not in there:
                self.push(part, store.folder)
            elif not job.done and named and _progress(named) >= _progress(files_of(store.folder, part)):
                self.fetch(part, store.folder)

    def _read(self, name: str) -> bytes:
        with self._reached(FileNotFoundError):
            content: bytes = self._files.cat_file(f"{self._root}/{name}")
            return content

    def _write(self, path: str, content: bytes) -> None:
        if self._protocols & {"file", "local"}:
            write_atomically(Path(path), content)
            return
        with self._reached():
            if self._protocols & _WHOLE:
                self._files.pipe_file(path, content)
                return
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._files.pipe_file(f"{path}.tmp", content)
            self._files.mv(f"{path}.tmp", path)

    @contextmanager
    def _reached(self, *expected: type[Exception]) -> Iterator[None]:
        """Errors as `StorageError`, except those expected; each kind of store has its own, which are not all `OSError`s."""
        try:
            yield
        except Exception as error:
            if isinstance(error, expected):
                raise
            number = error.errno if isinstance(error, OSError) else None
            text = f"cannot reach {printable(self.url)}: {reason(error) if isinstance(error, OSError) else error}"
            raise (StorageError(text) if number is None else StorageError(number, text)) from error


class PushingExecutor(AbstractContextManager["PushingExecutor"]):
    """An executor of this machine whose results, and checkpoints meanwhile, go to a shared store.

    Args:
        inner: which does the jobs.
        shared: where their files go.
    """

    def __init__(self, inner: Executor, shared: SharedStore) -> None:
        self._inner, self._shared = inner, shared

    @property
    def slots(self) -> int:
        """Jobs that it takes at once."""
        return self._inner.slots

    def submit(self, described: Mapping[str, Any], threads: int) -> Future[None]:
        """Have a job done; the future ends when its files are in the shared store."""
        pushed: Future[None] = Future()
        with ExitStack() as stack:
            stack.enter_context(self._shared.pushing(part_of(described), Path(described["store"])))
            future = self._inner.submit(described, threads)
            rest = stack.pop_all()

        def finish(done: Future[None]) -> None:
            error = None if done.cancelled() else done.exception()
            try:
                rest.close()
            except StorageError as failure:
                error = error or failure
            pushed.set_exception(error) if error else pushed.set_result(None)

        future.add_done_callback(finish)
        return pushed

    def __exit__(self, *error: Any) -> None:
        self._inner.__exit__(*error)


def _in_order(names: Iterable[str]) -> list[str]:
    """Names that a store has, in the order of pushing; other names are left out."""
    return sorted(filter(_NAME.fullmatch, names), key=lambda name: (_rank(name), name))


def _rank(name: str) -> int:
    return 0 if name.startswith("samples/") else _ORDER.index(name.split("/")[1])


def _result(part: str) -> str:
    return part if part.startswith("samples/") else f"{part}/model.safetensors"


def _progress(names: Iterable[str]) -> str:
    """How far a training is, by the name of its newest checkpoint."""
    return max((name for name in names if "/checkpoints/" in name), default="")
