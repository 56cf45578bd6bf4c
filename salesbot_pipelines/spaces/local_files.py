"""Files that are never half there: temporary files, locks, durable renames and private folders.

Promise: what `move_to` has returned from survives a power cut, and a writer that dies leaves nothing
that the next one does not clear away. Objects, keys and metadata do not belong here.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from salesbot_pipelines.errors import StoreRefused, StoreUnavailable

__all__ = [
    "Temporary",
    "errors_as_ours",
    "is_regular",
    "is_still",
    "locked",
    "open_regular",
    "remove_empty_folders",
    "sweep",
    "sync_folder",
    "temporary",
    "walk",
]

_LOCKS = ".locks"
_TEMPORARY = ".tmp"
_CREATE_ATTEMPTS = 1000  # against deletes that keep removing the folder; one is the rule
# What waiting, freeing space or another attempt may heal; the rest is a wrong setting or a wrong right.
_PASSING = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN,
    errno.EBUSY, errno.EINTR, errno.ENOLCK, errno.ESTALE, errno.ETIMEDOUT,
}  # fmt: skip


@contextmanager
def errors_as_ours(verb: str, key: str) -> Iterator[None]:
    """Turn the system's errors into the store's: `StoreUnavailable` for what passes, else `StoreRefused`."""
    try:
        yield
    except OSError as error:
        text = f"cannot {verb} {key}: {os.strerror(error.errno) if error.errno else error}"
        if error.errno in _PASSING:
            raise StoreUnavailable(text, key=key, advice="free some space or wait, then try again") from error
        raise StoreRefused(text, key=key, advice="check the folder SALESBOT_HOME and its rights") from error


@dataclass(frozen=True)
class Temporary:
    """A file beside its target, locked against `sweep` while its writer lives."""

    file: BinaryIO
    path: Path

    def make_durable(self) -> None:
        """Bring the bytes to the disk."""
        self.file.flush()
        os.fsync(self.file.fileno())

    def move_to(self, target: Path) -> None:
        """Replace the target in one step, and bring the new name to the disk."""
        self.path.replace(target)
        sync_folder(target.parent)


@contextmanager
def temporary(target: Path) -> Iterator[Temporary]:
    """Open a new file in the target's folder, which is made when absent; remove it unless it was moved."""
    path = target.with_name(f".{target.name.lstrip('.')}.{secrets.token_hex(8)}{_TEMPORARY}")
    file = _create_locked(path)
    try:
        with file:
            yield Temporary(file, path)
    finally:
        path.unlink(missing_ok=True)


def _create_locked(path: Path) -> BinaryIO:
    for _ in range(_CREATE_ATTEMPTS):
        try:
            _make_folder(path.parent)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue  # a delete emptied and removed the folder meanwhile
        file = os.fdopen(descriptor, "w+b")
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return file
        file.close()  # swept between its creation and its lock
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))


def sweep(folder: Path) -> None:
    """Remove the temporary files of writers that died: those that nobody holds locked."""
    try:
        with os.scandir(folder) as found:
            names = [entry.name for entry in found if entry.name.startswith(".") and entry.name.endswith(_TEMPORARY)]
    except FileNotFoundError:  # another delete has removed the folder
        return
    for name in names:
        file = open_regular(folder / name)
        if file is None:
            continue
        with file, suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            (folder / name).unlink(missing_ok=True)


@contextmanager
def locked(root: Path, key: str) -> Iterator[None]:
    """Exclude every other writer of the key, in all threads and processes.

    The lock files are shared by the keys of one digest prefix and never removed: a lock file of its
    own could not be deleted with its object without two writers ending up on two files.
    """
    folder = root / _LOCKS
    _make_folder(folder)
    name = hashlib.sha256(key.encode()).hexdigest()[:2]
    descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def open_regular(path: Path) -> io.BufferedReader | None:
    """Open a regular file for reading; None when there is none. Never follows a link at the end."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return os.fdopen(descriptor, "rb")


def is_regular(path: Path) -> bool:
    """Say whether a regular file, and not a folder or a link, lies there."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def is_still(path: Path, file: BinaryIO) -> bool:
    """Say whether the path names the open file."""
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(file.fileno()))


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def walk(root: Path, folder: str) -> Iterator[str]:
    """Yield the keys below the folder, in the order of their UTF-8 bytes; hidden files are left out."""
    try:
        with os.scandir(root / folder) as found:
            entries = [entry for entry in found if not entry.name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        return
    # A folder sorts as its name with a slash, or "a/b" would come before "a-b".
    names = {entry.name + "/" * entry.is_dir(follow_symlinks=False): entry for entry in entries}
    for name in sorted(names, key=os.fsencode):
        key = f"{folder}/{name}" if folder else name
        if name.endswith("/"):
            yield from walk(root, key.rstrip("/"))
        elif names[name].is_file(follow_symlinks=False):
            yield key


def remove_empty_folders(folder: Path, *, below: Path) -> None:
    """Remove the folder and its parents up to the root while they are empty."""
    while folder != below and folder.is_relative_to(below):
        try:
            folder.rmdir()
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                return
            raise
        folder = folder.parent


def _make_folder(folder: Path) -> None:
    """Make the folder and its parents, each private and durable."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        sync_folder(folder.parent)
