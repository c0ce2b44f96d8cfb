"""MAML's inner loop around a network of one's own: weights that a few steps of gradient descent fit to a sine.

    python examples/inner_steps.py [outer steps]

The inner loss is a function of parameters: `Functional` puts them into a module of its own, so the network is never
changed, a layer may stand under two names, and attention can be differentiated twice.
"""

import sys

import torch
import torch.nn.functional as F
from torch import nn

from ctxlearn.learners import Functional, GradientAdaptation

OUTER_STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 300

torch.manual_seed(0)
hidden = nn.Linear(32, 32)  # used twice, under one name each
network = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), hidden, nn.Tanh(), hidden, nn.Tanh(), nn.Linear(32, 1))
function = Functional(network)
adaptation = GradientAdaptation(steps=3, step_size=0.05)


def sine():
    """Points of one task, (20, 1) each: a sine of some height and phase."""
    height, phase = 0.5 + torch.rand(()), 3 * torch.rand(())
    x = 6 * torch.rand(20, 1) - 3
    return x, height * torch.sin(x + phase)


def loss(parameters, x, y):
    return function(parameters, lambda m: F.mse_loss(m(x), y))


def after_adaptation(x, y):
    """The loss on ten points of a network adapted to the other ten."""
    adapted = adaptation.adapt(lambda p: loss(p, x[:10], y[:10]), dict(network.named_parameters()))
    return loss(adapted.parameters, x[10:], y[10:])


test_tasks = [sine() for _ in range(50)]
before = sum(float(after_adaptation(*task).detach()) for task in test_tasks) / len(test_tasks)
optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
for _ in range(OUTER_STEPS):
    optimizer.zero_grad()
    torch.stack([after_adaptation(*sine()) for _ in range(4)]).mean().backward()
    optimizer.step()
after = sum(float(after_adaptation(*task).detach()) for task in test_tasks) / len(test_tasks)
print(f"squared error after 3 inner steps on 10 points: {before:.3f} before training, {after:.3f} after")
