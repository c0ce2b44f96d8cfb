"""From the name or import path of a study, or the study itself, to its page."""

from __future__ import annotations

import importlib
import os
import sys
from difflib import get_close_matches
from pathlib import Path

from ctxlearn.checks import describe
from ctxlearn.lab.reproduction import StudyResult, reproduce_study
from ctxlearn.lab.study import Study
from ctxlearn.studies.names import STUDIES


def reproduce(
    study: str | Study,
    *,
    profile: str | None = None,
    seeds: int = 1,
    jobs: int | None = None,
    out: Path | str | None = None,
    runs: Path | str | None = None,
    cluster: str | None = None,
    progress: bool = True,
) -> StudyResult:
    """Train and measure what a study needs and is not there yet, decide its claims and write its page.

    Stopped at any moment and called again it goes on where it was: nothing is trained or measured twice, and the same call
    after a change of words only draws the page again. The files come out the same, byte for byte, whatever `jobs` is; only
    times that a study measured (`tables`) differ.

    Args:
        study: a name that `ctxlearn list studies` shows, the import path `module.NAME` of a `ctxlearn.lab.Study`, or the
            study itself.
        profile: which of the study's sizes: for ours "smoke" (seconds), "quick" (minutes on 2 cores) or "paper" (a GPU).
            None means "quick", or the only one there is.
        seeds: training seeds 0..seeds-1; with 2 or more the claims speak of new seeds too.
        jobs: threads in all; None means one per core (of the cluster, where there is one).
        out: the folder to write; None means results/STUDY-PROFILE.
        runs: where trained runs and measurements are kept and found again; None means `runs` inside `out`. Studies may
            share one. Also the URL of a store that machines share, of those that fsspec knows (s3://..., file://...);
            `runs` inside `out` then mirrors what this study needs of it.
        cluster: "ray" for the Ray cluster of this machine, or HOST:PORT of the head of another; None means this machine.
            docs/scale.md says more.
        progress: show progress bars.

    Raises:
        ValueError: an unknown name, an impossible number, or a folder that holds something else.
        StorageError: `out` cannot be written.
        JobFailed: a training or a measurement ended with an error.
    """
    found = find_study(study) if isinstance(study, str) else study
    command = f"ctxlearn reproduce {study}" if isinstance(study, str) else None
    return reproduce_study(
        found,
        profile=profile,
        seeds=seeds,
        jobs=jobs,
        out=out,
        runs=runs,
        cluster=cluster,
        progress=progress,
        command=command,
    )


def find_study(name: str) -> Study:
    """One of our studies by its name, or anyone's by its import path.

    Raises:
        ValueError: there is no such study.
    """
    if name in STUDIES:
        found: object = importlib.import_module(f"ctxlearn.studies.{name}").STUDY
    elif "." in name:
        found = _imported(name)
    else:
        near = get_close_matches(name, STUDIES, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ";"
        raise ValueError(
            f"study: unknown name {name!r}{hint} known: {', '.join(STUDIES)}; or the import path of a study of your own,"
            " module.NAME"
        )
    if not isinstance(found, Study):
        raise ValueError(f"study: expected a ctxlearn.lab.Study at {name}, got {describe(found)}")
    return found


def _imported(path: str) -> object:
    """What stands at `module.NAME`; modules of the working folder are found too, after all others."""
    module, _, name = path.rpartition(".")
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.append(os.getcwd())
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise ValueError(
            f"study: cannot import {module!r} of the path {path!r}: there is no module {error.name}"
        ) from error
    if not hasattr(found, name):
        known = ", ".join(n for n, value in vars(found).items() if isinstance(value, Study)) or "no study"
        raise ValueError(f"study: the module {module} has no {name!r}; it has {known}")
    return getattr(found, name)
