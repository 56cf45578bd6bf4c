"""Events as a shop tells them, taken through the receiver's own reading of their bodies into the inbox."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from salesbot_pipelines.receiver.webhooks import ORDINARY_TOPICS, resource_of
from salesbot_pipelines.sandbox.shop import Shop
from salesbot_pipelines.state.inbox import Inbox, WebhookEvent
from salesbot_pipelines_tests.rig import Rig

_numbers = itertools.count()


@dataclass
class Told:
    """What a shop told, until it is delivered."""

    rig: Rig
    shop: str
    waiting: list[WebhookEvent] = field(default_factory=list)

    def hear(self, _shop: Shop, topic: str, payload: Any) -> None:
        """Keep one event as the receiver would store it."""
        if topic not in ORDINARY_TOPICS:
            return
        body = msgspec.json.encode(payload)
        digest = hashlib.sha256(body).hexdigest()
        gid = resource_of(topic, body)
        self.waiting.append(WebhookEvent(self.shop, topic, f"id-{next(_numbers)}", digest, resource_id=gid))

    def deliver(self, order: Callable[[list[WebhookEvent]], Iterable[WebhookEvent]] = list) -> int:
        """Bring everything to the inbox, in an order of choice; say how many events were new."""
        inbox = Inbox(self.rig.program.engine, self.rig.program.clock)
        events = list(order(self.waiting))
        self.waiting.clear()
        return sum(inbox.accept([event]) == ["new"] for event in events)


def listen(rig: Rig, shop: str) -> Told:
    """Listen to a shop of the rig's world from now on."""
    told = Told(rig, shop)
    rig.world.shop(shop).listeners.append(told.hear)
    return told
