"""Meta-learning over domains (M2): MAML one level up, where the examples are tasks and what adapts is a learner."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ctxlearn.checks import check_choice, check_int, describe
from ctxlearn.episodes import Tasks
from ctxlearn.inner_loop.functional import Functional, Parameters, refuse_batch_statistics
from ctxlearn.inner_loop.gradient import AdaptationDiverged, GradientAdaptation, StepSizes, reptile_loss
from ctxlearn.learners.base import Learner
from ctxlearn.learners.wrapper import Wrapper, expect_learner
from ctxlearn.tasks.base import TaskFamily
from ctxlearn.tasks.domains import Domains
from ctxlearn.training.objective import AllPrefixes, Objective
from ctxlearn.training.sources import Source


@dataclass(frozen=True)
class DomainBatch:
    """Tasks of some domains.

    Attributes:
        adaptation: of each domain the tasks to adapt to.
        fresh: of each domain other tasks, on which the adapted learner is judged.
        place: where the batch is in the training, for messages.
    """

    adaptation: tuple[Tasks, ...]
    fresh: tuple[Tasks, ...]
    place: str = ""


class DomainSource(Source):
    """At every step some domains, and of each of them tasks to adapt to and fresh ones.

    Args:
        domains: the distribution over domains; or a list of families, each a domain, of which every shard draws some
            with replacement.
        n_domains: domains a shard.
        n_adaptation: tasks to adapt to, of each domain.
        n_fresh: tasks of each domain on which the adapted learner is judged.
        n_points: N points a task.

    Raises:
        ValueError: something else than domains, families that do not fit together, or a number below 1.
    """

    def __init__(
        self,
        domains: Domains | Sequence[TaskFamily],
        n_domains: int = 1,
        n_adaptation: int = 64,
        n_fresh: int = 64,
        n_points: int = 50,
    ) -> None:
        self.domains = domains
        if not isinstance(domains, Domains):
            _check_families(domains)
        self.n_domains = check_int("n_domains", n_domains, minimum=1)
        self.n_adaptation = check_int("n_adaptation", n_adaptation, minimum=1)
        self.n_fresh = check_int("n_fresh", n_fresh, minimum=1)
        self.n_points = check_int("n_points", n_points, minimum=1)

    def batch(self, step: int, shard: int, generator: torch.Generator) -> DomainBatch:
        return self._draw(generator, f"training step {step}, shard {shard}")

    def validation_batch(self, index: int, generator: torch.Generator) -> DomainBatch:
        return self._draw(generator, f"validation batch {index}")

    def _draw(self, generator: torch.Generator, place: str) -> DomainBatch:
        families: Sequence[TaskFamily]
        if isinstance(self.domains, Domains):
            families = self.domains.sample_domains(self.n_domains, generator=generator)
        else:
            chosen = torch.randint(len(self.domains), (self.n_domains,), generator=generator, device=generator.device)
            families = [self.domains[i] for i in chosen.tolist()]
        pairs = [
            [family.sample(n, self.n_points, generator=generator) for n in (self.n_adaptation, self.n_fresh)]
            for family in families
        ]
        return DomainBatch(tuple(a for a, _ in pairs), tuple(f for _, f in pairs), place)


class Adaptable(Wrapper):
    """A learner with step sizes of its own for being adapted, trained along with it.

    It answers as the learner in it does. Train it by `MetaAdaptation()`, which then takes the adaptation from here.

    Args:
        learner: what is adapted.
        adaptation: how; `learned` says which step sizes are trained.

    Attributes:
        step_sizes: the learned ones; None where none are.
    """

    def __init__(self, learner: Learner, adaptation: GradientAdaptation) -> None:
        expect_learner("learner", learner)
        if not isinstance(adaptation, GradientAdaptation):
            raise ValueError(f"adaptation: expected a GradientAdaptation, got {describe(adaptation)}")
        refuse_batch_statistics(learner, "learner")
        super().__init__(learner)
        self.adaptation = adaptation
        self.step_sizes = adaptation.step_sizes(dict(learner.named_parameters()))

    def predict_prefixes(self, x: Tensor, y: Tensor) -> Tensor:
        return self.learner.predict_prefixes(x, y)


class MetaAdaptation(Objective):
    """The loss on a domain's fresh tasks after some gradient steps on others of it: trains a learner to be adapted.

    The mean over the domains of a `DomainBatch`. The inner steps of a training step share what `inner` draws at random
    (the context length of `RandomSplit`), over all its domains and shards; the outer losses share theirs.

    Args:
        adaptation: the inner steps; None for those of the learner, which is then an `Adaptable`. First order and ANIL
            are options of it. What it says of divergence is not asked.
        inner: loss of the inner steps; None for `AllPrefixes()`, the right one for a causal learner. Others take
            `RandomSplit()`.
        outer: loss after them; None for `AllPrefixes()`.
        reptile: train by Reptile: towards the adapted weights, without a derivative of the inner steps. The loss is then half
            the squared distance to them (of validation it is the outer one, as always).
        divergence: where the inner loss or the adapted weights of a domain, or its outer loss, are not finite: "raise" an
            `AdaptationDiverged` that names the domain and the inner step, and so stop the run; or "skip" the domain,
            go on with the others, and count it.

    Attributes:
        skipped: domains skipped in training so far, a run's own number after it was resumed too; where several
            processes train, those of the first.

    Source: Finn et al. 2017, algorithm 1 (their task T_i is a domain, their x a task); Wu et al. 2025 call it M2;
        Nichol et al. 2018, algorithm 2, for Reptile.
    """

    def __init__(
        self,
        adaptation: GradientAdaptation | None = None,
        inner: Objective | None = None,
        outer: Objective | None = None,
        reptile: bool = False,
        divergence: str = "raise",
    ) -> None:
        if adaptation is not None and not isinstance(adaptation, GradientAdaptation):
            raise ValueError(f"adaptation: expected a GradientAdaptation or None, got {describe(adaptation)}")
        for name, value in (("inner", inner), ("outer", outer)):
            if value is not None and not isinstance(value, Objective):
                raise ValueError(f"{name}: expected an Objective or None, got {describe(value)}")
        if not isinstance(reptile, bool):
            raise ValueError(f"reptile: expected True or False, got {describe(reptile)}")
        self.adaptation = adaptation
        self.inner: Objective = AllPrefixes() if inner is None else inner
        self.outer: Objective = AllPrefixes() if outer is None else outer
        self.reptile = reptile
        self.divergence = check_choice("divergence", divergence, ("raise", "skip"))
        self.skipped = 0
        self._lock = threading.Lock()

    def __call__(self, learner: Learner, batch: Any, generator: torch.Generator) -> Tensor:
        if not isinstance(batch, DomainBatch):
            raise ValueError(
                f"batch: expected the domains of a DomainSource, got {describe(batch)}; train with source=DomainSource(...)"
            )
        refuse_batch_statistics(learner, "learner")
        module, adaptation, step_sizes = self._parts(learner)
        function = Functional(module)  # of this call alone: shards are computed side by side
        seeds = torch.randint(2**62, (2,), generator=generator, device=generator.device).tolist()
        losses = []
        for i, (adapting, fresh) in enumerate(zip(batch.adaptation, batch.fresh, strict=True)):
            inner = _Loss(function, self.inner, adapting, generator.device, seeds[0])
            outer = _Loss(function, self.outer, fresh, generator.device, seeds[1])
            where = f"{batch.place}, domain {i} of {len(batch.fresh)}".removeprefix(", ")
            loss = self._of_domain(adaptation, dict(module.named_parameters()), step_sizes, inner, outer, where, i)
            if loss is not None:
                losses.append(loss)
        if losses:
            return torch.stack(losses).mean()
        # all were skipped: a loss without a gradient
        return torch.stack([p.flatten()[0] for p in learner.parameters()]).sum() * 0.0

    def state_dict(self) -> dict[str, Any]:
        return {"skipped": self.skipped}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.skipped = int(state["skipped"])

    def _parts(self, learner: Learner) -> tuple[Learner, GradientAdaptation, StepSizes | None]:
        own = learner.adaptation if isinstance(learner, Adaptable) else None
        if (own is None) == (self.adaptation is None):
            raise ValueError(
                "adaptation: expected one, of the objective or of an Adaptable learner, got "
                + ("none" if own is None else "both; leave the objective's out")
            )
        if isinstance(learner, Adaptable):
            return learner.learner, learner.adaptation, learner.step_sizes
        assert self.adaptation is not None
        # where this makes step sizes that are learned, nobody would train them
        if self.adaptation.learned != "none":
            raise ValueError(
                f"adaptation: learned={self.adaptation.learned!r} needs a learner that holds the step sizes; train"
                " Adaptable(learner, adaptation) by MetaAdaptation()"
            )
        return learner, self.adaptation, None

    def _of_domain(
        self,
        adaptation: GradientAdaptation,
        parameters: Parameters,
        step_sizes: StepSizes | None,
        inner: _Loss,
        outer: _Loss,
        where: str,
        index: int,
    ) -> Tensor | None:
        """The loss of one domain; None where it is skipped."""
        training = torch.is_grad_enabled()
        adaptation = replace(adaptation, divergence="raise")
        try:
            with torch.set_grad_enabled(training and not self.reptile):
                adapted = adaptation.adapt(inner, parameters, step_sizes=step_sizes).parameters
            if training and self.reptile:
                return reptile_loss(parameters, adapted)
            loss = outer(adapted)
            if not bool(loss.isfinite()):
                raise AdaptationDiverged(
                    f"after {adaptation.steps} inner steps: the loss on fresh tasks is {float(loss)}",
                    adaptation.steps,
                    None,
                )
        except AdaptationDiverged as error:
            if self.divergence == "raise":
                raise AdaptationDiverged(f"{where}: {error}", error.step, index) from error
            if training:
                with self._lock:
                    self.skipped += 1
            return None
        return loss


class _Loss:
    """An objective on some tasks as a function of a learner's parameters: the same value whenever it is asked."""

    def __init__(
        self, function: Functional, objective: Objective, tasks: Tasks, device: torch.device, seed: int
    ) -> None:
        self.function, self.objective, self.tasks, self.device, self.seed = function, objective, tasks, device, seed

    def __call__(self, parameters: Parameters) -> Tensor:
        generator = torch.Generator(device=self.device).manual_seed(self.seed)
        with _AdditiveMasks():
            loss: Tensor = self.function(parameters, lambda learner: self.objective(learner, self.tasks, generator))
        return loss


class _AdditiveMasks(TorchFunctionMode):
    """Inside, attention gets masks as numbers to add, since that without fused kernels adds a Boolean one as 0 and 1."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention:
            given = dict(zip(("query", "key", "value", "attn_mask", "dropout_p", "is_causal"), args, strict=False))
            args, kwargs = (), {**given, **kwargs}
            mask, query = kwargs.get("attn_mask"), kwargs["query"]
            if mask is not None and mask.dtype == torch.bool:
                zero = torch.zeros(mask.shape, dtype=query.dtype, device=mask.device)
                kwargs["attn_mask"] = zero.masked_fill(~mask, -torch.inf)
            rest = [kwargs.pop(name) for name in ("query", "key", "value")]
            return func(*rest, **kwargs)
        return func(*args, **kwargs)


def _check_families(families: object) -> None:
    listed = isinstance(families, Sequence) and not isinstance(families, str) and len(families) > 0
    if not listed or not all(isinstance(family, TaskFamily) for family in families):  # type: ignore[attr-defined]
        raise ValueError(f"domains: expected Domains, or a list of families, got {describe(families)}")
    kinds = {(str(f.n_features), f.n_classes) for f in families}  # type: ignore[attr-defined]
    if len(kinds) > 1:
        raise ValueError(
            f"domains: expected families of one n_features and n_classes, got {', '.join(map(str, sorted(kinds, key=str)))}"
        )
