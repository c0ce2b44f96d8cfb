"""The Bayes-optimal predictor of a family of tasks: the ceiling that every learner is measured against."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from ctxlearn.bayes.exact import exact_inference
from ctxlearn.bayes.inference import Inference, Joint, MixtureInference
from ctxlearn.bayes.linear_gaussian import LinearGaussian
from ctxlearn.bayes.particles import PoolInference, check_parameters
from ctxlearn.bayes.sequential_monte_carlo import SequentialMonteCarlo
from ctxlearn.checks import check_choice, check_int, describe
from ctxlearn.episodes import Parameters
from ctxlearn.learners.base import Context, Learner
from ctxlearn.tasks.base import Mixture, TaskFamily
from ctxlearn.tasks.pool import Pool
from ctxlearn.tasks.regression import LinearRegression
from ctxlearn.threads import Workers, available_cores, one_thread_per_operator

FEW = 10
"""Effective particles below which an answer is called unreliable."""


class EffectiveSampleSizeWarning(UserWarning):
    """Too few particles stand behind a Bayes predictor's answers for them to be called optimal."""


class BayesOptimal(Learner):
    """The predictor that no learner can beat on tasks of a family: p(y_q | context, x_q), averaged over the posterior.

    The query's x is evidence too, each query on its own. Exact for `Amortization` and `Radial` (any d and scale),
    two-class `PairwiseMetric` in the plane, `HalfPlane`, `Xor`, `RotatedAmortization` at one angle, finitely many tasks (a pool, or a
    family with `hypotheses`), and mixtures of these; for any other family with
    `log_likelihood` and `log_prior` by importance sampling, then sequential Monte Carlo. A mixture's families are
    weighted by their evidence. For `LinearRegression` (and there alone in regression) the exact posterior mean. A label
    that a rule excludes counts e^-15 and not 0, so no context is impossible. Everything is computed
    in float64 and returned in the input's precision; `log_...` methods return float64.

    Args:
        family: a family of classification tasks, or `LinearRegression`. A `Pool` is its tasks, equally likely.
        method: "auto", or "particles" to sample even where an exact way is known.
        pool: parameters of P tasks, as `family.sample_parameters` gives them: the prior is then uniform over these
            tasks alone. The family needs `log_likelihood`.
        n_particles: for each task, where it samples; the error of a probability p is about sqrt(p (1 - p) / n).
        seed: of the sampling.

    Raises:
        ValueError: a family without a likelihood; the methods to write are named. A method for classes asked of regression,
            or the other way round.
    """

    def __init__(
        self,
        family: TaskFamily,
        method: str = "auto",
        pool: Parameters = None,
        n_particles: int = 512,
        seed: int = 0,
    ) -> None:
        if not isinstance(family, TaskFamily):
            raise ValueError(f"family: expected a TaskFamily, got {describe(family)}")
        super().__init__(family.n_features, family.n_classes)
        self.family = family
        self._linear = None if family.n_classes is not None else _linear_of(family, method, pool)
        exact = check_choice("method", method, ("auto", "particles")) == "auto"
        check_int("n_particles", n_particles, minimum=8)
        self._inference: Inference | None = None
        if self._linear is not None:
            return
        if pool is not None:
            _check_likelihood(family, ("log_likelihood",))
            check_parameters("pool", pool, family)
            self._inference = PoolInference(family, pool)
        else:
            self._inference = _inference_of(family, exact, n_particles, seed)

    def adapt(self, context_x: Tensor, context_y: Tensor) -> Context:
        return Context(*self.check_context(context_x, context_y))

    def predict(self, state: Context, query_x: Tensor) -> Tensor:
        """Log-probabilities (B, q, C); for regression posterior means (B, q)."""
        if self._linear is not None:
            return self._linear.predict(self._linear.adapt(*state), query_x)
        query_x = self.check_query(query_x, n_tasks=state.x.shape[0])
        return self._joint(state, query_x).log_p.log_softmax(-1).to(query_x.dtype)

    def predict_distribution(self, state: Context, query_x: Tensor) -> Tensor:
        """For regression: quantiles of y_q, (B, q, K); see `Learner.predict_distribution`."""
        linear = self._regression("predict_distribution")
        return linear.predict_distribution(linear.adapt(*state), query_x)

    def predict_normal(self, state: Context, query_x: Tensor) -> tuple[Tensor, Tensor]:
        """For regression: posterior mean and variance of y_q, noise included, (B, q) each."""
        linear = self._regression("predict_normal")
        return linear.predict_normal(linear.adapt(*state), query_x)

    def predict_prefixes(self, x: Tensor, y: Tensor) -> Tensor:
        if self._linear is not None:
            return self._linear.predict_prefixes(x, y)
        x, y = self.check_context(x, y, names=("x", "y"))
        return self._joint_prefixes(x, y).log_p.log_softmax(-1).to(x.dtype)

    def log_joint(self, context_x: Tensor, context_y: Tensor, query_x: Tensor) -> Tensor:
        """Log-evidence of the context, the query's x and each label, log p(context, x_q, y_q = c), (B, q, C)."""
        state = self.adapt(context_x, context_y)
        return self._joint(state, self.check_query(query_x, n_tasks=state.x.shape[0])).log_p

    def log_joint_prefixes(self, x: Tensor, y: Tensor) -> Tensor:
        """`log_joint` of every prefix: log p(x_1..i, y_1..i, x_i+1, y_i+1 = c) for i = 0..N-1, (B, N, C)."""
        return self._joint_prefixes(*self.check_context(x, y, names=("x", "y"))).log_p

    def log_evidence(self, context_x: Tensor, context_y: Tensor, query_x: Tensor | None = None) -> Tensor:
        """Of a context: log p(x_1..n, y_1..n), (B,); with queries log p(x_1..n, y_1..n, x_q), (B, q).

        For regression, whose inputs say nothing of the task: log p(y_1..n | x_1..n), (B,), with queries the same for each.
        """
        context_x, context_y = self.check_context(context_x, context_y)
        if self._linear is not None:
            found = self._linear.log_evidence(context_x, context_y)
            return (
                found if query_x is None else found[:, None].expand(-1, self.check_query(query_x, len(found)).shape[1])
            )
        if query_x is not None:
            query_x = self.check_query(query_x, n_tasks=context_x.shape[0])
        return self._evidence(self._of_classes("log_evidence"), context_x, context_y, query_x)

    def log_evidence_prefixes(self, x: Tensor, y: Tensor, *, with_query: bool = False) -> Tensor:
        """Of every prefix: log p(x_1..i, y_1..i) for i = 0..N, (B, N + 1); with the query's x log p(x_1..i+1, y_1..i) for
        i = 0..N-1, (B, N). For regression given the x's.
        """
        x, y = self.check_context(x, y, names=("x", "y"))
        if self._linear is not None:
            found = self._linear.log_evidence_prefixes(x, y)
            return found[:, :-1] if with_query else found
        return self._evidence_prefixes(self._of_classes("log_evidence_prefixes"), x, y, with_query)

    def family_posterior(self, context_x: Tensor, context_y: Tensor, query_x: Tensor | None = None) -> Tensor:
        """Of a mixture: the probability of each of its K families, (B, K); with queries as evidence too, (B, q, K)."""
        context_x, context_y = self.check_context(context_x, context_y)
        if query_x is not None:
            query_x = self.check_query(query_x, n_tasks=context_x.shape[0])
        parts, log_weights = self._parts()
        evidence = [self._evidence(part, context_x, context_y, query_x) for part in parts]
        return (torch.stack(evidence, dim=-1) + log_weights.to(context_x.device)).softmax(-1)

    def family_posterior_prefixes(self, x: Tensor, y: Tensor, *, with_query: bool = False) -> Tensor:
        """Of a mixture: `family_posterior` of every prefix, (B, N + 1, K), or (B, N, K) with the query's x."""
        x, y = self.check_context(x, y, names=("x", "y"))
        parts, log_weights = self._parts()
        evidence = [self._evidence_prefixes(part, x, y, with_query) for part in parts]
        return (torch.stack(evidence, dim=-1) + log_weights.to(x.device)).softmax(-1)

    def effective_sample_size(self, x: Tensor, y: Tensor) -> Tensor:
        """How many independent draws of the posterior stand behind the answer at each prefix, (B, N); inf if exact."""
        x, y = self.check_context(x, y, names=("x", "y"))
        if self._linear is not None:
            return torch.full(y.shape, torch.inf, dtype=torch.float64, device=x.device)
        return self._joint_prefixes(x, y, warn=False).ess

    def _regression(self, method: str) -> LinearGaussian:
        if self._linear is None:
            raise ValueError(
                f"{method}: expected the Bayes predictor of a family of regression, got that of {self.family.name}"
            )
        return self._linear

    def _of_classes(self, method: str) -> Inference:
        if self._inference is None:
            raise ValueError(
                f"{method}: expected the Bayes predictor of a family of classes, got that of {self.family.name}"
            )
        return self._inference

    def _parts(self) -> tuple[list[Inference], Tensor]:
        if not isinstance(self._inference, MixtureInference):
            raise ValueError(
                f"family_posterior: expected the Bayes predictor of a Mixture, got that of {self.family.name}"
            )
        return self._inference.parts, torch.tensor(self._inference.log_weights, dtype=torch.float64)

    def _joint(self, state: Context, query_x: Tensor) -> Joint:
        inference = self._of_classes("log_joint")
        return self._run(inference, inference.joint, state.x.double(), state.y, query_x.double())

    def _joint_prefixes(self, x: Tensor, y: Tensor, warn: bool = True) -> Joint:
        inference = self._of_classes("log_joint_prefixes")
        return self._run(inference, inference.joint_prefixes, x.double(), y, warn=warn)

    def _evidence(self, inference: Inference, x: Tensor, y: Tensor, query_x: Tensor | None) -> Tensor:
        x = x.double()
        if query_x is not None:
            return self._run(inference, inference.joint, x, y, query_x.double()).log_p.logsumexp(-1)
        if x.shape[1] == 0:
            return x.new_zeros(len(x))
        joint = self._run(inference, inference.joint, x[:, :-1], y[:, :-1], x[:, -1:])
        return joint.log_p[:, 0].gather(1, y[:, -1:])[:, 0]

    def _evidence_prefixes(self, inference: Inference, x: Tensor, y: Tensor, with_query: bool) -> Tensor:
        log_p = self._run(inference, inference.joint_prefixes, x.double(), y).log_p
        if with_query:
            return log_p.logsumexp(-1)
        return torch.cat([log_p.new_zeros(len(x), 1), log_p.gather(2, y[..., None])[..., 0]], dim=1)

    def _run(self, inference: Inference, compute: Callable[..., Joint], *tensors: Tensor, warn: bool = True) -> Joint:
        """`compute` on chunks of tasks, side by side when nothing else is."""
        chunks = list(zip(*(torch.split(tensor, inference.chunk) for tensor in tensors), strict=True))
        alone = threading.current_thread() is threading.main_thread()

        def one(chunk: tuple[Tensor, ...]) -> Joint:
            with torch.no_grad():
                return compute(*chunk)

        with one_thread_per_operator(), Workers(min(available_cores(), len(chunks)) if alone else 1) as workers:
            joints = workers.map(one, chunks)
        joint = Joint(torch.cat([part.log_p for part in joints]), torch.cat([part.ess for part in joints]))
        few = float((joint.ess < FEW).double().mean()) if joint.ess.numel() else 0.0
        if warn and few > 0.01:
            warnings.warn(
                f"the Bayes predictor of {self.family.name} has an effective sample size below {FEW} in {100 * few:.0f} % of"
                " its answers, so they are not optimal: give it more n_particles",
                EffectiveSampleSizeWarning,
                stacklevel=3,
            )
        return joint


def _inference_of(family: TaskFamily, exact: bool, n_particles: int, seed: int) -> Inference:
    kind = type(family)
    if kind is Mixture and isinstance(family, Mixture):
        parts = [_inference_of(part, exact, n_particles, seed) for part in family.families]
        return MixtureInference(parts, family.weights)
    if kind is Pool and isinstance(family, Pool):
        _check_likelihood(family.family, ("log_likelihood",))
        return PoolInference(family.family, family.parameters)
    every = family.hypotheses()
    if every is not None:
        _check_likelihood(family, ("log_likelihood", "log_prior"))
        return PoolInference(family, every, weighted=True)
    known = exact_inference(family) if exact else None
    if known is not None:
        return known
    _check_likelihood(family, ("log_likelihood", "log_prior"))
    return SequentialMonteCarlo(family, n_particles, seed)


def _linear_of(family: TaskFamily, method: str, pool: Parameters) -> LinearGaussian:
    """Inputs that are always zero (beyond `active`) have weights that no label depends on."""
    if type(family) is not LinearRegression or method == "particles" or pool is not None:
        raise ValueError(
            "family: expected a family of classification tasks, or LinearRegression with its exact method and no pool, got"
            f" {family.name}, of regression; see also LinearGaussian (another prior of the weights) and LinearPool (a pool)"
        )
    assert isinstance(family, LinearRegression)
    return LinearGaussian(0.0, 1.0, family.noise, family.n_features)


def _check_likelihood(family: TaskFamily, needed: tuple[str, ...]) -> None:
    if any(getattr(type(family), name) is getattr(TaskFamily, name) for name in needed):
        raise family.without_likelihood()
