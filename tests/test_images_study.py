import json

import numpy as np
import torch

from ctxlearn.studies import reproduce
from ctxlearn.studies.images import STUDY
from ctxlearn.studies.images.measuring import digits
from ctxlearn.studies.images.settings import CLASSICAL, ICL, PIXELS, PROFILES


def test_it_runs_from_end_to_end_and_its_numbers_have_their_form(tmp_path):
    done = reproduce("images", profile="smoke", jobs=1, out=tmp_path / "images", progress=False)
    claims = json.loads((done.folder / "claims.json").read_text())
    assert [c["group"] for c in claims] == ["3-way 2-shot"] * 5
    assert all(c["low"] <= c["value"] <= c["high"] for c in claims)
    table = done.results
    assert set(table["learner"]) == {ICL, *CLASSICAL, PIXELS}
    assert len(table) == 6 * 2 * 2
    assert ((table["low"] >= 0) & (table["low"] <= table["mean"]) & (table["mean"] <= table["high"])).all()
    names = {p.name for p in (done.folder / "figures").iterdir()}
    assert names == {f"images-{name}.{kind}" for name in ("episodes", "accuracy") for kind in ("png", "svg")}


def test_every_profile_has_a_training_of_each_learner_and_way_and_enough_episodes():
    for name, settings in PROFILES.items():
        assert len(STUDY.trainings(name, 0)) == len(settings.ways) * (1 + len(CLASSICAL))
        assert name == "smoke" or settings.n_tasks >= 600


def test_digits_are_images_of_the_glyphs_form():
    tasks = digits(5).sample(3, 10, generator=torch.Generator().manual_seed(0))
    assert tasks.x.shape == (3, 10, 1, 28, 28)
    assert np.isclose(float(tasks.x.max()), 1.0, atol=0.1)
