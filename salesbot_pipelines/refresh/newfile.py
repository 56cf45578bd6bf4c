"""Files whose size and digest are known as soon as they are written."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_BUFFER_BYTES = 256 * 1024


@dataclass(frozen=True)
class MadeFile:
    """A finished file: its size in bytes and the digest of its bytes."""

    path: Path
    size: int
    sha256: str


class NewFile:
    """A file being written from its beginning."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hashed = _Hashed(path)
        self._buffer = io.BufferedWriter(self._hashed, _BUFFER_BYTES)
        self.write = self._buffer.write

    def made(self) -> MadeFile:
        """Close the file and describe it."""
        self.close()
        return MadeFile(self._path, self._hashed.size, self._hashed.digest.hexdigest())

    def close(self) -> None:
        """Close the file as it is; after a failure its folder is thrown away."""
        self._buffer.close()


class _Hashed(io.RawIOBase):
    """Hashes what it writes, in the large pieces that the buffer makes of lines."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)
        self.digest = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any, /) -> int:
        written = self._file.write(content)
        self.digest.update(memoryview(content)[:written])
        self.size += written
        return written

    def close(self) -> None:
        self._file.close()
        super().close()
