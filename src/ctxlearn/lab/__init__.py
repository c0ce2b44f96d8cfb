"""A study of one's own: what to train, whom to compare on which tasks, claims that can fail, and a page.

A `Study` names `Cell`s, in which learners meet on the same test tasks, and other `Measurement`s. `ctxlearn.reproduce`
trains and measures what is missing, in one pool of jobs, and keeps it on disk under what it depends on. `present` turns
the `Numbers` into a `Page`: claims decided `together`, figures from tidy tables, and words.
"""

from ctxlearn.colours import BLACK, BLUE, GREEN, GREY, LEMON, ORANGE, PINK, SKY, YELLOW
from ctxlearn.jobs.calls import Call, Kept, call
from ctxlearn.jobs.cells import Cell, Contestant, Contestants, Planned, answer, decision, score
from ctxlearn.jobs.job import Job, run_job
from ctxlearn.jobs.measurement import Key, Measurement
from ctxlearn.jobs.pool import Executor, JobFailed
from ctxlearn.jobs.store import Store
from ctxlearn.jobs.sweep import Sweep, sweep
from ctxlearn.jobs.trainings import Training
from ctxlearn.lab.claims import Claim, Says, held, tally, together
from ctxlearn.lab.estimates import Estimate, Fact, Least, interval_of
from ctxlearn.lab.page import Figure, Page, Section, Table, cell, count, percent
from ctxlearn.lab.plots import (
    CHANCE,
    DOTTED,
    RC,
    Style,
    draw_levels,
    draw_lines,
    forest,
    grid,
    interval_rows,
    label,
    legend_below,
    lines,
    name_axes,
    shared_legend,
)
from ctxlearn.lab.reproduction import StudyResult, reproduce_study
from ctxlearn.lab.samples import NotPaired, Numbers, Paired, Samples, average, side_by_side
from ctxlearn.lab.study import Study
from ctxlearn.lab.templates import page_from_template

# fmt: off
__all__ = [  # noqa: RUF022 (by what they are for)
    # what is trained and measured
    "Call", "Cell", "Contestant", "Contestants", "Executor", "Job", "JobFailed", "Kept", "Key", "Measurement",
    "Planned", "Store", "Sweep", "Training", "answer", "call", "decision", "run_job", "score", "sweep",
    # numbers and claims
    "Claim", "Estimate", "Fact", "Least", "NotPaired", "Numbers", "Paired", "Samples", "Says", "average", "held",
    "interval_of", "side_by_side", "tally", "together",
    # pages
    "Figure", "Page", "Section", "Table", "cell", "count", "page_from_template", "percent",
    # figures
    "BLACK", "BLUE", "CHANCE", "DOTTED", "GREEN", "GREY", "LEMON", "ORANGE", "PINK", "RC", "SKY", "YELLOW", "Style",
    "draw_levels", "draw_lines", "forest", "grid", "interval_rows", "label", "legend_below", "lines", "name_axes",
    "shared_legend",
    # studies
    "Study", "StudyResult", "reproduce_study",
]
# fmt: on
