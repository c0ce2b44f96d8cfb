"""How often `ctxlearn.identify` is right: on predictors whose algorithm is known, under a strong smooth nuisance.

    python -m benchmarks.identification                      # test boxes: 20 of each candidate and length, minutes
    python -m benchmarks.identification --boxes development  # what the thresholds were fixed on
    python -m benchmarks.identification --speed              # seconds for a small transformer, 6 lengths

A box is a candidate's log-odds, plus a smooth function of query and context of equal standard deviation, times a random
temperature. The function is drawn anew for each box and each replicate; half of them see the labels, half do not. Boxes
for development and for the test have other kinds of function and other seeds. Prints Markdown for docs/identification.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy import stats
from torch import Tensor

import ctxlearn
from ctxlearn.identification import default_candidates, draw_probes
from ctxlearn.identification.predictors import as_answers
from ctxlearn.identification.ranking import rank
from ctxlearn.identification.responses import Responses, respond
from ctxlearn.identification.views import Views, views_of
from ctxlearn.learners import InContextTransformer
from ctxlearn.threads import one_thread_per_operator

Function = Callable[[Tensor, Tensor, Tensor], Tensor]


class Nuisance:
    """A smooth random function (context_x, context_y, query_x) -> (B, q); `sees` says whether labels enter."""

    def __init__(self, seed: int, sees: bool, n_features: int = 2) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.sees, self.d = sees, n_features
        self.draw()

    def normal(self, *size: int) -> Tensor:
        return torch.randn(*size, generator=self.generator, dtype=torch.float64)

    def signs(self, y: Tensor) -> Tensor:
        return (2.0 * y.double() - 1 if self.sees else torch.ones_like(y, dtype=torch.float64))[..., None]

    def draw(self) -> None:
        raise NotImplementedError


class Waves(Nuisance):
    """Random Fourier features of the query and a random summary of the context. Development."""

    def draw(self) -> None:
        d = self.d
        self.v, self.c = 0.7 * self.normal(d + 1, 16), self.normal(16)
        self.w = torch.cat([0.5 * self.normal(d, 64), self.normal(16, 64)])
        self.b, self.a = 6.3 * self.normal(64), self.normal(64)

    def __call__(self, x: Tensor, y: Tensor, q: Tensor) -> Tensor:
        summary = torch.tanh(torch.cat([x.double(), self.signs(y)], -1) @ self.v + self.c).sum(1) / x.shape[1] ** 0.5
        both = torch.cat([q.double(), summary[:, None].expand(-1, q.shape[1], -1)], -1)
        return torch.cos(both @ self.w + self.b) @ self.a


class Network(Nuisance):
    """A random network of two tanh layers on the query and moments of the context, with and without labels. Development."""

    def draw(self) -> None:
        size = 4 * self.d + 1
        self.v, self.c = 2 * self.normal(size, 48) / size**0.5, self.normal(48)
        self.w, self.b, self.a = 1.5 * self.normal(48, 48) / 48**0.5, self.normal(48), self.normal(48)

    def __call__(self, x: Tensor, y: Tensor, q: Tensor) -> Tensor:
        x, s = x.double(), self.signs(y)
        moments = torch.cat([x.mean(1), x.square().mean(1), (s * x).mean(1), s.sum(1) / x.shape[1] ** 0.5], -1)
        both = torch.cat([q.double(), moments[:, None].expand(-1, q.shape[1], -1)], -1)
        return torch.tanh(torch.tanh(both @ self.v + self.c) @ self.w + self.b) @ self.a


class Attention(Nuisance):
    """A random attention of the query to the context, four heads, read out by a sine. Test."""

    def draw(self) -> None:
        d = self.d
        self.k, self.v = self.normal(4, d, d) / d**0.5, self.normal(4, d + 1, 12)
        self.own, self.b, self.a = 0.7 * self.normal(d, 48), 6.3 * self.normal(48), self.normal(48)

    def __call__(self, x: Tensor, y: Tensor, q: Tensor) -> Tensor:
        x, q = x.double(), q.double()
        scores = torch.einsum("bqd,hde,bne->bhqn", q, self.k, x).softmax(-1)
        values = torch.einsum("bnd,hdk->bhnk", torch.cat([x, self.signs(y)], -1), self.v)
        pooled = (scores @ values).permute(0, 2, 1, 3).flatten(2)
        return torch.sin(pooled + q @ self.own + self.b) @ self.a


class Bumps(Nuisance):
    """A random sum of bumps around random places, with weights from random bumps of the context's points. Test."""

    def draw(self) -> None:
        self.places, self.width = 2 * self.normal(24, self.d), 1.0 + self.normal(24).abs()
        self.there, self.mix = 2 * self.normal(32, self.d), self.normal(32, 24)
        self.tilt, self.plain = self.normal(32), self.normal(24)

    def __call__(self, x: Tensor, y: Tensor, q: Tensor) -> Tensor:
        near = torch.exp(-torch.cdist(x.double(), self.there).square() / 4)
        seen = (near * (1 + self.tilt * self.signs(y))).sum(1) / x.shape[1] ** 0.5
        weights = torch.tanh(seen @ self.mix) + 0.5 * self.plain
        bumps = torch.exp(-torch.cdist(q.double(), self.places).square() / (2 * self.width.square()))
        return (bumps @ weights[..., None])[..., 0]


KINDS: dict[str, tuple[type[Nuisance], ...]] = {"development": (Waves, Network), "test": (Attention, Bumps)}
SEEDS = {"development": 1_000_000, "test": 9_000_000}


def box(candidate: Responses, nuisance: Responses, temperature: float, ratio: float = 1.0) -> Responses:
    """The responses of temperature * (candidate / its deviation + ratio * nuisance / its deviation)."""
    a, b = (float(r.scores.std()) or 1.0 for r in (candidate, nuisance))
    pairs = ((getattr(candidate, k), getattr(nuisance, k)) for k in ("scores", "influence", "shuffled"))
    return Responses(*(temperature * (u / a + ratio * v / b) for u, v in pairs))


class Bench:
    """Candidates on probes of one length, and boxes made of them."""

    def __init__(self, n: int, boxes: str, seed: int, n_contexts: int = 192) -> None:
        self.n, self.kinds, self.base = n, KINDS[boxes], SEEDS[boxes] + 10_000 * seed
        self.probes = draw_probes(n, n_contexts, 8, 2, 2, seed=self.base + n)
        learners = default_candidates(2, 2)
        self.responses = {name: respond(as_answers(name, c, 2), self.probes) for name, c in learners.items()}
        self.views = {name: views_of(r, self.probes) for name, r in self.responses.items()}

    def box(self, name: str, number: int) -> Views:
        """Box `number` of a candidate: kinds of nuisance in turn, labels seen or not in turn."""
        seed = self.base + 2_000 * list(self.responses).index(name) + number + 100_000 * self.n
        nuisance = self.kinds[number % 2](seed, sees=number // 2 % 2 == 0)
        temperature = float(np.exp(np.random.default_rng(seed).normal()))
        answers = as_answers("nuisance", nuisance, 2)
        return views_of(box(self.responses[name], respond(answers, self.probes), temperature), self.probes)

    def untrained(self, seed: int) -> Views:
        network = InContextTransformer(2, 2, width=32, depth=2, heads=2, seed=self.base + seed).eval()
        return views_of(respond(as_answers("network", network, 2), self.probes), self.probes)

    def rank(self, predictors: Sequence[Views], without: str | None = None):
        views = {name: v for name, v in self.views.items() if name != without}
        return rank(predictors, views, level=0.95, seed=0)


def measure(bench: Bench, rounds: int) -> tuple[dict[str, list[bool]], dict[tuple[str, str], int]]:
    """Outcomes by what is asked, and how often each candidate came first, by the truth."""
    found: dict[str, list[bool]] = {
        k: [] for k in ("first", "in the class", "class of 2 at most", "accepted", "removed", "untrained")
    }
    confusion: dict[tuple[str, str], int] = {}
    for name in bench.views:
        for number in range(rounds):
            own, twin = bench.box(name, 2 * number + number % 2), bench.box(name, 2 * number + 1 - number % 2)
            alone, both = bench.rank([own]), bench.rank([own, twin])
            found["first"].append(alone.names[0] == name)
            found["in the class"].append(name in alone.top)
            found["class of 2 at most"].append(len(alone.top) <= 2)
            found["accepted"].append(name in both.top and both.accepted)
            found["removed"].append(not bench.rank([own, twin], without=name).accepted)
            confusion[name, alone.names[0]] = confusion.get((name, alone.names[0]), 0) + 1
    for number in range(2 * rounds):
        pair = [bench.untrained(2 * number), bench.untrained(2 * number + 1)]
        found["untrained"].append(not bench.rank(pair).accepted)
    return found, confusion


def rate(outcomes: Sequence[bool]) -> str:
    """Percent with Wilson's 95 % interval."""
    interval = stats.binomtest(sum(outcomes), len(outcomes)).proportion_ci(method="wilson")
    return f"{100 * np.mean(outcomes):.1f} ({100 * interval.low:.1f} to {100 * interval.high:.1f})"


def speed() -> None:
    network = InContextTransformer(2, 2)
    start = time.perf_counter()
    ctxlearn.identify(network)
    size = sum(p.numel() for p in network.parameters())
    took = time.perf_counter() - start
    print(f"{took:.1f} s: 192 contexts, 12 candidates, 6 lengths, a transformer of {size:,} parameters")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boxes", choices=tuple(KINDS), default="test")
    parser.add_argument("--rounds", type=int, default=20, help="boxes of each candidate at each length")
    parser.add_argument("--lengths", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--speed", action="store_true")
    options = parser.parse_args()
    if options.speed:
        return speed()
    results = {}
    with one_thread_per_operator():
        for n in options.lengths:
            results[n] = measure(Bench(n, options.boxes, options.seed), options.rounds)
    asked = list(next(iter(results.values()))[0])
    print(f"{options.boxes} boxes, {options.rounds} of each candidate and length; % (95 % interval)\n")
    print("| n | " + " | ".join(asked) + " |\n|" + "---|" * (len(asked) + 1))
    for n, (found, _) in results.items():
        print(f"| {n} | " + " | ".join(rate(found[k]) for k in asked) + " |")
    names = list(default_candidates(2, 2))
    for part, wanted in (("n = 2", [2]), ("n >= 4", [n for n in results if n >= 4])):
        print(f"\n{part}: how often (%) the algorithm of a row came first as the one of a column\n")
        print("| | " + " | ".join(names) + " |\n|" + "---|" * (len(names) + 1))
        for truth in names:
            counts = [sum(results[n][1].get((truth, name), 0) for n in wanted if n in results) for name in names]
            print(f"| {truth} | " + " | ".join(f"{100 * c / max(1, sum(counts)):.0f}" for c in counts) + " |")
    return None


if __name__ == "__main__":
    main()
