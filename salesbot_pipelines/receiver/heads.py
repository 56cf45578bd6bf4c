"""The headers of a webhook, read once and strictly.

Shopify sends them in two families, `X-Shopify-Topic` and, for its newer Events, `Shopify-Topic`. None of them
is signed, so all they can do is choose between things that are harmless; see `webhooks`.
https://shopify.dev/docs/apps/build/webhooks
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from salesbot_pipelines.errors import RequestRefused

_CLASSIC = b"x-shopify-"
_EVENTS = b"shopify-"
_FIELDS = (b"hmac-sha256", b"topic", b"shop-domain", b"webhook-id", b"event-id", b"triggered-at")
_READ = {family + field: (family, field) for family in (_CLASSIC, _EVENTS) for field in _FIELDS}
_OTHERS = (b"content-length", b"content-encoding", b"transfer-encoding")

_SIGNATURE = re.compile(rb"[A-Za-z0-9+/]{43}=")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/=+-]{0,127}")
_TOPIC = re.compile(r"[a-z_]{1,40}/[a-z_]{1,40}")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(Z|[+-]\d\d:\d\d)")


@dataclass(slots=True)
class Head:
    """What a webhook's headers say. `signature` has the right form; nothing here is verified."""

    signature: bytes
    declared: int | None
    topic: str
    shop: str
    webhook_id: str
    event_id: str | None
    triggered_at: str


def read_head(headers: Iterable[tuple[bytes, bytes]]) -> Head:
    """Read the headers.

    Raises `RequestRefused`: 401 when the signature is missing or has not the form of one, 400 when a field
    comes twice, 413 when a declared length is no number, 415 for a compressed body.
    """
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _READ or name in _OTHERS:
            if name in found:
                raise RequestRefused("a header comes twice", status=400)
            found[name] = value
    if b"content-encoding" in found:
        raise RequestRefused("the body is compressed", status=415)
    # A delivery of the newer kind may carry both families; then its own one counts, as in Shopify's library.
    family = _EVENTS if _EVENTS + b"hmac-sha256" in found else _CLASSIC
    signature = found.get(family + b"hmac-sha256", b"")
    if not _SIGNATURE.fullmatch(signature):
        raise RequestRefused("the signature is missing or has not its form", status=401)
    return Head(
        signature=signature,
        declared=_length(found.get(b"content-length")),
        topic=_text(found, family + b"topic").lower(),
        shop=_text(found, family + b"shop-domain"),
        webhook_id=_text(found, family + b"webhook-id"),
        event_id=_text(found, family + b"event-id") or None,
        triggered_at=_text(found, family + b"triggered-at"),
    )


def require_form(head: Head) -> None:
    """Raise `RequestRefused` with 400 unless topic and ids have the form that Shopify gives them."""
    if not _TOPIC.fullmatch(head.topic):
        raise RequestRefused("the topic is missing or has not its form", status=400)
    if not _ID.fullmatch(head.webhook_id):
        raise RequestRefused("the webhook id is missing or has not its form", status=400)
    if head.event_id is not None and not _ID.fullmatch(head.event_id):
        head.event_id = None


def parse_moment(text: str, *, now: datetime) -> datetime | None:
    """Read `Triggered-At`, which has up to nanoseconds; None for anything that cannot be one.

    It is data for people and never decides anything, so a wrong one costs nothing.
    """
    match = _MOMENT.fullmatch(text)
    if match is None:
        return None
    whole, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{whole}.{(fraction or '0').ljust(6, '0')}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if abs(moment - now) < timedelta(days=366) else None


def _length(declared: bytes | None) -> int | None:
    if declared is None:
        return None
    if not re.fullmatch(rb"[0-9]{1,18}", declared):
        raise RequestRefused("the declared length is no number", status=413)
    return int(declared)


def _text(found: dict[bytes, bytes], name: bytes) -> str:
    value = found.get(name, b"")
    return value.decode("ascii") if len(value) <= 255 and value.isascii() else "\0"
