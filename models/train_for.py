"""Train a model for so many seconds: its learning rate falls to zero over the time, whatever machine it is.

    python models/train_for.py --config models/training/classifier.yaml --seconds 540 --out results/classifier

Where `ctxlearn train` counts steps and repeats every bit, this makes the most of a machine that is lent for some minutes. Tasks are drawn
on the device; what it has reached (averaged weights, as a run that `ctxlearn.load` reads) is written every minute and at the end.
"""

from __future__ import annotations

import argparse
import copy
import csv
import dataclasses
import random
import time
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import torch
import yaml
from torch import Tensor

from ctxlearn.checks import trusted_values
from ctxlearn.configurable import configuration, instantiate
from ctxlearn.learners import ContextScaled, InContextTransformer, Learner
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.storage import digest_tensors, save_tensors, write_text
from ctxlearn.training import LastPoints, VariedLengths
from ctxlearn.training.config import TrainingConfig
from ctxlearn.training.optimizers import Average, Optimizer
from ctxlearn.training.run_folder import run_hash

SAVED_EVERY = 30.0
"""Seconds between two times of writing what it has reached."""
LOGGED_EVERY = 20
"""Steps between rows of the log."""
MOST_FAILURES = 100
"""Draws that may be left out since their linear algebra failed, or the device's memory did not suffice."""
AT_ONCE = 4
"""Steps whose tasks are drawn at once, of one length and one number of columns."""
WAITING = 12
"""Draws whose tasks wait, at most; steps take from any of them, so that lengths alternate."""
USES = 2
"""Steps that see the same tasks, far apart: drawing and advising take as long as a step."""


def main() -> None:
    """Read what to do, and do it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    on_gpu = torch.cuda.is_available()
    parser.add_argument(
        "--points", type=int, default=65536 if on_gpu else None, help="per step; by default the config's on a CPU"
    )
    asked = parser.parse_args()
    begun = time.perf_counter()
    given = yaml.safe_load(asked.config.read_text())
    if asked.points:
        given["source"]["init_args"] |= {"n_points": AT_ONCE * asked.points, "most_tasks": asked.points}
    learner, source = instantiate(given["learner"]), instantiate(given["source"])
    precision = "bf16-mixed" if asked.device == "cuda" else "32-true"
    config = TrainingConfig(**given["training"] | {"tasks_per_step": 1, "shards": 1, "precision": precision})
    learner.to(asked.device).train()
    asked.out.mkdir(parents=True, exist_ok=True)
    training = Training(learner, source, config, asked.device)
    with (asked.out / "log.csv").open("w", newline="") as file:
        log = csv.writer(file, lineterminator="\n")
        log.writerow(("step", "seconds", "rate", "n_context", "n_tasks", "loss", "gradient_norm", "left_out"))
        saved = time.perf_counter()
        while (used := time.perf_counter() - begun) < asked.seconds:
            rate = min(1.0, (training.step + 1) / max(1, config.warmup_steps)) * (1 - used / asked.seconds)
            row = training.take_step(rate)
            if training.step % LOGGED_EVERY == 0:
                n_context, n_tasks, loss, norm = row
                log.writerow((training.step, f"{used:.2f}", f"{rate:.4f}", n_context, n_tasks, f"{float(loss):.4f}", f"{float(norm):.3f}", training.failures))  # fmt: skip
                file.flush()
            if time.perf_counter() - saved > SAVED_EVERY:
                training.save(asked.out)
                saved = time.perf_counter()
                print(f"{asked.out.name}: step {training.step}, {used:.0f} s, left out {training.failures}", flush=True)
    training.save(asked.out)
    print(f"{asked.out.name}: {training.step} steps, {training.tasks} tasks, {training.points} points, left out {training.failures}", flush=True)  # fmt: skip


class Seen(Learner):
    """In place of the transformer: keeps what it is shown."""

    accepts_missing = True

    def adapt(self, context_x: Tensor, context_y: Tensor) -> tuple[Tensor, Tensor]:
        return context_x, context_y

    def predict(self, state: object, query_x: Tensor) -> Tensor:
        return query_x


class Piece(NamedTuple):
    """Tasks as the transformer sees them: points with advice, labels, and of numbers the unit in which they are scaled."""

    context_x: Tensor
    context_y: Tensor
    query_x: Tensor
    query_y: Tensor
    centre: Tensor
    scale: Tensor


class Training:
    """A training under way: steps at a rate that somebody else decides.

    What is in front of the transformer (scaling, advice) has no parameters. So the tasks of several steps are drawn and advised at once, on a
    stream of their own: many small operations on few tasks would keep a GPU waiting.
    """

    def __init__(self, learner: ContextScaled, source: VariedLengths, config: TrainingConfig, device: str) -> None:
        self.learner, self.source, self.config, self.device = learner, source, config, device
        self.inner: InContextTransformer = learner.learner.learner
        self.sighted = copy.deepcopy(learner)
        self.sighted.learner.learner = Seen(self.inner.n_features, self.inner.n_classes)
        self.parameters = [p for p in learner.parameters() if p.requires_grad]
        self.optimizer = Optimizer(learner, config)
        self.average = Average(self.parameters, config.averaging or 0.998)
        self.step = self.draws = self.tasks = self.points = self.failures = 0
        self.ready: list[tuple[Piece, int]] = []
        self.again: list[tuple[Piece, int]] = []
        self.chosen = random.Random(config.seed)
        self.side = torch.cuda.Stream() if device == "cuda" else None
        objective = LastPoints(source.n_queries)
        made = {"learner": learner, "source": source, "objective": objective}
        self.made_of = {name: configuration(thing) for name, thing in made.items()}
        self.initial_weights = digest_tensors({name: t.cpu() for name, t in learner.state_dict().items()})

    def take_step(self, rate: float) -> tuple[int, int, Tensor, Tensor]:
        """One step; context length, tasks, loss and gradient's norm."""
        wanted = min(WAITING, 3 + self.step // 8) * AT_ONCE
        while len(self.ready) < wanted:
            self.draw()
        piece, used = self.ready.pop(self.chosen.randrange(len(self.ready)))
        if used + 1 < USES:
            self.again.append((piece, used + 1))
        if len(self.again) >= wanted:  # all at once, so that a step seldom sees the same tasks soon
            self.ready, self.again = self.ready + self.again, []
        with trusted_values(), torch.autocast(self.device, torch.bfloat16, enabled=self.config.precision != "32-true"):
            output = self.inner.answer_together(piece.context_x, piece.context_y, piece.query_x)
            if self.inner.n_classes is None:
                output = output * piece.scale[..., None] + piece.centre[..., None]
            loss = self.inner.loss(output, piece.query_y)
        gradients = torch.autograd.grad(loss, self.parameters, materialize_grads=True, allow_unused=True)
        total = torch.cat([g.flatten() for g in gradients])
        norm = torch.linalg.vector_norm(total)
        total = torch.where(norm.isfinite(), total * (self.config.clip / norm.clamp(min=self.config.clip)), 0.0)
        offset = 0
        for p in self.parameters:
            p.grad = total[offset : offset + p.numel()].view_as(p)
            offset += p.numel()
        self.optimizer.step(rate)
        self.average.update(self.step)
        self.step += 1
        n_tasks, n = piece.context_y.shape
        self.tasks += n_tasks
        self.points += n_tasks * (n + piece.query_y.shape[1])
        return n, n_tasks, loss.detach(), norm

    def draw(self) -> None:
        """Draw tasks for several steps, and advise on them."""
        with torch.cuda.stream(self.side) if self.side else nullcontext(), torch.no_grad(), trusted_values():
            self.draws += 1
            try:
                drawn = self._drawn(generator_for(self.config.seed, Stream.TRAINING, self.draws, device=self.device))
            except (ValueError, torch.linalg.LinAlgError, torch.OutOfMemoryError) as error:
                self.failures += 1
                print(f"draw {self.draws}: left out ({error})", flush=True)
                if self.failures > MOST_FAILURES:
                    raise
                return
        if self.side:
            torch.cuda.current_stream().wait_stream(self.side)
            for tensor in drawn:
                tensor.record_stream(torch.cuda.current_stream())
        pieces = zip(*(t.chunk(AT_ONCE) for t in drawn), strict=True)
        self.ready += [(Piece(*piece), 0) for piece in pieces]

    def _drawn(self, generator: torch.Generator) -> Piece:
        batch = self.source.batch(self.step, 0, generator)
        n = batch.n_points - self.source.n_queries
        state = self.sighted.adapt(batch.x[:, :n], batch.y[:, :n])
        query_x = self.sighted.learner.ask(lambda _, x: x, state.inner, state.scaling(batch.x[:, n:]))
        return Piece(*state.inner.inner, query_x, batch.y[:, n:], state.centre, state.scale)

    def save(self, out: Path) -> None:
        """Write the averaged weights as a finished run of the steps so far."""
        names = [name for name, p in self.learner.named_parameters() if p.requires_grad]
        weights = self.learner.state_dict() | dict(zip(names, self.average.values, strict=True))
        settings = {
            **self.made_of,
            "training": dataclasses.replace(self.config, steps=max(1, self.step)).result_settings(),
            "initial_weights": self.initial_weights,
        }
        name = run_hash(settings)
        save_tensors(
            out / "model.safetensors",
            {key: value.detach().cpu().contiguous() for key, value in weights.items()},
            {"hash": name, "chosen": "last", "step": self.step, "validation_loss": None},
        )
        write_text(out / "config.yaml", yaml.safe_dump({"hash": name, **settings}, sort_keys=False))


if __name__ == "__main__":
    main()
