"""Second-order meta-steps and plain steps of a network of 12 blocks, against the textbook way and against GPT-2.

Every figure comes from a process of its own that computes with one thread. Times are processor seconds: on a quiet
machine the clock's, on a busy one still comparable.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.textbook import GPT2, MISSING, has_transformers, meta_gradient
from ctxlearn.episodes import Tasks
from ctxlearn.learners import GradientAdaptation, InContextTransformer, Learner
from ctxlearn.tasks import GaussianWeights, LinearRegression
from ctxlearn.training import AllPrefixes, DomainSource, MetaAdaptation, Objective, RandomSplit

DEPTH, SIZE = 12, {"width": 256, "heads": 8}
META = {"n_features": 5, "n_points": 11}
PLAIN = {"n_features": 20, "n_points": 41}
STEPS, STEP_SIZE = 5, 0.01
SET, CAUSAL = "merged tokens, a set", "merged tokens, causal"
INTERLEAVED = "interleaved tokens"
LAYOUTS: dict[str, tuple[dict[str, str], Objective]] = {
    SET: ({}, RandomSplit()),
    CAUSAL: ({"mask": "causal"}, AllPrefixes()),
    INTERLEAVED: ({"mask": "causal", "tokens": "interleaved", "positions": "learned"}, AllPrefixes()),
}
"""Our networks and what each is trained by. A set's cost depends on the context length: three steps, three lengths."""


def ours(layout: str, n_features: int, depth: int) -> InContextTransformer:
    """Our network of the benchmark's size."""
    return InContextTransformer(n_features, None, depth=depth, encoder="identity", **SIZE, **LAYOUTS[layout][0])


def meta_step(way: str, layout: str, depth: int) -> Callable[[int], object]:
    """One second-order gradient over 64 + 64 tasks of a domain, as a function of the step."""
    source = DomainSource(GaussianWeights(5), n_domains=1, n_adaptation=64, n_fresh=64, n_points=META["n_points"])
    batch = source.batch(0, 0, torch.Generator().manual_seed(0))
    adapting, fresh = batch.adaptation[0], batch.fresh[0]
    if way == "gpt2":
        torch.manual_seed(0)
        model = GPT2(**META, depth=depth, **SIZE)
        return lambda step: meta_gradient(
            model,
            lambda m: m.loss(adapting.x, adapting.y),
            lambda m: m.loss(fresh.x, fresh.y),
            steps=STEPS,
            step_size=STEP_SIZE,
        )
    learner, objective = ours(layout, META["n_features"], depth), LAYOUTS[layout][1]
    if way == "textbook":
        assert isinstance(objective, AllPrefixes)  # draws nothing: the loss is the same however generators are seeded

        def loss(tasks: Tasks) -> Callable[[Learner], torch.Tensor]:
            return lambda m: objective(m, tasks, torch.Generator())

        return lambda step: meta_gradient(learner, loss(adapting), loss(fresh), steps=STEPS, step_size=STEP_SIZE)
    meta = MetaAdaptation(GradientAdaptation(STEPS, STEP_SIZE, recompute=way == "recomputed"), objective, objective)
    parameters = list(learner.parameters())

    def gradient(step: int) -> object:
        loss = meta(learner, batch, torch.Generator().manual_seed(step))
        return torch.autograd.grad(loss, parameters, allow_unused=True)

    return gradient


def plain_step(way: str, layout: str, depth: int) -> Callable[[int], object]:
    """One gradient over 64 tasks, as a function of the step."""
    batch = LinearRegression(20).sample(64, PLAIN["n_points"], generator=torch.Generator().manual_seed(0))
    if way == "gpt2":
        torch.manual_seed(0)
        model = GPT2(**PLAIN, depth=depth, **SIZE)
        weights = list(model.parameters())
        return lambda step: torch.autograd.grad(model.loss(batch.x, batch.y), weights, allow_unused=True)
    learner, objective = ours(layout, PLAIN["n_features"], depth), LAYOUTS[layout][1]
    parameters = list(learner.parameters())
    return lambda step: torch.autograd.grad(
        objective(learner, batch, torch.Generator().manual_seed(step)), parameters, allow_unused=True
    )


def peak_memory() -> float:
    """Peak memory of this process in MB; on Linux not what it inherited from its parent."""
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)


def measure(kind: str, way: str, layout: str, depth: int, repeats: int, warm: bool) -> None:
    """Print the mean processor seconds of a step and the peak memory of the process, as JSON."""
    torch.set_num_threads(1)
    step = {"meta": meta_step, "plain": plain_step}[kind](way, layout, depth)
    if warm:
        step(0)
    begun = time.process_time()
    for k in range(repeats):
        step(k)
    print(json.dumps({"seconds": (time.process_time() - begun) / repeats, "memory": peak_memory()}))


def in_its_own_process(kind: str, way: str, layout: str, depth: int, repeats: int, warm: bool) -> dict[str, float]:
    """What `measure` prints in a fresh process."""
    call = (
        f"from benchmarks.meta_step import measure; measure({kind!r}, {way!r}, {layout!r}, {depth}, {repeats}, {warm})"
    )
    done = subprocess.run([sys.executable, "-c", call], check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(depth: int = DEPTH) -> None:
    """Print both comparisons."""
    print(f"\nsecond-order meta-step: {depth} blocks, width 256, d=5, 11 points, 64 + 64 tasks, {STEPS} inner steps;"
          " one thread, processor seconds, peak memory of a process")  # fmt: skip
    gpt2 = None
    if has_transformers():
        gpt2 = in_its_own_process("meta", "gpt2", "", depth, 1, False)
        show("textbook, GPT-2 of transformers on interleaved tokens", gpt2, None)
    else:
        print(MISSING)
    same = in_its_own_process("meta", "textbook", CAUSAL, depth, 1, False)
    show(f"textbook, our network, {CAUSAL}", same, gpt2)
    for layout, repeats in ((SET, 3), (CAUSAL, 1)):
        for way, words in (("kept", ""), ("recomputed", ", inner steps recomputed")):
            found = in_its_own_process("meta", way, layout, depth, repeats, False)
            show(f"ctxlearn, {layout}{words}", found, gpt2, same if layout == CAUSAL else None)
    print(f"\nplain step: {depth} blocks, width 256, d=20, 41 points, 64 tasks; one thread, processor seconds")
    gpt2 = None
    if has_transformers():
        gpt2 = in_its_own_process("plain", "gpt2", "", depth, 2, True)
        show("GPT-2 of transformers on interleaved tokens", gpt2, None)
    for layout in (SET, CAUSAL, INTERLEAVED):
        show(f"ctxlearn, {layout}", in_its_own_process("plain", "ours", layout, depth, 3, True), gpt2)


def show(
    name: str, found: dict[str, float], gpt2: dict[str, float] | None, same: dict[str, float] | None = None
) -> None:
    """One line: what it took, and what that is of the others."""
    words = f"{name}: {found['seconds']:.2f} s, {found['memory']:.0f} MB"
    for other, whom in ((gpt2, "GPT-2"), (same, "the textbook way on the same network")):
        if other is not None:
            words += (f"; {other['seconds'] / found['seconds']:.2f} times as fast as {whom},"
                      f" {found['memory'] / other['memory']:.2f} of its memory")  # fmt: skip
    print(words, flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
