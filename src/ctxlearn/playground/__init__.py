"""A plane to place points on, and what each learner makes of them: `ctxlearn playground`."""

from ctxlearn.playground.state import Point, State

__all__ = ["Point", "State"]
