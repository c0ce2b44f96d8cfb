"""What a construction is worth as a start: trainings that begin at a learner written by hand, or at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from ctxlearn import lab
from ctxlearn.expressiveness.initialization import StartsAsProtoNet
from ctxlearn.learners import InContextTransformer
from ctxlearn.references import BayesOptimal
from ctxlearn.studies.arms import BAYES_MIXTURE, ICL, MIXTURE, icl_learner, mixture

CONSTRUCTED, RANDOM, STANDARD = "starts as ProtoNet", "starts at random", "standard model"
ARMS = (CONSTRUCTED, RANDOM, STANDARD)
STYLES = {
    CONSTRUCTED: lab.Style(lab.GREEN, marker="o"),
    RANDOM: lab.Style(lab.ORANGE, marker="s"),
    STANDARD: lab.Style(lab.BLUE, "--", marker="^"),
    BAYES_MIXTURE: lab.Style(lab.BLACK, "--", width=1.0),
}


def starting_points(seed: int) -> dict[str, InContextTransformer]:
    """The three arms before any training: the construction, the same architecture at random, and the standard model."""
    built = StartsAsProtoNet(2, 2, seed=seed)
    fresh = InContextTransformer(
        2, 2, width=built.width, encoder="identity", blocks=built.block_configs, mask=built.mask, seed=seed
    )
    return {CONSTRUCTED: built, RANDOM: fresh, STANDARD: icl_learner(seed)}


def cells(
    trained: Mapping[tuple[str, str], lab.Training], steps: Sequence[int], n_tasks: int, bayes_tasks: int, seed: int
) -> list[lab.Cell]:
    """Every arm untrained and trained on the mixture for several numbers of steps, each with a schedule of its own.

    The standard model's longest training is the one of the study `optimal`, in `trained`.
    """
    longest = trained[ICL, MIXTURE]
    arms: dict[lab.Key, lab.Contestant] = {}
    for arm, learner in starting_points(seed).items():
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
    return numbers["score"].map(lambda found: 100 * found.averaged())


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


def section(accuracy: lab.Samples, steps: Sequence[int]) -> lab.Section:
    """Accuracy against steps from each start."""
    budgets = (0, *steps)
    best = accuracy[BAYES_MIXTURE, 0, MIXTURE].interval()
    found = {(arm, f"{k:,}"): accuracy[arm, k, MIXTURE].interval() for arm in ARMS for k in budgets}
    scales = {"whole scale": (45, 101), "near the ceiling": (best.value - 6, best.value + 1)}
    figure, axes = lab.grid(1, 2, width=9.8, height=4.6)
    for axis, (title, limits) in zip(axes[0], scales.items(), strict=True):
        lab.draw_lines(axis, lab.interval_rows(found, "arm steps"), x="steps", by="arm", styles=STYLES)
        lab.draw_levels(axis, {BAYES_MIXTURE: best.value, "chance": 50}, STYLES)
        axis.set_ylim(*limits)
        axis.set_xlim(-0.25, len(budgets) - 0.75)
        axis.set_xlabel("training steps on the mixture")
        axis.set_title(title, loc="left", fontsize=10)
    axes[0][0].set_ylabel("accuracy (%), mean over n >= 1")
    lab.shared_legend(figure, axes[0][0], 5)
    rows = [[arm, *(lab.cell(found[arm, f"{k:,}"]) for k in budgets)] for arm in ARMS]
    rows.append(["as ProtoNet minus at random", *(lab.cell(gain(accuracy, k).interval(), sign=True) for k in budgets)])
    drawn = lab.Figure(
        "starts",
        figure,
        "Accuracy on new tasks of the mixture after trainings of growing length. Bands: 95 % intervals.",
        "Accuracy against training steps for three starts, between chance and the Bayes predictor; see the table.",
    )
    columns = ["", *(f"{k:,} steps" for k in budgets)]
    return lab.Section(
        "What a construction is worth as a start",
        [
            "The first transformer is written to be ProtoNet on the inputs themselves, the nearest-class-mean rule, with spare"
            " width and hidden units. The second has the same architecture (2 blocks, the attention kinds that ProtoNet needs,"
            " no normalisation) and random weights. The third is the in-context model of the other studies, 6 standard blocks."
            " All see the same tasks for as many steps; each number of steps is a training whose learning rate falls to zero.",
            f"The Bayes predictor of the mixture, the ceiling, has {lab.cell(best)} % on {best.n_tasks:,} of these tasks.",
        ],
        [drawn],
        [lab.Table("Accuracy in %, mean over n >= 1, with 95 % interval", columns, rows)],
    )
