"""A page whose words stand in a Markdown template."""

import pandas as pd
import pytest

from ctxlearn.lab import Claim, grid, held, page_from_template

WORDS = """
# Does {{ learner }} win?

Asked: whether it does,
on two lines.

Found: {{ tally(claims) }} Of the first group {{ held(claims, "g") }} hold.

Sure: {{ count(seeds, "seed") }}.{% if seeds == 2 %} Almost nothing can be decided.{% endif %}

## Accuracy
{% for place in places %}

![Curves on {{ place }}.](figure:curve-{{ place }})
Accuracy on {{ place }}: {{ "%.1f"|format(value) }} %.
{% endfor %}

[All of it, in % (mean).](table:all)

Words after a table.
"""


def claim(verdict="holds"):
    return Claim("a", "s", "u", 0.0, 0.0, 1.0, 0.0, "above", verdict, 1, 2, "g")


def page(folder, words=WORDS, **changed):
    (folder / "page.md").write_text(words)
    given = {
        "figures": {f"curve-{place}": grid(1, 1, 2, 2)[0] for place in "ab"},
        "tables": {"all": [{"": "first", "n = 1": "0.5"}, {"": "second", "n = 1": "0.7"}]},
        "values": {"learner": "<it>", "seeds": 2, "places": "ab", "value": 1.25},
    }
    return page_from_template(folder / "page.md", [claim(), claim("fails")], pd.DataFrame(), **{**given, **changed})


def test_a_template_becomes_a_page(tmp_path):
    made = page(tmp_path)
    assert (made.title, made.asked) == ("Does <it> win?", "whether it does, on two lines.")
    assert made.found == "1 claim holds, 0 are undecided, 1 fails. Of the first group 1 of 2 hold."
    assert made.sure == "2 seeds. Almost nothing can be decided."
    first, second = made.sections
    assert (first.title, second.title) == ("Accuracy", "")
    assert [(f.name, f.caption, f.alternative) for f in first.figures] == [
        (f"curve-{place}", f"Accuracy on {place}: 1.2 %.", f"Curves on {place}.") for place in "ab"
    ]
    (table,) = first.tables
    assert (table.caption, table.columns) == ("All of it, in % (mean).", ["", "n = 1"])
    assert table.rows == [["first", "0.5"], ["second", "0.7"]]
    assert second.paragraphs == ["Words after a table."]
    assert held([claim(), claim()], "g") == "all 2"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"words": WORDS.replace("learner", "lerner")}, "'lerner' is undefined"),
        ({"words": WORDS.replace("endfor", "enfor")}, "line"),
        ({"words": WORDS.replace("figure:curve", "figure:curv")}, "no figure 'curv-a'.*curve-a"),
        ({"words": WORDS.replace("table:all", "table:al")}, "no table 'al'.*all"),
        ({"words": WORDS.replace("[All of it", "All of it")}, "does not place the table 'all'"),
        ({"words": WORDS.replace("Asked: ", "")}, "expected # and the title"),
        ({"words": WORDS.replace("Sure: ", "## Sure\n")}, "has no sure"),
        ({"words": WORDS.replace("{{ learner }}", "{{ learner.__class__.__mro__ }}")}, "unsafe|undefined"),
    ],
)
def test_what_is_wrong_in_a_template_is_said(tmp_path, change, words):
    with pytest.raises(ValueError, match=rf"(?s)page\.md.*({words})"):
        page(tmp_path, **change)


def test_a_template_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere\.md"):
        page_from_template(tmp_path / "nowhere.md", [], pd.DataFrame())
