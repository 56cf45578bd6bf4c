"""What the tests let other processes do; spawned ones need functions that can be imported."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

from sqlalchemy import event

from salesbot_pipelines.errors import LeaseHeld
from salesbot_pipelines.state.encryption import Keyring
from salesbot_pipelines.state.engine import check_schema, migrate, open_engine
from salesbot_pipelines.state.inbox import Inbox, WebhookEvent
from salesbot_pipelines.state.installs import Credential, Installs
from salesbot_pipelines.state.key_file import KeyFile
from salesbot_pipelines.state.rotation import rotate
from salesbot_pipelines.state.work import ShopWork


def two() -> ProcessPoolExecutor:
    """Two processes of their own. They are let finish, unlike a `Pool`'s, which are killed, perhaps with a lock."""
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))


def open_and_migrate(url: str) -> str:
    """Open the database as a door would, and bring its schema up."""
    engine = open_engine(url, create=True)
    migrate(engine)
    check_schema(engine)
    engine.dispose()
    return "ok"


def rotate_and_die(url: str, keys: list[str], commits: int) -> None:
    """Rotate, and be killed when so many transactions have been committed."""
    engine = open_engine(url)
    seen = 0

    @event.listens_for(engine, "commit")
    def count(_connection: object) -> None:
        nonlocal seen
        seen += 1
        if seen > commits:
            os.kill(os.getpid(), signal.SIGKILL)

    rotate(engine, Keyring(keys))


def make_key_file(home: str) -> tuple[str, ...]:
    """Read the key file, or be the one that makes it."""
    return KeyFile(Path(home)).read_or_create()


def renew_credential(url: str, key: str, shop: str, rejected: str, holder: str) -> str:
    """Renew a refused token as the refresh does; say whether this process had to ask for a new one."""
    engine = open_engine(url)
    installs = Installs(engine, Keyring([key]))
    with installs.credential_lease(shop, holder, 30) as credential:
        if credential.access_token != rejected:
            return "found"
        time.sleep(0.2)  # Shopify answers
        fresh = Credential(kind="pair", access_token=f"new from {holder}", refresh_token="r2")
        assert installs.store_credential(shop, fresh, replaces=rejected)
    engine.dispose()
    return "asked"


def race_for_a_lease(url: str, shop: str, holder: str, folder: str, rounds: int) -> list[int]:
    """Take the shop again and again; return the epochs got. A second one inside at once is an error."""
    engine = open_engine(url)
    work = ShopWork(engine)
    epochs: list[int] = []
    inside = Path(folder) / "inside"
    while len(epochs) < rounds:
        try:
            lease = work.lease(shop, holder, 60)
        except LeaseHeld:
            time.sleep(0.001)
            continue
        inside.touch(exist_ok=False)
        epochs.append(lease.epoch)
        with (Path(folder) / "order").open("a") as order:
            order.write(f"{lease.epoch}\n")
        inside.unlink()
        work.release(lease)
    engine.dispose()
    return epochs


def accept_and_tell(url: str, shop: str, told: Connection) -> None:
    """Accept events without end, and tell of each after it was accepted."""
    engine = open_engine(url)
    inbox = Inbox(engine)
    told.send("ready")
    for number in range(1_000_000):
        batch = [WebhookEvent(shop, "products/update", f"{number}-{part}", "0" * 64) for part in range(3)]
        if inbox.accept(batch) == ["new"] * 3:
            told.send([event.webhook_id for event in batch])
