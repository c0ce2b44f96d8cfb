"""Posteriors of any family with a prior and a likelihood: importance sampling while it lasts, then sequential Monte Carlo.

Every task starts from one shared cloud of draws from the prior, weighted by its points. When the effective sample size
of a task's weights falls below `n_particles`, that many are resampled and moved by a random walk that leaves the
posterior unchanged; from then on the task has its own particles, resampled and moved again whenever fewer than half of
them count. A point that would leave too few is absorbed in several steps, its likelihood to a rising power.

All randomness is a function of the seed and the number of points, and is the same for every task: a context has one
answer, whatever else is in the batch and whether it comes alone or as a prefix.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ctxlearn.bayes.inference import Inference, Joint
from ctxlearn.bayes.particles import (
    BLOCK,
    Population,
    answer_in_blocks,
    as_particles,
    checked_log_likelihood,
    effective_size,
    in_order,
    to_device,
)
from ctxlearn.checks import describe, solving
from ctxlearn.episodes import Parameters
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.tasks.base import TaskFamily
from ctxlearn.tree import leaves, map_tensors

CLOUD = 32
"""Draws from the prior for each particle of a task."""
MOVES = 2
"""Random-walk moves after resampling, for each number of a task's parameters: a random walk forgets in that many."""
LEAST = 1 / 8
"""Share of the particles that must count after a step; a point that leaves fewer is absorbed in several steps."""
MAX_STAGES = 64
"""Steps in which one point is absorbed at most."""


class Noise(NamedTuple):
    """Random numbers of one refresh: directions (M, K, k), log-uniforms for acceptance (M, K), one uniform."""

    normal: Tensor
    log_uniform: Tensor
    offset: float


class SequentialMonteCarlo(Inference):
    """Posterior by particles.

    Args:
        family: with `log_likelihood` and `log_prior`, and parameters that are floating tensors.
        n_particles: K for each task once importance sampling has run out; the cloud has 32 K.
        seed: of the cloud and the moves.
    """

    def __init__(self, family: TaskFamily, n_particles: int = 512, seed: int = 0) -> None:
        self.family, self.n_classes, self.n_particles, self.seed = family, family.n_classes or 0, n_particles, seed
        drawn = family.sample_unconstrained(CLOUD * n_particles, generator=generator_for(seed, Stream.REFERENCE))
        self.cloud = as_particles(drawn)
        self.vectors = flatten(self.cloud)[0]  # (32 K, k)
        self.n_moves = max(5, MOVES * self.vectors.shape[1])
        self.chunk = max(1, BLOCK // len(self.vectors))
        self._noises: dict[tuple[int, int], Noise] = {}

    def joint(self, x: Tensor, y: Tensor, query_x: Tensor) -> Joint:
        sample = _Sample(self, x, y)
        for i in range(x.shape[1]):
            sample.absorb(i, None)
        return sample.answer(query_x)

    def joint_prefixes(self, x: Tensor, y: Tensor) -> Joint:
        sample, joints = _Sample(self, x, y), []
        for i in range(x.shape[1]):
            joint, known = sample.answer_next(i)
            joints.append(joint)
            if i + 1 < x.shape[1]:
                sample.absorb(i, known)
        return in_order(joints)

    def noise(self, i: int, stage: int) -> Noise:
        """Random numbers of the `stage`-th refresh after point i; those of i + 64 are the same."""
        key = (i % 64, stage)
        if key not in self._noises:
            generator = generator_for(self.seed, Stream.REFERENCE, *key)
            size = (self.n_moves, self.n_particles)
            normal = torch.randn(*size, self.vectors.shape[1], generator=generator, dtype=torch.float64)
            uniform = torch.rand(*size, generator=generator, dtype=torch.float64)
            self._noises[key] = Noise(normal, uniform.log(), float(torch.rand((), generator=generator)))
        return self._noises[key]


class _Sample:
    """The weighted particles of B tasks as points arrive: some tasks still on the cloud, the others on their own."""

    def __init__(self, engine: SequentialMonteCarlo, x: Tensor, y: Tensor) -> None:
        self.engine, self.family, self.x, self.y = engine, engine.family, x, y
        device, size = x.device, len(engine.vectors)
        self.cloud, self.vectors = to_device(engine.cloud, device), engine.vectors.to(device)
        self.on_cloud = torch.arange(len(x), device=device)
        self.cloud_weights = x.new_full((len(x), size), -math.log(size))
        self.on_own = self.on_cloud[:0]
        self.own = x.new_zeros(0, engine.n_particles, self.vectors.shape[1])
        self.own_weights = x.new_zeros(0, engine.n_particles)

    def groups(self) -> list[tuple[Tensor, Population]]:
        """Which tasks, and their particles."""
        groups = []
        if len(self.on_cloud):
            groups.append((self.on_cloud, Population(self.family, self.cloud, self.cloud_weights)))
        if len(self.on_own):
            own = unflatten(self.own, self.engine.cloud)
            groups.append((self.on_own, Population(self.family, own, self.own_weights)))
        return groups

    def answer(self, query_x: Tensor) -> Joint:
        joints = [(rows, answer_in_blocks(population, query_x[rows])) for rows, population in self.groups()]
        return _scatter(joints, len(self.x))

    def answer_next(self, i: int) -> tuple[Joint, list[Tensor]]:
        """The joint of point i as a query; and what each group then knows of it, log p(x_i, y_i | particle)."""
        joints, known = [], []
        for rows, population in self.groups():
            joint, each = population.answer(self.x[rows, i : i + 1])
            joints.append((rows, joint))
            label = self.y[rows, i][:, None, None].expand(-1, each.shape[1], 1)
            known.append(each[:, :, 0].gather(2, label)[..., 0])
        return _scatter(joints, len(self.x)), known

    def absorb(self, i: int, known: list[Tensor] | None) -> None:
        """Weight the particles by point i; resample and move those of tasks where too few count."""
        if known is None:
            known = [p.log_likelihood(self.x[r, i : i + 1], self.y[r, i : i + 1])[..., 0] for r, p in self.groups()]
        values = iter(known)
        fresh = []
        if len(self.on_cloud):
            weights = self.cloud_weights + next(values)
            low = effective_size(weights) < self.engine.n_particles
            if bool(low.any()):
                rows = self.on_cloud[low]
                fresh.append((rows, *self.refresh(i, rows, self.vectors[None], self.cloud_weights[low], weights[low])))
            self.on_cloud, self.cloud_weights = self.on_cloud[~low], weights[~low]
        if len(self.on_own):
            weights = self.own_weights + next(values)
            low = effective_size(weights) < self.engine.n_particles / 2
            if bool(low.any()):
                own, flat = self.refresh(i, self.on_own[low], self.own[low], self.own_weights[low], weights[low])
                self.own[low], weights[low] = own, flat
            self.own_weights = weights
        for rows, own, weights in fresh:
            self.on_own = torch.cat([self.on_own, rows])
            self.own, self.own_weights = torch.cat([self.own, own]), torch.cat([self.own_weights, weights])

    def refresh(self, i: int, rows: Tensor, vectors: Tensor, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        """K equally weighted particles (r, K, k) of the posterior after point i, and their log-weights (r, K).

        Args:
            i: the newest point.
            rows: the tasks.
            vectors: particles, (r or 1, P, k).
            before, after: log-weights without and with point i, (r, P).
        """
        size = self.engine.n_particles
        done = before.new_empty(len(rows), size, vectors.shape[-1]), before.new_empty(len(rows), size)
        left = torch.arange(len(rows), device=rows.device)  # rows whose point is not absorbed in full
        power = before.new_zeros(len(rows))  # to which its likelihood has been absorbed
        newest, weights = after - before, before
        for stage in range(MAX_STAGES):
            noise = self.engine.noise(i, stage)
            step = _largest_step(weights, newest, 1 - power, least=LEAST * size)
            weights = weights + step[:, None] * newest
            last = stage + 1 == MAX_STAGES
            power = torch.where((step >= 1 - power) | last, 1.0, power + step)
            log_evidence = weights.logsumexp(1, keepdim=True)
            chosen = _systematic(weights.softmax(1), size, noise.offset)
            factor = _covariance_factor(vectors, weights.softmax(1))
            picked = vectors.expand(len(left), -1, -1).gather(1, chosen[..., None].expand(-1, -1, vectors.shape[-1]))
            x, y = self.x[rows[left], : i + 1], self.y[rows[left], : i + 1]
            vectors, newest = self.move(picked, factor, noise, x=x, y=y, power=power)
            weights = (log_evidence - math.log(size)).expand(-1, size)
            full = power >= 1
            done[0][left[full]], done[1][left[full]] = vectors[full], weights[full]
            left, vectors, newest, weights, power = (t[~full] for t in (left, vectors, newest, weights, power))
            if not len(left):
                break
        return done

    def move(
        self, vectors: Tensor, factor: Tensor, noise: Noise, *, x: Tensor, y: Tensor, power: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Random-walk moves; the particles and their log-likelihoods of the newest point."""

        def target(at: Tensor) -> tuple[Tensor, Tensor]:
            parameters = unflatten(at, self.engine.cloud)
            each = checked_log_likelihood(self.family, parameters, x, y)
            newest = each[..., -1]
            prior = self.family.log_prior(parameters).nan_to_num(nan=-torch.inf)
            return prior + each.sum(-1) - (1 - power)[:, None] * newest, newest

        value, newest = target(vectors)
        scale = value.new_full((len(vectors), 1, 1), 2.38 / vectors.shape[-1] ** 0.5)
        for normal, log_uniform in zip(noise.normal.to(vectors), noise.log_uniform.to(vectors), strict=True):
            proposed = vectors + scale * (normal @ factor.mT)
            new_value, new_newest = target(proposed)
            accept = log_uniform < new_value - value
            vectors = torch.where(accept[..., None], proposed, vectors)
            value, newest = torch.where(accept, new_value, value), torch.where(accept, new_newest, newest)
            scale = torch.where(accept.double().mean(1)[:, None, None] < 0.1, 0.5 * scale, scale)
        return vectors, newest


def _scatter(joints: list[tuple[Tensor, Joint]], n_tasks: int) -> Joint:
    first = joints[0][1]
    log_p = first.log_p.new_empty(n_tasks, *first.log_p.shape[1:])
    ess = first.ess.new_empty(n_tasks, *first.ess.shape[1:])
    for rows, joint in joints:
        log_p[rows], ess[rows] = joint.log_p, joint.ess
    return Joint(log_p, ess)


def _largest_step(weights: Tensor, newest: Tensor, left: Tensor, least: float) -> Tensor:
    """How much of `left` (r,) the power can rise so that at least `least` particles count, by bisection; > 0 if left > 0."""
    low, high = torch.zeros_like(left), left
    step = left
    for _ in range(20):
        enough = effective_size(weights + step[:, None] * newest) >= least
        if bool(enough.all()):
            break
        low, high = torch.where(enough, step, low), torch.where(enough, high, step)
        step = torch.where(enough & (step == left), left, (low + high) / 2)
    return step


def _systematic(p: Tensor, size: int, offset: float) -> Tensor:
    """Indices (r, size) drawn with probabilities p (r, P) at equal spacing."""
    cumulative = p.cumsum(1)
    at = (torch.arange(size, dtype=p.dtype, device=p.device) + offset) / size
    return torch.searchsorted(cumulative / cumulative[:, -1:], at.expand(len(p), -1).contiguous()).clamp(
        max=p.shape[1] - 1
    )


def _covariance_factor(vectors: Tensor, p: Tensor) -> Tensor:
    """A lower-triangular factor (r, k, k) of the weighted covariance of particles (r or 1, P, k)."""
    centre = p[:, None] @ vectors
    spread = vectors - centre
    covariance = spread.mT @ (p[..., None] * spread)
    size = covariance.diagonal(dim1=-2, dim2=-1).mean(-1)[:, None, None] + 1e-30
    eye = torch.eye(vectors.shape[-1], dtype=vectors.dtype, device=vectors.device)
    with solving("context_x"):
        factor: Tensor = torch.linalg.cholesky(covariance + 1e-9 * size * eye)
    return factor


def flatten(parameters: Parameters) -> Tensor:
    """Parameters with leading axes (A, P) as vectors (A, P, k)."""
    pieces = []
    for value in leaves(parameters):
        if not isinstance(value, Tensor) or not value.is_floating_point():
            got = describe(value)
            raise ValueError(f"parameters: expected floating tensors, which a random walk can move, got {got}")
        pieces.append(value[..., None].flatten(2))
    return torch.cat(pieces, dim=-1)


def unflatten(vectors: Tensor, like: Parameters) -> Parameters:
    """Vectors (B, K, k) as parameters with leading axes (B, K), of the form of `like`."""
    sizes = [value[..., None].flatten(2).shape[-1] for value in leaves(like)]
    pieces = iter(torch.split(vectors, sizes, dim=-1))
    return map_tensors(lambda value: next(pieces).reshape(*vectors.shape[:2], *value.shape[2:]), like)
