"""Every way this program fails, as one tree.

    SalesbotError                 retryable, advice
    ├── ShopifyError              .shop
    │   ├── Throttled                 retryable; Shopify asks for a wait of .wait_seconds
    │   ├── ShopifyUnavailable        retryable: 5xx, time-out, broken connection, not JSON
    │   ├── ShopPaused                402, 423: the shop is frozen or locked
    │   ├── ShopNotFound              404: no such shop
    │   ├── AccessRefused             403: IP allowlist, or the app may not do this; the operator's to mend
    │   ├── AccessRevoked             401: the token is dead
    │   ├── NeedsReauth               the merchant must open the app again
    │   ├── QueryRejected             GraphQL errors that a repetition would not heal
    │   ├── WrongApiVersion           another version answered than the one asked
    │   ├── SnapshotUnstable          retryable: the catalogue changed faster than it could be read
    │   └── BulkFailed                retryable when the operation's code says so
    ├── InvalidShop               not a *.myshopify.com domain
    ├── NotInstalled              no install for this shop
    ├── LeaseHeld                 retryable: another run works on the shop until .until
    ├── LeaseLost                 this run was too slow: another one took the shop over
    ├── Unusable                  one raw object cannot be published; drawn in catalog.normalise.findings
    ├── UnexpectedError           a bug met in one shop's refresh; drawn in refresh.batch
    ├── CatalogRefused            a rule said no; the last good document stays; .problems
    ├── RawMissing                nothing stored to normalise from, or from two different refreshes
    ├── StoreError                the object store failed; .key
    │   ├── StoreUnavailable          retryable: 5xx, SlowDown, time-out, disk full
    │   ├── StoreRefused              wrong key, wrong bucket, unsupported call
    │   ├── PreconditionFailed        somebody else wrote the object first
    │   └── ObjectMissing             no such object
    ├── StateError                the database failed
    │   ├── StateUnavailable          retryable: locked, gone, disk full
    │   ├── StateOutdated             migrations are missing: `salesbot migrate`
    │   └── WrongEncryptionKey        the keys given cannot read what is stored
    ├── RequestRefused            a request from outside is not what it claims; .status
    └── SettingsError             names the variable, what it is for and an example

The text of an error is fit for logs, metadata and the analyst's eye: it names the shop and the
cause, never a token, key or payload. `advice` says what a person can do; `retryable` says
whether the same call may succeed later without one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

__all__ = [
    "AccessRefused",
    "AccessRevoked",
    "BulkFailed",
    "CatalogRefused",
    "InvalidShop",
    "LeaseHeld",
    "LeaseLost",
    "NeedsReauth",
    "NotInstalled",
    "ObjectMissing",
    "PreconditionFailed",
    "QueryRejected",
    "RawMissing",
    "RequestRefused",
    "SalesbotError",
    "SettingsError",
    "ShopNotFound",
    "ShopPaused",
    "ShopifyError",
    "ShopifyUnavailable",
    "SnapshotUnstable",
    "StateError",
    "StateOutdated",
    "StateUnavailable",
    "StoreError",
    "StoreRefused",
    "StoreUnavailable",
    "Throttled",
    "WrongApiVersion",
    "WrongEncryptionKey",
]


class SalesbotError(Exception):
    """The root of the tree; never raised itself."""

    retryable: bool = False
    advice: str = ""

    def __init__(self, text: str, *, advice: str | None = None) -> None:
        super().__init__(text)
        if advice is not None:
            self.advice = advice

    @property
    def public_text(self) -> str:
        """What happened and what to do, in one line; free of secrets."""
        text = " ".join(str(self).split())
        return f"{text} ({self.advice})" if self.advice else text


class ShopifyError(SalesbotError):
    """Shopify, or the way to it, did not give what was asked."""

    def __init__(self, text: str, *, shop: str = "", advice: str | None = None) -> None:
        super().__init__(text, advice=advice)
        self.shop = shop


class Throttled(ShopifyError):
    """The bucket was empty, or a 429 came; `wait_seconds` is Shopify's own wish."""

    retryable = True
    advice = "it is tried again by itself"

    def __init__(self, text: str, *, wait_seconds: float, shop: str = "") -> None:
        super().__init__(text, shop=shop)
        self.wait_seconds = wait_seconds


class ShopifyUnavailable(ShopifyError):
    """5xx, a time-out, a broken connection, or an answer that is not the JSON it should be."""

    retryable = True
    advice = "it is tried again by itself; if it lasts, look at www.shopifystatus.com"


class ShopPaused(ShopifyError):
    """402 (frozen, unpaid) or 423 (locked)."""

    advice = "the merchant must reopen the shop; the last document stays"


class ShopNotFound(ShopifyError):
    """404: the domain leads to no shop, or the API version is unknown."""

    advice = "check the shop's myshopify.com domain and SHOPIFY_API_VERSION"


class AccessRefused(ShopifyError):
    """403: an IP allowlist, or the app is not allowed; the token itself is alive."""

    advice = "check the app's IP allowlist and access in the Shopify Partner Dashboard"


class AccessRevoked(ShopifyError):
    """401: Shopify no longer knows the access token."""

    advice = "reinstall the app in this shop"


class NeedsReauth(ShopifyError):
    """The merchant must open the app once more: the refresh token is dead or scopes are missing."""

    advice = "open the app once more from the shop's admin, or run `salesbot shops add` again"


class QueryRejected(ShopifyError):
    """GraphQL errors in a 200, or userErrors, that no repetition would heal."""

    advice = "this is a bug or a missing scope: see the message"


class WrongApiVersion(ShopifyError):
    """Shopify answered in another API version than asked: the asked one is retired."""

    advice = "set SHOPIFY_API_VERSION to a supported version"


class SnapshotUnstable(ShopifyError):
    """The catalogue kept changing while it was read."""

    retryable = True
    advice = "it is tried again by itself"


class BulkFailed(ShopifyError):
    """A bulk operation ended without a whole result."""

    advice = "the catalogue is read page by page instead"

    def __init__(self, text: str, *, shop: str = "", status: str = "", error_code: str | None = None) -> None:
        super().__init__(text, shop=shop)
        self.status = status
        self.error_code = error_code
        self.retryable = error_code != "ACCESS_DENIED"


class InvalidShop(SalesbotError):
    """The text is not a `<name>.myshopify.com` domain."""

    advice = "give the shop's permanent domain, like example.myshopify.com"


class NotInstalled(SalesbotError):
    """No credential is stored for the shop."""

    advice = "connect it with `salesbot shops add SHOP` or the app's install link"


class LeaseHeld(SalesbotError):
    """Another run works on the shop."""

    retryable = True
    advice = "wait for that run to end; its lease runs out by itself"

    def __init__(self, text: str, *, holder: str, until: datetime) -> None:
        super().__init__(text)
        self.holder = holder
        self.until = until


class LeaseLost(SalesbotError):
    """This run's lease ran out and another run took the shop; nothing was published."""

    advice = "nothing to do: the newer run publishes"


class CatalogRefused(SalesbotError):
    """The catalogue that was read is not fit to be published; `problems` says why."""

    advice = "the last good document stays"

    def __init__(self, text: str, *, problems: Sequence[str] = (), retryable: bool = False) -> None:
        super().__init__(text)
        self.problems = tuple(problems)
        self.retryable = retryable


class RawMissing(SalesbotError):
    """There are no stored raw objects of one and the same refresh to normalise from."""

    advice = "materialise raw_catalog as well, or run `salesbot refresh SHOP`"


class StoreError(SalesbotError):
    """The object store failed; `key` is the object, never its content."""

    def __init__(self, text: str, *, key: str = "", advice: str | None = None) -> None:
        super().__init__(text, advice=advice)
        self.key = key


class StoreUnavailable(StoreError):
    """5xx, SlowDown, a time-out, a broken connection, a full disk."""

    retryable = True
    advice = "it is tried again by itself; if it lasts, run `salesbot doctor`"


class StoreRefused(StoreError):
    """The store will not do this for us: wrong key, other bucket, unsupported call."""

    advice = "run `salesbot doctor`; check SPACES_KEY, SPACES_SECRET and SPACES_BUCKET"


class PreconditionFailed(StoreError):
    """The object is not the one this run saw: somebody else wrote it."""

    retryable = True


class ObjectMissing(StoreError):
    """No object lies under this key."""


class StateError(SalesbotError):
    """The database failed."""


class StateUnavailable(StateError):
    """Locked, unreachable or full."""

    retryable = True
    advice = "it is tried again by itself; if it lasts, run `salesbot doctor`"


class StateOutdated(StateError):
    """The database's schema is not the one this version needs."""

    advice = "run `salesbot migrate`"


class WrongEncryptionKey(StateError):
    """None of SALESBOT_ENCRYPTION_KEYS can read what is stored; nothing was changed."""

    advice = (
        "put back the key that wrote it into SALESBOT_ENCRYPTION_KEYS; "
        "if it is lost, every merchant must open the app again"
    )


class RequestRefused(SalesbotError):
    """A request from outside is refused with `status`; the text is for our log alone."""

    def __init__(self, text: str, *, status: int) -> None:
        super().__init__(text)
        self.status = status


class SettingsError(SalesbotError):
    """A setting is missing or malformed; the text names it, what it is for and an example."""
