"""Events are kept before they are acknowledged, once, and mark their shops."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, event, func, select, text

from salesbot_pipelines.errors import RequestRefused, StateError
from salesbot_pipelines.state.inbox import Inbox, WebhookEvent
from salesbot_pipelines.state.installs import Installs
from salesbot_pipelines.state.tables import inbox as inbox_table
from salesbot_pipelines.state.transactions import reading
from salesbot_pipelines.state.work import ShopWork
from salesbot_pipelines_tests.state.conftest import TurnableClock

SHOP, OTHER, ABSENT = "one.myshopify.com", "two.myshopify.com", "absent.myshopify.com"
HASH = hashlib.sha256(b"{}").hexdigest()


def arrived(webhook_id: str, shop: str = SHOP, topic: str = "products/update", **more: object) -> WebhookEvent:
    return WebhookEvent(shop, topic, webhook_id, HASH, **more)  # type: ignore[arg-type]


@pytest.fixture
def inbox(engine: Engine, clock: TurnableClock, connect: Callable[..., None]) -> Inbox:
    connect(SHOP, OTHER)
    return Inbox(engine, clock)


def stored(engine: Engine) -> list[tuple[str, str, str]]:
    columns = (inbox_table.c.shop, inbox_table.c.topic, inbox_table.c.webhook_id)
    with reading(engine) as connection:
        return [tuple(row) for row in connection.execute(select(*columns).order_by(inbox_table.c.seq))]


class TestAccepting:
    def test_an_event_is_stored_and_its_shop_marked(self, inbox: Inbox, work: ShopWork, engine: Engine) -> None:
        moment = datetime(2026, 11, 25, 10, tzinfo=UTC)
        gid = "gid://shopify/Product/1"
        assert inbox.accept([arrived("w1", event_id="e1", triggered_at=moment, resource_id=gid)]) == ["new"]
        with reading(engine) as connection:
            row = connection.execute(select(inbox_table)).one()
        assert (row.shop, row.topic, row.webhook_id, row.event_id) == (SHOP, "products/update", "w1", "e1")
        assert (row.triggered_at, row.resource_id, row.body_sha256) == (moment, gid, HASH)
        assert row.received_at.tzinfo is not None
        assert work.status(SHOP).wanted == 2
        assert work.status(OTHER).wanted == 1

    def test_times_are_written_in_the_width_by_which_they_compare(self, inbox: Inbox, engine: Engine) -> None:
        if engine.dialect.name == "postgresql":
            return  # which has a type for moments
        moment = datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=1)))
        inbox.accept([arrived("w1", triggered_at=moment)])
        with reading(engine) as connection:
            row = connection.execute(text("SELECT received_at, triggered_at FROM inbox")).one()
        assert tuple(row) == ("2026-11-25 12:00:00.000000", "2026-01-02 02:00:00.000000")

    def test_a_batch_keeps_its_order_and_marks_each_shop_once_per_event(
        self, inbox: Inbox, work: ShopWork, engine: Engine
    ) -> None:
        batch = [arrived(f"w{number}", shop) for number in range(3) for shop in (OTHER, SHOP)]
        assert inbox.accept(batch) == ["new"] * 6
        assert stored(engine) == [(item.shop, item.topic, item.webhook_id) for item in batch]
        assert (work.status(SHOP).wanted, work.status(OTHER).wanted) == (4, 4)

    def test_a_duplicate_leaves_no_row_and_no_mark(self, inbox: Inbox, work: ShopWork, engine: Engine) -> None:
        assert inbox.accept([arrived("w1")] * 20) == ["new"] + ["duplicate"] * 19
        assert inbox.accept([arrived("w1"), arrived("w2"), arrived("w1")]) == ["duplicate", "new", "duplicate"]
        assert len(stored(engine)) == 2
        assert work.status(SHOP).wanted == 3

    def test_the_same_id_of_another_shop_or_topic_is_another_event(self, inbox: Inbox) -> None:
        assert (
            inbox.accept([arrived("w1"), arrived("w1", OTHER), arrived("w1", topic="collections/update")])
            == ["new"] * 3
        )

    def test_an_unknown_shop_leaves_a_number_only(
        self, inbox: Inbox, installs: Installs, engine: Engine, work: ShopWork
    ) -> None:
        installs.uninstall(OTHER)
        batch = [arrived("w1", ABSENT), arrived("w1"), arrived("w1", OTHER)]
        assert inbox.unknown_total() == 0
        assert inbox.accept(batch) == ["unknown_shop", "new", "unknown_shop"]
        assert inbox.accept([arrived("w2", ABSENT)]) == ["unknown_shop"]
        assert inbox.unknown_total() == 3
        assert stored(engine) == [(SHOP, "products/update", "w1")]
        assert work.status(OTHER).wanted == 1

    def test_a_shop_that_needs_a_new_login_is_still_heard(self, inbox: Inbox, installs: Installs) -> None:
        installs.mark_needs_reauth(SHOP, "why")
        assert inbox.accept([arrived("w1")]) == ["new"]

    def test_nothing_is_nothing(self, inbox: Inbox) -> None:
        assert inbox.accept([]) == []

    def test_a_failed_commit_accepts_none(self, inbox: Inbox, work: ShopWork, engine: Engine) -> None:
        def fail(connection: object) -> None:
            raise engine.dialect.loaded_dbapi.OperationalError

        event.listen(engine, "commit", fail)
        with pytest.raises(StateError):
            inbox.accept([arrived("w1")])
        event.remove(engine, "commit", fail)
        assert stored(engine) == []
        assert work.status(SHOP).wanted == 1
        assert inbox.accept([arrived("w1")]) == ["new"]

    def test_a_thousand_at_once(self, inbox: Inbox, work: ShopWork) -> None:
        batch = [arrived(f"w{number}") for number in range(1500)]
        assert inbox.accept(batch) == ["new"] * 1500
        assert work.status(SHOP).wanted == 1501


class TestWhatAnEventMayHold:
    @pytest.mark.parametrize(
        "spoilt",
        [
            {"webhook_id": ""},
            {"webhook_id": "a\0b"},
            {"webhook_id": "x" * 256},
            {"topic": "\ud800"},
            {"body_sha256": "short"},
            {"resource_id": "\0"},
            {"event_id": "x" * 256},
            {"triggered_at": datetime(2026, 1, 1)},
        ],
    )
    def test_what_no_column_can_hold_is_refused_before_it_spoils_a_batch(self, spoilt: dict[str, object]) -> None:
        fields = {"shop": SHOP, "topic": "products/update", "webhook_id": "w", "body_sha256": HASH, **spoilt}
        with pytest.raises(RequestRefused) as caught:
            WebhookEvent(**fields)  # type: ignore[arg-type]
        assert caught.value.status == 400

    @given(webhook_id=st.text(min_size=1, max_size=255), resource_id=st.none() | st.text(max_size=255))
    def test_whatever_is_let_through_can_be_stored(self, webhook_id: str, resource_id: str | None) -> None:
        try:
            made = arrived(webhook_id, resource_id=resource_id)
        except RequestRefused:
            return
        assert "\0" not in made.webhook_id + (made.resource_id or "")
        (made.webhook_id + (made.resource_id or "")).encode("utf-8")


class TestAging:
    def test_the_high_water_is_the_shops_newest(self, inbox: Inbox) -> None:
        assert inbox.high_water(SHOP) == 0
        inbox.accept([arrived("w1"), arrived("w2"), arrived("w1", OTHER)])
        assert (inbox.high_water(SHOP), inbox.high_water(OTHER)) == (2, 3)

    def test_old_events_go_in_small_portions_and_their_marks_stay(
        self, inbox: Inbox, work: ShopWork, turn: Callable[[float], None], engine: Engine
    ) -> None:
        inbox.accept([arrived(f"old {number}") for number in range(5)])
        turn(5 * 86400)
        inbox.accept([arrived("young")])
        assert inbox.purge() == 0
        turn(3 * 86400 + 1)
        assert inbox.purge(limit=3) == 3
        assert inbox.purge(limit=3) == 2
        assert inbox.purge(limit=3) == 0
        assert [row[2] for row in stored(engine)] == ["young"]
        assert work.status(SHOP).wanted == 7

    def test_numbers_of_purged_events_are_not_given_again(self, inbox: Inbox, turn: Callable[[float], None]) -> None:
        inbox.accept([arrived("w1"), arrived("w2")])
        turn(9 * 86400)
        inbox.purge()
        inbox.accept([arrived("w3")])
        assert inbox.high_water(SHOP) == 3

    def test_less_than_eight_days_are_refused(self, inbox: Inbox) -> None:
        with pytest.raises(ValueError, match="8 days"):
            inbox.purge(older_than=timedelta(days=7, hours=23))


def test_thousands_of_events_of_one_shop_are_one_refresh(inbox: Inbox, work: ShopWork, engine: Engine) -> None:
    for start in range(0, 3000, 1000):
        inbox.accept([arrived(f"w{number}") for number in range(start, start + 1000)])
    assert [due.shop for due in work.due(100)].count(SHOP) == 1
    lease = work.lease(SHOP, "run", 60)
    work.publish_done(lease, fetched_at=datetime.now(UTC), revision="r")
    assert SHOP not in [due.shop for due in work.due(100)]
    with reading(engine) as connection:
        assert connection.execute(select(func.count()).select_from(inbox_table)).scalar_one() == 3000
