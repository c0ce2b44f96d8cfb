"""Evaluation: scores with intervals, and paired comparisons."""

from ctxlearn.evaluation.bursty import context_or_weights
from ctxlearn.evaluation.curves import (
    answer_prefixes,
    evaluate,
    paired_differences,
    score_output,
    score_prefixes,
    task_interval,
)
from ctxlearn.evaluation.hindsight import hindsight, hindsight_per_query

__all__ = [
    "answer_prefixes",
    "context_or_weights",
    "evaluate",
    "hindsight",
    "hindsight_per_query",
    "paired_differences",
    "score_output",
    "score_prefixes",
    "task_interval",
]
