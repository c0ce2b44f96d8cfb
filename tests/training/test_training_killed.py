import random
import signal
from pathlib import Path

import pytest
import runs

VARIANTS = {
    **runs.VARIANTS,
    "with a source and an objective that have state": {
        "growing": True,
        "discounted": True,
        "shards": 1,
        "tasks_per_step": 2,
    },
}


def steps_drawn(journal):
    return [int(line) for line in Path(journal).read_text().split()] if Path(journal).exists() else []


def run_to_the_end(folder, changes):
    process = runs.start(runs.train_until, folder / "run", dict(changes), None, str(folder / "journal"))
    process.join()
    assert process.exitcode == 0
    return runs.result(folder / "run"), int((folder / "journal.events").read_text())


@pytest.mark.parametrize("name", VARIANTS)
def test_a_run_killed_at_random_events_ends_with_the_bits_of_one_that_was_not(name, tmp_path):
    (tmp_path / "whole").mkdir()
    expected, n_events = run_to_the_end(tmp_path / "whole", VARIANTS[name])
    out, kills, chance = tmp_path / "run", 0, random.Random(name)
    for attempt in range(5):
        journal = str(tmp_path / f"journal-{attempt}")
        held = runs.checkpoints(out)
        die_at = chance.randrange(n_events // 2) if attempt < 4 else None
        process = runs.start(runs.train_until, out, dict(VARIANTS[name]), die_at, journal)
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        kills += process.exitcode != 0
        drawn = steps_drawn(journal)
        if held and drawn:
            assert drawn[0] == int(held[-1][5:13])  # it went on from the newest checkpoint
        if process.exitcode == 0:
            break
    assert kills >= 2
    assert runs.result(out) == expected
    assert not list(out.rglob("*.tmp"))


def test_every_single_event_of_a_run_may_be_its_last(tmp_path):
    changes = {"steps": 2, "checkpoint_every": 1, "tasks_per_step": 2, "shards": 1, "log_every": 1}
    (tmp_path / "whole").mkdir()
    expected, n_events = run_to_the_end(tmp_path / "whole", changes)
    assert n_events >= 15
    for die_at in range(n_events):
        out = tmp_path / f"run-{die_at}"
        for wanted in (die_at, None):
            process = runs.start(
                runs.train_until, out, dict(changes), wanted, str(tmp_path / f"journal-{die_at}-{wanted}")
            )
            process.join()
            assert process.exitcode == (0 if wanted is None else -signal.SIGKILL), die_at
        assert runs.result(out) == expected, die_at
        assert not list(out.rglob("*.tmp")), die_at


def test_a_run_killed_from_outside_at_random_moments_ends_with_the_same_bits(tmp_path):
    changes = {"steps": 200, "checkpoint_every": 7}
    (tmp_path / "whole").mkdir()
    expected, _ = run_to_the_end(tmp_path / "whole", changes)
    out, chance = tmp_path / "run", random.Random(0)
    for attempt in range(4):
        journal, wanted = tmp_path / f"journal-{attempt}", chance.randrange(20, 90)
        process = runs.start(runs.train_until, out, dict(changes), None, str(journal))
        while process.is_alive() and len(steps_drawn(journal)) < wanted:
            process.join(0.005)
        process.kill()
        process.join()
        if process.exitcode == 0:
            break
    run = runs.start(runs.train_until, out, dict(changes), None, str(tmp_path / "journal"))
    run.join()
    assert runs.result(out) == expected
    assert [int(name[5:13]) for name in runs.checkpoints(out)] == [196, 200]
