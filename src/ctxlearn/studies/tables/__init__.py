"""Real tables: does the model that comes with the package beat scikit-learn's classifiers with few labelled rows?

Refuted by: some classifier having a better average rank on the untouched tables with up to 32 labelled rows.
"""

from ctxlearn.studies.tables.study import STUDY, TablesStudy

__all__ = ["STUDY", "TablesStudy"]
