"""Torch's number of threads is found as it was, whoever worked side by side and in whatever order they ended."""

import threading

import pytest
import torch

from ctxlearn.threads import Stopped, Workers, one_thread_per_operator, single_threaded_workers, stop_if_nobody_waits

FOUND = 3


@pytest.fixture(autouse=True)
def _three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(FOUND)
    yield
    torch.set_num_threads(before)


def in_a_new_thread(function=torch.get_num_threads):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def counted(_):
    return torch.get_num_threads()


def in_workers():
    with single_threaded_workers(2) as workers:
        return set(workers.map(counted, range(8)))


def in_one_thread():
    with one_thread_per_operator():
        return {torch.get_num_threads()}


def nested():
    with one_thread_per_operator():
        found = in_one_thread() | in_workers()
        with Workers(2) as workers:
            found |= set(workers.map(lambda _: in_one_thread().pop(), range(4)))
            found |= set(workers.map(counted, range(4)))
        return found | {torch.get_num_threads()}


@pytest.mark.parametrize("work", [in_workers, in_one_thread, nested])
def test_one_thread_inside_and_as_many_as_before_outside(work):
    assert work() == {1}
    assert torch.get_num_threads() == in_a_new_thread() == FOUND
    assert in_a_new_thread(work) == {1}
    assert torch.get_num_threads() == in_a_new_thread() == FOUND


def test_the_setting_comes_back_after_an_error():
    for kind in (one_thread_per_operator(), single_threaded_workers(2)):
        with pytest.raises(KeyboardInterrupt), kind:
            raise KeyboardInterrupt
        assert torch.get_num_threads() == in_a_new_thread() == FOUND


@pytest.mark.parametrize("first_out", ["first in", "second in"])
@pytest.mark.parametrize("kinds", [("pool", "pool"), ("pool", "caller"), ("caller", "pool"), ("caller", "caller")])
@pytest.mark.parametrize("has_met_torch", [True, False])
def test_overlapping_calls_of_two_threads(kinds, first_out, has_met_torch):
    makers = {"pool": lambda: single_threaded_workers(2), "caller": one_thread_per_operator}
    may_enter = [threading.Event(), threading.Event()]
    met = [threading.Event(), threading.Event()]
    inside = [threading.Event(), threading.Event()]
    may_leave = [threading.Event(), threading.Event()]
    left = [threading.Event(), threading.Event()]
    may_end = threading.Event()
    after = {}

    def work(number):
        if has_met_torch:
            torch.get_num_threads()
        met[number].set()
        assert may_enter[number].wait(300)
        with makers[kinds[number]]():
            inside[number].set()
            assert may_leave[number].wait(300)
        left[number].set()
        assert may_end.wait(300)
        after[number] = torch.get_num_threads()

    threads = [threading.Thread(target=work, args=(number,)) for number in (0, 1)]
    for number in (0, 1):
        threads[number].start()
        assert met[number].wait(300)
    for number in (0, 1):
        may_enter[number].set()
        assert inside[number].wait(300)
    order = (0, 1) if first_out == "first in" else (1, 0)
    may_leave[order[0]].set()
    assert left[order[0]].wait(300)
    assert in_a_new_thread() == 1  # the other is still inside, and its pool may get new threads
    may_leave[order[1]].set()
    assert left[order[1]].wait(300)
    assert in_a_new_thread() == torch.get_num_threads() == FOUND
    may_end.set()
    for thread in threads:
        thread.join()
    assert after == {0: FOUND, 1: FOUND}


def test_work_that_nobody_waits_for_ends_at_its_next_stop():
    begun, ended = threading.Event(), []

    def work(_):
        begun.set()
        try:
            while True:
                stop_if_nobody_waits()
        except Stopped:
            ended.append(True)
            raise

    def interrupted():
        with single_threaded_workers(2) as workers:
            workers.imap(work, range(50))
            assert begun.wait(300)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert 1 <= len(ended) <= 2  # what had not begun was dropped
    stop_if_nobody_waits()  # outside of any pool it does nothing


def test_results_come_in_order_and_the_first_error_is_raised():
    def work(i):
        if i == 7:
            raise ValueError("seven")
        return i * i

    for n_workers in (1, 3):
        with Workers(n_workers) as workers:
            assert workers.map(work, range(7)) == [i * i for i in range(7)]
            with pytest.raises(ValueError, match="seven"):
                workers.map(work, range(9))
