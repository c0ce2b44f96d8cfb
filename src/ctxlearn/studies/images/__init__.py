"""Appendix H: does a model that learns in context learn to read new writing systems from one or five examples a character?

Refuted by: unseen scripts on which the best classical learner is better than in-context learning, or on which in-context
learning is less than ten points above the nearest neighbour on pixels.
"""

from ctxlearn.studies.images.study import STUDY, ImagesStudy

__all__ = ["STUDY", "ImagesStudy"]
