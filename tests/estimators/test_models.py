"""The models that come with the package."""

from pathlib import Path

import pytest
import torch
from torch.nn.functional import pad

import ctxlearn
from ctxlearn import load
from ctxlearn.storage import CorruptFileError
from ctxlearn.tasks import WideClassification, WideRegression
from ctxlearn.training.run_folder import RunFolder

MODELS = Path(ctxlearn.__file__).parent / "models"
KINDS = ("classifier", "regressor")


@pytest.fixture(scope="module")
def shipped():
    return {kind: load(MODELS / kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_is_small_and_takes_gaps(shipped, kind):
    learner = shipped[kind]
    assert sum(p.numel() for p in learner.parameters()) <= 1_200_000
    assert learner.accepts_missing
    assert learner.n_features == 100
    assert learner.n_classes == (10 if kind == "classifier" else None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_is_the_run_that_its_config_describes_on_a_family_there_is(kind):
    settings = RunFolder(MODELS / kind).read_config()
    source = settings["source"]["init_args"]["family"]
    family = {"classifier": WideClassification, "regressor": WideRegression}[kind]
    assert source["class_path"] == f"{family.__module__}.{family.__name__}"
    assert "/" not in str(settings)


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_model_is_refused(kind, tmp_path):
    for name in ("config.yaml", "model.safetensors"):
        content = bytearray((MODELS / kind / name).read_bytes())
        if name == "model.safetensors":
            content[-100] ^= 1
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CorruptFileError):
        load(tmp_path)


@torch.no_grad()
def test_the_classifier_gets_better_with_context_and_beats_the_common_class(shipped, generator):
    tasks = WideClassification().sample(150, 80, generator=generator)
    accuracy = {}
    for n in (4, 16, 48):
        episode = tasks.split(n)
        right = shipped["classifier"](episode.context_x, episode.context_y, episode.query_x).argmax(-1)
        accuracy[n] = (right == episode.query_y).float().mean(1)
        common = (episode.context_y.mode(1).values[:, None] == episode.query_y).float().mean(1)
        gain = accuracy[n] - common
        assert gain.mean() > 2 * gain.std() / len(gain) ** 0.5
    assert accuracy[4].mean() + 0.05 < accuracy[16].mean() < accuracy[48].mean()


@torch.no_grad()
def test_classes_apart_are_told_from_two_rows_each(shipped, generator):
    y = torch.arange(6).repeat(20, 5)
    centres = 30 * torch.randn(20, 6, 20, generator=generator)
    centres[..., 4:] = 0.0
    x = torch.randn(20, 30, 20, generator=generator) * (centres[:, :1].abs().sum(1, keepdim=True) > 0)
    x = x + centres.gather(1, y[..., None].expand(-1, -1, 20))
    x = pad(x, (0, 80))
    told = shipped["classifier"](x[:, :12], y[:, :12], x[:, 12:]).argmax(-1)
    assert (told == y[:, 12:]).float().mean() > 0.95


@torch.no_grad()
def test_quantiles_of_the_regressor_cover_what_they_say(shipped, generator):
    tasks = WideRegression().sample(150, 80, generator=generator)
    learner = shipped["regressor"]
    errors = {}
    for n in (4, 16, 48):
        episode = tasks.split(n)
        state = learner.adapt(episode.context_x, episode.context_y)
        spread = learner.predict_distribution(state, episode.query_x)
        inside = (episode.query_y >= spread[..., 0]) & (episode.query_y <= spread[..., -1])
        assert abs(float(inside.float().mean()) - 0.95) < 0.08
        errors[n] = learner.loss(spread, episode.query_y)
    assert errors[4] > errors[16] > errors[48]


@torch.no_grad()
def test_a_straight_line_is_found_whatever_its_units(shipped, generator):
    x = torch.zeros(30, 60, 100)
    x[..., :2] = torch.randn(30, 60, 2, generator=generator)
    y = 1e4 * (3 * x[..., 0] - x[..., 1]) + 5e5
    told = shipped["regressor"](x[:, :40], y[:, :40], x[:, 40:])
    rest = (told - y[:, 40:]).square().mean() / (y[:, 40:] - y[:, :40].mean(1, keepdim=True)).square().mean()
    assert rest < 0.05
