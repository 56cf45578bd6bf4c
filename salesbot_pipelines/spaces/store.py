"""The object store as the rest of the program sees it: keys, bytes, ETags and conditions.

Promise of every implementation: a reader meets the old object or the new one, never a mixture, and
`metadata` always belongs to the bytes it is returned with. Failures are the `StoreError` family and
nothing else. Which store it is, and how it keeps the promise, does not belong here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Protocol

__all__ = [
    "NO_METADATA",
    "SHA256",
    "Condition",
    "IfAbsent",
    "IfMatch",
    "ObjectInfo",
    "ObjectStore",
    "OnRequest",
    "check_metadata",
]

SHA256 = "sha256"
"""The metadata field every put fills by itself: the hex digest of the bytes as stored."""

NO_METADATA: Mapping[str, str] = MappingProxyType({})

OnRequest = Callable[[str, str], None]
"""Told of each request before it is made: its verb (PUT, GET, HEAD, DELETE, LIST) and its key."""

_FIELD_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_FIELD_TEXT = re.compile(r"[!-~]+( [!-~]+)*|")
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html: 2 KB in all.
_METADATA_BYTES = 2048


@dataclass(frozen=True)
class ObjectInfo:
    """One stored object without its bytes. `etag` is opaque, without quotes; metadata names are lower-case."""

    key: str
    size: int
    etag: str
    metadata: Mapping[str, str] = field(default_factory=lambda: NO_METADATA, hash=False)

    @property
    def sha256(self) -> str:
        """The hex digest of the stored bytes; empty when another program wrote the object."""
        return self.metadata.get(SHA256, "")


@dataclass(frozen=True)
class IfMatch:
    """Write only over the object with this ETag; quotes around it, as HTTP spells it, are taken off.

    With the quotes Ceph gateways, and Spaces by report, never find a match.
    """

    etag: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "etag", self.etag.strip('"'))


@dataclass(frozen=True)
class IfAbsent:
    """Write only where no object lies."""


Condition = IfMatch | IfAbsent


class ObjectStore(Protocol):
    """A flat map from key to bytes. Safe to share between threads."""

    @property
    def url(self) -> str:
        """Where the store is, for people and logs; holds no secret."""
        ...

    @property
    def conditional(self) -> bool:
        """Whether conditions are enforced by the store itself. May ask the store once."""
        ...

    def uri(self, key: str) -> str:
        """Name the object for people and logs."""
        ...

    def head(self, key: str) -> ObjectInfo | None:
        """Describe the object, or return None when there is none."""
        ...

    def read(self, key: str) -> bytes:
        """Return the whole object, its length and digest checked. Raises `ObjectMissing`."""
        ...

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        """Open the object for reading in constant memory, as it is now. Raises `ObjectMissing`.

        A later put or delete does not change what the reader sees.
        """
        ...

    def put(
        self,
        key: str,
        source: bytes | Path,
        *,
        content_type: str,
        metadata: Mapping[str, str] = NO_METADATA,
        condition: Condition | None = None,
    ) -> ObjectInfo:
        """Store the bytes, or the file's bytes, privately and in one step; return what now lies there.

        `sha256` is added to the metadata; one that is given must be right (`ValueError`).
        Raises `PreconditionFailed` when the condition does not hold, `StoreUnavailable` when the
        outcome is unknown or nothing was stored; a later put may then be tried.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove the object; an absent one is fine."""
        ...

    def list(self, prefix: str) -> Iterator[str]:
        """Yield every key that starts with the prefix, in the order of their UTF-8 bytes."""
        ...


def check_metadata(metadata: Mapping[str, str], *, sha256: str) -> dict[str, str]:
    """Return the metadata with `sha256` in it. Raises `ValueError` for what an HTTP header cannot carry.

    Also refuses a given `sha256` other than that of the bytes at hand: the source changed after the
    caller hashed it, and every later read of such an object would fail.
    """
    for name, text in metadata.items():
        if not _FIELD_NAME.fullmatch(name):
            raise ValueError(f"metadata name {name!r} is not lower-case words joined by hyphens")
        if not _FIELD_TEXT.fullmatch(text):
            raise ValueError(f"metadata {name} holds a character that an HTTP header cannot carry")
    if metadata.get(SHA256, sha256) != sha256:
        raise ValueError("the bytes to be stored are not those whose sha256 was given")
    checked = {**metadata, SHA256: sha256}
    if sum(len(name) + len(text) for name, text in checked.items()) > _METADATA_BYTES:
        raise ValueError(f"metadata is larger than {_METADATA_BYTES} bytes")
    return checked
