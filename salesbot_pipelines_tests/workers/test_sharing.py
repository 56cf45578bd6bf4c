"""A shared `map` gives what `map` gives, whatever becomes of the worker."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salesbot_pipelines.errors import BulkFailed
from salesbot_pipelines.workers import process as worker_process
from salesbot_pipelines.workers import sharing as module
from salesbot_pipelines.workers.sharing import Share, sharing
from salesbot_pipelines_tests.workers import jobs
from salesbot_pipelines_tests.workers.jobs import children


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(), max_size=40))
def test_it_gives_what_map_gives(share: Share, numbers: list[int]) -> None:
    assert list(share(jobs.double, iter(numbers))) == list(map(jobs.double, numbers))


def test_both_processes_do_some(share: Share) -> None:
    found = list(share(jobs.slow_who, [0.05] * 12))
    assert os.getpid() in found
    assert len(set(found)) == 2


def test_what_the_worker_has_not_begun_is_taken_back(share: Share) -> None:
    """Two items, and the worker is at the first: the second is done here, not after it."""
    list(share(jobs.who, [0, 0]))  # it has started
    first, second = share(jobs.slow_who, [0.5, 0.0])
    assert first != os.getpid()
    assert second == os.getpid()


def test_nothing_is_started_until_there_is_something_to_do() -> None:
    before = children()
    with sharing():
        assert children() == before


def test_the_worker_is_gone_afterwards() -> None:
    before = children()
    with sharing() as share:
        list(share(jobs.double, range(3)))
        assert len(children() - before) == 1
    assert children() == before


def test_a_worker_that_dies_loses_no_item(caplog: pytest.LogCaptureFixture, share: Share) -> None:
    items = [(number, os.getpid()) for number in range(20)]
    assert list(share(jobs.die_elsewhere, items)) == list(range(20))
    assert [record.getMessage() for record in caplog.records] == [
        "everything is done in this process from here on: the worker process ended (EOFError)"
    ]
    assert list(share(jobs.who, [0, 0])) == [os.getpid()] * 2


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 25), st.floats(0, 0.05))
def test_a_worker_killed_at_any_moment_loses_no_item(
    monkeypatch: pytest.MonkeyPatch, items: int, seconds: float
) -> None:
    started = []
    plain = worker_process.WorkerProcess.__init__

    def start(self: worker_process.WorkerProcess, imports: Sequence[str]) -> None:
        plain(self, imports)
        started.append(self)
        threading.Timer(seconds, os.kill, (self.pid, signal.SIGKILL)).start()

    with monkeypatch.context() as patch, sharing() as share:
        patch.setattr(worker_process.WorkerProcess, "__init__", start)
        found = list(share(jobs.slow_who, [0.004] * items))
        assert len(found) == items
        assert set(found) <= {os.getpid(), started[0].pid}
        started[0]._process.wait()


def test_a_worker_that_hangs_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, share: Share
) -> None:
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.3)
    worker, _ = share(jobs.who, [0, 0])
    os.kill(worker, signal.SIGSTOP)
    assert list(share(jobs.double, range(30))) == list(range(0, 60, 2))
    assert "the worker hangs" in caplog.text
    assert not psutil.pid_exists(worker)


def test_nor_does_it_hold_up_whoever_stops_taking_results(monkeypatch: pytest.MonkeyPatch, share: Share) -> None:
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.3)
    worker, _ = share(jobs.who, [0, 0])
    results = share(jobs.slow_who, [0.0, 5.0, 0.3, 0.0])
    assert next(results) == worker  # while this process did the third, it has begun the second
    os.kill(worker, signal.SIGSTOP)
    results.close()
    assert not psutil.pid_exists(worker)


def test_an_error_is_raised_here_as_map_would(share: Share) -> None:
    found = []
    with pytest.raises(BulkFailed, match="third is refused"):
        found.extend(share(jobs.refuse, range(9)))
    assert list(share(jobs.double, range(9))) == [0, 2, 4, 6, 8, 10, 12, 14, 16]


def test_what_fails_only_there_is_done_here_and_the_worker_goes_on(share: Share) -> None:
    items = [(number, os.getpid()) for number in range(9)]
    assert list(share(jobs.refuse_elsewhere, items)) == list(range(9))
    assert len(set(share(jobs.slow_who, [0.05] * 6))) == 2


def test_an_error_of_the_items_is_raised_as_it_is(share: Share) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        list(share(jobs.double, items()))


def test_whoever_stops_taking_results_finds_no_one_at_work(share: Share, tmp_path: Path) -> None:
    """Its files may be taken away then: nothing appears in them any more."""
    paths = [tmp_path / f"{number}" for number in range(4)]
    results = share(jobs.appear, [(str(path), 0.1) for path in paths])
    next(results)
    results.close()
    there = sorted(tmp_path.iterdir())
    time.sleep(0.3)
    assert sorted(tmp_path.iterdir()) == there


def test_the_worker_has_never_more_than_two_items(monkeypatch: pytest.MonkeyPatch, share: Share) -> None:
    futures, most = [], []
    plain = worker_process.WorkerProcess.submit

    def submit(self: worker_process.WorkerProcess, function, item):
        futures.append(plain(self, function, item))
        most.append(sum(not future.done() for future in futures))
        return futures[-1]

    monkeypatch.setattr(worker_process.WorkerProcess, "submit", submit)
    list(share(jobs.slow_who, [0.02] * 30))
    assert max(most) <= 2
    assert len(futures) < 30


def test_without_affinity_all_cores_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {1, 3, 5})
    assert module._cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert module._cores() == 4
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert module._cores() == 1


def test_results_do_not_pile_up(share: Share) -> None:
    """While the first item takes its time, a few others are done, not all."""
    list(share(jobs.who, [0, 0]))
    asked = 0

    def items() -> Iterator[float]:
        nonlocal asked
        yield 0.4
        for _ in range(500):
            asked += 1
            yield 0.0

    results = share(jobs.slow_who, items())
    next(results)
    assert asked == module._MOST_AHEAD
    assert len(list(results)) == 500


def test_no_more_workers_than_free_cores(one_free_core: threading.Semaphore) -> None:
    before = children()
    with sharing() as first, sharing() as second:
        list(first(jobs.double, range(3)))
        assert list(second(jobs.who, [0, 0])) == [os.getpid()] * 2
        assert len(children() - before) == 1
    with sharing() as third:  # the first one's core is free again
        assert len(set(third(jobs.slow_who, [0.05] * 6))) == 2
    assert one_free_core.acquire(blocking=False)


def test_what_cannot_be_started_is_done_here(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, one_free_core: threading.Semaphore
) -> None:
    monkeypatch.setattr(worker_process.sys, "executable", "/nowhere/python")
    with sharing() as share:
        assert list(share(jobs.who, [0, 0])) == [os.getpid()] * 2
    assert "no other could be started: No such file or directory" in caplog.text
    assert one_free_core.acquire(blocking=False)


def test_nothing_secret_reaches_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SALESBOT_ENCRYPTION_KEYS", "SHOPIFY_API_SECRET", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "planted-secret")
    with sharing() as share:
        there, here = share(jobs.environment, [0, 0])
    assert "planted-secret" in here.values()
    assert "planted-secret" not in there.values()


def test_what_anyone_prints_there_is_no_answer(share: Share, capfd: pytest.CaptureFixture[str]) -> None:
    assert list(share(jobs.chatter, range(4))) == [0, 1, 2, 3]
    assert "everything is done" not in capfd.readouterr().err


def test_the_worker_ends_when_this_process_is_killed(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        import os, time
        from salesbot_pipelines.workers.sharing import sharing
        from salesbot_pipelines_tests.workers import jobs
        with sharing() as share:
            print(next(share(jobs.who, [0, 0])), flush=True)
            time.sleep(60)
        """
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=root) as parent:
        assert parent.stdout is not None
        worker = psutil.Process(int(parent.stdout.readline()))
        assert worker.is_running()
        parent.kill()
    worker.wait(timeout=30)


def test_a_message_that_is_cut_anywhere_is_none() -> None:
    whole = io.BytesIO()
    worker_process.send(whole, (jobs.double, 21))
    content = whole.getvalue()
    assert worker_process.receive(io.BytesIO(content)) == (jobs.double, 21)
    for length in range(len(content)):
        with pytest.raises(EOFError):
            worker_process.receive(io.BytesIO(content[:length]))
