"""What the studies of classification train and compare: names, families, learners, looks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ctxlearn import lab
from ctxlearn.learners import CNP, MAML, BlockConfig, InContextTransformer, Learner, MatchNet, ProtoNet
from ctxlearn.tasks import Amortization, ClassPrototype, Mixture, PairwiseMetric, TaskFamily

ICL = "InContextTransformer"
CAUSAL = "InContextTransformer (causal)"
GRADIENT = "MAML"
PAPER = "MatchNet (paper)"
BAYES_MIXTURE = "Bayes of the mixture"
BAYES_FAMILY = "Bayes of the family"
REGRET = {"pairwise-metric": 1.5, "class-prototype": 0.8, "amortization": 0.8}
MIXTURE = "mixture"
N_LABELLED = "labelled points in the context, n"
FAMILIES: dict[str, TaskFamily] = {f.name: f for f in (PairwiseMetric(), ClassPrototype(), Amortization())}
MADE_FOR = {"pairwise-metric": "MatchNet", "class-prototype": "ProtoNet", "amortization": "CNP"}
RATES = {"MatchNet": 3e-2, "ProtoNet": 5e-3, "CNP": 3e-2}
"""Learning rates that did better than the default on a learner's own family (docs/recipe.md)."""
HOME = {**{learner: family for family, learner in MADE_FOR.items()}, PAPER: "pairwise-metric"}
STYLES = {
    ICL: lab.Style(lab.BLUE, label="in-context transformer", width=2.2, order=3),
    CAUSAL: lab.Style(lab.SKY, label="causal in-context transformer"),
    "MatchNet": lab.Style(lab.ORANGE),
    PAPER: lab.Style(lab.YELLOW, label="MatchNet, paper's variant"),
    "ProtoNet": lab.Style(lab.GREEN),
    "CNP": lab.Style(lab.PINK),
    GRADIENT: lab.Style(lab.LEMON),
    "NearestNeighbor": lab.Style(lab.GREY, ":", label="1-nearest neighbour"),
    "LogisticRegression": lab.Style("#8B5A2B", "--", label="logistic regression"),
    "NearestClassMean": lab.Style(lab.GREEN, "-.", label="nearest class mean"),
    "chance": lab.CHANCE,
    "selection, leave-one-out": lab.Style(lab.ORANGE),
    "selection, soft leave-one-out": lab.Style(lab.ORANGE, "-."),
    "selection, evidence": lab.Style(lab.GREEN),
    "selection, soft evidence": lab.Style(lab.GREEN, "-."),
    BAYES_MIXTURE: lab.Style(lab.BLACK, "--"),
    BAYES_FAMILY: lab.Style(lab.BLACK, ":"),
    "family known, no context": lab.Style("#666666", lab.DOTTED, width=0.9),
}


def mixture() -> Mixture:
    """The training distribution of the mixture arms."""
    return Mixture(list(FAMILIES.values()))


def icl_learner(seed: int, width: int = 64) -> InContextTransformer:
    """The in-context model of the studies: more and thinner blocks than the default, better at equal compute."""
    return InContextTransformer(2, 2, width=width, blocks=_blocks(width), seed=seed)


def causal_learner(seed: int, width: int = 64) -> InContextTransformer:
    """The same blocks in the form of a language model: tokens x, y, x, y, ..., each seeing those before it."""
    form: dict[str, Any] = {"tokens": "interleaved", "mask": "causal", "positions": "learned", "max_points": 64}
    return InContextTransformer(2, 2, width=width, blocks=_blocks(width), **form, seed=seed)


def _blocks(width: int) -> list[BlockConfig]:
    return [BlockConfig(heads=2, hidden=2 * width, activation="relu")] * 6


def classical_learner(name: str, seed: int) -> Learner:
    """A fresh classical learner by its name in this study; docs/recipe.md says how each recipe was chosen."""
    if name == PAPER:
        return MatchNet(2, 2, attention="sum", seed=seed)
    if name == "MatchNet":
        return MatchNet(2, 2, similarity="scaled_cosine", seed=seed)
    makers: dict[str, Callable[..., Learner]] = {"ProtoNet": ProtoNet, "CNP": CNP, GRADIENT: MAML}
    return makers[name](2, 2, seed=seed)


def about_seeds(seeds: int) -> str:
    """What training seeds say of how sure a study is, for its page."""
    if seeds == 1:
        speaks = "every sentence is about these trained models; --seeds 3 says more of training in general"
    else:
        speaks = "bounds include the variation between them"
    return f"{lab.count(seeds, 'training seed')}: {speaks}. One model size, two features, two classes."
