"""A cluster that exists: Ray's own, of several nodes on this machine, one of which is killed; and a server of S3."""

import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import runs
import tracked

from ctxlearn.cli import main
from ctxlearn.jobs.job import jobs_of
from ctxlearn.jobs.places import find_places
from ctxlearn.jobs.pool import do_missing
from ctxlearn.jobs.shared_store import SharedStore
from ctxlearn.lab import (
    Cell,
    JobFailed,
    Measurement,
    Page,
    Says,
    Study,
    Training,
    call,
    sweep,
    tally,
    together,
)
from ctxlearn.learners import MatchNet
from ctxlearn.references import NearestNeighbor
from ctxlearn.tasks import ClassPrototype, TaskFamily
from ctxlearn.training import TrainingConfig

ray = pytest.importorskip("ray")
moto_server = pytest.importorskip("moto.server")
pytest.importorskip("s3fs")
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.slow,
    # of Ray and of the server, whose processes and sockets end with the tests
    *(
        pytest.mark.filterwarnings(f"ignore::{kind}")
        for kind in ("ResourceWarning", "FutureWarning", "DeprecationWarning")
    ),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

CONFIG = TrainingConfig(
    steps=12, tasks_per_step=2, n_points=5, checkpoint_every=1, keep_every=6, log_every=1, progress=False
)
MEMORY = 80 * 2**20


class Nodes:
    """A cluster of one head without cores, and of nodes with one core each that come and go."""

    def __init__(self):
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 0,
                "include_dashboard": False,
                "object_store_memory": MEMORY,
                "_system_config": {
                    "health_check_failure_threshold": 2
                },  # a dead node is noticed after 25 s, not a minute
            },
        )
        self.address = self._cluster.address
        self.node = self.new()

    def new(self):
        return self._cluster.add_node(num_cpus=1, object_store_memory=MEMORY)

    def replace(self):
        """Kill the node as a spot machine is taken away, and have another come."""
        old, self.node = self.node, self.new()
        self._cluster.remove_node(old, allow_graceful=False)

    def shutdown(self):
        ray.shutdown()
        self._cluster.shutdown()


@pytest.fixture(scope="module")
def nodes(bucket, tmp_path_factory):
    """A cluster whose nodes inherit the environment, in which the bucket is found."""
    assert bucket
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", ":".join([*runs.PLACES, str(Path(__file__).parent)]))
        patch.setenv(tracked.TRACKS, str(tmp_path_factory.mktemp("tracks") / "tracks"))
        patch.setenv(tracked.GATE, str(tmp_path_factory.mktemp("gate") / "gate"))
        found = Nodes()
        yield found
        found.shutdown()


@pytest.fixture(scope="module")
def bucket():
    """The URL of a folder in a store of S3."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            patch.setenv(name, value)
        import s3fs

        s3fs.S3FileSystem().mkdir("bucket")
        yield "s3://bucket/runs"
    server.stop()


def size_of(learner):
    """What is measured here."""
    return {"size": np.array([sum(p.numel() for p in learner.parameters())])}


def plan(sizes, seed):
    trained = Training(f"it {seed}", MatchNet(2, 2, seed=seed), ClassPrototype(), replace(CONFIG, seed=seed))
    return [Cell(("prototypes",), ClassPrototype(), {"it": trained, "1-NN": NearestNeighbor(2, 2)}, seed, sizes, 5)]


def present(sizes, numbers):
    accuracy = numbers["score"].map(lambda found: 100 * found.averaged())
    gap = accuracy["it", "prototypes"] - accuracy["1-NN", "prototypes"]
    claims = together("only", [Says("wins", "It is better", "points", gap)])
    return Page("t", "asked?", tally(claims), "sure", claims, numbers["score"].frame("learner", "family"))


STUDY = Study("tiny", {"quick": 6}, plan, present)


class Broken(TaskFamily):
    n_features, n_classes = 2, 2

    def sample_parameters(self, n_tasks, *, generator):
        raise ValueError("no tasks today")

    def sample_points(self, parameters, n_points, *, generator):
        raise AssertionError


def work(folder, runs=None, cluster=None, source=None):
    """What a study does: a training, and a measurement of what it gives."""
    training = Training("it", MatchNet(2, 2, seed=0), source or ClassPrototype(), CONFIG)
    measurement = Measurement(("size",), 0, call(size_of, learner=training), name="its size")
    places = find_places(runs, cluster, folder)
    jobs = jobs_of([measurement], [training], places.store)
    return do_missing(
        jobs,
        places.store,
        n_threads=None if cluster else 1,
        progress=False,
        executor=places.executor,
        shared=places.shared,
    )


def content(folder):
    folder = Path(folder)
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def stored(url):
    shared = SharedStore(url)
    return {name: shared._read(name) for name in shared.names()}


def test_s3_holds_the_bytes_of_a_local_folder(bucket, tmp_path, monkeypatch):
    work(tmp_path / "local", source=runs.Watched())
    runs.stop_at(monkeypatch, 5)
    with pytest.raises(JobFailed, match="Stopped"):
        work(tmp_path / "first", bucket, source=runs.Watched())
    steps = runs.record_steps(monkeypatch)
    assert work(tmp_path / "second", bucket, source=runs.Watched()) == 2
    assert min(steps) == 5
    assert stored(bucket) == content(tmp_path / "second") == content(tmp_path / "local")
    assert work(tmp_path / "third", bucket, source=runs.Watched()) == 0
    assert content(tmp_path / "third") == content(tmp_path / "local")


def test_a_bucket_that_there_is_not_is_named(bucket, tmp_path):
    with pytest.raises(JobFailed, match=r"failed: StorageError: .*cannot reach s3://nowhere/runs: "):
        work(tmp_path, "s3://nowhere/runs")
    assert bucket


@pytest.mark.parametrize(
    ("lost", "shares"), [("node", "s3"), ("worker", "s3"), ("worker", "a folder"), ("node", "nothing")]
)
def test_what_is_killed_in_the_middle_costs_no_byte(lost, shares, nodes, bucket, tmp_path, monkeypatch):
    url = {"s3": f"{bucket}-{lost}", "a folder": f"file://{tmp_path}/store", "nothing": None}[shares]
    tracks, gate = (Path(os.environ[name]) for name in (tracked.TRACKS, tracked.GATE))
    for path in (tracks, gate):
        path.unlink(missing_ok=True)
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(work, tmp_path / "cluster", url, nodes.address, tracked.Tracked())

        def until(reached):
            ends = time.monotonic() + 200
            while not reached():
                assert time.monotonic() < ends, "the cluster does nothing"
                assert not done.done(), done.exception()
                time.sleep(0.1)

        until(lambda: tracks.exists() and tracked.steps_by_process(tracks)[0][-1] == tracked.WAITS)
        if url is not None:
            until(lambda: any(f"step-{tracked.WAITS:08}" in name for name in SharedStore(url).names()))
        if lost == "node":
            nodes.replace()
        else:
            os.kill(int(tracks.read_text().split()[0]), signal.SIGKILL)
        gate.touch()
        assert done.result(timeout=200) == 2
    first, second = tracked.steps_by_process(tracks)
    assert first[0] == 0
    assert second[0] == (0 if url is None else tracked.WAITS)
    assert second[-1] == CONFIG.steps - 1
    monkeypatch.delenv(tracked.TRACKS)
    monkeypatch.delenv(tracked.GATE)
    work(tmp_path / "local", source=tracked.Tracked())
    expected = content(tmp_path / "local")
    assert content(tmp_path / "cluster") == expected
    assert url is None or stored(url) == expected
    assert work(tmp_path / "cluster", url, nodes.address, tracked.Tracked()) == 0


def test_a_job_that_fails_on_a_node_is_named_with_its_reason(nodes, tmp_path):
    with pytest.raises(JobFailed, match=r"training it failed: .*no tasks today"):
        work(tmp_path, None, nodes.address, Broken())


def test_pages_and_tables_have_the_same_bytes(nodes, bucket, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", nodes.address)
    for name, options in {
        "local": ["--jobs", "1"],
        "cluster": ["--cluster", nodes.address],
        "both": ["--cluster", "ray", "--runs", f"{bucket}-study"],
    }.items():
        assert main(["reproduce", "test_cluster.STUDY", "--seeds", "2", "--out", str(tmp_path / name), *options]) == 0
    expected = content(tmp_path / "local")
    assert any(name.startswith("runs/samples/") for name in expected)
    assert content(tmp_path / "cluster") == content(tmp_path / "both") == expected
    assert stored(f"{bucket}-study") == {
        k.removeprefix("runs/"): v for k, v in expected.items() if k.startswith("runs/")
    }
    capsys.readouterr()


def test_a_sweep_on_the_cluster(nodes, bucket, tmp_path):
    given = (MatchNet(2, 2), ClassPrototype(), CONFIG, {"training.seed": [0, 1]})
    local = sweep(*given, out=tmp_path / "local", jobs=1, progress=False)
    found = sweep(*given, out=tmp_path / "out", runs=f"{bucket}-sweep", cluster=nodes.address, progress=False)
    assert found.table.drop(columns="run").equals(local.table.drop(columns="run"))
    assert stored(f"{bucket}-sweep") == {k: v for k, v in content(tmp_path / "local").items() if k != "sweep.csv"}


def test_a_cluster_that_cannot_be_reached_is_named(tmp_path):
    ray.shutdown()
    with pytest.raises(ValueError, match=r"cluster: no Ray cluster can be reached at 127.0.0.1:9 \(.*refused"):
        work(tmp_path, None, "127.0.0.1:9")
