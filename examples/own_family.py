"""A family of your own: define it, train on it, compare, read the claim. Takes about a minute; run with `python`."""

import sys

import torch

import ctxlearn
from ctxlearn.evaluation.statistics import mean_interval, verdict
from ctxlearn.learners import InContextTransformer
from ctxlearn.references import LogisticRegression
from ctxlearn.tasks import TaskFamily


class Stripes(TaskFamily):
    """Parallel stripes of hidden direction and width: no linear rule can follow them."""

    n_features, n_classes = 2, 2

    def sample_parameters(self, n_tasks, *, generator):
        return torch.randn(n_tasks, 2, generator=generator)

    def sample_points(self, parameters, n_points, *, generator):
        x = torch.randn(len(parameters), n_points, 2, generator=generator)
        phase = (x * parameters[:, None]).sum(-1)
        return x, (torch.sin(2 * phase) > 0).long()


if __name__ == "__main__":
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    config = ctxlearn.TrainingConfig(steps=steps, n_points=30)
    run = ctxlearn.train(InContextTransformer(2, 2), Stripes(), config, out=f"runs/stripes-{steps}")
    learners = {"in context": run.learner, "logistic": LogisticRegression()}
    scores = ctxlearn.evaluate(learners, Stripes(), n_tasks=500, n_points=30, seed=0, per_task=True)
    wide = scores[scores.n_context >= 10].pivot_table(index="task", columns="learner", values="value")
    gain = mean_interval((wide["in context"] - wide["logistic"]).to_numpy(), level=0.90)
    print(f"in context minus logistic regression, n >= 10: {gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]")
    print("claim: in context is better than logistic regression on stripes:", verdict(gain, 0.0, "above"))
