"""`map` over two processes: in order, in bounded memory, and with the same results as `map`.

The promise: whatever becomes of the second process, every item is done, once as far as anyone can see. An item whose
worker died, could not start or met an error is done again here, where an error is raised as `map` would raise it. So
a shared function reads what it is given, writes nothing that it does not write over from the beginning, and takes
nothing away.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from typing import Protocol, TypeVar

from salesbot_pipelines.workers.process import WorkerGone, WorkerProcess

_log = logging.getLogger(__name__)

I = TypeVar("I")  # noqa: E741
O = TypeVar("O")  # noqa: E741

_WAITING_THERE = 2
"""Items given to the worker and not done: one that it works at, one that it goes on with."""
_MOST_AHEAD = 6
"""Items done or being done whose results wait for an earlier one."""

_free = threading.Semaphore(max(0, len(os.sched_getaffinity(0)) - 1))
"""How many more workers this process may have: one for every core but its own, whatever the number of shops."""


class Share(Protocol):
    """Does what `map` does."""

    def __call__(self, function: Callable[[I], O], items: Iterable[I], /) -> Iterator[O]:
        """Give the results in the order of the items."""
        ...


@contextmanager
def sharing() -> Iterator[Share]:
    """Give a `map` with a worker beside this process, started when it is first of use and gone at the end."""
    shared = _Sharing()
    try:
        yield shared.map
    finally:
        shared.close()


class _Sharing:
    def __init__(self) -> None:
        self._worker: WorkerProcess | None = None
        self._tried = False

    def map(self, function: Callable[[I], O], items: Iterable[I]) -> Iterator[O]:
        """Give the results in the order of the items; this process does what the worker has no hand for.

        Function, items and results are pickled, and the function lies at the top of its module (or is a `partial`
        of such a one).
        """
        self._start()
        ahead: deque[tuple[I, Future[O]]] = deque()
        there: deque[Future[O]] = deque()
        for item in items:
            while there and there[0].done():
                there.popleft()
            if self._worker is not None and len(there) < _WAITING_THERE:
                future = self._worker.submit(function, item)
                there.append(future)
            else:
                future = Future()
                future.set_result(function(item))
            ahead.append((item, future))
            while ahead and (ahead[0][1].done() or len(ahead) > _MOST_AHEAD):
                yield self._result(function, *ahead.popleft())
        for item, future in ahead:
            yield self._result(function, item, future)

    def close(self) -> None:
        """End the worker, whatever it is doing."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()
            _free.release()

    def _start(self) -> None:
        if self._tried or not _free.acquire(blocking=False):
            return
        self._tried = True
        try:
            self._worker = WorkerProcess()
        except OSError as error:
            _free.release()
            _log.warning("everything is done in this process, no other could be started: %s", error.strerror)

    def _result(self, function: Callable[[I], O], item: I, future: Future[O]) -> O:
        try:
            return future.result()
        except (WorkerGone, CancelledError) as gone:
            if self._worker is not None:
                _log.warning("everything is done in this process from here on: %s", gone)
                self.close()
            return function(item)
