"""A worker is started early, has its modules then, and is waited for no longer than it works."""

from __future__ import annotations

import fcntl
import os
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from salesbot_pipelines.workers import process as worker_process
from salesbot_pipelines.workers import sharing as module
from salesbot_pipelines.workers.sharing import Share, beside, sharing, warm
from salesbot_pipelines_tests.workers import jobs
from salesbot_pipelines_tests.workers.jobs import children


def test_it_may_be_started_before_there_is(share: Share) -> None:
    before = children()
    warm(share)
    (worker,) = children() - before
    assert next(share(jobs.who, [0, 0])) == worker
    warm(map)


def test_the_worker_imports_meanwhile_what_it_will_need() -> None:
    with sharing(["wave"]) as share:
        there, _ = share(jobs.has_imported, ["wave", "wave"])
        assert there
    with sharing() as share:
        there, _ = share(jobs.has_imported, ["wave", "wave"])
        assert not there


def test_without_what_it_should_import_nothing_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    with sharing(["no_such_module"]) as share:
        assert list(share(jobs.double, range(9))) == list(range(0, 18, 2))
    assert "everything is done in this process from here on" in caplog.text


def test_one_item_is_done_there_while_this_process_does_something_else(share: Share, tmp_path: Path) -> None:
    def own() -> None:
        assert jobs.wait_for(tmp_path / "begun")
        (tmp_path / "there").touch()

    worker, met = beside(share, jobs.begin_and_wait, str(tmp_path), own)
    assert met
    assert worker != os.getpid()
    called: list[int] = []
    assert beside(map, jobs.double, 4, lambda: called.append(1)) == 8
    assert called == [1]


@pytest.mark.parametrize("with_worker", [True, False])
def test_an_error_of_what_it_does_is_raised(share: Share, with_worker: bool) -> None:
    def fail() -> None:
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="the disk is full"):
        beside(share if with_worker else map, jobs.double, 4, fail)


def test_a_whole_item_lies_in_a_pipe() -> None:
    worker = worker_process.WorkerProcess()
    pipes = (worker._process.stdin, worker._process.stdout)
    assert [fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) for pipe in pipes if pipe] == [1024 * 1024] * 2
    worker.close()


def test_threads_soon_have_pythons_lock_while_there_is_a_worker() -> None:
    sys.setswitchinterval(0.005)
    with sharing() as share:
        assert sys.getswitchinterval() == 0.005
        warm(share)
        assert sys.getswitchinterval() == 0.0005
    assert sys.getswitchinterval() == 0.005


def test_it_is_as_it_was_when_the_last_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    sys.setswitchinterval(0.005)
    monkeypatch.setattr(module, "_free", threading.Semaphore(2))
    with ExitStack() as first, ExitStack() as second:
        for stack in (first, second):
            warm(stack.enter_context(sharing()))
        first.close()
        assert sys.getswitchinterval() == 0.0005
        second.close()
        assert sys.getswitchinterval() == 0.005


def test_where_pipes_cannot_be_widened_they_stay_as_they_are(monkeypatch: pytest.MonkeyPatch, share: Share) -> None:
    def refused(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(fcntl, "fcntl", refused)
    assert list(share(jobs.double, range(9))) == list(range(0, 18, 2))
    monkeypatch.delattr(fcntl, "F_SETPIPE_SZ")
    worker_process.WorkerProcess().close()
