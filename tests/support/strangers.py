"""Folders and files as a stranger may make them: with every checksum and hash in order."""

import copy
import itertools

import yaml

from ctxlearn.configurable import configuration, digest
from ctxlearn.estimators import InContextClassifier, InContextRegressor
from ctxlearn.learners import InContextTransformer
from ctxlearn.storage import load_tensors, save_tensors


def learner(**changes):
    return InContextTransformer(**{"n_features": 2, "n_classes": 2, "width": 8, "depth": 2, "heads": 2} | changes)


def run(folder, recipe=None, weights=None, *, hashed=True, **settings):
    """A finished run whose config names `recipe` and whose weights are `weights`; hashes and checksums are right."""
    recipe = configuration(learner()) if recipe is None else recipe
    weights = learner().state_dict() if weights is None else weights
    config = {
        "learner": recipe,
        "source": None,
        "objective": None,
        "training": {"steps": 1},
        "initial_weights": "0" * 64,
    }
    config |= settings
    name = digest(config) if hashed else "0" * 64
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({"hash": name, **config}, sort_keys=False))
    save_tensors(
        folder / "model.safetensors", weights, {"hash": name, "step": 1, "chosen": "last", "validation_loss": 0.0}
    )
    return folder


def edited(path, change):
    """A saved estimator with its facts and tensors changed and signed again."""
    tensors, facts = load_tensors(path)
    facts, tensors = copy.deepcopy(facts), {name: tensor.clone() for name, tensor in tensors.items()}
    change(facts, tensors)
    save_tensors(path, tensors, facts)
    return path


def estimators():
    """A fitted classifier with text, and a fitted regressor."""
    rows = [[a, b] for a, b in itertools.product("uvw", (0.0, 1.0, 2.5))]
    classes = ["yes", "no", "perhaps"] * 3
    model = learner(n_classes=4, n_features=3)
    numbers = learner(n_classes=None, n_features=2)
    return (
        InContextClassifier(model, random_state=0).fit(as_table(rows), classes),
        InContextRegressor(numbers, random_state=0).fit([[1.0, 2.0], [2.0, 3.0], [4.0, 0.0]], [1.0, 2.0, 3.0]),
    )


def as_table(rows):
    import pandas as pd

    return pd.DataFrame(rows, columns=["letter", "number"])
