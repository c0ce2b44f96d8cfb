"""Which algorithm does a trained in-context model run?

Refuted by: a model trained on one family that decides as the learner made for that family where this differs from the
Bayes predictor; a model of the mixture that decides as the learner made for the family it is shown; or a model of noisy
regression that is nearer to another ridge penalty than to the one its noise asks for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctxlearn import lab
from ctxlearn.identification import default_candidates, identify
from ctxlearn.learners import BlockConfig, InContextTransformer, Learner
from ctxlearn.references import BayesOptimal, LogisticRegression, Ridge
from ctxlearn.studies import optimal
from ctxlearn.studies.algorithms import plots
from ctxlearn.studies.algorithms.claims import FACTORS, FEATURES, MIXED, NOISES, OWN, agreements, decide_claims, ridges
from ctxlearn.studies.arms import BAYES_FAMILY, BAYES_MIXTURE, FAMILIES, ICL, MADE_FOR, MIXTURE, mixture
from ctxlearn.tasks import LinearRegression, TaskFamily
from ctxlearn.training import TrainingConfig

IDENTIFIED = "identified"


@dataclass(frozen=True)
class Sizes:
    """Sizes of one profile.

    Attributes:
        trained: the sizes of the study `optimal`, whose models these are.
        regression_steps: optimiser steps of each model of linear regression.
        n_regression: points of a regression task.
        n_tasks: test tasks per family and seed.
        n_contexts: probe contexts of each length that `identify` uses.
        lengths: context lengths that it looks at.
    """

    trained: optimal.Sizes
    regression_steps: int
    n_regression: int
    n_tasks: int
    n_contexts: int
    lengths: tuple[int, ...]


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
    config = TrainingConfig(
        steps=sizes.regression_steps, tasks_per_step=128, n_points=sizes.n_regression, seed=seed, checkpoint_every=100
    )
    return lab.Training(
        f"{regression_name(noise)}, seed {seed}", learner, LinearRegression(FEATURES, noise=noise), config
    )


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
        planned.append(
            lab.Cell(
                (place,), family, contestants, seed, sizes.n_tasks, sizes.trained.n_points, measures=(lab.decision,)
            )
        )
    for noise in NOISES:
        predictors = {"model": regression_training(sizes, noise, seed)} | {
            f"{factor:g}": Ridge(FEATURES, None, penalty=factor * noise**2, intercept=False) for factor in FACTORS
        }
        family = LinearRegression(FEATURES, noise=noise)
        planned.append(
            lab.Cell((noise,), family, predictors, seed, sizes.n_tasks, sizes.n_regression, measures=(lab.answer,))
        )
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


def present(sizes: Sizes, numbers: lab.Numbers) -> lab.Page:
    """The page."""
    agreed, distances = agreements(numbers), ridges(numbers)
    claims = decide_claims(agreed.averaged(100), distances)
    found = {str(key[1]): plots.restored(numbers.facts(*key)[0]) for key in numbers.measured if key[0] == IDENTIFIED}
    shown = sizes.lengths[1]  # with more points scores saturate, with fewer many rules are one
    classes = {name: one for name, one in found.items() if one.n_classes is not None}
    slugs = {name: "identified-" + name.replace(", shown ", "-").replace(" ", "-") for name in classes}
    regressions = {name.split(" on ")[1]: one for name, one in found.items() if one.n_classes is None}
    return lab.page_from_template(
        Path(__file__).with_name("page.md"),
        claims,
        plots.results_table(found),
        figures={
            "agreement": plots.agreement_figure(agreed),
            **{slugs[name]: one.figure() for name, one in classes.items()},
            "ridge": plots.ridge_figure(regressions, distances),
        },
        tables={
            "agreement": plots.agreement_table(agreed),
            "identified": plots.identified_table(classes, sizes.lengths),
            "penalties": plots.penalty_table(regressions, distances),
            **{name: plots.difference_table(one) for name, one in regressions.items()},
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
