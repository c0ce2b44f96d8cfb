"""What a construction is worth as a start: trainings that begin at a learner written by hand, or at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
from matplotlib.figure import Figure

from ctxlearn import lab
from ctxlearn.expressiveness.initialization import StartsAsProtoNet
from ctxlearn.learners import InContextTransformer
from ctxlearn.references import BayesOptimal
from ctxlearn.studies.arms import BAYES_MIXTURE, MIXTURE, icl_learner, mixture

CONSTRUCTED, RANDOM, STANDARD = "starts as ProtoNet", "starts at random", "standard model"
ARMS = (CONSTRUCTED, RANDOM, STANDARD)
STYLES = {
    CONSTRUCTED: lab.Style(lab.GREEN, marker="o"),
    RANDOM: lab.Style(lab.ORANGE, marker="s"),
    STANDARD: lab.Style(lab.BLUE, "--", marker="^"),
    BAYES_MIXTURE: lab.Style(lab.BLACK, "--", width=1.0),
}


def starting_points(seed: int, width: int = 64) -> dict[str, InContextTransformer]:
    """The three arms before any training: the construction, the same architecture at random, and the standard model."""
    built = StartsAsProtoNet(2, 2, seed=seed)
    fresh = InContextTransformer(
        2, 2, width=built.width, encoder="identity", blocks=built.block_configs, mask=built.mask, seed=seed
    )
    return {CONSTRUCTED: built, RANDOM: fresh, STANDARD: icl_learner(seed, width)}


def cells(
    longest: lab.Training, width: int, steps: Sequence[int], n_tasks: int, bayes_tasks: int, seed: int
) -> list[lab.Cell]:
    """Every arm untrained and trained on the mixture for several numbers of steps, each with a schedule of its own.

    The standard model's `longest` training, of this width, is the one of the study `optimal`.
    """
    arms: dict[lab.Key, lab.Contestant] = {}
    for arm, learner in starting_points(seed, width).items():
        arms[arm, 0] = learner
        for k in steps:
            config = replace(longest.config, steps=k)
            shared = arm == STANDARD and config == longest.config
            own = lab.Training(f"{arm}, {k} steps, seed {seed}", learner, mixture(), config)
            arms[arm, k] = longest if shared else own
    starts = lab.Cell((MIXTURE,), mixture(), arms, seed, n_tasks, longest.config.n_points, draw=(1,))
    return [starts, starts.only(bayes_tasks, {(BAYES_MIXTURE, 0): BayesOptimal(mixture())})]


def accuracies(numbers: lab.Numbers) -> lab.Samples:
    """By arm, number of steps and "mixture": accuracy in %, mean over n >= 1."""
    return numbers["score"].averaged(100)


def gain(accuracy: lab.Samples, steps: int, baseline: str = RANDOM) -> lab.Paired:
    """What starting as ProtoNet is worth after training, in points of accuracy."""
    return accuracy[CONSTRUCTED, steps, MIXTURE] - accuracy[baseline, steps, MIXTURE]


def claims(accuracy: lab.Samples, steps: Sequence[int]) -> list[lab.Claim]:
    """Is the construction a better start than random weights, and as good as the standard model?"""
    unit = "points of accuracy, mean over n >= 1, same tasks of the mixture"
    better = [
        lab.Says(
            f"construction-beats-random-start-{k}-steps",
            f"Trained on the mixture for {k:,} steps, the transformer that starts as ProtoNet is better than the same one"
            " started at random",
            f"started as ProtoNet minus started at random, {unit}",
            gain(accuracy, k),
        )
        for k in steps
    ]
    standard = lab.Says(
        "construction-at-least-standard",
        f"Trained on the mixture for {steps[-1]:,} steps, the transformer that starts as ProtoNet is at least as good as the"
        " standard model",
        f"started as ProtoNet minus standard model, {unit}",
        gain(accuracy, steps[-1], STANDARD),
    )
    return [*lab.together("starts", better), *lab.together("starts-standard", [standard])]


def results(accuracy: lab.Samples) -> pd.DataFrame:
    """The tidy table of the arms, as shares."""
    arms = {(arm, f"mixture, {k} steps", on): found / 100 for (arm, k, on), found in accuracy.items() if arm in ARMS}
    return lab.Samples(arms).frame("learner", "trained_on", "family")


def starts_figure(accuracy: lab.Samples, steps: Sequence[int]) -> Figure:
    """Accuracy against steps from each start, on two scales."""
    best = accuracy[BAYES_MIXTURE, 0, MIXTURE].mean()
    shown = lab.interval_rows({(arm, f"{k:,}"): accuracy[arm, k, MIXTURE] for arm in ARMS for k in steps}, "arm steps")
    scales = {"whole scale": (45, 101), "near the ceiling": (best - 6, best + 1)}
    figure, axes = lab.grid(1, 2, width=9.8, height=4.6)
    for axis, (title, limits) in zip(axes[0], scales.items(), strict=True):
        lab.draw_lines(axis, shown, x="steps", by="arm", styles=STYLES)
        lab.draw_levels(axis, {BAYES_MIXTURE: best, "chance": 50}, STYLES)
        lab.name_axes(axis, "training steps on the mixture", title=title, y_range=limits)
        axis.set_xlim(-0.25, len(steps) - 0.75)
    axes[0][0].set_ylabel("accuracy (%), mean over n >= 1")
    lab.shared_legend(figure, axes[0][0], 5)
    return figure


def starts_table(accuracy: lab.Samples, steps: Sequence[int]) -> list[dict[str, str]]:
    """The same as numbers, and what starting as ProtoNet is worth."""
    rows = [{"": arm, **{f"{k:,} steps": lab.cell(accuracy[arm, k, MIXTURE]) for k in steps}} for arm in ARMS]
    worth = {f"{k:,} steps": lab.cell(gain(accuracy, k), sign=True) for k in steps}
    return [*rows, {"": "as ProtoNet minus at random", **worth}]
