"""The encryption keys of the embedded default: one a line, newest first, in a file of mode 0600.

The file is replaced whole and by one process at a time, so that two that start together agree on a
key and a crash leaves the old file or the new one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography.fernet import Fernet

from salesbot_pipelines.errors import StateError
from salesbot_pipelines.state.files import exclusive_lock, private_folder, require_private

NAME = "encryption.keys"


def new_key() -> str:
    """Return a fresh key."""
    return Fernet.generate_key().decode("ascii")


class KeyFile:
    """The key file in a home folder."""

    def __init__(self, home: Path) -> None:
        self.path = home / NAME

    def read(self) -> tuple[str, ...]:
        """Return the keys, newest first; none when there is no file.

        Raises `StateError` when others may read the file, or when it holds no key.
        """
        try:
            require_private(self.path)
            keys = tuple(self.path.read_text("ascii").split())
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError) as error:
            raise StateError(f"{self.path} cannot be read: {type(error).__name__}") from None
        if not keys:
            # An empty file is a lost key, not a first use: a new key would hide the loss.
            raise StateError(f"{self.path} is empty", advice="restore it from a backup")
        return keys

    def read_or_create(self) -> tuple[str, ...]:
        """Return the keys; make the file with one new key when there is none."""
        if keys := self.read():
            return keys
        with self._alone():
            keys = self.read() or (new_key(),)
            self._replace(keys)
        return keys

    def add(self, key: str) -> tuple[str, ...]:
        """Put a key in front, for a rotation to begin; return all."""
        with self._alone():
            keys = (key, *(present for present in self.read() if present != key))
            self._replace(keys)
        return keys

    def keep_newest(self) -> None:
        """Drop every key but the newest, once a rotation has ended."""
        with self._alone():
            self._replace(self.read()[:1])

    @contextmanager
    def _alone(self) -> Iterator[None]:
        private_folder(self.path.parent)
        with exclusive_lock(self.path.with_name(NAME + ".lock"), wait_seconds=10.0, what="changes the key file"):
            yield

    def _replace(self, keys: Sequence[str]) -> None:
        if not keys:
            return
        draft = self.path.with_name(NAME + ".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            os.fchmod(descriptor, 0o600)
            stream.write("".join(f"{key}\n" for key in keys))
            stream.flush()
            os.fsync(descriptor)
        draft.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
