"""What the tests have a worker do: functions that another process can import."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import psutil

from salesbot_pipelines.errors import BulkFailed


def double(number: int) -> int:
    return 2 * number


def who(_item: object) -> int:
    return os.getpid()


def slow_who(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def die_elsewhere(item: tuple[int, int]) -> int:
    """Kill whoever does this, unless it is the process named."""
    number, home = item
    if os.getpid() != home:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def refuse(number: int) -> int:
    if number == 3:
        raise BulkFailed("the third is refused", shop="a.myshopify.com")
    return number


def refuse_elsewhere(item: tuple[int, int]) -> int:
    """Fail in any process but the one named."""
    number, home = item
    if os.getpid() != home:
        raise ValueError("not here")
    return number


def wait_for(path: Path) -> bool:
    """Wait until there is such a file, some seconds at most; say whether it came."""
    for _ in range(2_000):
        if path.exists():
            return True
        time.sleep(0.005)
    return False


def begin_and_wait(folder: str) -> tuple[int, bool]:
    """Leave the file `begun`, and wait for `there`; say who waited, and whether it came."""
    (Path(folder) / "begun").touch()
    return os.getpid(), wait_for(Path(folder) / "there")


def has_imported(module: str) -> bool:
    return module in sys.modules


def environment(_item: object) -> dict[str, str]:
    return dict(os.environ)


def chatter(number: int) -> int:
    print("this is no answer")
    return number


def appear(item: tuple[str, float]) -> None:
    """Take a while, and then leave a file."""
    path, seconds = item
    time.sleep(seconds)
    Path(path).touch()


def children() -> set[int]:
    """Return the processes that this one has started and that live."""
    return {child.pid for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE}
