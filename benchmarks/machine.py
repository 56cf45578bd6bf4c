"""What the machine does: its load, for figures of a busy machine are worth less, and the memory of processes."""

from __future__ import annotations

import os
import platform
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

_LOOK_SECONDS = 0.02


def tell_load() -> str:
    """Print the load before anything is measured; give the line, for the foot of a chart."""
    line = (
        f"load average {os.getloadavg()[0]:.1f} at the start, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}"
    )
    print(line, flush=True)
    return line


class PeakOfTree:
    """The peak resident memory of a process and all it starts: the sum of their peaks, in MiB."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peaks: dict[int, float] = {}

    @property
    def mebibytes(self) -> float:
        return sum(self._peaks.values())

    def look(self) -> None:
        """Take what the system says now; a process that ended keeps what it had."""
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self._pid)
            for pid in (self._pid, *(child.pid for child in process.children(recursive=True))):
                # VmHWM begins anew with each program; the usage that wait() tells includes the parent's own memory.
                with suppress(OSError):
                    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
                    if found:
                        self._peaks[pid] = int(found[1]) / 1024


@contextmanager
def peak_of_tree(pid: int) -> Iterator[PeakOfTree]:
    """Look at the process and its children every few milliseconds."""
    peak, ended = PeakOfTree(pid), threading.Event()

    def watch() -> None:
        while not ended.wait(_LOOK_SECONDS):
            peak.look()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()
