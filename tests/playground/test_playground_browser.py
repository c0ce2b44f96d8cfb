"""The playground in a real browser: what its pictures hold is compared, never their bytes."""

import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from ctxlearn.playground import Point, State
from ctxlearn.playground.answers import grid, probabilities
from ctxlearn.playground.choices import build, choices
from ctxlearn.playground.families import context, with_drawn_points

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: apt-get install chromium"),
]

KNOWN = choices()
QUICK = ("means", "nearest", "logistic")
START = State(points=(Point(-2, 2, 0), Point(2, -2, 1), Point(-1, 1, 0), Point(1, -1, 1)), learners=QUICK)
PATIENCE = 120_000  # milliseconds, of a machine that others use


@pytest.fixture(scope="module")
def address():
    command = [sys.executable, "-m", "ctxlearn", "playground", "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        yield re.search(r"http\S+", server.stdout.readline())[0]
        server.terminate()


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    """A page that fails its test where anything is asked of elsewhere, or an error is shown in the console."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE)
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    # what cannot be shown is refused with status 422, which Chromium notes
    yield page
    page.close()
    assert asked
    assert [url for url in asked if not url.startswith((address, "data:"))] == []
    assert [error for error in errors if "status of 422" not in error] == []


def opened(page, address, state=START):
    page.goto(f"{address}?{state.query()}")
    page.locator("body[data-followed]").wait_for()
    return followed(page)


def followed(page):
    """Wait until every panel shows the page's last change."""
    version = page.locator("body").get_attribute("data-version")
    page.locator(f'body[data-followed="{version}"]').wait_for()


def shown(page):
    """The state in the page's address."""
    return State.from_query(page.url.partition("?")[2])


def spot(page, x, y, view=4.0):
    box = page.locator("#plane").bounding_box()
    return box["x"] + box["width"] * (1 + x / view) / 2, box["y"] + box["height"] * (1 - y / view) / 2


def counts(page, key):
    """Cells of each class in a panel."""
    return [int(n) for n in page.locator(f'[data-learner="{key}"]').get_attribute("data-counts").split(",")]


def agrees(page, key):
    """Whether a panel's cells are counted as this process counts them, for the state in the address."""
    state = shown(page)
    x, y = context(state)
    p = probabilities(build(KNOWN, key, state), x[None], y[None], grid(state.view, 48), state.n_classes)[0]
    own = np.bincount((255 * p).round().argmax(1), minlength=state.n_classes)
    return np.abs(own - counts(page, key)).sum() <= 4


def colours(page, key):
    """How many pixels of a panel's picture are nearer to the first class's colour, and to the second's."""
    return page.locator(f'[data-learner="{key}"] canvas').evaluate(
        """(canvas) => {
            const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            let blue = 0, orange = 0;
            for (let i = 0; i < data.length; i += 4) {
                if (data[i + 2] > data[i] + 10) blue++;
                else if (data[i] > data[i + 2] + 10) orange++;
            }
            return [blue, orange];
        }"""
    )


def test_panels_show_what_the_learners_answer(page, address):
    opened(page, address)
    for key in QUICK:
        assert agrees(page, key)
        n_blue, n_orange = colours(page, key)
        share = counts(page, key)[0] / 48**2
        assert n_blue / (n_blue + n_orange) == pytest.approx(share, abs=0.06)


def test_a_click_places_a_point_of_the_chosen_class(page, address):
    opened(page, address)
    before = counts(page, "nearest")
    page.get_by_role("button", name="class C").click()
    page.mouse.click(*spot(page, 3, 3))
    followed(page)
    state = shown(page)
    assert len(state.points) == 5
    assert state.points[-1].label == 2
    assert (state.points[-1].x, state.points[-1].y) == (pytest.approx(3, abs=0.05), pytest.approx(3, abs=0.05))
    after = counts(page, "nearest")
    assert (len(before), len(after)) == (2, 3)
    assert after[2] > 0
    assert all(agrees(page, key) for key in QUICK)


def test_a_drag_moves_a_point_and_the_panels_follow(page, address):
    opened(page, address)
    page.mouse.move(*spot(page, 2, -2))
    page.mouse.down()
    for step in range(1, 9):
        page.mouse.move(*spot(page, 2, -2 + step * 5 / 8))
    page.mouse.up()
    followed(page)
    moved = shown(page).points[1]
    assert (moved.x, moved.y, moved.label) == (pytest.approx(2, abs=0.05), pytest.approx(3, abs=0.05), 1)
    assert len(shown(page).points) == 4
    assert all(agrees(page, key) for key in QUICK)
    times = page.evaluate("() => performance.getEntriesByName('followed').map((entry) => entry.detail.side)")
    assert 20 in times
    assert 48 in times


def test_a_flipped_label_shows_who_changed_their_mind(page, address):
    opened(page, address)
    page.get_by_role("button", name="Flip class").click()
    page.mouse.click(*spot(page, -1, 1))
    followed(page)
    assert [point.label for point in shown(page).points] == [0, 1, 1, 1]
    nearest = page.locator('[data-learner="nearest"]')
    assert float(nearest.get_attribute("data-moved")) > 0.05
    assert "The last change moved" in nearest.locator(".told").inner_text()
    assert all(agrees(page, key) for key in QUICK)


def test_a_point_is_deleted_by_tool_or_right_button(page, address):
    opened(page, address)
    page.mouse.click(*spot(page, -1, 1), button="right")
    followed(page)
    page.get_by_role("button", name="Delete").click()
    page.mouse.click(*spot(page, 1, -1))
    followed(page)
    assert shown(page).points == START.points[:2]


def test_learners_are_switched(page, address):
    opened(page, address)
    page.locator("#picker summary").click()
    page.get_by_role("checkbox", name="kernel regression").check()
    followed(page)
    page.get_by_role("checkbox", name="1-NN").uncheck()
    followed(page)
    assert shown(page).learners == ("means", "logistic", "kernel")
    assert [panel.get_attribute("data-learner") for panel in page.locator(".panel").all()] == [
        "means",
        "logistic",
        "kernel",
    ]
    assert agrees(page, "kernel")
    assert page.get_by_role("checkbox", name="MAML").is_disabled()


def test_an_address_makes_the_same_picture_elsewhere(page, address, browser):
    opened(page, address)
    page.mouse.click(*spot(page, 3, 1))
    followed(page)
    other = browser.new_page()
    other.set_default_timeout(PATIENCE)
    other.goto(page.url)
    other.locator("body[data-followed]").wait_for()
    followed(other)
    assert shown(other) == shown(page)
    for key in QUICK:
        assert counts(other, key) == counts(page, key)
        assert colours(other, key) == colours(page, key)
    other.close()


def test_points_of_a_task_are_added_and_scored_against_the_ceiling(page, address):
    opened(page, address, State(learners=QUICK))
    assert page.get_by_role("button", name="Add 1 point").is_disabled()
    page.locator("#family").select_option("Amortization")
    page.locator('body[data-version="2"]').wait_for()
    followed(page)
    assert (shown(page).seed, shown(page).drawn) == (1, 12)
    page.get_by_role("button", name="Add 1 point").click()
    page.locator('body[data-version="3"]').wait_for()
    followed(page)
    assert shown(page).points == with_drawn_points(shown(page)).points
    assert len(shown(page).points) == 13
    page.locator("#curves summary").click()
    page.locator("#curve-key", has_text="Bayes of the family").wait_for()
    page.locator("#curve polyline").nth(3).wait_for(state="attached")
    for key in QUICK:
        page.locator(f'[data-learner="{key}"] .score', has_text="of fresh points").wait_for()


def test_a_place_shows_what_its_answer_leans_on(page, address):
    opened(page, address, State(points=(Point(-2, 2, 0), Point(2, -2, 1), Point(1, 3, 1)), learners=QUICK))
    page.locator('[data-learner="nearest"] canvas').hover(position={"x": 60, "y": 60})
    told = page.locator('[data-learner="nearest"] .told', has_text="leans most on point")
    told.wait_for()
    assert told.inner_text().startswith("here A with 100")
    leans = page.locator('[data-learner="nearest"]').get_attribute("data-leans").split(",")
    assert [float(lean) > 0.9 for lean in leans] == [True, False, False]
    page.mouse.move(5, 5)
    page.locator('[data-learner="nearest"] .told', has_text=re.compile(r"^A \d+ %, B \d+ %")).wait_for()


def test_agreement_is_shown_as_bars_and_python_as_text(page, address):
    opened(page, address)
    page.locator("#alike summary").click()
    page.locator("#suspect").select_option("nearest")
    page.locator("#bars span").first.wait_for()
    page.locator("#bars > :first-child", has_text="1-NN").wait_for()
    page.locator("#code summary").click()
    page.locator("#python", has_text="regions = {").wait_for()
    assert "NearestNeighbor" in page.locator("#python").inner_text()


def test_numbers_have_lines_and_bands(page, address):
    opened(page, address)
    page.get_by_role("button", name="Numbers").click()
    page.locator('body[data-version="2"]').wait_for()
    followed(page)
    assert shown(page).mode == "numbers"
    assert page.get_by_role("button", name="class C").is_hidden()
    assert page.locator('[data-learner="shipped"]').get_attribute("data-bands") == "there"
    assert page.locator('[data-learner="nearest"]').get_attribute("data-bands") == "none"
    page.mouse.click(*spot(page, 1, 3, shown(page).view))
    followed(page)
    assert len(shown(page).points) == 13


def test_everything_can_be_done_by_keyboard(page, address):
    opened(page, address, State(learners=QUICK))
    page.locator("#plane").focus()
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowUp", "Enter", "Shift+ArrowLeft", "Enter"):
        page.keyboard.press(key)
    for key in ("n", "f", "Shift+ArrowDown", "n", "3", "Shift+ArrowLeft"):
        page.keyboard.press(key)
    followed(page)
    assert shown(page).points == (Point(0.2, 0, 1), Point(-0.8, 0.5, 2))
    page.keyboard.press("Delete")
    followed(page)
    assert shown(page).points == (Point(0.2, 0, 1),)
    assert "deleted" in page.locator("#said").inner_text()
    page.locator('[data-learner="means"] canvas').focus()
    page.keyboard.press("ArrowLeft")
    page.locator('[data-learner="means"] .told', has_text="here").wait_for()


def test_an_impossible_address_is_told_and_not_a_blank_page(page, address):
    page.goto(f"{address}?points=A0_1~B1_0~C3_3&learners=bayes~cnp~means~nobody")
    page.locator("body[data-followed]").wait_for()
    assert "2 classes here" in page.locator('[data-learner="bayes"] .why').inner_text()
    assert "must be trained first" in page.locator('[data-learner="cnp"] .why').inner_text()
    assert "nobody" in page.locator('[data-learner="nobody"] .why').inner_text()
    assert sum(counts(page, "means")) == 48**2


def test_an_address_that_cannot_be_read_is_told(page, address):
    page.goto(f"{address}?points=Q")
    page.locator("#said", has_text="cannot be read: points: expected").wait_for()
    page.locator("body[data-followed]").wait_for()
    assert shown(page).drawn == 12


def test_what_an_address_leaves_out_is_as_at_the_beginning(page, address):
    page.goto(f"{address}?mode=numbers&points=A-1_-1~A1_1")
    page.locator("body[data-followed]").wait_for()
    followed(page)
    assert shown(page) == State.from_query("mode=numbers&points=A-1_-1~A1_1")
    assert page.locator('[data-learner="bayes"]').get_attribute("data-bands") == "there"


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_wider_than_the_screen(page, address, width):
    page.set_viewport_size({"width": width, "height": 900})
    opened(page, address, with_drawn_points(State(seed=1, drawn=20, learners=QUICK)))
    for about in page.locator("details").all():
        about.evaluate("(details) => { details.open = true; }")
    page.locator("#bars span").first.wait_for()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    smallest = page.evaluate(
        """() => Math.min(...[...document.querySelectorAll("p, button, label, h2, text")]
            .filter((shown) => shown.getClientRects().length && shown.textContent && !shown.closest("svg"))
            .map((shown) => parseFloat(getComputedStyle(shown).fontSize)))"""
    )
    assert smallest >= 12
