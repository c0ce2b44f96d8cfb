"""Evaluation: scores with intervals, and paired comparisons."""

from ctxlearn.evaluation.curves import evaluate, paired_differences, score_output, score_prefixes, task_interval

__all__ = ["evaluate", "paired_differences", "score_output", "score_prefixes", "task_interval"]
