"""From a study to its page: train and measure what is missing, decide, write."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from ctxlearn.checks import check_int, describe, unknown_name
from ctxlearn.jobs.cells import all_measurements
from ctxlearn.jobs.job import jobs_of
from ctxlearn.jobs.places import find_places
from ctxlearn.jobs.pool import do_missing
from ctxlearn.lab.claims import Claim
from ctxlearn.lab.html import figure_bytes, render
from ctxlearn.lab.page import Page
from ctxlearn.lab.samples import load_numbers
from ctxlearn.lab.study import Study
from ctxlearn.storage import StorageError, write_atomically, write_json, write_text

SMOKE = "The smoke profile only shows that everything runs: its numbers mean nothing."
"""Ends what every page of that profile says of how sure it is."""


@dataclass(frozen=True)
class StudyResult:
    """What `reproduce` wrote.

    Attributes:
        folder: with claims.json, results.csv, report.html and figures/.
        claims: the decided claims.
        results: results.csv as a table.
        jobs_done: trainings and measurements that were not there yet.
    """

    folder: Path
    claims: list[Claim]
    results: pd.DataFrame
    jobs_done: int = 0

    @property
    def report(self) -> Path:
        """The page."""
        return self.folder / "report.html"


def reproduce_study(
    study: Study,
    *,
    profile: str | None = None,
    seeds: int = 1,
    jobs: int | None = None,
    out: Path | str | None = None,
    runs: Path | str | None = None,
    cluster: str | None = None,
    progress: bool = True,
    command: str | None = None,
) -> StudyResult:
    """What `ctxlearn.reproduce` does once the study is found; arguments as there, and `command`: how the page says it was made."""
    if not isinstance(study, Study):
        raise ValueError(f"study: expected a ctxlearn.lab.Study, got {describe(study)}")
    if profile is None:
        profile = next(iter(study.profiles)) if len(study.profiles) == 1 else "quick"
    if profile not in study.profiles:
        unknown_name("profile", profile, study.profiles)
    check_int("seeds", seeds, minimum=1)
    if jobs is not None:
        check_int("jobs", jobs, minimum=1)
    folder = Path(out) if out is not None else Path("results") / f"{study.name}-{profile}"
    measurements = all_measurements(study.planned(profile, seeds))
    sizes = study.profiles[profile]
    more = [t for s in range(seeds) for t in study.trainings(sizes, s).values()] if study.trainings else []
    _claim_folder(folder, study.name, profile)
    places = find_places(runs, cluster, folder / "runs")
    store = places.store
    done = do_missing(
        jobs_of(measurements, more, store),
        store,
        n_threads=jobs,
        progress=progress,
        executor=places.executor,
        shared=places.shared,
    )
    page = study.present(sizes, load_numbers(measurements, store))
    if profile == "smoke":
        page = replace(page, sure=f"{page.sure} {SMOKE}")
    command = f"{command or f'ctxlearn reproduce {study.name}'} --profile {profile} --seeds {seeds}"
    _write(folder, page, command, profile)
    return StudyResult(folder, page.claims, page.results, done)


def _claim_folder(folder: Path, study: str, profile: str) -> None:
    """Make `folder` the folder of this study and profile, or see that it already is."""
    mark = folder / "study.json"
    if folder.exists() and not folder.is_dir():
        raise StorageError(f"out: expected a folder, got the file {folder}")
    if mark.is_file():
        try:
            held = json.loads(mark.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"out: {mark} cannot be read ({error}); remove it or choose another folder") from error
        if held != {"study": study, "profile": profile}:
            raise ValueError(
                f"out: {folder} holds the study {held.get('study')} with profile {held.get('profile')}, not {study} with"
                f" profile {profile}; choose another folder"
            )
        return
    strangers = (
        [p.name for p in folder.iterdir() if p.name != "runs" and not p.name.endswith(".tmp")]
        if folder.exists()
        else []
    )
    if strangers:
        raise ValueError(
            f"out: {folder} is not empty and holds no study (found {', '.join(sorted(strangers)[:3])}); choose another folder"
        )
    write_json(mark, {"study": study, "profile": profile})


def _write(folder: Path, page: Page, command: str, profile: str) -> None:
    for section in page.sections:
        for figure in section.figures:
            for kind in ("png", "svg"):
                write_atomically(folder / "figures" / f"{figure.name}.{kind}", figure_bytes(figure, kind))
    for name, table in {"results": page.results, **page.tables}.items():
        # rounded, so that a file does not pretend to more than was measured
        write_text(folder / f"{name}.csv", table.round(6).to_csv(index=False, lineterminator="\n"))
    write_json(folder / "claims.json", [claim.as_json() for claim in page.claims])
    write_text(folder / "report.html", render(page, command=command, profile=profile))
