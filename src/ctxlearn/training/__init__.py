"""Training: one loop over a source of tasks and an objective."""

from ctxlearn.storage import CorruptFileError, StorageError
from ctxlearn.training.config import TrainingConfig
from ctxlearn.training.curriculum import Curriculum
from ctxlearn.training.folder import RunFolderError
from ctxlearn.training.loop import TrainingDiverged
from ctxlearn.training.objective import AllPrefixes, Objective, RandomSplit
from ctxlearn.training.plans import Plan, SelfPaced, Smooth, Stairs
from ctxlearn.training.run import Run, kept_learners, load
from ctxlearn.training.sources import FamilySource, Source
from ctxlearn.training.start import run_settings, train

__all__ = [
    "AllPrefixes",
    "CorruptFileError",
    "Curriculum",
    "FamilySource",
    "Objective",
    "Plan",
    "RandomSplit",
    "Run",
    "RunFolderError",
    "SelfPaced",
    "Smooth",
    "Source",
    "Stairs",
    "StorageError",
    "TrainingConfig",
    "TrainingDiverged",
    "kept_learners",
    "load",
    "run_settings",
    "train",
]
