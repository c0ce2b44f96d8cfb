"""The pool: order, threads, other executors, and how far it is."""

from concurrent.futures import Future
from contextlib import AbstractContextManager

import pytest

from ctxlearn.jobs.job import Job, jobs_of, run_job
from ctxlearn.jobs.pool import _Gauge, do_missing
from ctxlearn.lab import JobFailed, Store, Training
from ctxlearn.learners import MatchNet
from ctxlearn.tasks import ClassPrototype, TaskFamily
from ctxlearn.training import TrainingConfig, load

CONFIG = TrainingConfig(steps=2, tasks_per_step=4, n_points=4)


class Broken(TaskFamily):
    n_features, n_classes = 2, 2

    def sample_parameters(self, n_tasks, *, generator):
        raise ValueError("no tasks today")

    def sample_points(self, parameters, n_points, *, generator):
        raise AssertionError


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_training_that_fails_is_named_with_its_reason(n_threads, tmp_path):
    store = Store(tmp_path)
    jobs = jobs_of([], [Training("the broken one", MatchNet(2, 2), Broken(), CONFIG)], store)
    with pytest.raises(JobFailed, match=r"the broken one.*no tasks today"):
        do_missing(jobs, store, n_threads=n_threads, progress=False)


def test_equal_trainings_are_one_run(tmp_path):
    twice = [Training(name, MatchNet(2, 2), ClassPrototype(), CONFIG) for name in ("a", "b")]
    store = Store(tmp_path)
    jobs = jobs_of([], twice, store)
    assert do_missing(jobs, store, n_threads=2, progress=False) == 1
    assert len(list(tmp_path.glob("*/model.safetensors"))) == 1
    assert load(store.run_path(twice[1].hash)).state_dict().keys() == MatchNet(2, 2).state_dict().keys()
    assert do_missing(jobs, store, n_threads=2, progress=False) == 0


class Elsewhere(AbstractContextManager):
    """An executor as a cluster would be one: it is handed JSON-able data, and the result is a file."""

    def __init__(self, slots):
        self.slots, self.asked, self.waiting = slots, [], []

    def submit(self, described, threads):
        future = Future()
        self.asked.append((described["name"], threads))
        self.waiting.append((described, future))
        if len(self.waiting) == self.slots or described.get("last"):
            for job, done in self.waiting:
                open(job["result"], "w").close()
                done.set_result(None)
            self.waiting.clear()
        return future

    def __exit__(self, *_):
        return None


def job(tmp_path, name, *, needs=(), threads=None, work=0.0, steps=0, last=False):
    described = {"name": name, "result": str(tmp_path / name), "modules": [], "last": last}
    return Job(name, name, described, tmp_path / name, needs, threads, work, steps)


def test_what_others_need_and_what_takes_longest_is_first_on_any_executor(tmp_path):
    jobs = [
        job(tmp_path, "measured", needs=("long",)),
        job(tmp_path, "short", threads=1, work=1.0, steps=1),
        job(tmp_path, "long", threads=1, work=5.0, steps=1),
    ]
    place = Elsewhere(slots=1)
    done = do_missing({j.hash: j for j in jobs}, Store(tmp_path), n_threads=1, progress=False, executor=place)
    assert done == 3
    assert [name for name, _ in place.asked] == ["long", "short", "measured"]


def test_threads_are_shared_out(tmp_path):
    jobs = [job(tmp_path, "wide", threads=8, work=1.0, steps=1), job(tmp_path, "last", needs=("wide",), last=True)]
    place = Elsewhere(slots=1)
    do_missing({j.hash: j for j in jobs}, Store(tmp_path), n_threads=4, progress=False, executor=place)
    assert place.asked == [("wide", 4), ("last", 4)]  # a measurement that is alone has them all


def test_the_share_that_is_done_goes_from_nothing_to_all(tmp_path):
    jobs = {n: job(tmp_path, n, work=w, steps=s) for n, w, s in (("a", 3.0, 10), ("b", 1.0, 10), ("m", 0.0, 0))}
    gauge = _Gauge(jobs, Store(tmp_path))
    assert gauge.share_done({"a", "b", "m"}) == 0
    assert gauge.share_done({"b", "m"}) == pytest.approx(0.6)
    assert gauge.share_done({"m"}) == pytest.approx(0.8)
    assert gauge.share_done(set()) == 1


def test_a_job_is_done_from_its_description_alone(tmp_path):
    store = Store(tmp_path)
    (asked,) = jobs_of([], [Training("it", MatchNet(2, 2), ClassPrototype(), CONFIG)], store).values()
    run_job(asked.described, threads=1)
    assert asked.done
