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
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from salesbot_pipelines.workers.process import WorkerFailed, WorkerGone, WorkerProcess
from salesbot_pipelines.workers.switching import switching_often

_log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

_THERE = 2
"""Items given to the worker: one that it is at, and one that it goes on with unless this process is free first."""
_MOST_AHEAD = 6
"""Items done or being done whose results wait for an earlier one."""

_PATIENCE_SECONDS = 60.0
"""An item takes some tenths of a second; where one is waited for longer than this, the worker hangs."""


def _cores() -> int:
    """Return how many cores this process may use; only Linux tells exactly."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_free = threading.Semaphore(_cores() - 1)
"""How many more workers this process may have: one for every core but its own, whatever the number of shops."""


class Share(Protocol):
    """Does what `map` does."""

    def __call__(self, function: Callable[[T], R], items: Iterable[T], /) -> Iterator[R]:
        """Give the results in the order of the items."""
        ...


@contextmanager
def sharing(imports: Sequence[str] = ()) -> Iterator[Share]:
    """Give a `map` with a worker beside this process, started when it is first of use and gone at the end.

    `imports` are the modules that it will need.
    """
    shared = _Sharing(imports)
    try:
        yield shared.map
    finally:
        shared.close()


def warm(share: Share) -> None:
    """Have the worker start, where there is one, while this process waits for something else."""
    for _ in share(_same, ()):
        pass


def beside(share: Share, function: Callable[[T], R], item: T, own: Callable[[], None]) -> R:
    """Do `own` here while the worker, where there is one, does an item; give what becomes of the item."""

    def items() -> Iterator[T]:
        yield item
        own()

    (result,) = share(function, items())
    return result


class _Sharing:
    def __init__(self, imports: Sequence[str]) -> None:
        self._imports = imports
        self._worker: WorkerProcess | None = None
        self._while_there = ExitStack()
        self._tried = False

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Give the results in the order of the items; this process does what the worker has no hand for.

        Function, items and results are pickled, and the function lies at the top of its module (or is a `partial`
        of such a one).
        """
        self._start()
        ahead: deque[_Item[T, R]] = deque()
        try:
            for item in items:
                there = sum(not other.future.done() for other in ahead)
                if self._worker is not None and there < _THERE:
                    ahead.append(_Item(item, self._worker.submit(function, item)))
                else:
                    ahead.append(_Item(item, _done(function(item))))
                while ahead[0].future.done() or len(ahead) > _MOST_AHEAD:
                    yield self._result(function, ahead.popleft())
                    if not ahead:
                        break
            begun_or_offered = [waiting for waiting in ahead if not waiting.future.done()]
            for waiting in begun_or_offered[1:]:
                if waiting.future.cancel():  # the worker is at the one before, and this process is free
                    waiting.future = _done(function(waiting.item))
            while ahead:
                yield self._result(function, ahead.popleft())
        finally:
            # Nothing is done any more when the caller goes on, and maybe takes its files away.
            at_work = [waiting.future for waiting in ahead if not waiting.future.cancel()]
            if wait(at_work, timeout=_PATIENCE_SECONDS).not_done:
                self.close()

    def close(self) -> None:
        """End the worker, whatever it is doing."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()
            self._while_there.close()
            _free.release()

    def _start(self) -> None:
        if self._tried or not _free.acquire(blocking=False):
            return
        self._tried = True
        try:
            self._worker = WorkerProcess(self._imports)
            self._while_there.enter_context(switching_often())
        except OSError as error:
            _free.release()
            _log.warning("everything is done in this process, no other could be started: %s", error.strerror)

    def _result(self, function: Callable[[T], R], waiting: _Item[T, R]) -> R:
        try:
            return waiting.future.result(timeout=_PATIENCE_SECONDS)
        except WorkerFailed:
            return function(waiting.item)
        except (WorkerGone, TimeoutError, CancelledError) as gone:
            if self._worker is not None:
                _log.warning("everything is done in this process from here on: %s", str(gone) or "the worker hangs")
                self.close()
            return function(waiting.item)


@dataclass
class _Item(Generic[T, R]):
    item: T
    future: Future[R]


def _same(item: T) -> T:
    return item


def _done(result: R) -> Future[R]:
    future: Future[R] = Future()
    future.set_result(result)
    return future
