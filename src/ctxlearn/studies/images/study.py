"""The study `images`: its trainings and its page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ctxlearn.learners import Learner
from ctxlearn.studies.base import Findings, Study, Workload, count, percent
from ctxlearn.studies.images.measuring import SCRIPTS, measure, results
from ctxlearn.studies.images.page import decide_claims, sections
from ctxlearn.studies.images.settings import (
    CLASSICAL,
    ICL,
    MOST_SHOTS,
    PIXELS,
    PROFILES,
    fresh_learner,
    training_family,
)
from ctxlearn.studies.store import Training
from ctxlearn.training import TrainingConfig


class ImagesStudy(Study):
    """Few-shot characters of unseen scripts (Appendix H)."""

    def trainings(self, profile: str, seed: int) -> dict[str, Training]:
        settings = PROFILES[profile]
        found = {}
        for way in settings.ways:
            config = TrainingConfig(
                steps=settings.steps[way],
                tasks_per_step=settings.tasks_per_step[way],
                n_points=way * (MOST_SHOTS + 1),
                learning_rate=settings.learning_rate,
                optimizer="adamw",
                seed=seed,
            )
            for name in (ICL, *CLASSICAL):
                learner = fresh_learner(name, settings, way, seed)
                found[f"{name}, {way}-way"] = Training(
                    f"{name}, {way}-way, seed {seed}", learner, training_family(way), config
                )
        return found

    def findings(self, profile: str, learners: Mapping[int, Mapping[str, Learner]], workload: Workload) -> Findings:
        settings = PROFILES[profile]
        measured = measure(settings, learners, workload)
        claims = decide_claims(settings, measured)
        verdicts = Counter(claim.verdict for claim in claims)
        way, shots = settings.ways[0], settings.shots[-1]
        icl, pixels = (percent(measured[SCRIPTS, way, shots, name].mean()) for name in (ICL, PIXELS))
        return Findings(
            title="Does a model that learns in context learn to read new scripts?",
            asked="Shown a few images of each of N characters of a writing system that it never saw, does an in-context transformer tell new "
            "images of them apart as well as learners made for few examples do, and better than comparing pixels?",
            found=f"On unseen scripts, {way}-way {shots}-shot, in-context learning gets {icl} % right, the nearest neighbour on pixels "
            f"{pixels} %. {verdicts['holds']} claims hold, {verdicts['undecided']} are undecided, {verdicts['fails']} fail.",
            sure=f"{count(settings.n_tasks, 'episode')} of each kind per seed, {count(len(learners), 'training seed')}; episodes share the "
            "scripts of one test split, so the intervals speak of new episodes of these scripts. One encoder, one training length."
            + (
                " The smoke profile only shows that everything runs: its numbers mean nothing."
                if profile == "smoke"
                else ""
            ),
            claims=claims,
            results=results(measured),
            sections=sections(settings, measured),
        )


STUDY = ImagesStudy()
