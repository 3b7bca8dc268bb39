"""Many independent calls at once: on this machine's cores, or on a Dask cluster.

A worker that dies in mid-sweep costs time only: its call is made again. A call during which the
workers die over and over is given up, alone.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from joblib import Parallel, delayed, effective_n_jobs
from joblib.externals.loky.process_executor import TerminatedWorkerError

from pilotnet_brain.end_with_parent import end_with_parent
from pilotnet_brain.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")

_INSTALL = "pip install -r requirements/cluster.txt -c requirements/constraints.txt"
CONNECT_S = 10.0
"""How long a cluster's scheduler is given to answer."""


class WorkerDied(RuntimeError):  # noqa: N818  (named by what happened)
    """A call's process died, and died again when the call was repeated."""


def call_in_processes(
    call: Callable[[Item], Result], items: Sequence[Item], jobs: int
) -> Iterator[tuple[Item, Result | WorkerDied]]:
    """Call with each item, in processes of this machine; yields results as they come.

    Args:
        call: raises nothing; it can be pickled.
        items: in any order; they come back in any order.
        jobs: processes at once; -1: one a core; 1: in this very process.
    """
    waiting = dict(enumerate(items))
    while waiting:
        try:
            yield from _finished(call, waiting, jobs)
        except TerminatedWorkerError:
            # Calls are made in order: the dead process had one of these. Each again, and alone, so
            # that one that takes its process down with it takes nothing else.
            for number in list(waiting)[: effective_n_jobs(jobs)]:
                alone = {number: waiting.pop(number)}
                item = alone[number]
                try:
                    yield from _finished(call, alone, 2)
                except TerminatedWorkerError:
                    yield item, WorkerDied("its process died, and died again when it was repeated")


def call_on_cluster(
    call: Callable[[Item], Result], items: Sequence[Item], address: str
) -> Iterator[tuple[Item, Result | WorkerDied]]:
    """Call with each item on the workers of a Dask cluster; yields results as they come.

    Args:
        call: raises nothing; it can be pickled, and the workers have what it needs.
        items: in any order; they come back in any order.
        address: of the cluster's scheduler, such as ``tcp://10.0.0.1:8786``.

    Raises:
        UserError: Dask is not installed, or no scheduler answers there.
    """
    try:
        from distributed import Client, as_completed
    except ImportError as problem:
        raise UserError(
            f"a sweep on a cluster needs Dask ({problem}): install it, here and on its workers, "
            f"with '{_INSTALL}'"
        ) from problem
    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as problem:
        raise UserError(
            f"no Dask scheduler answers at {address} ({problem}): start one with "
            "'dask scheduler', and workers with 'dask worker --nthreads 1 ADDRESS'"
        ) from problem
    with client:
        # Not pure: each item is called with, even where two are equal.
        futures = {client.submit(call, item, pure=False): item for item in items}
        for future in as_completed(list(futures), loop=client.loop):
            death = future.exception()
            result = future.result() if death is None else WorkerDied(str(death))
            yield futures.pop(future), result
            future.release()


def _finished(
    call: Callable[[Item], Result], waiting: dict[int, Item], jobs: int
) -> Iterator[tuple[Item, Result]]:
    """Call with what is waiting; what has come back waits no more."""
    parallel = Parallel(
        n_jobs=jobs,
        return_as="generator_unordered",
        pre_dispatch="n_jobs",
        batch_size=1,
        initializer=_begin_work,
    )
    calls = [delayed(_numbered)(call, number, item) for number, item in waiting.items()]
    for number, result in parallel(calls):
        yield waiting.pop(number), result


def _begin_work() -> None:
    """In a worker: end with the caller, and leave Ctrl-C to it.

    The terminal sends that to the workers, too, and each would print a traceback.
    """
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _numbered(call: Callable[[Item], Result], number: int, item: Item) -> tuple[int, Result]:
    return number, call(item)
