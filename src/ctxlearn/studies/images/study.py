"""The study `images`: its trainings and its findings."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ctxlearn.evaluation.statistics import mean_interval
from ctxlearn.learners import Learner
from ctxlearn.studies.base import Findings, Study, Workload, count, percent
from ctxlearn.studies.claims import tally
from ctxlearn.studies.images.adapting import Adapted, measure_adapting
from ctxlearn.studies.images.deciding import decide_claims
from ctxlearn.studies.images.measuring import SCRIPTS, Accuracies, measure, results
from ctxlearn.studies.images.page import sections
from ctxlearn.studies.images.settings import CLASSICAL, ICL, PIXELS, PROFILES, Settings, trainings
from ctxlearn.studies.store import Training


class ImagesStudy(Study):
    """Few-shot characters of unseen scripts (Appendix H)."""

    def trainings(self, profile: str, seed: int) -> dict[str, Training]:
        return trainings(PROFILES[profile], seed)

    def findings(self, profile: str, learners: Mapping[int, Mapping[str, Learner]], workload: Workload) -> Findings:
        settings = PROFILES[profile]
        measured = measure(settings, learners, workload)
        adapted = measure_adapting(settings, learners, workload)
        claims = decide_claims(settings, measured, adapted)
        return Findings(
            title="Does a model that learns in context learn to read new scripts?",
            asked="Shown a few images of each of N characters of a writing system that it never saw, does an in-context transformer tell new "
            "images of them apart as well as learners made for few examples do, and better than comparing pixels?",
            found=f"{_found(settings, measured)} {tally(claims)}",
            sure=f"{count(settings.n_tasks, 'episode')} of each kind per seed, {count(len(learners), 'training seed')}; episodes share the "
            "scripts of one test split, so the intervals speak of new episodes of these scripts. One encoder, one training length, short enough for "
            "two cores: a learner far below the others here may have been given too few steps and not be worse.",
            claims=claims,
            results=results(measured),
            sections=sections(settings, measured, adapted),
            tables={"adapting": _adapting(adapted)},
        )


def _found(settings: Settings, measured: Accuracies) -> str:
    way, shots = settings.ways[0], settings.shots[-1]
    icl = percent(measured[SCRIPTS, way, shots, ICL].mean())
    others = ", ".join(f"{name} {percent(measured[SCRIPTS, way, shots, name].mean())}" for name in CLASSICAL)
    pixels = percent(measured[SCRIPTS, way, shots, PIXELS].mean())
    return (
        f"On unseen scripts, {way}-way {shots}-shot, in-context learning gets {icl} % right ({others}), the nearest neighbour on pixels "
        f"{pixels} %."
    )


def _adapting(adapted: Adapted) -> pd.DataFrame:
    """One row an arm, number of episodes and seed."""
    return pd.DataFrame(
        [
            {"arm": arm, "episodes": size, "seed": seed, **mean_interval(values).as_columns()}
            for (arm, size), by_seed in adapted.items()
            for seed, values in enumerate(by_seed)
        ]
    )


STUDY = ImagesStudy()
