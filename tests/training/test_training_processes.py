import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import runs
import torch
import train_in_processes
from train_in_processes import Noted

from ctxlearn.training import load

SCRIPT = Path(train_in_processes.__file__)
SETTINGS = {"steps": 20, "shards": 4, "tasks_per_step": 8, "averaging": 0.5, "validate_every": 5, "threads": 1}
TORCHRUN = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "0", "--rdzv_backend", "c10d",
            "--rdzv_endpoint", "localhost:0"]  # fmt: skip


def run_script(folder, *launcher, **changes):
    notes = folder.with_name(f"{folder.name}.notes")
    environment = os.environ | {
        "CTXLEARN_NOTES": str(notes),
        "PYTHONPATH": os.pathsep.join(runs.PLACES),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, *launcher, str(SCRIPT), str(folder), json.dumps(SETTINGS | changes)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    return sorted(notes.read_text().splitlines()), done.stderr


def weights(folder):
    return torch.cat([p.detach().flatten() for p in load(folder).parameters()])


def run_here(folder, monkeypatch, die_at=None):
    """The same run in this process: run-time options and the number of processes are not in its hash."""
    notes = folder.with_name(f"{folder.name}.notes")
    with monkeypatch.context() as patch:
        patch.setenv("CTXLEARN_NOTES", str(notes))
        if die_at is None:
            runs.small(folder, source=Noted(), **SETTINGS)
        else:
            patch.setenv("CTXLEARN_DIE_AT", str(die_at))
            with pytest.raises(SystemExit):
                runs.small(folder, source=Noted(), **SETTINGS)
    return sorted(notes.read_text().splitlines())


@pytest.fixture
def alone(tmp_path, monkeypatch):
    folder = tmp_path / "alone"
    tasks = run_here(folder, monkeypatch)
    assert len(tasks) == 20 * 4
    return folder, tasks


def test_two_processes_of_torchrun_draw_the_same_tasks_and_reach_the_same_weights(alone, tmp_path):
    folder, expected = alone
    tasks, _ = run_script(tmp_path / "run", *TORCHRUN)
    assert tasks == expected
    assert (weights(tmp_path / "run") - weights(folder)).abs().max() < 1e-5


def test_two_processes_of_its_own_launcher_draw_the_same_tasks_and_reach_the_same_weights(alone, tmp_path):
    folder, expected = alone
    tasks, _ = run_script(tmp_path / "run", processes=2)
    assert tasks == expected
    assert (weights(tmp_path / "run") - weights(folder)).abs().max() < 1e-5


def test_two_processes_go_on_from_the_checkpoint_before_a_damaged_one(alone, tmp_path, monkeypatch):
    folder, _ = alone
    out = tmp_path / "run"
    run_here(out, monkeypatch, die_at=8)
    newest = out / "checkpoints" / "step-00000006.safetensors"
    newest.write_bytes(newest.read_bytes()[:-7])
    (tmp_path / "run.notes").unlink()
    tasks, errors = run_script(out, *TORCHRUN)
    assert errors.count("going on from the checkpoint before it") == 1
    assert min(int(line.split()[0]) for line in tasks) == 3
    assert (weights(out) - weights(folder)).abs().max() < 1e-5
