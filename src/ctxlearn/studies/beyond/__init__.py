"""Is in-context learning a choice among known algorithms, and does the answer depend on how many families it is trained on?

In-context models are trained on K families and tested on families held out. Their rivals choose among specialists of the
same K families, metric and gradient learners trained on them, and classical rules. Refuted by: a trained gate over those candidates,
or the best of them picked with hindsight, that is as good as the in-context model on the families held out, for every K.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ctxlearn import lab, tasks
from ctxlearn.learners import MAML, BlockConfig, InContextTransformer, Learner, MatchNet, ProtoNet
from ctxlearn.references import KernelRegression, LogisticRegression, NearestNeighbor
from ctxlearn.studies.beyond import metrics, plots
from ctxlearn.studies.beyond.claims import AT_HOME, FAR, NETWORKS, RIVALS, decide_claims, found
from ctxlearn.tasks import Mixture, Radial, TaskFamily
from ctxlearn.training import AllPrefixes, Objective, RandomSplit, TrainingConfig

KINDS = (
    *(tasks.HalfPlane, tasks.OffsetHalfPlane, tasks.Wedge, tasks.Xor, tasks.Band, tasks.Stripes, tasks.QuadraticForm),
    *(tasks.TwoBumps, tasks.Circle, tasks.RotatedEllipse, tasks.RotatedAmortization, tasks.Checkerboard),
)
FAMILIES: dict[str, TaskFamily] = {family.name: family for family in (kind() for kind in KINDS)}
PLACES: dict[str, TaskFamily] = {**FAMILIES, FAR: Radial()}
HELD_OUT = 4
"""Families that a draw holds out; the other eight are trained on."""
COUNTS = (1, 2, 4, 8)
"""K."""
REFERENCES: dict[str, Learner] = {
    "1-NN": NearestNeighbor(2, 2),
    "kernel regression": KernelRegression(0.5, n_features=2),
    "logistic regression": LogisticRegression(2, 2),
}


@dataclass(frozen=True)
class Sizes:
    """Sizes of one profile."""

    counts: tuple[int, ...]  # K, numbers of training families
    n_draws: int  # draws of families, a multiple of three: three hold out each of the twelve once
    steps: int  # optimiser steps of a specialist; a model of K families takes K times as many, as its specialists do together
    tasks_per_step: int  # B
    n_points: int  # N points per training task
    width: int  # of all networks
    depth: int  # blocks of the transformers
    lengths: tuple[
        int, ...
    ]  # context lengths at test time, evenly spaced from 4 to 31, so that their mean stands for all of them
    n_tasks: int  # test tasks per family and seed
    n_queries: int  # queries a hindsight choice is made by, and as many on which everything is scored
    n_evidence: int  # of the test tasks, those for which the families' evidence is computed
    gate_tasks: int  # training tasks of a gate
    gate_steps: int  # its optimiser steps

    @property
    def options(self) -> dict[str, Any]:
        """How learners are measured, but for the seed."""
        return {"n_tasks": self.n_tasks, "lengths": list(self.lengths), "n_queries": self.n_queries}

    @property
    def gate(self) -> dict[str, Any]:
        """How a gate is trained."""
        sizes = {"n_tasks": self.gate_tasks, "n_points": self.n_points, "steps": self.gate_steps}
        return {**sizes, "tasks_per_step": 64, "learning_rate": 3e-3}


PROFILES = {
    "smoke": Sizes((1, 2), 2, 2, 4, 8, 8, 1, (2, 4), 4, 4, 2, 8, 2),
    "quick": Sizes((1, 2, 4, 8), 6, 400, 32, 32, 32, 3, (4, 13, 22, 31), 32, 32, 12, 512, 100),
    "paper": Sizes((1, 2, 4, 8), 12, 20_000, 128, 64, 128, 6, (4, 10, 17, 24, 31), 1000, 128, 200, 16_384, 3000),
}


class Draw(NamedTuple):
    """The families that a draw holds out, and the others in the order in which they join as K grows."""

    held_out: tuple[str, ...]
    trained_on: tuple[str, ...]


def draw_of(number: int) -> Draw:
    """Draws 3 i, 3 i + 1 and 3 i + 2 hold out a third of the families each."""
    names, thirds = list(FAMILIES), len(FAMILIES) // HELD_OUT
    order = torch.randperm(len(names), generator=torch.Generator().manual_seed(number // thirds)).tolist()
    start = HELD_OUT * (number % thirds)
    held = order[start : start + HELD_OUT]
    rest = torch.randperm(len(names), generator=torch.Generator().manual_seed(1000 + number)).tolist()
    return Draw(tuple(names[i] for i in held), tuple(names[i] for i in rest if i not in held))


def training(sizes: Sizes, kind: str, families: Sequence[str], seed: int) -> lab.Training:
    """A network of one kind, trained on an equal mixture of families; an in-context model of one family is its specialist."""
    learner: Learner
    objective: Objective = AllPrefixes()
    if kind == "in-context":
        blocks = [BlockConfig(heads=2, hidden=2 * sizes.width, activation="relu")] * sizes.depth
        learner = InContextTransformer(2, 2, width=sizes.width, blocks=blocks, mask="causal", seed=seed)
    elif kind == "MAML":
        learner, objective = MAML(2, 2, width=sizes.width, seed=seed), RandomSplit()
    elif kind == "MatchNet":  # the length of its embedding is a learned temperature
        learner = MatchNet(2, 2, similarity="dot", width=sizes.width, seed=seed)
    else:
        learner = ProtoNet(2, 2, width=sizes.width, seed=seed)
    source = FAMILIES[families[0]] if len(families) == 1 else Mixture([FAMILIES[name] for name in sorted(families)])
    steps = sizes.steps * len(families) if kind == "in-context" else sizes.steps
    config = TrainingConfig(
        steps=steps, tasks_per_step=sizes.tasks_per_step, n_points=sizes.n_points, shards=1, seed=seed
    )
    return lab.Training(f"{kind}, {', '.join(sorted(families))}, seed {seed}", learner, source, config, objective)


def candidates(sizes: Sizes, families: Sequence[str], seed: int) -> dict[str, lab.Training | Learner]:
    """What a selector may choose from for K families: their specialists, learners trained on their mixture, classical rules."""
    specialists = {name: training(sizes, "in-context", [name], seed) for name in families}
    networks = {kind: training(sizes, kind, families, seed) for kind in NETWORKS}
    return {**specialists, **networks, **REFERENCES}


def plan(sizes: Sizes, seed: int) -> list[lab.Planned]:
    """For each draw and K: the in-context model, its candidates, the evidence of its families and a gate, on every test family."""
    planned: dict[Any, lab.Measurement] = {}
    options = {**sizes.options, "seed": seed}

    def measure(place: str, function: Any, *arguments: Any, key: lab.Key) -> None:
        asked = lab.call(function, *arguments, options=options)
        planned[key] = lab.Measurement(key, seed, asked, f"{place}, seed {seed}")

    for number in range(sizes.n_draws):
        draw = draw_of(number)
        for count in sizes.counts:
            families = draw.trained_on[:count]
            members = candidates(sizes, families, seed)
            model = training(sizes, "in-context", families, seed)
            away = (*draw.held_out, FAR)
            for place in (*away, *families):
                family, key = PLACES[place], (f"draw {number}", count, place)
                measure(place, metrics.candidate, model, family, key=("in-context", *key))
                for name in members if place in away else [place]:
                    own = (name, *key) if name in NETWORKS else (name, "", 1, place)
                    measure(place, metrics.candidate, members[name], family, key=own)
            for place in away:
                for name in families:
                    known = (FAMILIES[name], PLACES[place], sizes.n_evidence)
                    measure(place, metrics.evidence, *known, key=(f"evidence of {name}", "", 1, place))
            source = Mixture([FAMILIES[name] for name in families])
            places = {place: PLACES[place] for place in away}
            asked = lab.call(metrics.gates, members, source, places, options, sizes.gate, 1000 * number + seed)
            who = ("gate", f"draw {number}", count)
            planned[who] = lab.Measurement(
                who, seed, asked, name=f"gate of {count} families, draw {number}, seed {seed}"
            )
    return list(planned.values())


def present(sizes: Sizes, numbers: lab.Numbers) -> lab.Page:
    """The page."""
    draws = {f"draw {number}": draw_of(number) for number in range(sizes.n_draws)}
    names = {
        (draw, count): [*of.trained_on[:count], *NETWORKS, *REFERENCES]
        for draw, of in draws.items()
        for count in sizes.counts
    }
    measured = found(numbers, draws, names, sizes.n_evidence)
    decided = decide_claims(measured)
    return lab.page_from_template(
        Path(__file__).with_name("page.md"),
        decided,
        measured.away.frame("learner", "trained_on", "family"),
        figures={
            "beyond-map": plots.map_figure(measured, [*FAMILIES, FAR]),
            "beyond-curves": plots.curves_figure(measured),
        },
        tables={"accuracy": plots.accuracy_table(measured), "home": plots.home_table(measured)},
        values={
            "sizes": sizes,
            "units": sizes.n_draws * numbers.seeds,
            "leads": [measured.of_units(rival, {sizes.counts[-1]: 1.0}) for rival in RIVALS],
            "at_home": AT_HOME,
        },
    )


STUDY = lab.Study("beyond", PROFILES, plan, present)
