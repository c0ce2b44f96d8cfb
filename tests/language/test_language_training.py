"""Meta-training of a language model: the one trainer, low-rank changes only, resumed bit for bit."""

from dataclasses import replace

import pytest
import tiny_lm
import torch

import ctxlearn
from ctxlearn.language import (
    LanguageModel,
    LoRA,
    TextFormat,
    export_adapter,
    load_language_model,
    load_trained,
    meta_train,
)
from ctxlearn.language.meta_training import DEFAULT
from ctxlearn.learners import CNP, GradientAdaptation
from ctxlearn.tasks import ClassPrototype, GaussianHalfSpaces, LinearRegression, TaskFamily
from ctxlearn.training import (
    Curriculum,
    DomainSource,
    FamilySource,
    MetaAdaptation,
    RandomSplit,
    RunFolderError,
    Stairs,
    TrainingConfig,
)

FIXED = TextFormat(scale=3.0)


class Stopping(FamilySource):
    """A family's tasks, until it is told to stop."""

    stop_at = None

    def batch(self, step, shard, generator):
        if step == Stopping.stop_at:
            raise KeyboardInterrupt
        return super().batch(step, shard, generator)


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    return load_language_model(tiny_lm.write_folder(tmp_path_factory.mktemp("lm")))


def config(**changes):
    small = {
        "steps": 6,
        "tasks_per_step": 4,
        "n_points": 6,
        "optimizer": "adamw",
        "learning_rate": 1e-2,
        "checkpoint_every": 2,
        "validation_batches": 1,
        "progress": False,
    }
    return TrainingConfig(**{**small, **changes})


def prefixes(learner, tasks):
    return learner.predict_prefixes(tasks.x, tasks.y)


def answers(learner):
    return prefixes(learner, ClassPrototype().sample(2, 6, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("format", [TextFormat(), FIXED], ids=["a scale by the context", "a fixed scale"])
def test_the_run_is_loaded_without_code_and_holds_only_the_changes(lm, tmp_path, format):
    before = answers(LanguageModel(lm, 2, 2, format))
    run = meta_train(lm, ClassPrototype(), format, config(), out=tmp_path)
    assert torch.equal(answers(LanguageModel(lm, 2, 2, format)), before)  # the model given is not changed
    assert not torch.allclose(answers(run.learner), before, atol=1e-3)
    again = load_trained(lm, tmp_path)
    assert torch.equal(answers(again), answers(run.learner))
    assert not again.training
    assert not run.learner.training
    files = [file for file in tmp_path.rglob("*") if file.is_file() and file.name != ".lock"]
    assert {file.suffix for file in files} == {".safetensors", ".yaml", ".csv"}
    whole = sum(p.numel() * p.element_size() for p in lm.parameters())
    assert (tmp_path / "model.safetensors").stat().st_size < whole


@pytest.mark.parametrize("format", [TextFormat(), FIXED], ids=["a scale by the context", "a fixed scale"])
def test_an_interrupted_run_goes_on_bit_for_bit(lm, tmp_path, format, monkeypatch):
    source = Stopping(ClassPrototype(), 2, 6)
    whole = meta_train(lm, source, format, config(), out=tmp_path / "whole")
    monkeypatch.setattr(Stopping, "stop_at", 5)
    with pytest.raises(KeyboardInterrupt):
        meta_train(lm, source, format, config(), out=tmp_path / "stopped")
    monkeypatch.setattr(Stopping, "stop_at", None)
    resumed = meta_train(lm, source, format, config(threads=1), out=tmp_path / "stopped")
    first, second = whole.learner.state_dict(), resumed.learner.state_dict()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    for file in ("model.safetensors", "metrics.csv"):
        assert (whole.folder / file).read_bytes() == (resumed.folder / file).read_bytes()


class Side(TaskFamily):
    """The class is the first feature's sign, in every task alike: what a random model can learn in a few steps."""

    n_features, n_classes = 2, 2

    def sample_parameters(self, n_tasks, *, generator):
        return torch.zeros(n_tasks)

    def sample_points(self, parameters, n_points, *, generator):
        x = torch.randn(len(parameters), n_points, 2, generator=generator)
        return x, (x[..., 0] > 0).long()


def test_the_loss_falls(lm, tmp_path):
    source = FamilySource(Side(), 4, 8)  # a source is taken as it is: its classes are not renamed
    run = meta_train(
        lm,
        source,
        FIXED,
        config(steps=60, tasks_per_step=8, n_points=8, learning_rate=2e-2),
        out=tmp_path,
        labellings="one",
    )
    held_out = Side().sample(16, 8, generator=torch.Generator().manual_seed(7))
    with torch.inference_mode():
        before, after = (
            float(learner.loss(learner.predict_prefixes(held_out.x, held_out.y), held_out.y))
            for learner in (LanguageModel(lm, 2, 2, FIXED, labellings="one"), run.learner)
        )
    assert after < 0.6 < before


def test_a_source_keeps_its_numbers_beside_those_meant_for_families(lm, tmp_path):
    short = replace(DEFAULT, steps=1, checkpoint_every=0, validation_batches=1, progress=False)
    source = FamilySource(ClassPrototype(), 3, 6)
    assert meta_train(lm, source, FIXED, short, out=tmp_path / "source").facts["step"] == 1
    with pytest.raises(ValueError, match=r"^n_points: expected none beside a source"):
        meta_train(lm, source, FIXED, replace(short, n_points=7), out=tmp_path / "other")


def test_another_folder_is_needed_for_another_rank_or_format(lm, tmp_path):
    meta_train(lm, ClassPrototype(), FIXED, config(steps=1), out=tmp_path)
    with pytest.raises(RunFolderError, match=r"rank"):
        meta_train(lm, ClassPrototype(), FIXED, config(steps=1), out=tmp_path, lora=LoRA(rank=2))
    with pytest.raises(RunFolderError, match=r"digits"):
        meta_train(lm, ClassPrototype(), TextFormat(scale=3.0, digits=2), config(steps=1), out=tmp_path)


def test_regression_is_trained_too(lm, tmp_path):
    run = meta_train(lm, LinearRegression(2), TextFormat(label_digits=1), config(steps=2), out=tmp_path)
    assert torch.isfinite(torch.tensor(run.facts["validation_loss"]))
    assert run.learner.n_classes is None


def test_a_curriculum_is_a_source_like_any(lm, tmp_path):
    plans = {"scale": Stairs(0.5, 1.0, 0.25, 2)}
    run = meta_train(lm, Curriculum(ClassPrototype(), 2, 6, plans), FIXED, config(), out=tmp_path)
    assert run.metrics["difficulty.scale"].iloc[0] == 0.5
    assert run.learner.n_features == 2


@pytest.mark.parametrize("format", [TextFormat(), FIXED], ids=["a scale by the context", "a fixed scale"])
def test_the_changes_are_what_adapts_in_meta_learning_over_domains(lm, tmp_path, format):
    source = DomainSource(GaussianHalfSpaces(2), 1, 2, 2, 5)
    loss = {} if format is FIXED else {"inner": RandomSplit(), "outer": RandomSplit()}
    objective = MetaAdaptation(GradientAdaptation(steps=2), **loss)
    run = meta_train(lm, source, format, config(steps=2), out=tmp_path, objective=objective)
    assert all("lora_" in name for name, p in run.learner.named_parameters() if p.requires_grad)
    assert run.metrics["gradient_norm"].iloc[0] > 0


def test_in_training_a_context_is_written_once_and_in_use_in_every_way(lm):
    learner = LanguageModel(lm, 2, 3, labellings="all", orders=2)
    x, y = torch.randn(1, 4, 2, generator=torch.Generator().manual_seed(0)), torch.tensor([[0, 1, 2, 0]])
    assert not learner.training
    assert (learner.n_ways, len(learner.adapt(x, y).rows)) == (12, 12)
    learner.train()
    assert (learner.n_ways, len(learner.adapt(x, y).rows)) == (1, 1)


def test_a_state_is_answered_as_it_was_written(lm):
    learner = LanguageModel(lm, 2, 2)
    x, y = torch.randn(1, 4, 2, generator=torch.Generator().manual_seed(0)), torch.tensor([[0, 1, 1, 0]])
    state = learner.adapt(x, y)
    expected = learner.predict(state, x)
    assert torch.equal(learner.train().predict(state, x), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lm": "smollm2-135m"}, "lm: "),
        ({"lora": 8}, "lora: "),
        ({"family": "prototype"}, "family: expected a TaskFamily or a Source"),
        ({"config": {}}, "config: "),
        ({"format": TextFormat(labels=("A",))}, "labels: "),
    ],
    ids=str,
)
def test_arguments_are_checked(lm, tmp_path, options, message):
    given = {"lm": lm, "family": ClassPrototype(), "config": config(), "out": tmp_path / "run", **options}
    with pytest.raises(ValueError, match=f"^{message}"):
        meta_train(**given)
    assert not (tmp_path / "run").exists()


def test_a_model_that_was_trained_is_not_trained_on_top(lm, tmp_path):
    run = meta_train(lm, ClassPrototype(), FIXED, config(steps=1), out=tmp_path / "a")
    with pytest.raises(ValueError, match=r"^lm: expected a model without low-rank changes"):
        meta_train(run.learner.lm, ClassPrototype(), FIXED, config(steps=1), out=tmp_path / "b")


def test_a_run_does_not_choose_which_model_is_opened(lm, tmp_path):
    meta_train(lm, ClassPrototype(), FIXED, config(steps=1), out=tmp_path / "run")
    with pytest.raises(ValueError, match=r"CausalLM reads files of this machine"):
        ctxlearn.load(tmp_path / "run")
    stranger = load_language_model(tiny_lm.write_folder(tmp_path / "other", seed=1))
    with pytest.raises(ValueError, match=r"trained on other weights"):
        load_trained(stranger, tmp_path / "run")
    with pytest.raises(ValueError, match=r"^lm: "):
        load_trained("smollm2-135m", tmp_path / "run")
    copied = load_language_model(tiny_lm.write_folder(tmp_path / "copy"))
    load_trained(copied, tmp_path / "run")


def test_a_run_of_another_learner_is_refused(lm, tmp_path):
    with pytest.raises(RunFolderError):
        load_trained(lm, tmp_path)
    settings = config(steps=1, tasks_per_step=2)
    ctxlearn.train(CNP(2, 2, width=4), ClassPrototype(), settings, out=tmp_path / "run")
    with pytest.raises(ValueError, match=r"^folder: expected a run of a LanguageModel"):
        load_trained(lm, tmp_path / "run")


def test_a_finished_run_is_loaded_and_not_trained_again(lm, tmp_path):
    first = meta_train(lm, ClassPrototype(), FIXED, config(steps=2), out=tmp_path)
    again = meta_train(lm, ClassPrototype(), FIXED, config(steps=2), out=tmp_path)
    assert torch.equal(answers(first.learner), answers(again.learner))
    assert not again.learner.training


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft's own use of transformers
def test_an_exported_adapter_is_what_peft_loads(lm, tmp_path):
    peft = pytest.importorskip("peft")
    from transformers import AutoModelForCausalLM

    lora = LoRA(rank=3, alpha=5, targets=("q_proj", "down_proj"))
    for number, one in enumerate((LoRA(), lora)):
        run = meta_train(lm, ClassPrototype(), FIXED, config(), out=tmp_path / f"run-{number}", lora=one)
        folder = export_adapter(run.learner, tmp_path / f"adapter-{number}")
        assert {file.name for file in folder.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
        base = AutoModelForCausalLM.from_pretrained(lm.source)
        ids = torch.arange(12)[None]
        with torch.no_grad():
            before = base(ids).logits
            theirs = peft.PeftModel.from_pretrained(base, folder).eval()(ids).logits
            ours = run.learner.lm.model(ids).logits
        assert torch.allclose(theirs, ours, atol=1e-5)
        assert not torch.allclose(before, ours, atol=1e-3)


def test_only_a_trained_model_has_an_adapter_to_export(lm, tmp_path):
    with pytest.raises(ValueError, match=r"^learner: expected what meta_train or load_trained gives"):
        export_adapter(LanguageModel(lm, 2, 2, FIXED), tmp_path)
