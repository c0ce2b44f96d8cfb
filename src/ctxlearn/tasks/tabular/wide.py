"""Wider priors over tables: many columns, many classes, one large class, weak signal, categories of many levels, wild cells."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ctxlearn.episodes import Parameters
from ctxlearn.tasks.tabular.columns import sample_more_kinds
from ctxlearn.tasks.tabular.families import TabularClassification, TabularRegression, _Tables
from ctxlearn.tasks.tabular.inputs import sample_inputs
from ctxlearn.tasks.tabular.sampling import chance, choice, log_uniform, uniform

WIDTHS = {8: 0.35, 20: 0.35, 45: 0.2, 100: 0.1}
"""Most columns of the tasks that are drawn together, and how often: few columns are cheap, and what most tables have."""
CONTRASTED = 5
"""Fewest columns that matter in a task whose score is a contrast of correlated columns."""


class _Wide(_Tables):
    """What the wider priors add to `_Tables`, for both kinds of labels."""

    def sample_points(
        self, parameters: Parameters, n_points: int, *, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        x, y = super().sample_points(parameters, n_points, generator=generator)
        return F.pad(x, (0, self.n_features - x.shape[2])), y

    def _n_columns(self, generator: torch.Generator) -> int:
        return min(self.n_features, list(WIDTHS)[int(choice((1,), list(WIDTHS.values()), generator))])

    def _sample_used(self, n_tasks: int, d: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        places = torch.arange(d, device=generator.device)
        n_used = 1 + (torch.rand((n_tasks, 1), generator=generator, device=generator.device) * d).long()
        used = (places < n_used).float()
        share = torch.rand((n_tasks, 1), generator=generator, device=generator.device)
        n_relevant = n_used.float().pow(share).round()  # log-uniform from 1 to all
        n_relevant = torch.where(chance((n_tasks, 1), self.all_relevant, generator), n_used, n_relevant)
        rank = torch.rand((n_tasks, d), generator=generator, device=generator.device) + 1 - used
        return used, used * (rank.argsort(1).argsort(1) < n_relevant).float()

    def _sample_inputs(self, n_tasks: int, d: int, generator: torch.Generator) -> dict[str, Tensor]:
        inputs = sample_inputs(n_tasks, d, generator)
        contrast = chance((n_tasks, 1), 0.2, generator)
        inputs["shared"] = torch.where(contrast, uniform((n_tasks, 1), 0.8, 0.99, generator), inputs["shared"])
        inputs["grouped"] = torch.where(contrast, 0.0, inputs["grouped"])
        return inputs | {"contrast": contrast[:, 0]}

    def _sample_columns(self, n_tasks: int, d: int, generator: torch.Generator) -> dict[str, Tensor]:
        return sample_more_kinds(n_tasks, d, self.missing, generator)

    def _adjust(self, parameters: dict[str, Any], relevant: Tensor, generator: torch.Generator) -> None:
        if "linear" in parameters["functions"]:
            contrast = parameters["inputs"]["contrast"] & (relevant.sum(1) >= CONTRASTED)
            weights = parameters["functions"]["linear"]["weights"]
            contrasted = _contrasts(weights, parameters["inputs"]["loadings"] * relevant[:, None, :])
            parameters["functions"]["linear"]["weights"] = torch.where(contrast[:, None, None], contrasted, weights)
        if "clusters" in parameters:
            weak = torch.where(chance((len(relevant), 1, 1), 0.3, generator), 1.0, 0.0)
            factor = 1 - weak * uniform(weak.shape, 0.2, 0.9, generator)
            parameters["clusters"]["means"] = factor * parameters["clusters"]["means"]


def _contrasts(weights: Tensor, loadings: Tensor) -> Tensor:
    """The part of weights (B, d, s) in which the factors with these loadings (B, f, d) cancel."""
    gram = loadings @ loadings.mT
    gram = gram + 1e-4 * torch.eye(gram.shape[1], device=gram.device)
    rest: Tensor = weights - loadings.mT @ torch.linalg.solve(gram, loadings @ weights)
    return rest


class WideClassification(_Wide, TabularClassification):
    """`TabularClassification` over more kinds of tables.

    Up to d columns, 8, 20, 45 or 100 at most in the tasks that are drawn together, and as often one as any number of them matters. Classes: 5 or more in
    two fifths of the tasks; one of them is large, with up to 95 % of the rows, in a quarter. The signal is weak in some (noise of up to 5
    standard deviations of a score, up to two fifths of the labels wrong, clusters that overlap). Columns of which the
    score is a contrast are strongly correlated. Categories have up to 61 levels, some rare; a cell in some hundred is wild in a few columns.

    Args:
        n_features: d >= 1, columns of x.
        n_classes: C >= 2, most classes of a task.
        missing: share of the tasks in which values are missing, in [0, 1].
        mechanisms: weights by name, of those to draw from; None for all.
        all_relevant: share of the tasks in which every column matters for sure, in [0, 1].

    Raises:
        ValueError: sizes out of range, or a mechanism that is not known.
    """

    _fewness = 0.7

    def __init__(
        self,
        n_features: int = 100,
        n_classes: int = 10,
        missing: float = 0.25,
        mechanisms: dict[str, float] | None = None,
        all_relevant: float = 0.25,
    ) -> None:
        super().__init__(n_features, n_classes, missing, mechanisms, all_relevant)

    def _sample_labels(self, n_tasks: int, generator: torch.Generator) -> dict[str, Tensor]:
        labels = super()._sample_labels(n_tasks, generator)
        large = torch.where(chance((n_tasks,), 0.25, generator), uniform((n_tasks,), 0.5, 0.95, generator), 0.0)
        shares = labels["log_shares"]
        first = shares[:, 1:].logsumexp(1) + (large / (1 - large)).log()
        labels["log_shares"] = torch.cat([torch.where(large > 0, first, shares[:, 0])[:, None], shares[:, 1:]], dim=1)
        loud = chance((n_tasks,), 0.25, generator)
        labels["noise"] = torch.where(loud, log_uniform((n_tasks,), 0.5, 5.0, generator), labels["noise"])
        often = chance((n_tasks,), 0.1, generator)
        labels["wrong"] = torch.where(often, uniform((n_tasks,), 0.0, 0.4, generator), labels["wrong"])
        return labels | {"large": large}

    def _calibrated(self, parameters: Parameters, scores: Tensor, generator: torch.Generator) -> Parameters:
        parameters = super()._calibrated(parameters, scores, generator)
        labels = parameters["labels"]
        # what the large class needs on top of its score to be the largest in its share of the points
        disturbed = (scores - labels["mean"][:, None]) / labels["spread"][:, None]
        random = torch.rand(scores.shape, generator=generator, device=generator.device).clamp(min=1e-6, max=1 - 1e-6)
        disturbed = disturbed - labels["noise"][:, None, None] * (-random.log()).log()
        behind = (disturbed + labels["bias"][:, None])[..., 1:].amax(2) - disturbed[..., 0]
        place = (labels["large"] * behind.shape[1]).long().clamp(max=behind.shape[1] - 1)
        needed = behind.sort(1).values.gather(1, place[:, None])[:, 0]
        large = (labels["large"] > 0) & ~self._of_clusters(parameters["mechanism"])
        labels["bias"] = torch.cat(
            [torch.where(large, needed, labels["bias"][:, 0])[:, None], labels["bias"][:, 1:]], dim=1
        )
        return parameters


class WideRegression(_Wide, TabularRegression):
    """`TabularRegression` over the columns of `WideClassification`, with a noise of up to 3 standard deviations of the function.

    Args:
        n_features: d >= 1, columns of x.
        missing: share of the tasks in which values are missing, in [0, 1].
        mechanisms: weights by name, of those to draw from; None for all.
        all_relevant: share of the tasks in which every column matters for sure, in [0, 1].

    Raises:
        ValueError: sizes out of range, or a mechanism that is not known.
    """

    def __init__(
        self,
        n_features: int = 100,
        missing: float = 0.25,
        mechanisms: dict[str, float] | None = None,
        all_relevant: float = 0.25,
    ) -> None:
        super().__init__(n_features, missing, mechanisms, all_relevant)

    def _sample_labels(self, n_tasks: int, generator: torch.Generator) -> dict[str, Tensor]:
        labels = super()._sample_labels(n_tasks, generator)
        loud = chance((n_tasks,), 0.2, generator)
        return labels | {"noise": torch.where(loud, log_uniform((n_tasks,), 0.5, 3.0, generator), labels["noise"])}
