"""Figure 2: does in-context learning find the algorithm that is right for its training distribution?

Refuted by: an in-context model that is worse than the learner made for a family, trained on that family; or one that
falls behind it when trained on the mixture; or classical learners that lose nothing by the mixture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ctxlearn import lab
from ctxlearn.references import BayesOptimal, LogisticRegression, NearestNeighbor
from ctxlearn.studies import arms
from ctxlearn.studies.arms import BAYES_FAMILY, BAYES_MIXTURE, CAUSAL, FAMILIES, GRADIENT, ICL, MIXTURE
from ctxlearn.studies.optimal import plots, real_data
from ctxlearn.studies.optimal.claims import accuracies, decide_claims
from ctxlearn.training import AllPrefixes, TrainingConfig


@dataclass(frozen=True)
class Sizes:
    """Sizes of one profile.

    Attributes:
        icl_steps: steps of the in-context model on one family; three times as many on the mixture.
        causal_steps: of the causal in-context model on the mixture, of a quarter as many tasks: each is used at every
            context length.
        classical_steps: as `icl_steps`, of each classical learner.
        n_points: N points per task.
        n_tasks: test tasks per family and seed.
        bayes_tasks: how many of them the Bayes predictors, which are slower, are measured on too.
        draws: draws of each real table.
        width: of the in-context models; with few steps a thin model goes further in the same time (docs/recipe.md).
        everywhere: train every classical learner on every family, not on its own and the mixture only.
    """

    icl_steps: int
    causal_steps: int
    classical_steps: int
    n_points: int
    n_tasks: int
    bayes_tasks: int
    draws: int
    width: int = 64
    everywhere: bool = False


PROFILES = {
    "smoke": Sizes(icl_steps=4, causal_steps=4, classical_steps=4, n_points=12, n_tasks=40, bayes_tasks=8, draws=4),
    "quick": Sizes(1400, 1600, 750, n_points=50, n_tasks=1000, bayes_tasks=300, draws=250, width=32),
    "paper": Sizes(30_000, 90_000, 30_000, 50, n_tasks=10_000, bayes_tasks=2000, draws=1000, everywhere=True),
}


COSTS = {ICL: 54, CAUSAL: 52, GRADIENT: 67}
"""Processor time per step in milliseconds of the slow learners, so that the longest training starts first; others take 9."""


def trainings(sizes: Sizes, seed: int) -> dict[tuple[str, str], lab.Training]:
    """By learner and training distribution.

    Steps are in proportion to the families, so that each is seen equally often, and all but the causal model have as many
    tasks per step. The causal one has fewer, and learns from every prefix of each, which is about as much work.
    """
    base = TrainingConfig(steps=1, tasks_per_step=128, n_points=sizes.n_points, seed=seed)
    found = {}
    for place, source in {**FAMILIES, MIXTURE: arms.mixture()}.items():
        families = len(FAMILIES) if place == MIXTURE else 1
        for name in (ICL, *arms.HOME, GRADIENT):
            if name != ICL and place not in (arms.HOME.get(name), MIXTURE) and not sizes.everywhere:
                continue
            learner = arms.icl_learner(seed, sizes.width) if name == ICL else arms.classical_learner(name, seed)
            steps, every = (sizes.icl_steps, 50) if name == ICL else (sizes.classical_steps, 200)
            config = replace(base, steps=families * steps, checkpoint_every=every)
            title = f"{name} on {place}, seed {seed}"
            found[name, place] = lab.Training(title, learner, source, config, cost=COSTS.get(name, 9))
    config = replace(base, steps=sizes.causal_steps, tasks_per_step=32, checkpoint_every=50)
    causal = arms.causal_learner(seed, sizes.width)
    found[CAUSAL, MIXTURE] = lab.Training(
        f"{CAUSAL} on {MIXTURE}, seed {seed}", causal, arms.mixture(), config, AllPrefixes(), cost=COSTS[CAUSAL]
    )
    return found


def plan(sizes: Sizes, seed: int) -> list[lab.Planned]:
    """Each learner where a claim or the figure needs it, on the same tasks for all; and real tables."""
    trained = trainings(sizes, seed)
    planned: list[lab.Planned] = []
    for place, family in FAMILIES.items():
        quick = {("NearestNeighbor", ""): NearestNeighbor(2, 2), ("LogisticRegression", ""): LogisticRegression(2, 2)}
        own = {key: learner for key, learner in trained.items() if key[0] != ICL or key[1] in (place, MIXTURE)}
        cell = lab.Cell((place,), family, {**quick, **own}, seed, sizes.n_tasks, sizes.n_points)
        slow = {(BAYES_MIXTURE, ""): BayesOptimal(arms.mixture()), (BAYES_FAMILY, ""): BayesOptimal(family)}
        planned += [cell, cell.only(sizes.bayes_tasks, slow)]
    return planned + real_data.measurements(trained[ICL, MIXTURE], sizes.draws, sizes.n_points, seed)


def present(sizes: Sizes, numbers: lab.Numbers) -> lab.Page:
    """The page."""
    scores, accuracy, real = numbers["score"], accuracies(numbers), real_data.table(numbers)
    regret = plots.regrets(scores)
    return lab.page_from_template(
        Path(__file__).with_name("page.md"),
        decide_claims(accuracy),
        scores.frame("learner", "trained_on", "family"),
        figures={
            **{f"accuracy-{family}": plots.accuracy_figure(scores, family) for family in FAMILIES},
            "regret": plots.regret_figure(regret),
            "real-data-accuracy": real_data.accuracy_figure(real),
            "real-data-regions": real_data.regions_figure(numbers),
        },
        tables={
            "accuracy": plots.accuracy_table(accuracy),
            "regret": plots.regret_table(regret),
            "lost": plots.lost_table(regret, accuracy),
            "real-data": real_data.accuracy_rows(real),
        },
        values={
            "sizes": sizes,
            "families": list(FAMILIES),
            "mixed": {family: accuracy[ICL, MIXTURE, family].mean() for family in FAMILIES},
            "real": real_data.summary(real),
            "about_seeds": arms.about_seeds(numbers.seeds),
        },
        files={"real_data": real},
    )


STUDY = lab.Study("optimal", PROFILES, plan, present)
