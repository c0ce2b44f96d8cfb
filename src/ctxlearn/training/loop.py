"""The one training loop: shards of a step side by side, checkpoints, resumption."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from ctxlearn.checks import trusted_values
from ctxlearn.learners.base import Learner
from ctxlearn.progress import progress_bar
from ctxlearn.seeding import Stream, generator_for, globally_seeded
from ctxlearn.storage import StorageError
from ctxlearn.threads import Workers, available_cores
from ctxlearn.training.callbacks import Callback
from ctxlearn.training.config import TrainingConfig
from ctxlearn.training.objective import Objective
from ctxlearn.training.optimizers import Average, Optimizer
from ctxlearn.training.replicas import Replicas
from ctxlearn.training.run import Run
from ctxlearn.training.run_folder import Checkpoint, RunFolder
from ctxlearn.training.sources import Source

COLUMNS = ("step", "loss", "gradient_norm", "rate", "validation_loss")


class TrainingDiverged(RuntimeError):  # noqa: N818 (reads as what happened)
    """A loss or gradient that is not finite; the last good checkpoint stands."""


class TrainingLoop:
    """The state of a run under way."""

    def __init__(
        self,
        fabric: Fabric,
        learner: Learner,
        source: Source,
        config: TrainingConfig,
        objective: Objective,
        folder: RunFolder,
        name: str,
        callbacks: Sequence[Callback] = (),
        parent: RunFolder | None = None,
    ) -> None:
        self.fabric, self.learner, self.source, self.config = fabric, learner, source, config
        self.objective, self.folder, self.name = objective, folder, name
        self.parent = parent
        self.callbacks = callbacks if fabric.global_rank == 0 else ()
        self.learner.to(fabric.device)
        self.parameters: list[Tensor] = [p for p in learner.parameters() if p.requires_grad]
        self.optimizer = Optimizer(learner, config)
        self.average = Average(self.parameters, config.averaging)
        self.shards = list(range(fabric.global_rank, config.shards, fabric.world_size))
        n_workers = min(len(self.shards), config.threads or available_cores()) if fabric.device.type == "cpu" else 1
        self.workers = Workers(n_workers)
        self.replicas = Replicas(fabric, learner, self.shards, config.shards, self.workers, config.seed)
        self.columns = (*COLUMNS, *source.facts(0))
        self.step = 0
        self.rows: list[tuple[Any, ...]] = []
        self.metrics_length = 0
        self.best: dict[str, Tensor] = {}
        self.best_loss = math.inf
        self.best_step = 0

    @property
    def writes(self) -> bool:
        return self.fabric.global_rank == 0

    def run(self) -> Run:
        self._resume()
        config = self.config
        self.replicas.begin()
        bar = progress_bar(
            config.steps,
            f"train {type(self.learner).__name__}",
            shown=config.progress and self.writes,
            initial=self.step,
            unit="step",
        )
        with self.workers, bar:
            while self.step < config.steps:
                self._one_step(bar)
            return self._finish()

    def _one_step(self, bar: Any) -> None:
        config, step = self.config, self.step
        total = self.fabric.all_reduce(self._gradient(step), reduce_op="sum")
        assert isinstance(total, Tensor)
        gradient, loss = (total / config.shards).to(self.parameters[0].dtype).tensor_split([-1])
        norm = torch.linalg.vector_norm(gradient)
        logged = step % config.log_every == 0 or step + 1 == config.steps
        validated = config.validate_every > 0 and (step + 1) % config.validate_every == 0
        checkpointed = config.checkpoint_every > 0 and (step + 1) % config.checkpoint_every == 0
        if logged or validated or checkpointed or gradient.device.type == "cpu":
            self._refuse_divergence(step, float(loss), float(norm))  # reads back from the device: not at every step
        gradient = gradient * (config.clip / norm.clamp(min=config.clip))
        offset = 0
        for p in self.parameters:
            p.grad = gradient[offset : offset + p.numel()].view_as(p)
            offset += p.numel()
        rate = config.rate_factor(step)
        self.optimizer.step(rate)
        self.average.update(step)
        self.step += 1
        validation = self._validate() if validated else None
        if logged or validated:
            row = (step, float(loss), float(norm), rate, "" if validation is None else validation)
            self.rows.append((*row, *self.source.facts(step).values()))
            self._tell()
            speed = (bar.format_dict["rate"] or 0.0) * config.tasks_per_step
            bar.set_postfix(loss=f"{float(loss):.4f}", tasks_per_s=f"{speed:,.0f}", refresh=False)
        bar.update()
        self.source.observe(step, loss[0])
        if config.keep_every and self.step % config.keep_every == 0 and self.writes:
            with self._kept_weights():
                self.folder.keep_weights(self.step, self.learner.state_dict(), {"hash": self.name, "step": self.step})
        if checkpointed and self.step < config.steps:
            self._checkpoint()

    def _gradient(self, step: int) -> Tensor:
        """Sum over this process's shards of the gradient, flat, and of the loss in its last place, in float64.

        In float64 the sum hardly depends on its order, which differs with the number of processes. Where a gradient is
        zero but for rounding (a key's bias, say), Adam would make a whole step of the difference.
        """
        parts = self.replicas.map(step, lambda shard, replica: self._shard_gradient(step, shard, replica))
        total = parts[0] if parts[0].device.type == "mps" else parts[0].double()  # Apple's has no float64
        for part in parts[1:]:  # in the order of the shards, so that threads do not change the bits
            total = total + part
        return total

    def _shard_gradient(self, step: int, shard: int, replica: Learner) -> Tensor:
        with nullcontext() if step == 0 else trusted_values():
            batch = self.source.batch(step, shard, self._generator(Stream.TRAINING, step, shard))
            with self.fabric.autocast():
                loss = self.objective(replica, batch, self._generator(Stream.OBJECTIVE, step))
            gradients = torch.autograd.grad(loss, self.parameters, materialize_grads=True, allow_unused=True)
        return torch.cat([*(g.flatten() for g in gradients), loss.detach().to(gradients[0].dtype).flatten()])

    def _generator(self, stream: Stream, *key: int) -> torch.Generator:
        return generator_for(self.config.seed, stream, *key, device=self.fabric.device)

    def _refuse_divergence(self, step: int, loss: float, norm: float) -> None:
        if math.isfinite(loss) and math.isfinite(norm):
            return
        files = self.folder.checkpoint_files()
        raise TrainingDiverged(
            f"step {step}: the loss is {loss} and its gradient's norm {norm}; stopped."
            f" The last good checkpoint is {files[-1] if files else 'none'}."
            f" Try a smaller learning_rate (now {self.config.learning_rate}) or a longer warm-up, in a new folder."
        )

    @torch.no_grad()
    def _validate(self) -> float:
        """Mean loss of the weights that would be kept now, over batches that no training step sees."""
        seed = self._generator(Stream.VALIDATION, 2).initial_seed()
        with self._kept_weights(), globally_seeded(seed, self.fabric.device):
            self.learner.eval()
            losses = []
            for k in range(self.config.validation_batches):
                batch = self.source.validation_batch(k, self._generator(Stream.VALIDATION, 0, k))
                losses.append(float(self.objective(self.learner, batch, self._generator(Stream.VALIDATION, 1, k))))
            self.learner.train()
            loss = sum(losses) / len(losses)
            if self.config.select == "best" and loss < self.best_loss:
                self.best = {name: value.clone() for name, value in self.learner.state_dict().items()}
                self.best_loss, self.best_step = loss, self.step
        return loss

    @contextmanager
    def _kept_weights(self) -> Iterator[None]:
        """The averaged weights in place of the current ones, where the run averages."""
        if not self.average.values:
            yield
            return
        current = [p.detach().clone() for p in self.parameters]
        with torch.no_grad():
            torch._foreach_copy_(self.parameters, self.average.values)
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(self.parameters, current)

    def _checkpoint(self) -> None:
        if not self.writes:
            return
        tensors = {f"learner/{k}": v for k, v in self.learner.state_dict().items()}
        tensors |= {f"optimizer/{k}": v for k, v in self.optimizer.state().items()}
        tensors |= {f"average/{k}": v for k, v in enumerate(self.average.values)}
        tensors |= {f"best/{k}": v for k, v in self.best.items()}
        facts: dict[str, Any] = {
            "hash": self.name,
            "step": self.step,
            "best": [self.best_loss if self.best else None, self.best_step],
        }
        for owner, state in (("source", self.source.state_dict()), ("objective", self.objective.state_dict())):
            tensors |= {f"{owner}/{k}": v for k, v in state.items() if isinstance(v, Tensor)}
            facts[owner] = {k: v for k, v in state.items() if not isinstance(v, Tensor)}
        with self._what_stands():
            self.metrics_length = self.folder.append_metrics(self.columns, self.rows)
            self.rows = []
            self.folder.save_checkpoint(self.step, Checkpoint(tensors, facts | {"metrics_length": self.metrics_length}))

    @contextmanager
    def _what_stands(self) -> Iterator[None]:
        """Say in a `StorageError` at which step it came and from which checkpoint the run can go on."""
        try:
            yield
        except StorageError as error:
            files = self.folder.checkpoint_files()
            kept = (
                f"the last good checkpoint is {files[-1].name}: train again to go on from it"
                if files
                else "there is no checkpoint: train again from the start"
            )
            raise StorageError(error.errno, f"step {self.step}: {error.strerror or error}. Stopped; {kept}") from error

    def _resume(self) -> None:
        """Take up the last good checkpoint; without one, write the first, so that an unfit disk is found out now."""
        checkpoint = self.folder.newest_checkpoint(self.name) if self.writes else None  # it sets damaged ones aside
        self.fabric.barrier()
        if not self.writes:
            checkpoint = self.folder.newest_checkpoint(self.name)
        self.fabric.barrier()
        if checkpoint is None:
            if self.parent is not None:
                inherited = self.parent.newest_checkpoint(self.parent.read_config()["hash"])
                assert inherited is not None
                self._take_up(inherited)
                self.best, self.best_loss, self.best_step = {}, math.inf, 0
            if self.writes:
                self.folder.truncate_metrics(0, self.columns)
            self._checkpoint()
            return
        self._take_up(checkpoint)
        if self.writes:
            self.folder.truncate_metrics(checkpoint.facts["metrics_length"], self.columns)

    def _take_up(self, checkpoint: Checkpoint) -> None:
        """Make the state of a checkpoint this one's."""
        facts = checkpoint.facts

        def part(prefix: str) -> dict[str, Tensor]:
            return {k.removeprefix(prefix): v for k, v in checkpoint.tensors.items() if k.startswith(prefix)}

        self.learner.load_state_dict(part("learner/"))
        self.optimizer.load(part("optimizer/"))
        if self.average.values:
            self.average.values = [
                v.to(self.fabric.device) for _, v in sorted(part("average/").items(), key=lambda i: int(i[0]))
            ]
        self.best = part("best/")
        best_loss, self.best_step = facts["best"]
        self.best_loss = math.inf if best_loss is None else best_loss
        self.source.load_state_dict(facts["source"] | part("source/"))
        self.objective.load_state_dict(facts["objective"] | part("objective/"))
        self.step = facts["step"]

    def _finish(self) -> Run:
        validation = self._validate()
        self._checkpoint()  # so that the run can be gone on from
        if self.average.values:
            with torch.no_grad():
                torch._foreach_copy_(self.parameters, self.average.values)
        chosen, step, loss = "last", self.step, validation
        if self.config.select == "best":
            self.learner.load_state_dict(self.best)
            chosen, step, loss = "best", self.best_step, self.best_loss
        facts = {"hash": self.name, "chosen": chosen, "step": step, "validation_loss": loss}
        if self.writes:
            with self._what_stands():
                self.folder.append_metrics(self.columns, self.rows)
                self.folder.save_model(self.learner.state_dict(), facts)
        self.fabric.barrier()
        self.learner.eval()
        run = Run(self.learner, self.folder.path, facts)
        for callback in self.callbacks:
            callback.on_end(run)
        return run

    def _tell(self) -> None:
        """Hand the newest row of metrics to the callbacks, without what it leaves empty."""
        step, *values = self.rows[-1]
        metrics = {name: float(v) for name, v in zip(self.columns[1:], values, strict=True) if v != ""}
        for callback in self.callbacks:
            callback.on_metrics(int(step), metrics)
