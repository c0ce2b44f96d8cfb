"""Which algorithm does a trained in-context model run?

Refuted by: a model trained on one family that decides as the learner made for that family where this differs from the
Bayes predictor; a model of the mixture that decides as the learner made for the family it is shown; or a model of noisy
regression that is nearer to another ridge penalty than to the one its noise asks for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ctxlearn import lab
from ctxlearn.identification import Identification, default_candidates, identify
from ctxlearn.learners import BlockConfig, InContextTransformer, Learner
from ctxlearn.references import BayesOptimal, LogisticRegression, Ridge
from ctxlearn.studies import arms, optimal
from ctxlearn.studies.arms import BAYES_FAMILY, BAYES_MIXTURE, FAMILIES, ICL, MADE_FOR, MIXTURE, mixture
from ctxlearn.tasks import LinearRegression, TaskFamily
from ctxlearn.training import TrainingConfig

OWN, MIXED = "single-family model", "mixture model"
NOISES = (0.5, 1.0)
FEATURES = 5
FACTORS = tuple(2.0**k for k in range(-6, 7))
"""Penalties that are tried, in units of the matched one."""
UNIT = "points of equal decisions, mean over n >= 1, same tasks"
OTHER = "the other in-context model"
IDENTIFIED = "identified"


@dataclass(frozen=True)
class Sizes:
    """Sizes of one profile."""

    trained: optimal.Sizes  # the sizes of the study `optimal`, whose models these are
    regression_steps: int  # optimiser steps of each model of linear regression
    n_regression: int  # points of a regression task
    n_tasks: int  # test tasks per family and seed
    n_contexts: int  # probe contexts of each length that `identify` uses
    lengths: tuple[int, ...]  # context lengths that it looks at


PROFILES = {
    "smoke": Sizes(optimal.PROFILES["smoke"], 3, 6, 12, 32, (1, 4)),
    "quick": Sizes(optimal.PROFILES["quick"], 2000, 20, 300, 96, (2, 4, 8, 16)),
    "paper": Sizes(optimal.PROFILES["paper"], 30_000, 40, 2000, 192, (1, 2, 4, 8, 16, 32)),
}


def regression_name(noise: float) -> str:
    """Name of the model of linear regression with this noise."""
    return f"{ICL} on linear regression, noise {noise:g}"


def regression_training(sizes: Sizes, noise: float, seed: int) -> lab.Training:
    """The model of linear regression with this noise."""
    blocks = [BlockConfig(heads=2, hidden=128, activation="relu")] * 4
    learner = InContextTransformer(FEATURES, None, blocks=blocks, encoder="identity", seed=seed)
    family, steps = LinearRegression(FEATURES, noise=noise), sizes.regression_steps
    config = TrainingConfig(steps=steps, n_points=sizes.n_regression, seed=seed, checkpoint_every=100)
    return lab.Training(f"{regression_name(noise)}, seed {seed}", learner, family, config)


def plan(sizes: Sizes, seed: int) -> list[lab.Planned]:
    """What both models and every candidate decide on new tasks of each family; what ridges and models of regression answer."""
    trained = optimal.trainings(sizes.trained, seed)
    planned: list[lab.Planned] = []
    for place, family in FAMILIES.items():
        contestants = {
            OWN: trained[ICL, place],
            MIXED: trained[ICL, MIXTURE],
            BAYES_FAMILY: BayesOptimal(family),
            BAYES_MIXTURE: BayesOptimal(mixture()),
            "LogisticRegression": LogisticRegression(2, 2),
            **{learner: trained[learner, home] for home, learner in MADE_FOR.items()},
        }
        shape = (sizes.n_tasks, sizes.trained.n_points)
        planned.append(lab.Cell((place,), family, contestants, seed, *shape, measures=(lab.decision,)))
    for noise in NOISES:
        predictors = {"model": regression_training(sizes, noise, seed)} | {
            f"{factor:g}": Ridge(FEATURES, None, penalty=factor * noise**2, intercept=False) for factor in FACTORS
        }
        family, shape = LinearRegression(FEATURES, noise=noise), (sizes.n_tasks, sizes.n_regression)
        planned.append(lab.Cell((noise,), family, predictors, seed, *shape, measures=(lab.answer,)))
    return planned


def plan_all(sizes: Sizes, seeds: Sequence[int]) -> list[lab.Measurement]:
    """`identify` for the first seed's models, the other seeds' as replicates, on tasks that the model is shown."""
    each = [optimal.trainings(sizes.trained, seed) for seed in seeds]
    first = each[0]
    found: dict[str, lab.Call] = {}
    for place, family in FAMILIES.items():
        candidates = {
            **{f"trained {learner}": first[learner, home] for home, learner in MADE_FOR.items()},
            BAYES_FAMILY: BayesOptimal(family),
            BAYES_MIXTURE: BayesOptimal(mixture()),
        }
        for words, trained_on in ((OWN, place), (MIXED, MIXTURE)):
            models = [named[ICL, trained_on] for named in each]
            found[f"{words}, shown {place}"] = lab.call(
                identified, models, family, list(sizes.lengths), sizes.n_contexts, candidates
            )
    for noise in NOISES:
        models = [regression_training(sizes, noise, seed) for seed in seeds]
        lengths = [n for n in sizes.lengths if n < sizes.n_regression]
        family = LinearRegression(FEATURES, noise=noise)
        found[regression_name(noise)] = lab.call(identified, models, family, lengths, sizes.n_contexts)
    return [lab.Measurement((IDENTIFIED, name), 0, asked) for name, asked in found.items()]


def identified(
    models: Sequence[Learner],
    family: TaskFamily,
    lengths: Sequence[int],
    n_contexts: int,
    candidates: Mapping[str, Learner] | None = None,
    threads: int = 1,
) -> dict[str, object]:
    """The facts of an `Identification` of the first model, with the others as replicates, probed on a family.

    Regression has the default candidates and is given the family; classification has them besides those given.
    """
    named = None if candidates is None else {**candidates, **default_candidates(2, 2)}
    found = identify(
        models[0],
        named,
        replicates=models[1:],
        family=family if named is None else None,
        probes=family,
        lengths=lengths,
        n_contexts=n_contexts,
        n_classes=family.n_classes,
        threads=threads,
    )
    table = found.results
    return {"facts": {"columns": list(table.columns), "results": table.to_dict("list"), **found.facts()}}


def agreements(numbers: lab.Numbers) -> lab.Samples:
    """By family shown, model and candidate: whether they decide alike at each context length."""
    decided = numbers["decision"]
    return lab.Samples(
        {
            (family, model, other): (decided[model, family] - decided[other, family]).apply(lambda gap: gap == 0)
            for other, family in decided
            for model in (OWN, MIXED)
            if other != model
        }
    )


def ridges(numbers: lab.Numbers) -> lab.Samples:
    """By noise and factor of the matched penalty: squared difference of predictions / d, mean over n >= 1."""
    answers, found = numbers["answer"], {}
    for noise in NOISES:
        for factor in FACTORS:
            gap = (answers["model", noise] - answers[f"{factor:g}", noise]).apply(
                lambda values: values.astype(np.float64)
            )
            found[noise, factor] = gap.apply(np.square).averaged() / FEATURES
    return lab.Samples(found)


def decide_claims(agreed: lab.Samples, distances: lab.Samples) -> list[lab.Claim]:
    """Every claim of the study, by group.

    Args:
        agreed: by family, model and candidate: equal decisions in %, mean over n >= 1.
        distances: see `ridges`.
    """
    claims = []
    for model, oracle, words, group in (
        (OWN, BAYES_FAMILY, "the in-context model trained on them alone", "single-family"),
        (MIXED, BAYES_MIXTURE, "the in-context model trained on the mixture", "mixture"),
    ):
        says = [
            lab.Says(
                f"icl-{group}-runs-bayes-not-{rival.lower()}-on-{family}",
                f"On {family} tasks {words} decides as {oracle} more often than as {rival} trained on them alone",
                f"agreement with {oracle} minus agreement with {rival}, {UNIT}",
                agreed[family, model, oracle] - agreed[family, model, rival],
            )
            for family, rival in MADE_FOR.items()
        ]
        claims += lab.together(group, says)
    claims += lab.together("changes", [_changes(agreed, family, rival) for family, rival in MADE_FOR.items()])
    return claims + lab.together(
        "ridge",
        [
            lab.Says(
                f"nearest-ridge-is-matched-noise-{noise:g}-against-{factor:g}",
                f"The in-context model of linear regression with noise {noise:g} is nearer to ridge with the matched penalty"
                f" {noise**2:g} than to ridge with {factor:g} times that penalty",
                f"squared difference of predictions / d from the latter minus from the former, mean over n >= 1, d = {FEATURES}",
                distances[noise, factor] - distances[noise, 1.0],
            )
            for noise in NOISES
            for factor in (0.25, 4.0)
        ],
    )


def _changes(agreed: lab.Samples, family: str, rival: str) -> lab.Says:
    """Whether the mixture's model sides with the learner made for the family that it is shown."""
    others = lab.average([agreed[family, MIXED, other] for other in MADE_FOR.values() if other != rival])
    return lab.Says(
        f"icl-mixture-changes-with-{family}",
        f"Shown {family} tasks, the in-context model of the mixture decides as {rival}, made for them, more often than as"
        " the learners made for the other families",
        f"agreement with {rival} minus mean agreement with the other two, {UNIT}",
        agreed[family, MIXED, rival] - others,
    )


def restored(facts: Mapping[str, Any]) -> Identification:
    """An `Identification` from its facts and its results as lists."""
    return Identification.from_facts(facts, pd.DataFrame(facts["results"])[facts["columns"]])


def agreement_figure(agreed: lab.Samples) -> Figure:
    """Decisions of the models against those of every candidate."""
    models = agreed.values_of(1)
    styles = {**arms.STYLES, OTHER: lab.Style(lab.BLUE)}
    figure, axes = lab.grid(len(models), len(FAMILIES), width=3.5 * len(FAMILIES), height=3.3 * len(models))
    for row, model in zip(axes, models, strict=True):
        for axis, family in zip(row, FAMILIES, strict=True):
            curves = agreed.part(family, model).curves("candidate").query("n_context > 0")
            curves = curves.replace({"candidate": dict.fromkeys(models, OTHER)})
            lab.draw_lines(axis, curves, x="n_context", by="candidate", styles=styles, scale=100)
            lab.draw_levels(axis, {"chance": 50})
            lab.name_axes(axis, arms.N_LABELLED, title=f"{model}\nshown {family} tasks", y_range=(47, 101))
        row[0].set_ylabel("equal decisions (%)")
    lab.shared_legend(figure, axes[0][0], 4)
    return figure


def agreement_table(agreed: lab.Samples) -> list[dict[str, str]]:
    """One row per model and family that it is shown."""
    percent, candidates = agreed.averaged(100), agreed.values_of(2)
    return [
        {"": f"{model}, shown {family}"}
        | {
            lab.label(name, arms.STYLES): lab.cell(percent[family, model, name], 1) if name != model else "itself"
            for name in candidates
        }
        for model in agreed.values_of(1)
        for family in FAMILIES
    ]


def identified_table(found: Mapping[str, Identification], lengths: Sequence[int]) -> list[dict[str, str]]:
    """What `identify` says of both models, by the family they are shown."""
    rows = []
    for name, identification in found.items():
        verdicts = {n: identification.verdict(n) for n in lengths}
        words = {n: f"{'' if v.accepted else 'none, nearest: '}{' or '.join(v.members)}" for n, v in verdicts.items()}
        rows.append({"": name, **{f"n = {n}": nearest for n, nearest in words.items()}})
    return rows


def ridge_figure(regressions: Mapping[str, Identification], distances: lab.Samples) -> Figure:
    """Linear regression: which ridge penalty, and the distance to each candidate."""
    figure, axes = lab.grid(1, 1 + len(regressions), width=3.6 * (1 + len(regressions)), height=3.8)
    first = axes[0][0]
    shown = {(f"noise {s:g}", factor * s**2): distances[s, factor] for s in NOISES for factor in FACTORS}
    lab.draw_lines(first, lab.interval_rows(shown, "noise penalty"), x="penalty", by="noise")
    for noise in NOISES:
        first.axvline(noise**2, color=lab.CHANCE.colour, linestyle="--", linewidth=1)
    penalty = "ridge penalty (dashed: matched to the noise)"
    lab.name_axes(first, penalty, "squared difference of predictions / d", title="which ridge is it?", log="xy")
    lab.legend_below(first)
    for axis, (name, one) in zip(axes[0][1:], regressions.items(), strict=True):
        for candidate, part in one.results.groupby("candidate", sort=True):  # so both panels have the same colours
            axis.plot(part["n_context"], part["squared_difference"], marker=".", label=str(candidate))
        lab.name_axes(axis, arms.N_LABELLED, "squared difference of predictions", title=name, log="y")
    lab.shared_legend(figure, axes[0][-1], 7)
    return figure


def penalty_table(regressions: Mapping[str, Identification], distances: lab.Samples) -> list[dict[str, str]]:
    """The nearest penalty of those tried, and those that `identify` fitted."""
    rows = []
    for noise in NOISES:
        means = {factor * noise**2: distances[noise, factor].mean() for factor in FACTORS}
        best = min(means, key=lambda penalty: means[penalty])
        rows.append((f"{noise:g}", f"{noise**2:g}", f"{best:g}", f"{means[best]:.2e}"))
    for name, one in regressions.items():
        noise_words = name.split("noise ")[1]
        rows += [(noise_words, f"fitted by identify: {what}", f"{value:.4g}", "") for what, value in one.fitted.items()]
    columns = ("noise", "matched", "nearest", "difference")
    return [dict(zip(columns, row, strict=True)) for row in rows]


def difference_table(one: Identification) -> list[dict[str, str]]:
    """Both measures of Akyurek et al. for each candidate and context length."""
    columns = ["squared_difference", "weight_difference"]
    wide = one.results.pivot_table(index="candidate", columns="n_context", values=columns)
    lengths = list(dict.fromkeys(one.results["n_context"]))
    return [
        {"candidate": str(name)}
        | {f"n = {n}": " / ".join(f"{wide.loc[name, (column, n)]:.3g}" for column in columns) for n in lengths}
        for name in wide.index
    ]


def present(sizes: Sizes, numbers: lab.Numbers) -> lab.Page:
    """The page."""
    agreed, distances = agreements(numbers), ridges(numbers)
    claims = decide_claims(agreed.averaged(100), distances)
    found = {str(key[1]): restored(numbers.facts(*key)[0]) for key in numbers.measured if key[0] == IDENTIFIED}
    shown = sizes.lengths[1]  # with more points scores saturate, with fewer many rules are one
    classes = {name: one for name, one in found.items() if one.n_classes is not None}
    slugs = {name: "identified-" + name.replace(", shown ", "-").replace(" ", "-") for name in classes}
    regressions = {name.split(" on ")[1]: one for name, one in found.items() if one.n_classes is None}
    return lab.page_from_template(
        Path(__file__).with_suffix(".md"),
        claims,
        pd.concat([one.results.assign(model=name) for name, one in found.items()], ignore_index=True),
        figures={
            "agreement": agreement_figure(agreed),
            **{slugs[name]: one.figure() for name, one in classes.items()},
            "ridge": ridge_figure(regressions, distances),
        },
        tables={
            "agreement": agreement_table(agreed),
            "identified": identified_table(classes, sizes.lengths),
            "penalties": penalty_table(regressions, distances),
            **{name: difference_table(one) for name, one in regressions.items()},
        },
        values={
            "sizes": sizes,
            "seeds": numbers.seeds,
            "sides": [claim for claim in claims if "-runs-bayes-not-" in claim.id],
            "shown": shown,
            "verdicts": {family: found[f"{MIXED}, shown {family}"].verdict(shown) for family in FAMILIES},
            "identified": {slugs[n]: (n, one.verdict(sizes.lengths[-1]).members) for n, one in classes.items()},
            "regressions": list(regressions),
        },
    )


STUDY = lab.Study("algorithms", PROFILES, plan, present, plan_all)
