"""Folders and files that nobody else may read, and a lock between processes.

Modes are set explicitly, so that they hold under any umask. SQLite gives its -wal and -shm files the
mode of the database file, which is why that one is made here before SQLite opens it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from salesbot_pipelines.errors import StateError, StateUnavailable

LEAST_ROOM = 256 * 1024
"""Bytes. SQLite writes small changes into room it already has, so that they succeed when nothing else does."""


def private_folder(path: Path) -> None:
    """Make sure that `path` is a folder of mode 0700 that others can neither read nor write.

    A folder of ours that others may only look into is tightened; one that others may write into, or
    that is somebody else's, raises `StateError`: what lies there cannot be trusted.
    """
    missing: list[Path] = []
    while not path.exists():
        missing.append(path)
        path = path.parent
    if not missing:
        _tighten(path, 0o700)
    for folder in reversed(missing):
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(0o700)
        except OSError as error:
            raise _refused(folder, error.strerror or "cannot be made") from None


def private_file(path: Path) -> None:
    """Make sure that `path` is a file of mode 0600; make it empty if it is missing. Raises `StateError`."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _refused(path, error.strerror or "cannot be opened") from None
    os.close(descriptor)
    _tighten(path, 0o600)


def require_private(path: Path) -> None:
    """Raise `StateError` when anybody but its user may read or write the file `path`."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise StateError(
            f"{path} may be read by others (mode {mode:04o})",
            advice=f"if nobody else has read it: chmod 600 {path}",
        )


def require_room(folder: Path, least: int = LEAST_ROOM) -> None:
    """Raise `StateUnavailable` when less than `least` bytes are free where `folder` lies."""
    free = shutil.disk_usage(folder).free
    if free < least:
        raise StateUnavailable(f"{free} bytes are free where the database lies")


def _tighten(path: Path, mode: int) -> None:
    status = path.stat()
    present = stat.S_IMODE(status.st_mode)
    if not stat.S_ISDIR(status.st_mode) and mode == 0o700:
        raise _refused(path, "is not a folder")
    if present == mode:
        return
    if status.st_uid != os.geteuid() or (mode == 0o700 and present & (stat.S_ISVTX | 0o022)):
        raise _refused(path, f"is open to others (mode {present:04o})")
    path.chmod(mode)


def _refused(path: Path, why: str) -> StateError:
    return StateError(f"{path} {why}", advice="give SALESBOT_HOME a folder of its own that only its user can open")


@contextmanager
def exclusive_lock(path: Path, *, wait_seconds: float, what: str) -> Iterator[None]:
    """Hold the lock file `path` while the body runs; the kernel frees it when the process dies.

    Raises `StateUnavailable` when another process still has it after `wait_seconds`.
    """
    private_file(path)
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        _lock(descriptor, wait_seconds, what)
        yield
    finally:
        with suppress(OSError):
            os.close(descriptor)


def _lock(descriptor: int, wait_seconds: float, what: str) -> None:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise StateUnavailable(f"another process {what}") from None
            time.sleep(0.02)
