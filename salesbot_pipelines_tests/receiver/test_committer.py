"""The group commit: nothing is acknowledged before its commit, nobody waits too long, a failed disk ends it."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from salesbot_pipelines.errors import StateError, StateUnavailable
from salesbot_pipelines.receiver.committer import LARGEST_BATCH, Committer
from salesbot_pipelines.receiver.metrics import Metrics


class Disk:
    """Stands where the database does: can be held, broken and asked what it was given."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = threading.Event()
        self.open.set()
        self.error: Exception | None = None

    def accept(self, events):
        self.open.wait(5)
        if self.error is not None:
            raise self.error
        self.batches.append(list(events))
        return [f"new {event}" for event in events]

    @property
    def written(self) -> list[int]:
        return [event for batch in self.batches for event in batch]


def run(scenario, disk, **options):
    async def main():
        committer = Committer(disk.accept, metrics=Metrics(), **options)
        committer.start(asyncio.get_running_loop())
        try:
            return await asyncio.wait_for(scenario(committer), 10)
        finally:
            disk.open.set()
            committer.close(wait_seconds=2)

    return asyncio.run(main())


def test_each_event_learns_its_own_outcome_after_it_was_written():
    disk = Disk()

    async def scenario(committer):
        return await asyncio.gather(*(committer.commit(number) for number in range(1000)))

    assert run(scenario, disk) == [f"new {number}" for number in range(1000)]
    assert disk.written == list(range(1000))
    assert max(map(len, disk.batches)) > 1


def test_no_answer_before_the_commit():
    disk = Disk()
    disk.open.clear()

    async def scenario(committer):
        answer = asyncio.ensure_future(committer.commit(1))
        await asyncio.sleep(0.2)
        assert not answer.done()
        disk.open.set()
        return await answer

    assert run(scenario, disk) == "new 1"


def test_events_that_come_during_a_commit_share_the_next_one():
    disk = Disk()
    disk.open.clear()

    async def scenario(committer):
        first = asyncio.ensure_future(committer.commit(0))
        await asyncio.sleep(0.1)
        others = [asyncio.ensure_future(committer.commit(number)) for number in range(1, 51)]
        await asyncio.sleep(0.1)
        disk.open.set()
        await asyncio.gather(first, *others)

    run(scenario, disk)
    assert disk.batches == [[0], list(range(1, 51))]


def test_a_batch_is_bounded():
    disk = Disk()
    disk.open.clear()

    async def scenario(committer):
        waiting = [asyncio.ensure_future(committer.commit(number)) for number in range(LARGEST_BATCH * 3 + 1)]
        await asyncio.sleep(0.05)
        disk.open.set()
        await asyncio.gather(*waiting)

    run(scenario, disk)
    assert [len(batch) for batch in disk.batches] == [LARGEST_BATCH] * 3 + [1]


def test_a_stuck_database_is_told_in_time_and_the_late_event_is_not_written_twice():
    disk = Disk()
    disk.open.clear()

    async def scenario(committer):
        first = asyncio.ensure_future(committer.commit(1))
        await asyncio.sleep(0.05)
        with pytest.raises(StateUnavailable, match="in time"):
            await committer.commit(2)
        assert disk.written == [], "it is told while the database is stuck, not when it goes on"
        with pytest.raises(StateUnavailable):
            await first
        disk.open.set()
        return await committer.commit(3)

    assert run(scenario, disk, patience_seconds=0.3) == "new 3"
    # 1 was on its way already; 2 had been told "503" and is left to Shopify's next delivery.
    assert disk.written == [1, 3]


def test_more_than_the_queue_holds_is_refused_at_once():
    disk = Disk()
    disk.open.clear()

    async def scenario(committer):
        waiting = [asyncio.ensure_future(committer.commit(number)) for number in range(8)]
        await asyncio.sleep(0)
        with pytest.raises(StateUnavailable, match="too many"):
            await committer.commit(99)
        assert disk.written == []  # it was not waited for
        disk.open.set()
        await asyncio.gather(*waiting)
        assert committer.depth == 0
        return await committer.commit(100)

    assert run(scenario, disk, capacity=8) == "new 100"


def test_an_unavailable_database_fails_its_batch_and_is_tried_again():
    disk = Disk()
    disk.error = StateUnavailable("locked")

    async def scenario(committer):
        with pytest.raises(StateUnavailable):
            await committer.commit(1)
        disk.error = None
        assert committer.is_working
        return await committer.commit(1)

    assert run(scenario, disk) == "new 1"


@pytest.mark.parametrize(
    "error", [StateError("the disk failed: SQLITE_IOERR_FSYNC"), OSError(5, "I/O"), ValueError()]
)
def test_a_failed_disk_ends_it_for_good(error):
    disk = Disk()
    disk.error = error
    told: list[str] = []

    async def scenario(committer):
        with pytest.raises(StateUnavailable):
            await committer.commit(1)
        disk.error = None  # the next fsync would claim success
        with pytest.raises(StateUnavailable, match="stopped taking"):
            await committer.commit(2)
        assert not committer.is_working
        assert committer.broken

    run(scenario, disk, on_broken=told.append)
    assert disk.written == []
    assert len(told) == 1


def test_events_already_handed_over_are_not_written_after_the_disk_failed():
    disk = Disk()
    disk.open.clear()
    disk.error = StateError("the disk failed")

    async def scenario(committer):
        first = asyncio.ensure_future(committer.commit(1))
        await asyncio.sleep(0.1)
        second = asyncio.ensure_future(committer.commit(2))
        await asyncio.sleep(0.1)
        disk.open.set()
        results = await asyncio.gather(first, second, return_exceptions=True)
        assert [type(result) for result in results] == [StateUnavailable, StateUnavailable]

    run(scenario, disk)
    assert disk.written == []


def test_closing_writes_what_waits():
    disk = Disk()
    disk.open.clear()

    async def scenario(committer):
        waiting = [asyncio.ensure_future(committer.commit(number)) for number in range(100)]
        await asyncio.sleep(0.05)
        waiting += [asyncio.ensure_future(committer.commit(number)) for number in range(100, 200)]
        await asyncio.sleep(0)
        disk.open.set()
        assert await asyncio.to_thread(committer.close, wait_seconds=3)
        with pytest.raises(StateUnavailable, match="stopping"):
            await committer.commit(999)
        await asyncio.gather(*waiting)

    run(scenario, disk)
    assert disk.written == list(range(200))


def test_small_writes_take_their_turn_and_their_errors_belong_to_whoever_asked():
    disk = Disk()

    def fail():
        raise StateUnavailable("locked")

    async def scenario(committer):
        assert await committer.run(lambda: 42) == 42
        with pytest.raises(StateUnavailable, match="locked"):
            await committer.run(fail)
        disk.open.clear()
        waiting = asyncio.ensure_future(committer.commit(1))
        await asyncio.sleep(0.05)
        with pytest.raises(StateUnavailable, match="in time"):
            await committer.run(lambda: 1)
        disk.open.set()
        with pytest.raises(StateUnavailable):
            await waiting
        return await committer.commit(2)

    assert run(scenario, disk, patience_seconds=0.2) == "new 2"


def test_a_client_that_left_does_not_hold_up_the_others():
    disk = Disk()

    async def scenario(committer):
        disk.open.clear()
        left = asyncio.ensure_future(committer.commit(1))
        stayed = asyncio.ensure_future(committer.commit(2))
        await asyncio.sleep(0.05)
        left.cancel()
        disk.open.set()
        assert await stayed == "new 2"
        assert committer.depth == 0

    run(scenario, disk)


def test_what_waited_is_counted():
    disk = Disk()
    metrics = Metrics()

    async def main():
        committer = Committer(disk.accept, metrics=metrics)
        committer.start(asyncio.get_running_loop())
        await asyncio.gather(*(committer.commit(number) for number in range(20)))
        committer.close(wait_seconds=2)

    asyncio.run(main())
    text = metrics.text()
    assert "salesbot_receiver_commit_rows_sum 20.000000" in text
    assert 'salesbot_receiver_commit_rows_bucket{le="+Inf"}' in text


def test_the_chore_is_done_under_load_too_and_soon_again_while_there_is_more():
    disk = Disk()
    calls: list[float] = []

    def chore() -> bool:
        calls.append(time.monotonic())
        return len(calls) < 3

    async def scenario(committer):
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            await asyncio.gather(*(committer.commit(number) for number in range(10)))

    run(scenario, disk, chore=chore)
    assert len(calls) == 3


def test_a_chore_that_meets_a_failed_disk_ends_it_for_good():
    disk = Disk()

    def chore() -> bool:
        raise StateError("the disk failed")

    async def scenario(committer):
        await asyncio.sleep(0.6)
        with pytest.raises(StateUnavailable):
            await committer.commit(1)

    run(scenario, disk, chore=chore)
    assert disk.written == []
