"""The families and learners that the contracts are tested on."""

import numpy as np
import torch
from torch import nn

from ctxlearn.configurable import Configurable
from ctxlearn.learners import (
    CNP,
    MAML,
    Blended,
    BlockConfig,
    ContextScaled,
    Guided,
    InContextTransformer,
    KernelFeatures,
    ManyClass,
    MatchNet,
    MissingAware,
    ProtoNet,
)
from ctxlearn.learners.advice import KINDS, n_told
from ctxlearn.references import (
    Averaging,
    Chance,
    DomainBayes,
    Ensemble,
    GradientDescent,
    KernelRegression,
    LinearGaussian,
    LinearPool,
    LogisticRegression,
    Majority,
    MaxMargin,
    MeanThreshold,
    NearestNeighbor,
    Ridge,
)
from ctxlearn.seeding import initial_weights
from ctxlearn.tasks import (
    DNF,
    Amortization,
    Augmented,
    Band,
    Checkerboard,
    Circle,
    ClassPrototype,
    Conjunction,
    DecisionTree,
    Deformed,
    Disjunction,
    GaussianHalfSpaces,
    GaussianWeights,
    HalfPlane,
    Labelled,
    LinearRegression,
    Mixture,
    OffsetHalfPlane,
    PairwiseMetric,
    Parity,
    Pool,
    QuadraticForm,
    Radial,
    RotatedAmortization,
    RotatedEllipse,
    ScaledInputs,
    SparseDisjunction,
    SparseLinearRegression,
    SparseMajority,
    Stripes,
    TabularClassification,
    TabularRegression,
    TaskFamily,
    TwoBumps,
    TwoLayerNetwork,
    Wedge,
    WideClassification,
    WideRegression,
    Xor,
)


class Lines(TaskFamily):
    """Regression: y = w x."""

    def __init__(self, n_features=2, noise=0.0):
        self.n_features, self.n_classes, self.noise = n_features, None, noise

    def sample_parameters(self, n_tasks, *, generator):
        return torch.randn(n_tasks, self.n_features, generator=generator)

    def sample_points(self, parameters, n_points, *, generator):
        x = torch.randn(len(parameters), n_points, self.n_features, generator=generator)
        noise = self.noise * torch.randn(len(parameters), n_points, generator=generator)
        return x, (x @ parameters[..., None])[..., 0] + noise


class Scaled(Configurable, nn.Module):
    """An encoder of one's own: (M, *shape) to (M, 3)."""

    def __init__(self, n_inputs=2):
        super().__init__()
        with initial_weights(0):
            self.layer = nn.Linear(n_inputs, 3)

    def forward(self, x):
        return self.layer(x.flatten(1)).tanh()


def three_families(n_features=2):
    return [ClassPrototype(n_features), PairwiseMetric(n_features), Amortization(n_features)]


def labelled(n_classes=4, per_class=6, shape=(3,), n_way=3, names=False):
    numbers = np.random.default_rng(0)
    y = np.repeat(np.arange(n_classes), per_class)
    x = numbers.normal(size=(len(y), *shape)) + y.reshape(-1, *[1] * len(shape))
    return Labelled(x, np.array([f"class {c}" for c in y]) if names else y, n_way)


def families():
    return {
        "pairwise": PairwiseMetric(),
        "pairwise, 3 classes in 5 features": PairwiseMetric(5, 3, 2.0, n_classes=3),
        "prototype": ClassPrototype(),
        "prototype, 4 classes in 3 features": ClassPrototype(3, 4, 0.5),
        "amortization": Amortization(),
        "amortization in 1 feature": Amortization(1),
        "radial": Radial(),
        "radial in 7 features": Radial(7, 3.0),
        "half-planes through the origin": HalfPlane(),
        "half-planes": OffsetHalfPlane(2.0, 0.5),
        "wedges": Wedge(),
        "exclusive or": Xor(),
        "bands": Band(),
        "stripes": Stripes(),
        "checkerboards": Checkerboard(),
        "quadratic forms": QuadraticForm(),
        "circles": Circle(),
        "ellipses": RotatedEllipse(),
        "two bumps": TwoBumps(),
        "rotated amortization": RotatedAmortization(),
        "flipped amortization": RotatedAmortization(turn=180),
        "conjunctions": Conjunction(),
        "disjunctions": Disjunction(28),
        "sparse disjunctions": SparseDisjunction(),
        "majority of literals": SparseMajority(),
        "parity": Parity(),
        "sparse parity": Parity(10, 2),
        "DNF": DNF(),
        "mixture": Mixture(three_families()),
        "weighted mixture of a mixture": Mixture([Mixture(three_families()), Radial()], weights=[3, 1]),
        "mixture of different numbers of classes": Mixture([ClassPrototype(2, 4), Radial()]),
        "labelled": labelled(),
        "labelled images with names": labelled(shape=(2, 3, 3), names=True),
        "labelled in a mixture": Mixture([labelled(), ClassPrototype(3, 3)]),
        "regression": Lines(),
        "linear regression": LinearRegression(3, noise=0.5, active=2),
        "sparse regression": SparseLinearRegression(5, 2, 0.1),
        "two-layer networks": TwoLayerNetwork(3, 6, 0.1),
        "decision trees": DecisionTree(3, 3, 0.1, 0.5),
        "a domain of linear regression": GaussianWeights().sample_domain(generator=torch.Generator().manual_seed(0)),
        "domains of linear regression, pooled": GaussianWeights(3).pooled(),
        "a domain of half-spaces": GaussianHalfSpaces().sample_domain(generator=torch.Generator().manual_seed(0)),
        "domains of half-spaces, pooled": GaussianHalfSpaces(2).pooled(),
        "a domain of scaled inputs": ScaledInputs().sample_domain(generator=torch.Generator().manual_seed(0)),
        "domains of scaled inputs, pooled": ScaledInputs(3).pooled(),
        "a mixture of a domain and trees": Mixture([GaussianWeights(3).pooled(), DecisionTree(3)]),
        "augmented prototypes": Augmented(ClassPrototype(3, 3)),
        "deformed prototypes": Deformed(ClassPrototype(3, 3), 2.0, 1.0),
        "stretched regression": Deformed(LinearRegression(3), stretch=3.0),
        "rotated regression": Augmented(LinearRegression(3), permute_labels=False),
        "renamed classes of images": Augmented(labelled(shape=(2, 3, 3)), rotate=False),
        "a pool of 5 tasks": Pool(ClassPrototype(), 5),
        "a pool of regressions": Pool(LinearRegression(2), 7),
        "a pool of a mixture": Pool(Mixture(three_families()), 5),
        "tables": TabularClassification(),
        "tables of few columns and classes": TabularClassification(3, 2, 0.5, {"clusters": 1.0, "graph": 2.0}),
        "tables of one column": TabularClassification(1, 4),
        "tables with a number to tell": TabularRegression(5),
        "tables in a mixture": Mixture([TabularClassification(3, 2), ClassPrototype(3, 3)]),
        "a pool of tables": Pool(TabularRegression(4), 3),
        "wide tables": WideClassification(),
        "wide tables of few columns": WideClassification(3, 4),
        "wide tables with a number to tell": WideRegression(30),
        "mixture of regressions": Mixture([Lines(), Lines(noise=0.5)]),
    }


ENCODERS = {"default": None, "identity": "identity", "own": Scaled()}


def trained_learners():
    """Learners with weights, by name: classification of 3 classes in 2 features, then other shapes, then regression."""
    zoo = {}
    for name, encoder in ENCODERS.items():
        zoo[f"transformer, {name} encoder"] = InContextTransformer(2, 3, width=16, depth=2, heads=2, encoder=encoder)
        zoo[f"ProtoNet, {name} encoder"] = ProtoNet(2, 3, encoder=encoder, width=8)
        zoo[f"CNP, {name} encoder"] = CNP(2, 3, encoder=encoder, width=8)
        zoo[f"MAML, {name} encoder"] = MAML(2, 3, encoder=encoder, width=8)
        for similarity in ("cosine", "dot", "scaled_cosine"):
            for attention in ("softmax", "sum"):
                zoo[f"MatchNet, {similarity}, {attention}, {name} encoder"] = MatchNet(
                    2, 3, encoder=encoder, similarity=similarity, attention=attention, width=8
                )
    blocks = [BlockConfig(2, 5, 7, "relu", "none"), BlockConfig(1, None, None, "leaky_relu", "pre")]
    zoo["transformer of blocks of two kinds"] = InContextTransformer(2, 2, width=12, blocks=blocks)
    zoo["transformer of one block without norms"] = InContextTransformer(2, 2, 12, blocks=blocks[:1])
    zoo["transformer of images"] = InContextTransformer((2, 3, 3), 2, width=8, depth=1, heads=2)
    zoo["MatchNet of images"] = MatchNet((3, 2), 2, width=8)
    zoo["ProtoNet of images, flattened"] = ProtoNet((3, 2), 2, encoder="identity")
    zoo["CNP of images"] = CNP((3, 2), 2, encoder=Scaled(6), width=8)
    zoo["transformer for regression"] = InContextTransformer(2, None, width=16, depth=2, heads=2)
    takes_gaps = InContextTransformer(3, 3, width=16, depth=2, heads=2, encoder=MissingAware(3, 8, hidden=8))
    zoo["transformer that takes NaN"] = takes_gaps
    zoo["transformer behind scaling"] = ContextScaled(takes_gaps)
    advised = InContextTransformer(2 + 9, 3, width=16, depth=1, heads=2, encoder=MissingAware(2 + 9, 8, hidden=8))
    zoo["advised transformer"] = KernelFeatures(advised)
    zoo["advised transformer behind scaling"] = ContextScaled(KernelFeatures(advised))
    told = 1 + n_told(tuple(KINDS), 3)
    guided = InContextTransformer(told, 3, width=16, depth=1, heads=2, encoder=MissingAware(told, 8, hidden=8))
    zoo["guided transformer"] = Guided(guided, n_features=2, shown=1, advice=list(KINDS))
    zoo["guided transformer behind scaling"] = ContextScaled(Guided(guided, 2, 1, list(KINDS)))
    told = 1 + n_told(("ridge", "near", "match"), None)
    zoo["guided CNP for regression"] = ContextScaled(Guided(CNP(told, None, width=8), n_features=2, shown=1))
    zoo["CNP blended with logistic regression"] = ContextScaled(Blended(CNP(2, 3, width=8)))
    zoo["advised CNP for regression"] = KernelFeatures(CNP(2 + 3, None, width=8))
    zoo["ProtoNet behind scaling, features as they come"] = ContextScaled(ProtoNet(2, 3, width=8), sort=False)
    quantiles = InContextTransformer(2, None, width=16, depth=2, heads=2, readout="quantiles")
    zoo["transformer of quantiles"] = quantiles
    zoo["transformer of quantiles behind scaling"] = ContextScaled(quantiles)
    zoo["MAML of images, its head alone"] = MAML((2, 3, 3), 2, adapted="head.*", width=8)
    zoo["MAML, first order, learned step sizes"] = MAML(2, 3, first_order=True, learned="entry", width=8)
    zoo["MAML for regression, recomputed"] = MAML(2, None, recompute=True, per_step=True, learned="tensor", width=8)
    zoo["CNP for regression"] = CNP(2, None, width=8)
    for similarity in ("cosine", "dot"):
        zoo[f"MatchNet for regression, {similarity}"] = MatchNet(2, None, similarity=similarity, width=8)
    return zoo


def references():
    return {
        "1-NN": NearestNeighbor(2, 3),
        "3-NN": NearestNeighbor(2, 3, k=3),
        "3-NN of any inputs": NearestNeighbor(None, 3, k=3),
        "1-NN for regression": NearestNeighbor(2, None),
        "3-NN for regression": NearestNeighbor(2, None, k=3),
        "logistic regression": LogisticRegression(2, 3),
        "strongly penalised logistic regression of any inputs": LogisticRegression(None, 2, penalty=3.0),
        "a step of gradient descent": GradientDescent(n_classes=3),
        "steps of gradient descent on softmax": GradientDescent(
            3, [0.5, 0.3, 0.1], "softmax", n_classes=3, intercept=True
        ),
        "gradient descent on an encoder": GradientDescent(
            4, n_features=2, n_classes=3, encoder=Scaled(), penalty=0.1, intercept=True
        ),
        "gradient descent for regression": GradientDescent(5, n_features=2, n_classes=None),
        "least squares": Ridge(n_classes=3),
        "ridge without intercept": Ridge(2, 3, penalty=0.5, intercept=False),
        "least squares for regression": Ridge(2, None),
        "averaging": Averaging(),
        "kernel regression": KernelRegression(0.7, n_classes=3),
        "kernel regression for regression": KernelRegression(n_features=2, n_classes=None),
        "largest margin": MaxMargin(2, 3),
        "soft margin": MaxMargin(n_classes=2, cost=0.1),
        "threshold at the mean": MeanThreshold(2),
        "majority": Majority(n_classes=3),
        "Bayes of linear tasks": LinearGaussian(0.0, 1.0, 0.5, 2),
        "Bayes with a domain unknown": DomainBayes(GaussianWeights(2)),
        "Bayes of a pool of linear tasks": LinearPool(torch.tensor([[1.0, 0.0], [0.5, -1.0], [2.0, 2.0]]), 0.5),
        "groups of two classes out of three": ManyClass(ProtoNet(2, 2, encoder="identity"), 3),
        "an ensemble": Ensemble([NearestNeighbor(2, 3), ProtoNet(2, 3, encoder="identity")]),
        "chance": Chance(Amortization()),
        "chance of regression": Chance(Lines()),
    }


def learners():
    return trained_learners() | references()
