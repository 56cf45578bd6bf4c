"""Every environment variable once: its name, type, default and meaning.

Read by the doors at their start and handed down as one frozen value; nothing below reads the
environment. A missing or malformed variable is a `SettingsError` that names it and shows an example.
`.env.example` lists the same names, and a test compares the two.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from salesbot_pipelines.errors import SettingsError

API_VERSION = "2026-10"
"""The Admin API version our queries are written for. https://shopify.dev/docs/api/usage/versioning"""

_CRON_FIELD = r"[0-9*/,\-A-Za-z]+"


@dataclass(frozen=True)
class Variable:
    """One environment variable: what the README's table and `.env.example` say of it."""

    name: str
    default: str
    meaning: str
    example: str
    secret: bool = False


VARIABLES: tuple[Variable, ...] = (
    Variable("SHOPIFY_API_KEY", "", "client id of the Shopify app", "0a1b2c3d4e5f60718293a4b5c6d7e8f9"),
    Variable("SHOPIFY_API_SECRET", "", "client secret of the Shopify app", "shpss_...", secret=True),
    Variable(
        "SHOPIFY_API_SECRET_PREVIOUS",
        "",
        "the client secret before a rotation; still accepted for signatures",
        "shpss_...",
        secret=True,
    ),
    Variable(
        "SHOPIFY_REDIRECT_URI",
        "",
        "public URL of /shopify/callback",
        "https://salesbot.example.com/shopify/callback",
    ),
    Variable(
        "SHOPIFY_WEBHOOK_ADDRESS",
        "",
        "public URL of /shopify/webhook",
        "https://salesbot.example.com/shopify/webhook",
    ),
    Variable("SHOPIFY_API_VERSION", API_VERSION, "Admin API version, compared with each answer", API_VERSION),
    Variable(
        "SHOPIFY_SHOP_URL",
        "https://{shop}",
        "where a shop is reached; the sandbox needs another",
        "http://127.0.0.1:8787/shops/{shop}",
    ),
    Variable("SPACES_REGION", "", "region of the Space", "fra1"),
    Variable(
        "SPACES_ENDPOINT",
        "https://<region>.digitaloceanspaces.com",
        "regional endpoint, without the bucket's name",
        "https://fra1.digitaloceanspaces.com",
    ),
    Variable("SPACES_BUCKET", "", "the Space; unset: objects lie in SALESBOT_HOME/objects", "salesbot-data"),
    Variable("SPACES_KEY", "", "access key with read and write on the Space", "DO00..."),
    Variable("SPACES_SECRET", "", "the access key's secret", "...", secret=True),
    Variable(
        "SALESBOT_HOME",
        ".salesbot",
        "folder of the embedded default: objects, state.db, dagster",
        ".salesbot",
    ),
    Variable(
        "SALESBOT_DATABASE_URL",
        "SQLite in SALESBOT_HOME",
        "database of installs, leases and the inbox",
        "postgresql+psycopg2://user:password@host/salesbot",
        secret=True,
    ),
    Variable(
        "SALESBOT_ENCRYPTION_KEYS",
        "made in SALESBOT_HOME on first use",
        "comma list of Fernet keys, newest first; required with SALESBOT_DATABASE_URL",
        "output of `salesbot keys new`",
        secret=True,
    ),
    Variable("SALESBOT_SCHEDULE", "0 2 * * *", "cron line (UTC) of the daily refresh", "0 2 * * *"),
    Variable("SALESBOT_CONCURRENT_SHOPS", "8", "shops fetched at once in a run", "8"),
    Variable("SALESBOT_BATCH_SIZE", "50", "shops per scheduled run", "50"),
    Variable("SALESBOT_METAFIELD_NAMESPACES", "custom", "comma list of public metafield namespaces", "custom,specs"),
    Variable("SALESBOT_PRODUCT_STATUSES", "active", "comma list of active, unlisted, draft, archived", "active"),
    Variable(
        "SALESBOT_MAX_LOSS_PERCENT",
        "30",
        "a document that loses more products than this is proved or refused",
        "30",
    ),
    Variable("SALESBOT_EVENT_WAIT_SECONDS", "2", "how long an event waits for others of its burst", "2"),
)
_BY_NAME = {variable.name: variable for variable in VARIABLES}


@dataclass(frozen=True)
class ShopifySettings:
    """The app at Shopify, and how shops are reached."""

    api_key: str = ""
    api_secret: str = field(default="", repr=False)
    api_secret_previous: str = field(default="", repr=False)
    redirect_uri: str = ""
    webhook_address: str = ""
    api_version: str = API_VERSION
    shop_url: str = "https://{shop}"


@dataclass(frozen=True)
class SpacesSettings:
    """The object store; an empty bucket means the local folder."""

    region: str = ""
    endpoint: str = ""
    bucket: str = ""
    key: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)


@dataclass(frozen=True)
class Settings:
    """Everything the doors need to build the program. Hidden values stay out of every repr."""

    shopify: ShopifySettings
    spaces: SpacesSettings
    home: Path
    database_url: str = field(repr=False)  # empty: SQLite in `home`
    encryption_keys: tuple[str, ...] = field(repr=False)  # empty: the key file in `home`
    schedule: str = "0 2 * * *"
    concurrent_shops: int = 8
    batch_size: int = 50
    metafield_namespaces: tuple[str, ...] = ("custom",)
    product_statuses: tuple[str, ...] = ("active",)
    max_loss_percent: int = 30
    event_wait_seconds: float = 2.0

    def require_app_keys(self) -> None:
        """Raise `SettingsError` unless the app's id and secret are there."""
        _require(SHOPIFY_API_KEY=self.shopify.api_key, SHOPIFY_API_SECRET=self.shopify.api_secret)

    def require_app(self) -> None:
        """Raise `SettingsError` unless the variables that OAuth and webhooks need are there."""
        self.require_app_keys()
        _require(SHOPIFY_REDIRECT_URI=self.shopify.redirect_uri, SHOPIFY_WEBHOOK_ADDRESS=self.shopify.webhook_address)


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read and check all variables. Raises `SettingsError` for the first that is not right."""
    read = _Reader(os.environ if environ is None else environ)
    return Settings(
        shopify=_shopify(read),
        spaces=_spaces(read),
        home=Path(read.text("SALESBOT_HOME", ".salesbot")).expanduser(),
        database_url=_database_url(read),
        encryption_keys=_encryption_keys(read),
        schedule=read.matching(
            "SALESBOT_SCHEDULE", rf"{_CRON_FIELD}( {_CRON_FIELD}){{4}}", "five cron fields", "0 2 * * *"
        ),
        concurrent_shops=read.whole_number("SALESBOT_CONCURRENT_SHOPS", 8, 1, 256),
        batch_size=read.whole_number("SALESBOT_BATCH_SIZE", 50, 1, 1000),
        metafield_namespaces=read.words("SALESBOT_METAFIELD_NAMESPACES", ("custom",)),
        product_statuses=_statuses(read),
        max_loss_percent=read.whole_number("SALESBOT_MAX_LOSS_PERCENT", 30, 0, 100),
        event_wait_seconds=float(read.whole_number("SALESBOT_EVENT_WAIT_SECONDS", 2, 0, 3600)),
    )


class _Reader:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str, default: str = "") -> str:
        assert name in _BY_NAME, name
        value = self._environ.get(name, "").strip()
        if "\n" in value or "\r" in value:
            raise _malformed(name, "is one line")
        return value or default

    def matching(self, name: str, pattern: str, what: str, default: str = "") -> str:
        value = self.text(name, default)
        if value and not re.fullmatch(pattern, value):
            raise _malformed(name, f"is {what}")
        return value

    def url(self, name: str, *, schemes: tuple[str, ...] = ("https", "http")) -> str:
        value = self.text(name).rstrip("/")
        if not value:
            return ""
        parts = urlsplit(value)
        if parts.scheme not in schemes or not parts.netloc or "@" in parts.netloc:
            raise _malformed(name, f"is a URL that starts with {' or '.join(s + '://' for s in schemes)}")
        return value

    def whole_number(self, name: str, default: int, least: int, most: int) -> int:
        value = self.text(name, str(default))
        if not re.fullmatch(r"[0-9]{1,9}", value) or not least <= int(value) <= most:
            raise _malformed(name, f"is a whole number from {least} to {most}")
        return int(value)

    def words(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        value = self.text(name)
        return tuple(word.strip() for word in value.split(",") if word.strip()) if value else default


def _shopify(read: _Reader) -> ShopifySettings:
    shop_url = read.text("SHOPIFY_SHOP_URL", "https://{shop}").rstrip("/")
    if shop_url.count("{shop}") != 1 or urlsplit(shop_url).scheme not in ("http", "https"):
        raise _malformed("SHOPIFY_SHOP_URL", "is a URL with {shop} in it once")
    return ShopifySettings(
        api_key=read.text("SHOPIFY_API_KEY"),
        api_secret=read.text("SHOPIFY_API_SECRET"),
        api_secret_previous=read.text("SHOPIFY_API_SECRET_PREVIOUS"),
        redirect_uri=read.url("SHOPIFY_REDIRECT_URI"),
        webhook_address=read.url("SHOPIFY_WEBHOOK_ADDRESS"),
        api_version=read.matching(
            "SHOPIFY_API_VERSION", r"20[0-9]{2}-(01|04|07|10)", "a quarterly version", API_VERSION
        ),
        shop_url=shop_url,
    )


def _spaces(read: _Reader) -> SpacesSettings:
    bucket = read.matching("SPACES_BUCKET", r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", "a bucket's name, without dots")
    region = read.matching("SPACES_REGION", r"[a-z0-9-]+", "a region's slug")
    endpoint = read.url("SPACES_ENDPOINT")
    key, secret = read.text("SPACES_KEY"), read.text("SPACES_SECRET")
    if not bucket:
        return SpacesSettings()
    for name, value in (("SPACES_REGION", region), ("SPACES_KEY", key), ("SPACES_SECRET", secret)):
        if not value:
            raise _missing(name, because="SPACES_BUCKET is set")
    if endpoint and urlsplit(endpoint).netloc.startswith(f"{bucket}."):
        raise _malformed("SPACES_ENDPOINT", "is the regional endpoint, without the bucket's name in front")
    return SpacesSettings(
        region=region,
        endpoint=endpoint or f"https://{region}.digitaloceanspaces.com",
        bucket=bucket,
        key=key,
        secret=secret,
    )


def _database_url(read: _Reader) -> str:
    value = read.text("SALESBOT_DATABASE_URL")
    if value and not re.match(r"(postgresql\+psycopg2|sqlite)://", value):
        # A plain postgresql:// means another driver from SQLAlchemy 2.1 on; the driver is always named.
        raise _malformed("SALESBOT_DATABASE_URL", "starts with postgresql+psycopg2:// or sqlite://")
    return value


def _encryption_keys(read: _Reader) -> tuple[str, ...]:
    keys = read.words("SALESBOT_ENCRYPTION_KEYS", ())
    if any(not re.fullmatch(r"[A-Za-z0-9_\-]{43}=", key) for key in keys):
        raise _malformed("SALESBOT_ENCRYPTION_KEYS", "is a comma list of Fernet keys of 44 characters")
    if not keys and read.text("SALESBOT_DATABASE_URL"):
        raise _missing("SALESBOT_ENCRYPTION_KEYS", because="SALESBOT_DATABASE_URL is set")
    return keys


def _statuses(read: _Reader) -> tuple[str, ...]:
    statuses = read.words("SALESBOT_PRODUCT_STATUSES", ("active",))
    if not set(statuses) <= {"active", "unlisted", "draft", "archived"}:
        raise _malformed("SALESBOT_PRODUCT_STATUSES", "is a comma list of active, unlisted, draft, archived")
    return statuses


def _require(**values: str) -> None:
    for name, value in values.items():
        if not value:
            raise _missing(name)


def _missing(name: str, because: str = "") -> SettingsError:
    variable = _BY_NAME[name]
    why = f" ({because})" if because else ""
    return SettingsError(
        f"{name} is not set{why}: {variable.meaning}", advice=f"set it like {name}={variable.example}"
    )


def _malformed(name: str, rule: str) -> SettingsError:
    # The value itself is left out: it may be a secret pasted into the wrong line.
    variable = _BY_NAME[name]
    return SettingsError(
        f"{name} is malformed: it {rule}; {variable.meaning}", advice=f"set it like {name}={variable.example}"
    )
