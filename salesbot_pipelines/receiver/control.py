"""Uninstalls and privacy requests: confirmed first, then carried out, one by one.

A webhook's headers are not signed, and whoever installs the app sees a signature that fits other messages
too. So nothing is deleted on a webhook's word: its body must name the shop that its header names, and
Shopify itself must refuse our token. An answer to that probe means the shop still has us, and the request is
put aside for a person. After an uninstall was confirmed there is no token to probe; that confirmation then
stands for the redaction that follows two days later.

`ControlDesk.carry_out` may be called from anywhere, any number of times; every step can be repeated.
https://shopify.dev/docs/apps/build/privacy-law-compliance
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import msgspec

from salesbot_pipelines.errors import (
    AccessRefused,
    AccessRevoked,
    NeedsReauth,
    NotInstalled,
    SalesbotError,
)
from salesbot_pipelines.receiver.journal import Journal, where
from salesbot_pipelines.receiver.metrics import Metrics
from salesbot_pipelines.refresh.credentials import InstallTokens
from salesbot_pipelines.refresh.guard import LEASE_SECONDS
from salesbot_pipelines.refresh.program import Program
from salesbot_pipelines.shopify.client import AdminClient
from salesbot_pipelines.shopify.effort import Limits
from salesbot_pipelines.shopify.queries import load
from salesbot_pipelines.spaces.keys import ShopKeys
from salesbot_pipelines.state.control import ControlEvent, ControlEvents
from salesbot_pipelines.state.installs import Install

UNINSTALLED = "app/uninstalled"
SHOP_REDACT = "shop/redact"
CUSTOMER_TOPICS = frozenset({"customers/data_request", "customers/redact"})
CONTROL_TOPICS = frozenset({UNINSTALLED, SHOP_REDACT}) | CUSTOMER_TOPICS

Verdict = Literal["done", "quarantined", "later"]

_QUIET = timedelta(seconds=LEASE_SECONDS + 30)
"""After this time a refresh that lost its shop has noticed it and writes no more."""

_PROBE_LIMITS = Limits(deadline_seconds=20.0, throttle_seconds=60.0, answer_seconds=10.0, answer_bytes=1024 * 1024)

_LOOK_SECONDS = 30.0
_FIRST_RETRY_SECONDS = 5.0
_LAST_RETRY_SECONDS = 3600.0


@dataclass(frozen=True)
class Decision:
    """What became of a request, and the line that stays of it."""

    verdict: Verdict
    note: str


def shop_named_in(body: bytes) -> str | None:
    """Return the shop that a webhook's body names, in lower case, or None."""
    try:
        named = _named(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    found = {name.lower() for name in (named.myshopify_domain, named.shop_domain) if isinstance(name, str) and name}
    return found.pop() if len(found) == 1 else None


class _Named(msgspec.Struct):
    myshopify_domain: object = None
    shop_domain: object = None


_named = msgspec.json.Decoder(_Named).decode


class ControlDesk:
    """Decides requests and carries them out."""

    def __init__(self, program: Program, events: ControlEvents) -> None:
        self._program = program
        self.events = events

    def carry_out(self, event: ControlEvent) -> Decision:
        """Take one request as far as it goes.

        `later` means that it stays pending. Raises `ShopifyError`, `StoreError` or `StateError` when Shopify,
        the store or the database could not be asked; the request stays pending then, too.
        """
        if event.topic in CUSTOMER_TOPICS:
            return self._end(event, "done", "no data of customers is held")
        if event.topic not in CONTROL_TOPICS:
            return self._end(event, "quarantined", "no such topic is known")
        install = self._program.installs.find(event.shop)
        if install is None:
            return self._end(event, "done", "nothing of this shop is held")
        body = self.events.body(event.seq)
        if body is None or shop_named_in(body) != event.shop:
            return self._end(event, "quarantined", "the body does not name the shop that the header names")
        if install.is_connected:
            if event.received_at < install.installed_at:
                verdict: Literal["done", "quarantined"] = "done" if event.topic == UNINSTALLED else "quarantined"
                return self._end(event, verdict, "it came before the present install")
            decision = self._disconnect(event, install)
            if decision is not None:
                return decision
        if event.topic == UNINSTALLED:
            return self._end(event, "done", "disconnected; the document stays until shop/redact")
        return self._erase(event)

    def _disconnect(self, event: ControlEvent, install: Install) -> Decision | None:
        """Disconnect a shop whose token Shopify refuses; None when that is done."""
        installs = self._program.installs
        try:
            probed: str | None = installs.credential(event.shop).access_token
        except NeedsReauth:
            probed = None
        except NotInstalled:
            return None
        if probed is not None and not self._is_refused(event.shop):
            return self._end(event, "quarantined", "Shopify still accepts our token: the app is installed")
        if not self.events.decide(event.seq, "confirmed", "Shopify refuses our token") and event.state == "pending":
            return Decision("later", "another process decided it meanwhile")
        if installs.uninstall(event.shop, probed=probed):
            return None
        now = installs.find(event.shop)
        if now is None or not now.is_connected:
            return None
        if now.installed_at > install.installed_at:
            return self._end(event, "quarantined", "the app was installed again meanwhile")
        return Decision("later", "the token was renewed meanwhile")

    def _is_refused(self, shop: str) -> bool:
        """Ask Shopify something small with our token; a token that merely ran out is renewed first."""
        program = self._program
        tokens = InstallTokens(
            shop,
            installs=program.installs,
            http=program.http,
            settings=program.settings.shopify,
            clock=program.clock,
            holder="receiver",
        )
        client = AdminClient(
            shop,
            tokens,
            program.http,
            api_version=program.settings.shopify.api_version,
            shop_url=program.settings.shopify.shop_url,
            clock=program.clock,
            limits=_PROBE_LIMITS,
        )
        try:
            client.execute(load("scopes"))
        except (AccessRevoked, AccessRefused, NeedsReauth):
            return True
        return False

    def _erase(self, event: ControlEvent) -> Decision:
        """Remove all objects and rows of a disconnected shop; one line of audit stays."""
        program = self._program
        install = program.installs.find(event.shop)
        if install is None:
            return Decision("done", "nothing of this shop is held")
        if self._may_still_be_written(install):
            return Decision("later", "a refresh may still be writing")
        prefix = ShopKeys(install.owner, install.shop).prefix
        removed = 0
        for key in list(program.store.list(prefix)):
            program.store.delete(key)
            removed += 1
        note = f"{SHOP_REDACT} {event.webhook_id}: {removed} objects"
        if not program.installs.forget(event.shop, note=note, unless_connected=True):
            now = program.installs.find(event.shop)
            if now is not None and now.is_connected:
                # Its new document may have been among what was removed.
                program.work.want(event.shop)
                return self._end(event, "quarantined", "the app was installed again meanwhile")
        return Decision("done", f"erased: {removed} objects")

    def _may_still_be_written(self, install: Install) -> bool:
        try:
            work = self._program.work.status(install.shop)
        except NotInstalled:
            return False
        began, ended = work.leased_at, work.last_checked_at
        if began is None or (ended is not None and ended >= began):
            return False
        return self._program.clock.now() < install.updated_at + _QUIET

    def _end(self, event: ControlEvent, verdict: Literal["done", "quarantined"], note: str) -> Decision:
        self.events.decide(event.seq, verdict, note)
        return Decision(verdict, note)


class ControlWorker:
    """The thread that works the desk: woken by a new request, and every half minute."""

    def __init__(self, desk: ControlDesk, *, metrics: Metrics, journal: Journal) -> None:
        self._desk = desk
        self._metrics = metrics
        self._journal = journal
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._retries: dict[int, tuple[float, float]] = {}
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)

    def start(self) -> None:
        """Start the thread; what was left pending by an earlier process is taken up at once."""
        self._wake.set()
        self._thread.start()

    def wake(self) -> None:
        """Say that there is a new request."""
        self._wake.set()

    def ask_to_stop(self) -> None:
        """Let the request in hand be the last one."""
        self._stopping.set()
        self._wake.set()

    def close(self, *, wait_seconds: float) -> None:
        """Wait for the thread; one that waits for Shopify is left to die with the process."""
        self.ask_to_stop()
        if self._thread.is_alive():
            self._thread.join(wait_seconds)

    def work_once(self) -> int:
        """Carry out what is due, each shop's oldest first; return how many requests were ended."""
        ended = 0
        while not self._stopping.is_set():
            before = ended
            for event in self._desk.events.next_ones():
                if not self._stopping.is_set() and self._is_due(event):
                    ended += self._carry_out(event)
            if ended == before:
                break
        return ended

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait(self._pause())
            self._wake.clear()
            try:
                self.work_once()
            except Exception as error:  # noqa: BLE001 - the thread must outlive whatever one look met
                self._journal.note("control", level="error", error=where(error))

    def _pause(self) -> float:
        soonest = min((at for at, _ in self._retries.values()), default=float("inf"))
        return min(_LOOK_SECONDS, max(0.1, soonest - time.monotonic()))

    def _is_due(self, event: ControlEvent) -> bool:
        return self._retries.get(event.seq, (0.0, 0.0))[0] <= time.monotonic()

    def _carry_out(self, event: ControlEvent) -> bool:
        fields = {"topic": event.topic, "shop": event.shop, "webhook_id": event.webhook_id}
        try:
            decision = self._desk.carry_out(event)
        except SalesbotError as error:
            decision = Decision("later", type(error).__name__)
        except Exception as error:  # noqa: BLE001 - one request's trouble is its own
            decision = Decision("later", where(error))
        self._metrics.control.add(decision.verdict)
        level = {"done": "info", "later": "warning", "quarantined": "error"}[decision.verdict]
        self._journal.note("control", level=level, outcome=decision.verdict, note=decision.note, **fields)
        if decision.verdict == "later":
            _, wait = self._retries.get(event.seq, (0.0, _FIRST_RETRY_SECONDS / 2))
            wait = min(wait * 2, _LAST_RETRY_SECONDS)
            self._retries[event.seq] = (time.monotonic() + wait, wait)
            return False
        self._retries.pop(event.seq, None)
        return True
