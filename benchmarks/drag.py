"""How soon the playground's panels follow a drag, by the browser's own clock: `python -m benchmarks.drag`.

Starts `ctxlearn playground`, opens it in the system's Chromium, drags one of 60 points, and waits after each move until
every panel has been drawn again. Needs the extras `playground` and `browser`, and Chromium.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

import numpy as np
from playwright.sync_api import Page, sync_playwright

from ctxlearn.playground.families import with_drawn_points
from ctxlearn.playground.state import State

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
POINTS, MOVES, WARM = 60, 40, 5


def drag(page: Page, moves: int) -> np.ndarray:
    """Milliseconds from each move to the frame in which all panels have followed it."""
    box = page.locator("#plane").bounding_box()
    point = page.locator(".point").first.bounding_box()
    assert box is not None
    assert point is not None
    x, y = point["x"] + point["width"] / 2, point["y"] + point["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    seen = int(page.locator("body").get_attribute("data-followed") or 0)
    page.evaluate("performance.clearMeasures('followed')")
    for move in range(moves):
        angle = 2 * np.pi * move / 20
        page.mouse.move(
            box["x"] + box["width"] * (0.5 + 0.2 * np.cos(angle)),
            box["y"] + box["height"] * (0.5 + 0.2 * np.sin(angle)),
        )
        seen += 1
        page.locator(f'body[data-followed="{seen}"]').wait_for()
    times = page.evaluate("() => performance.getEntriesByName('followed').map((entry) => entry.duration)")
    page.mouse.up()
    return np.array(times)


def main() -> None:
    """Print median and slowest."""
    state = with_drawn_points(State(seed=3, drawn=POINTS))
    server = subprocess.Popen(
        [sys.executable, "-m", "ctxlearn", "playground", "--port", "0", "--no-browser"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        found = re.search(r"http\S+", server.stdout.readline())
        assert found is not None
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(f"{found[0]}?{state.query()}")
            page.locator("body[data-followed]").wait_for()
            drag(page, WARM)
            page.reload()
            page.locator("body[data-followed]").wait_for()
            times = drag(page, MOVES)
            browser.close()
    finally:
        server.terminate()
        server.wait()
    low, high = np.quantile(times, [0.1, 0.9])
    print(
        f"a drag with {POINTS} points and {len(state.learners)} panels: followed after {np.median(times):.0f} ms (median; 80 % between"
        f" {low:.0f} and {high:.0f}, slowest {times.max():.0f})"
    )


if __name__ == "__main__":
    main()
