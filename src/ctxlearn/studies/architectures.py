"""Is it attention? Other architectures that learn in context, at equal parameters and at equal compute.

Refuted, for an architecture: an accuracy within a point of attention's, on the families that both were trained on; and, for what it
does beyond the length it was trained on, an accuracy that keeps rising with the context.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd
import torch
from matplotlib.figure import Figure
from torch.utils.flop_counter import FlopCounterMode

from ctxlearn import lab
from ctxlearn.learners import BlockConfig, InContextRecurrent, InContextTransformer, Learner
from ctxlearn.references import BayesOptimal
from ctxlearn.studies.algorithms import identified, restored
from ctxlearn.studies.arms import BAYES_MIXTURE, N_LABELLED
from ctxlearn.tasks import Circle, HalfPlane, Mixture, TaskFamily, Xor
from ctxlearn.training import AllPrefixes, TrainingConfig

FAMILIES: dict[str, TaskFamily] = {family.name: family for family in (HalfPlane(), Xor(), Circle())}
ATTENTION = "attention"
MIXERS = {"GRU": "gru", "selective state space": "selective", "gated linear attention": "gated", "delta rule": "delta"}
ARMS = (ATTENTION, "attention over x, y, x, y", *MIXERS)
PARAMETERS, COMPUTE = "equal parameters", "equal compute"
TRAINED, LONG = "trained length", "beyond"
LONGER = 4
"""Times the trained length that contexts are followed to."""
IDENTIFIED = "identified"
COLOURS = (lab.BLUE, lab.SKY, lab.ORANGE, lab.GREEN, lab.PINK, lab.LEMON)
STYLES = {arm: lab.Style(colour) for arm, colour in zip(ARMS, COLOURS, strict=True)}


@dataclass(frozen=True)
class Sizes:
    """Sizes of one profile."""

    steps: int  # optimiser steps of each training at equal parameters, and of attention at equal compute
    tasks_per_step: int  # B
    n_points: int  # N points per training task
    width: int  # of all models
    depth: int  # blocks of each
    n_tasks: int  # test tasks per family and seed
    n_contexts: int  # probe contexts of `identify`


PROFILES = {
    "smoke": Sizes(3, 4, 6, 8, 1, 12, 32),
    "quick": Sizes(1200, 32, 32, 32, 3, 300, 96),
    "paper": Sizes(30_000, 128, 64, 128, 6, 3000, 192),
}


def mixture() -> Mixture:
    """What every model is trained on."""
    return Mixture(list(FAMILIES.values()))


def learner(sizes: Sizes, arm: str, seed: int) -> Learner:
    """A fresh model. The MLPs' hidden units make up for what the mixers differ in, so that all have as many parameters."""
    width, depth = sizes.width, sizes.depth
    if arm in MIXERS:
        hidden = width // 2 if arm == "GRU" else 3 * width // 2
        return InContextRecurrent(2, 2, MIXERS[arm], width=width, depth=depth, heads=2, hidden=hidden, seed=seed)
    blocks = [BlockConfig(heads=2, hidden=2 * width)] * depth
    tokens = "merged" if arm == ATTENTION else "interleaved"
    return InContextTransformer(2, 2, width=width, blocks=blocks, tokens=tokens, mask="causal", seed=seed)


@cache
def flops(sizes: Sizes, arm: str) -> int:
    """Floating-point operations of all matrix products in one pass over a training task."""
    x, y = torch.zeros(1, sizes.n_points, 2), torch.zeros(1, sizes.n_points, dtype=torch.int64)
    counter = FlopCounterMode(display=False)
    with counter, torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH), torch.no_grad():
        learner(sizes, arm, 0).predict_prefixes(x, y)
    return int(counter.get_total_flops())


def steps_of(sizes: Sizes, arm: str, budget: str) -> int:
    """Steps of an arm; at equal compute as many as attention's operations pay for."""
    return sizes.steps if budget == PARAMETERS else round(sizes.steps * flops(sizes, ATTENTION) / flops(sizes, arm))


def training(sizes: Sizes, arm: str, budget: str, seed: int) -> lab.Training:
    """One training."""
    config = TrainingConfig(
        steps=steps_of(sizes, arm, budget),
        tasks_per_step=sizes.tasks_per_step,
        n_points=sizes.n_points,
        shards=1,
        seed=seed,
    )
    return lab.Training(f"{arm}, {budget}, seed {seed}", learner(sizes, arm, seed), mixture(), config, AllPrefixes())


def plan(sizes: Sizes, seed: int) -> list[lab.Planned]:
    """Every model and Bayes on each family; the models of equal parameters on contexts far longer than in training."""
    models = {(arm, budget): training(sizes, arm, budget, seed) for budget in (PARAMETERS, COMPUTE) for arm in ARMS}
    longer = {key: model for key, model in models.items() if key[1] == PARAMETERS}
    bayes = {(BAYES_MIXTURE, ""): BayesOptimal(mixture())}
    cells: list[lab.Planned] = []
    for place, family in FAMILIES.items():
        cells.append(lab.Cell((TRAINED, place), family, {**models, **bayes}, seed, sizes.n_tasks, sizes.n_points))
        cells.append(lab.Cell((LONG, place), family, longer, seed, sizes.n_tasks, LONGER * sizes.n_points))
    return cells


def plan_all(sizes: Sizes, seeds: Sequence[int]) -> list[lab.Measurement]:
    """`identify` for the first seed's models, the other seeds' as replicates."""
    lengths = [n for n in (4, 8, 16) if n < sizes.n_points]
    found = []
    for arm in ARMS:
        models = [training(sizes, arm, PARAMETERS, seed) for seed in seeds]
        asked = lab.call(
            identified, models, mixture(), lengths, sizes.n_contexts, {BAYES_MIXTURE: BayesOptimal(mixture())}
        )
        found.append(lab.Measurement((IDENTIFIED, arm), 0, asked))
    return found


def over_families(scores: lab.Samples, arm: str, budget: str, length: str, part: slice) -> lab.Paired:
    """Accuracy in %, mean over families and a part of the context lengths."""
    return 100 * lab.average([scores[arm, budget, length, place].averaged(part) for place in FAMILIES])


def decide_claims(sizes: Sizes, scores: lab.Samples) -> list[lab.Claim]:
    """Every claim of the study."""
    every, n = slice(1, None), sizes.n_points
    unit = "points of accuracy, mean over families and n >= 1, same tasks"
    best = over_families(scores, ATTENTION, PARAMETERS, TRAINED, every)
    same = [
        lab.Says(
            f"{MIXERS[arm]}-is-as-accurate-as-attention",
            f"At equal parameters and steps {arm} is within 1 point of attention",
            f"attention minus {arm}, {unit}",
            best - over_families(scores, arm, PARAMETERS, TRAINED, every),
            threshold=1.0,
            better="below",
        )
        for arm in MIXERS
    ]
    longer = [
        lab.Says(
            f"{'attention' if arm == ATTENTION else MIXERS[arm]}-keeps-learning",
            f"Far beyond the length it was trained on, {arm} still gains from more context",
            f"points of accuracy, mean over families: last quarter of {LONGER * n} points minus last quarter of the first {n}",
            over_families(scores, arm, PARAMETERS, LONG, slice(-n, None))
            - over_families(scores, arm, PARAMETERS, LONG, slice(n - n // 4, n)),
        )
        for arm in (ATTENTION, *MIXERS)
    ]
    return [*lab.together("accuracy", same), *lab.together("length", longer)]


def length_figure(sizes: Sizes, scores: lab.Samples) -> Figure:
    """Accuracy against context length, far beyond that of training, a panel per family."""
    figure, axes = lab.grid(1, len(FAMILIES), width=3.6 * len(FAMILIES), height=3.6)
    for axis, place in zip(axes[0], FAMILIES, strict=True):
        curves = scores.part(None, PARAMETERS, LONG, place).curves("learner").query("n_context > 0")
        lab.draw_lines(axis, curves, x="n_context", by="learner", styles=STYLES, scale=100)
        axis.axvline(sizes.n_points - 1, color=lab.CHANCE.colour, linestyle="--", linewidth=1)
        lab.name_axes(axis, N_LABELLED, title=place, y_range=(47, 101), log="x")
    axes[0][0].set_ylabel("accuracy on the next point (%)")
    lab.shared_legend(figure, axes[0][0], 3)
    return figure


def table(sizes: Sizes, numbers: lab.Numbers) -> list[dict[str, str]]:
    """What the field asks, one row per architecture."""
    scores, every, rows = numbers["score"], slice(1, None), []
    bayes = over_families(scores, BAYES_MIXTURE, "", TRAINED, every)
    for arm in ARMS:
        own, same = (over_families(scores, arm, budget, TRAINED, every) for budget in (PARAMETERS, COMPUTE))
        found = restored(numbers.facts(IDENTIFIED, arm)[0])
        verdict = found.verdict(max(found.results["n_context"]))
        rows.append(
            {
                "": arm,
                "parameters": f"{sum(p.numel() for p in learner(sizes, arm, 0).parameters()):,}",
                "accuracy (%)": lab.cell(own, 1),
                "regret (points)": lab.cell(bayes - own, 1),
                "steps at equal compute": f"{steps_of(sizes, arm, COMPUTE):,}",
                "accuracy there (%)": lab.cell(same, 1),
                f"at {LONGER} times the length (%)": lab.cell(
                    over_families(scores, arm, PARAMETERS, LONG, slice(-sizes.n_points, None)), 1
                ),
                "runs": f"{'' if verdict.accepted else 'none, nearest: '}{' or '.join(verdict.members)}",
            }
        )
    return rows


def present(sizes: Sizes, numbers: lab.Numbers) -> lab.Page:
    """The page."""
    scores = numbers["score"]
    results: pd.DataFrame = scores.frame("learner", "budget", "length", "family")
    return lab.page_from_template(
        Path(__file__).with_suffix(".md"),
        decide_claims(sizes, scores),
        results.rename(columns={"budget": "trained_on"}),
        figures={"length": length_figure(sizes, scores)},
        tables={"architectures": table(sizes, numbers)},
        values={
            "sizes": sizes,
            "seeds": numbers.seeds,
            "longer": LONGER,
            "best": max(ARMS, key=lambda arm: over_families(scores, arm, PARAMETERS, TRAINED, slice(1, None)).mean()),
        },
    )


STUDY = lab.Study("architectures", PROFILES, plan, present, plan_all)
