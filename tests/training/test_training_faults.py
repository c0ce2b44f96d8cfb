import errno
import os
import re
from types import SimpleNamespace

import pytest
import runs
import torch

from ctxlearn.storage import load_tensors
from ctxlearn.tasks import ClassPrototype
from ctxlearn.training import CorruptFileError, StorageError, TrainingDiverged, load
from ctxlearn.training.optimizers import Average, Optimizer
from ctxlearn.training.run_folder import RunFolder


def stopped(monkeypatch, out, step=8, **changes):
    """A run in `out` that died at a step, with checkpoints after 3 and 6 steps."""
    runs.stop_at(monkeypatch, step)
    with pytest.raises(runs.Stopped):
        runs.small(out, **changes)
    monkeypatch.undo()


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


def flip_the_header(path):
    content = bytearray(path.read_bytes())
    content[content.index(b"step")] ^= 1
    path.write_bytes(content)


DAMAGES = [truncate, flip_a_bit, empty, flip_the_header]


def test_a_run_that_died_goes_on_from_its_newest_checkpoint(tmp_path, monkeypatch):
    expected = runs.result(runs.small(tmp_path / "whole").folder)
    stopped(monkeypatch, tmp_path / "run")
    assert runs.checkpoints(tmp_path / "run") == ["step-00000003.safetensors", "step-00000006.safetensors"]
    steps = runs.record_steps(monkeypatch)
    runs.small(tmp_path / "run")
    assert sorted(set(steps)) == [6, 7, 8, 9, 10, 11]
    assert runs.result(tmp_path / "run") == expected


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(damage, tmp_path, monkeypatch):
    expected = runs.result(runs.small(tmp_path / "whole").folder)
    stopped(monkeypatch, tmp_path / "run")
    damage(tmp_path / "run" / "checkpoints" / "step-00000006.safetensors")
    steps = runs.record_steps(monkeypatch)
    with pytest.warns(UserWarning, match=r"step-00000006\.safetensors .*; going on from the checkpoint before it"):
        runs.small(tmp_path / "run")
    assert min(steps) == 3
    assert runs.result(tmp_path / "run") == expected


def test_a_run_without_a_whole_checkpoint_starts_over_and_ends_with_the_same_bits(tmp_path, monkeypatch):
    expected = runs.result(runs.small(tmp_path / "whole").folder)
    stopped(monkeypatch, tmp_path / "run")
    for path in (tmp_path / "run" / "checkpoints").iterdir():
        truncate(path)
    with pytest.warns(UserWarning, match="going on from the checkpoint before it") as warnings:
        runs.small(tmp_path / "run")
    assert len(warnings) == 2
    assert runs.result(tmp_path / "run") == expected


def test_lost_metrics_are_warned_of_and_the_weights_are_the_same(tmp_path, monkeypatch):
    expected = runs.result(runs.small(tmp_path / "whole").folder)
    stopped(monkeypatch, tmp_path / "run")
    (tmp_path / "run" / "metrics.csv").unlink()
    with pytest.warns(UserWarning, match=r"metrics\.csv is shorter than its checkpoint says"):
        run = runs.small(tmp_path / "run")
    assert runs.result(tmp_path / "run")[0] == expected[0]
    assert list(run.metrics["step"]) == [6, 8, 10, 11]


@pytest.mark.parametrize("damage", DAMAGES[:3])
def test_an_altered_model_is_refused(damage, tmp_path):
    runs.small(tmp_path)
    damage(tmp_path / "model.safetensors")
    with pytest.raises(CorruptFileError, match=r"model\.safetensors (is truncated|was altered)"):
        load(tmp_path)
    with pytest.raises(CorruptFileError, match=r"model\.safetensors"):
        runs.small(tmp_path)


def test_a_model_of_another_run_is_refused(tmp_path):
    runs.small(tmp_path / "a")
    runs.small(tmp_path / "b", seed=1)
    (tmp_path / "a" / "model.safetensors").write_bytes((tmp_path / "b" / "model.safetensors").read_bytes())
    with pytest.raises(CorruptFileError, match="is not of the run in"):
        load(tmp_path / "a")


class TurningBad(runs.Watched):
    """Inputs grow without bound from step 7 on, so that the loss is not finite."""

    def batch(self, step, shard, generator):
        tasks = super().batch(step, shard, generator)
        return type(tasks)(tasks.x * (1e38 if step >= 7 else 1.0), tasks.y, tasks.n_classes)


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"source": TurningBad()}, r"7"),
        ({"learning_rate": 1e30, "warmup_steps": 0}, r"\d+"),
    ],
)
def test_a_loss_that_is_not_finite_stops_the_run_and_the_last_good_checkpoint_stands(changes, step, tmp_path):
    with pytest.raises(
        TrainingDiverged, match=rf"step {step}: the loss is .* last good checkpoint is .*step-0000000\d"
    ):
        runs.small(tmp_path, checkpoint_every=1, **changes)
    assert not (tmp_path / "model.safetensors").exists()
    tensors, _ = load_tensors(tmp_path / "checkpoints" / runs.checkpoints(tmp_path)[-1])
    assert all(torch.isfinite(t).all() for name, t in tensors.items() if name.startswith("learner/"))


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("place", ["os.fsync", "os.replace", "os.open", "os.write"])
def test_a_disk_that_fills_up_is_one_clear_error_and_the_run_goes_on_later(place, tmp_path, monkeypatch):
    expected = runs.result(runs.small(tmp_path / "whole").folder)
    monkeypatch.setattr("runs.on_batch", lambda step, _: step == 5 and monkeypatch.setattr(place, full))
    with pytest.raises(StorageError) as caught:
        runs.small(tmp_path / "run")
    message = str(caught.value)
    assert "step 6: cannot write" in message
    assert "No space left on device" in message
    assert "the last good checkpoint is step-00000003.safetensors: train again to go on from it" in message
    assert caught.value.errno == errno.ENOSPC
    monkeypatch.undo()
    assert not list((tmp_path / "run").rglob("*.tmp"))
    runs.small(tmp_path / "run")
    assert runs.result(tmp_path / "run") == expected


def test_a_disk_that_fills_up_at_the_very_end_is_a_storage_error_too(tmp_path, monkeypatch):
    expected = runs.result(runs.small(tmp_path / "whole").folder)
    monkeypatch.setattr("runs.on_batch", lambda step, _: step == 11 and monkeypatch.setattr(os, "replace", full))
    with pytest.raises(StorageError, match=r"cannot write .*step-00000012\.safetensors: No space left"):
        runs.small(tmp_path / "run")
    monkeypatch.undo()
    runs.small(tmp_path / "run")
    assert runs.result(tmp_path / "run") == expected


def half_full():
    """`os.write` on a disk that has room for half of what comes first."""
    write, calls = os.write, iter(range(10**6))
    return lambda number, content: write(number, content[: len(content) // 2]) if next(calls) == 0 else full()


@pytest.mark.parametrize(
    ("place", "failing"),
    [*((place, lambda: full) for place in ("os.open", "os.write", "os.fsync", "os.replace")), ("os.write", half_full)],
)
def test_a_disk_that_fills_up_at_the_model_itself_costs_no_step(place, failing, tmp_path, monkeypatch):
    expected = runs.result(runs.small(tmp_path / "whole").folder)
    save_model = RunFolder.save_model

    def at_last(*args):
        monkeypatch.setattr(place, failing())
        save_model(*args)

    monkeypatch.setattr(RunFolder, "save_model", at_last)
    with pytest.raises(StorageError) as caught:
        runs.small(tmp_path / "run")
    monkeypatch.undo()
    assert re.match(
        r"step 12: cannot write .*model\.safetensors: No space left on device; free space", str(caught.value.strerror)
    )
    assert "the last good checkpoint is step-00000012.safetensors: train again to go on from it" in str(caught.value)
    assert caught.value.errno == errno.ENOSPC
    assert not list((tmp_path / "run").rglob("*.tmp"))
    assert not list((tmp_path / "run").rglob(".part-*"))
    with pytest.raises(ValueError, match="is not finished"):
        load(tmp_path / "run")
    steps = runs.record_steps(monkeypatch)
    runs.small(tmp_path / "run")
    assert steps == []
    assert runs.result(tmp_path / "run") == expected


def test_a_disk_too_small_for_a_checkpoint_is_found_out_before_the_first_step(tmp_path, monkeypatch):
    steps = runs.record_steps(monkeypatch)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(
        StorageError, match=r"step 0: cannot write a checkpoint of [\d,]+ bytes .* 100 bytes are free"
    ) as caught:
        runs.small(tmp_path)
    assert caught.value.errno == errno.ENOSPC
    assert steps == []


def test_a_file_in_place_of_the_folder_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StorageError, match="out: expected a folder, got the file"):
        runs.small(tmp_path / "file")
    with pytest.raises(StorageError, match="cannot write"):
        runs.small(tmp_path / "file" / "below")
    assert (tmp_path / "file").read_text() == "mine"


def test_an_error_of_a_family_reaches_the_caller(tmp_path):
    class Broken(ClassPrototype):
        def sample_points(self, parameters, n_points, *, generator):
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        runs.small(tmp_path, source=Broken(), threads=2)


def interrupting(method, wanted):
    calls = iter(range(10**6))

    def call(self, *args):
        value = method(self, *args)
        if next(calls) == wanted:
            raise KeyboardInterrupt
        return value

    return call


@pytest.mark.parametrize("where", ["in the optimiser", "in the average", "while drawing", "while logging"])
def test_a_run_interrupted_by_the_keyboard_ends_with_the_same_bits(where, tmp_path, monkeypatch):
    changes = {"shards": 1, "tasks_per_step": 2, "averaging": 0.5}
    expected = runs.result(runs.small(tmp_path / "whole", source=runs.Growing(), **changes).folder)
    if where == "in the optimiser":
        monkeypatch.setattr(Optimizer, "step", interrupting(Optimizer.step, 7))
    elif where == "in the average":
        monkeypatch.setattr(Average, "update", interrupting(Average.update, 7))
    elif where == "while drawing":
        monkeypatch.setattr(runs.Growing, "batch", interrupting(runs.Growing.batch, 7))
    else:
        monkeypatch.setattr("tqdm.tqdm.update", interrupting(lambda *_: None, 7))
    with pytest.raises(KeyboardInterrupt):
        runs.small(tmp_path / "run", source=runs.Growing(), **changes)
    monkeypatch.undo()
    runs.small(tmp_path / "run", source=runs.Growing(), **changes)
    assert runs.result(tmp_path / "run") == expected
