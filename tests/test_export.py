"""Learners as traced graphs and ONNX files."""

import pytest
import torch

import ctxlearn
from ctxlearn.learners import MAML, InContextTransformer, ProtoNet
from ctxlearn.references import NearestNeighbor
from ctxlearn.storage import StorageError


def episode(n_tasks, n, q, n_classes=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n_tasks, n + q, 2, generator=generator)
    y = torch.randint(n_classes, (n_tasks, n), generator=generator) if n_classes else x[:, :n, 0] * 2
    return x[:, :n], y, x[:, n:]


def transformer(n_classes=3):
    return InContextTransformer(2, n_classes, width=8, depth=1, heads=2).eval()


@pytest.mark.parametrize("learner", [transformer(), transformer(None), ProtoNet(2, 3)], ids=["3", "None", "ProtoNet"])
def test_a_learner_is_traced_for_all_sizes(learner):
    free = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    traced = torch.export.export(learner, episode(3, 7, 5, learner.n_classes), dynamic_shapes=(free, free, free))
    for sizes in ((3, 7, 5), (2, 4, 3), (5, 20, 2)):
        inputs = episode(*sizes, learner.n_classes)
        assert torch.allclose(traced.module()(*inputs), learner(*inputs), atol=1e-5)


def test_values_are_checked_again_after_a_trace():
    learner = transformer()
    torch.export.export(learner, episode(2, 3, 4))
    x, y, q = episode(2, 3, 4)
    with pytest.raises(ValueError, match="context_y: expected labels"):
        learner(x, y + 5, q)


def test_an_onnx_file_answers_as_the_learner_does(tmp_path):
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    learner = transformer().train()
    path = ctxlearn.export(learner, tmp_path / "model.onnx")
    assert learner.training
    session = onnxruntime.InferenceSession(path)
    assert [i.name for i in session.get_inputs()] == ["context_x", "context_y", "query_x"]
    for sizes in ((3, 7, 5), (1, 4, 2), (4, 1, 1)):
        inputs = episode(*sizes)
        given = dict(zip(("context_x", "context_y", "query_x"), (t.numpy() for t in inputs), strict=True))
        found = torch.from_numpy(session.run(["output"], given)[0])
        assert torch.allclose(found, learner.eval()(*inputs), atol=1e-5)


def test_what_cannot_be_exported_is_named(tmp_path):
    pytest.importorskip("onnxscript")
    with pytest.raises(ValueError, match="learner: MAML cannot be written as ONNX"):
        ctxlearn.export(MAML(2, 3, steps=1, width=4), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_bad_arguments_are_named(tmp_path):
    with pytest.raises(ValueError, match="learner: expected a Learner, got 3"):
        ctxlearn.export(3, tmp_path / "model.onnx")
    with pytest.raises(ValueError, match="file: expected a path"):
        ctxlearn.export(ProtoNet(2, 3), 3)
    with pytest.raises(ValueError, match="n_features: expected a number, since NearestNeighbor"):
        ctxlearn.export(NearestNeighbor(), tmp_path / "model.onnx")


def test_a_file_that_cannot_be_written_says_so(tmp_path):
    pytest.importorskip("onnxscript")
    (tmp_path / "taken").write_text("")
    with pytest.raises(StorageError, match="taken"):
        ctxlearn.export(ProtoNet(2, 3), tmp_path / "taken" / "model.onnx")


def test_the_extra_that_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(ValueError, match=r'pip install "ctxlearn\[export\]"'):
        ctxlearn.export(ProtoNet(2, 3), tmp_path / "model.onnx")
