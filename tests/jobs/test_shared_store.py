"""Stores that machines share: the same bytes as in a folder, from any machine, and nothing lost with one."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import runs
from filelock import FileLock
from fsspec import register_implementation
from fsspec.implementations.memory import MemoryFileSystem

from ctxlearn.jobs.job import jobs_of
from ctxlearn.jobs.places import find_places
from ctxlearn.jobs.pool import do_missing
from ctxlearn.jobs.shared_store import SharedStore, files_of, part_of
from ctxlearn.lab import JobFailed, Measurement, Store, Training, call, sweep
from ctxlearn.learners import MatchNet
from ctxlearn.storage import StorageError
from ctxlearn.tasks import ClassPrototype
from ctxlearn.training import TrainingConfig

CONFIG = TrainingConfig(
    steps=6, tasks_per_step=2, n_points=5, checkpoint_every=1, keep_every=3, log_every=1, progress=False
)


class Elsewhere(MemoryFileSystem):
    """A store as fsspec has many: neither files of this machine nor objects that appear whole."""

    protocol, store, pseudo_dirs = "elsewhere", {}, [""]

    @classmethod
    def _strip_protocol(cls, path):
        return "/" + path.removeprefix("elsewhere://").strip("/")


register_implementation("elsewhere", Elsewhere)


def size_of(learner):
    """What is measured here."""
    return {"size": np.array([sum(p.numel() for p in learner.parameters())])}


@pytest.fixture(params=["file", "elsewhere"])
def url(request, tmp_path):
    Elsewhere.store.clear()
    return f"file://{tmp_path}/store" if request.param == "file" else "elsewhere://bucket/store"


def plan(source=None):
    training = Training("it", MatchNet(2, 2, seed=0), source or ClassPrototype(), CONFIG)
    return [Measurement(("size",), 0, call(size_of, learner=training), name="its size")], [training]


def work(folder, url=None, source=None, n_threads=1):
    """What a study does on a machine whose own folder is `folder`."""
    places = find_places(url, None, folder)
    jobs = jobs_of(*plan(source), places.store)
    return do_missing(jobs, places.store, n_threads=n_threads, progress=False, shared=places.shared)


def content(folder):
    folder = Path(folder)
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def stored(url):
    shared = SharedStore(url)
    return {name: shared._read(name) for name in shared.names()}


@pytest.mark.parametrize("n_threads", [1, 2])
def test_the_store_and_each_mirror_hold_the_bytes_of_a_local_folder(n_threads, url, tmp_path):
    assert work(tmp_path / "local") == 2
    expected = content(tmp_path / "local")
    assert work(tmp_path / "first", url, n_threads=n_threads) == 2
    assert content(tmp_path / "first") == stored(url) == expected
    assert work(tmp_path / "second", url) == 0
    assert content(tmp_path / "second") == expected
    assert work(tmp_path / "second") == 0  # nor is anything done without the store


def test_what_a_folder_holds_already_goes_to_the_store(url, tmp_path):
    work(tmp_path / "local")
    assert work(tmp_path / "local", url) == 0
    assert stored(url) == content(tmp_path / "local")


def test_a_training_goes_on_elsewhere_from_its_last_checkpoint(url, tmp_path, monkeypatch):
    work(tmp_path / "local", source=runs.Watched())
    runs.stop_at(monkeypatch, 4)
    with pytest.raises(JobFailed, match="Stopped"):
        work(tmp_path / "first", url, runs.Watched())
    assert max(stored(url)) == max(content(tmp_path / "first"))
    steps = runs.record_steps(monkeypatch)
    assert work(tmp_path / "second", url, runs.Watched()) == 2
    assert set(steps) == {4, 5}
    assert stored(url) == content(tmp_path / "second") == content(tmp_path / "local")


def test_a_machine_that_is_ahead_of_the_store_stays_so(url, tmp_path, monkeypatch):
    for stop, place in ((2, url), (4, None)):
        runs.stop_at(monkeypatch, stop)
        with pytest.raises(JobFailed, match="Stopped"):
            work(tmp_path / "first", place, runs.Watched())
    steps = runs.record_steps(monkeypatch)
    work(tmp_path / "first", url, runs.Watched())
    assert set(steps) == {4, 5}
    assert stored(url) == content(tmp_path / "first")


def test_checkpoints_are_there_while_the_training_goes_on(url, tmp_path, monkeypatch):
    monkeypatch.setattr("ctxlearn.jobs.shared_store.PUSH_SECONDS", 0.01)
    shared = SharedStore(url)
    seen = []

    def look(step, _):
        while step == 4 and not any("step-00000004" in name for name in seen):
            seen[:] = shared.names()

    monkeypatch.setattr("runs.on_batch", look)
    work(tmp_path / "first", url, runs.Watched())
    assert not [name for name in seen if "model" in name]
    assert any(name.endswith("metrics.csv") for name in seen)


def test_only_files_with_names_of_runs_and_samples_are_read(tmp_path):
    place = tmp_path / "store"
    work(tmp_path / "first", f"file://{place}")
    run = next(p.name for p in place.iterdir() if p.name != "samples")
    expected = content(place)
    for name in (
        "sitecustomize.py",
        f"{run}/code.py",
        f"{run}/checkpoints/step-1.pickle",
        "samples/x.safetensors",
        "a/config.yaml",
    ):
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text("strange")
    assert work(tmp_path / "second", f"file://{place}") == 0
    assert content(tmp_path / "second") == expected
    assert sorted(files_of(place, run)) == sorted(name for name in expected if name.startswith(run))


def test_a_checkpoint_that_is_dropped_meanwhile_is_no_error(url, tmp_path, monkeypatch):
    work(tmp_path / "first", url)
    dropped, read = iter([True, True]), SharedStore._read

    def racing(self, name):
        if "/checkpoints/" in name and next(dropped, False):
            raise FileNotFoundError(name)
        return read(self, name)

    monkeypatch.setattr(SharedStore, "_read", racing)
    assert work(tmp_path / "second", url) == 0
    assert content(tmp_path / "second") == content(tmp_path / "first")
    monkeypatch.setattr(SharedStore, "_read", lambda *_: (_ for _ in ()).throw(FileNotFoundError()))
    with pytest.raises(StorageError, match="changes faster than it can be read"):
        work(tmp_path / "third", url)


def test_a_run_that_a_process_of_this_machine_trains_is_left_alone(url, tmp_path):
    work(tmp_path / "first", url)
    store = Store(tmp_path / "second")
    (job,) = jobs_of([], plan()[1], store).values()
    folder = tmp_path / "second" / part_of(job.described)
    folder.mkdir(parents=True)
    with FileLock(folder / ".lock"):
        SharedStore(url).fetch(part_of(job.described), store.folder)
    assert [p.name for p in folder.iterdir()] == [".lock"]


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_store_that_cannot_be_written_is_named(n_threads, tmp_path, monkeypatch):
    Elsewhere.store.clear()

    def refused(*_, **__):
        raise PermissionError(13, "Access Denied")

    monkeypatch.setattr(Elsewhere, "pipe_file", refused)
    with pytest.raises(
        JobFailed, match=r"training it failed: .*cannot reach elsewhere://bucket: Access Denied; choose"
    ):
        work(tmp_path, "elsewhere://bucket", n_threads=n_threads)
    assert (next(tmp_path.glob("*/model.safetensors"))).is_file()  # nothing that was done is lost


@pytest.mark.parametrize(
    ("runs", "cluster", "expected"),
    [
        ("memory://a", None, "ends with this process; give a folder, or a URL that lasts"),
        ("nowhere://a", None, "expected a folder or a URL that fsspec knows .*nowhere"),
        ("results", "somewhere", "cluster: expected 'ray' or HOST:PORT of the head of a Ray cluster, got somewhere"),
        ("results", "", "cluster: expected 'ray' or HOST:PORT"),
    ],
)
def test_places_that_there_are_not(runs, cluster, expected, tmp_path):
    with pytest.raises(ValueError, match=expected):
        find_places(runs, cluster, tmp_path)


def test_packages_that_are_not_installed_are_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(ValueError, match=r"s3://bucket needs a package .*pip install 'ctxlearn\[cluster\]'"):
        find_places("s3://bucket", None, tmp_path)
    places = find_places(None, "ray", tmp_path)
    with pytest.raises(ValueError, match=r"cluster: Ray is not installed; pip install 'ctxlearn\[cluster\]'"):
        do_missing(
            jobs_of(*plan(), places.store), places.store, n_threads=None, progress=False, executor=places.executor
        )


def test_a_sweep_shares_its_runs(url, tmp_path):
    given = (MatchNet(2, 2), ClassPrototype(), CONFIG, {"training.seed": [0, 1]})
    local = sweep(*given, out=tmp_path / "local", jobs=1, progress=False)
    found = sweep(*given, out=tmp_path / "shared", runs=url, jobs=1, progress=False)
    assert found.table.drop(columns="run").equals(local.table.drop(columns="run"))
    assert stored(url) == {k: v for k, v in content(tmp_path / "shared").items() if k != "sweep.csv"}


def test_the_library_needs_neither_ray_nor_a_store():
    code = "import sys, ctxlearn.lab, ctxlearn.studies; print([m for m in ('ray', 's3fs') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
