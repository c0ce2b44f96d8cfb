import json

import numpy as np
import pytest
import torch

from ctxlearn.learners import Conv4, ProtoNet
from ctxlearn.recorded import configuration, instantiate
from ctxlearn.studies import reproduce
from ctxlearn.studies.images import STUDY
from ctxlearn.studies.images.adapting import meet
from ctxlearn.studies.images.measuring import digits
from ctxlearn.studies.images.settings import (
    CLASSICAL,
    CURRICULUM,
    ICL,
    OTHERS,
    PIXELS,
    PROFILES,
    RANDOM,
    SHIFTED,
    run_name,
    training_family,
)
from ctxlearn.studies.images.starts import StartsAsPrototypes
from ctxlearn.tasks import glyphs
from ctxlearn.tasks.written import glyph_index


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return reproduce("images", profile="smoke", jobs=1, out=tmp_path_factory.mktemp("images") / "s", progress=False)


def test_it_runs_from_end_to_end_and_its_claims_follow_from_their_numbers(done):
    claims = json.loads((done.folder / "claims.json").read_text())
    assert len({c["id"] for c in claims}) == len(claims) == 4 * 5 + 5 + 3
    for c in claims:
        assert c["low"] <= c["value"] <= c["high"]
        above, below = c["low"] > c["threshold"], c["high"] < c["threshold"]
        good, bad = (above, below) if c["better"] == "above" else (below, above)
        assert c["verdict"] == ("holds" if good else "fails" if bad else "undecided")
    names = {p.name for p in (done.folder / "figures").iterdir()}
    drawn = ("episodes", "accuracy", "kinds", "adapting")
    assert names == {f"images-{name}.{kind}" for name in drawn for kind in ("png", "svg")}


def test_its_numbers_have_their_form_and_none_is_missing(done):
    table = done.results
    assert {ICL, RANDOM, CURRICULUM, *CLASSICAL, PIXELS, "in groups"} <= set(table["learner"])
    assert ((table["low"] >= 0) & (table["low"] <= table["mean"]) & (table["mean"] <= table["high"])).all()
    assert not table.duplicated(["learner", "family", "n_context", "seed"]).any()
    assert not table.isna().any().any()


def test_every_profile_gives_all_learners_of_a_number_of_ways_the_same_training():
    for name in ("smoke", "quick"):
        settings = PROFILES[name]
        trainings = STUDY.trainings(name, 0)
        assert len(trainings) == len(settings.ways) * (1 + len(CLASSICAL)) + 1 + len(SHIFTED) + 2
        for way in settings.ways:
            configs = [trainings[run_name(learner, way)].config for learner in (ICL, *CLASSICAL)]
            assert all(config == configs[0] for config in configs)
        assert name == "smoke" or settings.n_tasks >= 600


def test_what_is_tested_on_is_never_trained_on():
    scripts = {
        split: {s["code"] for s in glyph_index()["scripts"] if s["split"] == split} for split in ("train", "test")
    }
    for name, training in STUDY.trainings("quick", 0).items():
        source = training.source
        domains = getattr(source, "domains", None) or source.family.domains
        assert set(domains.names) <= scripts["train"], name
    few = PROFILES["quick"].ways[0]
    for script in meet(PROFILES["smoke"], 0):
        assert script.name in scripts["test"]
        seen, asked = (
            {image.numpy().tobytes() for image in part.x.flatten(0, 1)} for part in (script.adaptation, script.probe)
        )
        assert not seen & asked
    alphabets, others = (training_family(few, alphabets=True), glyphs("test", few, OTHERS))
    assert not set(alphabets.domains.names) & set(others.domains.names)
    kinds = {s["code"]: s["kind"] for s in glyph_index()["scripts"]}
    assert {kinds[name] for name in alphabets.domains.names} == {"alphabet"}
    assert {kinds[name] for name in others.domains.names} == set(OTHERS)


@pytest.mark.parametrize("shots", [1, 2, 5])
@pytest.mark.parametrize("depth", [2, 3])
def test_untrained_the_transformer_is_protonet(shots, depth):
    encoder = Conv4(1, (4, 4, 4, 8))
    start = StartsAsPrototypes((1, 28, 28), 3, encoder, width=24, depth=depth, hidden=8)
    rule = ProtoNet((1, 28, 28), 3, encoder=encoder)
    episode = glyphs("validation", 3).sample(4, 18, generator=torch.Generator().manual_seed(0)).split(3 * shots)
    answers = (m(episode.context_x, episode.context_y, episode.query_x).log_softmax(-1) for m in (start, rule))
    torch.testing.assert_close(*answers, rtol=0, atol=1e-4)


def test_a_start_is_rebuilt_from_its_arguments():
    first = StartsAsPrototypes((1, 28, 28), 3, Conv4(1, (4, 4, 4, 8), seed=3), width=24, hidden=8, seed=5)
    again = instantiate(configuration(first))
    for (name, p), q in zip(first.named_parameters(), again.parameters(), strict=True):
        assert torch.equal(p, q), name
        trained = name.startswith("encoder.") or (name.startswith("blocks.") and p.ndim > 1)
        assert p.requires_grad == q.requires_grad == trained


def test_digits_are_images_of_the_glyphs_form():
    tasks = digits(5).sample(3, 10, generator=torch.Generator().manual_seed(0))
    assert tasks.x.shape == (3, 10, 1, 28, 28)
    assert np.isclose(float(tasks.x.max()), 1.0, atol=0.1)
