"""The inner steps that a meta-learned model was trained for, taken on tasks of a new domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch

from ctxlearn.episodes import Tasks
from ctxlearn.learners import Functional
from ctxlearn.training import Adaptable, AllPrefixes, Objective


def take_inner_steps(learner: Adaptable, tasks: Tasks, objective: Objective | None = None) -> None:
    """Adapt in place by the inner steps that the learner was trained for, all tasks at once; None for `AllPrefixes`."""
    inside = learner.learner
    function, asked = Functional(inside), AllPrefixes() if objective is None else objective

    def loss(parameters: Mapping[str, torch.Tensor]) -> torch.Tensor:
        draws = torch.Generator().manual_seed(0)  # the steps share what is drawn, as in training
        value: torch.Tensor = function(parameters, lambda module: asked(module, tasks, draws))
        return value

    with torch.no_grad():
        adaptation = replace(learner.adaptation, divergence="return")  # weights that are not finite score so
        parameters = dict(inside.named_parameters())
        found = adaptation.adapt(loss, parameters, step_sizes=learner.step_sizes).parameters
        for name, p in parameters.items():
            p.copy_(found[name])
