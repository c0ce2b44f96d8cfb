"""Deep learning's techniques one level up: augmentation, mining, ensembling."""

import pytest
import torch

import ctxlearn
from ctxlearn.learners import CNP, InContextTransformer, ProtoNet
from ctxlearn.references import Ensemble, NearestNeighbor
from ctxlearn.tasks import Amortization, Augmented, ClassPrototype, Deformed, Labelled, LinearRegression
from ctxlearn.training import AllPrefixes, HardestTasks, RandomSplit


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_augmented_tasks_are_the_familys_turned_and_renamed():
    family = ClassPrototype(3, 4)
    augmented = Augmented(family)
    parameters = augmented.sample_parameters(5, generator=generator())
    turned = augmented.tasks(parameters, 30, generator=generator(1))
    plain = family.tasks(parameters["family"], 30, generator=generator(1))
    rotation, names = parameters["rotation"], parameters["names"]
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3).expand(5, 3, 3), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(turned.x, torch.einsum("bij,bnj->bni", rotation, plain.x))
    for b in range(5):
        assert torch.equal(turned.y[b], names[b][plain.y[b]])
        assert sorted(names[b].tolist()) == [0, 1, 2, 3]


def test_rotations_have_no_preferred_direction_and_are_reflections_half_the_time():
    rotation = Augmented(ClassPrototype(2)).sample_parameters(4000, generator=generator())["rotation"]
    assert rotation.mean(0).abs().max() < 4 * (0.5 / 4000) ** 0.5
    assert abs(float((torch.linalg.det(rotation) > 0).float().mean()) - 0.5) < 4 * (0.25 / 4000) ** 0.5


def test_after_augmentation_the_direction_of_a_rule_tells_nothing():
    """Amortization always has class 0 on the upper side; augmented, both are as likely."""
    for family, expected in ((Amortization(2), 1.0), (Augmented(Amortization(2)), 0.5)):
        tasks = family.sample(600, 40, generator=generator())
        upper = (tasks.x.sum(-1) > tasks.x.sum(-1).median(1, keepdim=True).values).float()
        sides = ((upper * (tasks.y == 0)).sum(1) > (upper * (tasks.y == 1)).sum(1)).float()
        assert abs(float(sides.mean()) - expected) < 0.09


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tasks",), "family: expected a TaskFamily"),
        ((ClassPrototype(), False, False), "rotate, permute_labels: expected at least one"),
        ((LinearRegression(2),), "permute_labels: expected a family with classes"),
        (
            (Labelled(torch.zeros(8, 2, 2).numpy(), [0, 0, 0, 0, 1, 1, 1, 1], 2),),
            "rotate: expected inputs that are vectors",
        ),
    ],
)
def test_what_cannot_be_augmented_is_said(arguments, message):
    with pytest.raises(ValueError, match=message):
        Augmented(*arguments)


def test_deformed_tasks_are_the_familys_stretched_and_moved_with_their_labels():
    family = ClassPrototype(3, 4)
    deformed = Deformed(family, stretch=3.0, shift=2.0)
    parameters = deformed.sample_parameters(2000, generator=generator())
    tasks = deformed.tasks(parameters, 4, generator=generator(1))
    plain = family.tasks(parameters["family"], 4, generator=generator(1))
    factor, offset = parameters["factor"], parameters["offset"]
    assert torch.equal(tasks.y, plain.y)
    torch.testing.assert_close(tasks.x, plain.x * factor[:, None] + offset[:, None])
    assert float(factor.min()) >= 1 / 3 - 1e-6
    assert float(factor.max()) <= 3 + 1e-6
    assert abs(float(factor.log().mean())) < 4 * float(factor.log().std()) / 6000**0.5
    assert float(offset.std()) == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tasks", 2.0), "family: expected a TaskFamily"),
        ((ClassPrototype(),), "stretch, shift: expected one of them to do something"),
        ((ClassPrototype(), 0.5), "stretch: expected"),
        ((ClassPrototype(), 2.0, -1.0), "shift: expected"),
        ((Labelled(torch.zeros(8, 2, 2).numpy(), [0, 0, 0, 0, 1, 1, 1, 1], 2), 2.0), "inputs that are vectors"),
    ],
)
def test_what_cannot_be_deformed_is_said(arguments, message):
    with pytest.raises(ValueError, match=message):
        Deformed(*arguments)


def test_the_hardest_tasks_are_those_with_the_largest_loss():
    learner = InContextTransformer(2, 2, width=8, depth=1, heads=2)
    batch = ClassPrototype().sample(10, 12, generator=generator())
    for objective in (RandomSplit(), AllPrefixes()):
        output, y = objective.answers(learner, batch, generator(3))
        losses = torch.stack([learner.loss(o, label) for o, label in zip(output, y, strict=True)])
        for share, k in ((0.3, 3), (0.01, 1), (1.0, 10)):
            hardest = HardestTasks(objective, share)(learner, batch, generator(3))
            torch.testing.assert_close(hardest, losses.sort(descending=True).values[:k].mean())
        torch.testing.assert_close(
            HardestTasks(objective, 1.0)(learner, batch, generator(3)), objective(learner, batch, generator(3))
        )


def test_mining_and_augmentation_train_and_resume_from_their_config(tmp_path):
    config = ctxlearn.TrainingConfig(steps=4, tasks_per_step=8, n_points=6, progress=False)
    objective = HardestTasks(RandomSplit(), 0.5)
    run = ctxlearn.train(CNP(2, 2, width=8), Augmented(ClassPrototype()), config, out=tmp_path, objective=objective)
    again = ctxlearn.train(CNP(2, 2, width=8), Augmented(ClassPrototype()), config, out=tmp_path, objective=objective)
    assert all(torch.equal(a, b) for a, b in zip(run.learner.parameters(), again.learner.parameters(), strict=True))


@pytest.mark.parametrize(("objective", "share", "message"), [("all", 0.5, "objective"), (RandomSplit(), 0.0, "share")])
def test_mining_refuses_what_it_cannot_use(objective, share, message):
    with pytest.raises(ValueError, match=f"{message}: expected"):
        HardestTasks(objective, share)


def test_an_ensemble_answers_with_the_mean_probability():
    members = [ProtoNet(2, 3, width=6, seed=seed) for seed in range(3)]
    batch = ClassPrototype(2, 3).sample(4, 9, generator=generator())
    episode = batch.split(5)
    arguments = (episode.context_x, episode.context_y, episode.query_x)
    with torch.no_grad():
        expected = torch.stack([member(*arguments).softmax(-1) for member in members]).mean(0)
        torch.testing.assert_close(Ensemble(members)(*arguments).exp(), expected)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([ProtoNet(2, 2)], "learners: expected a list of two or more"),
        ([ProtoNet(2, 2), "ProtoNet"], "learners: expected a list of two or more"),
        ([ProtoNet(2, 2), NearestNeighbor(2, 3)], r"learners\[1\]: expected n_features = 2 and n_classes = 2"),
    ],
)
def test_members_must_fit_together(members, message):
    with pytest.raises(ValueError, match=message):
        Ensemble(members)
