"""The study `domains`: its trainings and its page."""

from __future__ import annotations

from collections.abc import Mapping

from ctxlearn.learners import InContextTransformer, Learner
from ctxlearn.studies.base import Findings, Study, Workload, count
from ctxlearn.studies.claims import tally
from ctxlearn.studies.domains.deciding import decide_claims
from ctxlearn.studies.domains.measuring import ICL, M2, measure, results
from ctxlearn.studies.domains.page import found, section
from ctxlearn.studies.domains.settings import PROFILES, Part
from ctxlearn.studies.store import Training
from ctxlearn.training import Adaptable, AllPrefixes, DomainSource, MetaAdaptation, TrainingConfig


class DomainsStudy(Study):
    """Meta-learning over domains against in-context learning (Figure 5)."""

    def trainings(self, profile: str, seed: int) -> dict[str, Training]:
        return {
            f"{name}, {arm}": make(name, part, seed)
            for name, part in PROFILES[profile].items()
            for arm, make in ((M2, m2_training), (ICL, icl_training))
        }

    def findings(self, profile: str, learners: Mapping[int, Mapping[str, Learner]], workload: Workload) -> Findings:
        parts = PROFILES[profile]
        measured = {}
        for name, part in parts.items():
            arms = {seed: {arm: named[f"{name}, {arm}"] for arm in (M2, ICL)} for seed, named in learners.items()}
            measured[name] = measure(part, arms, workload, name)
        claims = decide_claims(parts, measured)
        part = parts["regression"]
        return Findings(
            title="Does meta-learning over domains adapt better from few tasks?",
            asked="Tasks of one domain have something in common. A model that learns in context can be fine-tuned on tasks of a new domain. M2 "
            "trains it for that: MAML one level up, whose examples are tasks and whose network is the in-context model. Is M2 better on new "
            f"domains, after adapting to {', '.join(f'{size:,}' for size in part.sizes[:-1])} or {part.sizes[-1]:,} tasks, than in-context "
            "learning on tasks of all domains with the same compute?",
            found=f"{found(parts, measured)} {tally(claims)}",
            sure=f"{part.n_test} unseen domains of regression per training seed, {part.n_test_tasks} tasks each, and "
            f"{parts['classification'].n_test} of classification; {count(len(learners), 'training seed')}. "
            + (
                "With one seed the intervals speak of these trained models on new domains, not of new trainings. "
                if len(learners) == 1
                else "Intervals are Student's t over the seeds. "
            )
            + "One model size, one training length, one spread of domains.",
            claims=claims,
            results=results(measured),
            sections=[section(name, parts[name], measured[name]) for name in parts],
            tables={f"ways_{name}": measured[name].ways for name in parts},
        )


def fresh_learner(part: Part, seed: int) -> InContextTransformer:
    """The untrained model of both arms."""
    return InContextTransformer(
        part.domains.n_features,
        part.domains.n_classes,
        width=part.width,
        depth=part.depth,
        heads=part.heads,
        mask="causal",
        seed=seed,
    )


def m2_training(name: str, part: Part, seed: int) -> Training:
    """M2: a learner with learned inner step sizes, over domains. A shard has one domain."""
    source = DomainSource(part.domains, 1, part.n_tasks, part.n_tasks, part.n_points)
    learner = Adaptable(fresh_learner(part, seed), part.adaptation)
    config = TrainingConfig(
        steps=part.meta_steps,
        # what the store weighs trainings by
        tasks_per_step=round(part.passes_per_meta_step),
        shards=part.n_domains,
        n_points=part.n_points,
        optimizer=part.optimizer,
        learning_rate=part.learning_rate,
        averaging=0.99,
        seed=seed,
        checkpoint_every=100,
    )
    return Training(f"M2, {name}, seed {seed}", learner, source, config, MetaAdaptation(divergence="skip"))


def icl_training(name: str, part: Part, seed: int) -> Training:
    """In-context learning: the plain loss on tasks each of a domain of its own."""
    config = TrainingConfig(
        steps=part.plain_steps,
        tasks_per_step=part.batch,
        shards=1,
        n_points=part.n_points,
        optimizer=part.optimizer,
        learning_rate=part.learning_rate,
        averaging=0.99,
        seed=seed,
        checkpoint_every=2000,
    )
    return Training(
        f"ICL, {name}, seed {seed}", fresh_learner(part, seed), part.domains.pooled(), config, AllPrefixes()
    )


STUDY = DomainsStudy()
