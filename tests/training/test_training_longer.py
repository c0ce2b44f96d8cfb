"""A finished run is trained longer; one's own optimiser and schedule."""

from dataclasses import replace

import pytest
import torch

import ctxlearn
from ctxlearn.learners import InContextTransformer, MatchNet
from ctxlearn.tasks import ClassPrototype
from ctxlearn.training import Curriculum, RunFolderError, Stairs, TrainingConfig

CONFIG = TrainingConfig(
    steps=6, tasks_per_step=4, n_points=5, schedule="constant", warmup_steps=1, log_every=1, progress=False
)


def learner():
    return InContextTransformer(2, 2, width=8, depth=1)


def train(out, source=None, **changes):
    options = {name: changes.pop(name) for name in ("after", "learner") if name in changes}
    config = replace(CONFIG, **changes)
    made = options.pop("learner", None) or learner()
    return ctxlearn.train(made, source or ClassPrototype(), config, out=out, **options)


def same(first, second):
    pairs = zip(first.learner.state_dict().values(), second.learner.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_trained_longer_it_is_what_it_would_have_been_at_once(averaging, tmp_path):
    train(tmp_path / "short", averaging=averaging)
    longer = train(tmp_path / "longer", averaging=averaging, steps=10, after=tmp_path / "short")
    at_once = train(tmp_path / "at once", averaging=averaging, steps=10)
    assert same(longer, at_once)
    assert longer.facts["step"] == 10
    assert longer.facts["hash"] != at_once.facts["hash"]
    assert longer.metrics["step"].tolist() == [6, 7, 8, 9]
    assert longer.metrics["loss"].tolist() == at_once.metrics["loss"].tolist()[6:]
    again = train(tmp_path / "longer", averaging=averaging, steps=10, after=tmp_path / "short")
    assert again.facts == longer.facts


def test_what_a_source_has_counted_goes_on_too(tmp_path):
    source = Curriculum(ClassPrototype(scale=3.0), 2, 5, {"scale": Stairs(1.0, 3.0, 1.0, 4)})
    train(tmp_path / "short", source)
    longer = train(tmp_path / "longer", source, steps=10, after=tmp_path / "short")
    assert same(longer, train(tmp_path / "at once", source, steps=10))


def test_what_cannot_be_gone_on_from_is_refused(tmp_path):
    short = train(tmp_path / "short")
    for changes, words in (
        ({"steps": 6}, "steps: expected more than the 6"),
        ({"steps": 8, "learner": MatchNet(2, 2)}, "learner: expected the learner of the run"),
        ({"steps": 8, "after": 3}, "after: expected the folder"),
        ({"steps": 8, "after": tmp_path}, "holds no run"),
    ):
        with pytest.raises(ValueError, match=words):
            train(tmp_path / "out", **{"after": short.folder, **changes})
    for path in (short.folder / "checkpoints").iterdir():
        path.unlink()
    with pytest.raises(RunFolderError, match="no state of its optimiser"):
        train(tmp_path / "out", steps=8, after=short.folder)
    assert not (tmp_path / "out").exists()


def make(module, config):
    return torch.optim.SGD(module.parameters(), lr=config.learning_rate, momentum=0.9)


def no_optimizer(module, config):
    return None


def halves(step, config):
    return 0.5**step


def test_an_optimiser_and_a_schedule_of_ones_own_are_used_and_resumed(tmp_path, monkeypatch):
    own = {"optimizer": f"{__name__}.make", "schedule": f"{__name__}.halves"}
    whole = train(tmp_path / "whole", **own)
    assert whole.metrics["rate"].tolist() == [0.5**k for k in range(6)]
    before = learner()
    moved = [not torch.equal(a, b) for a, b in zip(before.parameters(), whole.learner.parameters(), strict=True)]
    assert any(moved)
    assert not same(whole, train(tmp_path / "other", schedule=own["schedule"]))
    train(tmp_path / "short", **own, steps=3)
    assert same(train(tmp_path / "longer", **own, after=tmp_path / "short"), whole)  # momentum goes on too


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"optimizer": "nowhere.make"}, "no module nowhere"),
        ({"schedule": f"{__name__}.nothing"}, "has no function nothing"),
        ({"optimizer": "adam"}, "optimizer: unknown name 'adam'"),
        ({"schedule": "mine..cosine"}, "schedule: unknown name"),
    ],
)
def test_a_function_that_is_not_there_is_named_before_a_folder_is_made(changes, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        train(tmp_path / "out", **changes)
    assert not (tmp_path / "out").exists()


def test_what_is_no_optimiser_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"expected a torch\.optim\.Optimizer from .*no_optimizer, got None"):
        train(tmp_path / "out", optimizer=f"{__name__}.no_optimizer")
