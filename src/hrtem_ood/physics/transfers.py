"""Moves between host and device that wait for nothing: page-locked memory, and events that tell when it may be used.

A GPU copies to and from page-locked memory while the host goes on; other memory goes through a buffer of the driver's, at a
fraction of the speed, and keeps the host waiting.
"""

import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.array_module import ArrayModule
from hrtem_ood.physics.optics.aberrations import Array

T = TypeVar("T")
R = TypeVar("R")

MOST_THREADS = 8
"""Threads of a job: more find nothing to do beside one GPU."""

STAGES = 3
"""Planes on their way to a device at the same time."""


class InTurn(Executor):
    """An executor that does each work when it is submitted, in the caller's thread."""

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **options: Any) -> "Future[Any]":
        """Do it, and return its result or error as a future."""
        future: Future[Any] = Future()
        try:
            future.set_result(work(*arguments, **options))
        except Exception as error:
            future.set_exception(error)
        return future


IN_TURN = InTurn()


def host_workers() -> Executor:
    """Return as many threads as the job has: Snakemake tells a rule's ``threads`` by OMP_NUM_THREADS; without it, one.

    Returns
    -------
    Executor
        To be used in a ``with`` statement.
    """
    given = os.environ.get("OMP_NUM_THREADS", "")
    threads = int(given) if given.isascii() and given.isdigit() else 1
    return ThreadPoolExecutor(min(threads, MOST_THREADS)) if threads > 1 else IN_TURN


def ahead(workers: Executor, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Do a work for each item, in order, by a worker that is one item ahead; without workers, when it is wanted.

    Parameters
    ----------
    workers : Executor
    work : callable
    items : iterable

    Yields
    ------
    result of the work
    """
    pending: deque[Future[R]] = deque()
    for item in items:
        pending.append(workers.submit(work, item))
        if workers is IN_TURN or len(pending) > 1:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def page_locked(am: ArrayModule, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Allocate host memory that the device reaches directly.

    Parameters
    ----------
    am : ArrayModule
        Of a GPU.
    shape : tuple of int
    dtype : dtype

    Returns
    -------
    array, (*shape,)
        Not initialised.
    """
    memory = am.xp.cuda.alloc_pinned_memory(math.prod(shape) * np.dtype(dtype).itemsize)
    return np.frombuffer(memory, dtype, math.prod(shape)).reshape(shape)


@lru_cache(maxsize=1)
def _stages(am: ArrayModule, shape: tuple[int, ...]) -> tuple[list[NDArray[np.complex64]], list[Any]]:
    """Return page-locked planes, and an event for each that tells when its content has left.

    They are kept: memory that is given back while it is on its way to the device would be given out again.
    """
    am.xp.cuda.get_current_stream().synchronize()  # those of another shape are given back now
    planes = [page_locked(am, shape, np.complex64) for _ in range(STAGES)]
    return planes, [am.xp.cuda.Event(disable_timing=True) for _ in planes]


def uploaded(
    read: Callable[[int, NDArray[Any]], None],
    number: int,
    shape: tuple[int, ...],
    am: ArrayModule,
    workers: Executor,
) -> Iterator[Array]:
    """Bring planes to a GPU one after the other, while those behind are read: one series at a time.

    Parameters
    ----------
    read : callable
        Writes the plane of a number to a complex64 array, (y, x); called by the workers.
    number : int
        Of planes.
    shape : tuple of int
        Of each.
    am : ArrayModule
        Of a GPU.
    workers : Executor

    Yields
    ------
    complex64 array, (y, x)
        On the device, always the same one, to be used before the next; it may be overwritten.
    """
    plane, stream = am.xp.empty(shape, dtype=np.complex64), am.xp.cuda.get_current_stream()
    stages, events = _stages(am, shape)

    def stage(place: int) -> None:
        events[place % STAGES].synchronize()
        read(place, stages[place % STAGES])

    reading = deque(workers.submit(stage, place) for place in range(min(number, STAGES)))
    try:
        for place in range(number):
            reading.popleft().result()
            plane.set(stages[place % STAGES], stream)
            events[place % STAGES].record(stream)
            yield plane
            if place + STAGES < number:
                reading.append(workers.submit(stage, place + STAGES))
    finally:
        for each in reading:  # none may write to the planes of the next series
            each.exception()


def downloading(array: Array, am: ArrayModule) -> Callable[[], NDArray[Any]]:
    """Begin to bring an array to the host.

    Parameters
    ----------
    array : array
    am : ArrayModule

    Returns
    -------
    callable
        Waits for the array and returns it, from a GPU in page-locked memory; any thread may call it.
    """
    if am.name == "cpu":
        return lambda: am.to_numpy(array)
    stream, event = am.xp.cuda.get_current_stream(), am.xp.cuda.Event(disable_timing=True)
    result = page_locked(am, array.shape, array.dtype)
    array.get(stream=stream, out=result, blocking=False)
    event.record(stream)

    def wait() -> NDArray[Any]:
        event.synchronize()
        return result

    return wait
