"""A run of classes of one's own depends on their code."""

import importlib
import sys

import pytest
import runs
import yaml

from ctxlearn.training import RunFolderError, TrainingConfig, run_settings
from ctxlearn.training.run_folder import run_hash

FAMILY = '''
import torch
from ctxlearn.tasks import TaskFamily

class Base(TaskFamily):
    def scale(self):
        return {scale}

class Own(Base):
    """{words}"""

    n_features, n_classes = 2, 2

    def sample_parameters(self, n_tasks, *, generator):
        return torch.randn(n_tasks, 2, generator=generator)

    def sample_points(self, parameters, n_points, *, generator):
        x = torch.randn(len(parameters), n_points, 2, generator=generator) * self.scale()
        return x, ((x * parameters[:, None]).sum(-1) > {at}).long()
'''


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Writes a family with these details and gives it."""
    monkeypatch.syspath_prepend(tmp_path / "code")
    (tmp_path / "code").mkdir()
    versions = iter(range(100))

    def written(at=0, scale=1, words="A family."):
        name = f"own_family_{next(versions)}"
        (tmp_path / "code" / f"{name}.py").write_text(FAMILY.format(at=at, scale=scale, words=words))
        importlib.invalidate_caches()
        module = importlib.import_module(name)
        for cls in (module.Base, module.Own):
            cls.__module__ = "own_family"  # the same module, edited
        monkeypatch.setitem(sys.modules, "own_family", module)
        return module.Own()

    return written


def test_another_body_is_another_run_and_other_words_are_not(own, tmp_path):
    runs.small(tmp_path / "run", source=own())
    runs.small(tmp_path / "run", source=own(words="Other words."))
    for changes in ({"at": 1}, {"scale": 2}):
        with pytest.raises(RunFolderError, match=r"holds another run .*classes of your own whose code was another"):
            runs.small(tmp_path / "run", source=own(**changes))


def test_a_run_of_the_librarys_own_classes_has_the_hash_it_had():
    settings = run_settings(runs.transformer(), runs.ClassPrototype(), TrainingConfig(**runs.SMALL))
    assert list(settings) == ["learner", "source", "objective", "training", "initial_weights"]


def test_a_run_from_before_code_was_kept_goes_on(own, tmp_path, monkeypatch):
    runs.small(tmp_path / "new", source=runs.Watched())
    runs.stop_at(monkeypatch, 5)
    with monkeypatch.context() as patch:
        patch.setattr("ctxlearn.training.trainer.is_own", lambda cls: False)
        with pytest.raises(runs.Stopped):
            runs.small(tmp_path / "old", source=runs.Watched())
    held = yaml.safe_load((tmp_path / "old" / "config.yaml").read_text())
    assert "code" not in held
    monkeypatch.setattr("runs.on_batch", None)
    run = runs.small(tmp_path / "old", source=runs.Watched())
    assert (
        run.facts["hash"] == held["hash"] == run_hash({k: v for k, v in held.items() if k not in ("hash", "version")})
    )
    assert (tmp_path / "old" / "metrics.csv").read_bytes() == (tmp_path / "new" / "metrics.csv").read_bytes()
