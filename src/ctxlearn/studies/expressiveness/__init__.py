"""Figure 1: can a transformer be each classical learner, and which learner does a trained one become?

Refuted by: a construction that answers otherwise than the learner it was written for; an in-context model trained on the
mixture that decides more like a classical rule than like the mixture's Bayes predictor; or a transformer started at a
learner that trains to no more than the same one started at random.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ctxlearn import lab
from ctxlearn.references import BayesOptimal
from ctxlearn.studies import optimal
from ctxlearn.studies.arms import BAYES_MIXTURE, MIXTURE, mixture
from ctxlearn.studies.expressiveness import exactness, ridge_rates
from ctxlearn.studies.expressiveness.claims import accuracies, decide_claims
from ctxlearn.studies.expressiveness.distances import disagreement_table, probe_measurements
from ctxlearn.studies.expressiveness.exactness import STEPS
from ctxlearn.studies.expressiveness.initialization import ARMS, contestants
from ctxlearn.studies.expressiveness.page import exactness_section, headline, rates_section, starts_section
from ctxlearn.studies.expressiveness.space import space_section


@dataclass(frozen=True)
class Sizes:
    """Sizes of one profile.

    Attributes:
        trained: the sizes of the study `optimal`, whose models these are.
        exact_tasks: contexts of each family, kind and length that constructions are compared on.
        exact_steps: numbers of gradient steps.
        causal_tasks: tasks on which the causal mask's error is measured.
        ridge_tasks: linear tasks for the rates.
        ridge_steps: numbers of blocks there.
        probe_tasks: probe tasks of each family and seed.
        lengths: context lengths of the probes.
        start_steps: budgets of the trainings from a construction, from random weights, and of the standard model; the
            last one is the standard model's in the study `optimal`.
        n_tasks: test tasks of the mixture per seed.
        bayes_tasks: how many of them the Bayes predictor is measured on too.
    """

    trained: optimal.Sizes
    exact_tasks: int
    exact_steps: tuple[int, ...]
    causal_tasks: int
    ridge_tasks: int
    ridge_steps: tuple[int, ...]
    probe_tasks: int
    lengths: tuple[int, ...]
    start_steps: tuple[int, ...]
    n_tasks: int
    bayes_tasks: int


PROFILES = {
    "smoke": Sizes(optimal.PROFILES["smoke"], 1, (1, 2), 4, 4, (1, 2, 4), 12, (4, 8), (2, 12), 40, 8),
    "quick": Sizes(
        optimal.PROFILES["quick"],
        2,
        STEPS,
        250,
        100,
        (1, 2, 4, 8, 16, 32),
        150,
        (4, 8, 16),
        (75, 225, 750, 2250),
        2000,
        300,
    ),
    "paper": Sizes(
        optimal.PROFILES["paper"],
        10,
        STEPS,
        1000,
        1000,
        (1, 2, 4, 8, 16, 32, 64),
        2000,
        (4, 8, 16),
        (900, 9000, 90_000),
        20_000,
        2000,
    ),
}


def plan(sizes: Sizes, seed: int) -> list[lab.Planned]:
    """How exact constructions are, what everyone decides on the probes, and how good each start is on the mixture."""
    trained = optimal.trainings(sizes.trained, seed)
    arms = contestants(trained, sizes.start_steps, seed)
    starts = lab.Cell((MIXTURE,), mixture(), arms, seed, sizes.n_tasks, sizes.trained.n_points, draw=(1,))
    return [
        *exactness.measurements(trained, sizes.exact_tasks, sizes.exact_steps, seed),
        *probe_measurements(trained, sizes.probe_tasks, sizes.lengths, seed),
        starts,
        starts.only(sizes.bayes_tasks, {(BAYES_MIXTURE, 0): BayesOptimal(mixture())}),
    ]


def plan_all(sizes: Sizes, seeds: Sequence[int]) -> list[lab.Measurement]:
    """What has no training seed: the causal mask's error, and the rates of gradient steps."""
    return [
        *exactness.causal_measurements(sizes.causal_tasks),
        *ridge_rates.measurements(sizes.ridge_tasks, sizes.ridge_steps),
    ]


def present(sizes: Sizes, numbers: lab.Numbers) -> lab.Page:
    """The page."""
    exact, rates = exactness.exactness_table(numbers), ridge_rates.found(numbers, sizes.ridge_steps)
    decided, accuracy = numbers["decided"], accuracies(numbers)
    claims = decide_claims(exact, rates, decided, accuracy, sizes.start_steps)
    starts = lab.Samples(
        {(arm, f"mixture, {k} steps", where): one / 100 for (arm, k, where), one in accuracy.items() if arm in ARMS}
    )
    return lab.Page(
        title="Can a transformer be each classical learner, and which learner does it become?",
        asked="Is there, for each classical meta-learner (MatchNet, ProtoNet, CNP, gradient descent on a linear head), a transformer that "
        "answers exactly as it does? Which learning algorithm is a trained in-context model nearest to? And does it help to "
        "start training at a transformer written to be one of them?",
        found=headline(claims, decided, accuracy, sizes.start_steps),
        sure=f"{lab.count(sizes.probe_tasks, 'probe task')} of each of four families and {lab.count(sizes.n_tasks, 'test task')} of the "
        f"mixture per seed, {lab.count(numbers.seeds, 'training seed')}."
        + (
            " With one seed every sentence is about these trained models, not about training in general; --seeds 3 adds that."
            if numbers.seeds == 1
            else " Bounds include the variation between seeds."
        )
        + " Constructions were compared on finitely many contexts; why they hold for all is derived in docs/expressiveness.md."
        " One model size, two features, two classes.",
        claims=claims,
        results=starts.frame("learner", "trained_on", "family"),
        sections=[
            exactness_section(exact, numbers),
            rates_section(rates),
            space_section(decided, sizes.lengths),
            starts_section(accuracy, sizes.start_steps),
        ],
        tables={"exactness": exactness.as_text(exact), "disagreement": disagreement_table(decided)},
    )


STUDY = lab.Study("expressiveness", PROFILES, plan, present, plan_all)
