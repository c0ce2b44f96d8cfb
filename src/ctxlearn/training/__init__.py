"""Training: one loop over a source of tasks and an objective."""

from ctxlearn.storage import CorruptFileError, StorageError
from ctxlearn.training.config import TrainingConfig
from ctxlearn.training.folder import RunFolderError
from ctxlearn.training.loop import TrainingDiverged
from ctxlearn.training.objective import AllPrefixes, Objective, RandomSplit
from ctxlearn.training.run import Run, load
from ctxlearn.training.sources import FamilySource, Source
from ctxlearn.training.start import run_settings, train

__all__ = [
    "AllPrefixes",
    "CorruptFileError",
    "FamilySource",
    "Objective",
    "RandomSplit",
    "Run",
    "RunFolderError",
    "Source",
    "StorageError",
    "TrainingConfig",
    "TrainingDiverged",
    "load",
    "run_settings",
    "train",
]
