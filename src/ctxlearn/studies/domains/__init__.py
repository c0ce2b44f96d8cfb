"""Figure 5: does meta-learning over domains make an in-context model adapt better to a new domain from few tasks?

Refuted by: in-context learning that was given the same compute, and is then fine-tuned as well as its validation domains
allow, being as good on new domains from 64 tasks each.
"""

from __future__ import annotations

from ctxlearn import lab
from ctxlearn.studies.domains.claims import decide_claims
from ctxlearn.studies.domains.metrics import found, measurements, results
from ctxlearn.studies.domains.page import headline, section
from ctxlearn.studies.domains.settings import CLASSIFICATION, PROFILES, REGRESSION, Sizes


def plan(sizes: Sizes, seed: int) -> list[lab.Measurement]:
    """Everything that is measured on each kind of domains."""
    return [one for name, part in sizes.items() for one in measurements(name, part, seed)]


def present(sizes: Sizes, numbers: lab.Numbers) -> lab.Page:
    """The page."""
    measured = {name: found(name, part, numbers) for name, part in sizes.items()}
    claims = decide_claims(sizes, measured)
    part = sizes[REGRESSION]
    seeds = lab.count(numbers.seeds, "training seed")
    speak = (
        "intervals speak of these trained models on new domains"
        if numbers.seeds == 1
        else "intervals are Student's t over them"
    )
    return lab.Page(
        title="Does meta-learning over domains adapt better from few tasks?",
        asked="Tasks of one domain have something in common. A model that learns in context can be fine-tuned on tasks of a new"
        " domain. M2 trains it for that: MAML one level up, whose examples are tasks and whose network is the in-context model."
        f" Is M2 better on new domains, after adapting to {', '.join(f'{size:,}' for size in part.sizes[:-1])} or"
        f" {part.sizes[-1]:,} tasks, than in-context learning on tasks of all domains with the same compute?",
        found=f"{headline(part, measured[REGRESSION])} {lab.tally(claims)}",
        sure=f"{part.n_test} unseen domains of regression per training seed, {part.n_test_tasks} tasks each, and"
        f" {sizes[CLASSIFICATION].n_test} of classification. {seeds}: {speak}. One model size, one training length, one spread"
        " of domains.",
        claims=claims,
        results=results(numbers),
        sections=[section(name, part, measured[name]) for name, part in sizes.items()],
        tables={f"ways_{name}": one.ways for name, one in measured.items()},
    )


STUDY = lab.Study("domains", PROFILES, plan, present)
