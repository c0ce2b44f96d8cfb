"""`ctxlearn train`: one training, from a YAML file, options, or both."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import ArgumentParser, Namespace

from ctxlearn.cli.catalogue import entries, training_options
from ctxlearn.cli.classes import Given
from ctxlearn.cli.parsing import UsageError, explain, new_parser, parse, wants_help
from ctxlearn.escaping import printable

if TYPE_CHECKING:
    from ctxlearn.learners import Learner
    from ctxlearn.tasks import TaskFamily
    from ctxlearn.training import Objective, Source, TrainingConfig

SLOTS = {
    "learner": ("learners", "what to train"),
    "family": ("families", "the tasks to train on"),
    "source": ("sources", "in place of --family: where batches come from, a curriculum for instance"),
    "objective": ("objectives", "from tasks to a loss"),
}
"""Options that take classes: the kind of class, and what it is for."""
RECORDED = ("hash", "version", "initial_weights")
"""Keys of a run's own config.yaml that describe it and configure nothing."""
_EPILOG = """\
A class is given by its name or, one of your own, by its import path: --family mine.MyFamily finds MyFamily in mine.py
in this folder; it needs no registration. Its arguments follow with dots: --family.scale 2. `ctxlearn list NAME` shows them.

examples:
  ctxlearn train --learner InContextTransformer --learner.n_features 2 --learner.n_classes 2 \\
      --family PairwiseMetric --training.steps 1000 --out runs/icl
  ctxlearn train --config mixture.yaml --training.seed 1 --out runs/mixture-1

mixture.yaml:
  learner:
    class_path: InContextTransformer
    init_args: {n_features: 2, n_classes: 2}
  family:
    class_path: Mixture
    init_args:
      families:
        - class_path: PairwiseMetric
        - class_path: ClassPrototype
          init_args: {scale: 2.0}
  training: {steps: 1000}

--print_config writes such a file with every setting in it. A run's own config.yaml is one too.
Stopped at any moment, the same command goes on from the last checkpoint."""


@dataclass(frozen=True)
class AskedTraining:
    """What the options of a training describe; the source is a family or a `Source`."""

    learner: Learner
    source: TaskFamily | Source
    config: TrainingConfig
    objective: Objective | None
    out: str


def run(arguments: Sequence[str]) -> int:
    """Train, and say where the run is."""
    if wants_help(arguments):
        parse(build_parser(None), arguments)
    asked = asked_training(arguments)

    from ctxlearn.training import train

    was_finished = (Path(asked.out) / "model.safetensors").is_file()
    result = train(asked.learner, asked.source, asked.config, out=asked.out, objective=asked.objective)
    if os.environ.get("RANK", "0") == "0":
        loss = result.facts["validation_loss"]
        print(
            f"validation loss {loss:.4f} after {result.facts['step']} steps"
            + (" (was finished before)" if was_finished else "")
        )
        print(printable(str(result.folder)))
    return 0


def asked_training(arguments: Sequence[str], command: str = "train") -> AskedTraining:
    """Build what the options describe.

    Raises:
        UsageError: they cannot be read.
        ValueError: a class refuses its arguments.
    """
    given = Given(base_classes(), known_keys())
    parser = build_parser(given, command)
    given.read_options(arguments)
    try:
        asked = parse(parser, arguments)
    except UsageError:
        given.check_class_options()  # it may know better what is wrong
        raise
    if (asked.family is None) == (asked.source is None):
        what = "neither" if asked.family is None else "both"
        raise UsageError(f"expected either --family or --source, got {what}")
    parts = {slot: build(parser, given, asked, slot) for slot in SLOTS}
    source = parts["source"] if parts["family"] is None else parts["family"]
    return AskedTraining(parts["learner"], source, training_config(given, asked), parts["objective"], asked.out)


def base_classes() -> dict[str, type]:
    """The class that each option's classes descend from."""
    from ctxlearn import learners, tasks, training

    for name in training.__all__:
        getattr(
            training, name
        )  # loaded when first used, and only classes that are loaded are known by their short names
    return {
        "learner": learners.Learner,
        "family": tasks.TaskFamily,
        "source": training.Source,
        "objective": training.Objective,
    }


def known_keys() -> dict[str, Sequence[str]]:
    """The keys of a YAML file."""
    return {
        **dict.fromkeys(SLOTS, ()),
        "training": [o.name for o in training_options()],
        "out": (),
        **dict.fromkeys(RECORDED, ()),
    }


def build_parser(given: Given | None, command: str = "train") -> ArgumentParser:
    """The parser; without `given`, for its help alone, one that knows no classes."""
    parser = new_parser(
        command,
        "Train a learner on tasks of a family and keep it as a run: a folder."
        if command == "train"
        else "Train a learner with every combination of some settings, and rank them by validation loss.",
        _EPILOG,
        usage=f"ctxlearn {command} [--config FILE] --learner CLASS --family CLASS --training.steps N --out DIR [options]",
    )
    if given is None:
        parser.add_argument(
            "--config", metavar="FILE", help="YAML file with any of these options; later ones override earlier ones"
        )
        parser.add_argument(
            "--print_config",
            action="store_true",
            default=argparse.SUPPRESS,
            help="print the whole configuration and stop",
        )
    else:
        given.add_config_option(parser)
    for slot, (kind, help_text) in SLOTS.items():
        default = "RandomSplit" if slot == "objective" else None
        add_class_option(parser, slot, kind, help_text, given, required=slot == "learner", default=default)
    parser.add_argument(
        "--out", type=str, required=True, metavar="DIR", help="the run's folder; a run found there is gone on with"
    )
    group = parser.add_argument_group("training (run-time settings change no result)")
    for option in training_options():
        name, extra = f"--training.{option.name}", {} if option.required else {"default": option.default}
        group.add_argument(
            name, type=option.type, required=option.required, help=_escaped(option.help), metavar="VALUE", **extra
        )
    for name in RECORDED if given is not None else ():
        parser.add_argument(f"--{name}", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    return parser


def add_class_option(
    parser: ArgumentParser,
    slot: str,
    kind: str,
    help_text: str,
    given: Given | None,
    *,
    required: bool = False,
    default: str | None = None,
) -> None:
    """Add --SLOT, which takes a class; without `given` for the help alone."""
    known = {entry.name: entry for entry in entries(kind)}
    shown = default if default is None or given is None else {"class_path": known[default].path}
    parser.add_argument(
        f"--{slot}",
        type=str if given is None else given.bases[slot],
        metavar="CLASS",
        required=required,
        default=shown,
        help=f"{help_text}: {', '.join(known)}, or module.Class of your own",
    )


def build(parser: ArgumentParser, given: Given, asked: Namespace, slot: str) -> Any:
    """The object that an option describes, or None.

    Raises:
        ValueError: its class refuses the arguments; it is said where they were given.
    """
    if asked.get(slot) is None:
        return None
    try:
        made = parser.instantiate(Namespace(**{slot: asked[slot]}))[slot]  # type: ignore[no-untyped-call]
    except ValueError as error:
        raise ValueError(given.place(slot, explain_nested(error, parser))) from error
    for name in ("n_features", "n_classes") if slot in ("learner", "family") else ():
        if not hasattr(made, name):
            raise ValueError(f"{slot}: {type(made).__name__} sets no attribute {name}; set it in its __init__")
    return made


def explain_nested(error: ValueError, parser: ArgumentParser) -> str:
    """The message of an error met while constructing, which jsonargparse may have wrapped."""
    return explain(str(error), parser) if "Union subtypes" in str(error) else str(error)


def training_config(given: Given, asked: Namespace) -> TrainingConfig:
    """The settings of the training."""
    from ctxlearn.training import TrainingConfig

    try:
        return TrainingConfig(**vars(asked.training))
    except ValueError as error:
        raise ValueError(given.place("training", str(error))) from error


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
