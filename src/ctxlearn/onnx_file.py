"""A learner as an ONNX file, which other programs and languages run without this library."""

from __future__ import annotations

import copy
import io
import logging
import os
import warnings
from contextlib import redirect_stdout
from pathlib import Path

import torch
from torch import nn

from ctxlearn.checks import check_features, describe
from ctxlearn.learners.base import Learner
from ctxlearn.storage import write_atomically

INPUTS = ("context_x", "context_y", "query_x")


def export(learner: Learner, file: Path | str, *, n_features: int | tuple[int, ...] | None = None) -> Path:
    """Write a learner to an ONNX file: from context_x, context_y and query_x to output, as calling it does.

    The numbers of tasks, context points and queries are free, except that there is at least one context point. Inputs are not
    checked there: what is not finite, or a label out of range, gives a wrong answer in silence. Needs the extra `export`
    (`pip install "ctxlearn[export]"`).

    Args:
        learner: any that `torch.export` can trace: transformers, `MatchNet`, `ProtoNet`, `CNP`, and ensembles of them.
        file: the path to write to.
        n_features: of one input, where the learner takes any.

    Returns:
        The path.

    Raises:
        ValueError: no learner, one that cannot be exported, or the extra is not installed.
        StorageError: the file cannot be written.
    """
    if not isinstance(learner, Learner):
        raise ValueError(f"learner: expected a Learner, got {describe(learner)}")
    if not isinstance(file, str | os.PathLike):
        raise ValueError(f"file: expected a path, got {describe(file)}")
    features = learner.n_features if n_features is None else n_features
    if features is None:
        raise ValueError(f"n_features: expected a number, since {type(learner).__name__} takes inputs of any")
    own: Learner = copy.deepcopy(learner).cpu().eval().requires_grad_(False)
    write_atomically(Path(file), _content(own, check_features("n_features", features)))
    return Path(file)


def _content(learner: Learner, shape: tuple[int, ...]) -> bytes:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ValueError(f'export: needs the extra "export": pip install "ctxlearn[export]" ({error})') from error
    first = next(learner.parameters(), None)
    dtype = torch.float32 if first is None else first.dtype
    # sizes that differ from each other and from the features, lest the trace takes two for one
    x, query = (torch.zeros(3, n, *shape, dtype=dtype) for n in (7, 5))
    y = torch.zeros(3, 7, dtype=dtype if learner.n_classes is None else torch.int64)
    free = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it tells what it does not know of other libraries
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), torch.no_grad():
            warnings.simplefilter("ignore")  # of its own use of torch
            program = torch.onnx.export(
                _Called(learner),
                (x, y, query),
                dynamo=True,
                dynamic_shapes=(free, free, free),
                input_names=INPUTS,
                output_names=["output"],
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        cause = str(error.__cause__ or error).strip().splitlines()
        raise ValueError(
            f"learner: {type(learner).__name__} cannot be written as ONNX, whose graphs have no branches on values and few"
            f" decompositions of matrices ({cause[0] if cause else 'no reason given'}); transformers, MatchNet, ProtoNet and CNP can"
        ) from error
    finally:
        logger.setLevel(level)
    assert program is not None
    content: bytes = program.model_proto.SerializeToString()
    return content


class _Called(nn.Module):
    """A learner whose answer is its last output: nothing is recorded of how it was made."""

    def __init__(self, learner: Learner) -> None:
        super().__init__()
        self.learner = learner

    def forward(self, context_x: torch.Tensor, context_y: torch.Tensor, query_x: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self.learner(context_x, context_y, query_x)
        return output
