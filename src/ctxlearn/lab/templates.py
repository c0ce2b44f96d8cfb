"""A page from its words: a Markdown file beside the study, filled with numbers by Jinja2.

The file reads as the page does:

    # How many tasks turn memorising into learning?

    Asked: the question, for someone who has not read the paper.

    Found: what came out. {{ tally(claims) }}

    Sure: {{ count(sizes.n_tasks, "test task") }} per seed.

    ## A section

    A paragraph. {% if seeds == 1 %}Jinja2's statements may stand anywhere.{% endif %}

    ![The figure for someone who cannot see it.](figure:errors)
    The caption, in the same paragraph.

    [Caption of the table.](table:errors)

Figures that follow each other stand side by side. A statement alone on its line ends a paragraph, as a blank line does. No
other Markdown is read, and a name that is not given fails.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from jinja2.sandbox import ImmutableSandboxedEnvironment
from matplotlib.figure import Figure as Drawing

from ctxlearn.lab.claims import Claim, held, tally
from ctxlearn.lab.page import Figure, Page, Section, Table, cell, count, percent

Rows = pd.DataFrame | Sequence[Mapping[str, str]]
"""A table: text by column, row for row."""

FIELDS = ("Asked", "Found", "Sure")
FIGURE = re.compile(r"!\[(?P<alternative>.+?)\]\(figure:(?P<name>[^)]+)\) (?P<caption>.+)")
TABLE = re.compile(r"\[(?P<caption>.+)\]\(table:(?P<name>[^)]+)\)")
FUNCTIONS = {"cell": cell, "count": count, "held": held, "percent": percent, "tally": tally}
"""What a template may call, besides what Jinja2 brings."""


def page_from_template(
    template: Path | str,
    claims: list[Claim],
    results: pd.DataFrame,
    *,
    figures: Mapping[str, Drawing] | None = None,
    tables: Mapping[str, Rows] | None = None,
    values: Mapping[str, Any] | None = None,
    files: Mapping[str, pd.DataFrame] | None = None,
) -> Page:
    """A page whose words stand in a Markdown file; see this module.

    Args:
        template: the file, usually `Path(__file__).with_name("page.md")`.
        claims: the decided claims, in the template as `claims`.
        results: see `Page`.
        figures: drawings by the name that the template places them by, which is their file's name too.
        tables: tables likewise; columns are headed by their names.
        values: what else the template names.
        files: further tables to write as CSV, by file name without suffix.

    Raises:
        ValueError: the template cannot be read, names what is not given, or leaves out a figure or table that is.
    """
    path = Path(template)
    environment = ImmutableSandboxedEnvironment(
        loader=jinja2.FileSystemLoader(path.parent),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
    )
    try:
        text = environment.get_template(path.name).render({**FUNCTIONS, "claims": claims, **(values or {})})
    except jinja2.TemplateError as error:
        line = f", line {error.lineno}" if isinstance(error, jinja2.TemplateSyntaxError) else ""
        raise ValueError(f"{path}{line}: {error.message}") from error
    apart = re.sub(r"(?m)^(#+ .+)$", r"\n\1\n", text)
    blocks = [" ".join(block.split()) for block in re.split(r"\n\s*\n", apart)]
    words = _Words(path, dict(figures or {}), dict(tables or {}))
    for block in filter(None, blocks):
        words.read(block)
    return words.page(claims, results, dict(files or {}))


class _Words:
    """A filled template, read block by block.

    Args:
        path: of the template, for errors.
        figures: that it must place.
        tables: likewise.
    """

    def __init__(self, path: Path, figures: dict[str, Drawing], tables: dict[str, Rows]) -> None:
        self.path, self.figures, self.tables = path, figures, tables
        self.about: dict[str, str] = {}
        self.sections: list[Section] = []

    def read(self, block: str) -> None:
        field, _, rest = block.partition(": ")
        if block.startswith("## "):
            self.sections.append(Section(block[3:], []))
        elif block.startswith("# "):
            self.about["title"] = block[2:]
        elif field in FIELDS and not self.sections:
            self.about[field.lower()] = rest
        elif not self.sections:
            raise ValueError(
                f"{self.path}: expected # and the title, {', '.join(f'{f}:' for f in FIELDS)} and then a section, ## and its"
                f" title, got {block[:60]!r}"
            )
        elif found := FIGURE.fullmatch(block):
            drawing = self._taken(self.figures, "figure", found["name"])
            figure = Figure(found["name"], drawing, found["caption"], found["alternative"])
            last = self._section("tables")
            self.sections[-1] = replace(last, figures=[*last.figures, figure])
        elif found := TABLE.fullmatch(block):
            frame = pd.DataFrame(self._taken(self.tables, "table", found["name"]))
            rows = [[str(cell) for cell in row] for row in frame.itertuples(index=False)]
            last = self.sections[-1]
            table = Table(found["caption"], [str(column) for column in frame.columns], rows)
            self.sections[-1] = replace(last, tables=[*last.tables, table])
        else:
            last = self._section("figures", "tables")
            self.sections[-1] = replace(last, paragraphs=[*last.paragraphs, block])

    def page(self, claims: list[Claim], results: pd.DataFrame, files: dict[str, pd.DataFrame]) -> Page:
        missing = [name for name in ("title", *map(str.lower, FIELDS)) if name not in self.about]
        left = [f"figure {n!r}" for n in self.figures] + [f"table {n!r}" for n in self.tables]
        if missing or left:
            what = f"has no {', '.join(missing)}" if missing else f"does not place the {', the '.join(left)}"
            raise ValueError(f"{self.path}: {what}")
        return Page(**self.about, claims=claims, results=results, sections=self.sections, tables=files)

    def _taken(self, given: dict[str, Any], kind: str, name: str) -> Any:
        if name not in given:
            raise ValueError(f"{self.path}: no {kind} {name!r} to place; left are {', '.join(given) or 'none'}")
        return given.pop(name)

    def _section(self, *later: str) -> Section:
        """The last section, or one without title after it where that already has what is shown later."""
        if any(getattr(self.sections[-1], kind) for kind in later):
            self.sections.append(Section("", []))
        return self.sections[-1]
