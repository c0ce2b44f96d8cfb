"""The lab: what is planned, measured once, found again, paired and decided."""

import importlib
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

import ctxlearn
from ctxlearn.evaluation.statistics import BOUNDLESS, CLAIM_LEVEL, Interval, mean_interval, simultaneous_level
from ctxlearn.jobs.cells import all_measurements
from ctxlearn.lab import (
    Cell,
    Claim,
    Least,
    Measurement,
    NotPaired,
    Numbers,
    Page,
    Paired,
    Samples,
    Says,
    Study,
    Training,
    average,
    call,
    reproduce_study,
    side_by_side,
    tally,
    together,
)
from ctxlearn.learners import ProtoNet
from ctxlearn.references import LinearPool, NearestNeighbor
from ctxlearn.storage import CorruptFileError
from ctxlearn.tasks import Amortization, ClassPrototype
from ctxlearn.training import TrainingConfig

CONFIG = TrainingConfig(steps=2, tasks_per_step=4, n_points=5, progress=False)


def plan(sizes, seed, learner=None):
    trained = Training(f"protonet {seed}", ProtoNet(2, 2, seed=seed), ClassPrototype(), replace(CONFIG, seed=seed))
    contestants = {"trained": trained, "rival": learner or NearestNeighbor(2, 2)}
    return [Cell(("prototypes",), ClassPrototype(), contestants, seed, sizes["n_tasks"], 5)]


def present(sizes, numbers, words="better"):
    accuracy = numbers["score"].map(lambda found: 100 * found.averaged())
    gap = accuracy["trained", "prototypes"] - accuracy["rival", "prototypes"]
    claims = together("only", [Says("wins", f"Trained is {words}", "points", gap)])
    return Page("t", "asked?", tally(claims), "sure", claims, numbers["score"].frame("learner", "family"))


STUDY = Study("tiny", {"quick": {"n_tasks": 6}}, plan, present)


def test_a_study_of_ones_own_trains_measures_and_writes(tmp_path):
    result = reproduce_study(STUDY, seeds=2, jobs=1, out=tmp_path / "out", progress=False)
    assert result.jobs_done == 2 + 4
    (claim,) = result.claims
    assert (claim.seeds, claim.n_tasks) == (2, 12)
    assert set(result.results["learner"]) == {"trained", "rival"}
    assert "Trained is better" in result.report.read_text()


def test_drawing_again_after_a_change_of_words_does_nothing_else(tmp_path):
    reproduce_study(STUDY, jobs=1, out=tmp_path, progress=False)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("*.safetensors")}
    reworded = replace(STUDY, present=lambda sizes, numbers: present(sizes, numbers, words="worse"))
    again = reproduce_study(reworded, jobs=1, out=tmp_path, progress=False)
    assert again.jobs_done == 0
    assert "Trained is worse" in again.report.read_text()
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("*.safetensors")} == before


def test_a_changed_learner_is_measured_anew_and_its_rivals_are_not(tmp_path):
    reproduce_study(STUDY, jobs=1, out=tmp_path, progress=False)
    other = replace(STUDY, plan=lambda sizes, seed: plan(sizes, seed, ProtoNet(2, 2, encoder="identity")))
    assert reproduce_study(other, jobs=1, out=tmp_path, progress=False).jobs_done == 1
    more = replace(STUDY, profiles={"quick": {"n_tasks": 7}})
    assert reproduce_study(more, jobs=1, out=tmp_path, progress=False).jobs_done == 2


def test_processes_give_the_same_bytes_and_studies_share_what_they_have_in_common(tmp_path):
    here = reproduce_study(STUDY, seeds=2, jobs=1, out=tmp_path / "here", progress=False)
    beside = reproduce_study(STUDY, seeds=2, jobs=2, out=tmp_path / "beside", progress=False)
    samples = [{p.name: p.read_bytes() for p in (r.folder / "runs/samples").iterdir()} for r in (here, beside)]
    assert samples[0] == samples[1]
    assert len(samples[0]) == 4
    other = replace(STUDY, name="other")
    shared = reproduce_study(other, seeds=2, out=tmp_path / "other", runs=here.folder / "runs", progress=False)
    assert shared.jobs_done == 0


SLOW = """
from pathlib import Path
import time
import numpy as np
from ctxlearn.lab import Measurement, Page, Study, call

HERE = Path(__file__).parent

def measure(number):
    with (HERE / "measured").open("a") as file:
        file.write(f"{number} ")
    while number >= 2 and not (HERE / "go").exists():
        time.sleep(0.01)
    return {"value": np.full(3, number)}

def plan(sizes, seed):
    return [Measurement((number,), seed, call(measure, number)) for number in range(4)]

def present(sizes, numbers):
    return Page("t", "a", "f", "s", [], numbers["value"].frame("number"))

STUDY = Study("slow", {"quick": None}, plan, present)
"""


def test_killed_while_measuring_it_goes_on_there(tmp_path, monkeypatch):
    (tmp_path / "slow_study.py").write_text(SLOW)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    code = "import ctxlearn; ctxlearn.reproduce('slow_study.STUDY', jobs=1, out='out', progress=False)"
    process = subprocess.Popen([sys.executable, "-c", code])
    samples = tmp_path / "out" / "runs" / "samples"
    while process.poll() is None and "2" not in read(tmp_path / "measured"):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(list(samples.iterdir())) == 2
    assert not (tmp_path / "out" / "claims.json").exists()
    (tmp_path / "go").touch()
    result = ctxlearn.reproduce("slow_study.STUDY", jobs=1, out="out", progress=False)
    assert result.jobs_done == 2
    assert read(tmp_path / "measured").split() == ["0", "1", "2", "2", "3"]
    assert result.results["mean"].tolist() == [0, 1, 2, 3]


def test_a_damaged_measurement_says_how_to_mend_it(tmp_path):
    reproduce_study(STUDY, jobs=1, out=tmp_path, progress=False)
    path = next((tmp_path / "runs" / "samples").iterdir())
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(CorruptFileError, match=rf"{path.name}.*remove it, and the same call measures it again"):
        reproduce_study(STUDY, jobs=1, out=tmp_path, progress=False)
    path.unlink()
    assert reproduce_study(STUDY, jobs=1, out=tmp_path, progress=False).jobs_done == 1


NOTEBOOK = """
import numpy as np, ctxlearn
from ctxlearn.lab import Cell, Measurement, Page, Study, Training, call
from ctxlearn.learners import ProtoNet
from ctxlearn.tasks import ClassPrototype
class Mine(ClassPrototype):
    def __init__(self, scale=2.0):
        super().__init__(scale=scale)
class Own(ProtoNet):
    pass
def measure(learner, number):
    return {"value": np.full(3, NUMBER * number)}
def plan(sizes, seed):
    config = ctxlearn.TrainingConfig(steps=1, tasks_per_step=4, n_points=5)
    trained = Training("it", Own(2, 2), Mine(), config)
    return [Cell(("c",), Mine(), {"own": trained}, seed, 4, 5), Measurement(("it",), seed, call(measure, trained, 3))]
def present(sizes, numbers):
    return Page("t", "a", "f", "s", [], numbers["value"].frame("it"))
study = Study("note", {"quick": 0}, plan, present)
for NUMBER in (1, 2):
    print(ctxlearn.reproduce(study, jobs=2, progress=False).jobs_done)
"""


def test_a_study_of_classes_that_only_this_process_has_runs_in_it(tmp_path):
    """As in a notebook: no file, no source, everything in `__main__`."""
    done = subprocess.run([sys.executable, "-c", NOTEBOOK], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["3", "1"]  # a changed constant is seen there too


def read(path):
    return path.read_text() if path.exists() else ""


def test_a_changed_measure_is_measured_anew_but_not_for_its_comments(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    text = SLOW.replace("number >= 2", "False").replace(
        "def measure", "FACTOR = 1\n\ndef inner(x):\n    return x * FACTOR\n\ndef measure"
    )
    text = text.replace("np.full(3, number)", "np.full(3, inner(number))")

    def done(source):
        (tmp_path / "changing_study.py").write_text(source)
        sys.modules.pop("changing_study", None)
        importlib.invalidate_caches()
        return ctxlearn.reproduce("changing_study.STUDY", jobs=1, out="out", progress=False).jobs_done

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert done(text) == 4
    assert (
        done(text.replace("def inner", "# why\ndef inner").replace("(number):\n", '(number):\n    "A docstring."\n'))
        == 0
    )
    assert done(text.replace("x * FACTOR", "x * FACTOR + 1")) == 4
    assert done(text.replace("FACTOR = 1", "FACTOR = 2 ")) == 4
    assert done(text.replace('Page("t"', 'Page("another title"')) == 0


def gap(values, seeds=(0,), tasks=None):
    values = np.atleast_2d(np.asarray(values, dtype=float))
    return Paired(values, tuple(seeds), tuple(tasks or ["t"] * len(values)))


@pytest.mark.parametrize("n_claims", [1, 2, 5])
def test_the_correction_is_the_size_of_the_group(n_claims):
    values = np.random.default_rng(0).normal(size=(3, 20))
    says = [Says(f"claim-{i}", "s", "u", gap(values, range(3))) for i in range(n_claims)]
    expected = mean_interval(values, level=simultaneous_level(CLAIM_LEVEL, n_claims))
    for claim in together("group", says):
        assert (claim.low, claim.value, claim.high) == (expected.low, expected.value, expected.high)
        assert claim.group == "group"


class Bounds:
    def interval(self, level):
        return Interval(1.0, 1 - level, 1 + level, 10, 1, level)


def test_a_claim_may_rest_on_an_estimate_with_bounds_of_its_own():
    below = Says("a", "It is small", "u", Bounds(), threshold=3.0, better="below")
    (first, second) = together("g", [below, Says("b", "It is large", "u", Bounds(), threshold=3.0)])
    assert (first.verdict, second.verdict) == ("holds", "fails")
    assert first.claim == "It is small (this trained model; one seed)"
    assert first.high == pytest.approx(1 + simultaneous_level(CLAIM_LEVEL, 2))
    with pytest.raises(ValueError, match="better"):
        Says("a", "s", "u", Bounds(), better="over")


def test_the_least_of_several_differences_is_above_zero_only_if_all_are_and_below_if_one_is_for_all_their_number():
    random = np.random.default_rng(1)
    gaps = {name: gap(middle + random.normal(size=(1, 400))) for name, middle in (("a", 2.0), ("b", 1.0), ("c", 3.0))}
    least = Least(gaps)
    found = least.interval(0.9)
    assert least.closest == "b"
    assert found.value == gaps["b"].mean()
    assert found.low == min(gap.interval(0.9).low for gap in gaps.values()) > 0
    assert found.high == gaps["b"].interval(1 - 0.1 / 3).high > gaps["b"].interval(0.9).high


def test_a_part_of_samples_is_found_by_some_places_of_its_keys():
    found = Samples({(who, n, where): gap([n, n + 1]) for who in "ab" for n in (1, 2) for where in ("x", "y")})
    assert list(found.part("a")) == [(1, "x"), (1, "y"), (2, "x"), (2, "y")]
    assert list(found.part(None, 2, "y")) == [("a",), ("b",)]
    assert found.part(None, 2)["b", "x"].mean() == 2.5
    assert list(found.part("c")) == []
    curves = Samples({("a",): Paired(np.array([[[9.0, 1, 2]]]), (0,), ("t",))})
    assert curves.averaged(100)["a"].values.tolist() == [[150.0]]


def test_claims_are_counted_in_whole_sentences_and_an_unbounded_one_is_said_to_be(tmp_path):
    def decided(verdict):
        return Claim("a", "s", "u", 0.0, 0.0, BOUNDLESS, 0.0, "above", verdict, 1, 2, "g")

    assert tally([decided("holds")]) == "1 claim holds, 0 are undecided, 0 fail."
    assert tally([decided("fails"), *[decided("undecided")] * 2]) == "0 claims hold, 2 are undecided, 1 fails."
    boundless = Study("b", STUDY.profiles, plan, lambda *given: replace(present(*given), claims=[decided("holds")]))
    page = reproduce_study(boundless, jobs=1, out=tmp_path, progress=False).report.read_text()
    assert "no upper bound" in page
    assert "1000000" not in page


@pytest.mark.parametrize(("seeds", "groups"), [(1, 1), (2, 3), (3, 2)])
def test_a_page_says_what_its_claims_mean_together_and_that_two_seeds_decide_almost_nothing(seeds, groups, tmp_path):
    def decided(*given):
        says = Says("a", "s", "u", gap(np.random.default_rng(0).normal(size=(seeds, 9)), range(seeds)))
        claims = [claim for i in range(groups) for claim in together(f"g{i}", [replace(says, id=f"a{i}")])]
        return replace(present(*given), claims=claims)

    study = Study("words", STUDY.profiles, plan, decided)
    page = reproduce_study(study, jobs=1, out=tmp_path, progress=False).report.read_text()
    assert (f"all {groups} claims in {groups} groups" in page) == (groups > 1)
    assert (f"in up to {5 * groups} % of such pages" in page) == (groups > 1)
    assert ("almost nothing can be decided" in page) == (seeds == 2)


def test_differences_are_taken_of_the_same_seeds_and_tasks_only():
    first = gap([[1, 2, 3], [4, 5, 6]], (0, 1), ("a", "b"))
    assert (first - first).values.tolist() == [[0, 0, 0], [0, 0, 0]]
    assert (2 * first - 1 + 0.5 * first).values[0].tolist() == [1.5, 4.0, 6.5]
    with pytest.raises(NotPaired, match="seeds"):
        first - replace(first, seeds=(0, 2))
    with pytest.raises(NotPaired, match="other test tasks"):
        first - replace(first, tasks=("a", "c"))
    with pytest.raises(NotPaired, match=r"first\(n\)"):
        first - first.first(2)
    assert (first.first(2) - first.first(2)).n_tasks == 2
    with pytest.raises(ValueError, match="2 seeds"):
        Paired(np.zeros((3, 4)), (0, 1), ("a", "b"))
    elsewhere = replace(first, tasks=("c", "d"))
    assert average([first, elsewhere]).values[0].tolist() == [1, 2, 3]
    assert side_by_side([first, elsewhere]).n_tasks == 6
    assert first.minus_unpaired(elsewhere).mean() == 0
    with pytest.raises(NotPaired, match="shape"):
        average([first, first.first(2)])


def test_cells_of_other_tasks_are_not_paired(tmp_path):
    def two(sizes, seed):
        cells = plan(sizes, seed)
        return [*cells, replace(cells[0], key=("again",), draw=(1,)), cells[0].only(3, {"few": NearestNeighbor(2, 2)})]

    def compare(sizes, numbers):
        scores = numbers["score"]
        with pytest.raises(NotPaired):
            scores["trained", "prototypes"] - scores["rival", "again"]
        few, all_of_them = scores["few", "prototypes"], scores["rival", "prototypes"]
        assert np.array_equal(few.values, all_of_them.first(3).values)
        assert (few - all_of_them.first(3)).values.any() is np.False_
        with pytest.raises(KeyError, match="rival, prototypes"):
            scores["nobody", "prototypes"]
        return present(sizes, Numbers({k: v for k, v in numbers.measured.items() if k[0] != "few"}, numbers.pairings))

    reproduce_study(Study("two", STUDY.profiles, two, compare), jobs=1, out=tmp_path, progress=False)


def test_scores_of_a_cell_are_those_of_evaluate(tmp_path):
    seen = {}

    def keep(sizes, numbers):
        seen["score"] = numbers["score"]["rival", "prototypes"].values[0]
        return present(sizes, numbers)

    reproduce_study(replace(STUDY, present=keep), jobs=1, out=tmp_path, progress=False)
    table = ctxlearn.evaluate({"rival": NearestNeighbor(2, 2)}, ClassPrototype(), n_tasks=6, n_points=5, per_task=True)
    assert np.array_equal(seen["score"].ravel(), table["value"].to_numpy())


def pool_of(size, noise):
    return LinearPool(torch.ones(size, 2), noise)


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        (lambda: LinearPool(torch.ones(3, 2), 0.1), "made from an array"),
        (lambda: {1: 2}, "keys that are text"),
        (object, "records? how it was made"),
        (lambda: lambda x: x, "top level"),
    ],
)
def test_an_argument_that_cannot_be_written_down_is_named(argument, words):
    with pytest.raises(ValueError, match=f"(?s)(size|function).*{words}"):
        _ = call(pool_of, argument(), 0.1).hash


def test_a_learner_with_trained_weights_is_refused_and_its_run_taken(tmp_path):
    run = ctxlearn.train(ProtoNet(2, 2), ClassPrototype(), CONFIG, out=tmp_path / "run")
    with pytest.raises(ValueError, match="give its Training, or the path"):
        _ = call(pool_of, run.learner, 0.1).hash
    by_path = Study("path", STUDY.profiles, lambda sizes, seed: plan(sizes, seed, tmp_path / "run"), present)
    result = reproduce_study(by_path, jobs=1, out=tmp_path / "out", progress=False)
    assert result.claims[0].value == 0  # it is the same training
    moved = tmp_path / "moved"
    (tmp_path / "run").rename(moved)
    again = replace(by_path, plan=lambda sizes, seed: plan(sizes, seed, moved))
    assert reproduce_study(again, jobs=1, out=tmp_path / "out", progress=False).jobs_done == 0


def test_a_call_checks_its_arguments():
    with pytest.raises(ValueError, match="missing noise"):
        call(pool_of, 3)
    with pytest.raises(ValueError, match="unexpected"):
        call(pool_of, 3, 0.1, width=3)


def test_a_plan_that_says_two_things_of_one_key_is_refused():
    cell = plan({"n_tasks": 6}, 0)[0]
    assert len(all_measurements([cell, cell])) == 2
    with pytest.raises(ValueError, match="two measurements have the key"):
        all_measurements([cell, replace(cell, family=Amortization())])


@pytest.mark.parametrize("changes", [{"n_tasks": 1}, {"first": 7}, {"contestants": {}}, {"n_points": 0}])
def test_a_cell_checks_its_sizes(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        replace(plan({"n_tasks": 6}, 0)[0], **changes)


@pytest.mark.parametrize("name", ["", "a b", "../x", 3])
def test_a_study_needs_a_name_for_its_folder(name):
    with pytest.raises(ValueError, match="name: expected letters"):
        replace(STUDY, name=name)


def test_what_is_no_study_is_refused(tmp_path):
    for wrong, words in ((3, "expected a ctxlearn.lab.Study"), ("torch.nn", "has no|expected a ctxlearn.lab.Study")):
        with pytest.raises(ValueError, match=words):
            ctxlearn.reproduce(wrong, out=tmp_path / "out")
    with pytest.raises(ValueError, match="no module nowhere"):
        ctxlearn.reproduce("nowhere.STUDY", out=tmp_path / "out")
    with pytest.raises(ValueError, match=r"did you mean 'optimal'.*module\.NAME"):
        ctxlearn.reproduce("optimel", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def fails(number):
    raise ValueError("nothing to see here")


def text(number):
    return {"words": ["a"]}


@pytest.mark.parametrize(("function", "words"), [(fails, "nothing to see"), (text, "text goes into 'facts'")])
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_measurement_that_fails_is_named_with_its_reason(function, words, jobs, tmp_path):
    broken = Study("b", {"quick": 0}, lambda _, seed: [Measurement(("it",), seed, call(function, 1))], present)
    with pytest.raises(ctxlearn.lab.JobFailed, match=f"measuring it, seed 0 failed.*{words}"):
        reproduce_study(broken, jobs=jobs, out=tmp_path, progress=False)
