"""Where a study's files lie and its jobs run: what `--runs` and `--cluster` say."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ctxlearn.jobs.pool import Executor
from ctxlearn.jobs.shared_store import SharedStore, is_url
from ctxlearn.jobs.store import Store


class Places(NamedTuple):
    """Where files lie and jobs run.

    Attributes:
        store: of this machine.
        shared: the store of which that is the mirror, or None.
        executor: the cluster, or None for this machine.
    """

    store: Store
    shared: SharedStore | None
    executor: Executor | None


def find_places(runs: Path | str | None, cluster: str | None, own: Path) -> Places:
    """What is meant.

    Args:
        runs: a folder, or the URL of a store that machines share; None means `own`.
        cluster: "ray", or HOST:PORT of the head of a Ray cluster; None means this machine.
        own: the folder of this machine where runs lie, and a shared store is mirrored.

    Raises:
        ValueError: no such store or cluster, or a package that it needs is missing.
    """
    shared = SharedStore(str(runs)) if is_url(runs) else None
    store = Store(own if runs is None or shared is not None else runs)
    if cluster is None:
        return Places(store, shared, None)

    from ctxlearn.jobs.ray_cluster import RayCluster

    return Places(store, shared, RayCluster(cluster, store, shared))
