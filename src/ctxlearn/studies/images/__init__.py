"""Appendix H: does a model that learns in context learn to read new writing systems from one or five examples per character?

Refuted by: unseen scripts on which a classical learner with the same steps is better than in-context learning by more than a
point, or on which in-context learning is less than ten points above the nearest neighbour on pixels.
"""

from __future__ import annotations

from ctxlearn import lab
from ctxlearn.studies.images.claims import decide_claims
from ctxlearn.studies.images.fine_tuning import adapted_accuracies, script_measurements
from ctxlearn.studies.images.metrics import accuracies, episode_measurements
from ctxlearn.studies.images.page import headline, sections
from ctxlearn.studies.images.settings import PROFILES, Sizes, trainings


def plan(sizes: Sizes, seed: int) -> list[lab.Measurement]:
    """Every learner on episodes of every kind, and both arms adapted to new scripts."""
    trained = trainings(sizes, seed)
    return [*episode_measurements(sizes, trained, seed), *script_measurements(sizes, trained, seed)]


def present(sizes: Sizes, numbers: lab.Numbers) -> lab.Page:
    """The page."""
    accuracy, adapted = accuracies(sizes, numbers), adapted_accuracies(sizes, numbers)
    percents = adapted.map(lambda found: 100 * found)
    claims = decide_claims(sizes, accuracy, percents)
    episodes = {(name, f"{on}, {n}-way", int(n) * int(k)): found for (name, on, n, k), found in accuracy.items()}
    results = lab.Samples(episodes).frame("learner", "family", "length")
    return lab.Page(
        title="Does a model that learns in context learn to read new scripts?",
        asked="Shown a few images of each of N characters of a writing system that it never saw, does an in-context"
        " transformer tell new images of them apart as well as learners made for few examples do, and better than comparing"
        " pixels?",
        found=f"{headline(sizes, accuracy)} {lab.tally(claims)}",
        sure=f"{lab.count(sizes.n_tasks, 'episode')} of each kind per seed, {lab.count(numbers.seeds, 'training seed')}."
        " Episodes share the scripts of one test split, so the intervals speak of new episodes of these scripts. One encoder,"
        " one training length, short enough for two cores: a learner far below the others may only have had too few steps.",
        claims=claims,
        results=results.drop(columns="n_context").rename(columns={"length": "n_context"}),
        sections=sections(sizes, accuracy, percents),
        tables={"adapting": adapted.frame("arm", "episodes").drop(columns="n_context")},
    )


STUDY = lab.Study("images", PROFILES, plan, present)
