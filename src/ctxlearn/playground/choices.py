"""The learners that the playground shows, by key, and how each is written in Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ctxlearn.checks import unknown_name
from ctxlearn.learners import CNP, MAML, Learner, MatchNet, ProtoNet
from ctxlearn.playground.families import family_of
from ctxlearn.playground.state import MODES, State
from ctxlearn.references import BayesOptimal, KernelRegression, LogisticRegression, NearestNeighbor, Ridge
from ctxlearn.training import load

TREES = 30
"""Of the forest, so that it follows a drag."""
NEEDS_RUN = {"cnp": CNP, "maml": MAML}
"""Learners that are nothing without training."""


@dataclass(frozen=True)
class Choice:
    """A learner to choose.

    Attributes:
        title: above its panel.
        about: one line for the reader.
        classes: makes the learner of classes for a state; None where there is none.
        numbers: likewise of numbers.
        missing: why it cannot be chosen; empty where it can.
        code: how the learner is written in Python; None: as it prints itself.
    """

    title: str
    about: str
    classes: Callable[[State], Any] | None = None
    numbers: Callable[[State], Any] | None = None
    missing: str = ""
    code: str | None = None

    def modes(self) -> list[str]:
        """The modes that it can be chosen in."""
        return [mode for mode in MODES if self.missing or getattr(self, mode) is not None]


def choices(runs: Sequence[tuple[Path, Learner]] = ()) -> dict[str, Choice]:
    """All learners by key: those of the runs first.

    Args:
        runs: folders of runs with the learners they hold.

    Raises:
        ValueError: a run's learner reads neither points of the plane nor one number.
    """
    made = {f"run{i}": _of_run(folder, learner) for i, (folder, learner) in enumerate(runs, start=1)}
    made |= {
        "shipped": Choice("in context (shipped)", "the model that comes with ctxlearn", _classifier, _regressor),
        "bayes": Choice("Bayes of the family", "no learner is better on tasks of the family", _bayes, _bayes),
        "logistic": Choice("logistic regression", "a straight boundary", lambda s: LogisticRegression(2, s.n_classes)),
        "ridge": Choice("ridge", "a straight line", numbers=lambda _: Ridge(1, None, penalty=0.1)),
        "means": Choice(
            "class means (ProtoNet)", "the nearest class mean", lambda s: ProtoNet(2, s.n_classes, encoder="identity")
        ),
        "cosine": Choice("cosine softmax (MatchNet)", "votes by angle", lambda s: MatchNet(2, s.n_classes, "identity")),
        "kernel": Choice(
            "kernel regression",
            "votes by distance",
            lambda s: KernelRegression(n_features=2, n_classes=s.n_classes),
            lambda _: KernelRegression(0.5, n_features=1, n_classes=None),
        ),
        "nearest": Choice(
            "1-NN",
            "the nearest point",
            lambda s: NearestNeighbor(2, s.n_classes),
            lambda _: NearestNeighbor(1, None),
        ),
        "forest": Choice("random forest", f"{TREES} trees", _forest, _regression_forest),
    }
    there = {type(learner) for _, learner in runs}
    for key, kind in NEEDS_RUN.items():
        if kind not in there:
            made[key] = Choice(
                kind.__name__, "", missing=f"{kind.__name__} must be trained first: ctxlearn playground --run FOLDER"
            )
    return made


def build(known: Mapping[str, Choice], key: str, state: State) -> Any:
    """The learner of a key for a state: a `Learner`, or an estimator with `fit`.

    Raises:
        ValueError: there is no such learner in this mode, or it does not fit the points; the reader can act on it.
    """
    if key not in known:
        unknown_name("learner", key, known)
    choice = known[key]
    if choice.missing:
        raise ValueError(choice.missing)
    make = choice.classes if state.mode == "classes" else choice.numbers
    if make is None:
        raise ValueError(f"{choice.title} predicts {'numbers' if state.mode == 'classes' else 'classes'} only")
    return make(state)


def _classifier(_: State) -> Any:
    from ctxlearn.estimators import InContextClassifier

    return InContextClassifier()


def _regressor(_: State) -> Any:
    from ctxlearn.estimators import InContextRegressor

    return InContextRegressor()


def _forest(_: State) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(TREES, random_state=0)


def _regression_forest(_: State) -> Any:
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(TREES, random_state=0)


@lru_cache(maxsize=16)
def _bayes_of(mode: str, family: str, classes: int) -> BayesOptimal:
    return BayesOptimal(family_of(State(mode=mode, learners=(), family=family, classes=classes)))


def _bayes(state: State) -> BayesOptimal:
    family = family_of(state)
    if family.n_classes is not None and state.n_classes > family.n_classes:
        raise ValueError(
            f"tasks of {state.family} have {family.n_classes} classes here, and there are points of {state.n_classes}"
        )
    try:
        return _bayes_of(state.mode, state.family, state.classes)
    except ValueError:
        if state.mode == "numbers":
            raise ValueError(f"no exact Bayes predictor of {state.family} is known; LinearRegression has one") from None
        raise


def _of_run(folder: Path, learner: Learner) -> Choice:
    title, code = folder.resolve().name, f"load({str(folder)!r})"
    wanted = 2 if learner.n_classes is not None else 1
    if not isinstance(learner.n_features, int) or learner.n_features < wanted:
        raise ValueError(
            f"run {folder}: expected a learner of {wanted} features or more, got one of {learner.n_features}; the"
            " playground shows points of a plane"
        )
    about = f"{type(learner).__name__} of {folder}"
    if learner.n_features > wanted:  # the estimators fill up the features that the plane does not have
        kind = "InContextClassifier" if learner.n_classes is not None else "InContextRegressor"

        def estimator(_: State) -> Any:
            from ctxlearn import estimators

            return getattr(estimators, kind)(learner)

        code = f"{kind}({str(folder)!r})"
        if learner.n_classes is not None:
            return Choice(title, about, classes=estimator, code=code)
        return Choice(title, about, numbers=estimator, code=code)

    def own(state: State) -> Learner:
        if learner.n_classes is not None and state.n_classes > learner.n_classes:
            raise ValueError(f"{title} knows {learner.n_classes} classes, and there are points of {state.n_classes}")
        return learner

    if learner.n_classes is not None:
        return Choice(title, about, classes=own, code=code)
    return Choice(title, about, numbers=own, code=code)


def load_runs(folders: Sequence[str], trusted: Sequence[str] = ()) -> list[tuple[Path, Learner]]:
    """The learners of runs, ready to answer."""
    return [(Path(folder), load(folder, trusted=trusted).eval()) for folder in folders]
