"""A worker for one test."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from salesbot_pipelines.workers import sharing as module
from salesbot_pipelines.workers.sharing import Share, sharing


@pytest.fixture(autouse=True)
def one_free_core(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """One worker may be started, however many cores this machine has."""
    free = threading.Semaphore(1)
    monkeypatch.setattr(module, "_free", free)
    return free


@pytest.fixture
def share() -> Iterator[Share]:
    with sharing() as shared:
        yield shared
