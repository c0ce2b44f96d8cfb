"""Training: one loop over a source of tasks and an objective."""

from ctxlearn.storage import CorruptFileError, StorageError
from ctxlearn.training.adaptation import Adaptation, adapt_to_domain, adaptation_of
from ctxlearn.training.config import TrainingConfig
from ctxlearn.training.curriculum import Curriculum
from ctxlearn.training.domains import Adaptable, DomainBatch, DomainSource, MetaAdaptation
from ctxlearn.training.folder import RunFolderError
from ctxlearn.training.lengths import LastPoints, VariedLengths
from ctxlearn.training.loop import TrainingDiverged
from ctxlearn.training.objective import AllPrefixes, HardestTasks, Objective, Prediction, RandomShots, RandomSplit
from ctxlearn.training.plans import Plan, SelfPaced, Smooth, Stairs
from ctxlearn.training.run import Run, kept_learners, load
from ctxlearn.training.sources import FamilySource, Source
from ctxlearn.training.start import run_settings, train

__all__ = [
    "Adaptable",
    "Adaptation",
    "AllPrefixes",
    "CorruptFileError",
    "Curriculum",
    "DomainBatch",
    "DomainSource",
    "FamilySource",
    "HardestTasks",
    "LastPoints",
    "MetaAdaptation",
    "Objective",
    "Plan",
    "Prediction",
    "RandomShots",
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
    "VariedLengths",
    "adapt_to_domain",
    "adaptation_of",
    "kept_learners",
    "load",
    "run_settings",
    "train",
]
