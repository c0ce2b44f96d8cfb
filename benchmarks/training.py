"""A training step: against one forward pass per prefix, against the machine's matrix product, and to a set accuracy."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import torch

from ctxlearn import TrainingConfig, train
from ctxlearn.evaluation import score_prefixes
from ctxlearn.learners import InContextTransformer, Learner
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies.arms import ICL, icl_learner
from ctxlearn.studies.optimal import PROFILES, trainings
from ctxlearn.tasks import Amortization, ClassPrototype, Mixture, PairwiseMetric
from ctxlearn.threads import Workers, available_cores, one_thread_per_operator
from ctxlearn.training.objective import RandomSplit
from ctxlearn.training.optimizers import Optimizer

MIXTURE = Mixture([PairwiseMetric(), ClassPrototype(), Amortization()])
TASKS, POINTS, SHARDS = 126, 50, 2


def seconds(function: Callable[[], object], repeats: int) -> float:
    """The median time of a call, after a warm-up where it is repeated."""
    if repeats > 1:
        function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return sorted(times)[repeats // 2]


class Step:
    """One optimiser step of the shipped loop's form: shards side by side, one thread each."""

    def __init__(self, width: int, heads: int, workers: Workers) -> None:
        self.learner = InContextTransformer(2, 2, width=width, heads=heads)
        self.config = TrainingConfig(steps=1000, tasks_per_step=TASKS, n_points=POINTS, optimizer="muon")
        self.optimizer = Optimizer(self.learner, self.config)
        self.parameters = list(self.learner.parameters())
        self.workers = workers
        self.step = 0

    def gradient(self, shard: int) -> tuple[torch.Tensor, ...]:
        generator = generator_for(0, Stream.TRAINING, self.step, shard)
        batch = MIXTURE.sample(TASKS // SHARDS, POINTS, generator=generator)
        loss = RandomSplit()(self.learner, batch, generator_for(0, Stream.OBJECTIVE, self.step))
        return torch.autograd.grad(loss, self.parameters, materialize_grads=True, allow_unused=True)

    def __call__(self) -> None:
        parts = self.workers.map(self.gradient, range(SHARDS))
        for p, a, b in zip(self.parameters, *parts, strict=True):
            p.grad = (a + b) / SHARDS
        self.optimizer.step(self.config.rate_factor(self.step))
        self.step += 1

    def arithmetic(self) -> float:
        """Floating-point operations of the matrix products of one step, at the mean context length."""
        n = (POINTS - 1) / 2
        tokens, pairs = TASKS * POINTS, TASKS * POINTS * n
        total = 0.0
        for name, p in self.learner.named_parameters():
            if p.ndim == 2:
                last = f"blocks.{len(self.learner.blocks) - 1}." in name
                if "key_value" in name:
                    share = n / POINTS  # keys and values of the context only
                elif last or name.startswith("out"):
                    share = 1 - n / POINTS  # the last block runs for the queries only
                else:
                    share = 1.0
                total += 6 * p.numel() * tokens * share
        return total + len(self.learner.blocks) * 12 * pairs * self.learner.width


def one_pass_per_prefix(learner: Learner, parameters: list[torch.nn.Parameter]) -> None:
    """What one-off scripts do: a forward pass for every context length, each predicting the next point."""
    batch = MIXTURE.sample(TASKS, POINTS, generator=generator_for(0, Stream.TRAINING, 0, 0))
    loss = torch.zeros(())
    for n in range(POINTS):
        output = learner(batch.x[:, :n], batch.y[:, :n], batch.x[:, n : n + 1])
        loss = loss + learner.loss(output, batch.y[:, n : n + 1]) / POINTS
    torch.autograd.grad(loss, parameters, materialize_grads=True, allow_unused=True)


def to_accuracy(goal: float) -> None:
    """Train the quick profile's mixture arm until its mean accuracy on validation tasks reaches the goal."""
    config = trainings(PROFILES["quick"], 0)[ICL, "mixture"].config
    learner = icl_learner(0)
    test = MIXTURE.sample(300, POINTS, generator=generator_for(1, Stream.VALIDATION))
    with one_thread_per_operator(), Workers(available_cores()) as workers:
        step = Step(64, 4, workers)
        step.config, step.optimizer, step.learner = config, Optimizer(learner, config), learner
        step.parameters = list(learner.parameters())
        spent = 0.0
        while step.step < config.steps:
            start = time.perf_counter()
            for _ in range(50):
                step()
            spent += time.perf_counter() - start
            accuracy = score_prefixes(learner, test)[:, 1:].mean()
            learner.train()
            if accuracy >= goal:
                print(
                    f"seconds of training to {goal:.0%} mean accuracy on the mixture: {spent:.0f} ({step.step} steps)"
                )
                return
    print(f"{goal:.0%} mean accuracy on the mixture was not reached in {step.step} steps; it has {accuracy:.1%}")


def main() -> None:
    """Print every figure."""
    cores = available_cores()
    print(f"{cores} cores, {TASKS} tasks of {POINTS} points a step, depth 4, {SHARDS} shards side by side\n")
    # first, while this process is small: a child's peak counts what it shared with its parent at the fork
    print(f"peak memory of a process that trains the study's model: {memory_of_training():.0f} MB\n")
    with one_thread_per_operator(), Workers(min(cores, SHARDS)) as workers:
        a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
        for width, heads, repeats in ((64, 4, 30), (256, 8, 7)):
            step = Step(width, heads, workers)
            threads = range(min(cores, SHARDS))
            peak = 2 * 1024**3 * len(threads) / seconds(lambda: workers.map(lambda _: a @ b, threads), 20)  # noqa: B023
            ours = seconds(step, repeats)
            naive = seconds(lambda: one_pass_per_prefix(step.learner, step.parameters), 3 if width < 100 else 1)  # noqa: B023
            rate = step.arithmetic() / ours
            print(f"width {width}: step {1000 * ours:.0f} ms, {TASKS / ours:,.0f} tasks/s;"
                  f" one pass per prefix, one thread: {1000 * naive:.0f} ms, {TASKS / naive:,.0f} tasks/s;"
                  f" ratio {naive / ours:.1f}")  # fmt: skip
            print(f"width {width}: {rate / 1e9:.0f} Gflop/s in the step against {peak / 1e9:.0f} in a 1024-cube product"
                  f" on the same threads: {rate / peak:.2f} of it\n")  # fmt: skip
    to_accuracy(0.92)


def memory_of_training() -> float:
    """Peak memory in MB of a fresh process that takes 20 steps of the study's model."""
    subprocess.run([sys.executable, "-c", "from benchmarks.training import some_steps; some_steps()"], check=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def some_steps() -> None:
    """Twenty steps of the study's model, in a folder that is gone after."""
    with tempfile.TemporaryDirectory() as folder:
        config = TrainingConfig(steps=20, tasks_per_step=TASKS, n_points=POINTS, progress=False)
        train(icl_learner(0), MIXTURE, config, out=folder)
