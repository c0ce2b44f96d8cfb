"""Models that learn in context: train them, compare them with what is optimal, tell which algorithm they run.

Names are loaded when they are first used, so that `import ctxlearn` and the command line's help take no time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctxlearn.lazy import names_from

if TYPE_CHECKING:
    from ctxlearn import (
        estimators,
        evaluation,
        expressiveness,
        identification,
        lab,
        language,
        learners,
        references,
        studies,
        tasks,
        training,
    )
    from ctxlearn.configurable import Configurable
    from ctxlearn.episodes import Episode, Tasks
    from ctxlearn.estimators import InContextClassifier, InContextRegressor
    from ctxlearn.evaluation import evaluate
    from ctxlearn.identification import Identification, identify
    from ctxlearn.jobs.sweep import sweep
    from ctxlearn.onnx_file import export
    from ctxlearn.studies import reproduce
    from ctxlearn.training import Run, TrainingConfig, fine_tune, load, read_run, runs, train

__version__ = "0.1.0"

_HOMES = {
    "Configurable": "ctxlearn.configurable",
    "Episode": "ctxlearn.episodes",
    "Identification": "ctxlearn.identification",
    "InContextClassifier": "ctxlearn.estimators",
    "InContextRegressor": "ctxlearn.estimators",
    "Run": "ctxlearn.training",
    "Tasks": "ctxlearn.episodes",
    "TrainingConfig": "ctxlearn.training",
    "evaluate": "ctxlearn.evaluation",
    "export": "ctxlearn.onnx_file",
    "fine_tune": "ctxlearn.training",
    "identify": "ctxlearn.identification",
    "load": "ctxlearn.training",
    "read_run": "ctxlearn.training",
    "reproduce": "ctxlearn.studies",
    "runs": "ctxlearn.training",
    "sweep": "ctxlearn.jobs.sweep",
    "train": "ctxlearn.training",
}
_ROOMS = (
    "estimators",
    "evaluation",
    "expressiveness",
    "identification",
    "lab",
    "language",
    "learners",
    "references",
    "studies",
    "tasks",
    "training",
)

__all__ = [
    "Configurable",
    "Episode",
    "Identification",
    "InContextClassifier",
    "InContextRegressor",
    "Run",
    "Tasks",
    "TrainingConfig",
    "estimators",
    "evaluate",
    "evaluation",
    "export",
    "expressiveness",
    "fine_tune",
    "identification",
    "identify",
    "lab",
    "language",
    "learners",
    "load",
    "read_run",
    "references",
    "reproduce",
    "runs",
    "studies",
    "sweep",
    "tasks",
    "train",
    "training",
]


__getattr__ = names_from(__name__, _HOMES, _ROOMS)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
