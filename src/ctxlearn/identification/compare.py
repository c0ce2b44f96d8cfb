"""`identify`: which algorithm does a predictor run?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ctxlearn.checks import check_features, check_float, check_int, describe, unknown_name
from ctxlearn.episodes import Tasks
from ctxlearn.identification.candidates import default_candidates
from ctxlearn.identification.fitting import fit_descent, fit_ridge
from ctxlearn.identification.predictors import Answers, as_answers
from ctxlearn.identification.probes import Probes, draw_probes
from ctxlearn.identification.ranking import Ranking, rank
from ctxlearn.identification.responses import Responses, check_alone, implicit_weights, respond
from ctxlearn.identification.result import NONE, Identification, Verdict
from ctxlearn.identification.views import view_scores, views_of
from ctxlearn.learners.base import Learner
from ctxlearn.progress import progress_bar
from ctxlearn.tasks.base import TaskFamily

LENGTHS = (1, 2, 4, 8, 16, 32)
FEWEST = 32
"""Contexts below which intervals over contexts mean little."""
FITTED_RIDGE, FITTED_DESCENT = "ridge, fitted penalty", "gradient descent, fitted"


def identify(
    predictor: object,
    candidates: Mapping[str, object] | Sequence[str] | None = None,
    *,
    replicates: Sequence[object] = (),
    family: TaskFamily | None = None,
    probes: Tasks | TaskFamily | None = None,
    lengths: Sequence[int] = LENGTHS,
    n_contexts: int = 192,
    n_queries: int = 8,
    n_features: int | tuple[int, ...] | None = None,
    n_classes: int | None = 2,
    level: float = 0.95,
    tolerance: float = 0.0,
    seed: int = 0,
    threads: int | None = None,
    progress: bool = False,
) -> Identification:
    """Compare a predictor with algorithms on probe contexts: which of them is it, at each context length, or none?

    Predictor, replicates and candidates may each be a `Learner` (or anything with its adapt and predict), a function
    (context_x (B, n, *shape), context_y (B, n), query_x (B, q, *shape)) -> logits (B, q, C) (for two classes also
    log-odds of class 1, (B, q)) or means (B, q), or a scikit-learn estimator's class or factory, fitted to each context.

    The total is the cosine between predictor and candidate of four views side by side: the ranks of the scores over
    all contexts and queries (weight 1), the change of the scores when one label is changed (2), the deviations within
    a context (0.05) and the implicit linear weights (0.05). For regression the mean of that and the explained share of
    the predictor's squared scores, of each context. A class is what probes cannot tell apart: cosine above 0.98; the
    runner-up joins a best candidate that stands alone where a bootstrap over contexts cannot order the two.

    Acceptance: with replicates the best candidate must explain 0.92 of what predictor and replicates have in common,
    which must be 0.15 or more (0.1 in the ranks); without any, its total must be 0.95.

    Args:
        predictor: what to identify.
        candidates: by name, or names of some of the default ones; None for
            `ctxlearn.identification.default_candidates`, for regression with ridge and gradient descent fitted to the
            predictor on the probes. Of the latter only steps times step size can be told when both are small.
        replicates: predictors of the same kind from other training seeds.
        family: adds its Bayes predictor to the default candidates.
        probes: tasks or a family to take contexts and queries from; None for contexts made for the purpose, with
            offsets, scales and 15 % wrong labels.
        lengths: context lengths, each >= 1.
        n_contexts: B >= 32 contexts of each length.
        n_queries: q >= 2 queries of each context.
        n_features: where nothing else says; 2 unless given.
        n_classes: where nothing else says: C, or None for regression.
        level: of the intervals over contexts.
        tolerance: how far a predictor's scores may move when the same query is asked alone or in another order; beyond a thousandth of their
            standard deviation, which is allowed in any case. A language model in bfloat16 needs about 0.2 (log-odds). The result says it.
        seed: of probes and bootstrap.
        threads: chunks of contexts computed side by side; None means one a core.
        progress: show a progress bar.

    Raises:
        ValueError: an argument out of range, or a predictor that returns another shape, numbers that are not finite, or
            answers that are random or depend on the other queries or their order; it says which predictor, where, and how to mend it.

    Source: Akyurek et al. 2022, section 4.2, for squared_difference and weight_difference.
    """
    check_int("n_contexts", n_contexts, minimum=FEWEST)
    check_int("n_queries", n_queries, minimum=2)
    check_float("level", level, above=0, maximum=1 - 1e-9)
    check_float("tolerance", tolerance, minimum=0)
    wanted = _lengths(lengths)
    if isinstance(replicates, str) or not isinstance(replicates, Sequence):
        raise ValueError(f"replicates: expected a list of predictors, got {describe(replicates)}")
    shape, classes = _kind([predictor, *replicates], candidates, family, probes, n_features, n_classes)
    asked = {"predictor": as_answers("predictor", predictor, classes)}
    for i, replicate in enumerate(replicates):
        asked[f"replicates[{i}]"] = as_answers(f"replicates[{i}]", replicate, classes)
    known = _candidates(candidates, shape, classes, family)
    drawn = [draw_probes(n, n_contexts, n_queries, shape, classes, source=probes, seed=seed) for n in wanted]

    modes = [(m, m.training) for m in (predictor, *replicates, *known.values()) if isinstance(m, Learner)]
    fitting = 2 if candidates is None and classes is None else 0
    total = len(drawn) * n_contexts * (len(asked) + len(known) + fitting)
    bar = progress_bar(total, "identify", shown=progress, unit="context", leave=False)
    try:
        for learner, _ in modes:
            learner.eval()

        def answered(answers: Answers) -> list[Responses]:
            return [respond(answers, p, threads=threads, done=bar.update) for p in drawn]

        with bar:
            own = {name: answered(answers) for name, answers in asked.items()}
            for name, responses in own.items():
                check_alone(name, asked[name], drawn[-1], responses[-1], tolerance)
            fitted: dict[str, float] = {}
            if fitting:
                extra, fitted = _fitted(own["predictor"], drawn, shape)
                known |= extra
            theirs = {
                name: answered(as_answers(f"candidates[{name!r}]", candidate, classes))
                for name, candidate in known.items()
            }
    finally:
        for learner, mode in modes:
            learner.train(mode)

    tables, verdicts, blends, order = [], {}, {}, {}
    for k, (n, p) in enumerate(zip(wanted, drawn, strict=True)):
        ranking, table = _at_length(
            [responses[k] for responses in own.values()],
            {name: responses[k] for name, responses in theirs.items()},
            p,
            level,
            seed,
        )
        tables.append(table)
        answer = ranking.names[0] if ranking.accepted else NONE
        shared, share = (
            (None, None) if ranking.explained is None else (ranking.explained.shared, ranking.explained.share)
        )
        verdicts[n] = Verdict(n, answer, ranking.top, ranking.runner_up, ranking.accepted, shared, share)
        blends[n], order[n] = ranking.blend, own["predictor"][k].order_dependence()
    results = pd.concat(tables, ignore_index=True)
    return Identification(
        results, verdicts, blends, order, fitted, n_contexts, len(replicates), classes, seed, tolerance
    )


def _at_length(
    own: Sequence[Responses], theirs: Mapping[str, Responses], probes: Probes, level: float, seed: int
) -> tuple[Ranking, pd.DataFrame]:
    """Ranking and table at one context length; `own` are the predictor's responses and its replicates'."""
    predictors = [views_of(responses, probes) for responses in own]
    candidates = {name: views_of(responses, probes) for name, responses in theirs.items()}
    extra = differ = None
    if probes.n_classes is None:
        extra = {name: np.mean([_agreement(r, c) for r in own], axis=0) for name, c in theirs.items()}
        among = [[_agreement(a, b).mean() for b in theirs.values()] for a in theirs.values()]
        differ = np.minimum(np.array(among), np.array(among).T) < 0.98
    ranking = rank(predictors, candidates, level=level, seed=seed, extra=extra, differ=differ)
    rows = []
    for j, name in enumerate(ranking.names):
        row: dict[str, Any] = {"n_context": probes.n_context, "candidate": name}
        scores = [view_scores(p, candidates[name]) for p in predictors]
        row |= {view: float(np.mean([s[view] for s in scores])) for view in scores[0]}
        row |= {"total": ranking.totals[j], "low": ranking.low[j], "high": ranking.high[j]}
        row |= {"rank": j + 1, "class": ranking.classes[j], "top": name in ranking.top}
        row["accepted"] = ranking.accepted and name in ranking.top
        if probes.n_classes is None:
            row["squared_difference"] = float((own[0].scores - theirs[name].scores).square().mean())
            gap = implicit_weights(own[0], probes) - implicit_weights(theirs[name], probes)
            row["weight_difference"] = float(gap.square().sum((1, 2)).mean())
        rows.append(row)
    return ranking, pd.DataFrame(rows)


def _agreement(predictor: Responses, candidate: Responses) -> np.ndarray:
    """Share of each context's squared scores that a candidate explains, (B,), at least -1."""
    left = (predictor.scores - candidate.scores).square().sum((1, 2))
    whole = predictor.scores.square().sum((1, 2)).clamp(min=1e-30)
    found: np.ndarray = (1 - left / whole).clamp(min=-1).numpy()
    return found


def _fitted(
    responses: Sequence[Responses], probes: Sequence[Probes], shape: int | tuple[int, ...]
) -> tuple[dict[str, Learner], dict[str, float]]:
    ridge, descent = fit_ridge(responses, probes, shape), fit_descent(responses, probes, shape)
    numbers = {
        "ridge: penalty": ridge.penalty,
        "gradient descent: steps": float(descent.steps),
        "gradient descent: step size": descent.step_sizes[0],
        "gradient descent: steps x step size": sum(descent.step_sizes),
    }
    return {FITTED_RIDGE: ridge, FITTED_DESCENT: descent}, numbers


def _lengths(lengths: object) -> list[int]:
    if isinstance(lengths, str) or not isinstance(lengths, Sequence) or not lengths:
        raise ValueError(f"lengths: expected a list of context lengths, got {describe(lengths)}")
    return sorted({check_int(f"lengths[{i}]", n, minimum=1) for i, n in enumerate(lengths)})


def _kind(
    predictors: Sequence[object],
    candidates: object,
    family: TaskFamily | None,
    probes: Tasks | TaskFamily | None,
    n_features: int | tuple[int, ...] | None,
    n_classes: int | None,
) -> tuple[int | tuple[int, ...], int | None]:
    """The inputs' shape and the number of classes, from whatever says them first."""
    if family is not None and not isinstance(family, TaskFamily):
        raise ValueError(f"family: expected a TaskFamily, got {describe(family)}")
    if probes is not None and not isinstance(probes, Tasks | TaskFamily):
        raise ValueError(f"probes: expected Tasks or a TaskFamily, got {describe(probes)}")
    learners = [p for p in predictors if isinstance(p, Learner)]
    given = [c for c in candidates.values() if isinstance(c, Learner)] if isinstance(candidates, Mapping) else []
    classes = n_classes
    for source in (*learners[:1], probes, family, *given[:1]):
        if source is not None:
            classes = source.n_classes
            break
    shape = n_features
    if shape is None and isinstance(probes, Tasks):
        sizes = tuple(probes.x.shape[2:])
        shape = sizes[0] if len(sizes) == 1 else sizes
    for thing in (*learners, probes, family, *given):
        if shape is None and isinstance(thing, Learner | TaskFamily):
            shape = thing.n_features
    for learner in learners:
        if learner.n_classes != classes:
            raise ValueError(
                f"replicates: expected n_classes = {classes}, as the predictor has, got {learner.n_classes}"
            )
    for name, given_source in (("family", family), ("probes", probes)):
        _check_source(name, given_source, shape, classes)
    return 2 if shape is None else shape, classes


def _check_source(
    name: str, source: Tasks | TaskFamily | None, shape: int | tuple[int, ...] | None, classes: int | None
) -> None:
    """Refuse tasks of another kind than the predictor's."""
    if source is None:
        return
    if source.n_classes != classes:
        raise ValueError(
            f"{name}: expected n_classes = {classes}, as the predictor has, got {source.n_classes}; None is regression"
        )
    theirs = tuple(source.x.shape[2:]) if isinstance(source, Tasks) else source.n_features
    if shape is not None and check_features(name, theirs) != check_features("n_features", shape):
        raise ValueError(f"{name}: expected inputs of {shape} features, as the predictor has, got {theirs}")


def _candidates(
    candidates: object, shape: int | tuple[int, ...], classes: int | None, family: TaskFamily | None
) -> dict[str, object]:
    if candidates is None:
        return dict(default_candidates(shape, classes, family))
    if isinstance(candidates, Sequence) and not isinstance(candidates, str) and candidates:
        known = default_candidates(shape, classes, family)
        return {
            str(name): known[name] if name in known else unknown_name("candidates", name, known) for name in candidates
        }
    if not isinstance(candidates, Mapping) or not candidates:
        raise ValueError(
            "candidates: expected a mapping from names to predictors, or names of default candidates, got"
            f" {describe(candidates)}"
        )
    return {str(name): candidate for name, candidate in candidates.items()}
