import json

import numpy as np
import pytest
import torch

from ctxlearn.jobs.calls import trainings_in
from ctxlearn.jobs.cells import all_measurements
from ctxlearn.studies import reproduce
from ctxlearn.studies.images import PROFILES, STUDY
from ctxlearn.studies.images.fine_tuning import OWN, adapted_accuracy, meet
from ctxlearn.studies.images.metrics import GROUPED, SCRIPTS, episode_accuracy, scripts
from ctxlearn.studies.images.settings import (
    CLASSICAL,
    CURRICULUM,
    ICL,
    M2,
    OTHERS,
    PIXELS,
    RANDOM,
    SHIFTED,
    fresh_learner,
    m2_training,
    training_family,
    trainings,
)
from ctxlearn.tasks import glyphs
from ctxlearn.tasks.digits import digits
from ctxlearn.tasks.image_data import glyph_index


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
        if c["low"] == c["high"] and c["verdict"] == "undecided":  # equal in every episode drawn, which decides nothing
            continue
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
        sizes = PROFILES[name]
        named = trainings(sizes, 0)
        assert len(named) == len(sizes.ways) * (1 + len(CLASSICAL)) + 1 + len(SHIFTED) + 2
        for way in sizes.ways:
            configs = [named[learner, way].config for learner in (ICL, *CLASSICAL)]
            assert all(config == configs[0] for config in configs)
        assert name == "smoke" or sizes.n_tasks >= 600


def test_everything_that_is_trained_is_measured():
    sizes = PROFILES["smoke"]
    measured = {t.hash for m in all_measurements(STUDY.plan(sizes, 0)) for t in trainings_in(m.call)}
    assert measured == {t.hash for t in trainings(sizes, 0).values()}


def test_what_is_tested_on_is_never_trained_on():
    codes = {split: {s["code"] for s in glyph_index()["scripts"] if s["split"] == split} for split in ("train", "test")}
    for name, training in trainings(PROFILES["quick"], 0).items():
        source = training.source
        domains = getattr(source, "domains", None) or source.family.domains
        assert set(domains.names) <= codes["train"], name
    few = PROFILES["quick"].ways[0]
    smoke = PROFILES["smoke"]
    for script in meet(smoke.ways[0], smoke.meta, 0):
        assert script.name in codes["test"]
        seen, asked = (
            {image.numpy().tobytes() for image in part.x.flatten(0, 1)} for part in (script.adaptation, script.probe)
        )
        assert not seen & asked
    alphabets, others = (training_family(few, alphabets=True), glyphs("test", few, OTHERS))
    assert not set(alphabets.domains.names) & set(others.domains.names)
    kinds = {s["code"]: s["kind"] for s in glyph_index()["scripts"]}
    assert {kinds[name] for name in alphabets.domains.names} == {"alphabet"}
    assert {kinds[name] for name in others.domains.names} == set(OTHERS)


def test_digits_are_images_of_the_glyphs_form():
    tasks = digits(5).sample(3, 10, generator=torch.Generator().manual_seed(0))
    assert tasks.x.shape == (3, 10, 1, 28, 28)
    assert np.isclose(float(tasks.x.max()), 1.0, atol=0.1)


def test_learners_of_one_place_and_way_answer_the_same_episodes_and_in_groups_the_first_of_them():
    sizes = PROFILES["smoke"]
    many = sizes.ways[-1]
    asked = {m.key: m for m in all_measurements(STUDY.plan(sizes, 0)) if m.key[1:] == (SCRIPTS, many)}
    assert len({m.pairing for m in asked.values()}) == 1
    drawn = {tuple(m.call.arguments[name] for name in ("way", "n_tasks", "seed")) for m in asked.values()}
    assert len(drawn) == 1
    assert asked[GROUPED, SCRIPTS, many].call.arguments["first"] == sizes.n_grouped
    learner = fresh_learner(PIXELS, sizes, many, 0)
    every, some = (
        episode_accuracy(learner, scripts(many), many, (1, 2), 8, first, 0, 1)["accuracy"] for first in (8, 3)
    )
    assert every.shape == (8, 2)
    assert np.array_equal(every[:3], some)


def test_adapting_starts_from_the_learner_as_it_is_and_changes_it_not():
    sizes = PROFILES["smoke"]
    learner = m2_training(sizes, sizes.ways[0], 0).learner.eval()
    before = {name: value.clone() for name, value in learner.state_dict().items()}
    found = [
        adapted_accuracy(learner, how, sizes.ways[0], sizes.meta, 0, 1)["adapted"]
        for how in ("fine-tuning", "inner steps")
    ]
    assert [part.shape for part in found] == [(sizes.meta.n_scripts, 1 + len(sizes.meta.sizes))] * 2
    assert np.array_equal(found[0][:, 0], found[1][:, 0])
    assert all(torch.equal(value, before[name]) for name, value in learner.state_dict().items())
    keys = {m.key[0] for m in all_measurements(STUDY.plan(sizes, 0)) if m.key[1] == "new scripts"}
    assert keys == {ICL, M2, OWN}
