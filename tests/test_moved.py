"""Classes that have moved: what was saved under an earlier name is read, and keeps its hash."""

import pytest
import runs
import yaml

import ctxlearn
from ctxlearn import learners, load, read_run, training
from ctxlearn.baselines import Chance, LogisticRegression
from ctxlearn.configurable import class_path, configuration, digest, instantiate
from ctxlearn.moved import MOVED, with_current_names, with_first_names
from ctxlearn.trust import find_class

OLD = "ctxlearn.references.classical.LogisticRegression"


@pytest.mark.parametrize("old", MOVED)
def test_an_earlier_import_path_finds_the_class_where_it_is_now(old):
    cls = find_class(old)
    assert class_path(cls) == MOVED[old]
    assert MOVED[old] not in MOVED  # one step leads there


def test_a_moved_class_is_built_from_an_earlier_configuration_with_the_same_hash():
    now = configuration(LogisticRegression(2, 3, penalty=0.5))
    then = {**now, "class_path": OLD}
    assert configuration(instantiate(then)) == now
    nested = [{"class_path": "mine.Pair", "init_args": {"first": then, "list": [now, (then,)]}}, OLD, 1]
    assert digest(nested) == digest(with_current_names(nested)) == digest(with_first_names(nested))
    assert digest(then) == digest(now)
    assert with_first_names(now) == then
    assert digest([then, OLD]) != digest([then, now["class_path"]])  # only what names a class is renamed


def test_a_run_saved_under_an_earlier_name_goes_on_and_loads(tmp_path, monkeypatch):
    monkeypatch.setitem(MOVED, "earlier.Transformer", "ctxlearn.learners.transformer.InContextTransformer")
    monkeypatch.setitem(MOVED, "runs.Formerly", "runs.Watched")
    finished = runs.result(runs.small(tmp_path / "run").folder)
    config = tmp_path / "run" / "config.yaml"
    held = config.read_text()
    assert "ctxlearn.learners.transformer.InContextTransformer" in held
    assert "runs.Watched" in held
    then = held.replace("ctxlearn.learners.transformer.InContextTransformer", "earlier.Transformer")
    config.write_text(then.replace("runs.Watched", "runs.Formerly"))
    assert yaml.safe_load(config.read_text()) != yaml.safe_load(held)
    assert runs.result(read_run(tmp_path / "run").folder) == finished
    load(tmp_path / "run")
    assert runs.result(runs.small(tmp_path / "run").folder) == finished
    with pytest.raises(ValueError, match=r"holds another run \(training.seed: it has 0, this run 1\)"):
        runs.small(tmp_path / "run", seed=1)


def test_a_name_that_only_looks_moved_is_none_of_ours(tmp_path):
    with pytest.raises(ValueError, match="cannot import a class"):
        find_class("ctxlearn.references.classical.Nothing")
    assert class_path(find_class("ctxlearn.references.Chance")) == class_path(Chance)


def test_former_public_names_are_found_and_not_listed():
    assert ctxlearn.adapt_to_domain is ctxlearn.fine_tune is training.adapt_to_domain
    assert training.adaptation_of is training.fine_tuning_of
    assert training.Adaptation is training.FineTuning
    assert ctxlearn.Recorded is ctxlearn.Configurable
    assert learners.Advised is learners.KernelFeatures
    assert learners.MoreWays is learners.ManyClass
    assert not {"adapt_to_domain", "adaptation_of", "Adaptation"} & {*dir(ctxlearn), *training.__all__}
