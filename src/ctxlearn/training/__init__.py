"""Training: one loop over a source of tasks and an objective.

Names are loaded when first used: reading a trained learner back needs neither the loop nor Fabric.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctxlearn.lazy import names_from

if TYPE_CHECKING:
    from ctxlearn.inner_loop.fine_tuning import FineTuning, fine_tune, fine_tuning_of
    from ctxlearn.inner_loop.meta_learning import Adaptable, DomainBatch, DomainSource, MetaAdaptation
    from ctxlearn.storage import CorruptFileError, StorageError
    from ctxlearn.training.callbacks import Callback, TensorBoard, WeightsAndBiases
    from ctxlearn.training.config import TrainingConfig
    from ctxlearn.training.curriculum import Curriculum
    from ctxlearn.training.lengths import LastPoints, VariedLengths
    from ctxlearn.training.listing import runs
    from ctxlearn.training.loop import TrainingDiverged
    from ctxlearn.training.objective import AllPrefixes, HardestTasks, Objective, Prediction, RandomShots, RandomSplit
    from ctxlearn.training.plans import Plan, SelfPaced, Smooth, Stairs
    from ctxlearn.training.run import Run, kept_learners, load, read_run
    from ctxlearn.training.run_folder import RunFolderError
    from ctxlearn.training.sources import FamilySource, Source
    from ctxlearn.training.trainer import run_settings, train

_HOMES = {
    "Adaptable": "ctxlearn.inner_loop.meta_learning",
    "AllPrefixes": "ctxlearn.training.objective",
    "Callback": "ctxlearn.training.callbacks",
    "CorruptFileError": "ctxlearn.storage",
    "Curriculum": "ctxlearn.training.curriculum",
    "DomainBatch": "ctxlearn.inner_loop.meta_learning",
    "DomainSource": "ctxlearn.inner_loop.meta_learning",
    "FamilySource": "ctxlearn.training.sources",
    "FineTuning": "ctxlearn.inner_loop.fine_tuning",
    "HardestTasks": "ctxlearn.training.objective",
    "LastPoints": "ctxlearn.training.lengths",
    "MetaAdaptation": "ctxlearn.inner_loop.meta_learning",
    "Objective": "ctxlearn.training.objective",
    "Plan": "ctxlearn.training.plans",
    "Prediction": "ctxlearn.training.objective",
    "RandomShots": "ctxlearn.training.objective",
    "RandomSplit": "ctxlearn.training.objective",
    "Run": "ctxlearn.training.run",
    "RunFolderError": "ctxlearn.training.run_folder",
    "SelfPaced": "ctxlearn.training.plans",
    "Smooth": "ctxlearn.training.plans",
    "Source": "ctxlearn.training.sources",
    "Stairs": "ctxlearn.training.plans",
    "StorageError": "ctxlearn.storage",
    "TensorBoard": "ctxlearn.training.callbacks",
    "TrainingConfig": "ctxlearn.training.config",
    "TrainingDiverged": "ctxlearn.training.loop",
    "VariedLengths": "ctxlearn.training.lengths",
    "WeightsAndBiases": "ctxlearn.training.callbacks",
    "fine_tune": "ctxlearn.inner_loop.fine_tuning",
    "fine_tuning_of": "ctxlearn.inner_loop.fine_tuning",
    "kept_learners": "ctxlearn.training.run",
    "load": "ctxlearn.training.run",
    "read_run": "ctxlearn.training.run",
    "run_settings": "ctxlearn.training.trainer",
    "runs": "ctxlearn.training.listing",
    "train": "ctxlearn.training.trainer",
}

__all__ = [
    "Adaptable",
    "AllPrefixes",
    "Callback",
    "CorruptFileError",
    "Curriculum",
    "DomainBatch",
    "DomainSource",
    "FamilySource",
    "FineTuning",
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
    "TensorBoard",
    "TrainingConfig",
    "TrainingDiverged",
    "VariedLengths",
    "WeightsAndBiases",
    "fine_tune",
    "fine_tuning_of",
    "kept_learners",
    "load",
    "read_run",
    "run_settings",
    "runs",
    "train",
]

__getattr__ = names_from(__name__, _HOMES)
