"""Which algorithm does a predictor run? Candidates, probes, and the comparison."""

from ctxlearn.identification.candidates import default_candidates
from ctxlearn.identification.compare import identify
from ctxlearn.identification.one_context import agreement
from ctxlearn.identification.probes import Probes, draw_probes
from ctxlearn.identification.result import Identification, Verdict

__all__ = ["Identification", "Probes", "Verdict", "agreement", "default_candidates", "draw_probes", "identify"]
