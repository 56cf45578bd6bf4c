"""What a reading knows of bulk operations that an earlier one began, so that it can go on with them.

Where that is kept is not Shopify's affair: whoever reads a shop hands in an `OperationMemory`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from salesbot_pipelines.errors import ShopifyError, StateError
from salesbot_pipelines.shopify.client import AdminClient
from salesbot_pipelines.shopify.queries import load

ADOPT_WITHIN = timedelta(hours=6)
"""How long ago the reading may have begun whose operations are adopted."""


class RememberedOperation(Protocol):
    """An operation that was started; `digest` says for what, `began_at` when its reading began."""

    @property
    def name(self) -> str: ...
    @property
    def gid(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def began_at(self) -> datetime: ...


class OperationMemory(Protocol):
    """The operations of one shop that nobody has published the results of, for the run that holds the shop."""

    def recall(self) -> Sequence[RememberedOperation]:
        """Claim and return them all: no older run can release one of them any more."""
        ...

    def remember(self, name: str, gid: str, digest: str, began_at: datetime) -> None:
        """Keep an operation that has just been started, in place of an older one of that name."""
        ...

    def release(self, gid: str) -> bool:
        """Forget an operation; say whether it was still this run's, and so may be cancelled."""
        ...

    def restore(self, gid: str) -> None:
        """Keep one again that was released and could not be cancelled."""
        ...


@dataclass(frozen=True)
class History:
    """The memory, and what this reading has to say about its own operations.

    `adopt` lets operations of earlier readings be used; without it they are cancelled. `began_at` is when this
    reading began, `scopes` what the app may do in the shop now.
    """

    memory: OperationMemory
    began_at: datetime
    scopes: frozenset[str]
    adopt: bool = False

    def digest(self, api_version: str, text: str) -> str:
        """Name what an operation gives: under another version, text or permission it is another result."""
        told = json.dumps([api_version, text, sorted(self.scopes)], separators=(",", ":"))
        return hashlib.sha256(told.encode()).hexdigest()

    def may_adopt(self, known: RememberedOperation, digest: str, now: datetime) -> bool:
        """Say whether an operation would give what this reading asks for, and is not too old."""
        age = now - known.began_at
        return self.adopt and known.digest == digest and timedelta(0) <= age <= ADOPT_WITHIN


def cancel_remembered(client: AdminClient, memory: OperationMemory) -> None:
    """Cancel what earlier readings began, where the shop is read in another way."""
    for known in memory.recall():
        cancel_released(client, memory, known.gid)


def cancel_released(client: AdminClient, memory: OperationMemory, gid: str) -> None:
    """Cancel an operation if it is still this run's; one that Shopify was not told of stays remembered."""
    try:
        if not memory.release(gid):
            return
    except StateError:
        return  # it is remembered, and the next run judges it
    told = False
    try:
        told = cancel(client, gid)
    finally:
        if not told:
            with suppress(StateError):  # then nobody remembers it, and it ends by itself
                memory.restore(gid)


def cancel(client: AdminClient, gid: str) -> bool:
    """Cancel an operation; False when Shopify did not hear of it: it ends by itself, after ten days at the latest."""
    try:
        client.execute(load("bulk_cancel"), {"id": gid})
    except ShopifyError:
        return False
    return True
