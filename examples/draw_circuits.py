"""Draw what each block of a constructed transformer does: `python examples/draw_circuits.py docs/figures`.

Columns are the registers of the stream, rows the blocks from first to last, each with its attention and its hidden
units: what a step reads is blue, what it adds to is orange.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ctxlearn.expressiveness import circuit
from ctxlearn.expressiveness.wiring import BIAS, Circuit, Head, Map, Units
from ctxlearn.learners import CNP, MLP, MatchNet, ProtoNet
from ctxlearn.references import GradientDescent

READ, WRITE = "#cfe3f3", "#fbdcc4"
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "ctxlearn",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Arial", "Helvetica"],
}
ROWS = list[tuple[str, dict[str, list[str]], dict[str, str]]]  # words, what is read and as what, what is written

LEARNERS = {
    "matchnet": ("MatchNet, cosine, softmax", MatchNet(2, 2)),
    "protonet": ("ProtoNet, two classes", ProtoNet(2, 2)),
    "cnp": ("CNP", CNP(2, 2)),
    "ridge": (
        "Gradient descent, ridge, 2 steps",
        GradientDescent(2, n_features=2, n_classes=None, penalty=0.1, encoder=MLP(2, 8)),
    ),
    "softmax-regression": (
        "Gradient descent, softmax regression, 2 steps",
        GradientDescent(2, loss="softmax", n_features=2, encoder=MLP(2, 8)),
    ),
}


def rows_of(plan: Circuit) -> ROWS:
    """The steps of a circuit in the order in which they happen."""
    names = {"x": "x", "label": "label", "is_query": "1 if query"}
    rows: ROWS = [("embedding", {}, {name: _inputs(source, names) for name, source in plan.embed.items() if source})]
    for number, layer in enumerate(plan.layers, start=1):
        words = f"block {number}: {layer.job}"
        if layer.heads:
            reads: dict[str, list[str]] = {}
            for head in layer.heads:
                for role, part in (("asks", head.query), ("key", head.key), ("value", head.value)):
                    for name in part:
                        if name != BIAS and part[name].any() and role not in reads.setdefault(name, []):
                            reads[name].append(role)
            kind = ("cosine " if layer.normalised else "") + layer.attention.replace("_mean", " / n")
            heads = f"{len(layer.heads)} heads" if len(layer.heads) > 1 else "1 head"
            slots = layer.heads[0].slots
            memory = "" if slots is None else f", {len(slots[0])} slot{'s' if len(slots[0]) > 1 else ''}"
            rows.append((f"{words}\nattention: {kind}, {heads}{memory}", reads, _written(layer.heads)))
            words = f"block {number}"
        if layer.units:
            read = {
                name: ["reads"] for unit in layer.units for name in unit.read if name != BIAS and unit.read[name].any()
            }
            rows.append((f"{words}\nhidden units", read, _written(layer.units)))
    rows.append((f"read-out ({plan.readout})", {name: ["reads"] for name in plan.out if name != BIAS}, {}))
    return rows


def _inputs(source: Map, names: dict[str, str]) -> str:
    if BIAS in source:  # a constant that is taken off again for a query
        return "1/C if context"
    return " + ".join(names[name] for name in source)


def _written(parts: Sequence[Head] | Sequence[Units]) -> dict[str, str]:
    return {name: "adds" for part in parts for name in part.write if part.write[name].any()}


def draw(title: str, plan: Circuit) -> Figure:
    """One circuit as a table of registers and steps."""
    rows, names = rows_of(plan), list(plan.registers)
    left, wide, high = 4.6, 1.25, 0.62
    size = (left + wide * len(names) + 0.2, high * (len(rows) + 1.6))
    figure = Figure(figsize=size)
    axes: Axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, size[0])
    axes.set_ylim(-size[1], 0)
    axes.axis("off")
    axes.text(0.1, -0.28, f"{title} (mask: {plan.mask})", fontsize=11, va="center", weight="bold")
    for i, name in enumerate(names):
        words = name.replace("mean of class", "mean of\nclass")
        axes.text(left + wide * (i + 0.5), -high * 1.05, words, fontsize=9, ha="center", va="center", weight="bold")
    for j, (words, reads, writes) in enumerate(rows):
        top = -high * (1.5 + j)
        axes.plot([0.1, size[0] - 0.1], [top, top], color="#bbbbbb", linewidth=0.6)
        head, _, rest = words.partition("\n")
        axes.text(0.1, top - high * (0.32 if rest else 0.5), head, fontsize=8, va="center")
        axes.text(0.1, top - high * 0.72, rest, fontsize=8, va="center", color="#555555")
        for i, name in enumerate(names):
            x = left + wide * i + 0.04
            both = name in reads and name in writes
            if name in reads:
                bottom, tall = (top - high * 0.5, high * 0.45) if both else (top - high * 0.95, high * 0.9)
                _cell(axes, x, bottom, wide - 0.08, tall, READ, ", ".join(reads[name]))
            if name in writes:
                tall = high * 0.45 if both else high * 0.9
                _cell(axes, x, top - high * 0.95, wide - 0.08, tall, WRITE, writes[name])
    return figure


def _cell(axes: Axes, x: float, y: float, wide: float, tall: float, colour: str, words: str) -> None:
    axes.add_patch(Rectangle((x, y), wide, tall, facecolor=colour, edgecolor="none"))
    axes.text(x + wide / 2, y + tall / 2, words, fontsize=8, ha="center", va="center")


def main(folder: Path) -> None:
    """Write one SVG a learner."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        for name, (title, learner) in LEARNERS.items():
            path = folder / f"circuit-{name}.svg"
            draw(title, circuit(learner)).savefig(path, metadata={"Date": None, "Creator": None})
            print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/figures"))
