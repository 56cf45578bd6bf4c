"""Several at once: one lease, growing numbers, and no event lost."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, text

from salesbot_pipelines.errors import LeaseHeld, SalesbotError
from salesbot_pipelines.state.engine import open_engine
from salesbot_pipelines.state.forgetting import forget_rows
from salesbot_pipelines.state.inbox import Inbox, WebhookEvent
from salesbot_pipelines.state.tables import inbox as inbox_table
from salesbot_pipelines.state.transactions import reading, writing
from salesbot_pipelines.state.work import ShopWork
from salesbot_pipelines_tests.state import processes

SHOP = "one.myshopify.com"


def test_two_processes_never_hold_one_lease_and_its_numbers_grow(
    connect: Callable[..., None], database_url: str, tmp_path: Path
) -> None:
    connect(SHOP)
    race = partial(processes.race_for_a_lease, database_url, SHOP, folder=str(tmp_path), rounds=25)
    with processes.two() as pool:
        got = list(pool.map(race, ("first", "second")))
    order = [int(line) for line in (tmp_path / "order").read_text().split()]
    assert order == sorted(set(order))
    assert sorted(got[0] + got[1]) == list(range(1, 51))


def test_what_was_acknowledged_outlives_a_kill(
    connect: Callable[..., None], database_url: str, engine: Engine
) -> None:
    connect(SHOP)
    spawn = multiprocessing.get_context("spawn")
    acknowledged: set[str] = set()
    for _ in range(2):
        ours, theirs = spawn.Pipe(duplex=False)
        process = spawn.Process(target=processes.accept_and_tell, args=(database_url, SHOP, theirs))
        process.start()
        theirs.close()
        assert ours.recv() == "ready"
        for _ in range(random.randint(1, 20)):
            acknowledged.update(ours.recv())
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        try:
            while True:
                acknowledged.update(ours.recv())
        except EOFError:
            process.join()
    assert acknowledged
    with reading(engine) as connection:
        stored = Counter(connection.execute(select(inbox_table.c.webhook_id)).scalars())
    assert acknowledged <= set(stored)
    assert set(stored.values()) == {1}
    # An event without its mark would be as lost as one without its row.
    assert ShopWork(engine).status(SHOP).wanted == 1 + len(stored)


def test_eight_writers_lose_nothing(connect: Callable[..., None], database_url: str, engine: Engine) -> None:
    shops = [f"shop-{number}.myshopify.com" for number in range(5)]
    connect(*shops)
    batches = 20 if engine.dialect.name == "postgresql" else 5
    failures: list[SalesbotError] = []
    accepted: list[tuple[str, str]] = []
    stop = threading.Event()

    def write(writer: int) -> None:
        mine = open_engine(database_url)
        chosen = random.Random(writer)
        try:
            for batch in range(batches):
                events = [
                    WebhookEvent(chosen.choice(shops), "products/update", f"{writer}-{batch}-{number}", "0" * 64)
                    for number in range(10)
                ]
                assert Inbox(mine).accept(events) == ["new"] * 10
                accepted.extend((event.shop, event.webhook_id) for event in events)
        except SalesbotError as error:
            failures.append(error)
        finally:
            mine.dispose()

    def refresh() -> None:
        mine = open_engine(database_url)
        work = ShopWork(mine)
        while not stop.is_set():
            for due in work.due(2):
                lease = work.lease(due.shop, "run", 60)
                work.publish_done(lease, fetched_at=datetime.now(UTC), revision="r")
            time.sleep(0.005)
        mine.dispose()

    refresher = threading.Thread(target=refresh)
    refresher.start()
    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    refresher.join()
    assert failures == []
    assert len(accepted) == 8 * batches * 10
    with reading(engine) as connection:
        stored = [tuple(row) for row in connection.execute(select(inbox_table.c.shop, inbox_table.c.webhook_id))]
    assert sorted(stored) == sorted(accepted)
    per_shop = Counter(shop for shop, _ in accepted)
    assert {row.shop: row.wanted for row in ShopWork(engine).statuses()} == {
        shop: 1 + per_shop[shop] for shop in shops
    }


@pytest.mark.postgres
class TestTheClockIsReadAfterTheLock:
    """A contender that waits for the row must judge it by the time at which it got the row."""

    @staticmethod
    def contend(engine: Engine, meanwhile: str) -> object:
        """Let a lease run out while its row is locked and somebody waits for it; return what that one got."""
        work = ShopWork(engine)
        work.lease(SHOP, "first", 0.3)
        got: list[object] = []

        def second() -> None:
            try:
                got.append(ShopWork(engine).lease(SHOP, "second", 60))
            except LeaseHeld as error:
                got.append(error)

        thread = threading.Thread(target=second)
        with writing(engine) as connection:
            connection.execute(text("SELECT 1 FROM shop_work FOR UPDATE"))
            thread.start()
            time.sleep(0.5)
            connection.execute(text(meanwhile))
        thread.join()
        return got[0]

    def test_a_lease_renewed_meanwhile_is_held(self, postgres_engine: Engine, connect_on_postgres: None) -> None:
        renewal = "UPDATE shop_work SET lease_until = clock_timestamp() + interval '60 seconds'"
        assert isinstance(self.contend(postgres_engine, renewal), LeaseHeld)

    def test_a_lease_that_ran_out_meanwhile_is_free(self, postgres_engine: Engine, connect_on_postgres: None) -> None:
        assert not isinstance(self.contend(postgres_engine, "SELECT 1"), LeaseHeld)


@pytest.mark.postgres
def test_an_event_that_meets_a_redaction_leaves_nothing(postgres_engine: Engine, connect_on_postgres: None) -> None:
    answers: list[object] = []
    event = WebhookEvent(SHOP, "products/update", "w1", "0" * 64)
    thread = threading.Thread(target=lambda: answers.extend(Inbox(postgres_engine).accept([event])))
    with writing(postgres_engine) as connection:
        connection.execute(text("SELECT 1 FROM shop_work FOR UPDATE"))
        thread.start()
        time.sleep(0.3)
        forget_rows(connection, SHOP, datetime.now(UTC), "")
    thread.join()
    assert answers == ["unknown_shop"]
    with reading(postgres_engine) as connection:
        assert connection.execute(select(inbox_table)).all() == []


@pytest.fixture
def connect_on_postgres(postgres_engine: Engine, key: str) -> None:
    from salesbot_pipelines.state.encryption import Keyring
    from salesbot_pipelines.state.installs import Credential, Installs

    ring = Keyring([key])
    ring.ensure_key_check(postgres_engine)
    Installs(postgres_engine, ring).connect(SHOP, Credential(kind="static", access_token="t"))
