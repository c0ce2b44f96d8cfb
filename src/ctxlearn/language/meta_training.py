"""Meta-training: a language model learns, over many tasks, to learn from the examples in its prompt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import save

from ctxlearn.checks import describe
from ctxlearn.configurable import class_path, instantiate
from ctxlearn.episodes import Tasks
from ctxlearn.language.language_model import LanguageModel
from ctxlearn.language.loading import CausalLM, LoRA
from ctxlearn.language.text_format import TextFormat
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.storage import write_atomically, write_json
from ctxlearn.tasks import Augmented, TaskFamily
from ctxlearn.training import AllPrefixes, DomainBatch, Objective, RandomSplit, Run, Source, TrainingConfig, train
from ctxlearn.training.run import finish_from
from ctxlearn.training.run_folder import RunFolder

DEFAULT = TrainingConfig(
    steps=200,
    tasks_per_step=2,
    n_points=40,
    optimizer="adamw",
    learning_rate=1e-3,
    shards=1,
    warmup_steps=10,
    validation_batches=4,
    checkpoint_every=50,
)
"""Small steps for one or two cores. One shard, since the activations of each are held at once."""


def meta_train(
    lm: CausalLM,
    family: TaskFamily | Source,
    format: TextFormat = TextFormat(),  # noqa: B008 (frozen)
    config: TrainingConfig = DEFAULT,
    *,
    out: Path | str,
    lora: LoRA = LoRA(),  # noqa: B008 (frozen)
    objective: Objective | None = None,
    labellings: str = "all",
) -> Run:
    """Train low-rank changes of a language model on tasks written as text, by the one trainer.

    The loss is that of the label tokens, among the labels. Where the format's `scale` is a number, one causal pass
    gives it for all prefixes of a task; otherwise a context length is drawn per step. The run's folder holds the changes as safetensors
    and not the model's own weights; it resumes like any run, and `load_trained` gives the learner back. `lm` itself is not changed: it
    is loaded anew.

    Args:
        lm: what `load_language_model` gives.
        family: the tasks; their classes are renamed at random, so that no word stands for a class. A `Source` is taken as it is:
            a `Curriculum`, say, or a `DomainSource` for meta-learning over domains (M2).
        format: how tasks are written.
        config: how long and how; its `n_points` is the longest context plus one.
        out: the run's folder.
        lora: rank and seed of the changes.
        objective: None for the loss described; `MetaAdaptation(...)` for M2, in which the low-rank changes are what adapts.
        labellings: of the learner in use, see `LanguageModel`. In training each context is written once.

    Returns:
        The run; `run.learner` is a `LanguageModel` in evaluation mode.

    Raises:
        ValueError: arguments that do not fit together.
        RunFolderError, StorageError, TrainingDiverged: as `ctxlearn.train`.

    Source: Min et al. 2022 (MetaICL); Hu et al. 2022 for LoRA.
    """
    learner, source, objective = what_is_trained(lm, family, format, lora, objective, labellings)
    if isinstance(source, Source):  # which has numbers of its own; those of `DEFAULT` are for families
        own = source.numbers(config.shards).items()
        given: Any = {name: n for name, n in own if getattr(config, name) == getattr(DEFAULT, name)}
        config = replace(config, **given)
    return train(learner, source, config, out=out, objective=objective)


def what_is_trained(
    lm: CausalLM,
    family: TaskFamily | Source,
    format: TextFormat = TextFormat(),  # noqa: B008 (frozen)
    lora: LoRA = LoRA(),  # noqa: B008 (frozen)
    objective: Objective | None = None,
    labellings: str = "all",
) -> tuple[LanguageModel, TaskFamily | Source, Objective]:
    """The learner, source and objective of `meta_train`, for `ctxlearn.train` or a study's `Training`; arguments as there."""
    if not isinstance(lm, CausalLM):
        raise ValueError(f"lm: expected what load_language_model gives, got {describe(lm)}")
    if not isinstance(lora, LoRA):
        raise ValueError(f"lora: expected a LoRA, got {describe(lora)}")
    if lm.lora is not None:
        raise ValueError("lm: expected a model without low-rank changes, got one that was trained; load it anew")
    n_features, n_classes = _shape(family)
    learner = LanguageModel(lm.with_lora(lora), n_features, n_classes, format, labellings=labellings)
    if objective is None:
        learner.train()
        objective = AllPrefixes() if learner.reads_prefixes_at_once else RandomSplit()
        learner.eval()
    if isinstance(family, TaskFamily) and n_classes is not None:
        family = Augmented(family, rotate=False)
    return learner, family, objective


def load_trained(lm: CausalLM, folder: Path | str) -> LanguageModel:
    """The learner of a finished run of `meta_train`, in evaluation mode.

    The model is handed in, so that a run of somebody else does not choose which files are opened here. Nothing of the run is
    executed.

    Args:
        lm: the model that was trained, as `load_language_model` gives it; another copy of the same weights will do.
        folder: of the run.

    Raises:
        RunFolderError: the folder holds no finished run, or its configuration was edited.
        CorruptFileError: its weights are not what was written.
        ValueError: a run of another kind of learner, or of another model.
    """
    if not isinstance(lm, CausalLM) or lm.lora is not None:
        raise ValueError(f"lm: expected what load_language_model gives, got {describe(lm)}")
    place = RunFolder(folder)
    settings = place.read_config()
    recipe = settings.get("learner")
    if not isinstance(recipe, dict) or recipe.get("class_path") != class_path(LanguageModel):
        raise ValueError(
            f"folder: expected a run of a LanguageModel, got another kind in {place.config}; use ctxlearn.load"
        )
    given = dict(recipe["init_args"])
    lora = instantiate(given.pop("lm")["init_args"]["lora"], LoRA, place="learner.lm.lora")
    arguments = {name: instantiate(value, object, place=f"learner.{name}") for name, value in given.items()}
    learner = LanguageModel(lm.with_lora(lora), **arguments)
    finish_from(place, learner, settings["hash"])
    return learner


def export_adapter(learner: LanguageModel, folder: Path | str) -> Path:
    """Write the low-rank changes of a meta-trained model in the format of peft, which others load without ctxlearn.

        model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), folder)

    Args:
        learner: what `meta_train` or `load_trained` gave.
        folder: for `adapter_config.json` and `adapter_model.safetensors`; files of these names are replaced.

    Raises:
        ValueError: a learner without low-rank changes.
        StorageError: the folder cannot be written.
    """
    if not isinstance(learner, LanguageModel) or learner.lm.lora is None:
        raise ValueError(f"learner: expected what meta_train or load_trained gives, got {describe(learner)}")
    lora, place = learner.lm.lora, Path(folder)
    changes = {name: p.detach().cpu() for name, p in learner.lm.model.named_parameters() if p.requires_grad}
    settings = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": learner.lm.source,
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        # `model.layers.0.self_attn.q_proj.lora_A.default.weight` is of the layers that end in q_proj
        "target_modules": sorted({name.split(".lora_")[0].rpartition(".")[2] for name in changes}),
        "inference_mode": True,
    }
    told = {f"base_model.model.{name.replace('.default.', '.')}": value.contiguous() for name, value in changes.items()}
    write_atomically(place / "adapter_model.safetensors", save(told, metadata={"format": "pt"}))
    write_json(place / "adapter_config.json", settings)
    return place


def _shape(family: object) -> tuple[int | tuple[int, ...], int | None]:
    """Features and classes of a family or of what a source draws."""
    if isinstance(family, TaskFamily):
        return family.n_features, family.n_classes
    if not isinstance(family, Source):
        raise ValueError(f"family: expected a TaskFamily or a Source, got {describe(family)}")
    batch = family.batch(0, 0, generator_for(0, Stream.TRAINING, 0, 0))
    tasks = batch.fresh[0] if isinstance(batch, DomainBatch) else batch
    if not isinstance(tasks, Tasks):
        raise ValueError(f"family: expected a source of tasks, got one that draws {describe(batch)}")
    shape = tuple(tasks.x.shape[2:])
    return (shape[0] if len(shape) == 1 else shape), tasks.n_classes
