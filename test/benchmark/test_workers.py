"""Calls on many processes: each is made, whatever dies, and one that kills is given up alone."""

import os
import select
import signal
import subprocess
import sys

import pytest

from pilotnet_brain.benchmark.workers import (
    WorkerDied,
    call_in_processes,
    call_on_cluster,
)
from pilotnet_brain.errors import UserError


@pytest.fixture
def squares(tmp_path):
    """Squares numbers and says where; -1 kills its process the first time, -2 every time."""
    died = tmp_path / "died"

    # Nested: a worker gets it by value, it could not import a test.
    def square(number):
        if number == -2 or (number == -1 and not died.exists()):
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return number**2, os.getpid()

    return square


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_item_is_called_with_once(squares, jobs):
    results = list(call_in_processes(squares, [3, 1, 2, 3], jobs))
    assert sorted((item, result[0]) for item, result in results) == [(1, 1), (2, 4), (3, 9), (3, 9)]
    here = {pid for _, (_, pid) in results} == {os.getpid()}
    assert here == (jobs == 1)


def test_a_process_that_dies_costs_no_result(squares):
    results = dict(call_in_processes(squares, [2, 3, -1, 4, 5, 6], 2))
    assert {item: result[0] for item, result in results.items()} == {
        2: 4, 3: 9, -1: 1, 4: 16, 5: 25, 6: 36
    }  # fmt: skip


def test_a_call_that_kills_every_process_is_given_up_alone(squares):
    results = dict(call_in_processes(squares, [2, 3, -2, 4, 5], 2))
    assert isinstance(results.pop(-2), WorkerDied)
    assert {item: result[0] for item, result in results.items()} == {2: 4, 3: 9, 4: 16, 5: 25}


def test_workers_end_with_a_caller_that_is_killed():
    program = """
import os, time
from pilotnet_brain.benchmark.workers import call_in_processes
for item, pid in call_in_processes(lambda n: n and time.sleep(600) or os.getpid(), [0, 1, 1], 2):
    print(pid, flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as caller:
        worker = int(caller.stdout.readline())
        ended = os.pidfd_open(worker)
        caller.kill()
    # The descriptor of a process becomes readable when it ends.
    assert select.select([ended], [], [], 30.0)[0]
    os.close(ended)


def test_a_cluster_that_is_not_there_is_an_error_with_a_mend(squares, monkeypatch):
    monkeypatch.setattr("pilotnet_brain.benchmark.workers.CONNECT_S", 0.5)
    with pytest.raises(UserError, match="dask scheduler"):
        next(call_on_cluster(squares, [1], "tcp://127.0.0.1:9"))
    with pytest.raises(UserError, match="udp"):
        next(call_on_cluster(squares, [1], "udp://127.0.0.1:9"))


def test_without_dask_the_error_says_how_to_install_it(squares, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match=r"requirements/cluster\.txt"):
        next(call_on_cluster(squares, [1], "tcp://127.0.0.1:8786"))
