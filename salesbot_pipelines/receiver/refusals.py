"""The one table from an error to what a client is told.

A client learns a status and a general sentence, never our error's own text: that one may name a table, a
host or a rule, and goes to the log alone. Whoever adds a class to `errors.py` that can reach the door adds a
row here; anything unknown is a 500.
"""

from __future__ import annotations

from dataclasses import dataclass

from salesbot_pipelines.errors import (
    AccessRefused,
    AccessRevoked,
    InvalidShop,
    LeaseHeld,
    NeedsReauth,
    NotInstalled,
    QueryRejected,
    RequestRefused,
    ShopifyError,
    ShopifyUnavailable,
    ShopNotFound,
    ShopPaused,
    StateError,
    StateUnavailable,
    StoreError,
    Throttled,
    WrongApiVersion,
)

RETRY_AFTER_SECONDS = 2


@dataclass(frozen=True)
class Refusal:
    """A status, the word under which it is counted and logged, and what a person reads."""

    status: int
    outcome: str
    title: str
    text: str

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """The headers that belong to the status."""
        if self.status == 503:
            return [(b"retry-after", str(RETRY_AFTER_SECONDS).encode())]
        return []


_BY_STATUS: dict[int, Refusal] = {
    refusal.status: refusal
    for refusal in (
        Refusal(400, "malformed", "This request is not complete", "Something in the address is missing or wrong."),
        Refusal(
            401,
            "unauthorised",
            "Please log in once more",
            "This is not valid in this browser, or not any more. Open the app from your shop's admin again.",
        ),
        Refusal(403, "forbidden", "This is not allowed", "Open the app from your shop's admin again."),
        Refusal(
            404, "not_found", "There is nothing here", "Check the address, or open the app from your shop's admin."
        ),
        Refusal(405, "wrong_method", "This cannot be done here", "The address is right, the kind of request is not."),
        Refusal(408, "too_slow", "This took too long", "The request did not arrive in time. Try it again."),
        Refusal(413, "too_large", "This is too large", "The request is larger than what is accepted."),
        Refusal(415, "unsupported", "This form is not understood", "Send the request without compression."),
        Refusal(431, "head_too_large", "This is too large", "The request's head is larger than what is accepted."),
        Refusal(500, "error", "Something went wrong on our side", "It has been noted. Try it again in a minute."),
        Refusal(
            502,
            "shopify_failed",
            "Shopify did not confirm this",
            "Nothing was changed. Open the app from your shop's admin again in a minute.",
        ),
        Refusal(
            503,
            "unavailable",
            "This does not work at the moment",
            "Nothing is lost. Try it again in a few seconds.",
        ),
    )
}

_STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (InvalidShop, 400),
    (NotInstalled, 404),
    (StateUnavailable, 503),
    (StateError, 503),
    (StoreError, 503),
    (LeaseHeld, 503),
    (Throttled, 503),
    (ShopifyUnavailable, 502),
    (ShopNotFound, 502),
    (ShopPaused, 502),
    (AccessRefused, 502),
    (AccessRevoked, 401),
    (NeedsReauth, 401),
    (QueryRejected, 502),
    (WrongApiVersion, 502),
    (ShopifyError, 502),
)


def refusal_for(error: BaseException) -> Refusal:
    """Return what to answer when this error ends a request; 500 for one that nobody foresaw."""
    if isinstance(error, RequestRefused):
        return refusal_with(error.status)
    for kind, status in _STATUSES:
        if isinstance(error, kind):
            return _BY_STATUS[status]
    return _BY_STATUS[500]


def refusal_with(status: int) -> Refusal:
    """Return the refusal of a status; one that is not in the table is told as its class (4xx as 400)."""
    return _BY_STATUS.get(status) or _BY_STATUS[400 if status < 500 else 500]
