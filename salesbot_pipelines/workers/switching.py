"""How often Python's lock changes hands while there is a worker."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SWITCH_SECONDS = 0.0005

_lock = threading.Lock()
_wanted: list[float] = []
"""For each who wants it now, what was usual before."""


@contextmanager
def switching_often() -> Iterator[None]:
    """Let threads have the lock in half a millisecond, for as long as anyone wants that.

    The thread that speaks with a worker needs it for moments, and would wait ten times as long for one that reckons.
    """
    with _lock:
        _wanted.append(sys.getswitchinterval())
        sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        yield
    finally:
        with _lock:
            usual = _wanted.pop()  # the last to go pops what the first has found
            if not _wanted:
                sys.setswitchinterval(usual)
