"""Whether a store enforces the conditions of a put: believed only after it was tried.

Some S3 stores overwrite in silence where they should answer 412, and some find no match for the ETag
they gave themselves. What is done about such a store does not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass

from salesbot_pipelines.errors import PreconditionFailed, StoreRefused
from salesbot_pipelines.spaces.keys import probe_key
from salesbot_pipelines.spaces.store import Condition, IfAbsent, IfMatch, ObjectStore

__all__ = ["Conditions", "check_conditions"]


@dataclass(frozen=True)
class Conditions:
    """Which conditions of a put are enforced."""

    create_only: bool
    compare_and_set: bool

    @property
    def all(self) -> bool:
        return self.create_only and self.compare_and_set


def check_conditions(store: ObjectStore) -> Conditions:
    """Try both conditions on a throw-away key; the store must pass them on as they are.

    Raises `StoreError` when even a put without a condition fails.
    """
    key = probe_key()
    try:
        etag = store.put(key, b"1", content_type="text/plain").etag
        try:
            create_only = not _accepts(store, key, b"2", IfAbsent())
            if not create_only and (now := store.head(key)):
                etag = now.etag
            # Both halves: a store may refuse everything, the ETag it gave a moment ago included.
            compare_and_set = _accepts(store, key, b"3", IfMatch(etag)) and not _accepts(
                store, key, b"4", IfMatch(etag)
            )
        except StoreRefused:  # the plain put was allowed: it is the condition that the store does not know
            return Conditions(create_only=False, compare_and_set=False)
        return Conditions(create_only, compare_and_set)
    finally:
        store.delete(key)


def _accepts(store: ObjectStore, key: str, content: bytes, condition: Condition) -> bool:
    try:
        store.put(key, content, content_type="text/plain", condition=condition)
    except PreconditionFailed:
        return False
    return True
