"""A home, a database with three shops, and a receiver on it in a process that can be killed and starved."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from pathlib import Path

import httpx
from sqlalchemy import func, select

from salesbot_pipelines.cli.processes import free_port
from salesbot_pipelines.state.credentials import Credential
from salesbot_pipelines.state.encryption import Keyring
from salesbot_pipelines.state.engine import open_engine
from salesbot_pipelines.state.installs import Installs
from salesbot_pipelines.state.tables import inbox, shop_work
from salesbot_pipelines_tests.receiver.harness import (
    API_SECRET,
    OTHER,
    SHOP,
    THIRD,
    delivery,
    make_database,
    settings_for,
)
from salesbot_pipelines_tests.receiver.load import Clients, Process, receiver_process

SHOPS = (SHOP, OTHER, THIRD)


class Site:
    """A home with a database and three connected shops, and a port for a receiver on it."""

    def __init__(self, home: Path, log: Path, **more: str) -> None:
        self.port = free_port()
        self.settings = settings_for(home, port=self.port, SHOPIFY_SHOP_URL="http://127.0.0.1:9/{shop}", **more)
        self.environ = {
            "SALESBOT_HOME": str(home),
            "SHOPIFY_API_KEY": "key",
            "SHOPIFY_API_SECRET": API_SECRET,
            "SHOPIFY_REDIRECT_URI": f"http://127.0.0.1:{self.port}/shopify/callback",
            "SHOPIFY_WEBHOOK_ADDRESS": f"http://127.0.0.1:{self.port}/shopify/webhook",
            "SHOPIFY_SHOP_URL": "http://127.0.0.1:9/{shop}",
            **more,
        }
        self.log = log
        make_database(self.settings)
        self.engine = open_engine(self.settings)
        keyring = Keyring.from_settings(self.settings)
        keyring.ensure_key_check(self.engine)
        for shop in SHOPS:
            Installs(self.engine, keyring).connect(shop, Credential(kind="static", access_token="unused"))

    def running(self) -> contextlib.AbstractContextManager[Process]:
        return receiver_process(self.environ, self.port, self.log)

    def post(self, **options) -> tuple[int, float]:
        """Deliver one webhook; return the status and how long it took."""
        content, headers = delivery(**options)
        started = time.monotonic()
        answer = httpx.post(
            f"http://127.0.0.1:{self.port}/shopify/webhook",
            content=content,
            headers=headers,
            trust_env=False,
            verify=False,
        )
        if answer.status_code == 503:
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.content == b""
        return answer.status_code, time.monotonic() - started

    def send_for(self, seconds: float, run: str, **options) -> Clients:
        clients = Clients(self.port, run, shops=SHOPS, **options)
        asyncio.run(clients.send_for(seconds))
        return clients

    def stored(self) -> list[str]:
        with self.engine.connect() as connection:
            return list(connection.execute(select(inbox.c.webhook_id)).scalars())

    def assert_consistent(self, kept: set[str]) -> None:
        """Every acknowledged event is there once, and every stored event has marked its shop once."""
        stored = self.stored()
        assert kept <= set(stored)
        assert len(stored) == len(set(stored))
        with self.engine.connect() as connection:
            counted = connection.execute(select(inbox.c.shop, func.count()).group_by(inbox.c.shop)).all()
            events = {row[0]: row[1] for row in counted}
            work = connection.execute(select(shop_work.c.shop, shop_work.c.wanted, shop_work.c.done)).all()
        for shop, wanted, done in work:
            assert (wanted, done) == (events.get(shop, 0) + 1, 0)  # 1: the install's own

    def lines(self, event: str) -> list[dict]:
        return [line for line in map(json.loads, self.log.read_text().splitlines()) if line["event"] == event]
