"""Which learning algorithm does a language model run on examples in its prompt, and what does meta-training make of it?

Refuted by: a language model that answers as often as the majority label does, or better than 1-NN on the digits it reads; or
one that meta-training makes no better on the tasks that it is trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ctxlearn import lab
from ctxlearn.language.text_format import TextFormat
from ctxlearn.references import BayesOptimal
from ctxlearn.studies.arms import BAYES_FAMILY, BAYES_MIXTURE, mixture
from ctxlearn.studies.language import metrics
from ctxlearn.studies.language.page import page
from ctxlearn.studies.language.settings import (
    BASE,
    FORMATS,
    META,
    PROFILES,
    SHOWN,
    VARIED,
    WORDS,
    Sizes,
    meta_training,
    references,
    rival_trainings,
    validation,
)

REPLICATES = 1000
"""Seeds of the trainings that are replicates only begin here."""


def base(sizes: Sizes) -> lab.Call:
    """The language model as it comes."""
    return lab.call(metrics.language_model, sizes.source, sizes.dtype, sizes.device_map, sizes.format)


def plan(sizes: Sizes, seed: int) -> list[lab.Planned]:
    """Accuracy and bits of everyone, decision maps, and what format, words and order change."""
    models = {BASE: base(sizes), META: meta_training(sizes, seed)}
    rivals = rival_trainings(sizes, seed)
    planned: list[lab.Planned] = []
    for name, family in SHOWN.items():
        contestants = {**models, **rivals, **references(sizes, family)}
        measures = (lab.score, metrics.bits)
        planned.append(lab.Cell((name,), family, contestants, seed, sizes.n_tasks, sizes.n_points, measures=measures))
        drawn = {**models, **rivals, BAYES_FAMILY: BayesOptimal(family)}
        for who, learner in drawn.items():
            asked = lab.call(metrics.mapped, learner, family, seed, sizes.n_points - 1, 10**sizes.format.digits)
            planned.append(lab.Measurement((who, name, "map"), seed, asked))
    for who, learner in models.items():
        formats = {name: FORMATS[name] for name in VARIED}
        asked = lab.call(
            metrics.varied, learner, mixture(), seed, sizes.varied, sizes.n_points, formats, list(WORDS), sizes.orders
        )
        planned.append(lab.Measurement((who, "varied"), seed, asked))
    return planned


def plan_all(sizes: Sizes, seeds: Sequence[int]) -> list[lab.Measurement]:
    """`identify` for both models, and the formats on tasks of other families."""
    trained = [meta_training(sizes, seed) for seed in (*seeds, *range(REPLICATES, REPLICATES + sizes.replicates))]
    rivals = {**rival_trainings(sizes, seeds[0]), BAYES_MIXTURE: BayesOptimal(mixture())}
    how = (rivals, sizes.format, mixture(), list(sizes.lengths), sizes.n_contexts, sizes.tolerance)
    model = (sizes.source, sizes.dtype, sizes.device_map)
    tried = lab.call(metrics.formats_tried, *model, validation(), FORMATS, sizes.chosen_on, sizes.n_points, 0)
    return [
        lab.Measurement((BASE, "identified"), 0, lab.call(metrics.identified, [base(sizes)], *how)),
        lab.Measurement((META, "identified"), 0, lab.call(metrics.identified, trained, *how)),
        lab.Measurement(("formats",), 0, tried),
    ]


def study_of(source: str | Path, format: TextFormat = FORMATS["arrow"], name: str = "language-model") -> lab.Study:
    """The same study of a model of one's own.

    Args:
        source: as `load_language_model` takes it.
        format: how tasks are written, with a number as `scale`; choose it by `choose_format(lm, validation(), FORMATS)`.
        name: of the study, and its folder.

    Raises:
        ValueError: a format whose scale is the context's, with which no pass answers all prefixes of a task.
    """
    if isinstance(format.scale, str):
        raise ValueError(f"format: expected a number as scale, {3.0} say, got {format.scale!r}")
    profiles = {key: replace(sizes, source=str(source), format=format) for key, sizes in PROFILES.items()}
    return lab.Study(name, profiles, plan, page, plan_all)


STUDY = lab.Study("language", PROFILES, plan, page, plan_all)
