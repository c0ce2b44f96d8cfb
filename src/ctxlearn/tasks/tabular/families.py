"""Two priors over tabular tasks: classification and regression."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from ctxlearn.checks import check_choice, check_float, check_int, describe
from ctxlearn.episodes import Parameters, select
from ctxlearn.tasks.base import TaskFamily, normal
from ctxlearn.tasks.tabular.causal_graph import draw_clusters, draw_graph, sample_clusters, sample_graph
from ctxlearn.tasks.tabular.columns import quantised, sample_columns, seen
from ctxlearn.tasks.tabular.inputs import draw_inputs, sample_inputs
from ctxlearn.tasks.tabular.mechanisms import MECHANISMS
from ctxlearn.tasks.tabular.sampling import chance, choice, log_uniform, permutations, uniform

REFERENCE = 64
"""Points drawn with each task's latents, by which scores and labels are put on one scale."""


class _Tables(TaskFamily):
    """What the two priors share: columns that are used, mechanisms, and how the columns look."""

    n_features: int

    def __init__(self, n_features: int, missing: float, mechanisms: dict[str, float], all_relevant: float) -> None:
        self.n_features = check_int("n_features", n_features, minimum=1)
        self.missing = check_float("missing", missing, minimum=0, maximum=1)
        self.all_relevant = check_float("all_relevant", all_relevant, minimum=0, maximum=1)
        self.mechanisms = mechanisms
        self._n_scores = 1

    def sample_parameters(self, n_tasks: int, *, generator: torch.Generator) -> Parameters:
        d = self._n_columns(generator)
        used, relevant = self._sample_used(n_tasks, d, generator)
        parameters: dict[str, Any] = {
            "used": used,
            "mechanism": choice((n_tasks,), list(self.mechanisms.values()), generator),
            "inputs": self._sample_inputs(n_tasks, d, generator),
            "columns": self._sample_columns(n_tasks, d, generator),
            "labels": self._sample_labels(n_tasks, generator),
        }
        parameters["functions"] = {
            name: MECHANISMS[name].sample(used, relevant, self._n_scores, generator)
            for name in self.mechanisms
            if name in MECHANISMS
        }
        if "clusters" in self.mechanisms:
            loadings = parameters["inputs"]["loadings"]
            parameters["clusters"] = sample_clusters(relevant, loadings, self._n_scores, generator)
        if "graph" in self.mechanisms:
            parameters["graph"] = sample_graph(n_tasks, d, self._n_scores, generator)
        self._adjust(parameters, relevant, generator)
        x, scores = self._latent(parameters, REFERENCE, generator)
        parameters["centre"], parameters["spread"] = _moments(x)
        functional = self._is_functional(parameters["mechanism"])[:, None]  # their inputs are standardised as they are
        parameters["centre"] = torch.where(functional, 0.0, parameters["centre"])
        parameters["spread"] = torch.where(functional, 1.0, parameters["spread"])
        return self._calibrated(parameters, scores, generator)

    def sample_points(
        self, parameters: Parameters, n_points: int, *, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        x, scores = self._latent(parameters, n_points, generator)
        x = (x - parameters["centre"][:, None, :]) / parameters["spread"][:, None, :]
        y = self._labels(parameters, scores, generator)
        return seen(parameters["columns"], x, parameters["used"], generator), y

    def _n_columns(self, generator: torch.Generator) -> int:
        """Number of columns of the tasks that are drawn together."""
        return self.n_features

    def _sample_used(self, n_tasks: int, d: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Which columns there are, and which of these matter, (B, d) float of zeros and ones each."""
        share = torch.rand(n_tasks, generator=generator, device=generator.device) ** 1.25
        n_used = 1 + (share * d).long().clamp(max=d - 1)
        used = (torch.arange(d, device=generator.device) < n_used[:, None]).float()
        keep = uniform((n_tasks, 1), 0.2, 1.2, generator)
        first = torch.arange(d, device=generator.device) == (share * n_used).long()[:, None]
        matters = torch.rand((n_tasks, d), generator=generator, device=generator.device) < keep
        if self.all_relevant:
            matters = matters | chance((n_tasks, 1), self.all_relevant, generator)
        relevant = used * (matters | first).float()
        return used, relevant

    def _sample_inputs(self, n_tasks: int, d: int, generator: torch.Generator) -> dict[str, Tensor]:
        return sample_inputs(n_tasks, d, generator)

    def _sample_columns(self, n_tasks: int, d: int, generator: torch.Generator) -> dict[str, Tensor]:
        return sample_columns(n_tasks, d, self.missing, generator)

    def _adjust(self, parameters: dict[str, Any], relevant: Tensor, generator: torch.Generator) -> None:
        """Change drawn latents in place, before scores are put on one scale."""

    def _latent(self, parameters: Parameters, n_points: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Latent columns (B, n, d) and scores (B, n, s), each task's by its own mechanism."""
        mechanism = parameters["mechanism"]
        x = torch.zeros(len(mechanism), n_points, parameters["used"].shape[1], device=mechanism.device)
        scores = x.new_zeros(len(mechanism), n_points, self._n_scores)
        for k, name in enumerate(self.mechanisms):
            rows = (mechanism == k).nonzero()[:, 0]
            if not len(rows):
                continue
            if name == "graph":
                x[rows], scores[rows] = draw_graph(select(parameters["graph"], rows), n_points, generator)
                continue
            inputs = select(parameters["inputs"], rows)
            if name == "clusters":
                clusters, shares = select([parameters["clusters"], parameters["labels"]["log_shares"]], rows)
                x[rows], scores[rows] = draw_clusters(clusters, inputs, shares, n_points, generator)
            else:
                columns, function = select([parameters["columns"], parameters["functions"][name]], rows)
                x[rows] = drawn = quantised(columns, draw_inputs(inputs, n_points, generator))
                scores[rows] = MECHANISMS[name].scores(function, drawn)
        return x, scores

    def _is_functional(self, mechanism: Tensor) -> Tensor:
        functional = [name in MECHANISMS for name in self.mechanisms]
        return torch.tensor(functional, device=mechanism.device)[mechanism]

    @abstractmethod
    def _sample_labels(self, n_tasks: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Latents of how scores become labels."""

    @abstractmethod
    def _calibrated(self, parameters: Parameters, scores: Tensor, generator: torch.Generator) -> Parameters:
        """Parameters with what the scores (B, `REFERENCE`, s) of points of each task say of their scale."""

    @abstractmethod
    def _labels(self, parameters: Parameters, scores: Tensor, generator: torch.Generator) -> Tensor:
        """Labels (B, n) of scores (B, n, s)."""


def _moments(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation over the points, (B, k) each; a constant's is one."""
    spread = values.std(1)
    return values.mean(1), torch.where(spread > 1e-4, spread, 1.0)


def _chosen(mechanisms: dict[str, float] | None, default: dict[str, float]) -> dict[str, float]:
    if mechanisms is None:
        return dict(default)
    if not isinstance(mechanisms, dict) or not mechanisms:
        raise ValueError(f"mechanisms: expected names with weights, such as {default}, got {describe(mechanisms)}")
    for name, weight in mechanisms.items():
        check_choice("mechanisms", name, default)
        check_float(f"mechanisms[{name!r}]", weight, above=0)
    return dict(mechanisms)


class TabularClassification(_Tables):
    """Tables with a class to tell: many kinds of functions, columns and noise, as small real tables have them.

    A task uses 1 to d columns (few more often; the others are constant zero) and 2 to C classes (two most often). Its
    mechanism is one of: "linear"; "trees", a sum of up to six of depth up to four; "neural", one or two hidden layers of
    one of five activations; "prototypes", values of up to 16 points, mixed by nearness; "clusters", one or two Gaussians a
    class, with shared or own covariances; "graph", where columns and label are nodes of a random causal graph. Of the
    first four the inputs are correlated by factors, fall into groups, have heavy tails, and some do not matter. The label
    is the class with the largest score, or (for some) the interval a score lies in; classes may be rare, scores noisy, labels wrong.

    What is seen of a column: the value as it is, its exponential, a power of it, rounded, binary, or a category's code (an integer
    without order); scaled by 0.01 to 1000 and shifted. In some tasks values are missing (NaN), at random.

    Args:
        n_features: d >= 1, columns of x.
        n_classes: C >= 2, most classes of a task.
        missing: share of the tasks in which values are missing, in [0, 1].
        mechanisms: weights by name, of those to draw from; None for all.
        all_relevant: share of the tasks in which every column matters for sure, in [0, 1].

    Raises:
        ValueError: sizes out of range, or a mechanism that is not known.
    """

    n_classes: int
    _fewness = 1.2
    """C classes are as frequent as (C - 1) to minus this power."""

    def __init__(
        self,
        n_features: int = 20,
        n_classes: int = 10,
        missing: float = 0.2,
        mechanisms: dict[str, float] | None = None,
        all_relevant: float = 0.0,
    ) -> None:
        default = {"linear": 3.0, "trees": 2.0, "neural": 2.0, "prototypes": 1.5, "clusters": 4.0, "graph": 2.0}
        super().__init__(n_features, missing, _chosen(mechanisms, default), all_relevant)
        self.n_classes = check_int("n_classes", n_classes, minimum=2)
        self._n_scores = self.n_classes

    def _sample_labels(self, n_tasks: int, generator: torch.Generator) -> dict[str, Tensor]:
        size = (n_tasks, self.n_classes)
        counts = torch.arange(2, self.n_classes + 1, device=generator.device)
        n_classes = 2 + choice((n_tasks, 1), (counts.float() - 1).pow(-self._fewness).tolist(), generator)
        absent = torch.arange(self.n_classes, device=generator.device) >= n_classes
        uneven = chance((n_tasks, 1), 0.5, generator) * uniform((n_tasks, 1), 0.0, 1.2, generator)
        noisy = chance((n_tasks,), 0.5, generator)
        wrong = chance((n_tasks,), 0.2, generator)
        return {
            "log_shares": (uneven * normal(size, generator)).masked_fill(absent, -torch.inf),
            "ordered": chance((n_tasks,), 0.25, generator),
            "names": (permutations(size, generator) + 2 * self.n_classes * absent).argsort(-1),
            "noise": torch.where(noisy, log_uniform((n_tasks,), 0.03, 1.5, generator), 0.0),
            "wrong": torch.where(wrong, uniform((n_tasks,), 0.0, 0.2, generator), 0.0),
        }

    def _calibrated(self, parameters: Parameters, scores: Tensor, generator: torch.Generator) -> Parameters:
        labels = parameters["labels"]
        cumulated = labels["log_shares"].softmax(-1).cumsum(-1)
        place = (cumulated[:, :-1] * REFERENCE).long().clamp(max=REFERENCE - 1)
        mean, spread = _moments(scores)
        functional = ~self._of_clusters(parameters["mechanism"])[:, None]
        labels["mean"], labels["spread"] = torch.where(functional, mean, 0.0), torch.where(functional, spread, 1.0)
        labels["cuts"] = scores[..., 0].sort(1).values.gather(1, place)
        labels["cuts"] = labels["cuts"].masked_fill(cumulated[:, :-1] > 1 - 1e-6, torch.inf)
        labels["ordered"] = labels["ordered"] & functional[:, 0]
        labels["bias"] = torch.where(functional, 0.7, 0.0) * labels["log_shares"].nan_to_num(neginf=-1e9)
        labels["bias"] = torch.where(labels["log_shares"] == -torch.inf, -torch.inf, labels["bias"])
        return parameters

    def _of_clusters(self, mechanism: Tensor) -> Tensor:
        return torch.tensor([name == "clusters" for name in self.mechanisms], device=mechanism.device)[mechanism]

    def _labels(self, parameters: Parameters, scores: Tensor, generator: torch.Generator) -> Tensor:
        labels = parameters["labels"]
        noise = labels["noise"][:, None, None]
        disturbed = (scores - labels["mean"][:, None, :]) / labels["spread"][:, None, :]
        random = torch.rand(scores.shape, generator=generator, device=generator.device).clamp(min=1e-6, max=1 - 1e-6)
        largest = (disturbed - noise * (-random.log()).log() + labels["bias"][:, None, :]).argmax(-1)
        first = scores[..., 0] + noise[..., 0] * labels["spread"][:, :1] * torch.special.ndtri(random[..., 0])
        interval = (first[..., None] > labels["cuts"][:, None, :]).sum(-1)
        y = torch.where(labels["ordered"][:, None], interval, largest)
        y = labels["names"].gather(1, y)
        other = torch.multinomial(labels["log_shares"].exp().sign(), y.shape[1], replacement=True, generator=generator)
        swapped = torch.rand(y.shape, generator=generator, device=generator.device) < labels["wrong"][:, None]
        return torch.where(swapped, other, y)


class TabularRegression(_Tables):
    """Tables with a number to tell: inputs and mechanisms of `TabularClassification`, but for "clusters".

    The label has about mean 0 and variance 1 in every task. Its noise is normal or heavy-tailed, of 0.02 to 1 of the
    function's standard deviation; some labels are skewed, as prices are.

    Args:
        n_features: d >= 1, columns of x.
        missing: share of the tasks in which values are missing, in [0, 1].
        mechanisms: weights by name, of those to draw from; None for all.
        all_relevant: share of the tasks in which every column matters for sure, in [0, 1].

    Raises:
        ValueError: sizes out of range, or a mechanism that is not known.
    """

    n_classes: None = None

    def __init__(
        self,
        n_features: int = 20,
        missing: float = 0.2,
        mechanisms: dict[str, float] | None = None,
        all_relevant: float = 0.0,
    ) -> None:
        default = {"linear": 3.0, "trees": 2.0, "neural": 2.5, "prototypes": 1.0, "graph": 2.5}
        super().__init__(n_features, missing, _chosen(mechanisms, default), all_relevant)

    def _sample_labels(self, n_tasks: int, generator: torch.Generator) -> dict[str, Tensor]:
        heavy = chance((n_tasks,), 0.25, generator)
        skewed = chance((n_tasks,), 0.25, generator)
        return {
            "noise": log_uniform((n_tasks,), 0.02, 1.0, generator),
            "tail": torch.where(heavy, uniform((n_tasks,), 0.2, 1.0, generator), 0.0),
            "skew": torch.where(skewed, uniform((n_tasks,), 0.2, 0.8, generator), 0.0),
        }

    def _calibrated(self, parameters: Parameters, scores: Tensor, generator: torch.Generator) -> Parameters:
        labels = parameters["labels"]
        labels["mean"], labels["spread"] = (m[:, 0] for m in _moments(scores))
        labels["centre"], labels["scale"] = torch.zeros_like(labels["mean"]), torch.ones_like(labels["mean"])
        centre, scale = _moments(self._labels(parameters, scores, generator)[..., None])
        labels["centre"], labels["scale"] = centre[:, 0], scale[:, 0]
        return parameters

    def _labels(self, parameters: Parameters, scores: Tensor, generator: torch.Generator) -> Tensor:
        labels = {name: value[:, None] for name, value in parameters["labels"].items()}
        noise = normal(scores.shape[:2], generator) * (labels["tail"] * normal(scores.shape[:2], generator)).exp()
        y = (scores[..., 0] - labels["mean"]) / labels["spread"] + labels["noise"] * noise
        y = y.clamp(min=-6.0, max=6.0)
        skew = labels["skew"].clamp(min=1e-3)
        y = torch.where(labels["skew"] > 0, torch.expm1(skew * y) / skew, y)
        standardised: Tensor = (y - labels["centre"]) / labels["scale"]
        return standardised
