"""A receiver with everything around it: a home, a database, a port, its log, and a hand that signs."""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import hmac
import io
import itertools
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from sqlalchemy import select

from salesbot_pipelines.receiver.door import Door, open_door
from salesbot_pipelines.receiver.journal import Journal
from salesbot_pipelines.receiver.server import DoorServer
from salesbot_pipelines.settings import Settings, load_settings
from salesbot_pipelines.state.credentials import Credential
from salesbot_pipelines.state.engine import migrate, open_engine
from salesbot_pipelines.state.tables import metadata
from salesbot_pipelines_tests.receiver.wire import listening_socket, running

API_KEY = "sandbox-client-id"
API_SECRET = "sandbox-client-secret"
SHOP = "tiny-teapots.myshopify.com"
OTHER = "awkward-attic.myshopify.com"
THIRD = "large-lamps.myshopify.com"
TOKEN = "shpat_canary-access-token"
PAYLOAD = "canary-payload-Ada-Lovelace"

_numbers = itertools.count(1)


class ShiftedClock:
    """The machine's clock, and a hand that can move it."""

    def __init__(self) -> None:
        self.shift = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.shift

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.05))


@dataclass
class Receiver:
    """A running receiver."""

    door: Door
    port: int
    clock: ShiftedClock
    log: io.BytesIO = field(repr=False)
    http: httpx.Client = field(repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def installs(self):
        return self.door.program.installs

    def connect(self, shop: str = SHOP, token: str = TOKEN, **options: Any):
        """Connect a shop without a browser."""
        return self.installs.connect(shop, Credential(kind="static", access_token=token), **options)

    def post(self, body: bytes | None = None, **options: Any) -> httpx.Response:
        """Deliver a webhook; see `delivery`."""
        content, headers = delivery(body, **options)
        return self.http.post("/shopify/webhook", content=content, headers=headers)

    def lines(self, event: str = "request", *, seconds: float = 5.0) -> list[dict[str, Any]]:
        """Return the log's lines of a kind so far, at least one: a line is written after its answer was sent."""

        def found() -> list[dict[str, Any]]:
            self.door.journal.flush()
            return [line for line in map(json.loads, self.log.getvalue().splitlines()) if line["event"] == event]

        return self.wait_until(found, seconds)

    def rows(self, *names: str) -> dict[str, list[tuple]]:
        """Return every row of the database, or of the tables named."""
        with self.door.engine.connect() as connection:
            return {
                table.name: [tuple(row) for row in connection.execute(select(table))]
                for table in metadata.sorted_tables
                if not names or table.name in names
            }

    def work(self, shop: str = SHOP):
        return self.door.program.work.status(shop)

    def wait_until(self, condition, seconds: float = 5.0):
        """Wait for something that another thread brings about."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, "it did not come true in time"
            time.sleep(0.02)
        return found


def delivery(
    body: bytes | dict[str, Any] | None = None,
    *,
    topic: str = "products/update",
    shop: str = SHOP,
    secret: str = API_SECRET,
    prefix: str = "X-Shopify-",
    signature: str | bytes | None = None,
    webhook_id: str | None = None,
    **headers: str | bytes | None,
) -> tuple[bytes, dict[str, str | bytes]]:
    """Return the body and the headers of a webhook as Shopify sends it, or as somebody else would like to."""
    if body is None:
        body = {"id": 1, "title": PAYLOAD, "admin_graphql_api_id": "gid://shopify/Product/1"}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields: dict[str, str | bytes | None] = {
        "Topic": topic,
        "Hmac-Sha256": sign(content, secret) if signature is None else signature,
        "Shop-Domain": shop,
        "API-Version": "2026-10",
        "Webhook-Id": webhook_id or f"id-{next(_numbers)}",
        "Triggered-At": "2026-11-25T09:10:11.123456789Z",
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    return content, {
        "Content-Type": "application/json",
        **{prefix + name: value for name, value in fields.items() if value is not None},
    }


def sign(content: bytes, secret: str = API_SECRET) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), content, hashlib.sha256)).decode()


def callback_query(secret: str = API_SECRET, **params: str) -> str:
    """Return a callback's query as Shopify signs it; written from its documentation and not with our code."""
    message = urlencode(sorted(params.items()))
    return f"{message}&hmac={hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()}"


def settings_for(home: Path, *, port: int = 0, **more: str) -> Settings:
    return load_settings(
        {
            "SALESBOT_HOME": str(home),
            "SHOPIFY_API_KEY": API_KEY,
            "SHOPIFY_API_SECRET": API_SECRET,
            "SHOPIFY_REDIRECT_URI": f"http://127.0.0.1:{port or 9}/shopify/callback",
            "SHOPIFY_WEBHOOK_ADDRESS": f"http://127.0.0.1:{port or 9}/shopify/webhook",
            **more,
        }
    )


@functools.cache
def _migrated() -> bytes:
    """A migrated SQLite database: copying it is faster than making it for each test."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        open_engine("", home, create=True).dispose()
        return (home / "state.db").read_bytes()


def make_database(settings: Settings) -> None:
    if settings.database_url:
        engine = open_engine(settings)
        migrate(engine)
        engine.dispose()
        return
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = settings.home / "state.db"
    path.touch(mode=0o600)
    path.write_bytes(_migrated())


@contextlib.contextmanager
def receiver(home: Path, **more: str) -> Iterator[Receiver]:
    """Run a receiver on a fresh database in `home`; `more` are environment variables."""
    listener = listening_socket()
    settings = settings_for(home, port=listener.getsockname()[1], **more)
    make_database(settings)
    log, clock = io.BytesIO(), ShiftedClock()
    journal = Journal(log)
    journal.start()
    with open_door(settings, journal=journal, clock=clock) as door:
        server = DoorServer(door)
        with (
            running(server, listener) as port,
            httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, verify=False, timeout=15) as http,
        ):
            yield Receiver(door, port, clock, log, http)
    journal.close()
