"""A process that measures parts of the study `tables`: `python -m ctxlearn.studies.tables.worker`."""

from ctxlearn.studies.tables.measuring import measure_part
from ctxlearn.studies.worker import serve

if __name__ == "__main__":
    serve(measure_part)
