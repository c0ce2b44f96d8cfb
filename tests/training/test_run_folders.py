"""The folder of a run under way: for one process alone, and what happens when it is taken away."""

import itertools
import os
import shutil
import threading
from pathlib import Path

import pytest
import runs
import torch
from filelock import FileLock

from ctxlearn.learners import ProtoNet
from ctxlearn.storage import StorageError
from ctxlearn.tasks import ClassPrototype
from ctxlearn.training import Curriculum, FamilySource, RunFolderError, Smooth, TrainingConfig, load, train
from ctxlearn.training.run_folder import LibraryVersionWarning, RunFolder


def settings(seed=0):
    return {"learner": {"class_path": "x", "init_args": {}}, "training": {"seed": seed}}


def test_two_starts_of_one_run_end_with_the_same_bits_and_neither_fails(tmp_path):
    changes = {"steps": 30, "checkpoint_every": 1}
    expected = runs.result(runs.small(tmp_path / "whole", **changes).folder)
    for trial in range(3):
        out = tmp_path / f"run-{trial}"
        first = runs.start(runs.train_until, out, dict(changes), None, str(tmp_path / f"first-{trial}"))
        while not runs.checkpoints(out):
            first.join(0.002)
        others = [
            runs.start(runs.train_until, out, dict(changes), None, str(tmp_path / f"other-{trial}-{k}"))
            for k in range(2)
        ]
        for process in (first, *others):
            process.join()
            assert process.exitcode == 0
        assert runs.result(out) == expected
        assert not list(out.rglob("*.tmp"))


def test_a_second_start_touches_nothing_before_it_has_the_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("ctxlearn.training.run_folder.LOCK_SECONDS", 0.05)
    first, second = RunFolder(tmp_path / "run"), RunFolder(tmp_path / "run")
    with first.claimed(settings()):
        parts = [tmp_path / "run" / ".model.safetensors.1.tmp", tmp_path / "run" / "checkpoints" / ".part-1.tmp"]
        parts[1].parent.mkdir()
        for part in parts:
            part.write_text("being written")
        before = {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in (tmp_path / "run").rglob("*")}
        with pytest.raises(RunFolderError, match="another process is training in it"), second.claimed(settings()):
            pass
        assert {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in (tmp_path / "run").rglob("*")} == before
        first.check_still_there()
    with second.claimed(settings()):
        assert not any(part.exists() for part in parts)


@pytest.mark.parametrize("other", [0, 1])
def test_whoever_is_faster_is_seen_for_what_it_is(other, tmp_path, monkeypatch):
    """Another start claims the folder and writes in it, just before each look at the files that the first one takes."""

    def claim(out, when):
        """How often we look before we have the folder, and what we say of it."""
        looks = itertools.count()

        def watched(method):
            def look(path, *args, **kwargs):
                if out in (path, getattr(path, "parent", None)) and next(looks) == when:
                    with RunFolder(out).claimed(settings(other)):
                        (out / "metrics.csv").write_text("step,loss\n")
                return method(path, *args, **kwargs)

            return look

        with monkeypatch.context() as patch:
            for name in ("exists", "is_dir", "is_file", "iterdir"):
                patch.setattr(f"pathlib.Path.{name}", watched(getattr(Path, name)))
            acquire = FileLock.acquire
            patch.setattr(
                FileLock, "acquire", lambda lock: (patch.undo(), acquire(lock))
            )  # others must wait from here on
            try:
                with RunFolder(out).claimed(settings()):
                    return next(looks), "ours"
            except RunFolderError as error:
                return next(looks), str(error)

    last, said = claim(tmp_path / "alone", None)
    assert said == "ours"
    assert last >= 4
    for when in range(last):
        _, said = claim(tmp_path / f"run-{when}", when)
        assert (said == "ours") if other == 0 else ("holds another run (training.seed" in said), when


def test_many_starts_at_once_claim_one_run_once(tmp_path, monkeypatch):
    monkeypatch.setattr("ctxlearn.training.run_folder.LOCK_SECONDS", 600)  # whatever else the machine does
    seen, errors = [], []

    def claim(seed):
        folder = RunFolder(tmp_path / "run")
        try:
            with folder.claimed(settings(seed)):
                seen.append(folder.read_config()["training"]["seed"])
        except RunFolderError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=claim, args=(k % 2,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 1
    assert len(seen) >= 4
    assert all("holds another run" in error for error in errors)


def test_a_folder_of_somebody_elses_is_not_written_to(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with (
        pytest.raises(RunFolderError, match=r"is not empty and holds no run \(found mine.txt\)"),
        RunFolder(tmp_path).claimed(settings()),
    ):
        pass
    assert os.listdir(tmp_path) == ["mine.txt"]


def delete(out):
    shutil.rmtree(out)


def move(out):
    out.rename(out.with_name("elsewhere"))


def replace(out):
    shutil.rmtree(out)
    out.mkdir()


def start_again(out):
    shutil.rmtree(out)
    with RunFolder(out).claimed(settings(1)):
        pass


def forget(out):
    (out / "config.yaml").unlink()


FATES = [delete, move, replace, start_again, forget]


class Fatal(ClassPrototype):
    """Tasks, in whose drawing something happens once."""

    def __init__(self, n_features=2):
        super().__init__(n_features)
        self.calls, self.at, self.happens = 0, None, None

    def sample_points(self, parameters, n_points, *, generator):
        self.calls += 1
        if self.calls == self.at:
            self.happens()
        return super().sample_points(parameters, n_points, generator=generator)


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize(("every", "step"), [(3, 7), (3, 12), (0, 5), (1, 1)])
def test_a_folder_that_is_gone_is_noticed_at_the_next_write(fate, every, step, tmp_path):
    family = Fatal()
    family.at, family.happens = step, lambda: fate(tmp_path / "run")
    with pytest.raises(StorageError, match="run was deleted, moved or replaced while it was trained"):
        runs.small(tmp_path / "run", source=family, checkpoint_every=every)
    assert not (tmp_path / "run" / "model.safetensors").exists()
    assert not (tmp_path / "run" / "checkpoints").exists() or fate is forget


def test_a_folder_that_is_gone_is_noticed_where_weights_are_kept(tmp_path):
    family = Fatal()
    family.at, family.happens = 2, lambda: delete(tmp_path / "run")
    with pytest.raises(StorageError, match="was deleted, moved or replaced"):
        runs.small(tmp_path / "run", source=family, checkpoint_every=0, keep_every=2)


def test_a_checkpoint_of_another_run_is_set_aside(tmp_path, monkeypatch):
    expected = runs.result(runs.small(tmp_path / "whole").folder)
    runs.small(tmp_path / "other", seed=1)
    runs.stop_at(monkeypatch, 8)
    with pytest.raises(runs.Stopped):
        runs.small(tmp_path / "run")
    monkeypatch.undo()
    name = "step-00000006.safetensors"
    shutil.copy(max((tmp_path / "other" / "checkpoints").iterdir()), tmp_path / "run" / "checkpoints" / name)
    with pytest.warns(UserWarning, match="is of another run; going on from the checkpoint before it"):
        runs.small(tmp_path / "run")
    assert runs.result(tmp_path / "run") == expected


def test_a_finished_run_needs_no_class_but_the_one_at_hand(tmp_path):
    """A learner that could not be built again, here for its dataclass, still comes back to who hands it in."""
    first = runs.small(tmp_path / "run")
    learner = runs.transformer()
    again = runs.small(tmp_path / "run", learner=learner)
    assert again.learner is learner
    assert all(torch.equal(a, b) for a, b in zip(learner.parameters(), load(first.folder).parameters(), strict=True))


def test_a_run_that_another_version_began_is_gone_on_with_under_a_warning(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("ctxlearn.training.run_folder.__version__", "0.0.1")
        runs.small(tmp_path / "run")
    with pytest.warns(LibraryVersionWarning, match=r"begun with ctxlearn 0\.0\.1"):
        runs.small(tmp_path / "run")
    load(tmp_path / "run")  # to use what is finished needs no warning
    new = RunFolder(tmp_path / "run")
    assert "version" not in new.read_config()
    assert new.version == "0.0.1"


def test_settings_that_a_source_has_itself_are_refused_by_name(tmp_path):
    for source in (
        FamilySource(ClassPrototype(), 2, 5),
        Curriculum(ClassPrototype(), 2, 5, {"scale": Smooth(0.5, 1.0, 4)}),
    ):
        for name, own in (("tasks_per_step", 4), ("n_points", 5)):
            config = TrainingConfig(steps=1, progress=False, **{name: 2 * own})
            with pytest.raises(ValueError, match=f"{name}: expected none .* {own} of this {type(source).__name__}"):
                train(ProtoNet(2, 2), source, config, out=tmp_path / "refused")
            assert not (tmp_path / "refused").exists()
        config = TrainingConfig(steps=1, tasks_per_step=4, progress=False)
        train(ProtoNet(2, 2), source, config, out=tmp_path / type(source).__name__)
