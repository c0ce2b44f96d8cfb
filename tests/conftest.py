import os
import random
import shutil
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # for the processes that tests start
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

settings.register_profile(
    "ctxlearn",
    deadline=None,
    max_examples=25,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.load_profile("ctxlearn")


SLOW = {"test_examples.py", "test_training_killed.py", "test_meta_learning.py", "test_language_loading.py"}
"""Files most of whose time goes to a few long tests; the studies are slow, too."""


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent.name == "studies":
            item.add_marker(pytest.mark.study)
        if item.path.parent.name == "studies" or item.path.name in SLOW:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)


def _seed_global_state():
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="module")
def _seeded_module(_one_thread):
    _seed_global_state()


@pytest.fixture(autouse=True)
def _seeded():
    """A test that draws from a global random state gets the same numbers whichever tests ran before it in its process."""
    _seed_global_state()


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="session")
def weights_cache(tmp_path_factory):
    """Where tests keep the converted weights of a language model, half a gigabyte, while they run."""
    given = os.environ.get("CTXLEARN_CACHE")
    if given:
        yield Path(given)
        return
    folder = tmp_path_factory.mktemp("weights")
    yield folder
    shutil.rmtree(folder)
