import io
import sys

import pytest

from ctxlearn.progress import progress_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_log_gets_a_line_now_and_then_and_not_one_a_step(monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    with progress_bar(10_000, "work", shown=True, file=log) as bar:
        for _ in range(10_000):
            bar.update()
    assert log.getvalue().count("\r") <= 3  # its beginning, its end
    assert "100%" in log.getvalue()


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_nothing_is_drawn_when_it_is_not_asked_for(stream, monkeypatch):
    log = stream()
    monkeypatch.setattr(sys, "stderr", log)
    with progress_bar(3, "work", shown=False, file=log) as bar:
        bar.update(3)
    assert log.getvalue() == ""


def test_a_terminal_is_drawn_to_more_often_than_a_log(monkeypatch):
    intervals = []
    for stream in (io.StringIO(), Terminal()):
        monkeypatch.setattr(sys, "stderr", stream)
        with progress_bar(3, "work", shown=True, file=stream) as bar:
            intervals.append(bar.mininterval)
    assert intervals[0] > 100 * intervals[1]
