"""Group commit: one thread that writes all events which are waiting in one transaction.

An event is answered 200 only after `commit` returned, which is after the database's commit. While one
transaction is on its way to the disk the next events gather, so the disk's time is shared by as many as
arrive in it. Nobody waits longer than `patience_seconds`: Shopify hangs up after five and sends again.

A database that is locked, full or gone makes its batch fail and the next one try. Any other failure stops
the committer for good: after a failed fsync the kernel may report the next one as fine although the data
is lost, so a process that goes on would acknowledge events that are nowhere.
https://wiki.postgresql.org/wiki/Fsync_Errors
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from salesbot_pipelines.errors import SalesbotError, StateError, StateUnavailable
from salesbot_pipelines.receiver.journal import where
from salesbot_pipelines.receiver.metrics import Metrics

CAPACITY = 2048
"""Events that may wait. More are refused at once: they could not be written in time."""

LARGEST_BATCH = 256
PATIENCE_SECONDS = 1.5
_SWEEP_SECONDS = 0.1
_CHORE_SECONDS = 60.0
_MORE_CHORE_SECONDS = 0.25

_Event = TypeVar("_Event")


@dataclass(eq=False, slots=True)
class _Waiter(Generic[_Event]):
    event: _Event
    future: asyncio.Future[str]
    deadline: float


@dataclass
class _Task:
    """A small write of another kind, in the same thread so that writers do not wait for each other's lock."""

    call: Callable[[], object]
    future: asyncio.Future[object]


class Committer(Generic[_Event]):
    """Makes events durable, many at a time. Used in one event loop; `accept` and `chore` run in its thread.

    The chore is done in small pieces between batches: soon again while it returns True, else a minute later.
    """

    def __init__(
        self,
        accept: Callable[[Sequence[_Event]], Sequence[str]],
        *,
        metrics: Metrics,
        chore: Callable[[], bool] | None = None,
        on_broken: Callable[[str], None] | None = None,
        capacity: int = CAPACITY,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._accept = accept
        self._metrics = metrics
        self._chore = chore
        self._on_broken = on_broken
        self._capacity = capacity
        self._patience = patience_seconds
        self._gathering: list[_Waiter[_Event]] = []
        self._queue: queue.SimpleQueue[list[_Waiter[_Event]] | _Task | None] = queue.SimpleQueue()
        self._waiting: deque[_Waiter[_Event]] = deque()
        self._sweep: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._closing = False
        self.broken: str = ""
        """Why it stopped for good; empty while it works."""

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the thread; answers are given in `loop`."""
        self._loop = loop
        self._thread.start()

    @property
    def depth(self) -> int:
        """How many events wait for their commit."""
        return len(self._waiting)

    @property
    def is_working(self) -> bool:
        """Will the next event be tried?"""
        return self._thread.is_alive() and not self.broken and not self._closing

    async def commit(self, event: _Event) -> str:
        """Return what became of the event once it is durable.

        Raises `StateUnavailable` when it is not, or not in time; the same event may then be sent again.
        """
        self._require_working()
        if len(self._waiting) >= self._capacity:
            raise StateUnavailable("too many events wait to be written")
        loop = asyncio.get_running_loop()
        waiter = _Waiter(event, loop.create_future(), loop.time() + self._patience)
        if not self._gathering:
            loop.call_soon(self._hand_over)
        self._gathering.append(waiter)
        self._waiting.append(waiter)
        if self._sweep is None:
            self._sweep = loop.call_later(_SWEEP_SECONDS, self._give_up_on_late)
        return await waiter.future

    async def run(self, call: Callable[[], object]) -> object:
        """Run a small write in the committer's thread and return its result or raise its error.

        Raises `StateUnavailable` when its turn does not come in time.
        """
        self._require_working()
        task = _Task(call, asyncio.get_running_loop().create_future())
        self._queue.put(task)
        try:
            return await asyncio.wait_for(task.future, self._patience)
        except TimeoutError:
            raise StateUnavailable("the database does not answer in time") from None

    def close(self, *, wait_seconds: float) -> bool:
        """Write what still waits and end the thread; return whether all was written in time."""
        self._closing = True
        if self._gathering:
            self._hand_over()
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join(wait_seconds)
        return not self._thread.is_alive()

    def _require_working(self) -> None:
        if self.broken:
            raise StateUnavailable("the receiver has stopped taking events: the database failed")
        if self._closing:
            raise StateUnavailable("the receiver is stopping")

    # In the event loop.

    def _hand_over(self) -> None:
        gathered, self._gathering = self._gathering, []
        if gathered:
            self._queue.put(gathered)

    def _resolve(self, batch: Sequence[_Waiter[_Event]], outcomes: Sequence[str] | None) -> None:
        for position, waiter in enumerate(batch):
            if waiter.future.done():
                continue
            if outcomes is None:
                waiter.future.set_exception(StateUnavailable("the event could not be written"))
            else:
                waiter.future.set_result(outcomes[position])
        while self._waiting and self._waiting[0].future.done():
            self._waiting.popleft()

    def _give_up_on_late(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._waiting and (self._waiting[0].future.done() or self._waiting[0].deadline <= now):
            waiter = self._waiting.popleft()
            if not waiter.future.done():
                waiter.future.set_exception(StateUnavailable("the event was not written in time"))
        self._sweep = loop.call_later(_SWEEP_SECONDS, self._give_up_on_late) if self._waiting else None

    # In the thread.

    def _run(self) -> None:
        chore_at = time.monotonic() + _MORE_CHORE_SECONDS
        more = True
        while more:
            # Looked at after every batch: a stream of events must not keep the chore waiting for ever.
            if time.monotonic() >= chore_at:
                chore_at = time.monotonic() + (_MORE_CHORE_SECONDS if self._do_chore() else _CHORE_SECONDS)
            try:
                first = self._queue.get(timeout=max(0.0, chore_at - time.monotonic()))
            except queue.Empty:
                continue
            more = self._write_from(first)

    def _write_from(self, handed: list[_Waiter[_Event]] | _Task | None) -> bool:
        """Write what was handed over and what came since, up to one batch; False ends the thread."""
        batch: list[_Waiter[_Event]] = []
        while True:
            if handed is None or isinstance(handed, _Task):
                self._write(batch)
                if handed is not None:
                    self._run_task(handed)
                return handed is not None
            # Whoever was told 503 meanwhile will send again; writing it now would only delay the others.
            batch.extend(waiter for waiter in handed if not waiter.future.done())
            if len(batch) >= LARGEST_BATCH:
                break
            try:
                handed = self._queue.get_nowait()
            except queue.Empty:
                break
        self._write(batch)
        return True

    def _write(self, gathered: list[_Waiter[_Event]]) -> None:
        for start in range(0, len(gathered), LARGEST_BATCH):
            self._write_batch(gathered[start : start + LARGEST_BATCH])

    def _write_batch(self, batch: list[_Waiter[_Event]]) -> None:
        outcomes: Sequence[str] | None = None
        if not self.broken:
            started = time.perf_counter()
            try:
                outcomes = self._accept([waiter.event for waiter in batch])
            except Exception as error:  # noqa: BLE001 - whatever it was, these events are not durable
                self._fail(error)
            else:
                self._metrics.commits.observe(time.perf_counter() - started)
                self._metrics.batches.observe(len(batch))
        self._in_loop(self._resolve, batch, outcomes)

    def _fail(self, error: Exception) -> None:
        if isinstance(error, SalesbotError) and error.retryable:
            return
        self.broken = str(error) if isinstance(error, SalesbotError) else where(error)
        if self._on_broken is not None:
            self._on_broken(self.broken)

    def _run_task(self, task: _Task) -> None:
        if task.future.done():
            return
        try:
            result = task.call()
        except Exception as error:  # noqa: BLE001 - it belongs to whoever asked
            if type(error) is StateError:
                self._fail(error)
            self._in_loop(_set_error, task.future, error)
        else:
            self._in_loop(_set_result, task.future, result)

    def _do_chore(self) -> bool:
        """Do one small piece of the chore; True when there is more of it."""
        if self._chore is None or self.broken:
            return False
        try:
            return self._chore()
        except Exception as error:  # noqa: BLE001 - judged like a batch's
            self._fail(error)
            return False

    def _in_loop(self, call: Callable[..., None], *arguments: object) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            # The loop is closed: nobody waits any more. What was written stays written.
            return


def _set_result(future: asyncio.Future[object], result: object) -> None:
    if not future.done():
        future.set_result(result)


def _set_error(future: asyncio.Future[object], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
