"""A learner of your own: two methods, then everything else works with it. Run with `python`."""

import torch
from torch import nn

import ctxlearn
from ctxlearn.learners import Learner, ProtoNet
from ctxlearn.tasks import ClassPrototype


class KernelVote(Learner):
    """Every context point votes for its class with a Gaussian weight of learned width."""

    def __init__(self, n_features, n_classes, log_width=0.0):
        super().__init__(n_features, n_classes)
        self.log_width = nn.Parameter(torch.tensor(float(log_width)))

    def adapt(self, context_x, context_y):
        return self.check_context(context_x, context_y)  # the algorithm's state: here the context itself

    def predict(self, state, query_x):
        x, y = state
        distances = torch.cdist(self.check_query(query_x, n_tasks=len(x)), x)
        weights = torch.exp(-0.5 * (distances / self.log_width.exp()) ** 2)
        return (weights @ nn.functional.one_hot(y, self.n_classes).float() + 1e-6).log()


if __name__ == "__main__":
    family = ClassPrototype()
    config = ctxlearn.TrainingConfig(steps=100, n_points=20, learning_rate=0.03, progress=False)
    run = ctxlearn.train(KernelVote(2, 2), family, config, out="runs/kernel-vote")
    learners = {"kernel vote": run.learner, "class means": ProtoNet(2, 2, encoder="identity")}
    table = ctxlearn.evaluate(learners, family, n_tasks=500, n_points=20, seed=0)
    print(f"learned width: {run.learner.log_width.exp().item():.2f}")
    print(table[table.n_context.isin([1, 5, 19])].to_string(index=False))
