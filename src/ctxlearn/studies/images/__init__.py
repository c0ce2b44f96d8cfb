"""Appendix H: does a model that learns in context learn to read new writing systems from one or five examples a character?

Refuted by: unseen scripts on which a classical learner with the same steps is better than in-context learning by more than a
point, or on which in-context learning is less than ten points above the nearest neighbour on pixels.
"""

from ctxlearn.studies.images.study import STUDY, ImagesStudy

__all__ = ["STUDY", "ImagesStudy"]
