"""One HTTP answer of the Admin API, judged: data to work with, or the typed error that says what to do.

The promise: `errors` in the body are read before the status is believed, for Shopify throttles with 200; a list
nulled by an error is told as a problem and never as an empty list. No text of a body gets into an error but
Shopify's own short GraphQL messages. Sending and repeating belong to `client`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from salesbot_pipelines.errors import (
    AccessRefused,
    AccessRevoked,
    NeedsReauth,
    QueryRejected,
    ShopifyError,
    ShopifyUnavailable,
    ShopNotFound,
    ShopPaused,
    Throttled,
    WrongApiVersion,
)
from salesbot_pipelines.shopify.pacing import Bucket

VERSION_HEADER = "x-shopify-api-version"
LONGEST_RETRY_AFTER = 3600.0

_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_PASSING = frozenset({"INTERNAL_SERVER_ERROR", "INTERNAL_ERROR", "TIMEOUT", "SERVICE_UNAVAILABLE"})
_NO_EXPIRY_REFUSED = "Non-expiring access tokens are no longer accepted"  # chatwoot/chatwoot#14462


class CostTooHigh(QueryRejected):
    """MAX_COST_EXCEEDED: this page is too large for one query and must not be asked again as it is."""

    advice = "a smaller page is asked; if you see this, even one object is too dear"


class AnswerTooLarge(ShopifyUnavailable):
    """The body is larger than this program is willing to hold."""


@dataclass(frozen=True)
class Problem:
    """One entry of `errors` that stands beside data."""

    code: str
    message: str
    path: tuple[str | int, ...] = ()
    required_access: str = ""

    @property
    def denied(self) -> bool:
        """Is a scope missing, rather than something broken?"""
        return self.code == "ACCESS_DENIED"

    @property
    def passing(self) -> bool:
        """May the same query succeed a moment later?"""
        return self.code in _PASSING


@dataclass(frozen=True)
class Answer:
    """What a query gave. `data` may have holes: `problems` says where and why."""

    data: dict[str, Any] = field(repr=False)
    problems: tuple[Problem, ...] = ()
    requested_cost: float | None = None
    actual_cost: float | None = None
    api_version: str = ""
    size: int = 0
    bucket: Bucket | None = None

    def denial(self, path: tuple[str, ...]) -> Problem | None:
        """Return the problem that made the value at `path` null, if one did.

        It struck above the value, or below it: a null where none may be takes its parents along.
        """
        for problem in self.problems:
            names = tuple(step for step in problem.path if isinstance(step, str))
            shared = min(len(path), len(names))
            if path[:shared] == names[:shared]:
                return problem
        return None


@dataclass(frozen=True)
class Reply:
    """The HTTP answer as it came: status, headers with lower-case names, and the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))


def judge(reply: Reply, *, shop: str, api_version: str) -> Answer:
    """Return the answer, or raise the error of facts the status and the body state.

    Raises `Throttled` (200 with THROTTLED, 429), `ShopifyUnavailable` (5xx, not JSON, no data), `CostTooHigh`,
    `AccessRevoked` (401), `ShopPaused` (402, 423), `AccessRefused` (403), `ShopNotFound` (404, redirects),
    `WrongApiVersion`, `QueryRejected`.
    """
    document = _decode(reply.body)
    if isinstance(document, dict):
        _raise_throttled(reply, document, shop)
    if reply.status != 200:
        raise _by_status(reply, document, shop)
    if not isinstance(document, dict):
        raise ShopifyUnavailable(f"{shop} answered 200 with something that is not a JSON object", shop=shop)
    version = reply.headers.get(VERSION_HEADER, "")
    if version and version != api_version:
        raise WrongApiVersion(f"{shop} answered in API version {version[:20]}, asked was {api_version}", shop=shop)
    return _answer(reply, document, shop, version)


def _answer(reply: Reply, document: dict[str, Any], shop: str, version: str) -> Answer:
    problems = _problems(document.get("errors"))
    data = document.get("data")
    cost = _mapping(_mapping(document.get("extensions")).get("cost"))
    if not isinstance(data, dict):
        _raise_without_data(problems, shop)
        data = {}
    return Answer(
        data=data,
        problems=problems,
        requested_cost=_number(cost.get("requestedQueryCost")),
        actual_cost=_number(cost.get("actualQueryCost")),
        api_version=version,
        size=len(reply.body),
        bucket=bucket_of(document),
    )


def _raise_throttled(reply: Reply, document: dict[str, Any], shop: str) -> None:
    for problem in _problems(document.get("errors")):
        if problem.code == "THROTTLED":
            raise Throttled(
                f"{shop} has no points left for this query",
                wait_seconds=max(1.0, _missing_seconds(document), _retry_after(reply)),
                shop=shop,
            )
        if problem.code == "MAX_COST_EXCEEDED":
            raise CostTooHigh(f"{shop}: {problem.message or 'the query costs more than one query may'}", shop=shop)
        if problem.code == "SHOP_INACTIVE":
            raise ShopPaused(f"{shop} is not active", shop=shop)


def _missing_seconds(document: dict[str, Any]) -> float:
    """(requested - available) / restoreRate, Shopify's own rule for how long to wait."""
    bucket = bucket_of(document)
    cost = _mapping(_mapping(document.get("extensions")).get("cost"))
    requested = _number(cost.get("requestedQueryCost"))
    if bucket is None or requested is None or bucket.restore_rate <= 0:
        return 1.0
    return (requested - bucket.available) / bucket.restore_rate


def _raise_without_data(problems: tuple[Problem, ...], shop: str) -> None:
    """Without any data: a denied root is an answer, a broken moment is repeated, everything else is our mistake."""
    if not problems:
        raise ShopifyUnavailable(f"{shop} answered 200 with neither data nor errors", shop=shop)
    if all(problem.denied for problem in problems):
        return
    first = next(problem for problem in problems if not problem.denied)
    if first.passing:
        raise ShopifyUnavailable(f"{shop}: {first.code}", shop=shop)
    if _NO_EXPIRY_REFUSED in first.message:
        raise NeedsReauth(f"{shop}: {first.message}", shop=shop)
    raise QueryRejected(f"{shop}: {first.code or 'error'}: {first.message}", shop=shop)


def _by_status(reply: Reply, document: Any, shop: str) -> ShopifyError:
    status = reply.status
    said = " ".join(problem.message for problem in _problems(_mapping(document).get("errors")))
    if status == 429 or status == 430:
        return Throttled(f"{shop} answered {status}", wait_seconds=max(1.0, _retry_after(reply)), shop=shop)
    if _NO_EXPIRY_REFUSED in said:
        return NeedsReauth(f"{shop}: {_NO_EXPIRY_REFUSED}", shop=shop)
    if status == 401:
        return AccessRevoked(f"{shop} refused the access token", shop=shop)
    if status in (402, 423):
        return ShopPaused(
            f"{shop} answered {status}: the shop is {'frozen' if status == 402 else 'locked'}", shop=shop
        )
    if status == 403:
        return AccessRefused(f"{shop} answered 403", shop=shop)
    if status == 404:
        return ShopNotFound(f"{shop} answered 404", shop=shop)
    if 300 <= status < 400:
        return ShopNotFound(f"{shop} answered {status}, a redirect; a token is never carried along one", shop=shop)
    if status == 408 or status >= 500 or status < 300:
        return ShopifyUnavailable(f"{shop} answered {status}", shop=shop)
    return QueryRejected(f"{shop} answered {status}" + (f": {said[:200]}" if said else ""), shop=shop)


def bucket_of(document: Mapping[str, Any]) -> Bucket | None:
    """Return `extensions.cost.throttleStatus`, or None when the answer has none or a broken one."""
    status = _mapping(_mapping(_mapping(document.get("extensions")).get("cost")).get("throttleStatus"))
    maximum, available = _number(status.get("maximumAvailable")), _number(status.get("currentlyAvailable"))
    rate = _number(status.get("restoreRate"))
    if maximum is None or available is None or rate is None:
        return None
    return Bucket(maximum, available, rate)


def read_bucket(body: bytes) -> Bucket | None:
    """Return the bucket of a raw body: a refusal tells its state as well as an answer does."""
    document = _decode(body)
    return bucket_of(document) if isinstance(document, dict) else None


def _decode(body: bytes) -> Any:
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _problems(errors: Any) -> tuple[Problem, ...]:
    if isinstance(errors, str):
        return (Problem("", _line(errors)),)
    if not isinstance(errors, list):
        return ()
    return tuple(_problem(error) for error in errors)


def _problem(error: Any) -> Problem:
    entry = _mapping(error)
    extensions = _mapping(entry.get("extensions"))
    path = entry.get("path")
    return Problem(
        code=_line(extensions.get("code"))[:60],
        message=_line(entry.get("message") if entry else error),
        path=tuple(step for step in path if isinstance(step, (str, int))) if isinstance(path, list) else (),
        required_access=_line(extensions.get("requiredAccess")),
    )


def _line(text: Any) -> str:
    """Shopify's own words, in one short line."""
    return " ".join(text.split())[:200] if isinstance(text, str) else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    return float(value)


def _retry_after(reply: Reply) -> float:
    """Seconds of `Retry-After`, given as a number or a date; 0 for none, never more than an hour."""
    text = reply.headers.get("retry-after", "").strip()
    if not text:
        return 0.0
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except (TypeError, ValueError):
            return 0.0
        seconds = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - reply.now).total_seconds()
    return min(max(0.0, seconds), LONGEST_RETRY_AFTER) if seconds == seconds else 0.0
