import pytest
import torch
import zoo

from ctxlearn.learners import Learner
from ctxlearn.references import NearestNeighbor
from ctxlearn.tasks import TaskFamily
from ctxlearn.testing import check_family, check_learner


@pytest.mark.parametrize("name", zoo.families())
def test_every_family_keeps_the_contract(name):
    check_family(zoo.families()[name])


@pytest.mark.parametrize("name", zoo.learners())
def test_every_learner_keeps_the_contract(name):
    check_learner(zoo.learners()[name])


@pytest.mark.parametrize(
    "name", ["transformer, default encoder", "CNP for regression", "MatchNet, dot, sum, own encoder"]
)
def test_a_learner_in_float64_keeps_the_contract_to_rounding(name):
    check_learner(zoo.learners()[name].double(), tolerance=1e-10)


def test_a_learner_of_any_inputs_keeps_the_contract_on_images():
    check_learner(NearestNeighbor(None, 2), n_features=(3, 4))


def test_a_learner_is_left_in_the_mode_it_was_in():
    learner = zoo.trained_learners()["CNP, default encoder"].train()
    check_learner(learner)
    assert learner.training


class Plain(TaskFamily):
    n_features, n_classes = 2, 2

    def sample_parameters(self, n_tasks, *, generator):
        return torch.randn(n_tasks, generator=generator)

    def sample_points(self, parameters, n_points, *, generator):
        x = torch.randn(len(parameters), n_points, 2, generator=generator)
        return x, (x.sum(-1) > parameters[:, None]).long()


class Forgetful(Plain):
    def sample_points(self, parameters, n_points, *, generator):
        x = torch.randn(len(parameters), n_points, 2)
        return x, (x.sum(-1) > 0).long()


class Fixed(Plain):
    def sample_points(self, parameters, n_points, *, generator):
        x = torch.ones(len(parameters), n_points, 2)
        return x, (x.sum(-1) > 0).long()


class Double(Plain):
    def sample_points(self, parameters, n_points, *, generator):
        x, y = super().sample_points(parameters, n_points, generator=generator)
        return x.double(), y


class Counting(Plain):
    calls = 0

    def sample_points(self, parameters, n_points, *, generator):
        x, y = super().sample_points(parameters, n_points, generator=generator)
        self.calls += 1
        return x + self.calls, y


class AllAtOnce(Plain):
    def sample_points(self, parameters, n_points, *, generator):
        x, y = super().sample_points(torch.randn(6, generator=generator), n_points, generator=generator)
        return x, y


@pytest.mark.parametrize(
    ("family", "message"),
    [
        (Forgetful, "global random state"),
        (Fixed, "another seed gave the same"),
        (Double, "x: expected float32"),
        (Counting, "same seed"),
        (AllAtOnce, "x: expected shape"),
    ],
)
def test_a_family_that_breaks_a_promise_is_told_which(family, message):
    check_family(Plain())
    with pytest.raises(AssertionError, match=message):
        check_family(family())


class Mean(Learner):
    """Nearest class mean, right in every way; its heirs are not."""

    def adapt(self, context_x, context_y):
        x, y = self.check_context(context_x, context_y)
        labels = torch.nn.functional.one_hot(y, self.n_classes).to(x.dtype)
        return (labels.mT @ x) / labels.sum(1).clamp(min=1)[..., None]

    def predict(self, state, query_x):
        query_x = self.check_query(query_x, n_tasks=len(state))
        return -torch.cdist(query_x, state)


class Infinite(Mean):
    def adapt(self, context_x, context_y):
        x, y = self.check_context(context_x, context_y)
        labels = torch.nn.functional.one_hot(y, self.n_classes).to(x.dtype)
        return (labels.mT @ x) / labels.sum(1)[..., None]


class Transductive(Mean):
    def predict(self, state, query_x):
        return super().predict(state, query_x - query_x.sum(1, keepdim=True) / max(1, query_x.shape[1]))


class Shared(Mean):
    def adapt(self, context_x, context_y):
        return super().adapt(context_x, context_y) + context_x.sum()


class Remembering(Mean):
    seen = 0

    def adapt(self, context_x, context_y):
        if context_x.shape[1] == 9:
            self.seen += 1
        return super().adapt(context_x, context_y) + self.seen


class Ordered(Mean):
    def adapt(self, context_x, context_y):
        state = super().adapt(context_x, context_y)
        return state + context_x[:, :1] if context_x.shape[1] else state


class Unchecked(Mean):
    def check_query(self, x, n_tasks):
        return x


class OffByOne(Mean):
    def predict_prefixes(self, x, y):
        x, y = self.check_context(x, y, names=("x", "y"))
        return torch.cat([self(x[:, : i + 1], y[:, : i + 1], x[:, i : i + 1]) for i in range(x.shape[1])], dim=1)


@pytest.mark.parametrize(
    ("learner", "message"),
    [
        (Infinite, "expected finite outputs"),
        (Transductive, "does not depend on the other queries"),
        (Shared, "does not depend on the other tasks"),
        (Remembering, "remembered"),
        (Ordered, "order of the context"),
        (OffByOne, "predict_prefixes is adapt and predict"),
        (Unchecked, "infinity in a query"),
    ],
)
def test_a_learner_that_breaks_a_promise_is_told_which(learner, message):
    check_learner(Mean(2, 3))
    with pytest.raises(AssertionError, match=message):
        check_learner(learner(2, 3))


def test_a_learner_whose_order_matters_is_allowed_when_it_says_so():
    check_learner(Ordered(2, 3), permutation_invariant=False)


@pytest.mark.parametrize("name", ["1-NN", "3-NN for regression", "logistic regression", "chance"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_reference_takes_context_and_queries_of_any_precision(name, dtype, generator):
    learner = zoo.references()[name]
    x = torch.randn(2, 5, 2, generator=generator)
    y = (
        torch.randn(2, 5, generator=generator)
        if learner.n_classes is None
        else torch.randint(learner.n_classes, (2, 5), generator=generator)
    )
    for context_x, query_x in ((x.to(dtype), x), (x, x.to(dtype)), (x.to(dtype), x.to(dtype))):
        assert torch.isfinite(learner(context_x, y, query_x)).all()


@pytest.mark.parametrize("name", ["MatchNet, dot, softmax, identity encoder", "ProtoNet, identity encoder"])
def test_queries_may_have_another_precision_than_the_context(name, generator):
    x = torch.randn(2, 5, 2, generator=generator)
    y = torch.randint(3, (2, 5), generator=generator)
    learner = zoo.learners()[name]
    assert torch.allclose(learner(x.double(), y, x).float(), learner(x, y, x), atol=1e-5)
