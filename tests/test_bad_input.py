import math
import re

import pytest
import torch
import zoo
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ctxlearn import Tasks, TrainingConfig, checks, load
from ctxlearn.configurable import configuration, instantiate
from ctxlearn.episodes import concatenate
from ctxlearn.learners import CNP, MLP, BlockConfig, InContextTransformer, MatchNet, ProtoNet
from ctxlearn.references import Chance, LogisticRegression, NearestNeighbor
from ctxlearn.seeding import Stream, generator_for, initial_weights
from ctxlearn.tasks import Amortization, ClassPrototype, Mixture, PairwiseMetric, Radial
from ctxlearn.training import FamilySource, RandomSplit
from ctxlearn.trust import find_class

NUMBERS = st.integers() | st.floats() | st.booleans()
ANYTHING = NUMBERS | st.none() | st.text(max_size=3) | st.lists(st.integers(-2, 2), max_size=3) | st.just(torch.ones(2))


def is_int(value, minimum, maximum=math.inf):
    return isinstance(value, int) and not isinstance(value, bool) and minimum <= value <= maximum


def is_size(value):
    """An integer that is not too large to be built in a test."""
    return is_int(value, 1, 64)


def is_shape(value):
    return is_size(value) or (isinstance(value, list) and len(value) > 0 and all(is_size(v) for v in value))


def is_number(value, above=-math.inf):
    return isinstance(value, int | float) and not isinstance(value, bool) and above < value < math.inf


def is_choice(*names):
    return lambda value: isinstance(value, str) and value in names


# maker of the object from one argument's value, the argument's name, and what values are right
ARGUMENTS = {
    "PairwiseMetric d": (PairwiseMetric, "n_features", is_size),
    "PairwiseMetric nc": (lambda v: PairwiseMetric(n_per_class=v), "n_per_class", is_size),
    "PairwiseMetric s": (lambda v: PairwiseMetric(scale=v), "scale", lambda v: is_number(v, 0)),
    "PairwiseMetric C": (lambda v: PairwiseMetric(n_classes=v), "n_classes", lambda v: is_int(v, 2)),
    "ClassPrototype d": (ClassPrototype, "n_features", is_size),
    "ClassPrototype C": (lambda v: ClassPrototype(n_classes=v), "n_classes", lambda v: is_int(v, 2)),
    "ClassPrototype s": (lambda v: ClassPrototype(scale=v), "scale", lambda v: is_number(v, 0)),
    "Amortization d": (Amortization, "n_features", is_size),
    "Amortization s": (lambda v: Amortization(scale=v), "scale", lambda v: is_number(v, 0)),
    "Radial d": (Radial, "n_features", is_size),
    "Radial s": (lambda v: Radial(scale=v), "scale", lambda v: is_number(v, 0)),
    "Mixture families": (Mixture, "families", lambda v: False),
    "Mixture family": (lambda v: Mixture([Radial(), v]), "families", lambda v: False),
    "Mixture weights": (
        lambda v: Mixture([Radial(), Radial()], v),
        "weights",
        lambda v: v is None or (isinstance(v, list) and len(v) == 2 and min(v) > 0),
    ),
    "Mixture weight": (lambda v: Mixture([Radial(), Radial()], [1, v]), r"weights\[1\]", lambda v: is_number(v, 0)),
    "sample B": (lambda v: Radial().sample(v, 2, generator=generator_for(0, Stream.TEST)), "n_tasks", is_size),
    "sample N": (lambda v: Radial().sample(2, v, generator=generator_for(0, Stream.TEST)), "n_points", is_size),
    "sample generator": (lambda v: Radial().sample(2, 2, generator=v), "generator", lambda v: False),
    "split": (
        lambda v: Radial().sample(2, 4, generator=generator_for(0, Stream.TEST)).split(v),
        "n_context",
        lambda v: is_int(v, 0, 4),
    ),
    "transformer d": (lambda v: InContextTransformer(v, 2, width=4, depth=1), "n_features", is_shape),
    "transformer C": (
        lambda v: InContextTransformer(2, v, width=4, depth=1),
        "n_classes",
        lambda v: v is None or is_int(v, 2, 64),
    ),
    "transformer width": (lambda v: InContextTransformer(2, 2, v, heads=1, depth=1), "width", is_size),
    "transformer depth": (lambda v: InContextTransformer(2, 2, 4, depth=v), "depth", is_size),
    "transformer heads": (
        lambda v: InContextTransformer(2, 2, 4, heads=v),
        "heads",
        lambda v: is_int(v, 1) and 4 % v == 0,
    ),
    "transformer blocks": (lambda v: InContextTransformer(2, 2, 4, blocks=v), "blocks", lambda v: v is None),
    "transformer encoder": (lambda v: InContextTransformer(2, 2, 4, encoder=v), "encoder", lambda v: v is None),
    "transformer seed": (lambda v: InContextTransformer(2, 2, 4, seed=v), "seed", lambda v: is_int(v, 0, 2**63 - 1)),
    "MatchNet C": (lambda v: MatchNet(2, v), "n_classes", lambda v: v is None or is_int(v, 2)),
    "MatchNet similarity": (
        lambda v: MatchNet(2, 2, similarity=v),
        "similarity",
        is_choice("cosine", "dot", "scaled_cosine"),
    ),
    "MatchNet attention": (lambda v: MatchNet(2, 2, attention=v), "attention", is_choice("softmax", "sum")),
    "MatchNet width": (lambda v: MatchNet(2, 2, width=v), "width", is_size),
    "ProtoNet d": (lambda v: ProtoNet(v, 2, width=4), "n_features", is_shape),
    "ProtoNet C": (lambda v: ProtoNet(2, v), "n_classes", lambda v: is_int(v, 2)),
    "CNP C": (lambda v: CNP(2, v, width=4), "n_classes", lambda v: v is None or is_int(v, 2, 64)),
    "CNP width": (lambda v: CNP(2, 2, width=v), "width", is_size),
    "MLP inputs": (lambda v: MLP(v, 2), "n_inputs", is_size),
    "MLP outputs": (lambda v: MLP(2, v), "n_outputs", is_size),
    "MLP hidden": (lambda v: MLP(2, 2, v), "hidden", is_size),
    "BlockConfig heads": (lambda v: BlockConfig(heads=v), "heads", lambda v: is_int(v, 1)),
    "BlockConfig head_width": (lambda v: BlockConfig(head_width=v), "head_width", lambda v: v is None or is_int(v, 1)),
    "BlockConfig hidden": (lambda v: BlockConfig(hidden=v), "hidden", lambda v: v is None or is_int(v, 1)),
    "BlockConfig activation": (
        lambda v: BlockConfig(activation=v),
        "activation",
        is_choice("relu", "gelu", "leaky_relu"),
    ),
    "BlockConfig norm": (lambda v: BlockConfig(norm=v), "norm", is_choice("pre", "none")),
    "1-NN d": (NearestNeighbor, "n_features", lambda v: v is None or is_shape(v)),
    "1-NN k": (lambda v: NearestNeighbor(k=v), "k", lambda v: is_int(v, 1)),
    "logistic C": (lambda v: LogisticRegression(n_classes=v), "n_classes", lambda v: is_int(v, 2)),
    "logistic penalty": (lambda v: LogisticRegression(penalty=v), "penalty", lambda v: is_number(v, 0)),
    "logistic iterations": (lambda v: LogisticRegression(iterations=v), "iterations", lambda v: is_int(v, 1)),
    "Chance": (Chance, "family", lambda v: False),
    "RandomSplit": (RandomSplit, "min_context", lambda v: is_int(v, 0)),
    "FamilySource": (lambda v: FamilySource(Radial(), v, 2), "n_tasks", lambda v: is_int(v, 1)),
    "generator_for": (lambda v: generator_for(v, Stream.TEST), "seed", lambda v: is_int(v, 0, 2**63 - 1)),
    "load": (load, "folder", lambda v: isinstance(v, str)),
}


def refused_by_name(make, name, value):
    try:
        make(value)
    except ValueError as error:
        return bool(re.match(rf"({name})(\[\d\])*: ", str(error))), str(error)
    return False, "nothing was raised"


@pytest.mark.parametrize("which", ARGUMENTS)
@given(value=ANYTHING)
def test_a_wrong_argument_is_one_error_that_names_it_and_a_right_one_is_taken(which, value):
    make, name, right = ARGUMENTS[which]
    large = is_int(value, 65) or (
        isinstance(value, list) and which.endswith(" d") and any(is_int(v, 65) for v in value)
    )
    if right(value):
        if which != "load":
            make(value)
    elif not (large and right in (is_size, is_shape)) and not (large and which[-1] in "Cd"):
        named, message = refused_by_name(make, name, value)
        assert named, f"{value!r}: {message}"


INTEGERS = {"steps": 1, "n_points": 1, "shards": 1, "validation_batches": 1, "log_every": 1, "processes": 1, "seed": 0,
            "warmup_steps": 0, "validate_every": 0, "checkpoint_every": 0}  # fmt: skip
CHOICES = ["optimizer", "schedule", "select", "precision", "accelerator"]


@pytest.mark.parametrize("name", [*INTEGERS, "learning_rate", "clip", "weight_decay", "beta1", "averaging", *CHOICES])
@given(value=ANYTHING)
def test_a_wrong_setting_of_a_training_names_its_field(name, value):
    right = {
        **{n: is_int(value, minimum) for n, minimum in INTEGERS.items()},
        **dict.fromkeys(["learning_rate", "clip"], is_number(value, 0)),
        "weight_decay": is_number(value) and value >= 0 if isinstance(value, int | float) else False,
        **dict.fromkeys(
            ["beta1", "averaging"], is_number(value) and 0 <= value < 1 - 1e-9 if is_number(value) else False
        ),
        **dict.fromkeys(CHOICES, False),
    }[name]
    settings = {"steps": 1, "tasks_per_step": 4, "shards": 1} | {name: value}
    if right:
        if name != "shards":
            TrainingConfig(**settings)
        return
    named, message = refused_by_name(lambda v: TrainingConfig(**v), name, settings)
    assert named, message


def test_the_number_of_tasks_is_a_multiple_of_the_shards():
    with pytest.raises(ValueError, match=r"^tasks_per_step: expected a multiple of shards = 3, got 4"):
        TrainingConfig(steps=1, tasks_per_step=4, shards=3)


@pytest.mark.parametrize(("name", "near"), [("adam", "adamw"), ("Muon", "muon"), ("adamv", "adamw")])
def test_an_unknown_name_is_told_the_nearest_known_one(name, near):
    with pytest.raises(
        ValueError, match=rf"^optimizer: unknown name '{name}'; did you mean '{near}'\? Known: adamw, muon"
    ):
        TrainingConfig(steps=1, optimizer=name)


X, Y = torch.zeros(2, 3, 2), torch.zeros(2, 3, dtype=torch.int64)
TENSORS = st.sampled_from([torch.float32, torch.float64, torch.int64, torch.bool, torch.complex64]).flatmap(
    lambda dtype: st.lists(st.integers(0, 3), max_size=4).map(lambda shape: torch.zeros(shape, dtype=dtype))
)


@pytest.mark.parametrize("name", ["transformer, default encoder", "MatchNet, dot, sum, identity encoder", "CNP, own encoder",
                                  "ProtoNet, default encoder", "3-NN", "3-NN of any inputs", "logistic regression"])  # fmt: skip
@given(x=TENSORS | ANYTHING, y=TENSORS | ANYTHING, q=TENSORS | ANYTHING)
def test_whatever_is_given_to_a_learner_is_read_or_refused_by_name(name, x, y, q):
    learner = zoo.learners()[name]
    for call, names in (
        (lambda: learner.adapt(x, y), ("context_x", "context_y")),
        (lambda: learner.predict_prefixes(x, y), ("x", "y")),
        (lambda: learner.predict(learner.adapt(X, Y), q), ("query_x",)),
    ):
        try:
            call()
        except ValueError as error:
            message = str(error)
            assert message.split(":", maxsplit=1)[0] in names


@given(x=TENSORS | ANYTHING, y=TENSORS | ANYTHING, n_classes=ANYTHING, component=TENSORS | ANYTHING)
def test_whatever_tasks_are_made_of_is_taken_or_refused_by_name(x, y, n_classes, component):
    for arguments in ((x, y, n_classes), (X, y, 2), (x, Y, 2), (X, Y, n_classes), (X, Y, 2, component)):
        try:
            Tasks(*arguments)
        except ValueError as error:
            message = str(error)
            assert message.split(":", maxsplit=1)[0] in ("x", "y", "n_classes", "component")


def test_batches_of_other_classes_are_not_concatenated():
    with pytest.raises(ValueError, match=r"^batches: "):
        concatenate([])
    with pytest.raises(ValueError, match=r"^batches: expected the number of classes of the first batch, 2, got 3"):
        concatenate([Tasks(X, Y, 2), Tasks(X, Y, 3)])
    assert concatenate([Tasks(X, Y, 2), Tasks(X, Y, 2)]).n_tasks == 4


@pytest.mark.parametrize("encoder", [nn.Linear(3, 2), nn.Identity(), nn.Unflatten(1, (2, 1)), "mlp", 3, nn.Linear])
def test_an_encoder_that_does_not_fit_is_refused(encoder):
    features = (2, 2) if isinstance(encoder, nn.Identity) else 2
    for learner in (InContextTransformer, MatchNet, ProtoNet, CNP):
        with pytest.raises(ValueError, match=r"^encoder: "):
            learner(features, 2, encoder=encoder)


def test_families_that_do_not_fit_together_are_not_mixed():
    for families in ([Radial(2), Radial(3)], [Radial(), zoo.Lines()]):
        with pytest.raises(ValueError, match=r"^families: expected inputs of one shape and one kind of label"):
            Mixture(families)


def test_a_configuration_builds_nothing_but_what_records_itself():
    for path in ("os.system", "subprocess.Popen", "nowhere.Thing", "ctxlearn.tasks.Nothing", "builtins.dict", 3, ""):
        with pytest.raises(ValueError, match=r"^class_path: "):
            instantiate({"class_path": path, "init_args": {}})
    with pytest.raises(ValueError, match=r"^class_path: expected a subclass of MatchNet"):
        instantiate(configuration(Radial()), MatchNet)
    with pytest.raises(ValueError, match=r"does not record how it was made"):
        configuration(nn.Linear(2, 2))
    with pytest.raises(ValueError, match=r"made from arrays"):
        instantiate(configuration(zoo.labelled()))
    assert find_class("ctxlearn.tasks.classification.Radial") is Radial


@pytest.mark.parametrize("name", [n for n in zoo.families() if "labelled" not in n and "images" not in n])
def test_a_family_is_built_again_from_its_configuration(name):
    family = zoo.families()[name]
    again = instantiate(configuration(family))
    first, second = (f.sample(3, 4, generator=generator_for(0, Stream.TEST)) for f in (family, again))
    assert torch.equal(first.x.nan_to_num(), second.x.nan_to_num())  # NaN, where a value is missing, equals nothing
    assert configuration(again) == configuration(family)


@pytest.mark.parametrize("name", [n for n in zoo.learners() if "pool" not in n])
def test_a_learner_is_built_again_from_its_configuration(name):
    learner = zoo.learners()[name]
    again = instantiate(configuration(learner))
    assert configuration(again) == configuration(learner)
    states = learner.state_dict(), again.state_dict()
    assert list(states[0]) == list(states[1])
    assert all(torch.equal(a, b) for a, b in zip(states[0].values(), states[1].values(), strict=True))


def test_generators_of_different_keys_give_different_numbers():
    keys = [(0,), (0, 0), (0, 0, 0), (1,), (0, 1), (1, 0), (2**31,)]
    seeds = [(seed, stream, *key) for seed in (0, 1, 2**32, 2**40) for stream in Stream for key in [(), *keys]]
    drawn = {int(generator_for(*seed).initial_seed()) for seed in seeds}
    assert len(drawn) == len(seeds)


def test_values_are_trusted_only_inside_and_shapes_are_checked_there_too():
    bad = torch.full((1, 2, 2), torch.nan)
    with checks.trusted_values():
        checks.check_inputs("x", bad, (2,))
        with pytest.raises(ValueError, match=r"^x: expected a floating tensor"):
            checks.check_inputs("x", bad[0], (2,))
    with pytest.raises(ValueError, match=r"^x: .* missing value \(NaN\).* at index \(0, 0, 0\) \(4 in all\)"):
        checks.check_inputs("x", bad, (2,))


def test_initial_weights_restore_the_random_state_after_an_error():
    before = torch.random.get_rng_state()

    def fail():
        with initial_weights(3):
            torch.rand(3)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert torch.equal(before, torch.random.get_rng_state())
