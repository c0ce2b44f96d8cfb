import pytest
import torch
import zoo
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression as ScikitLogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from ctxlearn.learners import CNP, MLP, InContextTransformer, MatchNet, ProtoNet
from ctxlearn.learners.metric import EPS
from ctxlearn.references import Chance, LogisticRegression, NearestNeighbor
from ctxlearn.tasks import Amortization

SIZES = {
    "n_tasks": st.integers(1, 3),
    "n_points": st.integers(1, 9),
    "d": st.integers(1, 5),
    "seed": st.integers(0, 99),
}
CLASSES = st.integers(2, 5)

MAKERS = {
    "transformer": lambda d, c: InContextTransformer(d, c, width=8, depth=2, heads=2),
    "MatchNet, cosine": lambda d, c: MatchNet(d, c, width=8),
    "MatchNet, dot": lambda d, c: MatchNet(d, c, similarity="dot", encoder="identity"),
    "MatchNet, scaled cosine": lambda d, c: MatchNet(d, c, similarity="scaled_cosine", width=8),
    "MatchNet, cosine, sum": lambda d, c: MatchNet(d, c, attention="sum", width=8),
    "MatchNet, dot, sum": lambda d, c: MatchNet(d, c, similarity="dot", attention="sum", width=8),
    "ProtoNet": lambda d, c: ProtoNet(d, c, width=8),
    "CNP": lambda d, c: CNP(d, c, width=8),
    "1-NN": NearestNeighbor,
    "3-NN": lambda d, c: NearestNeighbor(d, c, k=3),
    "logistic regression": lambda d, c: LogisticRegression(d, c, penalty=0.1),
}
REGRESSION = ["transformer", "MatchNet, cosine", "MatchNet, dot", "CNP", "1-NN", "3-NN"]


def drawn(n_tasks, n_points, d, n_classes, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n_tasks, n_points, d, generator=generator)
    if n_classes is None:
        return x, torch.randn(n_tasks, n_points, generator=generator), generator
    return x, torch.randint(n_classes, (n_tasks, n_points), generator=generator), generator


def assert_same(first, second, tolerance=1e-4):
    assert first.shape == second.shape
    assert torch.allclose(first, second, rtol=tolerance, atol=tolerance), float((first - second).abs().max())


@torch.no_grad()
def check_prefixes(learner, x, y):
    rows = learner.predict_prefixes(x, y)
    for n in range(x.shape[1]):
        assert_same(rows[:, n : n + 1], learner(x[:, :n], y[:, :n], x[:, n : n + 1]))


@pytest.mark.parametrize("name", MAKERS)
@given(**SIZES, n_classes=CLASSES)
def test_all_prefixes_at_once_are_the_prefixes_one_by_one(name, n_tasks, n_points, d, seed, n_classes):
    x, y, _ = drawn(n_tasks, n_points, d, n_classes, seed)
    check_prefixes(MAKERS[name](d, n_classes), x, y)


@pytest.mark.parametrize("name", REGRESSION)
@given(**SIZES)
def test_all_prefixes_at_once_are_the_prefixes_one_by_one_in_regression(name, n_tasks, n_points, d, seed):
    x, y, _ = drawn(n_tasks, n_points, d, None, seed)
    check_prefixes(MAKERS[name](d, None), x, y)


@pytest.mark.parametrize("name", MAKERS)
@given(**SIZES, n_classes=CLASSES)
def test_the_order_of_the_context_does_not_matter(name, n_tasks, n_points, d, seed, n_classes):
    x, y, generator = drawn(n_tasks, n_points, d, n_classes, seed)
    queries = torch.randn(n_tasks, 3, d, generator=generator)
    order = torch.randperm(n_points, generator=generator)
    learner = MAKERS[name](d, n_classes)
    with torch.no_grad():
        assert_same(learner(x[:, order], y[:, order], queries), learner(x, y, queries))


@pytest.mark.parametrize("name", [n for n in MAKERS if n not in ("transformer", "CNP")])
@given(**SIZES, n_classes=CLASSES)
def test_relabelling_the_classes_permutes_the_logits(name, n_tasks, n_points, d, seed, n_classes):
    x, y, generator = drawn(n_tasks, n_points, d, n_classes, seed)
    queries = torch.randn(n_tasks, 3, d, generator=generator)
    relabelled = torch.randperm(n_classes, generator=generator)
    learner = MAKERS[name](d, n_classes)
    with torch.no_grad():
        assert_same(learner(x, relabelled[y], queries)[..., relabelled], learner(x, y, queries))


@pytest.mark.parametrize("name", MAKERS)
@given(n_points=st.integers(0, 6), exponent=st.integers(-30, 8), seed=st.integers(0, 99))
def test_outputs_are_finite_at_every_scale_of_the_inputs(name, n_points, exponent, seed):
    x, y, generator = drawn(2, n_points, 2, 3, seed)
    queries = torch.randn(2, 3, 2, generator=generator)
    learner = MAKERS[name](2, 3)
    with torch.no_grad():
        assert torch.isfinite(learner(x * 10.0**exponent, y, queries * 10.0**exponent)).all()
        assert torch.isfinite(learner(x * 10.0**exponent, y, queries)).all()


@pytest.mark.parametrize("n_context", [0, 1, 4])
@pytest.mark.parametrize("n_classes", [3, None])
def test_the_transformers_gradient_is_the_finite_difference(n_context, n_classes):
    learner = InContextTransformer(2, n_classes, width=6, depth=2, heads=2).double()
    x, y, generator = drawn(2, n_context + 3, 2, n_classes, 0)
    x, y = x.double(), y.double() if n_classes is None else y

    def loss():
        return learner.loss(learner(x[:, :n_context], y[:, :n_context], x[:, n_context:]), y[:, n_context:])

    parameters = list(learner.parameters())
    gradients = torch.autograd.grad(loss(), parameters, allow_unused=True, materialize_grads=True)
    for _ in range(5):
        directions = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters]
        values = []
        for step in (1e-5, -2e-5):
            with torch.no_grad():
                torch._foreach_add_(parameters, directions, alpha=step)
                values.append(float(loss()))
        with torch.no_grad():
            torch._foreach_add_(parameters, directions, alpha=1e-5)
        slope = sum(float((g * v).sum()) for g, v in zip(gradients, directions, strict=True))
        assert slope == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-6, abs=1e-8)


def test_matchnet_is_attention_on_the_labels():
    x, y, _ = drawn(2, 5, 3, 4, 0)
    queries = x[:, :2] + 0.1
    learner = MatchNet(3, 4, encoder="identity")
    out = learner(x, y, queries)
    for b in range(2):
        for q in range(2):
            cosine = torch.cosine_similarity(x[b], queries[b, q][None])
            shares = torch.zeros(4).index_add(0, y[b], cosine.exp() / cosine.exp().sum())
            assert torch.allclose(out[b, q], (shares + EPS).log(), atol=1e-5)
            sharp = torch.zeros(4).index_add(0, y[b], (10 * cosine).softmax(0))
            scaled = MatchNet(3, 4, "identity", similarity="scaled_cosine")(x, y, queries)[b, q]
            assert torch.allclose(scaled, (sharp + EPS).log(), atol=1e-4)
            sums = torch.zeros(4).index_add(0, y[b], cosine)
            assert torch.allclose(MatchNet(3, 4, "identity", attention="sum")(x, y, queries)[b, q], sums, atol=1e-5)


def test_protonet_is_the_nearest_mean_and_an_empty_class_is_at_zero():
    x = torch.tensor([[[1.0, 0.0], [3.0, 0.0], [0.0, 5.0]]])
    y = torch.tensor([[0, 0, 1]])
    out = ProtoNet(2, 3, encoder="identity")(x, y, torch.tensor([[[2.0, 1.0]]]))
    assert torch.allclose(out, torch.tensor([[[-1.0, -20.0, -5.0]]]))


def test_cnp_reads_the_average_and_an_empty_context_is_zero():
    learner = CNP(2, 2, width=4)
    x, y, _ = drawn(1, 4, 2, 2, 0)
    assert_same(learner.adapt(torch.cat([x, x], 1), torch.cat([y, y], 1)), learner.adapt(x, y), 1e-6)
    assert torch.equal(learner.adapt(x[:, :0], y[:, :0]), torch.zeros(1, 4))


def test_an_empty_context_gives_equal_logits_where_nothing_else_is_known():
    x, y, _ = drawn(2, 3, 2, 4, 0)
    for name in ("MatchNet, cosine", "MatchNet, dot, sum", "1-NN", "3-NN", "logistic regression"):
        out = MAKERS[name](2, 4)(x[:, :0], y[:, :0], x)
        assert torch.equal(out, out[..., :1].expand_as(out))


@given(n_points=st.integers(2, 30), d=st.integers(1, 4), n_classes=st.integers(2, 4), seed=st.integers(0, 99))
def test_logistic_regression_is_scikit_learns(n_points, d, n_classes, seed):
    x, y, generator = drawn(1, n_points, d, n_classes, seed)
    if len(y.unique()) < n_classes:
        y[0, :n_classes] = torch.arange(n_classes)[:n_points]
    if len(y.unique()) < n_classes:
        return
    queries = torch.randn(1, 5, d, generator=generator)
    penalty = 0.5
    ours = LogisticRegression(d, n_classes, penalty=penalty)(x, y, queries)[0].double().softmax(-1)
    # its intercept is one more feature here, with the weak penalty that ours has
    columns = torch.cat([x[0], torch.full((n_points, 1), 1000**0.5)], dim=1).double().numpy()
    theirs = ScikitLogisticRegression(C=1 / penalty, fit_intercept=False, tol=1e-8, max_iter=10000)
    theirs.fit(columns, y[0].numpy())
    asked = torch.cat([queries[0], torch.full((5, 1), 1000**0.5)], dim=1).double().numpy()
    expected = torch.tensor(theirs.predict_proba(asked))
    # with two classes scikit-learn has one weight vector w = w_1 - w_0, whose penalty is half of ours
    if n_classes > 2:
        assert torch.allclose(ours, expected, atol=2e-3)
    else:
        halved = LogisticRegression(d, 2, penalty=2 * penalty)(x, y, queries)[0].double().softmax(-1)
        assert torch.allclose(halved, expected, atol=2e-3)


@given(n_points=st.integers(1, 20), k=st.integers(1, 5), seed=st.integers(0, 99))
def test_nearest_neighbours_are_scikit_learns(n_points, k, seed):
    x, y, generator = drawn(1, n_points, 3, 3, seed)
    queries = torch.randn(1, 6, 3, generator=generator)
    out = NearestNeighbor(3, 3, k=k)(x, y, queries)[0].exp()
    theirs = KNeighborsClassifier(min(k, n_points)).fit(x[0].numpy(), y[0].numpy())
    expected = torch.zeros(6, 3)
    expected[:, theirs.classes_] = torch.tensor(theirs.predict_proba(queries[0].numpy()), dtype=torch.float32)
    assert torch.allclose(out, expected, atol=1e-4)


def test_chance_is_the_frequency_of_the_labels():
    out = Chance(Amortization()).answer.exp()
    assert torch.allclose(out, torch.full((2,), 0.5), atol=0.02)
    assert abs(float(Chance(zoo.Lines()).answer)) < 0.05
    assert torch.equal(Chance(Amortization()).answer, Chance(Amortization()).answer)


def test_the_seed_of_a_learner_makes_its_weights():
    for maker in (InContextTransformer, MatchNet, ProtoNet, CNP):
        states = [list(maker(2, 2, width=8, seed=seed).state_dict().values()) for seed in (0, 0, 1)]
        assert all(torch.equal(a, b) for a, b in zip(states[0], states[1], strict=True))
        assert not torch.equal(states[0][0], states[2][0])


def test_an_encoder_is_copied_and_shared_by_context_and_queries():
    encoder = MLP(2, 3, 5)
    learner = ProtoNet(2, 2, encoder=encoder)
    with torch.no_grad():
        encoder.layers[0].weight.zero_()
    x, y, _ = drawn(1, 2, 2, 2, 0)
    y = torch.tensor([[0, 1]])
    at_the_point = learner(x, y, x)[0].diagonal()
    assert torch.allclose(at_the_point, torch.zeros(2), atol=1e-6)
    assert learner.encoder.module.layers[0].weight.any()
