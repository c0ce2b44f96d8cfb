"""Figure 4: does a curriculum over the difficulty of tasks make in-context learning converge faster, and end better?

Refuted by: a model that learns tasks of full difficulty in as many steps with the curriculum as without, where there is
a plateau to shorten; or a control without a plateau that gains as much.
"""

from __future__ import annotations

from ctxlearn import lab
from ctxlearn.studies.curriculum.claims import decide_claims
from ctxlearn.studies.curriculum.metrics import found, plan
from ctxlearn.studies.curriculum.page import headline, results, sections
from ctxlearn.studies.curriculum.settings import FULL, INTERLEAVED, PROFILES, Sizes


def present(sizes: Sizes, numbers: lab.Numbers) -> lab.Page:
    """The page."""
    measured = found(numbers)
    claims = decide_claims(sizes, measured)
    n_seeds = len(measured.arms[INTERLEAVED, FULL].errors.seeds)
    return lab.Page(
        title="Does a curriculum make in-context learning faster?",
        asked="People learn from easy to hard. If training tasks begin with few inputs that matter and grow to all of them,"
        " does a transformer learn in context in fewer steps? Is it better in the end? And is it the order that helps?",
        found=headline(claims),
        sure=f"{lab.count(n_seeds, 'training seed')} of the two main arms, {lab.count(sizes.n_tasks, 'test task')} of its own"
        f" each; the long run of both arms, {lab.count(len(measured.long[FULL].errors.seeds), 'seed')}. One model size, one plan, one"
        " learning rate for all arms: another rate may shorten the plateau of either.",
        claims=claims,
        results=results(sizes, measured),
        sections=sections(sizes, measured),
    )


STUDY = lab.Study("curriculum", PROFILES, plan, present)
