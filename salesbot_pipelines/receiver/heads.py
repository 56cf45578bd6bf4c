"""A webhook's head, judged before its body is read: little is done for whoever has no signature.

What the headers mean is Shopify's and stands in `shopify.webhooks`; here is what a request must look like before
it is worth reading on. None of the headers is signed, so all they can do is choose between harmless things.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from salesbot_pipelines.errors import RequestRefused
from salesbot_pipelines.shopify.webhooks import Headers, read_headers

_FRAMING = frozenset({b"content-length", b"content-encoding", b"transfer-encoding"})

_SIGNATURE = re.compile(r"[A-Za-z0-9+/]{43}=")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/=+-]{0,127}")
_TOPIC = re.compile(r"[a-z_]{1,40}/[a-z_]{1,40}")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_LONGEST_MOMENT = 40
_A_YEAR = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Head:
    """What a webhook's head says: its headers, and the length of its body where one is declared."""

    headers: Headers
    declared: int | None


def read_head(items: Iterable[tuple[bytes, bytes]]) -> Head:
    """Read the headers.

    Raises `RequestRefused`: 401 when the signature is missing or has not the form of one, 400 when a field
    comes twice, 413 when a declared length is no number, 415 for a compressed body.
    """
    framing: dict[bytes, bytes] = {}
    for name, value in items:
        if name in _FRAMING:
            if name in framing:
                raise RequestRefused("a header comes twice", status=400)
            framing[name] = value
    if b"content-encoding" in framing:
        raise RequestRefused("the body is compressed", status=415)
    headers = read_headers(items)
    if not _SIGNATURE.fullmatch(headers.signature):
        raise RequestRefused("the signature has not the form of one", status=401)
    declared = framing.get(b"content-length")
    if declared is not None and not _LENGTH.fullmatch(declared):
        raise RequestRefused("the declared length is no number", status=413)
    return Head(headers, None if declared is None else int(declared))


def require_form(headers: Headers) -> None:
    """Raise `RequestRefused` with 400 unless topic and id have the form that Shopify gives them."""
    if not _TOPIC.fullmatch(headers.topic):
        raise RequestRefused("the topic is missing or has not its form", status=400)
    if not _ID.fullmatch(headers.webhook_id):
        raise RequestRefused("the webhook id is missing or has not its form", status=400)


def event_id_of(headers: Headers) -> str | None:
    """Return the id that joins the deliveries of one action; None when it has not the form of one."""
    return headers.event_id if _ID.fullmatch(headers.event_id) else None


def parse_moment(text: str, *, now: datetime) -> datetime | None:
    """Read `Triggered-At`, which has up to nanoseconds; None for anything that cannot be one.

    It is data for people and never decides anything, so a wrong one costs nothing.
    """
    if len(text) > _LONGEST_MOMENT:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return None
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if abs(moment - now) < _A_YEAR else None
