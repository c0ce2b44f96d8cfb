"""All runs beneath a folder as one table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd

from ctxlearn.checks import describe
from ctxlearn.storage import load_tensors
from ctxlearn.training.run_folder import RunFolder


def runs(folder: Path | str) -> pd.DataFrame:
    """Every run in a folder and in the folders below it, finished or not.

    Args:
        folder: where to look; the folder of a single run is one too.

    Returns:
        One row per run, by path: `run` (its path below `folder`), `finished`, `step` (of the final weights, or of the last
        checkpoint), `validation_loss` (NaN while unfinished), `hash`, and one column per setting, named as in its
        config.yaml without the levels class_path and init_args: "learner", "learner.width", "training.steps".

    Raises:
        ValueError: there is no such folder.
        RunFolderError: a config.yaml that cannot be read.
        CorruptFileError: weights that are not what was written.
    """
    if not isinstance(folder, str | os.PathLike) or not Path(folder).is_dir():
        raise ValueError(f"folder: expected a folder that exists, got {describe(folder)}")
    root = Path(folder)
    rows = [_row(path.parent, root) for path in sorted(root.rglob("config.yaml"))]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return pd.DataFrame(rows, columns=columns or ["run", "finished", "step", "validation_loss", "hash"])


def _row(path: Path, root: Path) -> dict[str, Any]:
    place = RunFolder(path)
    settings = place.read_config()
    row: dict[str, Any] = {"run": str(path.relative_to(root)), "finished": place.model.is_file()}
    if row["finished"]:
        facts = load_tensors(place.model)[1]
        row |= {"step": facts["step"], "validation_loss": facts["validation_loss"]}
    else:
        files = place.checkpoint_files()
        row |= {"step": int(files[-1].stem.removeprefix("step-")) if files else 0, "validation_loss": float("nan")}
    row["hash"] = settings.pop("hash")
    return row | dict(flat(settings))


def flat(settings: Any, name: str = "") -> list[tuple[str, Any]]:
    """Settings as pairs of a dotted name and a plain value: what has a class is its short name, and its arguments follow."""
    if isinstance(settings, dict) and {"array", "sha256"} <= set(settings):
        return [(name, f"array {settings['shape']} {settings['sha256'][:8]}")]
    if isinstance(settings, list):
        if all(not isinstance(item, dict | list) for item in settings):
            return [(name, ", ".join(map(str, settings)))]
        return [pair for i, item in enumerate(settings) for pair in flat(item, f"{name}.{i}")]
    if not isinstance(settings, dict):
        return [(name, settings)]
    found: list[tuple[str, Any]] = []
    for key, value in settings.items():
        if key == "class_path":
            found.append((name, str(value).rpartition(".")[2]))
        else:
            found += flat(value, name if key == "init_args" else f"{name}.{key}".lstrip("."))
    return found
