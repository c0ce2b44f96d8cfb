"""Boolean functions of hidden form: inputs are signs, -1 for false and 1 for true.

The classes of Bhattamishra et al. 2023, "Understanding in-context learning in transformers and LLMs by learning to learn discrete
functions". Where almost all inputs are of one class, theirs and ours boost the other: with a probability that makes the classes equally
likely, an input is drawn among those of the rare class. Theirs makes the rare class at least 30 % of the inputs.
"""

from __future__ import annotations

import itertools
import math
from abc import abstractmethod

import torch
from torch import Tensor

from ctxlearn.checks import check_float, check_int
from ctxlearn.tasks.base import VIOLATED, TaskFamily

LARGEST = 2**17
"""Tasks that are still enumerated."""

Literals = dict[str, Tensor]
"""{"literals": (..., d) or (..., clauses, d)}: 1 where a variable occurs, -1 where its negation does, 0 where neither."""


class BooleanFamily(TaskFamily):
    """Two classes of d signs: a label is a Boolean function of some of them.

    Args:
        n_features: d >= 1.

    Attributes:
        n_classes: 2.
    """

    n_features: int
    n_classes: int = 2

    def __init__(self, n_features: int) -> None:
        self.n_features = check_int("n_features", n_features, minimum=1)

    @abstractmethod
    def truth(self, literals: Tensor, x: Tensor) -> Tensor:
        """Whether the function is true, (..., n), of inputs (..., n, d); `literals` has the same leading axes."""

    @abstractmethod
    def every_literals(self) -> Tensor:
        """The literals of every task there is, (P, d) or (P, clauses, d) float32.

        Raises:
            ValueError: there are more than 131,072.
        """

    def hypotheses(self) -> Literals:
        return {"literals": self.every_literals()}

    def log_prior(self, parameters: Literals) -> Tensor:
        literals = parameters["literals"]
        return literals.new_zeros(literals.shape[:2])

    def sample_points(
        self, parameters: Literals, n_points: int, *, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        literals = parameters["literals"]
        x = _signs((len(literals), n_points, self.n_features), generator)
        return x, self.truth(literals, x).long()

    def log_likelihood(self, parameters: Literals, x: Tensor, y: Tensor) -> Tensor:
        true = self.truth(parameters["literals"], x[:, None])  # (B, P, n)
        density = self.log_density(parameters["literals"], true)
        return torch.where(true != (y[:, None] == 1), density + VIOLATED, density)

    def log_density(self, literals: Tensor, true: Tensor) -> Tensor:
        """Log-probability of inputs for which the function is true or not, (B, P, n). Uniform, unless a subclass boosts a class."""
        return torch.full(true.shape, -self.n_features * math.log(2), dtype=literals.dtype, device=literals.device)


class _OneClause(BooleanFamily):
    """A conjunction or a disjunction of literals, whose rare class (all literals true, or all false) is boosted to a half.

    Args:
        n_features: d.
        n_literals: literals of each task; None means that each variable occurs with probability `density`, at least one.
        density: where n_literals is None.
    """

    rare = 1.0
    """The literals' common value in the rare class: 1 for a conjunction, -1 for a disjunction."""

    def __init__(self, n_features: int, n_literals: int | None, density: float) -> None:
        super().__init__(n_features)
        self.n_literals = (
            None if n_literals is None else check_int("n_literals", n_literals, minimum=1, maximum=self.n_features)
        )
        self.density = check_float("density", density, above=0, maximum=1)

    def sample_parameters(self, n_tasks: int, *, generator: torch.Generator) -> Literals:
        size = (n_tasks, self.n_features)
        keys = torch.rand(size, generator=generator, device=generator.device)
        if self.n_literals is None:
            occurs = (keys < self.density) | (keys == keys.amin(1, keepdim=True))
        else:
            occurs = keys.argsort(1).argsort(1) < self.n_literals
        return {"literals": occurs * _signs(size, generator)}

    def truth(self, literals: Tensor, x: Tensor) -> Tensor:
        agree, n = _agreement(literals, x)
        return agree == n if self.rare > 0 else agree > -n

    def sample_points(
        self, parameters: Literals, n_points: int, *, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        literals = parameters["literals"]
        size = (len(literals), n_points)
        x = _signs((*size, self.n_features), generator)
        boosted = torch.rand(size, generator=generator, device=generator.device) < self._boost(literals)[:, None]
        rare = self.rare * literals[:, None].expand_as(x)
        x = torch.where(boosted[..., None] & (rare != 0), rare, x)
        return x, self.truth(literals, x).long()

    def log_density(self, literals: Tensor, true: Tensor) -> Tensor:
        n, boost = literals.abs().sum(-1)[..., None], self._boost(literals)[..., None]
        rare = true if self.rare > 0 else ~true
        weight = 1 - boost + torch.where(rare, boost * 2**n, torch.zeros_like(boost))
        return weight.log() - self.n_features * math.log(2)

    def _boost(self, literals: Tensor) -> Tensor:
        """The probability q with which an input is drawn among those of the rare class: q + (1 - q) 2^-m = 1/2."""
        share = 2.0 ** -literals.abs().sum(-1)
        return (0.5 - share) / (1 - share)

    def log_prior(self, parameters: Literals) -> Tensor:
        literals = parameters["literals"]
        if self.n_literals is not None:
            return super().log_prior(parameters)
        n, d, p = literals.abs().sum(-1), self.n_features, self.density
        several = n * math.log(p) + (d - n) * math.log1p(-p) if p < 1 else torch.where(n == d, 0.0, -torch.inf)
        alone = math.log(p * (1 - p) ** (d - 1) + (1 - p) ** d / d) if p < 1 or d == 1 else -math.inf
        return torch.where(n == 1, alone, several).to(literals.dtype) - n * math.log(2)

    def every_literals(self) -> Tensor:
        if self.n_literals is not None:
            return _supports_with_signs(self.n_features, self.n_literals)
        _check_count(3**self.n_features - 1)
        every = torch.cartesian_prod(*[torch.tensor([-1.0, 0.0, 1.0])] * self.n_features).view(-1, self.n_features)
        return every[every.abs().sum(1) > 0]


class Conjunction(_OneClause):
    """And: y = 1 where every literal of a hidden set is true.

    Each variable occurs with probability `density`, plain or negated, at least one. Inputs are boosted so that both classes are
    equally likely in each task.

    Args:
        n_features: d >= 1; to enumerate the tasks for a Bayes predictor, at most 10.
        density: probability that a variable occurs.
    """

    def __init__(self, n_features: int = 10, density: float = 0.3) -> None:
        super().__init__(n_features, None, density)


class Disjunction(_OneClause):
    """Or: y = 1 where some literal of a hidden set is true.

    As `Conjunction`, of which it is the negation of one of negated literals.

    Args:
        n_features: d >= 1; to enumerate the tasks for a Bayes predictor, at most 10.
        density: probability that a variable occurs.
    """

    rare = -1.0

    def __init__(self, n_features: int = 10, density: float = 0.3) -> None:
        super().__init__(n_features, None, density)


class SparseDisjunction(_OneClause):
    """Or of few literals of many variables.

    Args:
        n_features: d >= 1.
        n_literals: literals of each task, from 1 to d.
    """

    rare = -1.0

    def __init__(self, n_features: int = 20, n_literals: int = 3) -> None:
        super().__init__(n_features, check_int("n_literals", n_literals, minimum=1), 1.0)


class SparseMajority(BooleanFamily):
    """Most of few: y = 1 where more than half of a hidden set of literals are true.

    Args:
        n_features: d >= 1.
        n_literals: literals of each task, an odd number up to d.
    """

    def __init__(self, n_features: int = 10, n_literals: int = 5) -> None:
        super().__init__(n_features)
        self.n_literals = check_int("n_literals", n_literals, minimum=1, maximum=self.n_features)
        if self.n_literals % 2 == 0:
            raise ValueError(f"n_literals: expected an odd number, so that there are no ties, got {self.n_literals}")

    def sample_parameters(self, n_tasks: int, *, generator: torch.Generator) -> Literals:
        return {"literals": _sparse((n_tasks, self.n_features), self.n_literals, generator)}

    def truth(self, literals: Tensor, x: Tensor) -> Tensor:
        return _agreement(literals, x)[0] > 0

    def every_literals(self) -> Tensor:
        return _supports_with_signs(self.n_features, self.n_literals)


class Parity(BooleanFamily):
    """Odd or even: y = 1 where an odd number of a hidden set of variables is true.

    Args:
        n_features: d >= 1.
        n_variables: variables of each task, from 1 to d; None means that each occurs with probability 1/2, at least one.
    """

    def __init__(self, n_features: int = 10, n_variables: int | None = None) -> None:
        super().__init__(n_features)
        self.n_variables = (
            None if n_variables is None else check_int("n_variables", n_variables, minimum=1, maximum=self.n_features)
        )

    def sample_parameters(self, n_tasks: int, *, generator: torch.Generator) -> Literals:
        size = (n_tasks, self.n_features)
        if self.n_variables is not None:
            return {"literals": _sparse(size, self.n_variables, generator).abs()}
        number = torch.randint(1, 2**self.n_features, (n_tasks, 1), generator=generator, device=generator.device)
        return {"literals": (number >> torch.arange(self.n_features, device=number.device) & 1).float()}

    def truth(self, literals: Tensor, x: Tensor) -> Tensor:
        agree, n = _agreement(literals, x)
        return ((agree + n) / 2).remainder(2) == 1

    def every_literals(self) -> Tensor:
        if self.n_variables is not None:
            return _supports(self.n_features, self.n_variables)
        _check_count(2**self.n_features - 1)
        numbers = torch.arange(1, 2**self.n_features)[:, None]
        return (numbers >> torch.arange(self.n_features) & 1).float()


class DNF(BooleanFamily):
    """Or of ands: y = 1 where every literal of some hidden clause is true.

    Clauses are drawn independently. With the defaults 58 % of the inputs are true if no clauses overlap.

    Args:
        n_features: d >= 1.
        n_clauses: clauses of each task, >= 1.
        n_literals: literals of each clause, from 1 to d.
    """

    def __init__(self, n_features: int = 6, n_clauses: int = 3, n_literals: int = 2) -> None:
        super().__init__(n_features)
        self.n_clauses = check_int("n_clauses", n_clauses, minimum=1)
        self.n_literals = check_int("n_literals", n_literals, minimum=1, maximum=self.n_features)

    def sample_parameters(self, n_tasks: int, *, generator: torch.Generator) -> Literals:
        return {"literals": _sparse((n_tasks, self.n_clauses, self.n_features), self.n_literals, generator)}

    def truth(self, literals: Tensor, x: Tensor) -> Tensor:
        agree, n = _agreement(literals, x[..., None, :, :])  # (..., clauses, n)
        return (agree == n).any(-2)

    def every_literals(self) -> Tensor:
        count = math.comb(self.n_features, self.n_literals) * 2**self.n_literals
        _check_count(count**self.n_clauses)
        clauses = _supports_with_signs(self.n_features, self.n_literals)
        return clauses[torch.cartesian_prod(*[torch.arange(count)] * self.n_clauses).view(-1, self.n_clauses)]


def _agreement(literals: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """True literals minus false ones, (..., n), and their number, (..., 1)."""
    return (x @ literals[..., None])[..., 0], literals.abs().sum(-1, keepdim=True)


def _signs(size: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return 2.0 * torch.randint(2, size, generator=generator, device=generator.device) - 1


def _sparse(size: tuple[int, ...], n: int, generator: torch.Generator) -> Tensor:
    """Signs at n random places of the last axis, zero elsewhere."""
    keys = torch.rand(size, generator=generator, device=generator.device)
    return (keys.argsort(-1).argsort(-1) < n) * _signs(size, generator)


def _supports(d: int, n: int) -> Tensor:
    """Every set of n of d variables, (P, d)."""
    _check_count(math.comb(d, n))
    places = torch.tensor(list(itertools.combinations(range(d), n)))
    return torch.zeros(len(places), d).scatter_(1, places, 1.0)


def _supports_with_signs(d: int, n: int) -> Tensor:
    """Every set of n literals of different ones of d variables, (P, d)."""
    _check_count(math.comb(d, n) * 2**n)
    supports = _supports(d, n)
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * n).view(-1, n)
    every = supports[:, None].repeat(1, len(signs), 1)
    every[every != 0] = signs.expand(len(supports), -1, -1).reshape(-1)
    return every.flatten(0, 1)


def _check_count(count: int) -> None:
    if count > LARGEST:
        raise ValueError(
            f"family: expected at most {LARGEST:,} tasks to enumerate, got {count:,}; make n_features smaller, or give"
            " BayesOptimal(family, pool=family.sample_parameters(...)) a sample of them"
        )
