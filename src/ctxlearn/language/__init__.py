"""Language models under the same microscope: a causal language model as a learner.

    lm = load_language_model("smollm2-135m")
    learner = LanguageModel(lm, n_features=2, n_classes=2)

Names are loaded when first used, since transformers takes seconds to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctxlearn.lazy import names_from

if TYPE_CHECKING:
    from ctxlearn.language.answers import BudgetSpentError, EndpointError, Usage
    from ctxlearn.language.choosing import CANDIDATES, FormatChoice, choose_format
    from ctxlearn.language.endpoint import EndpointModel, LabelsNotListedWarning
    from ctxlearn.language.language_model import Cost, LanguageModel
    from ctxlearn.language.loading import CausalLM, LoRA, load_language_model
    from ctxlearn.language.meta_training import export_adapter, load_trained, meta_train
    from ctxlearn.language.rounded import Rounded
    from ctxlearn.language.rows import RowClassifier
    from ctxlearn.language.sensitivity import variance_shares, written_differently
    from ctxlearn.language.text_format import TextFormat

_HOMES = {
    "BudgetSpentError": "ctxlearn.language.answers",
    "CANDIDATES": "ctxlearn.language.choosing",
    "CausalLM": "ctxlearn.language.loading",
    "Cost": "ctxlearn.language.language_model",
    "EndpointError": "ctxlearn.language.answers",
    "EndpointModel": "ctxlearn.language.endpoint",
    "FormatChoice": "ctxlearn.language.choosing",
    "LabelsNotListedWarning": "ctxlearn.language.endpoint",
    "LanguageModel": "ctxlearn.language.language_model",
    "LoRA": "ctxlearn.language.loading",
    "Rounded": "ctxlearn.language.rounded",
    "RowClassifier": "ctxlearn.language.rows",
    "TextFormat": "ctxlearn.language.text_format",
    "Usage": "ctxlearn.language.answers",
    "choose_format": "ctxlearn.language.choosing",
    "export_adapter": "ctxlearn.language.meta_training",
    "load_language_model": "ctxlearn.language.loading",
    "load_trained": "ctxlearn.language.meta_training",
    "meta_train": "ctxlearn.language.meta_training",
    "variance_shares": "ctxlearn.language.sensitivity",
    "written_differently": "ctxlearn.language.sensitivity",
}

__all__ = [
    "CANDIDATES",
    "BudgetSpentError",
    "CausalLM",
    "Cost",
    "EndpointError",
    "EndpointModel",
    "FormatChoice",
    "LabelsNotListedWarning",
    "LanguageModel",
    "LoRA",
    "Rounded",
    "RowClassifier",
    "TextFormat",
    "Usage",
    "choose_format",
    "export_adapter",
    "load_language_model",
    "load_trained",
    "meta_train",
    "variance_shares",
    "written_differently",
]

__getattr__ = names_from(__name__, _HOMES)
