"""Figure 2: does in-context learning find the algorithm that is right for its training distribution?

Refuted by: an in-context model that is worse than the learner made for a family, trained on that family; or one that
falls behind it when trained on the mixture; or classical learners that lose nothing by the mixture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ctxlearn import lab
from ctxlearn.references import BayesOptimal, LogisticRegression, NearestNeighbor
from ctxlearn.studies import arms
from ctxlearn.studies.arms import BAYES_FAMILY, BAYES_MIXTURE, CAUSAL, FAMILIES, ICL, MIXTURE
from ctxlearn.studies.optimal import real_data
from ctxlearn.training import AllPrefixes, TrainingConfig

UNIT = "points of accuracy, mean over n >= 1, same tasks"
GROUPS = (
    "single-family",
    "mixture",
    "best-single-family",
    "best-mixture",
    "causal",
    "gradient",
    "classical-loss",
    "icl-keeps",
    "regret-single-family",
    "regret-mixture",
    "causal-regret-mixture",
    "off-family",
)
"""Claims that are decided together."""
WORDS = {"family": "trained on the family", MIXTURE: "trained on the mixture"}


@dataclass(frozen=True)
class Sizes:
    """Sizes of one profile."""

    icl_steps: int  # steps of the in-context model on one family; three times as many on the mixture
    # of the causal in-context model on the mixture, of a quarter as many tasks: each is used at every context length
    causal_steps: int
    classical_steps: int  # as `icl_steps`, of each classical learner
    n_points: int  # N points per task
    n_tasks: int  # test tasks per family and seed
    bayes_tasks: int  # how many of them the Bayes predictors, which are slower, are measured on too
    draws: int  # draws of each real table
    # of the in-context models; with few steps a thin model goes further in the same time (docs/recipe.md)
    width: int = 64
    everywhere: bool = False  # train every classical learner on every family, not on its own and the mixture only


PROFILES = {
    "smoke": Sizes(icl_steps=4, causal_steps=4, classical_steps=4, n_points=12, n_tasks=40, bayes_tasks=8, draws=4),
    "quick": Sizes(1000, 1500, 750, n_points=50, n_tasks=1000, bayes_tasks=300, draws=250, width=32),
    "paper": Sizes(30_000, 90_000, 30_000, 50, n_tasks=10_000, bayes_tasks=2000, draws=1000, everywhere=True),
}


COSTS = {ICL: 54, CAUSAL: 52, arms.GRADIENT: 67}
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
        for name in (ICL, *arms.HOME, arms.GRADIENT):
            if name != ICL and place not in (arms.HOME.get(name), MIXTURE) and not sizes.everywhere:
                continue
            learner = arms.icl_learner(seed, sizes.width) if name == ICL else arms.classical_learner(name, seed)
            steps, every = (sizes.icl_steps, 50) if name == ICL else (sizes.classical_steps, 200)
            rate = arms.RATES.get(name, base.learning_rate)
            config = replace(base, steps=families * steps, learning_rate=rate, checkpoint_every=every)
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


def accuracies(numbers: lab.Numbers) -> lab.Samples:
    """By learner, training distribution and family: accuracy in %, mean over n >= 1."""
    return numbers["score"].averaged(100)


def decide_claims(accuracy: lab.Samples) -> list[lab.Claim]:
    """Every claim of the study, by group."""
    groups: dict[str, list[lab.Says]] = {name: [] for name in GROUPS}

    def says(group: str, name: str, sentence: str, statistic: str, gap: lab.Estimate, **limit: Any) -> None:
        groups[group].append(lab.Says(name, sentence, f"{statistic}, {UNIT}", gap, **limit))

    for rival, family in arms.HOME.items():
        own = accuracy[rival, family, family]
        for group, place, words in (
            ("single-family", family, "trained on the same family alone"),
            ("mixture", MIXTURE, "trained on the mixture"),
        ):
            says(
                group,
                f"icl-{group}-at-least-{family}{'-paper-matchnet' if rival == arms.PAPER else ''}",
                f"The in-context model {words} is at least as good on {family} tasks as {rival} trained on them alone",
                f"in-context model minus {rival}",
                accuracy[ICL, place, family] - own,
            )
        if rival != arms.PAPER:
            says(
                "causal",
                f"causal-icl-mixture-at-least-{family}",
                f"The causal in-context model trained on the mixture is at least as good on {family} tasks as {rival} trained"
                " on them alone",
                f"causal in-context model minus {rival}",
                accuracy[CAUSAL, MIXTURE, family] - own,
            )
        slug = rival.lower().replace(" (paper)", "-paper")
        says(
            "classical-loss",
            f"{slug}-loses-by-mixture",
            f"{rival} trained on the mixture is worse on {family} tasks than {rival} trained on them alone",
            f"{rival} trained on the family minus {rival} trained on the mixture",
            own - accuracy[rival, MIXTURE, family],
        )
        away = [other for other in FAMILIES if other != family]
        says(
            "off-family",
            f"{slug}-loses-off-family",
            f"{rival} trained on {family} tasks is worse on the other two families than the learners made for them",
            f"learner made for the family minus {rival}, mean over {' and '.join(away)}",
            lab.average([accuracy[arms.MADE_FOR[f], f, f] - accuracy[rival, family, f] for f in away]),
        )
    for family in FAMILIES:
        rivals = {name: accuracy[name, family, family] for name, home in arms.HOME.items() if home == family}
        rivals |= {rule: accuracy[rule, "", family] for rule in ("LogisticRegression", "NearestNeighbor")}
        for group, place, words in (
            ("best-single-family", family, "trained on them alone"),
            ("best-mixture", MIXTURE, "trained on the mixture"),
        ):
            least = lab.Least({name: accuracy[ICL, place, family] - rival for name, rival in rivals.items()})
            says(
                group,
                f"icl-{group.removeprefix('best-')}-at-least-best-{family}",
                f"The in-context model {words} is at least as good on {family} tasks as every learner made for them and trained on"
                " them alone, and as logistic regression and 1-nearest neighbour",
                f"in-context model minus the best of {len(rivals)} ({least.closest})",
                least,
            )
    for family in FAMILIES:
        says(
            "gradient",
            f"icl-mixture-at-least-maml-{family}",
            f"On {family} tasks the in-context model trained on the mixture is at least as good as MAML trained on the mixture",
            "in-context model minus MAML",
            accuracy[ICL, MIXTURE, family] - accuracy[arms.GRADIENT, MIXTURE, family],
        )
        says(
            "icl-keeps",
            f"icl-keeps-{family}",
            f"The in-context model loses less than 1 point on {family} tasks by training on the mixture",
            "in-context model trained on the family minus the one trained on the mixture",
            accuracy[ICL, family, family] - accuracy[ICL, MIXTURE, family],
            threshold=1.0,
            better="below",
        )
        for group, model, arm, words, best in (
            ("regret-single-family", "in-context model", (ICL, family), "them alone", BAYES_FAMILY),
            ("regret-mixture", "in-context model", (ICL, MIXTURE), "mixture", BAYES_MIXTURE),
            ("causal-regret-mixture", "causal in-context model", (CAUSAL, MIXTURE), "mixture", BAYES_MIXTURE),
        ):
            ceiling = accuracy[best, "", family]
            says(
                group,
                f"{group.replace('regret', 'icl-regret')}-{family}",
                f"On {family} tasks the {model} trained on {words} is within {arms.REGRET[family]:g} points of the Bayes-optimal"
                " predictor of its training distribution",
                f"{best} minus {model}",
                ceiling - accuracy[*arm, family].first(ceiling.n_tasks),
                threshold=arms.REGRET[family],
                better="below",
            )
    return [claim for group, asserted in groups.items() for claim in lab.together(group, asserted)]


def accuracy_table(accuracy: lab.Samples) -> list[dict[str, str]]:
    """One row per learner and what it was trained on."""
    places = [*FAMILIES, MIXTURE, ""]
    pairs = dict.fromkeys((str(key[0]), str(key[1])) for key in accuracy)
    return [
        {
            "learner": lab.label(name, arms.STYLES),
            "trained on": place or "nothing (no parameters)",
            **{
                f: lab.cell(accuracy[name, place, f]) if (name, place, f) in accuracy else "not measured"
                for f in FAMILIES
            },
        }
        for name, place in sorted(pairs, key=lambda pair: places.index(pair[1]))
    ]


def accuracy_figure(scores: lab.Samples, family: str) -> Figure:
    """Accuracy at every context length, trained on one family and on the mixture."""
    matched = [name for name, home in arms.HOME.items() if home == family]
    rules = [("LogisticRegression", ""), ("NearestNeighbor", "")]
    alone = [(BAYES_FAMILY, ""), *((name, family) for name in (*matched, ICL))]
    mixed = [(BAYES_MIXTURE, ""), *((name, MIXTURE) for name in (*arms.HOME, arms.GRADIENT, arms.CAUSAL, ICL))]
    panels = {"trained on this family alone": alone, "trained on the mixture of three families": mixed}
    figure, axes = lab.grid(1, 2, width=8.6, height=4.9)
    for axis, (title, shown) in zip(axes[0], panels.items(), strict=True):
        curves = lab.Samples({arm: scores[*arm, family] for arm in rules + shown}).curves("learner", "trained on")
        lab.draw_lines(axis, curves, x="n_context", by="learner", styles=arms.STYLES, scale=100)
        lab.draw_levels(axis, {"chance": 50})
        lab.name_axes(axis, arms.N_LABELLED, title=f"{family} tasks\n{title}", y_range=(47, 101))
        lab.legend_below(axis)
    axes[0][0].set_ylabel("accuracy on the next point (%)")
    return figure


def regrets(scores: lab.Samples) -> lab.Samples:
    """By family and "family" or "mixture", what it was trained on: points behind Bayes at each context length."""
    found = {}
    for family in FAMILIES:
        for words, place, oracle in (("family", family, BAYES_FAMILY), (MIXTURE, MIXTURE, BAYES_MIXTURE)):
            best = scores[oracle, "", family]
            found[family, words] = 100 * (best - scores[ICL, place, family].first(best.n_tasks))
    return lab.Samples(found)


def regret_figure(regret: lab.Samples) -> Figure:
    """How far the in-context model stays behind the best possible predictor, at each context length."""
    return lab.lines(
        regret.curves("family", "training", bounded=False).replace({"training": WORDS}),
        x="n_context",
        by="training",
        panel="family",
        styles={"trained on the family": lab.Style(lab.SKY), "trained on the mixture": lab.Style(lab.BLUE)},
        levels={"Bayes": 0},
        title=lambda family: f"{family} tasks",
        x_label=arms.N_LABELLED,
        y_label="points of accuracy behind Bayes",
        size=(3.2, 3.2),
    )


def regret_table(regret: lab.Samples) -> list[dict[str, str]]:
    """The mean over lengths, and some of them."""
    rows = []
    for (family, training), found in regret.items():
        means = found.values.mean((0, 1))
        lengths = (1, 4, len(means) // 3, len(means) - 1)
        some = {f"n = {n}": f"{means[n]:+.1f}" for n in lengths}
        rows.append({"": f"{family}, {WORDS[str(training)]}", "mean": lab.cell(found.averaged(), sign=True), **some})
    return rows


def lost_table(regret: lab.Samples, accuracy: lab.Samples) -> list[dict[str, str]]:
    """What the mixture costs the in-context model, and for which of two reasons."""
    rows = []
    for family in FAMILIES:
        ceiling = accuracy[BAYES_FAMILY, "", family] - accuracy[BAYES_MIXTURE, "", family]
        training = regret[family, MIXTURE].averaged() - regret[family, "family"].averaged()
        parts = {
            "loss": ceiling + training,
            "of it the ceiling's: families must be told apart": ceiling,
            "of it training's: regret that the same steps leave": training,
        }
        rows.append({"": family, **{words: lab.cell(part, sign=True) for words, part in parts.items()}})
    return rows


def present(sizes: Sizes, numbers: lab.Numbers) -> lab.Page:
    """The page."""
    scores, accuracy, real = numbers["score"], accuracies(numbers), real_data.table(numbers)
    regret = regrets(scores)
    return lab.page_from_template(
        Path(__file__).with_name("page.md"),
        decide_claims(accuracy),
        scores.frame("learner", "trained_on", "family"),
        figures={
            **{f"accuracy-{family}": accuracy_figure(scores, family) for family in FAMILIES},
            "regret": regret_figure(regret),
            "real-data-accuracy": real_data.accuracy_figure(real),
            "real-data-regions": real_data.regions_figure(numbers),
        },
        tables={
            "accuracy": accuracy_table(accuracy),
            "regret": regret_table(regret),
            "lost": lost_table(regret, accuracy),
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
