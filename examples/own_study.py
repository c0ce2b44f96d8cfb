"""A study of your own: a family, a learner, two claims and a page. Run with `python`, or `ctxlearn reproduce own_study.STUDY`."""

import sys

import torch
from torch import nn

import ctxlearn
from ctxlearn.lab import Cell, Figure, Page, Says, Section, Study, Training, lines, tally, together
from ctxlearn.learners import Learner
from ctxlearn.references import LogisticRegression, NearestNeighbor
from ctxlearn.tasks import TaskFamily

NEIGHBOUR, LOGISTIC, KERNEL = "1-NN", "logistic regression", "kernel vote"


class Stripes(TaskFamily):
    """Parallel stripes of hidden direction and width."""

    n_features, n_classes = 2, 2

    def sample_parameters(self, n_tasks, *, generator):
        return torch.randn(n_tasks, 2, generator=generator)

    def sample_points(self, parameters, n_points, *, generator):
        x = torch.randn(len(parameters), n_points, 2, generator=generator)
        return x, (torch.sin(2 * (x * parameters[:, None]).sum(-1)) > 0).long()


class KernelVote(Learner):
    """Every context point votes for its class with a Gaussian weight of learned width."""

    def __init__(self, n_features=2, n_classes=2):
        super().__init__(n_features, n_classes)
        self.log_width = nn.Parameter(torch.zeros(()))

    def adapt(self, context_x, context_y):
        return self.check_context(context_x, context_y)

    def predict(self, state, query_x):
        x, y = state
        distances = torch.cdist(self.check_query(query_x, n_tasks=len(x)), x) / self.log_width.exp()
        weights = torch.exp(-0.5 * distances**2)
        return (weights @ nn.functional.one_hot(y, self.n_classes).float() + 1e-6).log()


def plan(sizes, seed):
    config = ctxlearn.TrainingConfig(steps=sizes["steps"], n_points=30, learning_rate=0.03, seed=seed)
    training = Training(f"{KERNEL}, seed {seed}", KernelVote(), Stripes(), config)
    contestants = {KERNEL: training, NEIGHBOUR: NearestNeighbor(2, 2), LOGISTIC: LogisticRegression(2, 2)}
    return [Cell(("stripes",), Stripes(), contestants, seed, sizes["n_tasks"], 30)]


def present(sizes, numbers):
    accuracy = numbers["score"].map(lambda found: 100 * found.averaged())
    unit = "points of accuracy, mean over n >= 1, same tasks"
    claims = together(
        "kernel vote",
        [
            Says(f"beats-{name}", f"On stripes the {KERNEL} is better than {rival}", f"{KERNEL} minus {rival}, {unit}",
                 accuracy[KERNEL, "stripes"] - accuracy[rival, "stripes"])
            for name, rival in (("1-nn", NEIGHBOUR), ("logistic", LOGISTIC))
        ],
    )  # fmt: skip
    drawing = lines(numbers["score"].curves("learner", "family"), x="n_context", by="learner", scale=100,
                    levels={"chance": 50}, x_label="labelled points in the context", y_label="accuracy (%)")  # fmt: skip
    figure = Figure("stripes", drawing, "Accuracy on stripes, with 95 % bands.", "Accuracy against context length.")
    return Page("Does a kernel vote learn stripes?", "Is one learned width enough for stripes of any width?", tally(claims),
                f"{sizes['n_tasks']} test tasks per seed.", claims, numbers["score"].frame("learner", "family"),
                [Section("Accuracy", ["All learners see the same tasks."], [figure])])  # fmt: skip


STUDY = Study("stripes", {"quick": {"steps": 200, "n_tasks": 500}, "smoke": {"steps": 5, "n_tasks": 20}}, plan, present)

if __name__ == "__main__":
    result = ctxlearn.reproduce(STUDY, profile=sys.argv[1] if len(sys.argv) > 1 else "quick", seeds=2)
    for claim in result.claims:
        print(f"{claim.verdict}: {claim.claim} ({claim.value:+.1f} [{claim.low:+.1f}, {claim.high:+.1f}])")
    print(result.report)
