"""Webhooks as Shopify sends them: signed raw bodies to the addresses that were subscribed, retried, then given up.

Real deliveries over real sockets, from threads of their own: a change answers before its webhook arrives, two
deliveries may overtake one another, and a subscription that fails to the end is removed.
"""

from __future__ import annotations

import base64
import hashlib
import heapq
import hmac
import itertools
import threading
import time
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import httpx
import msgspec

from .clock import Clock
from .ids import number_of
from .shop import Shop
from .tables import Node

COMPLIANCE = ("customers/data_request", "customers/redact", "shop/redact")
_LONGEST_LOG = 20_000
_IDLE_SECONDS = 1.0


@dataclass
class WebhookRules:
    """How deliveries go. `app_uri` is the address of the app's configuration file: privacy topics go there."""

    app_uri: str | None = None
    retry_delays: Sequence[float] = (0.1, 0.3, 1.0)
    connect_seconds: float = 1.0
    answer_seconds: float = 5.0
    copies: int = 1
    prefix: str = "X-Shopify-"  # "shopify-" is the newer family's
    remove_failed: bool = True
    workers: int = 2


@dataclass(frozen=True)
class Delivery:
    """One webhook on its way. `status` None: nobody answered."""

    shop: str
    topic: str
    uri: str
    webhook_id: str
    event_id: str
    triggered_at: str
    version: str
    body: bytes
    subscription: int | None = None
    attempt: int = 0
    status: int | None = None
    error: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return what the log tells."""
        told = asdict(self)
        told["body"] = self.body.decode()
        return told


def signature(body: bytes, secret: str) -> str:
    """Return the base64 HMAC-SHA256 of the raw body."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


class Webhooks:
    """The queue of deliveries, the threads that send them, and the log."""

    def __init__(self, clock: Clock, secret: str, rules: WebhookRules) -> None:
        self.clock, self.secret, self.rules = clock, secret, rules
        self.held = False
        self._log: deque[Delivery] = deque(maxlen=_LONGEST_LOG)
        self._last_address: dict[str, str] = {}
        self._queue: list[tuple[float, int, Delivery, Shop]] = []
        self._order = itertools.count()
        self._wake = threading.Condition()
        self._open = 0
        self._running = 0
        self._closed = False

    def hear(self, shop: Shop, topic: str, payload: Node) -> None:
        """Enqueue a delivery for every subscription of the topic."""
        wanted, event = topic.upper().replace("/", "_"), str(uuid.uuid4())
        for subscription in shop.all("subscriptions"):
            self._last_address[shop.domain] = subscription["uri"]
            if subscription["topic"] == wanted:
                fields = subscription["includeFields"]
                body = {key: payload[key] for key in fields if key in payload} if fields else payload
                self._enqueue(shop, topic, subscription["uri"], body, event, number_of(subscription["id"]))

    def send(self, shop: Shop, topic: str, payload: Node | None = None) -> None:
        """Send a topic the API knows no subscription for to the app's own address; raises LookupError without one."""
        subscribed = next((node["uri"] for node in shop.all("subscriptions")), None)
        uri = self.rules.app_uri or self._last_address.get(shop.domain) or subscribed
        if uri is None:
            raise LookupError(f"nobody told where {topic} of {shop.domain} is to go")
        self._enqueue(
            shop, topic, uri, _default_payload(shop, topic) if payload is None else payload, str(uuid.uuid4())
        )

    def _enqueue(
        self, shop: Shop, topic: str, uri: str, payload: Node, event: str, subscription: int | None = None
    ) -> None:
        moment = self.clock.now()
        at = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}{next(self._order) % 1000:03d}Z"
        body = msgspec.json.encode(payload)
        version = shop.api_versions[-1]["handle"]
        delivery = Delivery(shop.domain, topic, uri, str(uuid.uuid4()), event, at, version, body, subscription)
        with self._wake:
            for _ in range(self.rules.copies):
                self._put(0.0, delivery, shop)

    def _put(self, delay: float, delivery: Delivery, shop: Shop) -> None:
        """Queue a delivery; the caller holds `_wake`."""
        heapq.heappush(self._queue, (time.monotonic() + delay, next(self._order), delivery, shop))
        self._open += 1
        if self._running < self.rules.workers and not self._closed:
            self._running += 1
            threading.Thread(target=self._work, name="sandbox-webhooks", daemon=True).start()
        self._wake.notify()

    def _next(self) -> tuple[Delivery, Shop] | None:
        """Wait for a delivery that is due; None after a while without any."""
        idle_until = time.monotonic() + _IDLE_SECONDS
        with self._wake:
            while not self._closed:
                now = time.monotonic()
                if self._queue and not self.held and self._queue[0][0] <= now:
                    _, _, delivery, shop = heapq.heappop(self._queue)
                    return delivery, shop
                if not self._queue and now >= idle_until:
                    break
                due = self._queue[0][0] if self._queue and not self.held else idle_until
                self._wake.wait(max(0.001, min(due - now, 0.2)))
            self._running -= 1
            return None

    def _work(self) -> None:
        timeout = httpx.Timeout(self.rules.answer_seconds, connect=self.rules.connect_seconds)
        with httpx.Client(timeout=timeout, trust_env=False, follow_redirects=False) as http:
            while (found := self._next()) is not None:
                delivery, shop = found
                self._attempt(http, replace(delivery, attempt=delivery.attempt + 1), shop)

    def _attempt(self, http: httpx.Client, delivery: Delivery, shop: Shop) -> None:
        try:
            answer = http.post(delivery.uri, content=delivery.body, headers=self.headers(delivery))
            told = replace(delivery, status=answer.status_code)
        except httpx.HTTPError as error:
            told = replace(delivery, error=f"{type(error).__name__}: {error}")
        failed = told.status is None or not 200 <= told.status < 300
        if failed and delivery.attempt > len(self.rules.retry_delays):
            self._give_up(delivery, shop)
        with self._wake:
            self._log.append(told)
            if failed and delivery.attempt <= len(self.rules.retry_delays):
                self._put(self.rules.retry_delays[delivery.attempt - 1], delivery, shop)
            self._open -= 1
            self._wake.notify_all()

    def _give_up(self, delivery: Delivery, shop: Shop) -> None:
        if self.rules.remove_failed and delivery.subscription is not None:
            with shop.lock:
                shop.subscriptions.remove(delivery.subscription)

    def headers(self, delivery: Delivery) -> dict[str, str]:
        """Return the headers of a delivery; none of them is covered by the signature."""
        told = {
            "Topic": delivery.topic,
            "Hmac-Sha256": signature(delivery.body, self.secret),
            "Shop-Domain": delivery.shop,
            "API-Version": delivery.version,
            "Webhook-Id": delivery.webhook_id,
            "Event-Id": delivery.event_id,
            "Triggered-At": delivery.triggered_at,
        }
        named = {f"{self.rules.prefix}{name}": value for name, value in told.items()}
        return {"Content-Type": "application/json", "User-Agent": "Sandbox-Webhooks", **named}

    def hold(self, *, held: bool = True) -> None:
        """Keep deliveries back, or let them go."""
        with self._wake:
            self.held = held
            self._wake.notify_all()

    def flush(self, seconds: float = 10.0) -> bool:
        """Wait until every delivery was taken or given up; say whether that came true in time."""
        deadline = time.monotonic() + seconds
        with self._wake:
            return self._wake.wait_for(lambda: self._open == 0, max(0.0, deadline - time.monotonic()))

    def close(self) -> None:
        """Send nothing more."""
        with self._wake:
            self._closed = True
            self._wake.notify_all()

    def log(self, shop: str | None = None) -> list[Delivery]:
        """Return every attempt, oldest first."""
        with self._wake:
            return [delivery for delivery in self._log if shop in (None, delivery.shop)]


def _default_payload(shop: Shop, topic: str) -> Node:
    told: Node = {"shop_id": number_of(shop.node["id"]), "shop_domain": shop.domain}
    if topic.startswith("customers/"):
        told["customer"] = {"id": 41, "email": "ada@customers.example", "phone": "+1 555 0100"}
        told["orders_requested" if topic.endswith("request") else "orders_to_redact"] = [101]
    return told
