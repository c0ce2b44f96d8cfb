"""Which learning algorithm does a language model run on examples in its prompt, and what does meta-training make of it?

Refuted by: a language model that answers as often as the majority label does, or better than 1-NN on the digits it reads; or
one that meta-training makes no better on the tasks that it is trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from ctxlearn import lab
from ctxlearn.language.text_format import TextFormat
from ctxlearn.references import BayesOptimal
from ctxlearn.studies.algorithms import restored
from ctxlearn.studies.arms import BAYES_FAMILY, BAYES_MIXTURE, FAMILIES, ICL, mixture
from ctxlearn.studies.language import metrics, plots
from ctxlearn.studies.language.claims import decide_claims, over
from ctxlearn.studies.language.settings import (
    BASE,
    DIGITS,
    FORMATS,
    HELD_OUT,
    META,
    PROFILES,
    SCALE,
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
        for who in plots.MAPPED:
            asked = lab.call(
                metrics.mapped, contestants[who], family, seed, sizes.n_points - 1, 10**sizes.format.digits
            )
            planned.append(lab.Measurement((who, name, "map"), seed, asked))
    for who, learner in models.items():
        asked = lab.call(metrics.varied, learner, mixture(), seed, sizes.varied, sizes.n_points, sizes.orders)
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


def present(sizes: Sizes, numbers: lab.Numbers) -> lab.Page:
    """The page."""
    score, bits = numbers["score"].map(lambda found: 100 * found), numbers["bits"]
    claims = decide_claims(score, bits)
    found = {who: restored(numbers.facts(who, "identified")[0]) for who in (BASE, META)}
    names = {f"identified-{who.replace(' ', '-')}": who for who in found}
    formats = numbers.facts("formats")[0]
    means = {who: f"{over(score, who).mean():.1f}" for who in (BASE, META, f"1-NN{DIGITS}", ICL + DIGITS, BAYES_FAMILY)}
    return lab.page_from_template(
        Path(__file__).with_name("page.md"),
        claims,
        numbers["score"].frame("learner", "family"),
        figures={
            "accuracy": plots.accuracy_figure(score),
            **{name: plots.identified_figure(found[who], sizes.lengths[-1]) for name, who in names.items()},
            "maps": plots.maps_figure(numbers),
        },
        tables={
            "accuracy": plots.accuracy_table(score, bits),
            "identified": [
                {"model": who, "found": line} for who, one in found.items() for line in str(one).splitlines()
            ],
            "shares": plots.shares_table(numbers),
            "formats": plots.formats_table(pd.DataFrame(formats["tried"])),
        },
        values={
            "sizes": sizes,
            "seeds": numbers.seeds,
            "families": list(FAMILIES),
            "held_out": HELD_OUT,
            "scale": f"{SCALE:g}",
            "means": means,
            "identified": names,
            "varied": VARIED,
            "words": ["/".join(pair) for pair in WORDS],
            "chosen": formats["name"],
            "used": next((name for name, format in FORMATS.items() if format == sizes.format), "another"),
        },
    )


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
    return lab.Study(name, profiles, plan, present, plan_all)


STUDY = lab.Study("language", PROFILES, plan, present, plan_all)
