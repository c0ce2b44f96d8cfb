"""Figure 1: can a transformer be each classical learner, and which learner does a trained one become?

Refuted by: a construction that answers otherwise than the learner it was written for; an in-context model trained on the
mixture that decides more like a classical rule than like the mixture's Bayes predictor; or a transformer started at a
learner that trains to no more than the same one started at random.

Each of the four parts is a module of its measurements, its claims and its section of the page: `exactness`,
`ridge_rates`, `space` and `initialization`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ctxlearn import lab
from ctxlearn.studies import optimal
from ctxlearn.studies.arms import FAMILIES, about_seeds
from ctxlearn.studies.expressiveness import exactness, initialization, ridge_rates, space
from ctxlearn.studies.expressiveness.exactness import STEPS


@dataclass(frozen=True)
class Sizes:
    """Sizes of one profile.

    Attributes:
        trained: the sizes of the study `optimal`, whose models these are.
        exact_tasks: contexts of each family, kind and length that constructions are compared on.
        causal_tasks: tasks on which the causal mask's error is measured.
        ridge_tasks: linear tasks for the rates.
        ridge_steps: numbers of blocks there.
        probe_tasks: probe tasks of each family and seed.
        start_steps: budgets of the trainings from each start; the last is the standard model's in `optimal`.
        n_tasks: test tasks of the mixture per seed.
        bayes_tasks: how many of them the Bayes predictor is measured on too.
        lengths: context lengths of the probes.
        exact_steps: numbers of gradient steps.
    """

    trained: optimal.Sizes
    exact_tasks: int
    causal_tasks: int
    ridge_tasks: int
    ridge_steps: tuple[int, ...]
    probe_tasks: int
    start_steps: tuple[int, ...]
    n_tasks: int
    bayes_tasks: int
    lengths: tuple[int, ...] = (4, 8, 16)
    exact_steps: tuple[int, ...] = STEPS


PROFILES = {
    "smoke": Sizes(optimal.PROFILES["smoke"], 1, 4, 4, (1, 2, 4), 12, (2, 12), 40, 8, (4, 8), (1, 2)),
    "quick": Sizes(optimal.PROFILES["quick"], 2, 250, 100, (1, 2, 4, 8, 16, 32), 150, (75, 225, 750, 2250), 2000, 300),
    "paper": Sizes(
        optimal.PROFILES["paper"], 10, 1000, 1000, (1, 2, 4, 8, 16, 32, 64), 2000, (900, 9000, 90_000), 20_000, 2000
    ),
}


def plan(sizes: Sizes, seed: int) -> list[lab.Planned]:
    """How exact constructions are, what everyone decides on the probes, and how good each start is on the mixture."""
    trained = optimal.trainings(sizes.trained, seed)
    return [
        *exactness.measurements(trained, sizes.exact_tasks, sizes.exact_steps, seed),
        *space.measurements(trained, sizes.probe_tasks, sizes.lengths, seed),
        *initialization.cells(trained, sizes.start_steps, sizes.n_tasks, sizes.bayes_tasks, seed),
    ]


def plan_all(sizes: Sizes, seeds: Sequence[int]) -> list[lab.Measurement]:
    """What has no training seed: the causal mask's error, and the rates of gradient steps."""
    causal = exactness.causal_measurements(sizes.causal_tasks)
    return [*causal, *ridge_rates.measurements(sizes.ridge_tasks, sizes.ridge_steps)]


def present(sizes: Sizes, numbers: lab.Numbers) -> lab.Page:
    """The page."""
    exact, rates = exactness.exactness_table(numbers), ridge_rates.found(numbers, sizes.ridge_steps)
    decided, accuracy = numbers["decided"], initialization.accuracies(numbers)
    claims = [
        *exactness.claims(exact),
        *ridge_rates.claims(rates),
        *space.claims(decided),
        *initialization.claims(accuracy, sizes.start_steps),
    ]
    return lab.Page(
        title="Can a transformer be each classical learner, and which learner does it become?",
        asked="Is there, for each classical meta-learner (MatchNet, ProtoNet, CNP, gradient descent on a linear head), a"
        " transformer that answers exactly as it does? Which learning algorithm is a trained in-context model nearest to?"
        " And does it help to start training at a transformer written to be one of them?",
        found=_headline(claims, decided, accuracy, sizes.start_steps),
        sure=f"{lab.count(sizes.probe_tasks, 'probe task')} of each of four families and"
        f" {lab.count(sizes.n_tasks, 'test task')} of the mixture per seed. {about_seeds(numbers.seeds)} Constructions were"
        " compared on finitely many contexts; docs/expressiveness.md derives why they hold for all.",
        claims=claims,
        results=initialization.results(accuracy),
        sections=[
            exactness.section(exact, numbers),
            ridge_rates.section(rates),
            space.section(decided, sizes.lengths),
            initialization.section(accuracy, sizes.start_steps),
        ],
        tables={"exactness": exactness.as_text(exact), "disagreement": space.disagreement_table(decided)},
    )


def _headline(claims: list[lab.Claim], decided: lab.Samples, accuracy: lab.Samples, steps: Sequence[int]) -> str:
    """What came out, in words made from the claims."""
    exact = [c for c in claims if c.group == "exact"]
    others = lab.tally([c for c in claims if c.group != "exact"])
    (first, near), (second, next_) = space.nearest(decided, space.MIXED, tuple(FAMILIES), 2)
    gaps = {k: initialization.gain(accuracy, k).interval() for k in (min(steps), max(steps))}
    worth = " and ".join(f"{lab.cell(gap, sign=True)} points after {k:,} steps" for k, gap in gaps.items())
    return (
        f"Transformers written by hand agree with their learners to {min(c.value for c in exact):.1f} digits or more"
        f" ({sum(c.verdict == 'holds' for c in exact)} of {len(exact)} claims of exactness hold). The in-context model"
        f" trained on the mixture decides most often as {first} (they differ in {near.value:.1f} % of the decisions), then as"
        f" {second} ({next_.value:.1f} %). Starting at ProtoNet and not at random is worth {worth}. Of the others,"
        f" {others}"
    )


STUDY = lab.Study("expressiveness", PROFILES, plan, present, plan_all)
