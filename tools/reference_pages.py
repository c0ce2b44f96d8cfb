"""Write the reference's pages, which name what docstrings to show: `python tools/reference_pages.py`."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
PAGES = {
    "tasks": ("Tasks", "Distributions over tasks, `ctxlearn.tasks`.", ["tasks"]),
    "learners": ("Learners", "Learners that are trained, `ctxlearn.learners`.", ["learners"]),
    "references": ("References", "Learners without parameters, `ctxlearn.references`.", ["references"]),
    "training": (
        "Training",
        "The loop and what it takes, `ctxlearn.training`, and inner loops, `ctxlearn.inner_loop`.",
        ["training", "inner_loop"],
    ),
    "evaluation": (
        "Evaluation and identification",
        "Scores with intervals, `ctxlearn.evaluation`, and which algorithm a predictor runs, `ctxlearn.identification`.",
        ["evaluation", "identification"],
    ),
    "estimators": ("Estimators", "scikit-learn's face, `ctxlearn.estimators`.", ["estimators"]),
    "language": ("Language models", "Language models as learners, `ctxlearn.language`.", ["language"]),
    "lab": ("The lab", "Studies as data, `ctxlearn.lab`.", ["lab"]),
}


def page(title: str, about: str, rooms: list[str], seen: set[str]) -> str:
    """A page with every public class and function of some rooms that no page before it has; `seen` are those."""
    lines = [f"# {title}", "", about]
    for room in rooms:
        module = import_module(f"ctxlearn.{room}")
        for name in module.__all__:
            found = getattr(module, name)
            shown = inspect.isclass(found) or inspect.isfunction(found)
            if shown and found.__module__.startswith("ctxlearn.") and found.__name__ == name and name not in seen:
                seen.add(name)
                lines += ["", f"::: {found.__module__}.{name}"]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write all pages."""
    seen: set[str] = set()
    for name, (title, about, rooms) in PAGES.items():
        (FOLDER / f"{name}.md").write_text(page(title, about, rooms, seen))


if __name__ == "__main__":
    main()
