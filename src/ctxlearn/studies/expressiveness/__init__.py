"""Figure 1: can a transformer be each classical learner, and which learner does a trained one become?

Refuted by: a construction that answers otherwise than the learner it was written for; an in-context model trained on the
mixture that decides more like a classical rule than like the mixture's Bayes predictor; or a transformer started at a
learner that trains to no more than the same one started at random.

Each of the four parts is a module of its measurements, its claims and its section of the page: `exactness`,
`ridge_rates`, `distances` and `initialization`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ctxlearn import lab
from ctxlearn.studies import optimal
from ctxlearn.studies.arms import BAYES_MIXTURE, FAMILIES, ICL, MIXTURE, about_seeds
from ctxlearn.studies.expressiveness import distances, exactness, initialization, ridge_rates
from ctxlearn.studies.expressiveness.exactness import STEPS


@dataclass(frozen=True)
class Sizes:
    """Sizes of one profile."""

    trained: optimal.Sizes  # the sizes of the study `optimal`, whose models these are
    exact_tasks: int  # contexts of each family, kind and length that constructions are compared on
    causal_tasks: int  # tasks on which the causal mask's error is measured
    ridge_tasks: int  # linear tasks for the rates
    ridge_steps: tuple[int, ...]  # numbers of blocks there
    probe_tasks: int  # probe tasks of each family and seed
    # budgets of the trainings from each start; the last is the standard model's in `optimal`
    start_steps: tuple[int, ...]
    n_tasks: int  # test tasks of the mixture per seed
    bayes_tasks: int  # how many of them the Bayes predictor is measured on too
    lengths: tuple[int, ...] = (4, 8, 16)  # context lengths of the probes
    exact_steps: tuple[int, ...] = STEPS  # numbers of gradient steps


PROFILES = {
    "smoke": Sizes(optimal.PROFILES["smoke"], 1, 4, 4, (1, 2, 4), 12, (2, 12), 40, 8, (4, 8), (1, 2)),
    "quick": Sizes(optimal.PROFILES["quick"], 2, 250, 100, (1, 2, 4, 8, 16, 32), 150, (75, 300, 900, 3000), 2000, 300),
    "paper": Sizes(
        optimal.PROFILES["paper"], 10, 1000, 1000, (1, 2, 4, 8, 16, 32, 64), 2000, (900, 9000, 90_000), 20_000, 2000
    ),
}


def plan(sizes: Sizes, seed: int) -> list[lab.Planned]:
    """How exact constructions are, what everyone decides on the probes, and how good each start is on the mixture."""
    trained = optimal.trainings(sizes.trained, seed)
    return [
        *exactness.measurements(trained, sizes.exact_tasks, sizes.exact_steps, seed),
        *distances.measurements(trained, sizes.probe_tasks, sizes.lengths, seed),
        *initialization.cells(
            trained[ICL, MIXTURE], sizes.trained.width, sizes.start_steps, sizes.n_tasks, sizes.bayes_tasks, seed
        ),
    ]


def plan_all(sizes: Sizes, seeds: Sequence[int]) -> list[lab.Measurement]:
    """What has no training seed: the causal mask's error, and the rates of gradient steps."""
    causal = exactness.causal_measurements(sizes.causal_tasks)
    return [*causal, *ridge_rates.measurements(sizes.ridge_tasks, sizes.ridge_steps)]


def present(sizes: Sizes, numbers: lab.Numbers) -> lab.Page:
    """The page."""
    table, rates = exactness.exactness_table(numbers), ridge_rates.found(numbers, sizes.ridge_steps)
    decided, accuracy = numbers["decided"], initialization.accuracies(numbers)
    exact, maps, budgets = exactness.claims(table), distances.maps(decided), (0, *sizes.start_steps)
    others = [
        *ridge_rates.claims(rates),
        *distances.claims(decided),
        *initialization.claims(accuracy, sizes.start_steps),
    ]
    return lab.page_from_template(
        Path(__file__).with_name("page.md"),
        [*exact, *others],
        initialization.results(accuracy),
        figures={
            "ridge-rates": ridge_rates.rates_figure(rates),
            **{name: drawing for name, (_, drawing) in maps.items()},
            "starts": initialization.starts_figure(accuracy, budgets),
        },
        tables={
            "constructions": exactness.construction_table(table),
            "causal": exactness.causal_table(numbers),
            "ridge": ridge_rates.rates_table(rates),
            "nearest": distances.nearest_table(decided),
            "mixed": distances.mixed_table(decided),
            "starts": initialization.starts_table(accuracy, budgets),
        },
        values={
            "sizes": sizes,
            "seeds": numbers.seeds,
            "about_seeds": about_seeds(numbers.seeds),
            "exact": exact,
            "others": others,
            "n_contexts": exactness.n_contexts(table[table["group"] == table["group"][0]]),
            "context_lengths": exactness.LENGTHS,
            "rates": rates,
            "n_queries": distances.N_QUERIES,
            "nearest": distances.nearest(decided, distances.MIXED, tuple(FAMILIES), 2),
            "maps": {name: fit for name, (fit, _) in maps.items()},
            "same_seeds": distances.between_seeds(decided),
            "gains": {k: initialization.gain(accuracy, k) for k in (min(sizes.start_steps), max(sizes.start_steps))},
            "best": accuracy[BAYES_MIXTURE, 0, MIXTURE].interval(),
        },
        files={"exactness": exactness.as_text(table), "disagreement": distances.disagreement_table(decided)},
    )


STUDY = lab.Study("expressiveness", PROFILES, plan, present, plan_all)
