"""Figure 4: does a curriculum over the difficulty of tasks make in-context learning converge faster, and end better?

Refuted by: a model that learns tasks of full difficulty in as many steps with the curriculum as without, where there is
a plateau to shorten; or a control without a plateau that gains as much.
"""

from __future__ import annotations

from collections.abc import Mapping

from ctxlearn.learners import Learner
from ctxlearn.studies.base import Findings, Study, Workload, count
from ctxlearn.studies.curriculum.claims import decide_claims
from ctxlearn.studies.curriculum.measuring import measure
from ctxlearn.studies.curriculum.page import headline, results, sections
from ctxlearn.studies.curriculum.settings import FULL, INTERLEAVED, PROFILES, trainings
from ctxlearn.studies.store import Training


class CurriculumStudy(Study):
    """The paper's curriculum, with its controls."""

    def trainings(self, profile: str, seed: int) -> dict[str, Training]:
        return trainings(PROFILES[profile], seed)

    def findings(self, profile: str, learners: Mapping[int, Mapping[str, Learner]], workload: Workload) -> Findings:
        settings = PROFILES[profile]
        measured = measure(settings, workload)
        claims = decide_claims(settings, measured)
        n_seeds = len(measured.arms[INTERLEAVED, FULL].seeds)
        return Findings(
            title="Does a curriculum make in-context learning faster?",
            asked="People learn from easy to hard. If training tasks begin with few inputs that matter and grow to all of them,"
            " does a transformer learn in context in fewer steps? Is it better in the end? And is it the order that helps?",
            found=headline(claims),
            sure=f"{count(n_seeds, 'training seed')} of the two main arms, {count(settings.n_tasks, 'test task')} of its own"
            f" each; the long run of both arms, {count(len(measured.long[FULL].seeds), 'seed')}. One model size, one plan, one"
            " learning rate for all arms: another rate may shorten the plateau of either.",
            claims=claims,
            results=results(settings, measured),
            sections=sections(settings, measured),
        )


STUDY = CurriculumStudy()
