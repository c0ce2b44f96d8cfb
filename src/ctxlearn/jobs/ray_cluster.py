"""Jobs on a cluster, as tasks of Ray. Everything that ctxlearn knows of Ray is here.

A task hands its job to a process of `ctxlearn.jobs.worker`, as a study on one machine does, and brings files: what the job
needs, and its result. Ray starts it again elsewhere when its worker or node is lost. With a shared store it then goes on from the
last checkpoint there; without one the files travel with the task, and it begins where the study's own folder stands.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import socket
import tempfile
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

from ctxlearn.escaping import printable
from ctxlearn.jobs.calls import walk, without_folders
from ctxlearn.jobs.shared_store import SharedStore, claimed, files_of, part_of, place_files
from ctxlearn.jobs.store import Store
from ctxlearn.jobs.workers import Worker, WorkerEnded, WorkerFailed

LOST = 20
"""How many workers or nodes a job may lose before the study stops: a job that kills its own worker must end some time."""
_ADDRESS = re.compile(r"(ray://)?[\w.-]+:\d+")


class RayCluster(AbstractContextManager["RayCluster"]):
    """An executor whose jobs are tasks of a Ray cluster; connected to when first needed.

    Args:
        address: "ray" for the cluster that this machine belongs to (or that RAY_ADDRESS names), else one of its own on this machine;
            or "HOST:PORT" of a cluster's head.
        store: this machine's store, where results come back to.
        shared: a store that all nodes reach; None means that files travel with the tasks.

    Raises:
        ValueError: no such address, or Ray is not installed.
    """

    def __init__(self, address: str, store: Store, shared: SharedStore | None = None) -> None:
        if address != "ray" and not _ADDRESS.fullmatch(address):
            raise ValueError(
                f"cluster: expected 'ray' or HOST:PORT of the head of a Ray cluster, got {printable(address)}"
            )
        self._address, self._store, self._shared = address, store, shared
        self._ours = False
        self._kept: dict[str, Any] = {}
        self._running: set[Any] = set()

    @functools.cached_property
    def _ray(self) -> Any:
        """The module, connected."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
        try:
            import ray
        except ImportError as error:
            raise ValueError("cluster: Ray is not installed; pip install 'ctxlearn[cluster]'") from error
        if not ray.is_initialized():
            address = None if self._address == "ray" else self._address
            try:
                if address is not None:  # Ray itself tries for minutes
                    host, _, port = address.removeprefix("ray://").rpartition(":")
                    socket.create_connection((host, int(port)), timeout=10).close()
                ray.init(
                    address=address,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    include_dashboard=None if address else False,
                )
            except (OSError, ValueError, RuntimeError) as error:
                raise ValueError(f"cluster: no Ray cluster can be reached at {self._address} ({error})") from error
            self._ours = True
        return ray

    @functools.cached_property
    def slots(self) -> int:
        """Cores of all nodes."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    @functools.cached_property
    def _waiting(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.slots)

    def submit(self, described: Mapping[str, Any], threads: int) -> Future[None]:
        """Have a job done on some node; the future ends when its files are in this machine's store."""
        part = part_of(described)
        largest = max(int(node["Resources"].get("CPU", 0)) for node in self._ray.nodes() if node["Alive"])
        threads = max(1, min(threads, largest))
        task = self._ray.remote(_do).options(
            num_cpus=threads, max_retries=LOST, retry_exceptions=[WorkerEnded], name=part
        )
        reference = task.remote(
            without_folders(dict(described)), threads, self._shared and self._shared.url, *self._sent(described)
        )
        self._running.add(reference)
        return self._waiting.submit(self._collect, reference, part)

    def _sent(self, described: Mapping[str, Any]) -> list[Any]:
        """The files that travel with a job, in Ray's memory: what it has done already, and the runs that it reads."""
        sent = []
        if self._shared is None:
            sent.append(self._ray.put(_contents(self._store.folder, part_of(described))))
        for needed in (found for found in walk(dict(described)) if "run" in found):
            part, folder = self._store.run_path(needed["run"]).name, needed.get("folder")
            if self._shared is not None and folder is None:
                continue
            if part not in self._kept:
                whole = _contents(self._store.folder, part) if folder is None else _contents_of_run(Path(folder), part)
                self._kept[part] = self._ray.put(whole)
            sent.append(self._kept[part])
        return sent

    def _collect(self, reference: Any, part: str) -> None:
        errors = self._ray.exceptions
        try:
            files = self._ray.get(reference)
        except errors.RayTaskError as error:
            raise WorkerFailed(str(error.cause)) from error
        except errors.RayError as error:
            raise WorkerFailed(f"its worker or node was lost ({type(error).__name__}); call again to go on") from error
        finally:
            self._running.discard(reference)
        if self._shared is not None:
            self._shared.fetch(part, self._store.folder)
            return
        with claimed(self._store.folder, part) as free:
            if free:
                place_files(self._store.folder, files)

    def __exit__(self, *_: object) -> None:
        if "_ray" not in self.__dict__:
            return
        for reference in list(self._running):
            self._ray.cancel(reference, force=True)
        self._waiting.shutdown(cancel_futures=True)
        if self._ours:
            self._ray.shutdown()


def _contents(folder: Path, part: str) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in files_of(folder, part)}


def _contents_of_run(folder: Path, part: str) -> dict[str, bytes]:
    """The files of a run in a folder of its own, as they would be called in a store."""
    below = [path for path in folder.rglob("*") if path.is_file()]
    return {f"{part}/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in below}


@functools.cache
def _worker() -> Worker:
    """The worker of this process of Ray, which does one job at a time."""
    return Worker()


def _do(described: dict[str, Any], threads: int, url: str | None, *files: dict[str, bytes]) -> dict[str, bytes]:
    """On a node: bring what a job needs, have it done, and bring its result back."""
    part = part_of(described)
    with tempfile.TemporaryDirectory(prefix="ctxlearn-") as folder, ExitStack() as stack:
        place = Path(folder)
        for sent in files:
            place_files(place, sent)
        if url is not None:
            shared = SharedStore(url)
            own_folder = {name.split("/")[0] for sent in files for name in sent}
            needed = {Store(place).run_path(found["run"]).name for found in walk(described) if "run" in found}
            for name in (part, *sorted(needed - own_folder)):
                shared.fetch(name, place)
            stack.enter_context(shared.pushing(part, place))
        try:
            _worker().do({**described, "store": folder}, threads)
        except WorkerEnded:
            _worker.cache_clear()
            raise
        stack.close()
        return {} if url is not None else _contents(place, part)
