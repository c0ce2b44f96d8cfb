"""From the name of a study to its page: train what is missing, measure, decide, write."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from ctxlearn.checks import check_int, unknown_name
from ctxlearn.report import figure_bytes, render
from ctxlearn.storage import StorageError, write_atomically, write_json, write_text
from ctxlearn.studies.base import Findings, Study, Workload, rounded
from ctxlearn.studies.claims import Claim
from ctxlearn.studies.names import PROFILES, STUDIES
from ctxlearn.studies.store import RunStore
from ctxlearn.threads import available_cores

SMOKE = "The smoke profile only shows that everything runs: its numbers mean nothing."
"""Ends what every page of that profile says of how sure it is."""


@dataclass(frozen=True)
class StudyResult:
    """What `reproduce` wrote.

    Attributes:
        folder: with claims.json, results.csv, report.html and figures/.
        claims: the decided claims.
        results: results.csv as a table.
    """

    folder: Path
    claims: list[Claim]
    results: pd.DataFrame

    @property
    def report(self) -> Path:
        """The page."""
        return self.folder / "report.html"


def reproduce(
    study: str,
    *,
    profile: str = "quick",
    seeds: int = 1,
    jobs: int | None = None,
    out: Path | str | None = None,
    runs: Path | str | None = None,
    progress: bool = True,
) -> StudyResult:
    """Train what a study needs and is not there yet, measure it, decide its claims and write its page.

    Stopped at any moment and called again it goes on where it was; nothing is trained twice, and the files come out
    the same, byte for byte, whatever `jobs` is; only times that a study measured (`tables`) differ.

    Args:
        study: its name; `ctxlearn list studies` shows them.
        profile: "smoke" (seconds), "quick" (minutes on 2 cores) or "paper" (a GPU).
        seeds: training seeds 0..seeds-1; with 2 or more the claims speak of new seeds too.
        jobs: threads in all; None means one a core.
        out: the folder to write; None means results/STUDY-PROFILE.
        runs: where trained runs are kept and found again; None means `runs` inside `out`. Studies may share one.
        progress: show progress bars.

    Raises:
        ValueError: an unknown name, an impossible number, or a folder that holds something else.
        StorageError: `out` cannot be written.
        TrainingFailed: a training ended with an error.
    """
    if study not in STUDIES:
        unknown_name("study", study, STUDIES)
    if profile not in PROFILES:
        unknown_name("profile", profile, PROFILES)
    check_int("seeds", seeds, minimum=1)
    jobs = available_cores() if jobs is None else check_int("jobs", jobs, minimum=1)
    folder = Path(out) if out is not None else Path("results") / f"{study}-{profile}"
    _claim_folder(folder, study, profile)
    plan: Study = importlib.import_module(f"ctxlearn.studies.{study}").STUDY
    store = RunStore(Path(runs) if runs is not None else folder / "runs")
    trainings = {seed: plan.trainings(profile, seed) for seed in range(seeds)}
    store.train([t for named in trainings.values() for t in named.values()], jobs=jobs, progress=progress)
    learners = {
        seed: {name: store.load(training) for name, training in named.items()} for seed, named in trainings.items()
    }
    folders = {seed: {name: store.path(t) for name, t in named.items()} for seed, named in trainings.items()}
    workload = Workload(threads=jobs, progress=progress, folders=folders, parts=folder / "parts")
    findings = plan.findings(profile, learners, workload)
    if profile == "smoke":
        findings = replace(findings, sure=f"{findings.sure} {SMOKE}")
    command = f"ctxlearn reproduce {study} --profile {profile} --seeds {seeds}"
    _write(folder, findings, command, profile)
    return StudyResult(folder, findings.claims, findings.results)


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


def _write(folder: Path, findings: Findings, command: str, profile: str) -> None:
    for section in findings.sections:
        for figure in section.figures:
            for kind in ("png", "svg"):
                write_atomically(folder / "figures" / f"{figure.name}.{kind}", figure_bytes(figure, kind))
    for name, table in {"results": findings.results, **findings.tables}.items():
        write_text(folder / f"{name}.csv", rounded(table).to_csv(index=False, lineterminator="\n"))
    write_json(folder / "claims.json", [claim.as_json() for claim in findings.claims])
    write_text(folder / "report.html", render(findings, command=command, profile=profile))
